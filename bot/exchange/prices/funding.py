"""Funding rates over market time: from a file, or a constant rate on a grid of so many hours.

A rate is a Decimal fraction of notional for one interval; above 0, longs pay shorts.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from bot.exchange.prices.errors import PriceFileError
from bot.exchange.prices.table import Table, check_order, open_table, parse_time_ms, shown

if TYPE_CHECKING:
    from pathlib import Path

MINUTE_MS = 60_000
INTERVAL_MS = 28_800_000  # 00:00, 08:00 and 16:00 UTC
DEFAULT_RATE = Decimal("0.0001")


class FundingSource(Protocol):
    """When funding is paid, and at what rate."""

    @property
    def interval_ms(self) -> int:
        """How far two payments lie apart, usually."""

    def next_after(self, time_ms: int) -> tuple[int, Decimal] | None:
        """Return the first payment later than `time_ms` (UTC ms, rate); None if there is none."""

    def rate_at(self, time_ms: int) -> Decimal:
        """Return the rate in force at `time_ms`: that of the first payment later than it; 0 if none."""


class ConstantFunding:
    """The same rate every `interval_ms` (8 hours), without end."""

    def __init__(self, rate: Decimal = DEFAULT_RATE, interval_ms: int = INTERVAL_MS) -> None:
        self.interval_ms = interval_ms
        self._rate = rate

    def next_after(self, time_ms: int) -> tuple[int, Decimal]:
        """Return the first instant of the grid later than `time_ms` in UTC ms, and the rate."""
        return _grid_after(time_ms, self.interval_ms), self._rate

    def rate_at(self, time_ms: int) -> Decimal:  # noqa: ARG002 - the protocol's signature
        """Return the constant rate."""
        return self._rate


class RecordedFunding:
    """Recorded rates at their instants; before the first and past the last, rate 0 on their grid.

    Its interval is the most common spacing; 8 hours where there is but one payment.
    """

    def __init__(self, times_ms: array[int], rates: tuple[Decimal, ...]) -> None:
        spacings = Counter(after - before for before, after in pairwise(times_ms))
        self.interval_ms = spacings.most_common(1)[0][0] if spacings else INTERVAL_MS
        self._times_ms = times_ms
        self._rates = rates

    def __len__(self) -> int:
        return len(self._rates)

    def next_after(self, time_ms: int) -> tuple[int, Decimal]:
        """Return the first payment later than `time_ms`: its instant in UTC ms, and its rate."""
        index = bisect_right(self._times_ms, time_ms)
        due_ms = _grid_after(time_ms, self.interval_ms)
        if index < len(self._rates) and (index or due_ms >= self._times_ms[0]):
            return self._times_ms[index], self._rates[index]
        return due_ms, Decimal(0)

    def rate_at(self, time_ms: int) -> Decimal:
        """Return the rate of the first payment later than `time_ms`."""
        return self.next_after(time_ms)[1]


def _grid_after(time_ms: int, interval_ms: int) -> int:
    return (time_ms // interval_ms + 1) * interval_ms


def load_funding(source: str | Path) -> RecordedFunding:
    """Load `timestamp,rate` from CSV, CSV.gz or Parquet (`-`: CSV on standard input).

    Timestamps are UTC ms and floored to the minute, since exchanges stamp them some ms late. Raises
    PriceFileError for anything that is not such a file.
    """
    times_ms, rates = array("q"), []
    with open_table(source) as table:
        if missing := [name for name in ("timestamp", "rate") if table.header.count(name) != 1]:
            raise table.bad_header(f"needs one column {' and one column '.join(missing)}")
        time_at, rate_at = table.header.index("timestamp"), table.header.index("rate")
        previous_ms = 0
        for index, row in enumerate(table.rows):
            time_ms = parse_time_ms(table, index, row[time_at]) // MINUTE_MS * MINUTE_MS
            check_order(table, index, time_ms, previous_ms)
            previous_ms = time_ms
            times_ms.append(time_ms)
            rates.append(_parse_rate(table, index, row[rate_at]))
        if not rates:
            raise PriceFileError(table.file, "", "has no row", "give at least one timestamp and rate")
    return RecordedFunding(times_ms, tuple(rates))


def _parse_rate(table: Table, index: int, text: str) -> Decimal:
    try:
        rate = Decimal(text.strip())
    except InvalidOperation:
        rate = Decimal("nan")
    if not rate.is_finite():
        raise table.bad(index, f"rate {shown(text)} is not a finite number", "correct or remove the row")
    if abs(rate) >= 1:
        problem = f"rate {shown(text)} is 100 % or more"
        raise table.bad(index, problem, "give rates as fractions (0.0001 is 0.01 %)")
    return rate
