"""What a backtest found."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.study.metrics import YEAR_MS, Growth, Underlying, figures

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from bot.study.engine import Course, RebalanceRow
    from bot.study.points import Points
    from bot.study.prices import Prices, Times
    from bot.study.spec import FundSpec
    from bot.study.tables import Floats


@dataclass(frozen=True)
class Result:
    """One fund's course through one series; arrays have shape (bars,) and are made when first asked for.

    `final_value`, `fees` (paid), `funding` (received), `management_fees` and `slippage` (paid) are in the
    quote currency; `turnover` is the sum of traded notional / fund value before each trade; times are UTC ms.
    """

    fund: FundSpec
    prices: Prices
    final_nav: float
    final_value: float
    turnover: float
    fees: float
    funding: float
    management_fees: float
    slippage: float
    decisions: int
    dead: bool
    dead_at: int | None
    liquidated: bool
    warnings: tuple[str, ...]
    rebalances: tuple[RebalanceRow, ...]
    _course: Course = field(repr=False)
    _points: Points = field(repr=False)

    def __repr__(self) -> str:
        """What a notebook shows of it: the outcome, and not every bar."""
        died = ", dead" if self.dead else ""
        return (
            f"Result({self.fund.side} fund over {len(self.prices)} bars: NAV {self.final_nav:.6g}{died}, "
            f"{self.rebalance_count} rebalances, fees {self.fees:,.2f}, funding {self.funding:,.2f})"
        )

    @property
    def rebalance_count(self) -> int:
        """Number of rebalances."""
        return len(self.rebalances)

    @property
    def times_ms(self) -> Times:
        """UTC ms of each bar's close."""
        return self.prices.times_ms

    @cached_property
    def nav(self) -> Floats:
        """Net asset value per unit at each bar's close, after what happened there: value / capital."""
        close, capital, nav = self.prices.close, self.fund.capital, np.empty(len(self.prices))
        for start, stop, cash, position in self._stretches():
            part = nav[start:stop]
            np.multiply(close[start:stop], position / capital, out=part)
            part += cash / capital
        return nav

    @cached_property
    def value(self) -> Floats:
        """Fund value at each bar's close, after what happened there, in the quote currency."""
        return self.nav * self.fund.capital

    @cached_property
    def position(self) -> Floats:
        """Signed position in base units after each bar."""
        positions = np.empty(len(self.prices))
        for start, stop, _, position in self._stretches():
            positions[start:stop] = position
        return positions

    @cached_property
    def leverage(self) -> Floats:
        """Real leverage after each bar: abs(position) x close / fund value; NaN once the fund is dead."""
        found = self._signed_leverage()
        np.abs(found, out=found)
        if self.dead_at is not None:
            found[self.times_ms >= self.dead_at] = np.nan
        return found

    def _signed_leverage(self) -> Floats:
        """Position x close / fund value after each bar, negative for a short fund; 0 once it is dead."""
        close, found = self.prices.close, np.empty(len(self.prices))
        for start, stop, cash, position in self._stretches():
            part = found[start:stop]
            if position == 0:
                part[:] = 0.0
                continue
            np.divide(cash / position, close[start:stop], out=part)  # 1 / leverage = cash / exposure + 1
            part += 1.0
            np.divide(1.0, part, out=part)
        return found

    @cached_property
    def metrics(self) -> dict[str, float | None]:
        """Statistics of the course; bot/study/metrics.py says what each one is. Undefined is None.

        Where the path walks inside bars, the parts of growth are undefined: leverage changed between closes.
        """
        prices = self.prices
        years = float(prices.times_ms[-1] - prices.times_ms[0]) / YEAR_MS
        underlying = Underlying(prices.times_ms, prices.close)
        found = figures(underlying, self.nav, self._signed_leverage(), self.trade_costs)
        if self._points.closes is not None:
            found |= {f"growth_{part.name}": None for part in fields(Growth)}
        return {
            "rebalances_per_year": self.rebalance_count / years,
            "turnover_per_year": self.turnover / years,
            **{name: value for name, value in found.items() if value is None or isfinite(value)},
        }

    @property
    def trade_costs(self) -> Floats:
        """(bar, fee and slippage as a fraction of NAV before) of each rebalance, shape (rebalances, 2)."""
        rows, capital = self.rebalances, self.fund.capital
        bars = self.times_ms.searchsorted([row.time for row in rows])
        costs = np.array([row.fee + row.slippage for row in rows]) / capital
        return np.stack((bars, costs / (costs + self.nav[bars])), axis=1) if rows else np.empty((0, 2))

    def to_json(self) -> dict[str, Any]:
        """The object that `backtest --json` prints: numbers as floats, times as int, undefined is null."""
        return {
            "final_nav": self.final_nav,
            "final_value": self.final_value,
            "rebalance_count": self.rebalance_count,
            "turnover": self.turnover,
            "fees": self.fees,
            "funding": self.funding,
            "management_fees": self.management_fees,
            "slippage": self.slippage,
            "dead": self.dead,
            "dead_at": self.dead_at,
            "liquidated": self.liquidated,
            "warnings": list(self.warnings),
            "rebalances": [row._asdict() for row in self.rebalances],
            "metrics": self.metrics,
        }

    def plot(self) -> go.Figure:
        """NAV, and real leverage against the band, as a plotly figure."""
        from bot.study.plot import figure  # noqa: PLC0415 - plotly costs a second, and most runs draw nothing

        return figure(self)

    def _stretches(self) -> list[tuple[int, int, float, float]]:
        """(first bar, bar after the last, cash, position) of each stretch of bars with the same books."""
        changes = self._course.changes
        firsts = [change.point for change in changes]
        closes = self._points.closes
        if closes is not None:
            firsts = closes.searchsorted(firsts, side="left").tolist()
        stops = [*firsts[1:], len(self.prices)]
        return [
            (start, stop, change.cash, change.position)
            for start, stop, change in zip(firsts, stops, changes, strict=True)
            if start < stop
        ]
