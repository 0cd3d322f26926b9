"""One fund through one series, by the compiled loop where it knows the strategy, else by the engine."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bot.core import draws
from bot.core.strategy import FundView, Rebalance, Strategy
from bot.core.units import DAY_MS
from bot.study import policies
from bot.study.backtest import backtest
from bot.study.calendar import calendar_of
from bot.study.errors import BadParameterError
from bot.study.funding import Funding, load_funding
from bot.study.metrics import Underlying, figures
from bot.study.points import points_of
from bot.study.prices import Prices, load_prices
from bot.study.spec import Costs, FixedSlippage, FundSpec, decimal
from bot.study.tables import STANDARD_INPUT
from strategies.corridor import Corridor
from strategies.interval import Interval, times_of_day_s
from strategies.recenter import Recenter
from strategies.strategic import Strategic

if TYPE_CHECKING:
    from bot.study.metrics import Floats, Times

_DRAWS = 64


@dataclass(frozen=True)
class Series:
    """Prices with the funding that falls due at them; arrays of shape (bars,) and (payments,)."""

    name: str
    prices: Prices
    funding: Funding | None
    funding_bars: "Times" = field(repr=False)
    funding_rates: "Floats" = field(repr=False)
    _clocks: dict[str, "Times"] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        """Number of bars."""
        return len(self.prices)

    @cached_property
    def underlying(self) -> Underlying:
        """The prices, as the metrics want them."""
        return Underlying(self.prices.times_ms, self.prices.close)

    @property
    def years(self) -> float:
        """From the first close to the last, in years of 365 days."""
        times = self.prices.times_ms
        return float(times[-1] - times[0]) / (365 * DAY_MS)

    def part(self, start: int, stop: int) -> "Series":
        """The bars from `start` to before `stop`, as a series of its own."""
        whole = self.prices
        prices = Prices(whole.times_ms[start:stop], whole.close[start:stop], whole.bar_ms)
        return series(prices, self.funding, self.name)

    def clock(self, at: str) -> "Times":
        """The bars at which instants of the schedule `at` ("HH:MM", comma-separated) fall due."""
        if at not in self._clocks:
            self._clocks[at] = clock_of(at, self.prices.times_ms)
        return self._clocks[at]


def clock_of(at: str, times_ms: "Times") -> "Times":
    """The first bar at or after each instant of the schedule `at`, from the first day on."""
    days = np.arange(times_ms[0] // DAY_MS, times_ms[-1] // DAY_MS + 1) * DAY_MS
    instants = np.add.outer(days, np.array(sorted(set(times_of_day_s(at))), dtype=np.int64) * 1000).ravel()
    bars = np.searchsorted(times_ms, instants)
    found: Times = np.unique(bars[bars < len(times_ms)])
    return found


def schedule_of(strategy: Strategy) -> str:
    """The UTC times of day at which a strategy trades; empty for one without."""
    return strategy.at if isinstance(strategy, Interval) else ""


def series(prices: Prices, funding: Funding | None, name: str = "") -> Series:
    """Put funding payments to the bars at whose close they are taken, by the rule of the engine."""
    calendar = calendar_of(prices, points_of(prices, "close"), funding, 0.0)
    bars = np.array([happening.point for happening in calendar.happenings], dtype=np.int64)
    rates = np.array([happening.rate for happening in calendar.happenings])
    return Series(name, prices, funding, bars, rates)


def load_series(prices: str, funding: str | None) -> Series:
    """Load a series from files, named by the file of its prices. Raises PriceError."""
    if prices == funding == STANDARD_INPUT:
        raise BadParameterError(
            "funding", "is standard input, like the prices", "name a file for one of them"
        )
    loaded = load_prices(prices)
    return series(loaded, load_funding(funding) if funding else None, Path(loaded.source).name)


def load_all(prices: Sequence[str], funding: Sequence[str]) -> list[Series]:
    """Load several series; the n-th funding file belongs to the n-th file of prices, the rest have none.

    Raises PriceError, and BadParameterError for more files of funding than of prices.
    """
    if len(funding) > len(prices):
        raise BadParameterError("funding", "has more files than --data", "give one for each series at most")
    if [*prices, *funding].count(STANDARD_INPUT) > 1:
        raise BadParameterError("data", "is standard input more than once", "name files")
    return [
        load_series(file, funding[place] if place < len(funding) else None)
        for place, file in enumerate(prices)
    ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fund came to, in units of its capital; arrays of shape (bars,), `trades` of shape (trades, 2).

    `nav` is 1 at the start; `leverage` is signed, after the bar's trade; a trade is its bar and its cost as a
    fraction of NAV before it.
    """

    value: float
    count: int
    turnover: float
    fees: float
    slippage: float
    funding: float
    dead_at: int | None
    nav: "Floats"
    leverage: "Floats"
    trades: "Floats"

    def figures(self, series: Series) -> dict[str, float | None]:
        """The metrics of the course, its totals, and its rates per year."""
        years = series.years
        return {
            "nav": self.value,
            "rebalances": float(self.count),
            "rebalances_per_year": self.count / years,
            "turnover_per_year": self.turnover / years,
            "fees": self.fees,
            "slippage": self.slippage,
            "funding": self.funding,
            "dead": float(self.dead_at is not None),
            **figures(series.underlying, self.nav, self.leverage, self.trades),
        }


def policy_of(fund: FundSpec, strategy: Strategy, costs: Costs) -> policies.Policy | None:
    """The compiled form of this fund under this strategy; None where only the engine can run it."""
    slippage = costs.slippage
    if fund.management_fee_daily or fund.brackets or not isinstance(slippage, FixedSlippage | None):
        return None
    lower, upper = (float(edge) for edge in fund.band)
    emergency = fund.emergency_for(strategy)
    target = move = speed = every_ms = 0.0
    if isinstance(strategy, Strategic) and not strategy.confirmation_s:
        kind = policies.BAND
    elif isinstance(strategy, Interval):
        kind, target, move = policies.CLOCK, strategy.target, strategy.move
        if fund.emergency_for(strategy) < strategy.max_leverage:
            return None
        emergency = strategy.max_leverage
    elif isinstance(strategy, Recenter):
        kind, target = policies.STEP, strategy.target or sum(fund.target_range) / 2
        speed, every_ms = strategy.speed, strategy.every_s * 1000
    elif isinstance(strategy, Corridor):
        kind, target = policies.EDGE, strategy.target
        lower, upper = _edges(fund, strategy)
    else:
        return None
    return policies.Policy(
        kind=kind,
        sign=fund.sign,
        lower=lower,
        upper=upper,
        emergency=float(emergency),
        start_leverage=float(fund.start_leverage),
        fee=costs.fee_bps / 1e4,
        slip=slippage.bps / 1e4 if slippage else 0.0,
        lot=(fund.lot or 0.0) / fund.capital,
        min_notional=fund.min_notional / fund.capital,
        target=float(target),
        move=float(move),
        speed=float(speed),
        every_ms=float(every_ms),
    )


def _edges(fund: FundSpec, strategy: Corridor) -> tuple[float, float]:
    """Where the corridor ends, by its own word: what it answers to a leverage far below and far above."""
    view = FundView(0.0, fund.side, 1.0, 0.0, fund.band, fund.target_range, 0.0, 1.0)
    below, above = (strategy.decide(replace(view, real_leverage=leverage)) for leverage in (0.0, 1e6))
    lower = below.low if isinstance(below, Rebalance) else 0.0
    return lower, above.low if isinstance(above, Rebalance) else inf


def targets_of(fund: FundSpec, policy: policies.Policy, seed: int, count: int = _DRAWS) -> "Floats":
    """The first `count` secret targets of a fund: the core's public law on the engine's draws."""
    low, high = (decimal(edge) for edge in fund.target_range)
    if low == high or policy.kind != policies.BAND:
        return np.array([float(low)])  # nothing is drawn
    units = _units(sha256(f"inband|{seed}|key|{fund.name or fund.side}".encode()).hexdigest(), count)
    return np.array([float(draws.target(u, low, high)) for u in units])


@lru_cache(maxsize=1024)
def _units(key: str, count: int) -> tuple[str, ...]:
    return tuple(f"{draws.unit(key, 'band', number + 1):.18f}" for number in range(count))


def follow(series: Series, fund: FundSpec, strategy: Strategy, costs: Costs, seed: int = 0) -> Outcome:
    """Run a fund through a series. Raises StudyError as `backtest` does."""
    fund.check(strategy)
    policy = policy_of(fund, strategy, costs)
    if policy is None:
        return by_engine(series, fund, strategy, costs, seed)
    clock = series.clock(schedule_of(strategy))
    bars = len(series)
    nav, leverage, trades = np.empty(bars), np.empty(bars), np.empty((bars, 2))
    draws_wanted = _DRAWS
    while True:
        found = policies.run(
            policy,
            series.prices.close,
            series.funding_bars,
            series.funding_rates,
            clock,
            series.prices.times_ms,
            targets_of(fund, policy, seed, draws_wanted),
            nav,
            leverage,
            trades,
        )
        if policy.kind != policies.BAND or found.rebalances <= draws_wanted:
            break
        draws_wanted *= 8
    return Outcome(
        value=found.value,
        count=found.rebalances,
        turnover=found.turnover,
        fees=found.fees,
        slippage=found.slippage,
        funding=found.funding,
        dead_at=None if found.dead_at < 0 else found.dead_at,
        nav=nav,
        leverage=leverage,
        trades=trades[: found.rebalances].copy(),
    )


def by_engine(series: Series, fund: FundSpec, strategy: Strategy, costs: Costs, seed: int) -> Outcome:
    """The same as `follow`, always by the engine."""
    result = backtest(series.prices, fund, strategy, funding=series.funding, costs=costs, seed=seed)
    times = series.prices.times_ms
    return Outcome(
        value=result.final_nav,
        count=result.rebalance_count,
        turnover=result.turnover,
        fees=result.fees / fund.capital,
        slippage=result.slippage / fund.capital,
        funding=result.funding / fund.capital,
        dead_at=None if result.dead_at is None else int(np.searchsorted(times, result.dead_at)),
        nav=result.nav,
        leverage=np.nan_to_num(result.leverage) * fund.sign,
        trades=result.trade_costs,
    )
