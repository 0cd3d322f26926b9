"""One HTTP connection: plain REST requests are answered at once, all else goes aiohttp's way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from bot.exchange.quick_http import read_quickly, written

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from bot.exchange.calls import Call, Reply

    Answer = Callable[[Call], Reply]

MAX_BEHIND_BYTES = 4 * 1024 * 1024


class VenueServer(web.Server):
    """A server whose connections answer what they can by `quick`, without aiohttp's machinery."""

    def __init__(self, handler: Any, quick: Answer | None, **settings: Any) -> None:
        super().__init__(handler, **settings)
        self._quick = quick

    def __call__(self) -> web.RequestHandler:
        """Return the protocol of a new connection."""
        return _Connection(self, self._quick, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    def __init__(self, manager: web.Server, quick: Answer | None, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._quick = quick  # None from the first request on that is not plain
        self._address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""

    def data_received(self, data: bytes) -> None:
        call = read_quickly(data, self._address) if self._quick is not None else None
        if self._quick is None or call is None or self.transport is None:
            self._quick = None
            super().data_received(data)
        elif self.transport.get_write_buffer_size() > MAX_BEHIND_BYTES:
            self.transport.abort()  # it asks and does not read
        elif not self.transport.is_closing():
            self.transport.write(written(self._quick(call)))

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return what a request is answered that aiohttp cannot read."""
        answer = super().handle_error(request, status, exc, message)
        if status >= 500:
            return answer
        body = orjson.dumps({"code": -1100, "msg": "Illegal characters found in the request."})
        refused = web.Response(body=body, status=status, content_type="application/json")
        refused.force_close()
        return refused
