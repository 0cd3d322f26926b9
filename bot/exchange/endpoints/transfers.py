"""Endpoints of transfers between the spot account, which never runs dry here, and the futures account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.exchange import wire
from bot.exchange.account import CENT_MILLIONTH
from bot.exchange.entities import IncomeType
from bot.exchange.errors import RequestError, invalid
from bot.exchange.routes import Key, PrivateRoute

if TYPE_CHECKING:
    from bot.exchange.account import Account
    from bot.exchange.desk import Desk
    from bot.exchange.entities import Income
    from bot.exchange.params import Params

Json = dict[str, Any]
IN, OUT = "MAIN_UMFUTURE", "UMFUTURE_MAIN"
BY_NUMBER = {"1": IN, "2": OUT}


def _move(desk: Desk, params: Params, account: Account, direction: str) -> Json:
    if params.text("asset") != wire.ASSET:
        raise RequestError(-1108, "Invalid asset.")
    amount = params.number("amount")
    if amount % CENT_MILLIONTH:
        raise RequestError(-1111, "Precision is over the maximum defined for this asset.")
    income = desk.venue.transfer(account, amount if direction == IN else -amount)
    return {"tranId": income.id}


def _universal(desk: Desk, params: Params, account: Account) -> Json:
    kind = params.text("type")
    if kind not in {IN, OUT}:
        raise invalid("type")
    return _move(desk, params, account, kind)


def _futures(desk: Desk, params: Params, account: Account) -> Json:
    kind = params.text("type")
    if kind not in BY_NUMBER:
        raise invalid("type")
    return _move(desk, params, account, BY_NUMBER[kind])


def _transfers(desk: Desk, params: Params, account: Account) -> list[Income]:
    return desk.store.incomes(
        account.name,
        kind=IncomeType.TRANSFER.value,
        symbol="",
        start_ms=params.integer("startTime", 0),
        end_ms=params.integer("endTime", desk.venue.market.now),
        limit=1000,
        offset=0,
        oldest_first=False,
    )


def _page(rows: list[Json], params: Params) -> Json:
    """Return one page of the rows, newest first; pages count from 1."""
    size = min(max(params.integer("size", 10), 1), 100)
    first = (max(params.integer("current", 1), 1) - 1) * size
    return {"total": len(rows), "rows": rows[::-1][first : first + size]}


def _row(item: Income, kind: str) -> Json:
    return {
        "asset": wire.ASSET,
        "amount": wire.money(abs(item.amount)),
        "type": kind,
        "status": "CONFIRMED",
        "tranId": item.id,
        "timestamp": item.time_ms,
    }


def _universal_history(desk: Desk, params: Params, account: Account) -> Json:
    kind = params.text("type")
    if kind not in {IN, OUT}:
        raise invalid("type")
    rows = [
        _row(item, kind) for item in _transfers(desk, params, account) if (item.amount > 0) == (kind == IN)
    ]
    return _page(rows, params)


def _futures_history(desk: Desk, params: Params, account: Account) -> Json:
    rows = [_row(item, "1" if item.amount > 0 else "2") for item in _transfers(desk, params, account)]
    return _page(rows, params)


ROUTES: dict[Key, PrivateRoute] = {
    # On the venue these are on another host, which counts its own weight.
    ("POST", "/sapi/v1/asset/transfer"): PrivateRoute(0, _universal),
    ("GET", "/sapi/v1/asset/transfer"): PrivateRoute(0, _universal_history),
    ("POST", "/sapi/v1/futures/transfer"): PrivateRoute(0, _futures),
    ("GET", "/sapi/v1/futures/transfer"): PrivateRoute(0, _futures_history),
}
