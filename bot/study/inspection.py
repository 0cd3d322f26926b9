"""What a file of prices or funding holds, and what is odd about it: `data info` and `data verify`."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from bot.core.texts import how_many
from bot.study.errors import PriceError
from bot.study.funding import Funding, funding_of
from bot.study.prices import Prices, Times, prices_of
from bot.study.tables import Floats, Table, read_table

_COLUMNS = ("open", "high", "low", "close", "volume", "rate")
_OUTLIER = 12.0
"""A move this many times the usual one is an outlier, if the next one takes most of it back."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something odd.

    `kind`: disorder, duplicate, number (one that cannot be), unusable, gap, irregular, outlier or frozen;
    `place` is the line or row in the file, `time_ms` its timestamp (UTC ms), None where that is not known.
    """

    kind: str
    place: str
    time_ms: int | None
    detail: str


def info(source: str | Path) -> dict[str, Any]:
    """What a file holds, in numbers; times are UTC ms. Raises PriceError for one that cannot be used."""
    table = _read(source)
    if "rate" in table.columns:
        return _funding_info(table, funding_of(table))
    return _price_info(table, prices_of(table))


def verify(source: str | Path) -> list[Finding]:
    """Everything odd about a file, in order. Raises PriceError where it cannot be read at all.

    Gaps, outliers and stretches at one price are looked for only where nothing worse is found.
    """
    table = _read(source)
    times = table.columns["timestamp"]
    worse = [*_disorder(table, times), *_bad_numbers(table)]
    if worse:
        return worse
    try:
        found = funding_of(table) if "rate" in table.columns else prices_of(table)
    except PriceError as error:
        return [Finding("unusable", error.place, None, f"{error.problem}; {error.remedy}")]
    stamps = times.astype(np.int64) if isinstance(found, Prices) else found.times_ms
    findings = list(_gaps(table, stamps))
    if isinstance(found, Prices):
        findings += [*_outliers(table, found.close, stamps), *_frozen(table, found, stamps)]
    return sorted(findings, key=lambda finding: finding.time_ms or 0)


def _read(source: str | Path) -> Table:
    table = read_table(source, ("timestamp",), _COLUMNS)
    if "rate" not in table.columns and "close" not in table.columns:
        raise PriceError(table.file, "", "holds neither close nor rate", "name its columns")
    return table


def _funding_info(table: Table, funding: Funding) -> dict[str, Any]:
    return {
        "file": table.file,
        "kind": "funding",
        "rows": len(funding),
        "first": int(funding.times_ms[0]),
        "last": int(funding.times_ms[-1]),
        "interval_ms": _spacing(funding.times_ms),
        "mean_rate": float(funding.rates.mean()),
        "lowest_rate": float(funding.rates.min()),
        "highest_rate": float(funding.rates.max()),
    }


def _price_info(table: Table, prices: Prices) -> dict[str, Any]:
    low = prices.close if prices.low is None else prices.low
    high = prices.close if prices.high is None else prices.high
    bars_a_year = 365 * 86_400_000 / prices.bar_ms
    return {
        "file": table.file,
        "kind": "prices",
        "rows": len(prices),
        "first": int(prices.times_ms[0]) - prices.bar_ms,
        "last": int(prices.times_ms[-1]),
        "interval_ms": prices.bar_ms,
        "columns": [name for name in _COLUMNS if name in table.columns],
        "gaps": prices.gaps,
        "missing_bars": prices.missing_bars,
        "lowest": float(low.min()),
        "highest": float(high.max()),
        "volatility": float(np.diff(np.log(prices.close)).std() * np.sqrt(bars_a_year)),
    }


def _place(table: Table, row: int) -> str:
    return f"{table.unit} {table.first + row}"


def _disorder(table: Table, times: Floats) -> Iterator[Finding]:
    steps = np.diff(times)
    for row in (np.flatnonzero(steps <= 0) + 1).tolist():
        same = times[row] == times[row - 1]
        detail = "the timestamp of the row before, again" if same else "earlier than the row before"
        yield Finding("duplicate" if same else "disorder", _place(table, row), int(times[row]), detail)


def _bad_numbers(table: Table) -> Iterator[Finding]:
    for name in table.columns:
        values = table.columns[name]
        wrong = ~np.isfinite(values)
        if name in ("open", "high", "low", "close"):
            wrong |= values <= 0
        for row in np.flatnonzero(wrong).tolist():
            yield Finding("number", _place(table, row), None, f"{name} {values[row]:g}")


def _spacing(stamps: Times) -> int:
    if len(stamps) < 2:
        return 0
    lengths, counts = np.unique(np.diff(stamps), return_counts=True)
    return int(lengths[counts.argmax()])


def _gaps(table: Table, stamps: Times) -> Iterator[Finding]:
    usual, steps = _spacing(stamps), np.diff(stamps)
    minutes = usual / 60_000
    for row in (np.flatnonzero(steps != usual) + 1).tolist():
        step = int(steps[row - 1])
        if step > usual:
            missing = how_many(-(-step // usual) - 1, "row")
            detail = f"{missing} of {minutes:g} minutes missing before it"
            yield Finding("gap", _place(table, row), int(stamps[row]), detail)
        else:
            detail = f"{step / 60_000:g} minutes after the row before, not {minutes:g}"
            yield Finding("irregular", _place(table, row), int(stamps[row]), detail)


def _outliers(table: Table, close: Floats, stamps: Times) -> Iterator[Finding]:
    """Closes that jump away and come back at once: the mark of a bad print, unlike a crash."""
    if len(close) < 3:
        return
    moves = np.diff(np.log(close))
    usual = float(np.median(np.abs(moves))) or float(np.abs(moves).mean())
    away, back = moves[:-1], moves[1:]
    wild = (np.abs(away) > _OUTLIER * usual) & (np.abs(away + back) < 0.2 * np.abs(away))
    for row in (np.flatnonzero(wild) + 1).tolist():
        detail = f"close {close[row]:g} between {close[row - 1]:g} and {close[row + 1]:g}"
        yield Finding("outlier", _place(table, row), int(stamps[row]), detail)


def _frozen(table: Table, prices: Prices, stamps: Times) -> Iterator[Finding]:
    """An hour or ten bars, whichever is longer, at one price: the source stood still."""
    least = max(10, 3_600_000 // prices.bar_ms)
    moved = np.flatnonzero(np.diff(prices.close) != 0) + 1
    edges = [0, *moved.tolist(), len(prices)]
    for start, stop in pairwise(edges):
        if stop - start > least:
            detail = f"{stop - start} closes at {prices.close[start]:g}"
            yield Finding("frozen", _place(table, start), int(stamps[start]), detail)
