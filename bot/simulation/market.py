"""The prices of a simulated world: a mark a second, with trends, crashes, spikes and a basis that strays."""

from decimal import Decimal
from math import exp
from typing import NamedTuple, TypeAlias

from bot.simulation.chance import Chance

_CENT = Decimal("0.01")


Course: TypeAlias = tuple[tuple[float, float], ...]
"""Seconds and prices, with straight lines between them."""


class Prices(NamedTuple):
    """Mark and index of one instant."""

    mark: Decimal
    index_price: Decimal


class MarketPath:
    """A random walk in logarithms, drawn once a second."""

    def __init__(self, chance: Chance, start: float, sigma_bps: float, course: Course = ()) -> None:
        """`sigma_bps`: deviation of one second's move; with a `course` the price keeps to it instead."""
        self._course = course
        self._second = -1
        self._chance = chance
        self._start = start
        self._sigma = sigma_bps / 10_000
        self._level = 0.0
        self._drift = 0.0
        self._drift_s = 0
        self._spike = 0.0
        self._spike_s = 0
        self._apart = 0.0
        self._apart_s = 0

    def crash(self) -> None:
        """A slide of a fifth or so within a minute or two, or as far up."""
        size = self._chance.between(-0.35, 0.25)
        self._drift_s = self._chance.whole(20, 120)
        self._drift = size / self._drift_s

    def gap(self) -> None:
        """From one mark to the next the price is another: through the emergency leverage, or away from it."""
        self._level += self._chance.pick((-1, 1)) * self._chance.between(0.25, 0.6)

    def spike(self) -> None:
        """A price that is gone again after a few seconds."""
        self._spike = self._chance.between(-0.15, 0.15)
        self._spike_s = self._chance.whole(1, 6)

    def stray(self) -> None:
        """Mark and index part for a while."""
        self._apart = self._chance.pick((-1, 1)) * self._chance.between(0.055, 0.12)
        self._apart_s = self._chance.whole(5, 90)

    def calm(self) -> None:
        """From here on the price hardly moves."""
        self._sigma = 0.000_02
        self._drift = 0.0
        self._drift_s = 1 << 30

    def next(self) -> Prices:
        """The prices of the next second."""
        self._second += 1
        if self._course:
            mark = Decimal(round(_on_course(self._course, self._second) * 100)) * _CENT
            return Prices(mark, mark)
        if self._drift_s <= 0:
            self._drift_s = self._chance.whole(60, 1_200)
            # A weak pull back keeps a long walk near where it began.
            self._drift = self._sigma * self._chance.between(-0.12, 0.12) - self._level * 0.000_02
        self._drift_s -= 1
        self._level += self._drift + self._sigma * self._chance.bell()
        level = self._level
        if self._spike_s > 0:
            self._spike_s -= 1
            level += self._spike
        mark = Decimal(round(self._start * exp(level) * 100)) * _CENT
        if self._apart_s <= 0:
            return Prices(mark, mark)
        self._apart_s -= 1
        return Prices(mark, (mark * Decimal(round(1 + self._apart, 4))).quantize(_CENT))


def _on_course(course: Course, second: float) -> float:
    before = course[0]
    for point in course:
        if point[0] > second:
            return before[1] + (point[1] - before[1]) * (second - before[0]) / (point[0] - before[0])
        before = point
    return before[1]
