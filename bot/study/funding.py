"""Funding rates over time, and how to load them."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from bot.study.errors import PriceError
from bot.study.prices import Times
from bot.study.tables import Floats, Table, as_floats, as_times, check_order, check_times, read_table

MINUTE_MS = 60_000


@dataclass(frozen=True)
class Funding:
    """Funding payments: both arrays of shape (payments,).

    `times_ms`: UTC ms, floored to the minute (exchanges stamp some ms late), ascending; `rates`: fraction of
    the notional at each stamp, above 0 when longs pay shorts.
    """

    times_ms: Times
    rates: Floats
    source: str = field(default="", compare=False)

    def __len__(self) -> int:
        """Number of payments."""
        return len(self.rates)


def load_funding(source: str | Path) -> Funding:
    """Load `timestamp` (UTC ms) and `rate` from CSV, CSV.gz or Parquet; `-` is CSV on standard input.

    Raises PriceError, which names the file's line and the remedy.
    """
    return funding_of(read_table(source, ("timestamp", "rate")))


def funding_from_arrays(times_ms: ArrayLike, rates: ArrayLike, *, source: str = "funding") -> Funding:
    """Funding from arrays of shape (payments,): UTC ms (or datetimes in UTC), and fractions of the notional.

    Raises PriceError, which names the row (from 0) and the remedy.
    """
    times, fractions = as_times(source, times_ms), as_floats(source, "rates", rates)
    if fractions.shape != times.shape:
        shapes = f"the rates have shape {fractions.shape}, and the times have {times.shape}"
        raise PriceError(source, "", shapes, "give one rate for each time")
    table = Table(source, {"rate": fractions}, "row", 0)
    check_order(table, times)
    return _checked(table, times)


def funding_of(table: Table) -> Funding:
    """Judge the columns of a table, and make funding of them. Raises PriceError as `load_funding` does."""
    return _checked(table, check_times(table, table.columns["timestamp"]))


def _checked(table: Table, exact: Times) -> Funding:
    """Judge the rates of a table whose times are right, and make funding of them."""
    if not len(exact):
        raise PriceError(table.file, "", "has no row", "give at least one timestamp and rate")
    times = exact // MINUTE_MS * MINUTE_MS
    same = np.diff(times) == 0
    if same.any():
        row = int(same.argmax()) + 1
        raise table.bad(
            row, f"timestamp {exact[row]} is a second rate for one minute", "keep one row for each time"
        )
    rates = table.columns["rate"]
    wrong = ~(np.abs(rates) < 1)  # NaN is not below 1 either
    if wrong.any():
        row = int(wrong.argmax())
        problem = f"rate {rates[row]:g} is not a fraction between -1 and 1"
        raise table.bad(row, problem, "give rates as fractions (0.0001 is 0.01 %)")
    return Funding(times, rates, table.file)
