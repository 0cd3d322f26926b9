"""Turmoil: how fast a price has moved of late, against a normal evening. A function of path and time alone.

The variance per second is the mean of three estimates from squared returns: five of 1 minute, six of 5
minutes, four of 15 minutes, all counted back from the present 10 seconds of market time. So an hour of
steady decline counts as well as a jump a minute ago, and it does not matter who looked when.
"""

from __future__ import annotations

import math
from copy import copy
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.exchange.prices import PricePath

GRID_MS = 10_000
NORMAL_BPS = 0.76  # per square root of a second: 43 % a year; the mean of the recording's first half
CALMEST, WILDEST = 0.5, 30.0
_SCALES_S = ((60, 5), (300, 6), (900, 4))
_BACK_MS = max(length * count for length, count in _SCALES_S) * 1_000


class Turmoil:
    """The turmoil of one price path."""

    def __init__(self, path: PricePath) -> None:
        self._path = copy(path)  # its own place in the path: looks into the past must not move the reader's
        self._start_ms = path.start_ms
        self._known: dict[int, float] = {}
        self._at_ms = -1
        self._value = 1.0

    def at(self, time_ms: int) -> float:
        """Return volatility over `NORMAL_BPS` at `time_ms`, between `CALMEST` and `WILDEST`."""
        grid_ms = time_ms // GRID_MS * GRID_MS
        if grid_ms != self._at_ms:
            self._at_ms = grid_ms
            self._value = self._measure(grid_ms)
        return self._value

    def _measure(self, now_ms: int) -> float:
        variance = 0.0
        for length_s, count in _SCALES_S:
            prices = [self._log_price(now_ms - 1_000 * length_s * back) for back in range(count, -1, -1)]
            squares = sum((after - before) ** 2 for before, after in pairwise(prices))
            variance += squares / (count * length_s)
        if len(self._known) > 4 * _BACK_MS // GRID_MS:
            oldest = now_ms - _BACK_MS
            self._known = {time: price for time, price in self._known.items() if time >= oldest}
        ratio = math.sqrt(variance / len(_SCALES_S)) * 1e4 / NORMAL_BPS
        return min(max(ratio, CALMEST), WILDEST)

    def _log_price(self, time_ms: int) -> float:
        time_ms = max(time_ms, self._start_ms)
        known = self._known.get(time_ms)
        if known is None:
            known = self._known[time_ms] = math.log(float(self._path.price_at(time_ms)))
        return known
