"""What an order is refused for, beyond the filters: position mode, price match, dates, margin. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.exchange.entities import (
    ZERO,
    OrderType,
    PositionSide,
    PriceMatch,
    Side,
    TimeInForce,
)
from bot.exchange.errors import RequestError, missing, unwanted
from bot.exchange.margin import account_margin, admits, initial_margin
from bot.exchange.settlement import TAKER_FEE

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.exchange.account import Account
    from bot.exchange.algo import AlgoRequest
    from bot.exchange.book import Book
    from bot.exchange.catalog import Symbol
    from bot.exchange.entities import Order, OrderRequest
    from bot.exchange.market import Market

MAX_OPEN_ORDERS = 200
GOOD_TILL_AHEAD_MS = 600_000
LAST_GOOD_TILL_MS = 253_402_300_799_000


def not_maker() -> RequestError:
    """Return the error for a post-only order that would trade."""
    return RequestError(
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected."
        " The order will not be recorded in the order history",
    )


def not_filled() -> RequestError:
    """Return the error for a fill-or-kill order that the book cannot fill."""
    return RequestError(
        -5021,
        "Due to the order could not be filled immediately, the FOK order has been rejected."
        " The order will not be recorded in the order history",
    )


def nothing_to_reduce() -> RequestError:
    """Return the error for a reduce-only order without a position to reduce."""
    return RequestError(-2022, "ReduceOnly Order is rejected.")


def no_price_in_band() -> RequestError:
    """Return the error for a market order that no price within the band could fill."""
    return RequestError(-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit.")


def closes(side: Side, position_side: PositionSide) -> bool:
    """Return whether an order can only close: a sell of a long or a buy of a short in hedge mode."""
    return (position_side is PositionSide.LONG and side is Side.SELL) or (
        position_side is PositionSide.SHORT and side is Side.BUY
    )


def check_mode(account: Account, request: OrderRequest | AlgoRequest) -> None:
    """Raise -4061 or -1106 unless the position side fits the account's position mode."""
    if (request.position_side is PositionSide.BOTH) is account.hedge:
        raise RequestError(-4061, "Order's position side does not match user's setting.")
    if account.hedge and request.reduce_only:
        raise unwanted("reduceOnly")


def check_date(request: OrderRequest | AlgoRequest, now: int) -> None:
    """Raise -1102 or -5040 unless a GTD order has a date, at least 10 minutes of market time ahead."""
    if request.time_in_force is TimeInForce.GTD:
        if not request.good_till_ms:
            raise missing("goodTillDate")
        if not now + GOOD_TILL_AHEAD_MS < request.good_till_ms < LAST_GOOD_TILL_MS:
            raise RequestError(
                -5040,
                "The goodTillDate timestamp must be greater than the current time plus 600 seconds"
                f" and smaller than {LAST_GOOD_TILL_MS}",
            )


def within_position(account: Account, request: OrderRequest) -> OrderRequest:
    """Return a reduce-only request cut to its position; raises -2022 if there is nothing to reduce."""
    closing = request.position_side is not PositionSide.BOTH and closes(request.side, request.position_side)
    if not (request.reduce_only or closing):
        return request
    held = account.position(request.symbol, request.position_side).reducible(request.side)
    if not held or (closing and request.quantity > held):
        raise nothing_to_reduce()
    return request._replace(reduce_only=True, quantity=min(request.quantity, held))


def matched_price(book: Book, side: Side, match: PriceMatch) -> Decimal:
    """Return the price that a price match takes from the book; raises -5041 if the book has no such level."""
    kind, _, depth = match.value.partition("_")
    opponents = book.asks if side is Side.BUY else book.bids
    own = book.bids if side is Side.BUY else book.asks
    levels = opponents if kind == "OPPONENT" else own
    index = int(depth or 1) - 1
    if index >= len(levels):
        raise RequestError(-5041, "No depth matches this BBO order")
    return levels[index].price


def market_limit(symbol: Symbol, side: Side, mark: Decimal) -> Decimal:
    """Return the worst price that a market order may trade at: the percent-price band's edge."""
    edge = mark * (1 + side.sign * symbol.price_band) / symbol.tick
    rounded = edge.to_integral_value(rounding="ROUND_FLOOR" if side is Side.BUY else "ROUND_CEILING")
    return rounded * symbol.tick


def check_room(account: Account, symbol: str) -> None:
    """Raise -2025 if the symbol has as many open orders as it may."""
    if len(account.open_orders) >= MAX_OPEN_ORDERS:
        count = sum(order.symbol == symbol for order in account.open_orders.values())
        if count >= MAX_OPEN_ORDERS:
            raise RequestError(-2025, "Reach max open order limit.")


def check_margin(
    market: Market, account: Account, request: OrderRequest, replaced: Order | None = None
) -> None:
    """Raise -2027 or -2019 unless brackets and available balance bear the order in full.

    `replaced` is an open order that the request takes the place of. Cost = additional initial margin + open
    loss, at the order's price (a market order's: the mark, 5 bps worse; a sell's at least the mark). Source:
    Binance, "Cost required to open a position".
    """
    symbol, mark = market.symbols[request.symbol], market.marks[request.symbol]
    buys = request.side is Side.BUY
    price = request.price
    if request.type is OrderType.MARKET:
        price = mark * (1 + request.side.sign * TAKER_FEE)
    position = account.position(symbol.name, request.position_side)
    held, bids, asks = position.quantity * mark, position.bids, position.asks
    leverage = account.leverage_of(symbol.name)
    before = initial_margin(held, bids, asks, leverage)
    if buys:
        bids += request.quantity * price - (replaced.remaining * replaced.price if replaced else ZERO)
    else:
        asks += request.quantity * max(price, mark)
        asks -= replaced.remaining * replaced.price if replaced else ZERO
    extra = initial_margin(held, bids, asks, leverage) - before
    if extra <= 0:
        return
    if not admits(symbol, leverage, max(abs(held + bids), abs(held - asks))):
        raise RequestError(-2027, "Exceeded the maximum allowable position at current leverage.")
    loss = price - mark if buys else mark - price
    if loss > 0:
        loss *= max(ZERO, request.quantity - position.reducible(request.side))
    else:
        loss = ZERO
    if extra + loss > account_margin(account, market.symbols, market.marks).available:
        raise RequestError(-2019, "Margin is insufficient.")
