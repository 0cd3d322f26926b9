"""Endpoints of orders: place, query, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.exchange import wire
from bot.exchange.entities import ZERO, Order, OrderRequest, OrderType, Side, TimeInForce
from bot.exchange.errors import RequestError, not_yet
from bot.exchange.routes import Key, PrivateRoute, by_symbol

if TYPE_CHECKING:
    from bot.exchange.account import Account
    from bot.exchange.desk import Desk
    from bot.exchange.params import Params

Json = dict[str, Any]

NO_SUCH_ORDER = RequestError(-2013, "Order does not exist.")


def place(desk: Desk, params: Params, account: Account) -> Json:
    """Place the order that the parameters describe; return it as it is, or as acknowledged."""
    order = desk.venue.place(account, _order_request(desk, params, account))
    if params.text("newOrderRespType", "ACK") == "RESULT":
        return wire.order(order, placed=True)
    return wire.accepted(order)


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


def cancel(desk: Desk, params: Params, account: Account) -> Json:
    """Cancel an open order; raises RequestError -2011."""
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


ROUTES: dict[Key, PrivateRoute] = {
    ("POST", "/fapi/v1/order"): PrivateRoute(0, place, orders=(1, 1)),
    ("GET", "/fapi/v1/order"): PrivateRoute(1, _query),
    ("DELETE", "/fapi/v1/order"): PrivateRoute(1, cancel),
    ("GET", "/fapi/v1/openOrder"): PrivateRoute(1, _query_open),
    ("GET", "/fapi/v1/openOrders"): PrivateRoute(by_symbol(1, 40), _open_orders),
    ("DELETE", "/fapi/v1/allOpenOrders"): PrivateRoute(1, _cancel_all),
}
