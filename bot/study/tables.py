"""Reading tables of numbers into arrays: CSV, CSV.gz or standard input in blocks, Parquet by polars.

A block of plain numbers is parsed at once. A block that is anything else is read again line by line, which is
slow and finds the line to name. Nothing but the wanted columns is ever held as a whole.
"""

import csv
import os
import sys
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bot.study.errors import PriceError

Floats: TypeAlias = NDArray[np.float64]

STANDARD_INPUT = "-"
_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_BLOCK = 1 << 20
_EARLIEST_MS, _LATEST_MS = 1e11, 1e14
"""The years 1973 to 5138 in milliseconds: less must be seconds, more must be micro- or nanoseconds."""
_EARLIEST_S = 1e9
"""The year 2001 in seconds. Arrays may also count from zero, as made-up ones do."""


@dataclass(frozen=True, slots=True)
class Table:
    """The wanted columns of a file; row `i` (from 0) stands at line or row `first + i` of it."""

    file: str
    columns: dict[str, Floats]
    unit: str
    first: int

    def bad(self, row: int, problem: str, remedy: str) -> PriceError:
        """The error for one row."""
        return PriceError(self.file, f"{self.unit} {self.first + row}", problem, remedy)


def read_table(source: str | Path, required: Sequence[str], optional: Sequence[str] = ()) -> Table:
    """Read columns by name, each as float64 of shape (rows,). Raises PriceError, which names the line."""
    name = "standard input" if str(source) == STANDARD_INPUT else str(source)
    try:
        if str(source) == STANDARD_INPUT:
            return _read_csv(name, sys.stdin.buffer, required, optional)
        path = Path(source)
        with path.open("rb") as stream:
            magic = stream.read(len(_PARQUET))
            stream.seek(0)
            if magic == _PARQUET or path.suffix in {".parquet", ".pq"}:
                return _read_parquet(name, path, required, optional)
            return _read_csv(name, stream, required, optional)
    except FileNotFoundError as error:
        raise PriceError(name, "", "no such file", "check the path") from error
    except IsADirectoryError as error:
        raise PriceError(name, "", "is a directory", "name one file") from error
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        raise PriceError(name, "", problem, "make it a readable file") from error


def check_times(table: Table, times: Floats) -> NDArray[np.int64]:
    """The timestamps as int64 UTC ms, strictly ascending; else PriceError names the first that is not."""
    whole = np.isfinite(times) & (np.floor(times) == times)
    _refuse(table, times, ~whole, "is not a whole number of milliseconds", "give UTC milliseconds since 1970")
    _refuse(table, times, times < _EARLIEST_MS, "looks like seconds", "multiply the timestamps by 1000")
    _refuse(table, times, times > _LATEST_MS, "is finer than milliseconds", "divide them to milliseconds")
    found = times.astype(np.int64)
    check_order(table, found)
    return found


def check_order(table: Table, times: NDArray[np.int64]) -> None:
    """Whether times ascend strictly; else PriceError names the first that does not."""
    wrong = np.diff(times) <= 0
    if wrong.any():
        row = int(wrong.argmax()) + 1
        if times[row] == times[row - 1]:
            raise table.bad(row, f"timestamp {times[row]} appears twice", "keep one row for each time")
        problem = f"timestamp {times[row]} is earlier than the row before ({times[row - 1]})"
        raise table.bad(row, problem, "sort the rows by timestamp")


def as_floats(source: str, name: str, values: ArrayLike) -> Floats:
    """What a caller gave for a column, as float64; PriceError where it holds what is no number."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PriceError(source, "", f"{name} holds what is no number ({error})", "give numbers") from error


def as_times(source: str, values: ArrayLike) -> NDArray[np.int64]:
    """What a caller gave for times, as int64 UTC ms of shape (rows,); datetimes are taken as UTC."""
    times = np.asarray(values)
    if times.dtype.kind == "M":
        times = times.astype("datetime64[ms]").astype(np.int64)
    if times.dtype.kind not in "iu" or times.ndim != 1:
        problem = f"the times are of {times.dtype} and shape {times.shape}"
        raise PriceError(source, "", problem, "give whole UTC milliseconds, or datetimes, one for each row")
    if len(times) and _EARLIEST_S < times[0] < _EARLIEST_MS:
        problem = f"timestamp {times[0]} looks like seconds"
        raise PriceError(source, "row 0", problem, "multiply the timestamps by 1000")
    return times.astype(np.int64)


def _refuse(table: Table, values: Floats, wrong: NDArray[np.bool_], problem: str, remedy: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        raise table.bad(row, f"timestamp {values[row]:.15g} {problem}", remedy)


def _read_csv(name: str, stream: BinaryIO, required: Sequence[str], optional: Sequence[str]) -> Table:
    reader = _CsvReader(name, required, optional)
    for block in _whole_lines(_unpacked(name, stream)):
        reader.take(block)
    return reader.table()


def _unpacked(name: str, stream: BinaryIO) -> Iterator[bytes]:
    """The bytes of a stream in blocks, gunzipped where they are gzip (several members, too)."""
    raw = stream.read(_BLOCK)
    if not raw.startswith(_GZIP):
        while raw:
            yield raw
            raw = stream.read(_BLOCK)
        return
    unpack = zlib.decompressobj(31)
    try:
        while raw:
            yield unpack.decompress(raw)
            raw = unpack.unused_data
            if unpack.eof:
                if not (raw or (raw := stream.read(_BLOCK))):
                    return
                unpack = zlib.decompressobj(31)
            else:
                raw = stream.read(_BLOCK)
        yield unpack.flush()
    except zlib.error as error:
        problem = f"the gzip data are damaged ({error})"
        raise PriceError(name, "", problem, "download or compress the file again") from error
    raise PriceError(name, "", "the gzip data end too soon", "download or compress the file again")


def _whole_lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        text = rest + block
        end = text.rfind(b"\n") + 1
        if end:
            yield text[:end]
        rest = text[end:]
    if rest.strip():
        yield rest + b"\n"


class _CsvReader:
    """Takes whole lines in blocks; keeps the wanted columns."""

    def __init__(self, name: str, required: Sequence[str], optional: Sequence[str]) -> None:
        self._name, self._required, self._optional = name, required, optional
        self._width = 0
        self._wanted: dict[str, int] = {}
        self._parts: dict[str, list[Floats]] = {}
        self._lines = 1
        self._empty_line = 0

    def take(self, block: bytes) -> None:
        if not self._width:
            end = block.find(b"\n") + 1
            self._header(block[:end])
            block = block[end:]
        rows = self._plain(block) if not self._empty_line else None
        if rows is None:
            rows = self._line_by_line(block)
        for name, column in self._wanted.items():
            self._parts.setdefault(name, []).append(rows[:, column].copy())
        self._lines += block.count(b"\n")

    def table(self) -> Table:
        if not self._width:
            raise PriceError(self._name, "", "is empty", "give a header line and at least two rows")
        columns = {name: np.concatenate(self._parts.pop(name, [np.empty(0)])) for name in self._wanted}
        return Table(self._name, columns, "line", 2)

    def _header(self, line: bytes) -> None:
        try:
            cells = next(csv.reader([line.decode("utf-8-sig")]), [])
        except UnicodeDecodeError as error:
            raise PriceError(self._name, "line 1", "is not UTF-8 text", "save the file as CSV") from error
        names = [cell.strip().lower() for cell in cells]
        for name in self._required:
            if names.count(name) != 1:
                problem = f'the header needs one column "{name}"'
                remedy = f"name the columns {','.join((*self._required, *self._optional))}"
                raise PriceError(self._name, "line 1", problem, remedy)
        self._width = len(names)
        self._wanted = {n: names.index(n) for n in (*self._required, *self._optional) if n in names}

    def _plain(self, block: bytes) -> Floats | None:
        """All rows of a block of nothing but plain numbers; None if it is anything else."""
        lines = block.count(b"\n")
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                values = np.fromstring(block[:-1].replace(b"\n", b","), dtype=np.float64, sep=",")
            except (DeprecationWarning, ValueError):
                return None
        if len(values) != lines * self._width:
            return None
        rows = values.reshape(lines, self._width)
        # A row too long after a row too short would put a price where a time belongs, far below any time.
        times = rows[:, self._wanted["timestamp"]]
        return rows if bool((times >= _EARLIEST_MS).all()) else None

    def _line_by_line(self, block: bytes) -> Floats:
        rows: list[list[float]] = []
        for number, raw in enumerate(block.splitlines(), start=self._lines + 1):
            try:
                cells = next(csv.reader([raw.decode()]), [])
            except (UnicodeDecodeError, csv.Error) as error:
                problem, remedy = f"is not CSV text ({error})", "save the file as plain CSV"
                raise PriceError(self._name, f"line {number}", problem, remedy) from error
            if not cells:
                self._empty_line = self._empty_line or number
                continue
            if self._empty_line:
                raise PriceError(self._name, f"line {self._empty_line}", "is empty", "remove it")
            if len(cells) != self._width:
                problem = f"has {len(cells)} fields, but the header has {self._width}"
                raise PriceError(self._name, f"line {number}", problem, "correct or remove the row")
            rows.append([self._number(number, column, cells) for column in range(self._width)])
        return np.array(rows, dtype=np.float64).reshape(len(rows), self._width)

    def _number(self, line: int, column: int, cells: list[str]) -> float:
        if column not in self._wanted.values():
            return nan
        try:
            return float(cells[column])
        except ValueError:
            name = next(name for name, at in self._wanted.items() if at == column)
            problem = f"{name} {cells[column][:40]!r} is not a number"
            raise PriceError(self._name, f"line {line}", problem, "correct or remove the row") from None


def _read_parquet(name: str, path: Path, required: Sequence[str], optional: Sequence[str]) -> Table:
    # Else polars' allocator keeps for ten seconds what polars has freed: as much again as the prices.
    os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")
    try:
        import polars as pl  # noqa: PLC0415 - 0.2 s and 50 MB that only Parquet needs
    except ImportError as error:
        problem = "Parquet needs polars, which is not installed"
        raise PriceError(name, "", problem, "install polars, or convert the file to CSV") from error
    try:
        names = pl.read_parquet_schema(path)
        wanted = [column for column in (*required, *optional) if column in names]
        missing = [column for column in required if column not in names]
        if missing:
            problem = f'needs one column "{missing[0]}"'
            raise PriceError(name, "", problem, f"name the columns {','.join((*required, *optional))}")
        # One column at a time, and a copy of each: polars uses the same memory for the next.
        columns: dict[str, Floats] = {}
        for column in wanted:
            read = pl.read_parquet(path, columns=[column])[column].cast(pl.Float64)
            columns[column] = np.array(read.to_numpy(), dtype=np.float64)
    except pl.exceptions.InvalidOperationError as error:
        problem = "holds something that is not a number"
        raise PriceError(name, "", problem, "give numbers in every column that is read") from error
    except (OSError, pl.exceptions.PolarsError) as error:
        problem = f"is not readable Parquet ({error})"
        raise PriceError(name, "", problem, "write the file again, or convert it to CSV") from error
    return Table(name, columns, "row", 1)
