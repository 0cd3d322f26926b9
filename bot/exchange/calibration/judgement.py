"""Judging the model on the second half of a recording: over all of it, by the minute, and at moments.

A cost of the model is its mean at the volatility observed in the 30 s before. The cost of the recorded book
scatters from second to second, so that a mean has a standard error, shown beside its judgement, and no mean
meets a single moment. There the model is judged by its range: of the books it draws at that volatility, four
in five lie within it, and so should four in five of the recorded. The yardstick for moments is the recorded
book itself: how often its cost of so many seconds before is within the tolerance. A window has three: the
mean of the first half, that of as long a window before, and how often a model that knew the expected cost
exactly would pass, as the recorded mean strays from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, quantiles
from typing import TYPE_CHECKING

from bot.exchange.background import RECORDED, WILD
from bot.exchange.calibration.fit import known, recorded_costs
from bot.exchange.calibration.measures import PER_SECOND, SIZES_USD, mean_cost, model_costs, standard_error
from bot.exchange.calibration.recording import MILLION
from bot.exchange.flow import (
    ARRIVALS_PER_S,
    ARRIVALS_POWER,
    DISPERSION,
    SIZE_LOG_MEAN,
    SIZE_LOG_SPREAD,
    SIZE_POWER,
)
from bot.exchange.volatility import NORMAL_BPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.exchange.calibration.fit import Half
    from bot.exchange.catalog import Symbol

TOLERANCE = 0.15
JUDGED_USD = (0.1 * MILLION, 1.0 * MILLION, 20.0 * MILLION)
MINUTE_S, HALF_MINUTE_S = 60, 30
MOMENTS = 12
TURMOIL_STEPS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.5, WILD, 3.5, 4.0, 5.6)
JUDGED_ROUNDS = 16  # of books; the mean cost of 0.1 M is then known to 0.7 %
EARLIER_S = (5, 30)


@dataclass(frozen=True, slots=True)
class CostRow:
    """Mean cost of one size over a stretch of the second half, in seconds since the snapshot; costs in bps.

    `noise`: standard error of the recorded mean over that mean. `reached`: the share of books deep enough.
    `first_half_bps` and `before_bps`: the recorded means of the first half and of as long a stretch before.
    """

    usd: float
    from_s: float
    to_s: float
    recorded_bps: float
    modelled_bps: float
    noise: float
    reached: float
    first_half_bps: float
    before_bps: float

    @property
    def error(self) -> float:
        """How far the model is off, as a share."""
        return self.modelled_bps / self.recorded_bps - 1

    @property
    def first_half_error(self) -> float:
        """How far off one would be who takes the costs of the first half for those of all time."""
        return self.first_half_bps / self.recorded_bps - 1

    @property
    def before_error(self) -> float:
        """How far off one would be who sees the book itself, until the stretch begins."""
        return self.before_bps / self.recorded_bps - 1

    @property
    def exact_chance(self) -> float:
        """The chance that a model passes here that knows the expected cost; the recorded mean is not that."""
        return math.erf(TOLERANCE / self.noise / math.sqrt(2)) if self.noise else 1.0

    @property
    def passes(self) -> bool:
        """Whether it is within the tolerance."""
        return is_near(self.error)

    @property
    def is_told(self) -> bool:
        """Whether it misses the tolerance by more than the recorded mean may itself be off."""
        return abs(self.error) > TOLERANCE + self.noise


@dataclass(frozen=True, slots=True)
class Range:
    """The costs of the books that the model draws, in bps: mean, and the range of four in five."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, costs: Sequence[float]) -> Range:
        """Measure costs."""
        tenths = quantiles(costs, n=10, method="inclusive")
        return cls(fmean(costs), tenths[0], tenths[-1])

    def towards(self, other: Range, share: float) -> Range:
        """Return what lies `share` of the way to another."""
        pairs = ((self.mean, other.mean), (self.low, other.low), (self.high, other.high))
        return Range(*(a * (1 - share) + b * share for a, b in pairs))

    def holds(self, cost: float) -> bool:
        """Whether a cost lies within it."""
        return self.low <= cost <= self.high


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment of the second half: ms since the snapshot, turmoil, by size what was and what is drawn."""

    time_ms: int
    turmoil: float
    costs: dict[str, tuple[float | None, Range]]


@dataclass(frozen=True, slots=True)
class Scatter:
    """All moments of the second half, as shares of them.

    `inside`: within the range of four in five of the model's books. `model`: within the tolerance of the
    model's mean. `earlier`: within the tolerance of the recorded cost so many seconds before.
    """

    usd: float
    inside: float
    model: float
    earlier: dict[int, float]


class Judge:
    """Compares a model with the second half."""

    def __init__(self, symbol: Symbol, first: Half, half: Half) -> None:
        self._half = half
        self._earlier = recorded_costs(first.samples)
        self._turmoil = [value / NORMAL_BPS for value in half.volatility]
        self._recorded = recorded_costs(half.samples)
        mid = half.samples[0].mid
        self._steps: list[dict[float, Range]] = []
        for step in TURMOIL_STEPS:
            costs = model_costs(symbol, RECORDED, mid=mid, turmoil=step, rounds=JUDGED_ROUNDS)
            self._steps.append({usd: Range.of(_of_both_sides(found)) for usd, found in costs.items()})
        self._modelled = {usd: [self._at(usd, turmoil) for turmoil in self._turmoil] for usd in SIZES_USD}

    def _at(self, usd: float, turmoil: float) -> Range:
        """Return the model's costs at a turmoil, straight between the steps."""
        turmoil = min(max(turmoil, TURMOIL_STEPS[0]), TURMOIL_STEPS[-1])
        place = max(i for i, step in enumerate(TURMOIL_STEPS[:-1]) if step <= turmoil)
        low, high = TURMOIL_STEPS[place], TURMOIL_STEPS[place + 1]
        return self._steps[place][usd].towards(self._steps[place + 1][usd], (turmoil - low) / (high - low))

    def whole(self) -> tuple[CostRow, ...]:
        """Judge the mean cost of each size over the half."""
        return tuple(self._row(usd, 0, len(self._half.samples)) for usd in SIZES_USD)

    def windows(self, length_s: int) -> tuple[CostRow, ...]:
        """Judge the mean costs of the judged sizes in windows of about `length_s`, none left out."""
        count = len(self._half.samples)
        windows = max(1, round(count / PER_SECOND / length_s))
        edges = [round(place * count / windows) for place in range(windows + 1)]
        return tuple(self._row(usd, start, end) for usd in JUDGED_USD for start, end in pairwise(edges))

    def _row(self, usd: float, start: int, end: int) -> CostRow:
        costs = self._recorded[usd][start:end]
        found = known(costs)
        modelled = [
            model.mean
            for cost, model in zip(costs, self._modelled[usd][start:end], strict=True)
            if cost is not None
        ]
        times = [self._half.samples[place].time_ms / 1_000 for place in (start, end - 1)]
        recorded = fmean(found)
        noise = standard_error(found) / recorded
        earlier = self._earlier[usd]
        before = (earlier + self._recorded[usd][:start])[start - end :]
        return CostRow(
            usd,
            times[0],
            times[1],
            recorded,
            fmean(modelled),
            noise,
            reached=len(found) / len(costs),
            first_half_bps=fmean(known(earlier)),
            before_bps=fmean(known(before)),
        )

    def moments(self) -> tuple[Moment, ...]:
        """Compare at moments evenly over the half."""
        count = len(self._half.samples)
        return tuple(self._moment(round((place + 0.5) * count / MOMENTS)) for place in range(MOMENTS))

    def _moment(self, place: int) -> Moment:
        sample = self._half.samples[place]
        costs = {
            f"{usd / MILLION:g}M": (mean_cost(sample, usd), self._modelled[usd][place]) for usd in JUDGED_USD
        }
        return Moment(sample.time_ms, self._turmoil[place], costs)

    def scatter(self, usd: float) -> Scatter:
        """Tell how well single moments are met, and how well they could be."""
        recorded, modelled = self._recorded[usd], self._modelled[usd]
        pairs = [(cost, model) for cost, model in zip(recorded, modelled, strict=True) if cost is not None]
        earlier = {}
        for lag_s in EARLIER_S:
            lagged = zip(recorded[lag_s * PER_SECOND :], recorded, strict=False)
            earlier[lag_s] = fmean(
                is_near(old / new - 1) for new, old in lagged if new is not None and old is not None
            )
        return Scatter(
            usd,
            inside=fmean(model.holds(cost) for cost, model in pairs),
            model=fmean(is_near(model.mean / cost - 1) for cost, model in pairs),
            earlier=earlier,
        )

    def arrivals(self) -> dict[str, float]:
        """Return what the model's market orders would have been."""
        return {
            "per_s": ARRIVALS_PER_S * fmean(turmoil**ARRIVALS_POWER for turmoil in self._turmoil),
            "dispersion": DISPERSION,
            "log_mean": SIZE_LOG_MEAN + SIZE_POWER * fmean(map(math.log, self._turmoil)),
            "log_spread": SIZE_LOG_SPREAD,
        }


def is_near(error: float) -> bool:
    """Whether an error, as a share, is within the tolerance."""
    return abs(error) <= TOLERANCE


def _of_both_sides(costs: Sequence[float]) -> list[float]:
    """Return the means of buying and selling; `costs` has both of each book in turn."""
    return [(buy + sell) / 2 for buy, sell in zip(costs[::2], costs[1::2], strict=True)]
