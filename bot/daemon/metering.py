"""Journal and gateway with a stopwatch: what they do is unchanged, how long it took is observed."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

from bot.core.commands import Command
from bot.core.events import Event
from bot.core.limits import SubmitOrder

if TYPE_CHECKING:
    from bot.core.records import Record
    from bot.daemon.runner import Carry, Gateway
    from bot.journal.journal import Appender


class MeteredJournal:
    """A journal whose appends are timed."""

    def __init__(self, journal: "Appender", observe: Callable[[float], None]) -> None:
        """`observe` hears how many seconds each append took, also one that failed."""
        self._journal = journal
        self._observe = observe

    def append(self, fund: str, records: "Sequence[Record]", wall_ms: int) -> None:
        """Append the records of one step; see `Journal.append`."""
        began_s = perf_counter()
        try:
            self._journal.append(fund, records, wall_ms)
        finally:
            self._observe(perf_counter() - began_s)

    def owned(self) -> bool:
        """Whether nobody else can have begun to send; see `Appender.owned`."""
        return self._journal.owned()


class MeteredGateway:
    """A gateway whose orders are timed, from the turn that decided to the venue's answer."""

    def __init__(self, gateway: "Gateway", observe: Callable[[float], None]) -> None:
        """`observe` hears how many seconds each order took."""
        self._gateway = gateway
        self._observe = observe

    def ready(self, command: Command) -> "Carry":
        """Do what needs no waiting; see `Gateway.ready`."""
        if not isinstance(command, SubmitOrder):
            return self._gateway.ready(command)
        began_s = perf_counter()
        carry = self._gateway.ready(command)

        async def timed() -> Event:
            try:
                return await carry()
            finally:
                self._observe(perf_counter() - began_s)

        return timed
