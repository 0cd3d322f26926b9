"""Endpoints of an account's history: orders, trades, income."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.exchange import wire
from bot.exchange.endpoints.orders import find
from bot.exchange.entities import Cause, IncomeType
from bot.exchange.errors import RequestError, invalid, too_long
from bot.exchange.routes import Key, PrivateRoute, by_symbol

if TYPE_CHECKING:
    from bot.exchange.account import Account
    from bot.exchange.desk import Desk
    from bot.exchange.params import Params

Json = dict[str, Any]

HOUR_MS = 3_600_000
WEEK_MS = 168 * HOUR_MS


def window(desk: Desk, params: Params) -> tuple[int, int]:
    """Return the times asked for: by default the last 7 days, or 7 days from the start; never more."""
    now = desk.venue.market.now
    if "startTime" in params:
        start_ms = params.integer("startTime")
        end_ms = params.integer("endTime", start_ms + WEEK_MS)
    else:
        end_ms = params.integer("endTime", now)
        start_ms = max(0, end_ms - WEEK_MS)
    if end_ms - start_ms > WEEK_MS:
        raise too_long(WEEK_MS // HOUR_MS)
    return start_ms, end_ms


def _all_orders(desk: Desk, params: Params, account: Account) -> list[Json]:
    """Return orders of one symbol, or of all: from an id on, or else the latest within the times."""
    market = desk.venue.market
    names = [market.symbol(params.symbol()).name] if "symbol" in params else list(market.symbols)
    from_id = params.integer("orderId", 0)
    start_ms, end_ms = (0, market.now) if from_id else window(desk, params)
    limit = params.limit(500, 1000)
    found = sorted(
        order
        for name in names
        for order in desk.store.orders(
            account.name, name, from_id=from_id, start_ms=start_ms, end_ms=end_ms, limit=limit
        )
    )
    found = found[:limit] if from_id else found[-limit:]
    return [wire.order(item) | {"pair": item.symbol, "cumBase": "0"} for item in found]


def _user_trades(desk: Desk, params: Params, account: Account) -> list[Json]:
    symbol = desk.venue.market.symbol(params.symbol()).name
    if "fromId" in params and not params.has_none_of(("startTime", "endTime")):
        raise RequestError(-1128, "Combination of optional parameters invalid.")
    by_id = "fromId" in params or "orderId" in params
    start_ms, end_ms = (0, desk.venue.market.now) if by_id else window(desk, params)
    found = desk.store.trades(
        account.name,
        symbol,
        order_id=params.integer("orderId") if "orderId" in params else None,
        from_id=params.integer("fromId", 0),
        start_ms=start_ms,
        end_ms=end_ms,
        limit=params.limit(500, 1000),
        oldest_first=by_id or "startTime" in params,
    )
    return [wire.trade(item) for item in found]


def _income(desk: Desk, params: Params, account: Account) -> list[Json]:
    kind = params.text("incomeType", "")
    now = desk.venue.market.now
    start_ms = params.integer("startTime", max(0, now - WEEK_MS))
    limit = params.limit(100, 1000)
    page = max(1, params.integer("page", 1))
    if kind and kind not in set(IncomeType):
        return []
    found = desk.store.incomes(
        account.name,
        kind=kind,
        symbol=params.text("symbol", ""),
        start_ms=start_ms,
        end_ms=params.integer("endTime", now),
        limit=limit,
        offset=(page - 1) * limit,
        oldest_first="startTime" in params,
    )
    return [wire.income(item) for item in found]


def _forced_orders(desk: Desk, params: Params, account: Account) -> list[Json]:
    """Return liquidations and deleveragings."""
    causes = {"LIQUIDATION": Cause.LIQUIDATION, "ADL": Cause.ADL}
    kind = params.text("autoCloseType", "any")
    if kind not in {"any", *causes}:
        raise invalid("autoCloseType")
    symbol = desk.venue.market.symbol(params.symbol()).name if "symbol" in params else ""
    start_ms, end_ms = window(desk, params)
    found = desk.store.forced_orders(
        account.name,
        symbol=symbol,
        cause=causes.get(kind),
        start_ms=start_ms,
        end_ms=end_ms,
        limit=params.limit(50, 100),
    )
    return [wire.forced_order(item) for item in found]


def _amendments(desk: Desk, params: Params, account: Account) -> list[Json]:
    """Return the changes of an order, oldest first."""
    order = find(desk, params, account)
    found = desk.store.amendments(
        account.name,
        order.symbol,
        order_id=order.id,
        start_ms=params.integer("startTime", 0),
        end_ms=params.integer("endTime", desk.venue.market.now),
        limit=params.limit(50, 100),
    )
    return [wire.amendment(item) for item in found]


ROUTES: dict[Key, PrivateRoute] = {
    ("GET", "/fapi/v1/allOrders"): PrivateRoute(5, _all_orders),
    ("GET", "/fapi/v1/orderAmendment"): PrivateRoute(1, _amendments),
    ("GET", "/fapi/v1/forceOrders"): PrivateRoute(by_symbol(20, 50), _forced_orders),
    ("GET", "/fapi/v1/userTrades"): PrivateRoute(5, _user_trades),
    ("GET", "/fapi/v1/income"): PrivateRoute(30, _income),
}
