"""What a backtest found."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

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
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.abs(self.position) * self.prices.close / self.value
        if self.dead_at is not None:
            found[self.times_ms >= self.dead_at] = np.nan
        return found

    @cached_property
    def metrics(self) -> dict[str, float | None]:
        """Statistics of the course (bot/study/metrics.py says what each one is)."""
        return {}

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
