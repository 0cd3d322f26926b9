"""The two clocks: wall time for signatures, windows and timeouts, market time for what is traded."""

import time
from typing import Protocol


def monotonic_s() -> float:
    """Seconds of a clock that nobody sets: for how long something has been so, and for timeouts."""
    return time.monotonic()


class Clock(Protocol):
    """Where events get their times from, both in milliseconds UTC."""

    def wall_ms(self) -> int:
        """Time by the clock on the wall."""
        ...

    def market_ms(self) -> int:
        """Time of the market: the wall's, except on a paper exchange, which keeps its own."""
        ...

    def advance(self, market_ms: int) -> None:
        """The venue stated a time of the market: no event that follows may carry an earlier one."""
        ...


class WallClock:
    """Testnet and live: the market lives in wall time."""

    def wall_ms(self) -> int:
        """Time by the clock on the wall."""
        return time.time_ns() // 1_000_000

    def market_ms(self) -> int:
        """The same."""
        return time.time_ns() // 1_000_000

    def advance(self, market_ms: int) -> None:
        """The wall's time passes by itself."""


class ExchangeClock:
    """Paper: market time is what the exchange last said it was, and never goes back."""

    def __init__(self, market_ms: int) -> None:
        self._market_ms = market_ms

    def wall_ms(self) -> int:
        """Time by the clock on the wall."""
        return time.time_ns() // 1_000_000

    def market_ms(self) -> int:
        """The latest time that the exchange stated."""
        return self._market_ms

    def advance(self, market_ms: int) -> None:
        """The exchange stated its time: by a mark, a trade, or the pacing endpoint."""
        self._market_ms = max(self._market_ms, market_ms)
