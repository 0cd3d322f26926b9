"""Figures of a course against that of its underlying: returns, risk, tracking, and what growth is made of.

Everything here takes arrays of one value per bar: `times_ms` (closes, int64), `prices` (closes of the
underlying), `nav`, `leverage` (real leverage after the bar's trade, signed: negative for a short fund).
Returns are simple returns unless called logarithmic; yearly figures take a year of 365 days. A figure that is
undefined (a single day, no movement) is None, never a number.
"""

import math
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bot.core.units import DAY_MS

Floats: TypeAlias = NDArray[np.float64]
Times: TypeAlias = NDArray[np.int64]

DAYS_PER_YEAR = 365.0
YEAR_MS = DAY_MS * DAYS_PER_YEAR


@dataclass(frozen=True)
class Underlying:
    """The underlying of any number of courses; what they share is worked out once."""

    times_ms: Times
    prices: Floats

    @cached_property
    def returns(self) -> Floats:
        """Simple returns [bars - 1]."""
        return simple_returns(self.prices)

    @cached_property
    def logs(self) -> Floats:
        """Logarithmic returns [bars - 1]."""
        return np.log1p(self.returns)

    @cached_property
    def day_ends(self) -> Times:
        """The first bar, and the bars at which UTC days end: each the last close at or before midnight.

        A part of a day counts as one; a day without a close is joined to the next.
        """
        midnights = np.arange(self.times_ms[0] // DAY_MS + 1, self.times_ms[-1] // DAY_MS + 1) * DAY_MS
        rows = np.searchsorted(self.times_ms, midnights, side="right") - 1
        return np.unique(np.concatenate(([0], rows, [len(self.times_ms) - 1])))

    def daily(self, values: Floats) -> Floats:
        """Simple returns of a series of one value per bar, from midnight to midnight."""
        return simple_returns(values[self.day_ends])

    @cached_property
    def daily_returns(self) -> Floats:
        """Those of the underlying itself."""
        return self.daily(self.prices)

    def until(self, bars: int) -> "Underlying":
        """The first `bars` bars."""
        return self if bars == len(self.prices) else Underlying(self.times_ms[:bars], self.prices[:bars])


def annual_volatility(returns: Floats, per_year: float = DAYS_PER_YEAR) -> float | None:
    """Standard deviation of returns (n - 1), times the root of the periods per year."""
    return float(np.std(returns, ddof=1) * per_year**0.5) if len(returns) > 1 else None


def max_drawdown(nav: Floats) -> float:
    """The deepest fall below an earlier high, as a negative fraction; 0 if there was none."""
    highs = np.maximum.accumulate(nav)
    return float(np.min(nav / highs - 1.0))


def correlation(fund: Floats, underlying: Floats) -> float | None:
    """Pearson's; None if either did not move."""
    if len(fund) < 2 or np.ptp(fund) == 0 or np.ptp(underlying) == 0:
        return None
    own, other = fund - fund.mean(), underlying - underlying.mean()
    return _product(own, other) / math.sqrt(_product(own, own) * _product(other, other))


def beta(fund: Floats, underlying: Floats) -> float | None:
    """Slope of the fund's returns on the underlying's (least squares)."""
    if len(fund) < 2 or np.ptp(underlying) == 0:
        return None
    other = underlying - underlying.mean()
    return _product(fund, other) / _product(other, other)


def tracking_error(
    fund: Floats, underlying: Floats, leverage: float, per_year: float = DAYS_PER_YEAR
) -> float | None:
    """Annual standard deviation of what the fund's return differs from `leverage` times the underlying's."""
    return annual_volatility(fund - leverage * underlying, per_year)


@dataclass(frozen=True, slots=True)
class Growth:
    """Where logarithmic growth came from; the parts add up to `total` exactly.

    With x the logarithmic return of a bar, r its simple return, l the leverage held over it and m the mean
    leverage (weighted by r²), ln(1 + l r) = l x + drag(l), and drag(l) is nearly (l - l²) r² / 2 (reference:
    Avellaneda and Zhang 2010, of which this is the exact form for one bar):

    `level`: sum of m x, the price change at the mean leverage. `level_drag`: sum of drag(m), what a fund held
    at exactly the mean leverage by trading at every bar would have lost to volatility. `variation_drag`: sum
    of drag(l) - drag(m), nearly minus half the variance of leverage times that of returns, hence never a gain
    for long. `path`: sum of (l - m) x: whether leverage was high when the price went the fund's way.
    `funding` (with management fees) and `fees` (with slippage): logarithm of what each left of fund value.
    """

    total: float
    level: float
    level_drag: float
    variation_drag: float
    path: float
    funding: float
    fees: float


def growth(
    underlying: Underlying, nav: Floats, leverage: Floats, trades: NDArray[np.float64]
) -> Growth | None:
    """Split the growth of a fund; `trades` [trades, 2] are (bar, cost as a fraction of NAV before it).

    None for a fund that died, or where a bar moved so far that the mean leverage would not have survived it.
    """
    if len(nav) < 2 or not np.all(nav > 0):
        return None
    simple, logs, held = underlying.returns, underlying.logs, leverage[:-1]
    weight = _product(simple, simple)
    mean = _product(held, simple * simple) / weight if weight > 0 else float(held.mean())
    steps = held * simple
    if min(float((mean * simple).min()), float(steps.min())) <= -1.0:
        return None
    priced = float(np.log1p(steps).sum())
    price_change = float(logs.sum())
    at_mean = float(np.log1p(mean * simple).sum())
    held_change = _product(held, logs)
    total = float(np.log(nav[-1] / nav[0]))
    fees = float(np.log1p(-trades[:, 1]).sum())
    return Growth(
        total=total,
        level=mean * price_change,
        level_drag=at_mean - mean * price_change,
        variation_drag=(priced - held_change) - (at_mean - mean * price_change),
        path=held_change - mean * price_change,
        funding=total - priced - fees,
        fees=fees,
    )


@dataclass(frozen=True, slots=True)
class Course:
    """Figures of one course; fractions, per year where named so. Exposure is in units of the capital."""

    days: float
    total_return: float
    growth_per_year: float | None
    mean_daily_return: float | None
    best_day: float | None
    worst_day: float | None
    volatility: float | None
    max_drawdown: float
    correlation: float | None
    beta: float | None
    mean_leverage: float
    leverage_deviation: float
    lowest_leverage: float
    highest_leverage: float
    mean_exposure: float
    tracking_error: float | None
    daily_exposure_change: float | None


def course(underlying: Underlying, nav: Floats, leverage: Floats) -> Course:
    """Measure a course. One that ends in death is measured up to the last bar before, its return is -1.

    One that dies at its first bar is measured there.

    `growth_per_year` is logarithmic, and undefined for a fund that died. `tracking_error` is against the
    fund's own mean leverage, from daily returns. `leverage_deviation` is the standard deviation of leverage
    over time; `daily_exposure_change` the mean size of a day's relative change of the fund's exposure.
    """
    died = not nav[-1] > 0
    alive = max(1, int(np.argmax(nav <= 0))) if died else len(nav)
    underlying, nav, leverage = underlying.until(alive), nav[:alive], leverage[:alive]
    own, other = underlying.daily(nav), underlying.daily_returns
    size = np.abs(leverage)
    mean = float(leverage.mean())
    years = float(underlying.times_ms[-1] - underlying.times_ms[0]) / YEAR_MS
    exposure = (size * nav)[underlying.day_ends]
    moved = len(exposure) > 1 and exposure.min() > 0
    return Course(
        days=years * DAYS_PER_YEAR,
        total_return=-1.0 if died else float(nav[-1] / nav[0] - 1),
        growth_per_year=float(np.log(nav[-1] / nav[0])) / years if years > 0 and not died else None,
        mean_daily_return=float(own.mean()) if len(own) else None,
        best_day=float(own.max()) if len(own) else None,
        worst_day=float(own.min()) if len(own) else None,
        volatility=annual_volatility(own),
        max_drawdown=-1.0 if died else max_drawdown(nav),
        correlation=correlation(own, other),
        beta=beta(own, other),
        mean_leverage=mean,
        leverage_deviation=float(leverage.std()),
        lowest_leverage=float(size.min()),
        highest_leverage=float(size.max()),
        mean_exposure=_product(size, nav) / len(nav),
        tracking_error=tracking_error(own, other, mean),
        daily_exposure_change=float(np.abs(simple_returns(exposure)).mean()) if moved else None,
    )


def figures(
    underlying: Underlying, nav: Floats, leverage: Floats, trades: NDArray[np.float64]
) -> dict[str, float | None]:
    """Every figure of `Course`, and those of `Growth` with "growth_" before their names.

    `leverage` is signed; `trades` has shape (trades, 2): bar, and cost as a fraction of NAV before.
    """
    found: dict[str, float | None] = asdict(course(underlying, nav, leverage))
    split = growth(underlying, nav, leverage, trades)
    for entry in fields(Growth):
        found[f"growth_{entry.name}"] = None if split is None else getattr(split, entry.name)
    return found


def _product(left: Floats, right: Floats) -> float:
    """Scalar product without BLAS, whose threads cost more than they save at this size."""
    return float((left * right).sum())


def simple_returns(values: Floats) -> Floats:
    """Relative change from each value to the next."""
    return values[1:] / values[:-1] - 1.0
