"""Monte Carlo: policies over generated paths, in a time little above that of generating them.

Nothing is kept of a path but sums and a histogram of logarithmic NAV, which add up over paths: memory does
not grow with their number, and they may be split over any number of processes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from typing import Any

import numpy as np

from bot.core.strategy import Strategy
from bot.study import policies
from bot.study.errors import BadParameterError
from bot.study.funding import Funding
from bot.study.prices import Prices, Times
from bot.study.runs import clock_of, follow, policy_of, schedule_of, series
from bot.study.simulate import YEAR_MS, Garch, Gbm, Jumps, Model, Path, generator, paths
from bot.study.spec import Costs, FundSpec

MODELS: Mapping[str, type[Gbm | Garch | Jumps]] = {"gbm": Gbm, "garch": Garch, "jumps": Jumps}
START_MS = 1_577_836_800_000
"""2020-01-01: the first close of every path; schedules by the time of day need one."""

_BIN = 0.02
_NONE = np.empty(0)
_NO_TRADES = np.empty((0, 2))
_TARGETS = 256


@dataclass
class Tally:
    """Sums over the paths of one policy; two of them can be added. Growth is logarithmic, per year."""

    paths: int = 0
    dead: int = 0
    growth: float = 0.0
    growth_squared: float = 0.0
    nav: float = 0.0
    rebalances: float = 0.0
    turnover: float = 0.0
    costs: float = 0.0
    funding: float = 0.0
    histogram: dict[int, int] = field(default_factory=dict)

    def take(self, run: policies.Run, years: float) -> None:
        """Add one path."""
        self.paths += 1
        self.rebalances += run.rebalances / years
        self.turnover += run.turnover / years
        self.costs += (run.fees + run.slippage) / years
        self.funding += run.funding
        if run.dead_at >= 0:
            self.dead += 1
            return
        log_nav = float(np.log(run.value))
        self.nav += run.value
        self.growth += log_nav / years
        self.growth_squared += (log_nav / years) ** 2
        place = round(log_nav / _BIN)
        self.histogram[place] = self.histogram.get(place, 0) + 1

    def add(self, other: "Tally") -> None:
        """Add the paths of another."""
        for entry in fields(self):
            if entry.name != "histogram":
                setattr(self, entry.name, getattr(self, entry.name) + getattr(other, entry.name))
        for place, count in other.histogram.items():
            self.histogram[place] = self.histogram.get(place, 0) + count

    def figures(self) -> dict[str, float | None]:
        """Means over the paths.

        Growth over those that lived; quantiles of NAV to 2 %, death counting as 0.
        """
        lived = self.paths - self.dead
        growth = self.growth / lived if lived else None
        spread = self.growth_squared / lived - growth**2 if growth is not None else None
        return {
            "paths": float(self.paths),
            "dead": self.dead / self.paths,
            "growth_per_year": growth,
            "growth_deviation": None if spread is None else max(spread, 0.0) ** 0.5,
            "nav": self.nav / self.paths,
            **{f"nav_{share}": self._quantile(share / 100) for share in (5, 25, 50, 75, 95)},
            "rebalances_per_year": self.rebalances / self.paths,
            "turnover_per_year": self.turnover / self.paths,
            "costs_per_year": self.costs / self.paths,
            "funding": self.funding / self.paths,
        }

    def _quantile(self, share: float) -> float:
        wanted, seen = share * self.paths, self.dead
        if seen >= wanted and self.dead:
            return 0.0
        for place in sorted(self.histogram):
            seen += self.histogram[place]
            if seen >= wanted:
                return float(np.exp(place * _BIN))
        return 0.0

    def to_json(self) -> dict[str, Any]:
        """For a file; `tally_from` reads it."""
        return asdict(self)


def tally_from(stored: Mapping[str, Any]) -> Tally:
    """The tally that `to_json` wrote."""
    histogram = {int(place): count for place, count in stored["histogram"].items()}
    return Tally(**{**stored, "histogram": histogram})


def model_of(name: str, parameters: Mapping[str, float]) -> Model:
    """The model by its name. Raises BadParameterError, which names the parameter."""
    if name not in MODELS:
        raise BadParameterError("model", f"{name} is unknown", f"give {', '.join(MODELS)} or blocks")
    try:
        return MODELS[name](**parameters)
    except ValueError as error:
        raise BadParameterError("grid", f"model.{error}", "correct it") from error


def simulate(
    model: Model,
    funds: Sequence[tuple[FundSpec, Strategy, Costs]],
    bars: int,
    bar_ms: int,
    numbers: range,
    seed: int = 0,
) -> list[Tally]:
    """Run funds over the paths of these numbers, each path generated once for all of them; a tally per fund.

    Secret targets are independent uniform draws of each path. Raises ValueError for fewer than two bars.
    """
    compiled = [policy_of(fund, strategy, costs) for fund, strategy, costs in funds]
    times = _times(bars, bar_ms)
    clocks = [clock_of(schedule_of(strategy), times) for _, strategy, _ in funds]
    tallies = [Tally() for _ in funds]
    years = (bars - 1) * bar_ms / YEAR_MS
    drawn = any(low < high for low, high in (fund.target_range for fund, _, _ in funds))
    for path in paths(model, bars, bar_ms, numbers, seed):
        paid = np.flatnonzero(path.rates)
        rates = path.rates[paid]
        units = generator(seed, path.number, 1).random(_TARGETS) if drawn else np.zeros(1)
        for (fund, strategy, costs), policy, clock, tally in zip(
            funds, compiled, clocks, tallies, strict=True
        ):
            if policy is None:
                run = _by_engine(path, times, bar_ms, fund, strategy, costs)
            else:
                low, high = fund.target_range
                targets = low + (high - low) * units
                run = policies.run(
                    policy, path.closes, paid, rates, clock, times, targets, _NONE, _NONE, _NO_TRADES
                )
            tally.take(run, years)
    return tallies


@lru_cache(maxsize=1)
def _times(bars: int, bar_ms: int) -> Times:
    """When the bars of every path close; the tasks of a sweep share them."""
    return np.arange(START_MS, START_MS + bars * bar_ms, bar_ms, dtype=np.int64)


def _by_engine(
    path: Path, times: Times, bar_ms: int, fund: FundSpec, strategy: Strategy, costs: Costs
) -> policies.Run:
    paid = np.flatnonzero(path.rates)
    funding = Funding(times[paid], path.rates[paid]) if len(paid) else None
    found = follow(
        series(Prices(times, path.closes.copy(), bar_ms), funding), fund, strategy, costs, path.number
    )
    dead_at = -1 if found.dead_at is None else found.dead_at
    return policies.Run(
        found.value, found.count, found.turnover, found.fees, found.slippage, found.funding, dead_at
    )
