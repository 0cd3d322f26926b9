"""The market orders of everybody else, drawn per second of market time, and only when somebody asks.

How many arrive in a second is negative binomial (Poisson with a gamma rate), and sizes are lognormal; both
grow with turmoil. The draws of one second come from a generator keyed by seed, symbol and second, so any
second can be drawn at any time, by itself. The same orders fill what rests in front of them (`matching`) and
make the tape.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from random import Random
from typing import NamedTuple

SECOND_MS = 1_000

# Fitted to the recorded trades by `calibration`, at a turmoil of 1 and for the largest market.
ARRIVALS_PER_S = 11.6
DISPERSION = 4.5  # shape of the gamma rate: variance = mean + mean ** 2 / shape
SIZE_LOG_MEAN = 7.47  # of the logarithm of a size in USDT
SIZE_LOG_SPREAD = 1.99
ARRIVALS_POWER = 0.7  # how arrivals and sizes grow with turmoil
SIZE_POWER = 1.0
MOST_ARRIVALS = 200


class MarketOrder(NamedTuple):
    """One order of the background: when (UTC ms), +1 for a buy and -1 for a sell, and its size in USDT."""

    time_ms: int
    sign: int
    usd: float


def orders_in(key: str, second: int, turmoil: float, scale: float) -> list[MarketOrder]:
    """Return the background's market orders of one second (UTC ms // 1000), in order of time.

    `scale` is the size of the market beside the largest one; sizes shrink with it, arrivals with its root.
    """
    seed = blake2b(f"{key}|{second}".encode(), digest_size=16).digest()
    draw = Random(int.from_bytes(seed))  # noqa: S311 - no secrets here
    mean = ARRIVALS_PER_S * turmoil**ARRIVALS_POWER * math.sqrt(scale)
    count = min(_poisson(draw, draw.gammavariate(DISPERSION, mean / DISPERSION)), MOST_ARRIVALS)
    buys = draw.uniform(0.25, 0.75)
    factor = math.sqrt(scale) * turmoil**SIZE_POWER
    times = sorted(draw.randrange(SECOND_MS) for _ in range(count))
    start_ms = second * SECOND_MS
    return [
        MarketOrder(
            start_ms + time_ms,
            1 if draw.random() < buys else -1,
            factor * math.exp(draw.gauss(SIZE_LOG_MEAN, SIZE_LOG_SPREAD)),
        )
        for time_ms in times
    ]


def mean_size_usd(scale: float) -> float:
    """Return the mean size of a market order in USDT at a turmoil of 1."""
    return math.sqrt(scale) * math.exp(SIZE_LOG_MEAN + SIZE_LOG_SPREAD**2 / 2)


def turnover_usd_per_s(turmoil: float, scale: float) -> float:
    """Return the mean turnover of all market orders, in USDT a second."""
    arrivals = ARRIVALS_PER_S * math.sqrt(scale) * math.pow(turmoil, ARRIVALS_POWER)
    return arrivals * mean_size_usd(scale) * math.pow(turmoil, SIZE_POWER)


def _poisson(draw: Random, mean: float) -> int:
    """Count the arrivals of a unit of time; the time between two is exponential."""
    count, passed = 0, draw.expovariate(mean)
    while passed < 1 and count < MOST_ARRIVALS:
        count += 1
        passed += draw.expovariate(mean)
    return count
