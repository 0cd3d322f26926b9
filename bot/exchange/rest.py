"""From a request to a JSON answer: routing, limits, identity, errors."""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING, Any

import orjson

from bot.exchange import wire
from bot.exchange.auth import AccountConfig, Keyring
from bot.exchange.calls import Call, Reply, read_call, response
from bot.exchange.desk import wall_ms
from bot.exchange.endpoints import PRIVATE_ROUTES, PUBLIC_ROUTES
from bot.exchange.errors import RequestError
from bot.exchange.limits import RateCounter, RateLimits, TooManyRequestsError
from bot.exchange.params import Params
from bot.exchange.routes import PublicRoute, Security, weight_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from aiohttp import web

    from bot.exchange.desk import Desk

_log = logging.getLogger(__name__)
_ROUTES = PUBLIC_ROUTES | PRIVATE_ROUTES


class RestApi:
    """Answers REST requests at one desk. `between`, if set, decides what becomes of each (faults do)."""

    def __init__(self, desk: Desk, accounts: Iterable[AccountConfig], limits: RateLimits) -> None:
        self._desk = desk
        self.keys = Keyring(accounts)
        self._rates = RateCounter(limits)
        self.between: Callable[[Call], Awaitable[Reply]] | None = None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        try:
            call = await read_call(request)
        except RequestError as error:
            return response(refusal(error, {}))
        return response(await self.answer(call))

    async def answer(self, call: Call) -> Reply:
        """Answer one request."""
        return self.carry_out(call) if self.between is None else await self.between(call)

    def carry_out(self, call: Call) -> Reply:
        """Answer one request; whatever goes wrong comes out as Binance error JSON."""
        headers: dict[str, str] = {}
        try:
            return Reply(200, orjson.dumps(self._answer(call, headers)), headers)
        except RequestError as error:
            return refusal(error, headers)
        except (sqlite3.Error, OSError):
            _log.exception("the exchange's store failed")
            message = "Internal error; unable to process your request. Please try again."
            return refusal(RequestError(-1001, message, 503), headers)
        except Exception:  # noqa: BLE001 - a bug is logged in full; the client learns: outcome unknown
            _log.exception("%s %s failed", call.method, call.path)
            message = "An unknown error occurred while processing the request."
            return refusal(RequestError(-1000, message, 503), headers)

    def charge(self, address: str, weight: int, headers: dict[str, str]) -> None:
        """Count the weight of what is no REST call, and add its header; raises TooManyRequestsError."""
        self._rates.count_weight(address, weight, wall_ms(), headers)

    def _answer(self, call: Call, headers: dict[str, str]) -> Any:
        desk, now_ms = self._desk, wall_ms()
        route = _ROUTES.get((call.method, call.path))
        if route is None:
            self._rates.count_weight(call.address, 1, now_ms, headers)
            raise RequestError(-5000, f"Path {call.path}, Method {call.method} is invalid", 404)
        params = Params(call.query, call.body)
        self._rates.count_weight(call.address, weight_of(route, params), now_ms, headers)
        if isinstance(route, PublicRoute):
            if route.is_funding:
                self._rates.count_funding(call.address, now_ms)
            desk.catch_up()
            answer = route.answer(desk, params)
            desk.settle()
            return answer
        signer = self.keys.signer(call.api_key)
        if route.security is Security.SIGNED:
            signer.check(call.query, call.body, params, now_ms + call.skew_ms)
        if route.orders != (0, 0):
            self._rates.count_orders(signer.account, route.orders, now_ms, headers)
        desk.catch_up()
        answer = route.answer(desk, params, desk.venue.accounts[signer.account])
        desk.settle()
        return answer


def refusal(error: RequestError, headers: dict[str, str]) -> Reply:
    """Return a refused request's answer."""
    if isinstance(error, TooManyRequestsError):
        headers = headers | {"Retry-After": str(error.retry_after_s)}
    return Reply(error.status, orjson.dumps(wire.error(error.code, error.message)), headers)
