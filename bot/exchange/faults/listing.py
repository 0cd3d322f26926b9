"""A symbol that is closed, or whose filters have become coarser: what exchangeInfo says, what is refused."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson

from bot.exchange.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.exchange.calls import Call, Reply
    from bot.exchange.faults.plan import Fault

_ORDERS = {("POST", "/fapi/v1/order"), ("PUT", "/fapi/v1/order"), ("POST", "/fapi/v1/algoOrder")}


def shown(reply: Reply, given: Mapping[str, Any]) -> Reply:
    """Return exchangeInfo as it is with the change."""
    body = orjson.loads(reply.body)
    for row in body["symbols"]:
        if row["symbol"] == given["symbol"]:
            _change(row, given)
    return reply._replace(body=orjson.dumps(body))


def _change(row: dict[str, Any], given: Mapping[str, Any]) -> None:
    if not given.keys() & {"tick", "step", "min_notional"}:
        row["status"] = "SETTLING"
    for item in row["filters"]:
        kind = item["filterType"]
        if kind == "PRICE_FILTER" and "tick" in given:
            item["tickSize"] = format(given["tick"], "f")
        elif kind in {"LOT_SIZE", "MARKET_LOT_SIZE"} and "step" in given:
            item["stepSize"] = item["minQty"] = format(given["step"], "f")
        elif kind == "MIN_NOTIONAL" and "min_notional" in given:
            item["notional"] = format(given["min_notional"], "f")


def refused(fault: Fault, call: Call, symbol: str) -> RequestError | None:
    """Return why an order is refused now that was not before; None: the venue judges it as ever."""
    given = fault.given
    if (call.method, call.path) not in _ORDERS or symbol != given["symbol"]:
        return None
    if fault.kind == "delisted":
        return RequestError(-4141, "Symbol is closed.")
    return _against_filters(given, dict(parse_qsl(f"{call.query}&{call.body}", max_num_fields=200)))


def _against_filters(given: Mapping[str, Any], values: Mapping[str, str]) -> RequestError | None:
    try:
        price, quantity = (Decimal(values.get(name, "0")) for name in ("price", "quantity"))
    except InvalidOperation:
        return None
    if not (price.is_finite() and quantity.is_finite()):
        return None
    least = given.get("min_notional", 0)
    if "tick" in given and price % given["tick"]:
        return RequestError(-4014, "Price not increased by tick size.")
    if "step" in given and quantity % given["step"]:
        return RequestError(-1111, "Precision is over the maximum defined for this asset.")
    if 0 < price * quantity < least and values.get("reduceOnly") != "true":
        return RequestError(
            -4164, f"Order's notional must be no smaller than {least} (unless you choose reduce only)."
        )
    return None
