"""The exchange's one port: a bare HTTP server, which tells websockets from REST requests.

It is aiohttp's low-level server: the venue has no use for its router, whose regular expressions would cost
more than an order. Plain REST requests do not even come here (`http_protocol`).
"""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bot.exchange.calls import MAX_BODY_BYTES
from bot.exchange.errors import PortInUseError, StartError
from bot.exchange.http_protocol import VenueServer
from bot.exchange.streams import address_of
from bot.exchange.ws_api import PATH

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from bot.exchange.desk import Desk
    from bot.exchange.http_protocol import Answer
    from bot.exchange.pacing import MarketClock

    Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
    Gate = Callable[[web.BaseRequest], Awaitable[web.StreamResponse | None]]

_log = logging.getLogger(__name__)


def routed(*, desk: Desk, clock: MarketClock, rest: Handler, ws_api: Handler, admit: Gate | None) -> Handler:
    """Return what takes every request: websockets go by their path, all else is REST.

    `admit` is asked before a websocket is opened; what it returns is the answer instead.
    """

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return await rest(request)
        refused = await admit(request) if admit is not None else None
        try:
            return refused or await open_socket(request)
        except web.HTTPBadRequest as error:
            return web.json_response({"code": -1130, "msg": error.text}, status=400)

    async def open_socket(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/pacing":
            return await clock.serve(request)
        if request.path == PATH:
            return await ws_api(request)
        address = address_of(request.path, request.query_string)
        return await rest(request) if address is None else await desk.streams.serve(request, address)

    return handle


async def listen(host: str, port: int, handle: Handler, quick: Answer | None) -> web.ServerRunner:
    """Serve at `host`:`port` until the runner is cleaned up. Raises StartError, one line.

    `quick` answers plain REST requests without `handle`, if it is given.
    """
    _log.addFilter(_is_our_fault)
    server = VenueServer(handle, quick, request_factory=_request, access_log=None, logger=_log)
    runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        where = f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(f"{where} is in use by another program; choose another port") from error
        raise StartError(f"cannot listen on {where}: {error.strerror}; choose another address") from error
    return runner


def _request(
    message: Any, payload: Any, protocol: Any, writer: Any, task: asyncio.Task[None]
) -> web.BaseRequest:
    loop = task.get_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY_BYTES)


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Keep out of the log what is not HTTP, whose sender has had 400, and senders that have gone."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | web.RequestPayloadError | ConnectionResetError)
