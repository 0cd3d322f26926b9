"""Bounds on connections: how many there are, and how long one may say nothing."""

import asyncio
from socket import socket

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

MOST_CONNECTIONS = 2_500
"""Each open page holds one or two, each reader of the stream one; whoever comes when it is full is told so,
and closed."""
FIRST_REQUEST_WITHIN_S = 10.0
KEPT_ALIVE_S = 75.0

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b'Retry-After: 5\r\n\r\n{"error":{"code":"busy","message":"too many connections","field":null}}'
)


class _Full(asyncio.Protocol):
    """Answers at once, whatever is asked."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(_FULL)
        transport.close()


class Door:
    """Lets connections in to an aiohttp server, up to a number, and closes those that never ask."""

    def __init__(
        self, *, most: int = MOST_CONNECTIONS, first_request_within_s: float = FIRST_REQUEST_WITHIN_S
    ) -> None:
        """Closed until `open`."""
        self._most = most
        self._patience_s = first_request_within_s
        self._silent: dict[asyncio.Protocol, asyncio.TimerHandle] = {}
        self._listening: asyncio.Server | None = None

    @property
    def middleware(self) -> Middleware:
        """Notice that a connection has asked something."""

        @web.middleware
        async def noticed(request: web.Request, handler: Handler) -> web.StreamResponse:
            timer = self._silent.pop(request.protocol, None)
            if timer is not None:
                timer.cancel()
            return await handler(request)

        return noticed

    async def open(self, server: web.Server, listener: socket) -> None:
        """Let connections in from now on."""
        loop = asyncio.get_running_loop()

        def enter() -> asyncio.Protocol:
            if len(server.connections) >= self._most:
                return _Full()
            connection = server()
            self._silent[connection] = loop.call_later(self._patience_s, self._give_up, connection)
            return connection

        self._listening = await loop.create_server(enter, sock=listener, backlog=128)

    async def close(self) -> None:
        """Let nobody in any more; what is open is the server's to end."""
        if self._listening is not None:
            self._listening.close()
        for timer in self._silent.values():
            timer.cancel()
        self._silent.clear()

    def _give_up(self, connection: web.RequestHandler) -> None:
        del self._silent[connection]
        connection.force_close()
