"""What others see of a market: price levels as Decimals. Fills as venues and clients speak of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from bot.exchange.entities import Side

if TYPE_CHECKING:
    from decimal import Decimal


class Level(NamedTuple):
    """One price level: price in USDT, quantity in base coin."""

    price: Decimal
    quantity: Decimal


class Fill(NamedTuple):
    """One fill: price in USDT, quantity in base coin, and the resting order it hit (None: the background)."""

    price: Decimal
    quantity: Decimal
    maker_order_id: int | None = None


class PassiveFill(NamedTuple):
    """What the background filled of a resting order, at the order's own price."""

    order_id: int
    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Book:
    """Both sides, best level first."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    def against(self, side: Side) -> tuple[Level, ...]:
        """Return the levels an order of this side trades against."""
        return self.asks if side is Side.BUY else self.bids
