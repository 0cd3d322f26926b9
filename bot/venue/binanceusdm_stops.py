"""Protective stops on Binance USDⓈ-M: conditional orders, which live in a service of their own since 2025-12.

A conditional order that triggers becomes an ordinary order, with an id of its own; both name each other here.
"""

from typing import TYPE_CHECKING, Any

from bot.core.stop_events import StopStatus
from bot.venue.answers import rows_of, text
from bot.venue.errors import AnswerMalformed
from bot.venue.profile import StopAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.core.limits import PlaceStop
    from bot.venue.requests import Requests, Sending

_STATUS = {
    "NEW": StopStatus.RESTING,
    "TRIGGERING": StopStatus.TRIGGERS,
    "TRIGGERED": StopStatus.TRIGGERED,
    "FINISHED": StopStatus.TRIGGERED,
    "CANCELED": StopStatus.GONE,
    "EXPIRED": StopStatus.GONE,
    "REJECTED": StopStatus.GONE,
}


def sending(requests: "Requests", stop: "PlaceStop") -> "Sending":
    """POST /fapi/v1/algoOrder: reduce-only, at the market, triggered by the mark price."""
    params = {
        "algoType": "CONDITIONAL",
        "symbol": stop.symbol,
        "side": "BUY" if stop.quantity > 0 else "SELL",
        "type": "STOP_MARKET",
        "quantity": format(abs(stop.quantity), "f"),
        "triggerPrice": format(stop.trigger_price, "f"),
        "workingType": "MARK_PRICE",
        "reduceOnly": "true",
        "clientAlgoId": stop.cid,
    }
    return requests.order("fapiPrivate", "algoOrder", params)


async def sent(send: "Sending", cid: str) -> StopAnswer:
    """Send what `sending` signed, once."""
    return _state(await send(), "clientAlgoId", "algoId", "algoStatus", "actualOrderId", cid)


async def query(requests: "Requests", cid: str) -> StopAnswer:
    """GET /fapi/v1/algoOrder."""
    answer = await requests.read("fapiPrivateGetAlgoOrder", {"clientAlgoId": cid}, weight=1)
    return _state(answer, "clientAlgoId", "algoId", "algoStatus", "actualOrderId", cid)


async def cancel(requests: "Requests", cid: str) -> StopAnswer:
    """DELETE /fapi/v1/algoOrder, which says only that it worked; so it is looked up."""
    await requests.cancel("fapiPrivateDeleteAlgoOrder", {"clientAlgoId": cid})
    return await query(requests, cid)


async def resting(requests: "Requests", symbol: str) -> tuple[str, ...]:
    """GET /fapi/v1/openAlgoOrders: the client ids of those that have not triggered."""
    answer = await requests.read("fapiPrivateGetOpenAlgoOrders", {"symbol": symbol}, weight=1)
    return tuple(text(row, "clientAlgoId") for row in rows_of(answer))


def news(frame: Any, symbol: str) -> StopAnswer | None:
    """An ALGO_UPDATE frame of this symbol: caid its client id, ai the order that it became, X its status."""
    if not isinstance(frame, dict) or frame.get("e") != "ALGO_UPDATE":
        return None
    order = frame.get("o")
    if not isinstance(order, dict):
        raise AnswerMalformed("an update of a conditional order without one")
    if order.get("s") != symbol:
        return None
    return _state(order, "caid", "aid", "X", "ai", None)


def _state(
    row: "Mapping[str, Any]", cid: str, venue_id: str, status: str, order_id: str, expected: str | None
) -> StopAnswer:
    if not isinstance(row, dict):
        raise AnswerMalformed("the conditional order is not an object")
    word = text(row, status)
    if word not in _STATUS:
        raise AnswerMalformed("a status of a conditional order that is not documented")
    name = text(row, cid)
    if expected is not None and name != expected:
        raise AnswerMalformed("the answer is about another conditional order")
    became = str(row.get(order_id) or "")
    found = _STATUS[word]
    if found is StopStatus.TRIGGERED and became in ("", "0"):
        found = StopStatus.TRIGGERS
    return StopAnswer(name, text(row, venue_id), found, became if found is StopStatus.TRIGGERED else None)
