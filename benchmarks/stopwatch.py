"""When bytes come in and go out, told by aiohttp's own connections: the clock of `wire`."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from aiohttp.client_proto import ResponseHandler

from bot.venue.venue import Venue


class Stopwatch:
    """When the last frame arrived, the order was signed, and its bytes were written; seconds."""

    def __init__(self) -> None:
        self.frame = self.signed = self.written = 0.0
        self.sent = asyncio.Event()

    def arrived(self) -> None:
        """Bytes came in on any connection; an order's answer does so only after it was written."""
        if not self.sent.is_set():
            self.frame = time.perf_counter()

    def wrote(self, data: bytes | bytearray | memoryview) -> None:
        """Bytes go out on any connection; an order is what starts with POST."""
        if bytes(data[:4]) == b"POST":
            self.written = time.perf_counter()
            self.sent.set()


class _TimedTransport:
    """A transport that tells the stopwatch what is written to it."""

    def __init__(self, transport: asyncio.Transport, stopwatch: Stopwatch) -> None:
        self._transport = transport
        self._stopwatch = stopwatch

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._stopwatch.wrote(data)
        self._transport.write(data)

    def writelines(self, chunks: Sequence[bytes]) -> None:
        self._stopwatch.wrote(chunks[0])
        self._transport.writelines(chunks)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _TimedProtocol(ResponseHandler):
    """aiohttp's own client protocol, which tells the stopwatch when bytes come in."""

    def __init__(self, stopwatch: Stopwatch, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._stopwatch = stopwatch

    def connection_made(self, transport: Any) -> None:
        super().connection_made(_TimedTransport(transport, self._stopwatch))  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        self._stopwatch.arrived()
        super().data_received(data)


def time_connections(venue: Venue, stopwatch: Stopwatch) -> None:
    """Have the connections that the venue's session will open tell the stopwatch of their bytes."""
    connector: Any = venue._door.session.connector  # noqa: SLF001 - no public seam lies this near to the socket
    connector._factory = partial(_TimedProtocol, stopwatch, asyncio.get_running_loop())  # noqa: SLF001 - as above
