"""One runner between fakes that write down, in one list, what happens in which order."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from bot.core import commands as cmd
from bot.core import events as ev
from bot.core.book import Book
from bot.core.engine import start
from bot.core.fund import Fund
from bot.core.limits import SubmitOrder
from bot.core.records import Record
from bot.core.recovery_events import OrdersSeen
from bot.core.watch_events import ContractSeen
from bot.daemon.draws import SeededDraws
from bot.daemon.runner import Carry, Gateway, Runner
from bot.testing import a_contract, a_fund
from bot.testing_venue import InstantVenue


@dataclass
class HandClock:
    """Two clocks that move when a test says so."""

    market: int = 0
    wall: int = 1_000_000
    instants: bool = False

    def market_ms(self) -> int:
        """Market time."""
        return self.market

    def wall_ms(self) -> int:
        """Wall time."""
        return self.wall

    def advance(self, market_ms: int) -> None:
        """It moves by hand."""

    def compared(self, skew_ms: int) -> None:
        """It is set by hand."""


@dataclass
class Desk:
    """Journal, gateway and change listener of one runner. `happened` holds what they saw, in order.

    `hurdle` is called before each append or command and may raise; `listen` hears of changes; `gate`, where
    there is one, holds answers back until it is set.
    """

    fund: Fund = field(default_factory=a_fund)
    happened: list[tuple[str, object]] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    hurdle: Callable[[str, object], None] = lambda _what, _about: None
    listen: Callable[[Runner, tuple[Record, ...]], None] = lambda _runner, _records: None
    gate: asyncio.Event | None = None
    ours: bool = True
    price: Decimal = Decimal(60_000)
    wrap_gateway: Callable[[Gateway], Gateway] = lambda gateway: gateway
    wrap_journal: Callable[[Any], Any] = lambda journal: journal

    def __post_init__(self) -> None:
        """Open a flat account with the fund's capital."""
        self.clock = HandClock()
        self.venue = InstantVenue(a_contract(), self.fund.capital)

    def runner(self, book: Book | None = None) -> Runner:
        """A runner for a fund that has never run, or whose journal folds to `book`."""
        state = start(self.fund, self.venue.contract, Book() if book is None else book)
        gateway, journal = self.wrap_gateway(self), self.wrap_journal(self)
        clock: Any = self.clock
        return Runner(state, gateway, journal, clock, SeededDraws(7), self._changed)

    async def opened(self) -> Runner:
        """A runner whose fund has begun, and has seen its first mark."""
        runner = self.runner()
        runner.begin(self.fund.capital, adopt=False)
        self.mark(runner, 1_000)
        await runner.wait_quiet()
        return runner

    def mark(self, runner: Runner, time_ms: int, price: str | None = None) -> None:
        """A mark arrives."""
        if price is not None:
            self.price = Decimal(price)
        self.clock.market = time_ms
        runner.handle(self.mark_event(runner))

    def mark_event(self, runner: Runner) -> ev.Mark:
        """The mark of this moment."""
        return ev.Mark(*runner.now(), self.price)

    async def until_flat_out(self, runner: Runner, *, at_most: int = 200) -> None:
        """Give marks at the fund's wake times until no rebalance is under way."""
        for _ in range(at_most):
            await runner.wait_quiet()
            if runner.state.book.opened and runner.state.book.rebalance is None:
                return
            self.mark(runner, runner.state.wake_ms or self.clock.market_ms() + 1_000)
        raise AssertionError("the rebalance never ended")

    def of(self, what: str) -> list[object]:
        """What happened of one kind."""
        return [about for kind, about in self.happened if kind == what]

    def append(self, fund: str, records: Sequence[Record], wall_ms: int) -> None:  # noqa: ARG002 - the port's
        """Take the records of a step, as a journal does."""
        self._note("append", tuple(records))
        self.records += records

    def owned(self) -> bool:
        """Whether the accounts are certainly ours, as a journal says."""
        return self.ours

    def position(self, fund: str) -> int:  # noqa: ARG002 - it has one fund
        """Where the last record stands, as a journal says."""
        return len(self.records)

    def read(self, fund: str, after: int = 0) -> Iterator[Record]:  # noqa: ARG002 - as above
        """The records after a place, as a journal gives them."""
        return iter(self.records[after:])

    def ready(self, command: cmd.Command) -> Carry:
        """Everything takes time here, but what the hurdle says."""
        self.hurdle("ready", command)
        return partial(self.perform, command)

    async def perform(self, command: cmd.Command) -> ev.Event:
        """Carry a command out, as a gateway does."""
        self._note("perform", command)
        self.clock.wall += int(getattr(command, "delay_s", 0.0) * 1000)  # no test waits for real
        await asyncio.sleep(0)
        answer = self._answer(command)
        if self.gate is not None:
            await self.gate.wait()
        return answer

    def _note(self, what: str, about: object) -> None:
        self.happened.append((what, about))
        self.hurdle(what, about)

    def _changed(self, runner: Runner, records: tuple[Record, ...]) -> None:
        self.happened.append(("changed", records))
        self.listen(runner, records)

    def _answer(self, command: cmd.Command) -> ev.Event:  # noqa: C901, PLR0911, PLR0912 - one for each
        now = (self.clock.market_ms(), self.clock.wall_ms())
        if isinstance(command, cmd.StopCommand):
            return self.venue.answer_stop(command, now)
        match command:
            case SubmitOrder():
                return self.venue.submit(command, now, self.price)
            case cmd.QueryOrder(cid=cid):
                return self.venue.look_up(cid, now)
            case cmd.CancelOrder(cid=cid):
                return self.venue.cancel(cid, now)
            case cmd.FetchContract():
                return ContractSeen(*now, self.venue.contract)
            case cmd.FetchTrades(venue_order_id=wanted):
                trades = (trade for trade in self.venue.trades if wanted in (None, trade.venue_order_id))
                return ev.TradesSeen(*now, tuple(trades))
            case cmd.FetchIncome():
                return ev.IncomeSeen(*now, ())
            case cmd.FetchAccount():
                return ev.AccountSeen(*now, self.venue.ledger.wallet, self.venue.ledger.position, ())
            case cmd.FetchOrders():
                return OrdersSeen(*now, tuple(self.venue.listed))
            case cmd.GuardOrders():
                return ev.Guarded(*now)
            case cmd.FetchVolume():
                return ev.VolumeSeen(*now, None)
            case cmd.FetchTouch():
                return ev.TouchSeen(*now, self.price, self.price)
            case cmd.FetchDayMark(day_ms=day_ms):
                return ev.DayMarkSeen(*now, day_ms, None)
            case cmd.MoveCash(amount=amount):
                return ev.CashMoved(*now, amount, None)
            case cmd.DrawSecrets() | cmd.DrawIdentity():
                raise AssertionError("draws are not the venue's business")
