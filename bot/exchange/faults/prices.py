"""Price paths, funding rates and the basis with faults in them. Pure: functions of time, as what they wrap.

Windows are market time in UTC ms, from the first instant to the one before the last; no end means for good.
"""

from __future__ import annotations

import math
from copy import copy
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bot.exchange.prices import FundingSource, PricePath
    from bot.exchange.prices.basis import BasisSource


class Window(NamedTuple):
    """From when to when something holds."""

    from_ms: int
    until_ms: float = math.inf

    def holds(self, time_ms: int) -> bool:
        """Whether it holds at a time."""
        return self.from_ms <= time_ms < self.until_ms


class DistortedPath:
    """A price path with gaps and frozen stretches."""

    def __init__(self, path: PricePath) -> None:
        self._path = path
        self._gaps: list[tuple[Window, Decimal]] = []
        self._frozen: list[Window] = []
        self._others: list[Window] = []

    def __copy__(self) -> DistortedPath:
        """Return a path with its own place in what it wraps, and the same faults, those to come included."""
        twin = DistortedPath(copy(self._path))
        twin._gaps, twin._frozen, twin._others = self._gaps, self._frozen, self._others
        return twin

    @property
    def start_ms(self) -> int:
        """As the path's."""
        return self._path.start_ms

    @property
    def end_ms(self) -> int | None:
        """As the path's."""
        return self._path.end_ms

    def gap(self, window: Window, bps: float) -> None:
        """Move the price by `bps` at a stroke, and back at the end of the window."""
        self._gaps.append((window, 1 + Decimal(str(bps)) / 10_000))

    def freeze(self, window: Window) -> None:
        """Hold the price of the window's start until its end."""
        self._frozen.append(window)

    def note(self, window: Window) -> None:
        """Let the edges of a window that distorts something else be knots, too."""
        self._others.append(window)

    def price_at(self, time_ms: int) -> Decimal:
        """Return the price, distorted."""
        for window in self._frozen:
            if window.holds(time_ms):
                time_ms = window.from_ms
        price = self._path.price_at(time_ms)
        for window, factor in self._gaps:
            if window.holds(time_ms):
                price *= factor
        return price

    def next_knot_after(self, time_ms: int) -> int | None:
        """Return the next knot of the path, or the next edge of a window before it."""
        knot = self._path.next_knot_after(time_ms)
        if knot is None:
            return None
        windows = [*self._frozen, *self._others, *(window for window, _ in self._gaps)]
        edges = [edge for window in windows for edge in window if time_ms < edge < knot]
        return int(min(edges, default=knot))


class DistortedFunding:
    """Funding rates, some of them shocking."""

    def __init__(self, source: FundingSource) -> None:
        self._source = source
        self._shocks: list[tuple[Window, Decimal]] = []

    @property
    def interval_ms(self) -> int:
        """As the source's."""
        return self._source.interval_ms

    def shock(self, window: Window, rate: Decimal) -> None:
        """Let all payments within the window be at `rate`."""
        self._shocks.append((window, rate))

    def next_after(self, time_ms: int) -> tuple[int, Decimal] | None:
        """Return the first payment later than `time_ms` (UTC ms, rate)."""
        following = self._source.next_after(time_ms)
        if following is not None:
            for window, rate in self._shocks:
                if window.holds(following[0]):
                    following = (following[0], rate)
        return following

    def rate_at(self, time_ms: int) -> Decimal:
        """Return the rate of the first payment later than `time_ms`."""
        following = self.next_after(time_ms) if self._shocks else None
        return self._source.rate_at(time_ms) if following is None else following[1]


class DistortedBasis:
    """A basis that goes further at times."""

    def __init__(self, basis: BasisSource) -> None:
        self._basis = basis
        self._apart: list[tuple[Window, float]] = []

    def part(self, window: Window, bps: float) -> None:
        """Move the index `bps` away from the mark."""
        self._apart.append((window, bps))

    def at(self, time_ms: int) -> float:
        """Return the basis as a fraction of the index."""
        basis = self._basis.at(time_ms)
        for window, bps in self._apart:
            if window.holds(time_ms):
                basis = (1 + basis) / (1 + bps / 10_000) - 1
        return basis
