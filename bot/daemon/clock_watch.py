"""Comparing our clock with the venue's, again and again: a clock that is set, or drifts, is noticed."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bot.core.watch_events import ClockSeen
from bot.daemon.runner import Runner
from bot.venue.errors import RequestFailed

COMPARE_EVERY_S = 60.0
_WORTH_TELLING_MS = 250


class ClockWatch:
    """One account's clock; the comparison also corrects the timestamps of its requests.

    A fund hears of the first comparison, which may end an incident that the process before this one left,
    and then only of what changes: the same skew again says nothing.
    """

    def __init__(
        self, runner: Runner, compare: Callable[[], Awaitable[int]], *, every_s: float = COMPARE_EVERY_S
    ) -> None:
        """`compare` says by how many ms our clock is ahead of the venue's, or raises `RequestFailed`."""
        self._runner = runner
        self._compare = compare
        self._every_s = every_s
        self._told_ms: int | None = None

    async def run(self) -> None:
        """Watch from now on, until cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(self._every_s)

    async def _look(self) -> None:
        try:
            skew_ms = await self._compare()
        except RequestFailed as error:
            structlog.get_logger().warning("clock_not_compared", fund=self._runner.name, reason=str(error))
            return
        if self._told_ms is None or abs(skew_ms - self._told_ms) >= _WORTH_TELLING_MS:
            self._told_ms = skew_ms
            self._runner.handle(ClockSeen(*self._runner.now(), skew_ms))
