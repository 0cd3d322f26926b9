"""Volatility as the live core samples it (bot/core/upkeep.py), computed only when a strategy asks for it."""

from bisect import bisect_right
from collections.abc import Callable
from math import sqrt

import numpy as np

from bot.core.strategy import FundView
from bot.core.upkeep import GRID_MS, smoothed
from bot.study.prices import Times
from bot.study.tables import Floats

_YEAR_S = 365 * 86_400


class Sampler:
    """Annualised volatility at each point of a series, from the first price of every hour."""

    def __init__(self, times_ms: Times, prices: Floats) -> None:
        """Both of shape (points,). Nothing is computed before the first question."""
        self._times_ms, self._prices = times_ms, prices
        self._points: list[int] | None = None
        self._values: list[float | None] = []
        self.point = 0
        self.asked = False

    def volatility(self) -> float | None:
        """The volatility known at `point`; notes that it was asked for."""
        self.asked = True
        at = bisect_right(self._sampled(), self.point) - 1
        return self._values[at] if at >= 0 else None

    def next_sample(self, end: int) -> int:
        """The first point after `point` at which the volatility changes; `end` if there is none."""
        points = self._sampled()
        at = bisect_right(points, self.point)
        return points[at] if at < len(points) else end

    def _sampled(self) -> list[int]:
        if self._points is None:
            hours = self._times_ms // GRID_MS
            points = np.concatenate(([0], np.flatnonzero(np.diff(hours)) + 1))
            self._values = _smoothed(self._times_ms[points], self._prices[points])
            self._points = points.tolist()
        return self._points


def _smoothed(times_ms: Times, prices: Floats) -> list[float | None]:
    """The exponentially weighted volatility after each sample; None after the first."""
    latest = np.diff(np.log(prices)) ** 2 / (np.diff(times_ms) / 1000)
    values: list[float | None] = [None]
    variance: float | None = None
    for sample in latest.tolist():
        variance = smoothed(variance, sample)
        values.append(sqrt(variance * _YEAR_S))
    return values


class StudyView(FundView):
    """A strategy's view that takes a function for `volatility`, and calls it when the strategy reads it."""

    __slots__ = ("_volatility",)

    _volatility: Callable[[], float | None] | float | None

    @property
    def volatility(self) -> float | None:
        """As in FundView."""
        known = self._volatility
        return known() if callable(known) else known

    @volatility.setter
    def volatility(self, known: Callable[[], float | None] | float | None) -> None:
        object.__setattr__(self, "_volatility", known)
