"""Leverage brackets: how much leverage a notional admits, and the maintenance margin it needs.

Maintenance margin of a position = notional x rate - amount, where the amount ("cum" in the protocol) makes
the margin continuous at each floor: amount_n = amount_(n-1) + floor_n x (rate_n - rate_(n-1)).
Source of the formula: Binance, "Leverage and Margin of USD-M Futures".
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Bracket:
    """One bracket: notional in USDT from `floor` up to and including `cap`."""

    number: int
    leverage: int
    floor: Decimal
    cap: Decimal
    rate: Decimal
    amount: Decimal


# (cap in USDT, highest leverage, maintenance margin rate): the shape of BTCUSDT on Binance in 2025.
_LARGEST = (
    (300_000, 150, "0.004"),
    (800_000, 100, "0.005"),
    (3_000_000, 75, "0.0065"),
    (12_000_000, 50, "0.01"),
    (70_000_000, 25, "0.02"),
    (100_000_000, 20, "0.025"),
    (230_000_000, 10, "0.05"),
    (480_000_000, 5, "0.1"),
    (600_000_000, 4, "0.125"),
    (800_000_000, 3, "0.15"),
    (1_200_000_000, 2, "0.25"),
    (1_800_000_000, 1, "0.5"),
)


def build_brackets(scale: Decimal, max_leverage: int) -> tuple[Bracket, ...]:
    """Return the brackets of a symbol whose caps are `scale` times the largest symbol's."""
    rows = ((scale * cap, leverage, Decimal(rate)) for cap, leverage, rate in _LARGEST)
    return tuple(_with_amounts(row for row in rows if row[1] <= max_leverage))


def _with_amounts(rows: Iterable[tuple[Decimal, int, Decimal]]) -> Iterable[Bracket]:
    floor, rate_before, amount = Decimal(0), Decimal(0), Decimal(0)
    for number, (cap, leverage, rate) in enumerate(rows, start=1):
        amount += floor * (rate - rate_before)
        yield Bracket(number, leverage, floor, cap, rate, amount)
        floor, rate_before = cap, rate


def rescaled(brackets: tuple[Bracket, ...], share: Decimal) -> tuple[Bracket, ...]:
    """Return the brackets with caps `share` times as high."""
    return tuple(_with_amounts((share * item.cap, item.leverage, item.rate) for item in brackets))


def bracket_of(brackets: tuple[Bracket, ...], notional: Decimal) -> Bracket:
    """Return the bracket of a notional in USDT; past the last cap, the last bracket."""
    for bracket in brackets:
        if notional <= bracket.cap:
            return bracket
    return brackets[-1]


def maintenance_margin(brackets: tuple[Bracket, ...], notional: Decimal) -> Decimal:
    """Return the maintenance margin of a position, in USDT."""
    bracket = bracket_of(brackets, notional)
    return notional * bracket.rate - bracket.amount


def max_notional(brackets: tuple[Bracket, ...], leverage: int) -> Decimal:
    """Return the largest position that a leverage admits, in USDT; 0 if the leverage is too high."""
    return max((bracket.cap for bracket in brackets if bracket.leverage >= leverage), default=Decimal(0))
