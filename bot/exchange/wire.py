"""How Binance writes things: numbers, orders, trades, income, errors. Numbers are strings.

Shapes here and in the other `wire_` files follow Binance's documentation of USD-M futures and recorded
answers.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

from bot.exchange.account import CENT_MILLIONTH
from bot.exchange.entities import IncomeType, Side

if TYPE_CHECKING:
    from bot.exchange.entities import Income, Order, Trade

Json = dict[str, Any]
ASSET = "USDT"


def plain(value: Decimal) -> str:
    """Return a number without an exponent."""
    return format(value, "f")


def money(value: Decimal) -> str:
    """Return a number with 8 decimals."""
    return format(value.quantize(CENT_MILLIONTH, ROUND_HALF_EVEN), "f")


def error(code: int, message: str) -> Json:
    """Return an error."""
    return {"code": code, "msg": message}


def order(item: Order, *, placed: bool = False) -> Json:
    """Return an order as in a query, or as in the answer to placing or cancelling it."""
    row: Json = {
        "orderId": item.id,
        "symbol": item.symbol,
        "status": item.status.value,
        "clientOrderId": item.client_id,
        "price": plain(item.price),
        "avgPrice": money(item.average_price),
        "origQty": plain(item.quantity),
        "executedQty": plain(item.filled),
        "cumQuote": plain(item.quote),
        "timeInForce": item.time_in_force.value,
        "type": item.type.value,
        "reduceOnly": item.reduce_only,
        "closePosition": False,
        "side": item.side.value,
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": item.type.value,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": 0,
        "updateTime": item.update_ms,
    }
    return row | ({"cumQty": plain(item.filled)} if placed else {"time": item.time_ms})


def trade(item: Trade) -> Json:
    """Return a trade of the user."""
    return {
        "symbol": item.symbol,
        "id": item.id,
        "orderId": item.order_id,
        "side": item.side.value,
        "price": plain(item.price),
        "qty": plain(item.quantity),
        "realizedPnl": money(item.realised),
        "quoteQty": plain(item.price * item.quantity),
        "commission": money(item.commission),
        "commissionAsset": ASSET,
        "time": item.time_ms,
        "positionSide": "BOTH",
        "buyer": item.side is Side.BUY,
        "maker": item.maker,
    }


def income(item: Income) -> Json:
    """Return a row of the income history."""
    info = str(item.trade_id) if item.trade_id else item.type.value
    return {
        "symbol": item.symbol,
        "incomeType": item.type.value,
        "income": money(item.amount),
        "asset": ASSET,
        "time": item.time_ms,
        "info": "" if item.type is IncomeType.TRANSFER else info,
        "tranId": item.id,
        "tradeId": str(item.trade_id) if item.trade_id else "",
    }
