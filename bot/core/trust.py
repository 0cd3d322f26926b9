"""Whether the price can be believed. Doubt stops increases; to be blind stops everything.

Fresh marks by REST count as well as the stream's: without either there is nothing to trade by.
"""

from decimal import Decimal

from bot.core.events import Mark
from bot.core.units import Price

MAX_MARK_AGE_MS = 10_000
"""An increase needs a mark at most this old, in market time."""

MAX_SKEW_MS = 2_000
"""Our clock and the venue's may be this far apart; deadlines of orders allow for as much."""

LARGEST_BASIS = Decimal("0.05")
"""Mark and index further apart than this fraction of the index contradict each other."""


def contradicts(mark: Price, index: Price | None) -> bool:
    """Whether mark and index are too far apart for both to be true."""
    return index is not None and abs(mark - index) > LARGEST_BASIS * index


def doubt(mark: Mark, now_ms: int, skew_ms: int, frozen_ms: int, *, feed_trusted: bool) -> str | None:
    """Why no position may be increased by this mark, if so.

    `skew_ms` is by how much our clock is ahead of the venue's; a mark from the future says the same.
    """
    if not feed_trusted:
        return "mark price feed is silent"
    if max(now_ms - mark.time_ms, mark.lag_ms) > MAX_MARK_AGE_MS:
        return "mark price is stale"
    if not -MAX_SKEW_MS <= skew_ms <= MAX_SKEW_MS or mark.lag_ms < -MAX_SKEW_MS:
        return "our clock and the venue's are apart"
    if contradicts(mark.price, mark.index_price):
        return "mark and index price contradict each other"
    if mark.still_ms >= frozen_ms:
        return "mark price does not move"
    return None


def blind(mark: Mark, now_ms: int, *, feed_trusted: bool) -> bool:
    """Whether there is no price even to reduce by: the stream is lost, and nothing came by REST."""
    return not feed_trusted and now_ms - mark.time_ms > MAX_MARK_AGE_MS
