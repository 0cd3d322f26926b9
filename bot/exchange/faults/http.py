"""Faults at the HTTP port: replies that end early, refused sockets, and the scripting interface."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import orjson

from bot.exchange.calls import Call, Ending, Reply, read_call, response
from bot.exchange.errors import RequestError
from bot.exchange.faults.kinds import KINDS, FaultError
from bot.exchange.faults.script import read_fault, written
from bot.exchange.rest import refusal

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from aiohttp import web

    from bot.exchange.faults import Faults
    from bot.exchange.faults.requests import RequestFaults

SCRIPTS = "/faults"
_RESET = struct.pack("ii", 1, 0)  # linger for no time: the end of the socket is a reset


class FaultyDoor:
    """Takes requests as the REST API would, and scripts."""

    def __init__(self, faults: Faults, requests: RequestFaults, settle: Callable[[], None]) -> None:
        self._faults = faults
        self._requests = requests
        self._settle = settle

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request, or fail to."""
        try:
            call = await read_call(request)
            if call.path == SCRIPTS or call.path.startswith(f"{SCRIPTS}/"):
                reply = self._script(call)
                self._settle()
                return response(reply)
        except RequestError as error:
            return response(refusal(error, {}))
        return _end(request.transport, await self._requests.answer(call))

    async def admit(self, request: web.BaseRequest) -> web.StreamResponse | None:
        """Return how a websocket is refused; None: it is not."""
        try:
            call = await read_call(request)
        except RequestError as error:
            return response(refusal(error, {}))
        reply = await self._requests.admit(call)
        return None if reply is None else _end(request.transport, reply)

    def _script(self, call: Call) -> Reply:
        number = call.path.removeprefix(SCRIPTS).strip("/")
        if call.method == "POST" and not number:
            return _reply(written(self._faults.inject(read_fault(call.body))))
        if call.method == "GET" and number == "kinds":
            return _reply({name: _described(name) for name in KINDS})
        if call.method == "GET" and not number:
            return _reply([written(item) for item in self._faults.scripted])
        if call.method == "DELETE" and (not number or number.isdigit()):
            removed = self._faults.clear(int(number) if number else None)
            if number and not removed:
                raise FaultError(f"there is no fault {number}")
            return _reply([written(item) for item in removed])
        raise RequestError(-5000, f"Path {call.path}, Method {call.method} is invalid", 404)


def _reply(body: object) -> Reply:
    return Reply(200, orjson.dumps(body), {})


def _described(name: str) -> dict[str, object]:
    kind = KINDS[name]
    return {"what": kind.what, "takes": list(kind.takes), "needs": list(kind.required), "rows": kind.rows}


def _end(transport: asyncio.Transport | None, reply: Reply) -> web.Response:
    """Return a reply, having cut the connection where it is not to arrive whole."""
    answer = response(reply)
    if reply.ending is Ending.WHOLE or transport is None:
        return answer
    if reply.ending is not Ending.NOTHING:
        head = (
            f"HTTP/1.1 {reply.status} OK\r\nContent-Type: {reply.content_type}\r\n"
            f"Content-Length: {len(reply.body)}\r\n\r\n"
        )
        transport.write(head.encode() + reply.body[: len(reply.body) // 2])
    if reply.ending is Ending.CUT:
        transport.close()
        return answer
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
    return answer
