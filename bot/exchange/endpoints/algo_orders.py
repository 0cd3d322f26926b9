"""Endpoints of conditional orders, which the venue calls algo orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.exchange import wire_algo
from bot.exchange.endpoints.history import window
from bot.exchange.endpoints.order_params import algo_request
from bot.exchange.errors import RequestError, invalid, missing_both, no_such_order, unknown_order
from bot.exchange.routes import Key, PrivateRoute, by_symbol

if TYPE_CHECKING:
    from bot.exchange.account import Account
    from bot.exchange.algo import AlgoOrder
    from bot.exchange.desk import Desk
    from bot.exchange.params import Params

Json = dict[str, Any]


def place(desk: Desk, params: Params, account: Account) -> Json:
    """Place a conditional order."""
    return wire_algo.placed(desk.venue.place_algo(account, algo_request(params, account)))


def _find(desk: Desk, params: Params, account: Account) -> AlgoOrder:
    if "algoId" in params:
        found = desk.store.algo(account.name, params.integer("algoId"))
    elif "clientAlgoId" in params:
        found = desk.store.algo_by_client_id(account.name, params.client_id("clientAlgoId"))
    else:
        raise missing_both("algoId", "clientAlgoId")
    if found is None:
        raise no_such_order()
    return found


def _query(desk: Desk, params: Params, account: Account) -> Json:
    return wire_algo.queried(_find(desk, params, account))


def cancel(desk: Desk, params: Params, account: Account) -> Json:
    """Cancel a conditional order that waits; raises RequestError -2011."""
    try:
        found = _find(desk, params, account)
    except RequestError as error:
        if error.code == no_such_order().code:
            raise unknown_order() from error
        raise
    desk.venue.cancel_algo(account, found.id)
    return {"algoId": found.id, "clientAlgoId": found.client_id, "code": "200", "msg": "success"}


def _cancel_all(desk: Desk, params: Params, account: Account) -> Json:
    desk.venue.cancel_all_algos(account, desk.venue.market.symbol(params.symbol()).name)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def _open(desk: Desk, params: Params, account: Account) -> list[Json]:
    if params.text("algoType", "CONDITIONAL") != "CONDITIONAL":
        raise invalid("algoType")
    symbol = desk.venue.market.symbol(params.symbol()).name if "symbol" in params else None
    number = params.integer("algoId") if "algoId" in params else None
    return [
        wire_algo.listed(item)
        for item in account.open_algos.values()
        if symbol in {None, item.symbol} and number in {None, item.id}
    ]


def _all(desk: Desk, params: Params, account: Account) -> list[Json]:
    symbol = desk.venue.market.symbol(params.symbol()).name
    from_id = params.integer("algoId", 0)
    start_ms, end_ms = (0, desk.venue.market.now) if from_id else window(desk, params)
    found = desk.store.algos(
        account.name,
        symbol,
        from_id=from_id,
        start_ms=start_ms,
        end_ms=end_ms,
        limit=params.limit(500, 1000),
        page=min(params.integer("page", 0), 1000),
    )
    return [wire_algo.listed(item) for item in found]


ROUTES: dict[Key, PrivateRoute] = {
    ("POST", "/fapi/v1/algoOrder"): PrivateRoute(0, place, orders=(1, 1)),
    ("GET", "/fapi/v1/algoOrder"): PrivateRoute(1, _query),
    ("DELETE", "/fapi/v1/algoOrder"): PrivateRoute(1, cancel),
    ("GET", "/fapi/v1/openAlgoOrders"): PrivateRoute(by_symbol(1, 40), _open),
    ("GET", "/fapi/v1/allAlgoOrders"): PrivateRoute(5, _all),
    ("DELETE", "/fapi/v1/algoOpenOrders"): PrivateRoute(1, _cancel_all),
}
