"""`POST /api/v1/funds/{fund}/subscribe|redeem|consolidate|split`, and `GET .../flows`.

A subscription's body is `{"amount": "1000"}` in USDT, a redemption's `{"units": "100"}`; `ratio` says how
many units become one, or one becomes. With an `Idempotency-Key` a request may be repeated, for ever: it is
answered with the same receipt, and books nothing.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from aiohttp import web

from bot.core.flow_records import FlowKind
from bot.core.operator_requests import RequestIdReusedError, Wanted
from bot.errors import AmountRefusedError, RefusedError
from bot.web.body import decimal_field, json_object
from bot.web.control import KEY_HEADER, word_of
from bot.web.errors import BadFieldError
from bot.web.record import name_of

_Answer = TypeVar("_Answer")
_FIELDS = {FlowKind.SUBSCRIBE: "amount", FlowKind.REDEEM: "units"}


class Desk(Protocol):
    """Who takes flows; each answer is None where there is no such fund."""

    def take(self, fund: str, kind: FlowKind, amount: Decimal, request_id: str) -> dict[str, Any] | None:
        """Take a flow on record and give its receipt.

        Raises `AmountRefusedError`, `RefusedError`, and `RequestIdReusedError` for a key of another request.
        """
        ...

    def rescale(self, fund: str, wanted: Wanted) -> dict[str, Any] | None:
        """Consolidate or split units. Raises as `take`."""
        ...

    def flows(self, fund: str) -> list[dict[str, Any]] | None:
        """The open flows and the last ones that are over."""
        ...


def add_routes(app: web.Application, desk: Desk) -> None:
    """The operator's paths for flows."""

    async def taken(request: web.Request) -> web.Response:
        kind = FlowKind(request.match_info["flow"])
        field = _FIELDS[kind]
        body = await json_object(request, {"author", "reason", field})
        amount = decimal_field(body, field)
        if amount is None:
            raise BadFieldError(field, "a number is needed")
        fund, key = name_of(request), word_of(request, body).request_id
        return _answer(field, lambda: desk.take(fund, kind, amount, key))

    async def rescaled(request: web.Request) -> web.Response:
        body = await json_object(request, {"author", "reason", "ratio"})
        ratio, word = decimal_field(body, "ratio"), word_of(request, body)
        if ratio is None or ratio != ratio.to_integral_value():
            raise BadFieldError("ratio", "a whole number is needed")
        pair = (1, int(ratio)) if request.match_info["way"] == "consolidate" else (int(ratio), 1)
        wanted = Wanted("rescale", *word, ratio=pair)
        return _answer("ratio", lambda: desk.rescale(name_of(request), wanted))

    async def listed(request: web.Request) -> web.Response:
        return _answer(None, lambda: desk.flows(name_of(request)))

    app.router.add_post("/api/v1/funds/{fund}/{flow:subscribe|redeem}", taken)
    app.router.add_post("/api/v1/funds/{fund}/{way:consolidate|split}", rescaled)
    app.router.add_get("/api/v1/funds/{fund}/flows", listed)


def _answer(field: str | None, ask: Callable[[], _Answer | None]) -> web.Response:
    try:
        answer = ask()
    except AmountRefusedError as error:
        raise BadFieldError(field, str(error)) from None
    except RefusedError as error:
        raise web.HTTPConflict(reason=str(error)) from None
    except RequestIdReusedError:
        raise BadFieldError(KEY_HEADER, "this key belongs to another request") from None
    if answer is None:
        raise web.HTTPNotFound(reason="no such fund runs here")
    return web.json_response(answer)
