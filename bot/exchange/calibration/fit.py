"""Fitting the background market to one half of a recording.

Mean touch, spread, arrivals, sizes and volatility are read off. The mean cost of an order grows with a power
of the volatility of the 30 s before: one power for all sizes, the mean of theirs weighted by precision.
Depth, its power and its knee are those nearest to the recorded mean depth; noise, and a last scaling of
depth, those with which the model's costs come nearest to the recorded ones in mean and spread. All searches
are over grids, each candidate judged by the same draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, NamedTuple

from bot.exchange.background import RECORDED, Shape, depth_within
from bot.exchange.calibration.measures import (
    LARGE_USD,
    PER_SECOND,
    SIZES_USD,
    cost_bps,
    depth_behind,
    half_life_s,
    mean_cost,
    model_costs,
    standard_error,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.exchange.calibration.recording import Sample, Trade
    from bot.exchange.catalog import Symbol

SPREAD_WEIGHT = 0.1
MOST_POWER = 4.0
DEPTHS_BPS = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 16.0, 20.0)


@dataclass(frozen=True, slots=True)
class Half:
    """One half of a recording: its samples, the volatility at each, and its market orders."""

    samples: Sequence[Sample]
    volatility: Sequence[float]
    trades: Sequence[Trade]

    @property
    def length_s(self) -> float:
        """How long it lasts."""
        return len(self.samples) / PER_SECOND


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Market orders: how many a second, shape of their gamma rate, and the logarithm of their USDT."""

    per_s: float
    dispersion: float
    log_mean: float
    log_spread: float


@dataclass(frozen=True, slots=True)
class Fit:
    """What one half says."""

    normal_bps: float
    depth_usd: float
    shape: Shape
    half_life_s: float
    arrivals: Arrivals


class Goal(NamedTuple):
    """The recorded cost of one size in bps: mean and standard deviation, each side counted by itself."""

    mean: float
    spread: float

    @classmethod
    def of(cls, samples: Sequence[Sample], usd: float) -> Goal:
        """Measure it."""
        found = [cost_bps(sample.side(sign), sample.mid, sign, usd) for sample in samples for sign in (1, -1)]
        costs = known(found)
        return cls(fmean(costs), pstdev(costs))


def fit(half: Half, symbol: Symbol) -> Fit:
    """Fit everything to one half."""
    normal = fmean(half.volatility)
    costs = recorded_costs(half.samples)
    touches = [sample.side(sign)[0] for sample in half.samples for sign in (1, -1)]
    touch_usd = fmean(price * size for price, size in touches)
    mid = half.samples[0].mid
    goals = {usd: Goal.of(half.samples, usd) for usd in SIZES_USD}
    depth_usd, power, knee_bps = _depth_of(half.samples)
    spread_bps = fmean((sample.asks[0][0] - sample.bids[0][0]) / sample.mid for sample in half.samples) * 1e4
    shape = replace(
        RECORDED,
        touch=touch_usd / depth_usd,
        power=power,
        knee_bps=knee_bps,
        half_spread_bps=spread_bps / 2,
    )
    shape, scale = _with_noise(shape, replace(symbol, depth_usd=depth_usd), mid, goals)
    depth_usd *= scale
    growths = [growth_of(half, found) for found in costs.values()]
    weights = [growth.error**-2 for growth in growths]
    power = fmean([growth.power for growth in growths], weights)
    shape = replace(shape, stretch_power=power)
    return Fit(normal, depth_usd, shape, book_half_life_s(half), arrivals_of(half))


def recorded_costs(samples: Sequence[Sample]) -> dict[float, list[float | None]]:
    """Return the mean cost of buying and selling each size at each sample."""
    return {usd: [mean_cost(sample, usd) for sample in samples] for usd in SIZES_USD}


def known(costs: Sequence[float | None]) -> list[float]:
    """Return the costs where the record reaches."""
    return [cost for cost in costs if cost is not None]


class Growth(NamedTuple):
    """The power of volatility with which a mean cost grows, and its standard error."""

    power: float
    error: float


def growth_of(half: Half, costs: Sequence[float | None]) -> Growth:
    """Fit the mean cost as a power of volatility.

    By Poisson regression, which is one of means, as they are judged (Santos Silva and Tenreyro, "The log of
    gravity", 2006): log volatility has the same mean weighted by the fitted cost as by the recorded. The
    logarithms of costs that scatter from 0.01 to 1 bp, as small ones do, would weigh the cheapest most.
    """
    pairs = [(math.log(x), y) for x, y in zip(half.volatility, costs, strict=True) if y is not None]
    logs, found = zip(*pairs, strict=True)
    goal, power, step = fmean(logs, found), 0.0, MOST_POWER
    while step > 1e-6:
        step /= 2
        power += step if fmean(logs, [math.exp(power * x) for x in logs]) < goal else -step
    expected = [math.exp(power * x) for x in logs]
    scale = fmean(found) / fmean(expected)
    scores = [(x - goal) * (y - scale * e) for x, y, e in zip(logs, found, expected, strict=True)]
    slope = fmean((x - goal) ** 2 * scale * e for x, e in zip(logs, expected, strict=True))
    return Growth(power, standard_error(scores) / slope)


def _depth_of(samples: Sequence[Sample]) -> tuple[float, float, float]:
    """Return depth (USDT within 1 bp), power and knee that come nearest to the recorded mean depth."""
    goals = {}
    for offset_bps in DEPTHS_BPS:
        found = [depth_behind(sample.side(sign), offset_bps) for sample in samples for sign in (1, -1)]
        goals[offset_bps] = fmean(found)

    def miss(power: float, knee_bps: float) -> tuple[float, float]:
        shape = replace(RECORDED, power=power, knee_bps=knee_bps)
        ratios = [math.log(goal / depth_within(offset, shape)) for offset, goal in goals.items()]
        return pstdev(ratios), math.exp(fmean(ratios))

    candidates = [(power / 50, knee / 4) for power in range(45, 101) for knee in range(4, 49)]
    power, knee_bps = min(candidates, key=lambda candidate: miss(*candidate)[0])
    return miss(power, knee_bps)[1], power, knee_bps


def _with_noise(shape: Shape, symbol: Symbol, mid: float, goals: dict[float, Goal]) -> tuple[Shape, float]:
    """Choose noise and scale with which modelled costs come nearest to the recorded, mean and spread."""

    def miss(noise: float, calm_bps: float, scale: float) -> float:
        found = model_costs(
            replace(symbol, depth_usd=symbol.depth_usd * scale),
            replace(shape, touch=shape.touch / scale, noise=noise, calm_bps=calm_bps),
            mid=mid,
            turmoil=1.0,
        )
        return sum(
            math.log(fmean(found[usd]) / goal.mean) ** 2
            + SPREAD_WEIGHT * math.log(pstdev(found[usd]) / goal.spread) ** 2
            for usd, goal in goals.items()
        )

    candidates = [
        (noise / 10, calm_bps, scale)
        for noise in range(15, 28, 2)
        for calm_bps in (0.5, 0.7, 1.0, 1.4, 2.0, 4.0)
        for scale in (0.95, 1.0, 1.05)
    ]
    noise, calm_bps, scale = min(candidates, key=lambda candidate: miss(*candidate))
    return replace(shape, touch=shape.touch / scale, noise=noise, calm_bps=calm_bps), scale


def book_half_life_s(half: Half) -> float:
    """Return how fast the depth that a large order meets comes back to its mean, over both sides."""
    ages = []
    for sign in (1, -1):
        one_sided = [_one_sided(sample, sign) for sample in half.samples]
        ages.append(half_life_s(known(one_sided)))
    return fmean(ages)


def _one_sided(sample: Sample, sign: int) -> float | None:
    return cost_bps(sample.side(sign), sample.mid, sign, LARGE_USD)


def arrivals_of(half: Half) -> Arrivals:
    """Return rate, clustering and sizes of the market orders."""
    logs = [math.log(trade.usd) for trade in half.trades]
    start_ms = half.samples[0].time_ms
    counts = [0] * math.ceil(half.length_s)
    for trade in half.trades:
        counts[min((trade.time_ms - start_ms) // 1_000, len(counts) - 1)] += 1
    rate = fmean(counts)
    excess = pstdev(counts) ** 2 - rate
    dispersion = rate**2 / excess if excess > 0 else math.inf
    return Arrivals(rate, dispersion, fmean(logs), pstdev(logs))
