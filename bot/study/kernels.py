"""Strategic rebalancing to one fixed target as a float kernel, for sweeps over very many parameter sets.

It gives what `backtest` gives for `Strategic(confirmation_s=0)` with a single target, fees, lots and funding
included; a property test holds it to the engine and to a plain loop. Between two payments cash and position
are constant, so the band is an interval of prices: one comparison with the minimum and maximum of the closes
between the payments settles a stretch, and block minima and maxima find the bar that leaves it. Without
numba numpy does the same, several times slower for short stretches.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from os import sched_getaffinity
from typing import Any, NamedTuple

import numpy as np

from bot.study.calendar import calendar_of
from bot.study.funding import Funding
from bot.study.points import points_of
from bot.study.prices import Prices, Times
from bot.study.spec import Side
from bot.study.tables import Floats


class FixedBand(NamedTuple):
    """One parameter set: a band and a target of real leverage, and the leverage at the first price."""

    lower: float
    upper: float
    target: float
    start_leverage: float = 2.0


class Outcome(NamedTuple):
    """NAV after each bar, shape (bars,) (constant once dead); rebalances; bar of death, -1 for none."""

    nav: Floats
    rebalances: int
    dead_bar: int


class Finals(NamedTuple):
    """One entry per parameter set, shape (sets,): final NAV, rebalances, bar of death (-1: none)."""

    nav: Floats
    rebalances: Times
    dead_bar: Times


@dataclass(frozen=True)
class Stretches:
    """Prices cut at the bars with payments: what a kernel needs of a series, built once for all sets.

    `stops` and `rates` have shape (payments + 1,): the bar of each payment and its rate, then the number of
    bars and 0. `lows` and `highs` are minimum and maximum of the closes strictly between two payments.
    """

    prices: Prices
    stops: Times
    rates: Floats
    lows: Floats
    highs: Floats


def stretches_of(prices: Prices, funding: Funding | None = None) -> Stretches:
    """Cut `prices` at the payments of `funding`; payments at one bar are one."""
    happenings = calendar_of(prices, points_of(prices, "close"), funding, 0.0).happenings
    bars, first = np.unique(np.array([item.point for item in happenings], dtype=np.int64), return_index=True)
    rates = np.array([item.rate for item in happenings])
    summed = np.add.reduceat(rates, first) if len(first) else rates
    count = len(prices)
    stops = np.append(bars, count)
    starts = np.append(0, bars + 1)
    # reduceat wants starts below the end; an empty stretch gets the bar that it stands at, which is harmless.
    edges = np.minimum(np.stack((starts, stops), axis=1).ravel(), count - 1)
    lows, highs = (reduce.reduceat(prices.close, edges)[::2] for reduce in (np.minimum, np.maximum))
    lows[-1] = min(lows[-1], prices.close[-1])
    highs[-1] = max(highs[-1], prices.close[-1])
    return Stretches(prices, stops, np.append(summed, 0.0), lows, highs)


def nav_series(
    stretches: Stretches, policy: FixedBand, *, side: Side = "long", fee_bps: float = 0.0, lot: float = 0.0
) -> Outcome:
    """Run one parameter set and keep the NAV of every bar. `lot` is in base units per unit of capital."""
    nav = np.empty(len(stretches.prices))
    _, count, dead = _loops().run(*_series(stretches), *_signed(side, fee_bps, lot), *policy, nav)
    return Outcome(nav, int(count), int(dead))


def final_nav(
    stretches: Stretches, policy: FixedBand, *, side: Side = "long", fee_bps: float = 0.0, lot: float = 0.0
) -> tuple[float, int, int]:
    """Final NAV, rebalances, and bar of death or -1 of one parameter set; by far the quickest answer."""
    nav, count, dead = _loops().run(*_series(stretches), *_signed(side, fee_bps, lot), *policy, _NOTHING)
    return float(nav), int(count), int(dead)


_NOTHING = np.empty(0)


def final_navs(
    stretches: Stretches,
    policies: Sequence[FixedBand] | Floats,
    *,
    side: Side = "long",
    fee_bps: float = 0.0,
    lot: float = 0.0,
    workers: int | None = None,
) -> Finals:
    """Run many parameter sets (shape (sets, 4), columns as in FixedBand) on all cores, or on `workers`."""
    rows = np.ascontiguousarray(np.asarray(policies, dtype=np.float64).reshape(-1, 4))
    navs, counts, dead = np.empty(len(rows)), np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    run_many: Any = partial(_loops().run_many, *_series(stretches), *_signed(side, fee_bps, lot))
    threads = max(1, min(workers or len(sched_getaffinity(0)), len(rows)))
    if threads == 1:
        run_many(rows, navs, counts, dead)
        return Finals(navs, counts, dead)
    parts = np.array_split(np.arange(len(rows)), threads)
    with ThreadPoolExecutor(threads) as pool:
        for done in [
            pool.submit(run_many, rows[a:b], navs[a:b], counts[a:b], dead[a:b])
            for a, b in ((int(part[0]), int(part[-1]) + 1) for part in parts)
        ]:
            done.result()
    return Finals(navs, counts, dead)


def _series(stretches: Stretches) -> tuple[Floats, Floats, Floats, Times, Floats, Floats, Floats]:
    blocks = stretches.prices.index
    rest = (stretches.stops, stretches.rates, stretches.lows, stretches.highs)
    return (stretches.prices.close, blocks.lows, blocks.highs, *rest)


def _signed(side: Side, fee_bps: float, lot: float) -> tuple[float, float, float]:
    return (1.0 if side == "long" else -1.0), fee_bps / 1e4, lot


def _loops() -> Any:
    """The module of the compiled loops; only a kernel needs numba."""
    from bot.study import loops  # noqa: PLC0415 - it takes half a second

    return loops
