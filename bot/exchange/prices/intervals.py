"""The intervals of candles, and when each opens: on the grid of UTC, weeks on Monday, months on the first."""

from __future__ import annotations

from datetime import UTC, datetime

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
FIRST_MONDAY_MS = 4 * DAY_MS  # 1970 began on a Thursday
MONTH = "1M"

_LENGTHS_MS = {
    **{f"{count}m": count * MINUTE_MS for count in (1, 3, 5, 15, 30)},
    **{f"{count}h": count * HOUR_MS for count in (1, 2, 4, 6, 8, 12)},
    **{f"{count}d": count * DAY_MS for count in (1, 3)},
    "1w": WEEK_MS,
}
INTERVALS = (*_LENGTHS_MS, MONTH)


def opening(interval: str, time_ms: int) -> int:
    """Return when the candle that holds `time_ms` opened, UTC ms."""
    if interval == MONTH:
        moment = datetime.fromtimestamp(time_ms // 1_000, UTC)
        return _month_ms(moment.year, moment.month)
    offset = FIRST_MONDAY_MS if interval == "1w" else 0
    length = _LENGTHS_MS[interval]
    return (time_ms - offset) // length * length + offset


def following(interval: str, opening_ms: int, count: int = 1) -> int:
    """Return when the candle `count` after (before, if negative) the one that opened then opens."""
    if interval != MONTH:
        return opening_ms + count * _LENGTHS_MS[interval]
    moment = datetime.fromtimestamp(opening_ms // 1_000, UTC)
    year, month = divmod(moment.year * 12 + moment.month - 1 + count, 12)
    return _month_ms(year, month + 1)


def _month_ms(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1_000
