"""Matching one order against price levels. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.exchange.book import Level
from bot.exchange.entities import ZERO, Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from bot.exchange.entities import Order


def take(levels: Iterable[Level], side: Side, limit: Decimal | None, quantity: Decimal) -> list[Level]:
    """Return the fills of an aggressive order, best price first, one for each level it reaches.

    `limit` None is a market order. The fills may add up to less than `quantity`.
    """
    fills = []
    for level in levels:
        if quantity <= 0 or (limit is not None and not reaches(side, limit, level.price)):
            break
        filled = min(quantity, level.quantity)
        fills.append(Level(level.price, filled))
        quantity -= filled
    return fills


def reaches(side: Side, limit: Decimal, price: Decimal) -> bool:
    """Return whether an order with this limit may trade at `price`."""
    return price <= limit if side is Side.BUY else price >= limit


def total(fills: Sequence[Level]) -> tuple[Decimal, Decimal]:
    """Return quantity and notional of some fills."""
    quantity = sum((fill.quantity for fill in fills), ZERO)
    return quantity, sum((fill.quantity * fill.price for fill in fills), ZERO)


def resting_fill(order: Order, mark: Decimal) -> Level | None:
    """Return the fill of a resting order that the mark has crossed: all of it, at its own price."""
    return Level(order.price, order.remaining) if reaches(order.side, order.price, mark) else None
