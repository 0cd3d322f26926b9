"""Impact: how trading with the background market moves it, and how it comes back. In lots.

What is taken from a side is missing there and comes back exponentially in market time: that is the decaying
part, paid as the ladder's next levels. The permanent part is linear in the net quantity that accounts hold
away from the background, as it must be lest round trips pay (Huberman and Stanzl, "Price manipulation and
quasi-arbitrage", 2004), and it appears as fast as the missing depth comes back. Whatever makes a fill, taking
or resting, counts, so the permanent part is a function of the position and vanishes with it.

Its size is what Almgren, Thum, Hauptmann and Li ("Direct estimation of equity market impact", 2005) give
for a market with 250 bps of daily volatility and 15 billion USDT of daily turnover; six minutes of tape
cannot tell it from the information in the flow. It is small enough that taking the touch does not pay.

State is anchored at the time of the last trade and evaluated in closed form from there: it does not depend on
how often anybody looked.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace

HALF_LIFE_MS = 5_700  # fitted by `calibration`
PERMANENT_BPS = 0.02  # per million USDT of net notional in the largest market
FORGOTTEN = 0.5  # lots
MOST_PAST = 5_000


@dataclass(slots=True)
class Impact:
    """Lots missing from asks and bids and lots not yet in the price (signed), as of `time_ms`; net lots."""

    time_ms: int = 0
    asks: float = 0.0
    bids: float = 0.0
    recent: float = 0.0
    net: int = 0

    def missing(self, sign: int, time_ms: int) -> int:
        """Return the lots missing from the asks (`sign` 1) or the bids (-1) at `time_ms`, rounded down."""
        lots = self.asks if sign > 0 else self.bids
        return int(lots * _left(time_ms - self.time_ms)) if lots else 0

    def lasting(self, time_ms: int) -> float:
        """Return the net lots that are in the price at `time_ms`."""
        return self.net - self.recent * _left(time_ms - self.time_ms) if self.net or self.recent else 0.0

    def add(self, time_ms: int, asks: int, bids: int, made: int) -> None:
        """Add what was taken from the asks and the bids, and the signed lots that resting orders bought."""
        left = _left(time_ms - self.time_ms)
        signed = asks - bids + made
        self.asks = _kept(self.asks * left) + asks
        self.bids = _kept(self.bids * left) + bids
        self.recent = _kept(self.recent * left) + signed
        self.net += signed
        self.time_ms = time_ms


class PastImpact:
    """What the impact was before, so that a trade is told at the same price whenever somebody asks.

    The latest 2,500 to 5,000 states are kept.
    """

    def __init__(self) -> None:
        self._until_ms: list[int] = []
        self._states: list[Impact] = []

    def note(self, until_ms: int, impact: Impact) -> None:
        """Note that a state, which is about to change, held up to this time."""
        if len(self._states) >= MOST_PAST:
            del self._until_ms[: MOST_PAST // 2], self._states[: MOST_PAST // 2]
        self._until_ms.append(until_ms)
        self._states.append(replace(impact))

    def at(self, time_ms: int, present: Impact) -> Impact:
        """Return the state that held at a time."""
        if not self._until_ms or time_ms > self._until_ms[-1]:
            return present
        return self._states[bisect_left(self._until_ms, time_ms)]


def _left(passed_ms: int) -> float:
    return math.pow(0.5, max(passed_ms, 0) / HALF_LIFE_MS)


def _kept(lots: float) -> float:
    return lots if abs(lots) >= FORGOTTEN else 0.0
