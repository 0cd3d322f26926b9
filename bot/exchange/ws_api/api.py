"""The websocket API: sockets, sessions, and the way of a request to the REST call it stands for."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from bot.exchange import wire
from bot.exchange.calls import Call, Ending, response
from bot.exchange.desk import wall_ms
from bot.exchange.errors import RequestError
from bot.exchange.params import Params
from bot.exchange.rest import refusal
from bot.exchange.streams.connection import Connection
from bot.exchange.ws_api.messages import BadRequestError, WsRequest, answer, rate_limits, read_request
from bot.exchange.ws_api.methods import SESSION_METHODS, call_of

if TYPE_CHECKING:
    from aiohttp import web

    from bot.exchange.rest import RestApi
    from bot.exchange.streams import SocketRules

PATH = "/ws-fapi/v1"
HANDSHAKE_WEIGHT = 5
SESSION_WEIGHT = 2
ANY_NUMBER = 10**12  # requests are limited by weight, not by messages


class WsApi:
    """Answers requests over websockets by way of a REST API."""

    def __init__(self, rest: RestApi, rules: SocketRules) -> None:
        self._rest = rest
        self._rules = replace(rules, messages_per_s=ANY_NUMBER)
        self._connections: set[Connection] = set()

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one socket until it closes."""
        address = request.remote or ""
        try:
            self._rest.charge(address, HANDSHAKE_WEIGHT, {})
        except RequestError as error:
            return response(refusal(error, {}))
        connection = await Connection.accept(request, self._rules)
        if connection is None:
            return response(refusal(RequestError(-1001, "The connection was lost."), {}))
        shows_limits = request.query.get("returnRateLimits", "true") != "false"
        session = Session(self._rest, address, shows_limits=shows_limits)
        self._connections.add(connection)
        try:
            async with connection:
                async for text in connection.messages():
                    reply = await session.answer(text)
                    if reply is None:
                        connection.cut()
                    elif reply:
                        connection.send(reply)
        finally:
            self._connections.discard(connection)
        return connection.response

    def close(self) -> None:
        """Cut every connection."""
        for connection in self._connections:
            connection.cut()


class Session:
    """One socket's requests, answered in the order in which they come."""

    def __init__(self, rest: RestApi, address: str, *, shows_limits: bool) -> None:
        self._rest = rest
        self._address = address
        self._shows_limits = shows_limits
        self._connected_ms = wall_ms()

    async def answer(self, text: str | bytes) -> bytes | None:
        """Return the answer to a message; empty when it is lost, None when the connection is to break."""
        try:
            request = read_request(text)
        except BadRequestError as bad:
            return self._answer(
                bad.id, refusal(bad.error, {}).status, _body(bad.error), {}, shows_limits=True
            )
        shows_limits = self._shows_limits
        if "returnRateLimits" in request.params:
            shows_limits = request.params["returnRateLimits"] == "true"
        if request.method in SESSION_METHODS:
            status, body, headers = self._in_session(request, shows_limits=shows_limits)
            return self._answer(request.id, status, body, headers, shows_limits=shows_limits)
        known = call_of(request.method)
        if known is None:
            error = RequestError(-5000, f"Method {request.method} is invalid", 404)
            return self._answer(request.id, error.status, _body(error), {}, shows_limits=shows_limits)
        reply = await self._rest.answer(
            Call(*known, self._query(request), "", request.params.get("apiKey"), self._address)
        )
        if reply.ending is not Ending.WHOLE:
            return b"" if reply.ending is Ending.NOTHING else None
        body = reply.body if reply.content_type == "application/json" else orjson.dumps(reply.body.decode())
        return self._answer(request.id, reply.status, body, reply.headers, shows_limits=shows_limits)

    def _query(self, request: WsRequest) -> str:
        """Return the parameters as their sender has signed them."""
        texts, signature = request.signed_texts(), request.params.get("signature")
        if signature is None:
            return texts[0]
        signed = texts[0]
        with suppress(RequestError):  # an unknown key is refused by whoever answers the call
            signer = self._rest.keys.signer(request.params.get("apiKey"))
            signed = next((text for text in texts if signer.has_signed(text, signature)), signed)
        return f"{signed}&signature={signature}"

    def _in_session(self, request: WsRequest, *, shows_limits: bool) -> tuple[int, bytes, dict[str, str]]:
        """Answer a session method; nobody is ever logged on."""
        headers: dict[str, str] = {}
        now_ms = wall_ms()
        try:
            self._rest.charge(self._address, SESSION_WEIGHT, headers)
            if request.method == "session.logon":
                self._refuse_logon(request, now_ms)
        except RequestError as error:
            return error.status, _body(error), headers
        state = {
            "apiKey": None,
            "authorizedSince": None,
            "connectedSince": self._connected_ms,
            "returnRateLimits": shows_limits,
            "serverTime": now_ms,
        }
        return 200, orjson.dumps(state), headers

    def _refuse_logon(self, request: WsRequest, now_ms: int) -> None:
        """Raise RequestError: the venue logs on Ed25519 keys only, and checks the signature first."""
        signer = self._rest.keys.signer(request.params.get("apiKey"))
        signer.check(self._query(request), "", Params.of(request.params), now_ms)
        raise RequestError(-4056, "HMAC_SHA256 API key is not supported.")

    def _answer(
        self, request_id: Any, status: int, body: bytes, headers: Any, *, shows_limits: bool
    ) -> bytes:
        return answer(request_id, status, body, rate_limits(headers) if shows_limits else None)


def _body(error: RequestError) -> bytes:
    return orjson.dumps(wire.error(error.code, error.message))
