"""Bars of NAV: open, high, low, close and number of updates of each minute, and of longer times.

Two tracks are kept side by side: the true one, and the one that the public sees. They part when a rebalance
begins, and meet at its reveal: then the history is the true one. Statistics, in floats.
"""

from typing import NamedTuple

INTERVALS_MS = {"1m": 60_000, "5m": 300_000, "1h": 3_600_000, "1d": 86_400_000}


class Point(NamedTuple):
    """One update: NAV, the mark, real leverage there (None: no positive value), a shadow fund's NAV."""

    nav: float
    mark: float
    leverage: float | None
    shadow: float | None = None


class Bar(NamedTuple):
    """The updates of a stretch of time from `start_ms` on; mark, leverage, shadow NAV are the last ones."""

    start_ms: int
    open: float
    high: float
    low: float
    close: float
    updates: int
    mark: float
    leverage: float | None
    shadow: float | None = None

    def plus(self, point: Point) -> "Bar":
        """The bar after one more update."""
        start_ms, first, high, low, _, count, *_ = self
        nav, mark, leverage, shadow = point
        return Bar(
            start_ms,
            first,
            max(high, nav),
            min(low, nav),
            nav,
            count + 1,
            mark,
            leverage,
            shadow,
        )

    def followed_by(self, later: "Bar") -> "Bar":
        """One bar of both: `later` lies within the same longer stretch."""
        return later._replace(
            start_ms=self.start_ms,
            open=self.open,
            high=max(self.high, later.high),
            low=min(self.low, later.low),
            updates=self.updates + later.updates,
        )


def first(time_ms: int, length_ms: int, point: Point) -> Bar:
    """The bar that begins with this update, on the grid of `length_ms`."""
    nav, mark, leverage, shadow = point
    return Bar(time_ms // length_ms * length_ms, nav, nav, nav, nav, 1, mark, leverage, shadow)


class Closed(NamedTuple):
    """A bar as it is to be stored; `shown` is what the public sees instead, None where that is the same."""

    interval: str
    bar: Bar
    shown: Bar | None


class Tracks:
    """The bars under way of one fund."""

    def __init__(self, bars: dict[str, tuple[Bar, Bar]] | None = None) -> None:
        """Go on from stored bars: of each interval the true one and the shown one.

        The stored minute is in the longer ones already: only what comes now is added to them.
        """
        self._bars = dict(bars or {})
        self._stored = self._bars.pop("1m", None)

    def update(self, time_ms: int, true: Point, shown: Point) -> list[Closed]:
        """Take an update in; what it closes is returned."""
        minute = self._bars.get("1m")
        closed: list[Closed] = []
        if minute is not None:
            if time_ms < minute[0].start_ms + 60_000:
                self._bars["1m"] = minute[0].plus(true), minute[1].plus(shown)
                return closed
            closed = self._close(minute, time_ms)
        self._bars["1m"] = first(time_ms, 60_000, true), first(time_ms, 60_000, shown)
        return closed

    def trued_up(self) -> None:
        """Nothing is hidden any more: what is under way is shown as it is."""
        self._bars = {interval: (true, true) for interval, (true, _) in self._bars.items()}
        if self._stored is not None:
            self._stored = (self._stored[0], self._stored[0])

    def under_way(self) -> list[Closed]:
        """The bars so far, the minute under way included in the longer ones."""
        minute = self._bars.get("1m")
        if minute is None:
            return []
        found = [self._minute(minute)]
        for interval, length_ms in INTERVALS_MS.items():
            if interval != "1m":
                found.append(_closed(interval, *self._longer(interval, length_ms, minute)))
        return found

    def _close(self, minute: tuple[Bar, Bar], time_ms: int) -> list[Closed]:
        """The minute is over: it goes into the longer bars, and those that are over, too, are closed."""
        closed = [self._minute(minute)]
        self._stored = None
        for interval, length_ms in INTERVALS_MS.items():
            if interval == "1m":
                continue
            self._bars[interval] = longer = self._longer(interval, length_ms, minute)
            if time_ms >= longer[0].start_ms + length_ms:
                closed.append(_closed(interval, *longer))
                del self._bars[interval]
        return closed

    def _minute(self, minute: tuple[Bar, Bar]) -> Closed:
        """A minute, with the part of it that an earlier process stored."""
        stored = self._stored
        if stored is None or stored[0].start_ms != minute[0].start_ms:
            return _closed("1m", *minute)
        return _closed("1m", stored[0].followed_by(minute[0]), stored[1].followed_by(minute[1]))

    def _longer(self, interval: str, length_ms: int, minute: tuple[Bar, Bar]) -> tuple[Bar, Bar]:
        true, shown = minute
        start_ms = true.start_ms // length_ms * length_ms
        so_far = self._bars.get(interval)
        if so_far is None or so_far[0].start_ms != start_ms:
            return true._replace(start_ms=start_ms), shown._replace(start_ms=start_ms)
        return so_far[0].followed_by(true), so_far[1].followed_by(shown)


def _closed(interval: str, true: Bar, shown: Bar) -> Closed:
    return Closed(interval, true, None if shown == true else shown)
