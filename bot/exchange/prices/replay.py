"""Replay of recorded bars as a price path.

Inside a bar the price walks open, low, high, close when the bar rose (close >= open), and open, high, low,
close when it fell; before that it bridges the jump from the close before. A bar ends at its timestamp plus
the bar length, which is the most common spacing of the file (the shortest of equals), or where the next bar
opens, if that is sooner. Across missing bars the price goes straight from the last close to the next open.
A file of closes only is walked straight from close to close. The first bar starts at its own open (close).
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from operator import sub
from typing import TYPE_CHECKING

from bot.exchange.prices.errors import PriceFileError
from bot.exchange.prices.path import MAX_STEP, Cell, KnotPath, steps_along, walk
from bot.exchange.prices.table import (
    EARLIEST_MS,
    LATEST_MS,
    Table,
    check_order,
    open_table,
    parse_time_ms,
    shown,
)

if TYPE_CHECKING:
    from pathlib import Path

RANGE_COLUMNS = ("open", "high", "low")
FEWEST_BARS = 2

# No market has prices beyond these; within them the arithmetic of a walk cannot overflow.
LOWEST_PRICE, HIGHEST_PRICE = 1e-12, 1e12
PRICE_LIMITS = f"is not a price above 0 (from {LOWEST_PRICE:g} to {HIGHEST_PRICE:g})"


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars in columns: opening times in UTC ms, prices as floats. `opens` is empty for closes only.

    `volumes` (base coin) is empty where the file has none.
    """

    times_ms: array[int]
    opens: array[float]
    highs: array[float]
    lows: array[float]
    closes: array[float]
    volumes: array[float]

    def digest(self) -> str:
        """Return a hash of all times and prices."""
        state = blake2b(digest_size=16)
        for column in (self.times_ms, self.opens, self.highs, self.lows, self.closes):
            state.update(column)
        return state.hexdigest()


class ReplayPath(KnotPath):
    """The price path of recorded bars; `bar_ms` is their length, `len()` their number."""

    def __init__(self, bars: Bars, bar_ms: int) -> None:
        self._bars = bars
        self.bar_ms = bar_ms
        self._last = len(bars.times_ms) - 1
        super().__init__(bars.times_ms[0], self._end_of(self._last), f"replay {bars.digest()}")

    def __len__(self) -> int:
        return self._last + 1

    def extremes(self, start_ms: int, end_ms: int) -> tuple[float, float]:
        """Return the lowest and the highest price from `start_ms` to `end_ms` (UTC ms), both included.

        Whole bars are read from the record; only the ends are walked.
        """
        bars, (first, behind) = self._bars, self._whole_bars(start_ms, end_ms)
        if first >= behind:
            return super().extremes(start_ms, end_ms)
        lows, highs = (bars.lows, bars.highs) if bars.opens else (bars.closes, bars.closes)
        before = super().extremes(start_ms, bars.times_ms[first])
        after = super().extremes(self._end_of(behind - 1), end_ms)
        low = min(*lows[first:behind], before[0], after[0])
        return low, max(*highs[first:behind], before[1], after[1])

    def volume_between(self, start_ms: int, end_ms: int) -> float | None:
        """Return the recorded volume in base coin, of bars cut by an end their share; None without record."""
        bars, (first, behind) = self._bars, self._whole_bars(start_ms, end_ms)
        if not bars.volumes:
            return None
        total = sum(bars.volumes[first:behind])
        for index in {max(first - 1, 0), min(behind, self._last)} - set(range(first, behind)):
            opens_ms, ends_ms = bars.times_ms[index], self._end_of(index)
            shared_ms = min(end_ms, ends_ms) - max(start_ms, opens_ms)
            if shared_ms > 0:
                total += bars.volumes[index] * shared_ms / (ends_ms - opens_ms)
        return total

    def _whole_bars(self, start_ms: int, end_ms: int) -> tuple[int, int]:
        """Return the first bar that opens from `start_ms` on, and the first that closes after `end_ms`."""
        times_ms = self._bars.times_ms
        first = bisect_left(times_ms, start_ms)
        behind = bisect_right(times_ms, end_ms)
        while behind > first and self._end_of(behind - 1) > end_ms:
            behind -= 1
        return first, behind

    def _end_of(self, index: int) -> int:
        times_ms = self._bars.times_ms
        end_ms = times_ms[index] + self.bar_ms
        return end_ms if index == self._last else min(end_ms, times_ms[index + 1])

    def _cell_at(self, time_ms: int) -> Cell:
        index = bisect_right(self._bars.times_ms, time_ms) - 1
        if time_ms >= self._end_of(index) and index < self._last:
            index += 1
        return self._cell_of(index)

    def _cell_of(self, index: int) -> Cell:
        """Build the knots from the close of the bar before to the close of bar `index`."""
        bars = self._bars
        opens_ms, ends_ms = bars.times_ms[index], self._end_of(index)
        before_ms = self._end_of(index - 1) if index else opens_ms
        if not bars.opens:
            return walk(before_ms, self._corners(index), ends_ms, self.bar_ms)
        if before_ms == opens_ms:
            return walk(opens_ms, self._corners(index), ends_ms)
        gap = walk(before_ms, (bars.closes[index - 1], bars.opens[index]), opens_ms, self.bar_ms)
        bar = walk(opens_ms, self._corners(index)[1:], ends_ms)
        return Cell([*gap.times_ms, *bar.times_ms[1:]], [*gap.prices, *bar.prices[1:]])

    def _corners(self, index: int) -> tuple[float, ...]:
        """Return the prices that the path touches in bar `index`, from the close of the bar before."""
        bars = self._bars
        close = bars.closes[index]
        if not bars.opens:
            return (bars.closes[max(index - 1, 0)], close)
        opening, high, low = bars.opens[index], bars.highs[index], bars.lows[index]
        before = bars.closes[index - 1] if index else opening
        if close >= opening:
            return (before, opening, low, high, close)
        return (before, opening, high, low, close)

    def first_unwalkable(self) -> int | None:
        """Return the first bar whose prices lie too far apart for steps of 0.1 % of 1 ms each, or None."""
        bars = self._bars
        shortest_ms = min(map(sub, bars.times_ms[1:], bars.times_ms))
        lows, highs = (bars.lows, bars.highs) if bars.opens else (bars.closes, bars.closes)
        # A walk has four legs at most: whatever passes here needs no closer look.
        harmless = 1 + MAX_STEP * (shortest_ms / 4 - 1)
        before_low = before_high = bars.closes[0]
        for index, (low, high, close) in enumerate(zip(lows, highs, bars.closes, strict=True)):
            if max(high, before_high) > min(low, before_low) * harmless and not self._is_walkable(index):
                return index
            before_low = before_high = close
        return None

    def _is_walkable(self, index: int) -> bool:
        opens_ms, ends_ms = self._bars.times_ms[index], self._end_of(index)
        before_ms = self._end_of(index - 1) if index else opens_ms
        corners = self._corners(index)
        if not self._bars.opens:
            return steps_along(corners) <= ends_ms - before_ms
        if before_ms == opens_ms:
            return steps_along(corners) <= ends_ms - opens_ms
        return (
            steps_along(corners[:2]) <= opens_ms - before_ms
            and steps_along(corners[1:]) <= ends_ms - opens_ms
        )


def load_replay(source: str | Path) -> ReplayPath:
    """Load bars from CSV, CSV.gz or Parquet (`-`: CSV on standard input) as a price path.

    Needs `timestamp` (UTC ms, bar open) and `close`, or all of `open,high,low,close`; other columns are
    ignored. Raises PriceFileError for anything else.
    """
    with open_table(source) as table:
        bars = _read_bars(table)
        if len(bars.times_ms) < FEWEST_BARS:
            count = len(bars.times_ms)
            problem = f"has {count or 'no'} row{'s' if count != 1 else ''}, which tells no bar length"
            raise PriceFileError(table.file, "", problem, "give at least two rows")
        spacings = Counter(map(sub, bars.times_ms[1:], bars.times_ms))
        bar_ms = min(spacings, key=lambda spacing: (-spacings[spacing], spacing))
        path = ReplayPath(bars, bar_ms)
        if (index := path.first_unwalkable()) is not None:
            problem = f"the price moves too far for marks of 0.1 % within one bar of {bar_ms} ms"
            raise table.bad(index, problem, "correct or remove the row")
    return path


def _read_bars(table: Table) -> Bars:
    time_at, price_at, has_range = _columns(table)
    bars = Bars(array("q"), *(array("d") for _ in range(5)))
    volume_at = _volume_column(table)
    previous_ms = 0
    for index, row in enumerate(table.rows):
        try:
            time_ms = int(row[time_at])
            opening, high, low, close = [float(row[column]) for column in price_at]
        except ValueError:
            time_ms, opening, high, low, close = 0, 0.0, 0.0, 0.0, 0.0
        # One comparison for the good row; whatever fails it is looked at closely.
        if not (LOWEST_PRICE <= low <= opening <= high <= HIGHEST_PRICE and low <= close <= high):
            opening, high, low, close = _checked_prices(table, index, row, price_at)
        if not EARLIEST_MS <= time_ms <= LATEST_MS:
            time_ms = parse_time_ms(table, index, row[time_at])
        if time_ms <= previous_ms:
            check_order(table, index, time_ms, previous_ms)
        previous_ms = time_ms
        bars.times_ms.append(time_ms)
        bars.closes.append(close)
        if has_range:
            bars.opens.append(opening)
            bars.highs.append(high)
            bars.lows.append(low)
        if volume_at is not None:
            bars.volumes.append(_checked_volume(table, index, row[volume_at]))
    return bars


def _volume_column(table: Table) -> int | None:
    """Return the place of the volume, if there is one."""
    if table.header.count("volume") > 1:
        raise table.bad_header("column volume appears twice")
    return table.header.index("volume") if "volume" in table.header else None


def _checked_volume(table: Table, index: int, text: str) -> float:
    try:
        volume = float(text)
    except ValueError:
        volume = math.nan
    if not 0 <= volume <= HIGHEST_PRICE:
        raise table.bad(index, f"volume {shown(text)} is not an amount", "correct or remove the row")
    return volume


def _columns(table: Table) -> tuple[int, tuple[int, int, int, int], bool]:
    """Return the places of the timestamp, of open, high, low and close, and whether those four differ."""
    header = table.header
    wanted = ("timestamp", "close", *RANGE_COLUMNS)
    if twice := [name for name in wanted if header.count(name) > 1]:
        raise table.bad_header(f"column {twice[0]} appears twice")
    if missing := [name for name in ("timestamp", "close") if name not in header]:
        raise table.bad_header(f"no column {' and no column '.join(missing)}")
    time_at, close_at = header.index("timestamp"), header.index("close")
    present = [name for name in RANGE_COLUMNS if name in header]
    if not present:
        return time_at, (close_at, close_at, close_at, close_at), False
    if len(present) < len(RANGE_COLUMNS):
        missing = [name for name in RANGE_COLUMNS if name not in header]
        raise table.bad_header(f"has column {', '.join(present)} but not {', '.join(missing)}")
    open_at, high_at, low_at = (header.index(name) for name in RANGE_COLUMNS)
    return time_at, (open_at, high_at, low_at, close_at), True


def _checked_prices(
    table: Table, index: int, row: list[str], price_at: tuple[int, int, int, int]
) -> tuple[float, float, float, float]:
    """Return open, high, low and close of a row, or raise the PriceFileError that tells what is wrong."""
    for column in price_at:
        try:
            price = float(row[column])
        except ValueError:
            price = math.nan
        if not LOWEST_PRICE <= price <= HIGHEST_PRICE:
            told = "is not a number" if math.isnan(price) else PRICE_LIMITS
            problem = f"{table.header[column]} {shown(row[column])} {told}"
            raise table.bad(index, problem, "correct or remove the row")
    opening, high, low, close = (float(row[column]) for column in price_at)
    if high < low:
        problem = f"high {high!r} is below low {low!r}"
        raise table.bad(index, problem, "correct or remove the row")
    for name, price in (("open", opening), ("close", close)):
        if not low <= price <= high:
            problem = f"{name} {price!r} is outside low {low!r} to high {high!r}"
            raise table.bad(index, problem, "correct or remove the row")
    return opening, high, low, close
