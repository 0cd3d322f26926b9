"""From an HTTP request to a JSON answer: routing, limits, identity, errors."""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from bot.exchange import wire
from bot.exchange.auth import AccountConfig, check_signature, check_time, identify
from bot.exchange.desk import wall_ms
from bot.exchange.endpoints import PRIVATE_ROUTES, PUBLIC_ROUTES
from bot.exchange.errors import RequestError
from bot.exchange.limits import RateCounter, RateLimits, TooManyRequestsError
from bot.exchange.params import Params
from bot.exchange.routes import PublicRoute, Security, weight_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.exchange.desk import Desk

MAX_BODY_BYTES = 64 * 1024
_log = logging.getLogger(__name__)


class RestApi:
    """Answers REST requests at one desk."""

    def __init__(self, desk: Desk, accounts: Iterable[AccountConfig], limits: RateLimits) -> None:
        self._desk = desk
        self._accounts = {account.api_key: account for account in accounts}
        self._rates = RateCounter(limits)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request; whatever goes wrong comes out as Binance error JSON."""
        headers: dict[str, str] = {}
        try:
            answer = await self._answer(request, headers)
            status = 200
        except RequestError as error:
            status, answer = error.status, wire.error(error.code, error.message)
            if isinstance(error, TooManyRequestsError):
                headers["Retry-After"] = str(error.retry_after_s)
        except web.HTTPRequestEntityTooLarge:
            status, answer = 413, wire.error(-1130, "The request body is too large.")
        except (sqlite3.Error, OSError):
            _log.exception("the exchange's store failed")
            message = "Internal error; unable to process your request. Please try again."
            status, answer = 503, wire.error(-1001, message)
        except Exception:  # noqa: BLE001 - a bug is logged in full; the client learns: outcome unknown
            _log.exception("%s %s failed", request.method, request.path)
            status, answer = 503, wire.error(-1000, "An unknown error occurred while processing the request.")
        return web.Response(
            body=orjson.dumps(answer), status=status, headers=headers, content_type="application/json"
        )

    async def _answer(self, request: web.BaseRequest, headers: dict[str, str]) -> Any:
        desk, path = self._desk, request.rel_url.raw_path
        key = (request.method, path)
        route = PUBLIC_ROUTES.get(key) or PRIVATE_ROUTES.get(key)
        now_ms = wall_ms()
        query, body = request.rel_url.raw_query_string, await _body(request)
        if route is None:
            raise RequestError(-5000, f"Path {path}, Method {request.method} is invalid", 404)
        params = Params(query, body)
        headers |= self._rates.count_weight(weight_of(route, params), now_ms)
        if isinstance(route, PublicRoute):
            return route.answer(desk, params)
        config = identify(self._accounts, request.headers.get("X-MBX-APIKEY"))
        if route.security is Security.SIGNED:
            check_signature(config, query, body, params)
            check_time(params, now_ms)
        if route.orders != (0, 0):
            headers |= self._rates.count_orders(config.name, route.orders, now_ms)
        answer = route.answer(desk, params, desk.venue.accounts[config.name])
        await desk.settle()
        return answer


async def _body(request: web.BaseRequest) -> str:
    if not request.can_read_body:
        return ""
    try:
        return (await request.read()).decode()
    except (UnicodeDecodeError, web.RequestPayloadError) as error:
        raise RequestError(-1100, "Illegal characters found in the request body.") from error
