"""Small series and funds for tests: one bar a minute from a round hour unless said otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.core.strategy import Decision, FundView, Hold, Rebalance
from bot.study import Funding, Prices, from_arrays

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
MIDNIGHT_MS = 1_600_041_600_000
"""00:00 UTC of a day."""


def closes(*prices: float, start_ms: int = MIDNIGHT_MS, bar_ms: int = MINUTE_MS) -> Prices:
    """Bars with these closes; the first *closes* at `start_ms`."""
    times = start_ms - bar_ms + bar_ms * np.arange(len(prices), dtype=np.int64)
    return from_arrays(times, np.array(prices, dtype=np.float64))


def bars(*rows: tuple[float, float, float, float], volume: float | None = None) -> Prices:
    """Bars of one minute from (open, high, low, close); the first opens at MIDNIGHT_MS."""
    opened, high, low, close = np.array(rows, dtype=np.float64).T
    times = MIDNIGHT_MS + MINUTE_MS * np.arange(len(rows), dtype=np.int64)
    volumes = None if volume is None else np.full(len(rows), volume)
    return from_arrays(times, close, open=opened, high=high, low=low, volume=volumes)


def payments(*items: tuple[int, float]) -> Funding:
    """Funding from (UTC ms, rate)."""
    times, rates = zip(*items, strict=True)
    return Funding(
        np.array(times, dtype=np.int64) // MINUTE_MS * MINUTE_MS, np.array(rates, dtype=np.float64)
    )


def random_walk(seed: int, steps: int, size: float, start: float = 100.0) -> Sequence[float]:
    """A walk whose logarithm moves by `size` a step."""
    rng = np.random.default_rng(seed)
    walk: list[float] = (start * np.exp(np.cumsum(rng.normal(0, size, steps)))).tolist()
    return walk


@dataclass(frozen=True)
class Stubborn:
    """Holds, whatever happens."""

    def decide(self, view: FundView) -> Decision:  # noqa: ARG002 - it does not look
        """Hold for ever."""
        return Hold(0.0, float("inf"))


@dataclass(frozen=True)
class Always:
    """Back to one leverage at every bar."""

    target: float

    def decide(self, view: FundView) -> Decision:  # noqa: ARG002 - it does not look
        """Rebalance."""
        return Rebalance(self.target, self.target, "prompt", "always")
