"""The price path: the price of one symbol as a continuous, deterministic function of market time.

A path is a polygon through knots (time in ms, price). A mark is emitted at each knot, so successive knots
never differ by more than 0.1 % of the earlier price, and never lie less than 1 ms apart. Knots are built
one cell (a bar, a day) at a time, when the cell is reached; a path holds the knots of one cell only.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

# Marks are rounded to the tick of their symbol after they leave the path. The margin below 0.1 % keeps the
# promise true after that rounding, for ticks of up to 0.005 % of the price.
MAX_STEP = 0.00095


class PricePath(Protocol):
    """Price of one symbol over market time, in quote currency per unit of base."""

    @property
    def start_ms(self) -> int:
        """Return the time of the first knot, UTC ms."""

    @property
    def end_ms(self) -> int | None:
        """Return the time of the last knot, UTC ms; None for an endless path."""

    def price_at(self, time_ms: int) -> Decimal:
        """Return the price at `time_ms`, interpolated; before the start and past the end, the price there."""

    def next_knot_after(self, time_ms: int) -> int | None:
        """Return the time of the first knot later than `time_ms`; None at and past the end."""


class Cell(NamedTuple):
    """The knots of one stretch of a path. Its first knot is the last one of the stretch before."""

    times_ms: Sequence[int]
    prices: Sequence[float]


class KnotPath(ABC):
    """A price path made of cells.

    `identity` tells this path from every other: two paths with the same identity have the same knots.
    Queries in any order give the same answers; those in order of time are quick, since the current cell
    is kept.
    """

    def __init__(self, start_ms: int, end_ms: int | None, identity: str) -> None:
        self.start_ms = start_ms
        self.end_ms = end_ms
        self.identity = identity
        self._cell = Cell((start_ms,), (math.nan,))
        self._cell_start_ms = start_ms
        self._cell_until_ms = start_ms

    @abstractmethod
    def _cell_at(self, time_ms: int) -> Cell:
        """Build the cell whose times enclose `time_ms`: first <= time_ms < last (<= last at the end)."""

    def _enter_cell(self, time_ms: int) -> Cell:
        cell = self._cell = self._cell_at(time_ms)
        self._cell_start_ms = cell.times_ms[0]
        last_ms = cell.times_ms[-1]
        self._cell_until_ms = last_ms + 1 if last_ms == self.end_ms else last_ms
        return cell

    def price_at(self, time_ms: int) -> Decimal:
        """Return the price at `time_ms`, interpolated; before the start and past the end, the price there."""
        if time_ms < self.start_ms:
            time_ms = self.start_ms
        elif self.end_ms is not None and time_ms > self.end_ms:
            time_ms = self.end_ms
        inside = self._cell_start_ms <= time_ms < self._cell_until_ms
        times_ms, prices = self._cell if inside else self._enter_cell(time_ms)
        index = bisect_right(times_ms, time_ms) - 1
        price = prices[index]
        passed_ms = time_ms - times_ms[index]
        if passed_ms:
            share = passed_ms / (times_ms[index + 1] - times_ms[index])
            price += (prices[index + 1] - price) * share
        # repr gives the shortest text of a float, so a price read from a file comes out as it was written.
        return Decimal(repr(price))

    def next_knot_after(self, time_ms: int) -> int | None:
        """Return the time of the first knot later than `time_ms`; None at and past the end."""
        if time_ms < self.start_ms:
            return self.start_ms
        if self.end_ms is not None and time_ms >= self.end_ms:
            return None
        inside = self._cell_start_ms <= time_ms < self._cell_until_ms
        times_ms = (self._cell if inside else self._enter_cell(time_ms)).times_ms
        return times_ms[bisect_right(times_ms, time_ms)]

    def extremes(self, start_ms: int, end_ms: int) -> tuple[float, float]:
        """Return the lowest and the highest price from `start_ms` to `end_ms` (UTC ms), both included."""
        ends = float(self.price_at(start_ms)), float(self.price_at(end_ms))
        low, high = min(ends), max(ends)
        time_ms = max(start_ms, self.start_ms)
        last_ms = end_ms if self.end_ms is None else min(end_ms, self.end_ms)
        while time_ms < last_ms:
            self.price_at(time_ms)  # enters the cell
            times_ms, prices = self._cell
            inside = prices[bisect_left(times_ms, time_ms) : bisect_right(times_ms, last_ms)]
            if inside:
                low, high = min(low, *inside), max(high, *inside)
            time_ms = self._cell_until_ms
        return low, high


def steps_between(price: float, other: float) -> int:
    """Return how many equal steps lead from one price to the other, none above MAX_STEP of its start."""
    return math.ceil(abs(other - price) / (min(price, other) * MAX_STEP))


def steps_along(corners: Sequence[float]) -> int:
    """Return how many steps a walk along `corners` takes, which is also the fewest ms it can last."""
    return max(1, sum(map(steps_between, corners, corners[1:])))


def walk(start_ms: int, corners: Sequence[float], end_ms: int, spacing_ms: int | None = None) -> Cell:
    """Walk from corner to corner between two times, and return every knot on the way.

    Time is shared out in proportion to the distance walked, with at least 1 ms for each step, so each leg
    is straight in time. The last corner is reached exactly at `end_ms`. `spacing_ms` is the longest time
    between two knots (one leg only). Needs `end_ms - start_ms >= steps_along(corners)`.
    """
    legs = [(a, b, steps_between(a, b)) for a, b in pairwise(corners) if a != b]
    if not legs or spacing_ms is not None:
        first, last = corners[0], corners[-1]
        fewest = math.ceil((end_ms - start_ms) / spacing_ms) if spacing_ms else 1
        legs = [(first, last, max(fewest, steps_between(first, last)))]
    count = sum(steps for _, _, steps in legs)
    spare_ms = end_ms - start_ms - count
    distance = sum(abs(b - a) for a, b, _ in legs)
    times_ms, prices, walked = [start_ms], [corners[0]], 0.0
    for leg, (a, b, steps) in enumerate(legs, 1):
        walked += abs(b - a)
        leg_ms = times_ms[-1]
        # Each leg has 1 ms a step, and of the spare time its share of the way; whole ms rounded down.
        if leg < len(legs):
            spent_ms = int(spare_ms * min(walked / distance, 1.0))
            duration_ms = start_ms + len(prices) - 1 + steps + spent_ms - leg_ms
        else:
            duration_ms = end_ms - leg_ms
        times_ms += [leg_ms + duration_ms * step // steps for step in range(1, steps + 1)]
        prices += [a + (b - a) * step / steps for step in range(1, steps)]
        prices.append(b)
    return Cell(times_ms, prices)
