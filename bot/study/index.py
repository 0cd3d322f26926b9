"""Block minima and maxima of a price series.

They find the next price outside an interval without looking at every bar.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

BLOCK = 128
"""Bars in a block; a power of two."""
_NEAR = 256
"""Bars looked at one by one before the blocks are asked."""


class PriceIndex:
    """`lows` and `highs`: minimum and maximum of each block of `BLOCK` prices, shape (ceil(n / BLOCK),)."""

    def __init__(self, prices: Floats) -> None:
        """Build it in one pass over `prices` of shape (n,), which is kept and must not change."""
        self.prices = prices
        whole = len(prices) // BLOCK * BLOCK
        blocks = prices[:whole].reshape(-1, BLOCK)
        self.lows, self.highs = blocks.min(axis=1), blocks.max(axis=1)
        if whole < len(prices):
            rest = prices[whole:]
            self.lows = np.append(self.lows, rest.min())
            self.highs = np.append(self.highs, rest.max())

    def next_outside(self, start: int, stop: int, low: float, high: float) -> int:
        """The first i in [start, stop) with not low <= prices[i] <= high; `stop` if there is none."""
        return next_outside(self.prices, self.lows, self.highs, start, stop, low, high)


def next_outside(
    prices: Floats, lows: Floats, highs: Floats, start: int, stop: int, low: float, high: float
) -> int:
    """The first i in [start, stop) with not low <= prices[i] <= high; `stop` if there is none."""
    near = min(start + _NEAR, stop)
    found = _scan(prices, start, near, low, high)
    if found < near or near == stop:
        return found
    block, last = near // BLOCK, (stop - 1) // BLOCK + 1
    reach = 64
    while block < last:
        until = min(block + reach, last)
        outside = (lows[block:until] < low) | (highs[block:until] > high)
        first = int(outside.argmax())
        if not outside[first]:
            block, reach = until, reach * 8
            continue
        block += first
        end = min((block + 1) * BLOCK, stop)
        found = _scan(prices, max(near, block * BLOCK), end, low, high)
        if found < end:
            return found
        block += 1
    return stop


def _scan(prices: Floats, start: int, stop: int, low: float, high: float) -> int:
    if start >= stop:
        return stop
    part = prices[start:stop]
    outside = (part < low) | (part > high)
    first = int(outside.argmax())
    return start + first if outside[first] else stop
