"""The points in time at which a fund is looked at: the closes, or a walk inside each bar."""

from typing import NamedTuple

import numpy as np

from bot.study.errors import BadParameterError
from bot.study.index import PriceIndex
from bot.study.prices import Prices, Times
from bot.study.spec import Path
from bot.study.tables import Floats

MAX_STEP = 0.001
"""Two successive points of a walk differ by at most this fraction, as the marks of a replay do."""


class Points(NamedTuple):
    """Prices in the order in which a fund sees them; arrays of shape (points,).

    `closes` has shape (bars,): the point at which each bar closes.
    """

    times_ms: Times
    prices: Floats
    blocks: PriceIndex
    closes: Times | None

    def at_or_after(self, times_ms: Times) -> Times:
        """The first point at or after each of these times; the number of points where there is none."""
        return np.searchsorted(self.times_ms, times_ms, side="left")


def points_of(prices: Prices, path: Path) -> Points:
    """The points of `prices` along `path`; `ohlc` walks open, high, low, close, and `olhc` the low first.

    Raises BadParameterError for a walk through bars that have a close only.
    """
    if path == "close":
        return Points(prices.times_ms, prices.close, prices.index, None)
    if prices.open is None or prices.high is None or prices.low is None:
        raise BadParameterError(
            "path",
            f"{path} needs open, high and low, and the prices have none",
            "give such prices, or path close",
        )
    middle = (prices.high, prices.low) if path == "ohlc" else (prices.low, prices.high)
    corners = np.stack((prices.open, *middle, prices.close), axis=1)
    return _walk(corners, prices.times_ms - prices.bar_ms, prices.bar_ms)


def _walk(corners: Floats, opens_ms: Times, bar_ms: int) -> Points:
    """Straight legs from corner to corner in steps of at most MAX_STEP; time is shared out by steps."""
    starts, ends = corners[:, :-1], corners[:, 1:]
    steps = np.ceil(np.abs(ends - starts) / (np.minimum(starts, ends) * MAX_STEP)).astype(np.int64)
    steps[:, -1] = np.maximum(
        steps[:, -1], 1
    )  # so that the close is a point after the open even in a flat bar
    flat = steps.ravel()
    leg = np.repeat(np.arange(len(flat)), flat)
    before = np.cumsum(flat) - flat
    share = (np.arange(len(leg)) - before[leg] + 1) / flat[leg]
    first, last = starts.ravel()[leg], ends.ravel()[leg]
    inside = np.where(share == 1.0, last, first + (last - first) * share)
    per_bar = steps.sum(axis=1)
    bar = leg // steps.shape[1]
    count_before = np.cumsum(per_bar) - per_bar
    passed = np.arange(len(leg)) - count_before[bar] + 1
    times = opens_ms[bar] + bar_ms * passed // per_bar[bar]
    opens_at = count_before + np.arange(len(corners))  # each bar's open goes before its own points
    total = len(leg) + len(corners)
    is_open = np.zeros(total, dtype=bool)
    is_open[opens_at] = True
    all_prices, all_times = np.empty(total), np.empty(total, dtype=np.int64)
    all_prices[is_open], all_prices[~is_open] = corners[:, 0], inside
    all_times[is_open], all_times[~is_open] = opens_ms, times
    closes = np.append(opens_at[1:], total) - 1
    return Points(all_times, all_prices, PriceIndex(all_prices), closes)
