"""Order filters: what the venue refuses before it looks at the book or the margin. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.exchange.entities import OrderType, Side
from bot.exchange.errors import RequestError

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.exchange.catalog import Symbol
    from bot.exchange.entities import OrderRequest


MAX_PRICE_FACTOR = 100  # the venue's largest price is some hundred times the usual one


def check_order(symbol: Symbol, request: OrderRequest, mark: Decimal) -> None:
    """Raise RequestError unless quantity, price and notional pass the symbol's filters."""
    is_market = request.type is OrderType.MARKET
    check_quantity(symbol, request.quantity, is_market=is_market)
    if not is_market:
        check_price(symbol, request.side, request.price, mark)
    price = mark if is_market else request.price
    if not request.reduce_only and price * request.quantity < symbol.min_notional:
        raise RequestError(
            -4164,
            f"Order's notional must be no smaller than {symbol.min_notional}"
            " (unless you choose reduce only).",
        )


def decimals(value: Decimal) -> int:
    """Return how many digits follow the point, trailing zeros left out."""
    return max(0, -int(value.normalize().as_tuple().exponent))


def check_quantity(symbol: Symbol, quantity: Decimal, *, is_market: bool) -> None:
    """Raise RequestError unless a quantity passes the symbol's lot filter."""
    if quantity <= 0:
        raise RequestError(-4003, "Quantity less than or equal to zero.")
    off_grid = quantity % symbol.step
    if off_grid and decimals(quantity) > symbol.quantity_digits:
        raise RequestError(-1111, "Precision is over the maximum defined for this asset.")
    if quantity < symbol.min_quantity:
        raise RequestError(-4004, "Quantity less than min quantity.")
    if quantity > (symbol.market_max_quantity if is_market else symbol.max_quantity):
        raise RequestError(-4005, "Quantity greater than max quantity.")
    if off_grid:
        raise RequestError(-4023, "Quantity not increased by step size.")


def check_price(symbol: Symbol, side: Side, price: Decimal, mark: Decimal, *, band: bool = True) -> None:
    """Raise RequestError unless a price passes the symbol's price filter, and the percent-price `band`."""
    if price <= 0:
        raise RequestError(-4001, "Price less than 0.")
    check_price_digits(symbol, price, mark)
    if band and side is Side.BUY:
        highest = mark * (1 + symbol.price_band)
        if price > highest:
            raise RequestError(-4016, f"Limit price can't be higher than {highest.quantize(symbol.tick)}.")
    elif band:
        lowest = mark * (1 - symbol.price_band)
        if price < lowest:
            raise RequestError(-4024, f"Limit price can't be lower than {lowest.quantize(symbol.tick)}.")
    if price % symbol.tick:
        raise RequestError(-4014, "Price not increased by tick size.")


def check_price_digits(symbol: Symbol, price: Decimal, mark: Decimal) -> None:
    """Raise RequestError unless a price can be written in the symbol's digits, between ticks or not."""
    if price > mark * MAX_PRICE_FACTOR:
        raise RequestError(-4002, "Price greater than max price.")
    if price % symbol.tick and decimals(price) > symbol.price_digits:
        raise RequestError(-1111, "Precision is over the maximum defined for this asset.")
