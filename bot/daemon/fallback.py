"""Marks by REST while a stream is lost, so that a fund can delever on fresh data whatever happens."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bot.core.events import Mark
from bot.daemon.operations import Operations
from bot.venue.errors import RequestFailed

POLL_S = 2.0


class MarkFallback:
    """Asks for the marks of lost symbols every `poll_s` seconds, until their streams are back."""

    def __init__(
        self, operations: Operations, fetch: Callable[[str], Awaitable[Mark]], *, poll_s: float = POLL_S
    ) -> None:
        """`fetch` reads one symbol's mark, or raises `RequestFailed`."""
        self._operations = operations
        self._fetch = fetch
        self._poll_s = poll_s
        self._log = structlog.get_logger()
        self._told: dict[str, str] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(self._poll_s)
            for symbol in self._operations.lost_symbols():
                try:
                    mark = await self._fetch(symbol)
                except RequestFailed as error:
                    self._tell(symbol, str(error))
                else:
                    self._told.pop(symbol, None)
                    self._operations.marked_by_rest(symbol, mark)

    def _tell(self, symbol: str, reason: str) -> None:
        """Once for each reason in a row: an outage of a day is no reason for fifty thousand lines."""
        if self._told.get(symbol) != reason:
            self._told[symbol] = reason
            self._log.warning("mark_unreadable", symbol=symbol, reason=reason)
