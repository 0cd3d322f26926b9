"""How Binance writes things: numbers, orders, trades, income, errors. Numbers are strings.

Shapes here and in the other `wire_` files follow Binance's documentation of USD-M futures and recorded
answers.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

from bot.exchange.account import CENT_MILLIONTH
from bot.exchange.entities import ZERO, IncomeType, Order, OrderType, Side, Status

if TYPE_CHECKING:
    from bot.exchange.catalog import Symbol
    from bot.exchange.entities import Amendment, Income, OrderRequest, Trade

Json = dict[str, Any]
ASSET = "USDT"


def plain(value: Decimal) -> str:
    """Return a number without an exponent."""
    return format(value, "f")


def money(value: Decimal) -> str:
    """Return a number with 8 decimals."""
    return format(value.quantize(CENT_MILLIONTH, ROUND_HALF_EVEN), "f")


def short(value: Decimal) -> str:
    """Return a number with at most 8 decimals and no zeros behind, as user streams write them."""
    text = money(value)
    return text.rstrip("0").rstrip(".")


def error(code: int, message: str) -> Json:
    """Return an error."""
    return {"code": code, "msg": message}


def time_in_force(item: Order) -> str:
    """Return how long an order lives, as the venue shows it: a market order is shown as GTC."""
    return "GTC" if item.type is OrderType.MARKET else item.time_in_force


def quote_digits(item: Order) -> Decimal:
    """Return a number with the digits of quote amounts: those of the price and of the quantity together."""
    return item.price * item.quantity


def quoted(item: Order) -> str:
    """Return the notional that has been filled."""
    return plain(item.quote.quantize(quote_digits(item)))


def average_price(item: Order) -> str:
    """Return the average price of what is filled; 0.00 where nothing is."""
    if not item.filled:
        return "0.00"
    return plain(item.average_price.quantize(quote_digits(item), ROUND_HALF_EVEN))


def order(item: Order, *, placed: bool = False) -> Json:
    """Return an order as in a query, or as in the answer to placing or cancelling it."""
    quantity = plain(item.quantity)
    filled = quantity if item.filled == item.quantity else plain(item.filled.quantize(item.quantity))
    row: Json = {
        "orderId": item.id,
        "symbol": item.symbol,
        "status": item.status,
        "clientOrderId": item.client_id,
        "price": plain(item.price),
        "avgPrice": average_price(item),
        "origQty": quantity,
        "executedQty": filled,
        "cumQuote": quoted(item),
        "timeInForce": time_in_force(item),
        "type": item.type,
        "reduceOnly": item.reduce_only,
        "closePosition": False,
        "side": item.side,
        "positionSide": item.position_side,
        "stopPrice": plain(ZERO.quantize(item.price)),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": item.type,
        "priceMatch": item.price_match,
        "selfTradePreventionMode": item.self_trade,
        "goodTillDate": item.good_till_ms,
        "updateTime": item.update_ms,
    }
    if placed:
        row["cumQty"] = filled
    else:
        row["time"] = item.time_ms
    return row


def accepted(item: Order) -> Json:
    """Return an order as the venue acknowledges it, before anything has been filled."""
    quantity = plain(ZERO.quantize(item.quantity))
    return order(item, placed=True) | {
        "status": "NEW",
        "avgPrice": "0.00",
        "executedQty": quantity,
        "cumQty": quantity,
        "cumQuote": plain(ZERO.quantize(quote_digits(item))),
    }


def tested(request: OrderRequest, symbol: Symbol) -> Json:
    """Return what a test order would be acknowledged with; it has no id."""
    placed = Order(
        id=0,
        account="",
        client_id=request.client_id,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        time_in_force=request.time_in_force,
        reduce_only=request.reduce_only,
        quantity=request.quantity.quantize(symbol.step),
        price=request.price.quantize(symbol.tick),
        status=Status.NEW,
        filled=ZERO,
        quote=ZERO,
        time_ms=0,
        update_ms=0,
        position_side=request.position_side,
        price_match=request.price_match,
        self_trade=request.self_trade,
        good_till_ms=request.good_till_ms,
    )
    return order(placed, placed=True)


def forced_order(item: Order) -> Json:
    """Return a liquidation or deleveraging."""
    row = order(item) | {"pair": item.symbol, "cumBase": "0"}
    for name in ("priceProtect", "priceMatch", "selfTradePreventionMode", "goodTillDate"):
        del row[name]
    return row


def amendment(item: Amendment) -> Json:
    """Return one change of an order."""
    change: Json = {
        "price": {"before": plain(item.price_before), "after": plain(item.price_after)},
        "origQty": {"before": plain(item.quantity_before), "after": plain(item.quantity_after)},
        "count": item.number,
    }
    if item.modify_id:
        change["modifyId"] = item.modify_id
    return {
        "amendmentId": item.id,
        "symbol": item.symbol,
        "pair": item.symbol,
        "orderId": item.order_id,
        "clientOrderId": item.client_id,
        "time": item.time_ms,
        "amendment": change,
    }


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
        "baseQty": "0",
        "commission": money(item.commission),
        "commissionAsset": ASSET,
        "time": item.time_ms,
        "pair": item.symbol,
        "marginAsset": ASSET,
        "positionSide": item.position_side.value,
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
