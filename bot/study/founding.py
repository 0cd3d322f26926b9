"""The founding example: five days in which the article showed strategic against interval rebalancing.

The published chart of daily returns is not available. The path is ours; it fits every figure that the text
gives: a fund of 100 million at 2x whose exposure of 332 million goes to 465 million on the fifth day.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bot.core.units import DAY_MS
from bot.study.backtest import backtest
from bot.study.prices import Prices
from bot.study.spec import FundSpec
from strategies.interval import Interval
from strategies.strategic import Strategic

if TYPE_CHECKING:
    from bot.study.tables import Floats

RETURNS = (-0.05, 0.15, -0.10, 0.30, 0.30)
CAPITAL = 100e6
LEVERAGE = 2.0
START_MS = 1_588_291_200_000
"""2020-05-01, about when the article came out; nothing depends on it."""


class Founding(NamedTuple):
    """One value per day, the start first; exposures in the quote currency.

    `strategic_before` and `leverage_before` are those at the close before its trade, if any.
    """

    days: list[int]
    returns: list[float]
    interval_exposure: list[float]
    strategic_exposure: list[float]
    strategic_before: list[float]
    interval_leverage: list[float]
    strategic_leverage: list[float]
    leverage_before: list[float]
    interval_trades: int
    strategic_trades: int
    interval_nav: float
    strategic_nav: float


def founding() -> Founding:
    """Run both through the five days, without costs, with the engine that trades."""
    steps = np.array([1.0, *(1 + change for change in RETURNS)])
    closes: Floats = 10_000.0 * np.cumprod(steps)
    prices = Prices(START_MS + np.arange(6, dtype=np.int64) * DAY_MS, closes, DAY_MS)
    fund = FundSpec(target_range=(LEVERAGE, LEVERAGE), start_leverage=LEVERAGE, capital=CAPITAL)
    strategic = backtest(prices, fund, Strategic(confirmation_s=0.0))
    interval = backtest(prices, fund, Interval(target=LEVERAGE, move=0.0))
    before = strategic.position.copy()
    before[1:] = strategic.position[:-1]
    exposure_before = before * closes
    return Founding(
        days=list(range(6)),
        returns=list(RETURNS),
        interval_exposure=(interval.position * closes).tolist(),
        strategic_exposure=(strategic.position * closes).tolist(),
        strategic_before=exposure_before.tolist(),
        interval_leverage=interval.leverage.tolist(),
        strategic_leverage=strategic.leverage.tolist(),
        leverage_before=(exposure_before / strategic.value).tolist(),
        interval_trades=interval.rebalance_count,
        strategic_trades=strategic.rebalance_count,
        interval_nav=interval.final_nav,
        strategic_nav=strategic.final_nav,
    )
