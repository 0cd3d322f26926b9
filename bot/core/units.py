"""Quantities of the field and their directed rounding.

Every amount on its way to an order or a ledger is a `Decimal`. The aliases below say which unit it has;
the helpers round onto a venue's grid in the direction that their name gives.
"""

from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

Price: TypeAlias = Decimal
"""Quote currency per unit of the underlying."""
Contracts: TypeAlias = Decimal
"""Units of the underlying; signed for a position (positive: long), and for an order (positive: buy)."""
Usd: TypeAlias = Decimal
"""Amount of the quote currency (USDT)."""
Leverage: TypeAlias = Decimal
"""abs(position) x mark / fund value."""

ZERO = Decimal(0)
ONE = Decimal(1)
BPS = Decimal(10_000)

DAY_MS = 86_400_000
"""A day of market time; days begin at 00:00 UTC."""


class Side(StrEnum):
    """The side of a fund: `long` is an UP token, `short` a DOWN token."""

    LONG = "long"
    SHORT = "short"

    @property
    def sign(self) -> int:
        """+1 for long, -1 for short: the sign of the fund's position."""
        return 1 if self is Side.LONG else -1


class Urgency(StrEnum):
    """How a rebalance trades; see `bot.core.plan` for what each level means."""

    PATIENT = "patient"
    PROMPT = "prompt"
    EMERGENCY = "emergency"

    @property
    def rank(self) -> int:
        """Order of the levels; urgency only ever rises within a rebalance."""
        return _RANKS[self]


_RANKS = {Urgency.PATIENT: 0, Urgency.PROMPT: 1, Urgency.EMERGENCY: 2}


def toward_zero(amount: Decimal, step: Decimal) -> Decimal:
    """Round `amount` onto multiples of `step`, never away from zero."""
    return amount // step * step  # Decimal's // truncates, and is exact where a quotient would be rounded


def away_from_zero(amount: Decimal, step: Decimal) -> Decimal:
    """Round `amount` onto multiples of `step`, never toward zero."""
    near = amount // step * step
    if near == amount:
        return near
    return near + step if amount > ZERO else near - step


def not_above(price: Price, tick: Decimal) -> Price:
    """The highest multiple of `tick` that is not above the positive `price`: the limit of a buy."""
    return price // tick * tick


def not_below(price: Price, tick: Decimal) -> Price:
    """The lowest multiple of `tick` that is not below the positive `price`: the limit of a sell."""
    return away_from_zero(price, tick)
