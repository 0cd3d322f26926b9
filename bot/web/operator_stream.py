"""Server-sent events for the operator: `fund` with true figures, and `heartbeat`.

Figures are worked out once a second for all who read, and not at all while nobody does. Whoever may no longer
read, because the session was ended or has run out, is dropped within a second.
"""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
from aiohttp import web

from bot.web.access import Access
from bot.web.answers import only
from bot.web.stream import Hub

TELL_EVERY_S = 1.0
HEARTBEAT_EVERY_S = 15.0


class Told(NamedTuple):
    """One event of the stream: its name, its fund (None: of all), and its body as JSON."""

    event: str
    fund: str | None
    body: bytes


class TrueFeed:
    """Tells readers what changed of the true figures."""

    def __init__(self, status: Callable[[], list[dict[str, Any]]]) -> None:
        """`status` gives the true figures of every fund. Nobody reads yet."""
        self._status = status
        self._told: dict[str, bytes] = {}
        self._here: list[str] = []
        self._readers = 0
        self._telling: asyncio.Task[None] | None = None
        self._hub = Hub()

    async def serve(self, request: web.Request, welcome: Callable[[], bool]) -> web.StreamResponse:
        """Answer with every fund as it is now, then with what changes, for as long as `welcome` says so."""
        present = [Told("fund", status["fund"], orjson.dumps(status)) for status in self._status()]
        if self._telling is None:
            self._told = {str(told.fund): told.body for told in present}
            self._here = list(self._told)
            self._telling = asyncio.get_running_loop().create_task(self._tell())
        self._readers += 1
        try:
            return await self._hub.serve(request, None, present, welcome)
        finally:
            self._readers -= 1

    def close(self) -> None:
        """End all streams."""
        self._hub.close()
        if self._telling is not None:
            self._telling.cancel()

    async def _tell(self) -> None:
        """Look every second while anybody reads. Should that fail, readers are dropped: they come back."""
        loop = asyncio.get_running_loop()
        beat_s = loop.time()
        try:
            while self._readers:
                await asyncio.sleep(TELL_EVERY_S)
                self._hub.dismiss()
                if loop.time() - beat_s >= HEARTBEAT_EVERY_S:
                    beat_s = loop.time()
                    self._hub.send([self._heartbeat()])
                self._hub.send(self._news())
        finally:
            self._telling = None
            self._hub.close()

    def _heartbeat(self) -> Told:
        return Told("heartbeat", None, orjson.dumps({"funds": self._here}))

    def _news(self) -> list[Told]:
        news, statuses = [], self._status()
        here = [str(status["fund"]) for status in statuses]
        if here != self._here:  # this host lost them, or has them again
            self._here = here
            news.append(self._heartbeat())
        for status in statuses:
            name, body = status["fund"], orjson.dumps(status)
            if body != self._told.get(name):
                self._told[name] = body
                news.append(Told("fund", name, body))
        return news


def add_routes(app: web.Application, status: Callable[[], list[dict[str, Any]]], access: Access) -> None:
    """Add the operator's stream."""
    feed = TrueFeed(status)

    async def stream(request: web.Request) -> web.StreamResponse:
        only(request)
        return await feed.serve(request, lambda: access.is_operator(request))

    async def close(_: web.Application) -> None:
        feed.close()

    app.router.add_get("/api/v1/operator/stream", stream)
    app.on_shutdown.append(close)
