"""Funding rates from the premium, by Binance's formula.

Rate = average premium + clamp(interest - average premium, -0.05 %, +0.05 %), with interest 0.01 % for each
8 hours and the average weighted by time within the interval (later samples count more: 1, 2, ... n).
No rate is above a symbol's cap, or below minus it: 75 % of the maintenance margin rate of its first
bracket.
Sources: Binance, "Introduction to Binance Futures Funding Rates", "Funding Rate Cap and Floor".

The premium is the basis of the price path: a pure function of time, so the rate in force is known before it
is paid. What accounts trade does not enter.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.exchange.prices.basis import BasisSource

EIGHT_HOURS_MS = 28_800_000
SAMPLE_MS = 600_000
INTEREST = Decimal("0.0001")  # for each 8 hours
CLAMP = Decimal("0.0005")
NO_CAP = Decimal(1)
_EIGHT_DIGITS = Decimal("1e-8")


class ModelFunding:
    """A rate every `interval_ms`, on the grid of UTC, without end, between -`cap` and `cap`."""

    def __init__(self, basis: BasisSource, interval_ms: int = EIGHT_HOURS_MS, cap: Decimal = NO_CAP) -> None:
        self.interval_ms = interval_ms
        self._cap = cap
        self._basis = basis
        self._interest = INTEREST * interval_ms / EIGHT_HOURS_MS
        self._rate = lru_cache(maxsize=64)(self._rate_paid_at)

    def next_after(self, time_ms: int) -> tuple[int, Decimal]:
        """Return the first payment later than `time_ms`: its instant in UTC ms, and its rate."""
        due_ms = (time_ms // self.interval_ms + 1) * self.interval_ms
        return due_ms, self._rate(due_ms)

    def rate_at(self, time_ms: int) -> Decimal:
        """Return the rate in force at `time_ms`: that of the first payment later than it."""
        return self.next_after(time_ms)[1]

    def _rate_paid_at(self, due_ms: int) -> Decimal:
        rate = funding_rate(self._average_premium(due_ms), self._interest)
        return min(max(rate, -self._cap), self._cap)

    def _average_premium(self, due_ms: int) -> Decimal:
        count = self.interval_ms // SAMPLE_MS
        start_ms = due_ms - self.interval_ms
        weighted = sum(i * self._basis.at(start_ms + i * SAMPLE_MS) for i in range(1, count + 1))
        return Decimal(weighted / (count * (count + 1) / 2)).quantize(_EIGHT_DIGITS, ROUND_HALF_EVEN)


def funding_rate(premium: Decimal, interest: Decimal = INTEREST) -> Decimal:
    """Return the rate for an average premium, both as fractions for one interval."""
    return premium + min(max(interest - premium, -CLAMP), CLAMP)
