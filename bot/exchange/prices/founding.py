"""The founding example: five days that take a fund of 100 million from 2x to the day of its rebalance.

The daily returns are -5, +15, -10, +30 and +30 %. A fund with capital 100 at 2x ends the days with exposure
190 / 218.5 / 196.65 / 255.645 / 332.339 and real leverage 2.111 / 1.844 / 2.035 / 1.642 / 1.430, below a
band of 1.5 to 3; at 2x its exposure would be 464.677.
"""

from __future__ import annotations

from decimal import Decimal

from bot.exchange.prices.path import Cell, KnotPath

DAY_MS = 86_400_000
KNOT_MS = 60_000
DAILY_RETURNS = tuple(map(Decimal, ("-0.05", "0.15", "-0.10", "0.30", "0.30")))


class FoundingPath(KnotPath):
    """Five days from `start_price` through the five closes, straight in time, with a knot each minute."""

    def __init__(self, *, start_ms: int, start_price: Decimal) -> None:
        identity = f"founding from {start_ms} at {start_price.normalize()}"
        super().__init__(start_ms, start_ms + len(DAILY_RETURNS) * DAY_MS, identity)
        self._start_price = start_price

    def _cell_at(self, time_ms: int) -> Cell:  # noqa: ARG002 - all five days are one cell
        steps = DAY_MS // KNOT_MS
        close = self._start_price
        prices = [float(close)]
        for daily_return in DAILY_RETURNS:
            opening, close = close, close * (1 + daily_return)
            first, move = float(opening), float(close - opening)
            prices += [first + move * step / steps for step in range(1, steps)]
            prices.append(float(close))
        assert self.end_ms is not None  # noqa: S101 - for the type checker
        return Cell(range(self.start_ms, self.end_ms + 1, KNOT_MS), prices)
