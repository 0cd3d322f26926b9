"""The clocks of a simulation: the world's own, and the one on the daemon's wall, which may be off."""

import asyncio

EPOCH_MS = 1_800_000_000_000
"""UTC time at which every simulated world begins."""


def world_ms(loop: asyncio.AbstractEventLoop) -> int:
    """True time, which is the venue's."""
    return EPOCH_MS + round(loop.time() * 1000)


class SimulatedClock:
    """The daemon's wall clock, `off_ms` ahead of the venue's; its market lives in wall time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, off_ms: int = 0) -> None:
        """Read the time from `loop`."""
        self._loop = loop
        self._off_ms = off_ms

    def wall_ms(self) -> int:
        """Time by the clock on the wall."""
        return EPOCH_MS + self._off_ms + round(self._loop.time() * 1000)

    def market_ms(self) -> int:
        """The same."""
        return self.wall_ms()

    def advance(self, market_ms: int) -> None:
        """The wall's time passes by itself."""

    def compared(self, skew_ms: int) -> None:
        """It stays off, so that what follows from that can be seen."""

    @property
    def instants(self) -> bool:
        """Time passes between two marks."""
        return False
