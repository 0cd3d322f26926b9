"""Endpoints of several orders at once: each is dealt with in turn and has an answer of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.exchange import wire
from bot.exchange.endpoints import orders
from bot.exchange.errors import RequestError, invalid, missing_both
from bot.exchange.params import Params
from bot.exchange.routes import Key, PrivateAnswer, PrivateRoute

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.exchange.account import Account
    from bot.exchange.desk import Desk

Json = dict[str, Any]
MAX_ORDERS, MAX_CANCELS = 5, 10


def _each(desk: Desk, account: Account, answer: PrivateAnswer, requests: Iterable[Params]) -> list[Json]:
    answers = []
    for request in requests:
        try:
            answers.append(answer(desk, request, account))
        except RequestError as error:
            answers.append(wire.error(error.code, error.message))
    return answers


def _requests(params: Params) -> list[Params]:
    items = params.json_list("batchOrders")
    if not 1 <= len(items) <= MAX_ORDERS:
        raise RequestError(-4082, f"Invalid number of batch place orders: {len(items)}")
    if not all(isinstance(item, dict) for item in items):
        raise invalid("batchOrders")
    return [Params.of(item) for item in items]


def _place(desk: Desk, params: Params, account: Account) -> list[Json]:
    return _each(desk, account, orders.place, _requests(params))


def _amend(desk: Desk, params: Params, account: Account) -> list[Json]:
    return _each(desk, account, orders.amend, _requests(params))


def _cancel(desk: Desk, params: Params, account: Account) -> list[Json]:
    """Cancel by `orderIdList` or `origClientOrderIdList`; python-binance writes these in lower case."""
    symbol = desk.venue.market.symbol(params.symbol()).name
    for single, *lists in (
        ("orderId", "orderIdList", "orderidlist"),
        ("origClientOrderId", "origClientOrderIdList", "origclientorderidlist"),
    ):
        for name in lists:
            if name in params:
                items = params.json_list(name)
                if not 1 <= len(items) <= MAX_CANCELS:
                    raise invalid(name)
                requests = [Params.of({"symbol": symbol, single: item}) for item in items]
                return _each(desk, account, orders.cancel, requests)
    raise missing_both("orderIdList", "origClientOrderIdList")


ROUTES: dict[Key, PrivateRoute] = {
    ("POST", "/fapi/v1/batchOrders"): PrivateRoute(5, _place, orders=(5, 1)),
    ("PUT", "/fapi/v1/batchOrders"): PrivateRoute(5, _amend, orders=(5, 1)),
    ("DELETE", "/fapi/v1/batchOrders"): PrivateRoute(1, _cancel),
}
