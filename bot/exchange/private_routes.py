"""REST endpoints of an account: balances, settings, orders, trades, income, listen keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.exchange import wire, wire_account, wire_market
from bot.exchange.desk import wall_ms
from bot.exchange.entities import ZERO, IncomeType, Order, OrderRequest, OrderType, Side, TimeInForce
from bot.exchange.errors import RequestError, not_yet
from bot.exchange.routes import Key, PrivateAnswer, PrivateRoute, Security
from bot.exchange.venue import MAKER_FEE, TAKER_FEE

if TYPE_CHECKING:
    from bot.exchange.account import Account
    from bot.exchange.desk import Desk
    from bot.exchange.params import Params

Json = dict[str, Any]
WEEK_MS = 7 * 86_400_000
NO_SUCH_ORDER = RequestError(-2013, "Order does not exist.")


# --- balances and settings ----------------------------------------------------------------------------


def _account(version: int) -> PrivateAnswer:
    return lambda desk, _params, account: wire_account.account_info(desk.venue, account, version=version)


def _balance(desk: Desk, _params: Params, account: Account) -> list[Json]:
    return [wire_account.balance_row(desk.venue, account)]


def _position_risk(version: int) -> PrivateAnswer:
    def answer(desk: Desk, params: Params, account: Account) -> list[Json]:
        names = wire_account.symbols_listed(desk.venue, account, version=version)
        if "symbol" in params:
            asked = desk.venue.market.symbol(params.symbol()).name
            names = [name for name in names if name == asked]
        return [wire_account.position_risk(desk.venue, account, name, version=version) for name in names]

    return answer


def _leverage_brackets(desk: Desk, params: Params, _account: Account) -> Any:
    if "symbol" in params:
        return [wire_market.leverage_bracket(desk.venue.market.symbol(params.symbol()))]
    return [wire_market.leverage_bracket(symbol) for symbol in desk.venue.market.symbols.values()]


def _symbol_config(desk: Desk, params: Params, account: Account) -> list[Json]:
    venue = desk.venue
    symbols = [venue.market.symbol(params.symbol())] if "symbol" in params else venue.market.symbols.values()
    return [wire_account.symbol_config(account, symbol) for symbol in symbols]


def _account_config(_desk: Desk, _params: Params, _account: Account) -> Json:
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": False,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


def _commission_rate(desk: Desk, params: Params, _account: Account) -> Json:
    return {
        "symbol": desk.venue.market.symbol(params.symbol()).name,
        "makerCommissionRate": f"{MAKER_FEE:.6f}",
        "takerCommissionRate": f"{TAKER_FEE:.6f}",
    }


def _position_mode(_desk: Desk, _params: Params, _account: Account) -> Json:
    return {"dualSidePosition": False}


def _set_position_mode(_desk: Desk, params: Params, _account: Account) -> Json:
    if params.flag("dualSidePosition"):
        raise not_yet()
    raise RequestError(-4059, "No need to change position side.")


def _asset_mode(_desk: Desk, _params: Params, _account: Account) -> Json:
    return {"multiAssetsMargin": False}


def _set_asset_mode(_desk: Desk, params: Params, _account: Account) -> Json:
    if params.flag("multiAssetsMargin"):
        raise not_yet()
    raise RequestError(-4171, "No need to change multi-assets mode.")


def _set_margin_type(desk: Desk, params: Params, _account: Account) -> Json:
    desk.venue.market.symbol(params.symbol())
    wanted = params.text("marginType")
    if wanted == "ISOLATED":
        raise not_yet()
    if wanted not in {"CROSSED", "CROSS"}:
        raise RequestError(-1128, "Combination of optional parameters invalid.")
    raise RequestError(-4046, "No need to change margin type.")


def _set_leverage(desk: Desk, params: Params, account: Account) -> Json:
    symbol = desk.venue.market.symbol(params.symbol())
    desk.venue.set_leverage(account, symbol.name, params.integer("leverage"))
    config = wire_account.symbol_config(account, symbol)
    return {
        "symbol": symbol.name,
        "leverage": config["leverage"],
        "maxNotionalValue": config["maxNotionalValue"],
    }


# --- orders -------------------------------------------------------------------------------------------


def _place(desk: Desk, params: Params, account: Account) -> Json:
    order = desk.venue.place(account, _order_request(desk, params, account))
    if params.text("newOrderRespType", "ACK") == "RESULT":
        return wire.order(order, placed=True)
    accepted = wire.order(order, placed=True)
    return accepted | {
        "status": "NEW",
        "executedQty": "0",
        "cumQty": "0",
        "cumQuote": "0",
        "avgPrice": "0.00",
    }


def _order_request(desk: Desk, params: Params, account: Account) -> OrderRequest:
    symbol = desk.venue.market.symbol(params.symbol())
    side = params.member("side", Side, RequestError(-1117, "Invalid side."))
    kind = _order_type(params.text("type"))
    if params.text("positionSide", "BOTH") != "BOTH":
        raise RequestError(-4061, "Order's position side does not match user's setting.")
    if params.text("newOrderRespType", "ACK") not in {"ACK", "RESULT"}:
        raise RequestError(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    if params.text("priceMatch", "NONE") != "NONE":
        raise not_yet()
    unwanted = {"stopPrice", "closePosition", "activationPrice", "callbackRate"}
    if kind is OrderType.MARKET:
        unwanted |= {"price", "timeInForce"}
    for name in sorted(unwanted):
        if name in params and params.text(name) != "false":
            raise RequestError(-1106, f"Parameter '{name}' sent when not required.")
    force = TimeInForce.IOC  # what the book cannot fill of a market order expires
    if kind is OrderType.LIMIT:
        force = params.member("timeInForce", TimeInForce, RequestError(-1115, "Invalid timeInForce."))
    generated = "" if "newClientOrderId" in params else f"auto-{account.next_id('client')}"
    return OrderRequest(
        symbol=symbol.name,
        side=side,
        type=kind,
        quantity=params.number("quantity"),
        price=params.number("price") if kind is OrderType.LIMIT else ZERO,
        time_in_force=force,
        reduce_only=params.flag("reduceOnly", default=False),
        client_id=generated or params.client_id("newClientOrderId"),
    )


def _order_type(text: str) -> OrderType:
    if text in {"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"}:
        raise RequestError(
            -4120,
            "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
        )
    if text not in set(OrderType):
        raise RequestError(-1116, "Invalid orderType.")
    return OrderType(text)


def _find(desk: Desk, params: Params, account: Account) -> Order:
    """Return the order that `orderId` or `origClientOrderId` names; raises RequestError -2013."""
    symbol = desk.venue.market.symbol(params.symbol()).name
    if "orderId" in params:
        found = desk.store.order(account.name, symbol, params.integer("orderId"))
    elif "origClientOrderId" in params:
        client_id = params.client_id("origClientOrderId")
        found = desk.store.order_by_client_id(account.name, symbol, client_id)
    else:
        raise RequestError(-1102, "Either 'orderId' or 'origClientOrderId' must be sent.")
    if found is None:
        raise NO_SUCH_ORDER
    return found


def _query(desk: Desk, params: Params, account: Account) -> Json:
    return wire.order(_find(desk, params, account))


def _cancel(desk: Desk, params: Params, account: Account) -> Json:
    try:
        found = _find(desk, params, account)
    except RequestError as error:
        if error is NO_SUCH_ORDER:
            raise RequestError(-2011, "Unknown order sent.") from error
        raise
    return wire.order(desk.venue.cancel(account, found.id), placed=True)


def _query_open(desk: Desk, params: Params, account: Account) -> Json:
    found = _find(desk, params, account)
    if not found.status.is_open:
        raise NO_SUCH_ORDER
    return wire.order(found)


def _open_orders(desk: Desk, params: Params, account: Account) -> list[Json]:
    asked = desk.venue.market.symbol(params.symbol()).name if "symbol" in params else None
    return [wire.order(item) for item in account.open_orders.values() if asked in {None, item.symbol}]


def _cancel_all(desk: Desk, params: Params, account: Account) -> Json:
    name = desk.venue.market.symbol(params.symbol()).name
    for order in [item for item in account.open_orders.values() if item.symbol == name]:
        desk.venue.cancel(account, order.id)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


# --- history ------------------------------------------------------------------------------------------


def _window(desk: Desk, params: Params) -> tuple[int, int]:
    """Return the times asked for: by default the last 7 days, or 7 days from the start; never more."""
    now = desk.venue.market.now
    if "startTime" in params:
        start_ms = params.integer("startTime")
        end_ms = params.integer("endTime", start_ms + WEEK_MS)
    else:
        end_ms = params.integer("endTime", now)
        start_ms = max(0, end_ms - WEEK_MS)
    if end_ms - start_ms > WEEK_MS:
        raise RequestError(
            -1127, "Lookup interval is too big. More than 168 hours between startTime and endTime."
        )
    return start_ms, end_ms


def _all_orders(desk: Desk, params: Params, account: Account) -> list[Json]:
    symbol = desk.venue.market.symbol(params.symbol()).name
    from_id = params.integer("orderId", 0)
    start_ms, end_ms = (0, desk.venue.market.now) if from_id else _window(desk, params)
    limit = params.limit(500, 1000)
    found = desk.store.orders(
        account.name, symbol, from_id=from_id, start_ms=start_ms, end_ms=end_ms, limit=limit
    )
    return [wire.order(item) for item in found]


def _user_trades(desk: Desk, params: Params, account: Account) -> list[Json]:
    symbol = desk.venue.market.symbol(params.symbol()).name
    by_id = "fromId" in params or "orderId" in params
    start_ms, end_ms = (0, desk.venue.market.now) if by_id else _window(desk, params)
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


# --- user data streams --------------------------------------------------------------------------------


def _start_listen_key(desk: Desk, _params: Params, account: Account) -> Json:
    key = desk.listen_keys.start(account.name, wall_ms())
    desk.save_listen_keys()
    return {"listenKey": key}


def _prolong_listen_key(desk: Desk, _params: Params, account: Account) -> Json:
    key = desk.listen_keys.prolong(account.name, wall_ms())
    desk.save_listen_keys()
    return {"listenKey": key}


def _end_listen_key(desk: Desk, _params: Params, account: Account) -> Json:
    desk.listen_keys.end(account.name)
    desk.save_listen_keys()
    return {}


def _listen_key_route(answer: PrivateAnswer) -> PrivateRoute:
    return PrivateRoute(1, answer, Security.KEY)


PRIVATE_ROUTES: dict[Key, PrivateRoute] = {
    ("GET", "/fapi/v2/account"): PrivateRoute(5, _account(2)),
    ("GET", "/fapi/v3/account"): PrivateRoute(5, _account(3)),
    ("GET", "/fapi/v2/balance"): PrivateRoute(5, _balance),
    ("GET", "/fapi/v3/balance"): PrivateRoute(5, _balance),
    ("GET", "/fapi/v2/positionRisk"): PrivateRoute(5, _position_risk(2)),
    ("GET", "/fapi/v3/positionRisk"): PrivateRoute(5, _position_risk(3)),
    ("GET", "/fapi/v1/leverageBracket"): PrivateRoute(1, _leverage_brackets),
    ("GET", "/fapi/v1/symbolConfig"): PrivateRoute(5, _symbol_config),
    ("GET", "/fapi/v1/accountConfig"): PrivateRoute(5, _account_config),
    ("GET", "/fapi/v1/commissionRate"): PrivateRoute(20, _commission_rate),
    ("GET", "/fapi/v1/positionSide/dual"): PrivateRoute(30, _position_mode),
    ("POST", "/fapi/v1/positionSide/dual"): PrivateRoute(1, _set_position_mode),
    ("GET", "/fapi/v1/multiAssetsMargin"): PrivateRoute(30, _asset_mode),
    ("POST", "/fapi/v1/multiAssetsMargin"): PrivateRoute(1, _set_asset_mode),
    ("POST", "/fapi/v1/marginType"): PrivateRoute(1, _set_margin_type),
    ("POST", "/fapi/v1/leverage"): PrivateRoute(1, _set_leverage),
    ("POST", "/fapi/v1/order"): PrivateRoute(0, _place, is_order=True),
    ("GET", "/fapi/v1/order"): PrivateRoute(1, _query),
    ("DELETE", "/fapi/v1/order"): PrivateRoute(1, _cancel),
    ("GET", "/fapi/v1/openOrder"): PrivateRoute(1, _query_open),
    ("GET", "/fapi/v1/openOrders"): PrivateRoute(1, _open_orders),
    ("DELETE", "/fapi/v1/allOpenOrders"): PrivateRoute(1, _cancel_all),
    ("GET", "/fapi/v1/allOrders"): PrivateRoute(5, _all_orders),
    ("GET", "/fapi/v1/userTrades"): PrivateRoute(5, _user_trades),
    ("GET", "/fapi/v1/income"): PrivateRoute(30, _income),
    ("POST", "/fapi/v1/listenKey"): _listen_key_route(_start_listen_key),
    ("PUT", "/fapi/v1/listenKey"): _listen_key_route(_prolong_listen_key),
    ("DELETE", "/fapi/v1/listenKey"): _listen_key_route(_end_listen_key),
}
