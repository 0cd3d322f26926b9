"""The two clocks: wall time for signatures, windows and timeouts, market time for what is traded."""

import time
from collections.abc import Callable
from typing import Protocol

_WORTH_CORRECTING_MS = 250
"""A comparison is as exact as an answer is quick."""


def monotonic_s() -> float:
    """Seconds of a clock that nobody sets: for how long something has been so, and for timeouts."""
    return time.monotonic()


def _system_ms() -> int:
    return time.time_ns() // 1_000_000


def _steady_ms() -> int:
    """Milliseconds since the machine was started, the time in which it was suspended included."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1_000_000


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

    def compared(self, skew_ms: int) -> None:
        """The system's clock was compared with the venue's, and is ahead of it by so much."""
        ...

    @property
    def instants(self) -> bool:
        """Whether the market moves in instants, and every one of them has a mark of its very time."""
        ...


class WallClock:
    """Testnet and live: the market lives in wall time, as this clock keeps it.

    The system's clock may be set at any time, by hours. A deadline of an order that jumps with it is no
    deadline, and a slice that waits for it waits for hours. So time is the system's at the start, and passes
    steadily from there, also while the machine is suspended; only the venue corrects it.
    """

    def __init__(
        self, system_ms: Callable[[], int] = _system_ms, steady_ms: Callable[[], int] = _steady_ms
    ) -> None:
        """`system_ms` may jump, `steady_ms` never does: it counts from anywhere."""
        self._system_ms = system_ms
        self._steady_ms = steady_ms
        self._began_ms = system_ms() - steady_ms()

    def wall_ms(self) -> int:
        """Time by a clock on the wall that nobody sets."""
        return self._began_ms + self._steady_ms()

    def market_ms(self) -> int:
        """The same."""
        return self._began_ms + self._steady_ms()

    def advance(self, market_ms: int) -> None:
        """The wall's time passes by itself."""

    def compared(self, skew_ms: int) -> None:
        """Go by the venue's time, unless ours is as near to it as a comparison can tell."""
        ahead_ms = self.wall_ms() - (self._system_ms() - skew_ms)
        if abs(ahead_ms) > _WORTH_CORRECTING_MS:
            self._began_ms -= ahead_ms

    @property
    def instants(self) -> bool:
        """Time passes between two marks; the latest one is the mark of every time until the next."""
        return False


class ExchangeClock:
    """Paper: market time is what the exchange last said it was, and never goes back."""

    def __init__(self, market_ms: int) -> None:
        self._market_ms = market_ms

    def wall_ms(self) -> int:
        """Time by the clock on the wall."""
        return _system_ms()

    def market_ms(self) -> int:
        """The latest time that the exchange stated."""
        return self._market_ms

    def advance(self, market_ms: int) -> None:
        """The exchange stated its time: by a mark, a trade, or the pacing endpoint."""
        self._market_ms = max(self._market_ms, market_ms)

    def compared(self, skew_ms: int) -> None:
        """Market time is what the exchange states."""

    @property
    def instants(self) -> bool:
        """The exchange tells a mark of each time at which anything happens (docs/exchange.md)."""
        return True
