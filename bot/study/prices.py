"""Prices of one underlying over time, as arrays, and how to load them."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bot.study.errors import PriceError
from bot.study.index import PriceIndex
from bot.study.tables import Floats, Table, as_floats, as_times, check_order, check_times, read_table

Times: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Prices:
    """Bars of one underlying; every array has shape (bars,).

    `times_ms`: UTC ms of each bar's *close*, ascending; prices in quote currency per unit of the underlying;
    `open`, `high`, `low`, `volume` (base units) are None where the source has none. `bar_ms` is the most
    common spacing; `missing_bars` counts the bars that are absent in `gaps` places of the source.
    """

    times_ms: Times
    close: Floats
    bar_ms: int
    open: Floats | None = None
    high: Floats | None = None
    low: Floats | None = None
    volume: Floats | None = None
    gaps: int = 0
    missing_bars: int = 0
    source: str = field(default="", compare=False)

    def __len__(self) -> int:
        """Number of bars."""
        return len(self.close)

    def __repr__(self) -> str:
        """How much, of when: not a million numbers."""
        first, last = (str(np.datetime64(int(at), "ms")) for at in self.times_ms[[0, -1]])
        return (
            f"Prices({len(self)} bars of {self.bar_ms / 1000:g} s, {first} to {last} UTC, {self.gaps} gaps)"
        )

    def closes_only(self) -> "Prices":
        """The same without opens, highs, lows and volumes."""
        return replace(self, open=None, high=None, low=None, volume=None)

    @cached_property
    def index(self) -> PriceIndex:
        """Block minima and maxima of the closes, built when first asked for."""
        return PriceIndex(self.close)


def load_prices(source: str | Path) -> Prices:
    """Load `timestamp` (UTC ms of each bar's opening) and `close`, or `open,high,low,close[,volume]`.

    CSV, CSV.gz or Parquet; `-` is CSV on standard input. Raises PriceError, which names the file's line and
    the remedy, for rows that are out of order, doubled, not numbers or not positive.
    """
    return prices_of(read_table(source, ("timestamp", "close"), ("open", "high", "low", "volume")))


def prices_of(table: Table) -> Prices:
    """Judge the columns of a table, and make prices of them. Raises PriceError as `load_prices` does."""
    return _checked(table, check_times(table, table.columns["timestamp"]))


def _checked(table: Table, times: Times) -> Prices:
    """Judge the numbers of a table whose times are right, and make prices of them."""
    if len(times) < 2:
        raise PriceError(table.file, "", f"rows: {len(times)}", "give at least two, to know the bar's length")
    for name in ("close", "open", "high", "low"):
        if name in table.columns:
            _check_numbers(table, name, above=0.0)
    if "volume" in table.columns:
        _check_numbers(table, "volume", above=-1e-300)
    bars = {name: table.columns[name] for name in ("open", "high", "low") if name in table.columns}
    if len(bars) == 3:
        _check_range(table)
    else:
        bars = {}
    return _spaced(
        times, table.columns["close"], volume=table.columns.get("volume"), source=table.file, **bars
    )


def from_arrays(
    open_times_ms: ArrayLike,
    close: ArrayLike,
    *,
    open: ArrayLike | None = None,  # noqa: A002 - the field's name in every source of prices
    high: ArrayLike | None = None,
    low: ArrayLike | None = None,
    volume: ArrayLike | None = None,
    source: str = "prices",
) -> Prices:
    """Prices from arrays of shape (bars,), lists or columns of a data frame.

    `open_times_ms` are the bars' openings, UTC ms (or datetimes in UTC), ascending. Raises PriceError, which
    names the row (from 0) and the remedy, as `load_prices` does.
    """
    given = {"close": close, "open": open, "high": high, "low": low, "volume": volume}
    arrays = {name: as_floats(source, name, values) for name, values in given.items() if values is not None}
    times = as_times(source, open_times_ms)
    for name, array in arrays.items():
        if array.shape != times.shape:
            shapes = f"{name} has shape {array.shape}, and the times have {times.shape}"
            raise PriceError(source, "", shapes, "give one number for each bar")
    table = Table(source, arrays, "row", 0)
    check_order(table, times)
    return _checked(table, times)


def _spaced(
    open_times_ms: Times,
    close: Floats,
    *,
    open: Floats | None = None,  # noqa: A002 - as above
    high: Floats | None = None,
    low: Floats | None = None,
    volume: Floats | None = None,
    source: str = "",
) -> Prices:
    """Prices from what was judged: the length of a bar, and the gaps."""
    spacing = np.diff(open_times_ms)
    shortest = int(spacing.min())
    if shortest == spacing.max():
        bar_ms = shortest
    else:
        lengths, counts = np.unique(spacing, return_counts=True)
        bar_ms = int(lengths[counts.argmax()])
    wide = spacing[spacing > bar_ms]
    return Prices(
        times_ms=open_times_ms + bar_ms,
        close=close,
        bar_ms=bar_ms,
        open=open,
        high=high,
        low=low,
        volume=volume,
        gaps=len(wide),
        missing_bars=int((-(-wide // bar_ms) - 1).sum()),
        source=source,
    )


def _check_numbers(table: Table, name: str, *, above: float) -> None:
    values = table.columns[name]
    wrong = ~(np.isfinite(values) & (values > above))
    if wrong.any():
        row = int(wrong.argmax())
        problem = f"{name} {values[row]:g} is not a {'positive ' if above == 0 else ''}number"
        raise table.bad(row, problem, "correct or remove the row")


def _check_range(table: Table) -> None:
    opened, high, low, close = (table.columns[name] for name in ("open", "high", "low", "close"))
    wrong = (high < np.maximum(opened, close)) | (low > np.minimum(opened, close))
    if wrong.any():
        row = int(wrong.argmax())
        inner = f"open {opened[row]:g} and close {close[row]:g}"
        problem = f"{inner} are not within low {low[row]:g} to high {high[row]:g}"
        raise table.bad(row, problem, "correct or remove the row")
