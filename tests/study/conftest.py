"""One comparison for all tests that look at one."""

import numpy as np
import pytest

from bot.study import Funding, Prices
from bot.study.compare import Comparison, Effort, compare
from bot.study.contenders import Terms
from bot.study.runs import Series, series
from bot.study.simulate import Jumps, paths

HOUR_MS = 3_600_000


@pytest.fixture(scope="session")
def market() -> Series:
    """Two months of hours with jumps, funding and volumes."""
    bars = 24 * 60
    path = next(paths(Jumps(0.9, jumps_per_year=60), bars, HOUR_MS, range(1), seed=1))
    times = 1_600_041_600_000 + np.arange(bars, dtype=np.int64) * HOUR_MS
    funding = Funding(times[7::8].copy(), np.full(len(times[7::8]), 0.0001))
    prices = Prices(times, path.closes * 100, HOUR_MS, volume=np.full(bars, 5_000.0))
    return series(prices, funding, "made-up.csv")


@pytest.fixture(scope="session")
def found(market: Series) -> Comparison:
    """Compared with little effort."""
    return compare(market, Terms(capital=1e6), Effort(target_seeds=3, starts=4, resamples=6))
