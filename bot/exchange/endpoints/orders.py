"""Endpoints of orders: place, test, query, change, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.exchange import wire
from bot.exchange.endpoints.order_params import order_request, price_match_of, side_of
from bot.exchange.entities import ZERO, PriceMatch
from bot.exchange.errors import RequestError, missing_both, no_such_order, unknown_order
from bot.exchange.routes import Key, PrivateRoute, by_symbol

if TYPE_CHECKING:
    from bot.exchange.account import Account
    from bot.exchange.desk import Desk
    from bot.exchange.entities import Order
    from bot.exchange.params import Params

Json = dict[str, Any]


def place(desk: Desk, params: Params, account: Account) -> Json:
    """Place the order that the parameters describe; return it as it is, or as acknowledged."""
    order = desk.venue.place(account, order_request(params, account))
    if params.text("newOrderRespType", "ACK") == "RESULT":
        return wire.order(order, placed=True)
    return wire.accepted(order)


def _test(desk: Desk, params: Params, account: Account) -> Json:
    """Check an order as placing it would, and return what would be acknowledged."""
    request = order_request(params, account)
    desk.venue.check(account, request)
    return wire.tested(request, desk.venue.market.symbol(request.symbol))


def find(desk: Desk, params: Params, account: Account) -> Order:
    """Return the order that `orderId` or `origClientOrderId` names; raises RequestError -2013.

    What is open is in memory, and need not wait for the store.
    """
    symbol = desk.venue.market.symbol(params.symbol()).name
    if "orderId" in params:
        order_id = params.integer("orderId")
        found = account.open_orders.get(order_id) or desk.store.order(account.name, symbol, order_id)
    elif "origClientOrderId" in params:
        client_id = params.client_id("origClientOrderId")
        found = account.open_orders.get(account.order_ids.get(client_id, 0))
        if found is None or found.symbol != symbol:
            found = desk.store.order_by_client_id(account.name, symbol, client_id)
    else:
        raise missing_both("origClientOrderId", "orderId")
    if found is None or found.symbol != symbol:
        raise no_such_order()
    return found


def query(desk: Desk, params: Params, account: Account) -> Json:
    """Return an order, open or not; raises RequestError -2013."""
    return wire.order(find(desk, params, account))


def cancel(desk: Desk, params: Params, account: Account) -> Json:
    """Cancel an open order; raises RequestError -2011."""
    try:
        found = find(desk, params, account)
    except RequestError as error:
        if error.code == no_such_order().code:
            raise unknown_order() from error
        raise
    return wire.order(desk.venue.cancel(account, found.id), placed=True)


def amend(desk: Desk, params: Params, account: Account) -> Json:
    """Change price and quantity of an open limit order."""
    side, match = side_of(params), price_match_of(params)
    order = desk.venue.amend(
        account,
        find(desk, params, account).id,
        side,
        params.number("quantity"),
        params.number("price") if match is PriceMatch.NONE else ZERO,
        price_match=match,
        modify_id=params.integer("modifyId", 0),
        reduce_only=params.flag("reduceOnly", default=False),
    )
    row = wire.order(order, placed=True) | {"pair": order.symbol}
    return row | ({"modifyId": params.integer("modifyId")} if "modifyId" in params else {})


def _query_open(desk: Desk, params: Params, account: Account) -> Json:
    found = find(desk, params, account)
    if not found.status.is_open:
        raise no_such_order()
    return wire.order(found)


def _open_orders(desk: Desk, params: Params, account: Account) -> list[Json]:
    asked = desk.venue.market.symbol(params.symbol()).name if "symbol" in params else None
    return [wire.order(item) for item in account.open_orders.values() if asked in {None, item.symbol}]


def _cancel_all(desk: Desk, params: Params, account: Account) -> Json:
    desk.venue.cancel_all(account, desk.venue.market.symbol(params.symbol()).name)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def _countdown(desk: Desk, params: Params, account: Account) -> Json:
    """Have a symbol's orders cancelled after some market time, unless asked for again before."""
    name, time_ms = params.symbol(), params.integer("countdownTime")
    desk.venue.countdown(account, name, time_ms)
    return {"symbol": name, "countdownTime": str(time_ms)}


ROUTES: dict[Key, PrivateRoute] = {
    ("POST", "/fapi/v1/order"): PrivateRoute(0, place, orders=(1, 1)),
    ("POST", "/fapi/v1/order/test"): PrivateRoute(1, _test),
    ("GET", "/fapi/v1/order"): PrivateRoute(1, query),
    ("PUT", "/fapi/v1/order"): PrivateRoute(0, amend, orders=(1, 1)),
    ("DELETE", "/fapi/v1/order"): PrivateRoute(1, cancel),
    ("GET", "/fapi/v1/openOrder"): PrivateRoute(1, _query_open),
    ("GET", "/fapi/v1/openOrders"): PrivateRoute(by_symbol(1, 40), _open_orders),
    ("DELETE", "/fapi/v1/allOpenOrders"): PrivateRoute(1, _cancel_all),
    ("POST", "/fapi/v1/countdownCancelAll"): PrivateRoute(10, _countdown),
}
