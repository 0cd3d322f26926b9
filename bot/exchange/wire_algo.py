"""Conditional orders as Binance writes them, which depends on what was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.exchange.algo import AlgoType
from bot.exchange.entities import ZERO
from bot.exchange.wire import Json, plain

if TYPE_CHECKING:
    from bot.exchange.algo import AlgoOrder

BRACKET_PRICES = ("tpTriggerPrice", "tpPrice", "slTriggerPrice", "slPrice")


def _common(item: AlgoOrder, actual: Json | None = None) -> Json:
    """Return what all answers have in common; `actual` is what is told of the order that it has become."""
    return {
        "algoId": item.id,
        "clientAlgoId": item.client_id,
        "algoType": "CONDITIONAL",
        "orderType": item.type.value,
        "symbol": item.symbol,
        "side": item.side.value,
        "positionSide": item.position_side.value,
        "timeInForce": item.time_in_force.value,
        "quantity": plain(item.quantity),
        "algoStatus": item.status.value,
        **(actual or {}),
        "triggerPrice": plain(item.trigger_price),
        "price": plain(item.price),
        "icebergQuantity": None,
        "selfTradePreventionMode": item.self_trade.value,
        "workingType": item.working_type.value,
        "priceMatch": item.price_match.value,
        "closePosition": item.close_position,
        "priceProtect": item.price_protect,
        "reduceOnly": item.reduce_only or item.close_position,
        "createTime": item.time_ms,
        "updateTime": item.update_ms,
        "triggerTime": item.trigger_ms,
        "goodTillDate": item.good_till_ms,
    }


def placed(item: AlgoOrder) -> Json:
    """Return the answer to placing a conditional order; a trailing stop shows what it trails by."""
    row = _common(item)
    if item.type is AlgoType.TRAILING_STOP_MARKET:
        row["activatePrice"] = plain(item.activation_price)
        row["callbackRate"] = plain(item.callback_rate)
    return row


def queried(item: AlgoOrder) -> Json:
    """Return a conditional order as in a query, with the order that it has become."""
    row = _with_actual(item) | {"tpOrderType": ""}
    if item.order_id:
        row["actualType"] = "LIMIT" if item.type.has_price else "MARKET"
    if item.filled:
        row["actualQty"] = plain(item.filled)
    return row


def listed(item: AlgoOrder) -> Json:
    """Return a conditional order as in a list; the prices are those of brackets, which it has none of."""
    return _with_actual(item) | dict.fromkeys(BRACKET_PRICES, "0.000") | {"tpOrderType": ""}


def _with_actual(item: AlgoOrder) -> Json:
    price = item.average_price if item.filled else ZERO.quantize(item.price)
    actual = {"actualOrderId": str(item.order_id) if item.order_id else "", "actualPrice": plain(price)}
    return _common(item, actual)
