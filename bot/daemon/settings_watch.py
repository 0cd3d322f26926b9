"""Looking at how an account is set, again and again: a mode or a leverage that is changed is noticed.

At once where the venue tells of it (Binance: of leverage, margin type and asset mode), or where an operator
says that it is over, else within minutes.

So is a key that comes to be allowed what it must not be.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from bot.core.engine import SETTINGS
from bot.core.records import IncidentClosed, Record
from bot.core.watch_events import SettingsSeen
from bot.daemon.runner import Runner
from bot.venue.errors import RequestFailed

LOOK_EVERY_S = 180.0
LOOK_AGAIN_S = 10.0
"""After a look that failed."""

_KEY_WITHIN_S = 5.0
"""Another host of the venue says what a key may do: a fund that is to delever does not wait for it long."""


class KeyJudge:
    """What an account's key may do that it must not. While that cannot be read, what was known holds."""

    def __init__(self, fund: str, read: Callable[[], Awaitable[str | None]]) -> None:
        """`read` says what is wrong with the key, or raises `RequestFailed`."""
        self._fund = fund
        self._read = read
        self._known: str | None = None

    async def problem(self) -> str | None:
        """Look once."""
        try:
            async with asyncio.timeout(_KEY_WITHIN_S):
                self._known = await self._read()
        except (RequestFailed, TimeoutError) as error:
            structlog.get_logger().warning(
                "key_not_judged", fund=self._fund, reason=str(error) or f"no answer in {_KEY_WITHIN_S:g} s"
            )
        return self._known


class SettingsWatch:
    """One account's settings, against those that it got before the first order."""

    def __init__(self, runner: Runner, look: Callable[[], Awaitable[str | None]]) -> None:
        """`look` says what differs, or raises `RequestFailed`."""
        self._runner = runner
        self._look = look
        self._due = asyncio.Event()

    def due(self) -> None:
        """The venue says that the account was set anew: look at once, and not only when it is time to."""
        self._due.set()

    def heard(self, runner: Runner, records: tuple[Record, ...]) -> None:
        """See `Operations.listeners`: a word that ends the incident does not set the account right."""
        over = (record.code for record in records if isinstance(record, IncidentClosed))
        if runner is self._runner and SETTINGS in over:
            self.due()

    async def run(self) -> None:
        """Watch until cancelled; at once if a start has put right what the process before us found."""
        pause_s = LOOK_EVERY_S
        if SETTINGS in self._runner.state.book.incidents:
            self.due()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._due.wait()
            self._due.clear()
            pause_s = await self._look_once()

    async def _look_once(self) -> float:
        """Look, and tell the fund; the pause until the next look, shorter where this one failed."""
        try:
            problem = await self._look()
        except RequestFailed as error:
            structlog.get_logger().warning("settings_not_read", fund=self._runner.name, reason=str(error))
            return max(LOOK_AGAIN_S, error.wait_s)
        self._runner.handle(SettingsSeen(*self._runner.now(), problem))
        return LOOK_EVERY_S
