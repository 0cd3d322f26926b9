"""The event loop of a daemon: uvloop's, which closes only what is its own.

aiohttp hands uvloop a connected socket, and while uvloop takes it over both mean to close it. Cancelled in
that instant (two turns of the loop), they both do: the later one when garbage is collected, by a number that
may be another file's by then, such as the journal's or the lock's. So here the loop alone has the socket, and
is not disturbed while it takes it over.
"""

import asyncio
import socket
from collections.abc import Coroutine
from typing import Any

import uvloop


class EventLoop(uvloop.Loop):
    """As uvloop's, but for sockets that are handed to it."""

    async def create_connection(
        self, protocol_factory: Any, *arguments: Any, sock: socket.socket | None = None, **options: Any
    ) -> Any:
        """See `asyncio.AbstractEventLoop.create_connection`; `sock` is the loop's from here on."""
        connect = super().create_connection
        if sock is None:
            return await connect(protocol_factory, *arguments, **options)
        own = socket.socket(fileno=sock.detach())
        taking = self.create_task(connect(protocol_factory, *arguments, sock=own, **options))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(_hang_up)
            raise


def _hang_up(taken: asyncio.Task[tuple[Any, Any]]) -> None:
    """Nobody wants the connection any more."""
    if not taken.cancelled() and taken.exception() is None:
        transport, _ = taken.result()
        transport.abort()


def drive(main: Coroutine[Any, Any, int]) -> int:
    """Run a daemon to its end; its exit code."""
    return uvloop.run(main, loop_factory=EventLoop)
