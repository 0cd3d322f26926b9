"""Server-sent events: `fund`, `rebalance`, `incident`, `heartbeat`.

Each event is put into bytes once, and written to the readers in short batches, between which the event loop
does everything else: a decision never waits for a thousand readers. Who does not read is dropped, not waited
for; it comes back by itself, and is told how things stand.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from aiohttp import web

from bot.web.access import public
from bot.web.answers import only

BATCH = 40
"""Readers that are written to in one turn of the event loop: about half a millisecond."""

MOST_WAITING_BYTES = 256 * 1024
"""What may wait for a reader that does not read, before it is dropped."""

MOST_READERS = 2_000

_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


class News(Protocol):
    """One event: its name, its fund (None: of all), its JSON."""

    @property
    def event(self) -> str:
        """Its name."""
        ...

    @property
    def fund(self) -> str | None:
        """The fund it is about; None for all."""
        ...

    @property
    def body(self) -> bytes:
        """Its JSON."""
        ...


class Feed(Protocol):
    """Where the events come from."""

    def listen(self, listener: Callable[[Sequence[News]], None]) -> None:
        """Have `listener` called with what is new."""
        ...

    def present(self, fund: str | None) -> Iterable[News]:
        """What a newcomer needs to know."""
        ...


class _Reader:
    """One open stream."""

    def __init__(
        self, transport: asyncio.Transport, fund: str | None, welcome: Callable[[], bool], *, chunked: bool
    ) -> None:
        self.fund = fund
        self.welcome = welcome
        self.gone = asyncio.Event()
        self._transport = transport
        self._chunked = chunked

    @property
    def left(self) -> bool:
        """Whether nobody is there any more."""
        return self._transport.is_closing()

    def write(self, frame: bytes, chunk: bytes) -> None:
        """Write without waiting; whoever has too much waiting, or is gone, is given up."""
        transport = self._transport
        if self.left:
            self.gone.set()
        elif transport.get_write_buffer_size() > MOST_WAITING_BYTES:
            self.drop()
        else:
            transport.write(chunk if self._chunked else frame)

    def drop(self) -> None:
        """Break the connection off."""
        self._transport.abort()
        self.gone.set()


class Hub:
    """Everybody who reads."""

    def __init__(self) -> None:
        """Nobody does."""
        self._readers: dict[_Reader, None] = {}
        self._waiting: list[News] = []
        self._writing: asyncio.Task[None] | None = None

    def dismiss(self) -> None:
        """Drop those who are gone, or may no longer read."""
        for reader in [reader for reader in self._readers if reader.left or not reader.welcome()]:
            reader.drop()

    def send(self, news: Iterable[News]) -> None:
        """Write the events to all readers, soon."""
        if not self._readers:
            return
        self._waiting += news
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def serve(
        self,
        request: web.Request,
        fund: str | None,
        present: Iterable[News],
        welcome: Callable[[], bool] = lambda: True,
    ) -> web.StreamResponse:
        """Answer a request with the stream, until its reader is gone, or no longer `welcome`."""
        if len(self._readers) >= MOST_READERS:
            raise web.HTTPServiceUnavailable(reason="too many readers", headers={"Retry-After": "30"})
        response = web.StreamResponse(headers=_HEADERS)
        await response.prepare(request)
        transport = request.transport
        if transport is None:
            return response
        reader = _Reader(transport, fund, welcome, chunked=request.version >= (1, 1))
        self._readers[reader] = None
        try:
            frame = b"retry: 2000\n\n" + b"".join(map(_frame, present))
            reader.write(frame, _chunk(frame))
            await reader.gone.wait()
        finally:
            self._readers.pop(reader, None)
        return response

    def close(self) -> None:
        """End all streams."""
        for reader in list(self._readers):
            reader.drop()
        if self._writing is not None:
            self._writing.cancel()

    async def _write(self) -> None:
        try:
            while self._waiting:
                news, self._waiting = self._waiting, []
                await self._write_batches(news)
        finally:
            self._writing = None

    async def _write_batches(self, news: list[News]) -> None:
        """Frames are made once for each set of events that somebody reads: all, or those of one fund."""
        made: dict[str | None, tuple[bytes, bytes]] = {}
        for number, reader in enumerate(list(self._readers), 1):
            frames = made.get(reader.fund)
            if frames is None:
                wanted = (item for item in news if reader.fund is None or item.fund in (None, reader.fund))
                frame = b"".join(map(_frame, wanted))
                frames = made[reader.fund] = (frame, _chunk(frame))
            if frames[0]:
                reader.write(*frames)
            if number % BATCH == 0:
                await asyncio.sleep(0)


def add_routes(app: web.Application, feed: Feed) -> None:
    """Add the stream."""
    hub = Hub()
    feed.listen(hub.send)

    @public
    async def stream(request: web.Request) -> web.StreamResponse:
        only(request, "fund")
        name = request.query.get("fund")
        fund = None if name is None else name.upper()
        present = list(feed.present(fund))
        if fund is not None and not present:
            raise web.HTTPNotFound(reason="no such fund runs here; /api/v1/funds lists them")
        return await hub.serve(request, fund, present)

    async def close(_: web.Application) -> None:
        hub.close()

    app.router.add_get("/api/v1/stream", stream)
    app.on_shutdown.append(close)


def _frame(news: News) -> bytes:
    return b"event: " + news.event.encode() + b"\ndata: " + news.body + b"\n\n"


def _chunk(frame: bytes) -> bytes:
    """A frame as one chunk of a chunked answer."""
    return b"%x\r\n%b\r\n" % (len(frame), frame)
