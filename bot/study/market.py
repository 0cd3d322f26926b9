"""What a slippage model may know of the market when a trade is made: the last 24 hours, never the future."""

from typing import NamedTuple

import numpy as np

from bot.core.units import DAY_MS
from bot.study.errors import BadParameterError
from bot.study.points import Points
from bot.study.prices import Prices
from bot.study.spec import Slippage


class Conditions(NamedTuple):
    """Daily volatility as a fraction, and daily volume in base units."""

    volatility_daily: float
    volume_daily: float


_UNKNOWN = Conditions(0.0, 0.0)


class Market:
    """Prices seen as the surroundings of a trade."""

    def __init__(self, prices: Prices, points: Points, slippage: Slippage | None) -> None:
        """Raise BadParameterError for a model that needs volumes which the prices do not have."""
        self._prices, self._closes = prices, points.closes
        self._day = max(2, DAY_MS // prices.bar_ms)
        if slippage is not None and slippage.needs_volume and prices.volume is None:
            raise BadParameterError(
                "slippage", "needs volumes, and the prices have none", "give prices with volume, or fixed bps"
            )

    def at(self, point: int) -> Conditions:
        """The conditions as known at a point, from the bars that have closed by then."""
        closed = point + 1 if self._closes is None else int(self._closes.searchsorted(point, side="right"))
        first = max(0, closed - self._day)
        if closed - first < 2:
            return _UNKNOWN
        returns = np.diff(np.log(self._prices.close[first:closed]))
        scale = self._day / (closed - first)
        volumes = self._prices.volume
        volume = 0.0 if volumes is None else float(volumes[first:closed].sum()) * scale
        return Conditions(float(np.sqrt(np.mean(returns**2) * self._day)), volume)
