"""Reading tables of numbers from CSV, gzipped CSV, Parquet or standard input, row by row."""

from __future__ import annotations

import csv
import gzip
import sys
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bot.exchange.prices.errors import PriceFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from io import BufferedReader

STANDARD_INPUT = "-"
GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
SHOWN_CHARACTERS = 40

# Milliseconds since 1970 of the years 1973 to 5138: less must be seconds, more must be micro- or nanoseconds.
EARLIEST_MS = 100_000_000_000
LATEST_MS = 100_000_000_000_000


@dataclass(frozen=True, slots=True)
class Table:
    """An open table: its header (lower case) and its rows as texts, each with as many cells as the header.

    The n-th row (from 0) stands at line or row `first + n` of the file.
    """

    file: str
    header: tuple[str, ...]
    rows: Iterable[list[str]]
    unit: str
    first: int

    def bad(self, index: int, problem: str, remedy: str) -> PriceFileError:
        """Return the error for row `index` (from 0)."""
        return PriceFileError(self.file, f"{self.unit} {self.first + index}", problem, remedy)

    def bad_header(self, problem: str) -> PriceFileError:
        """Return the error for a header in which columns are missing or ambiguous."""
        place = "line 1" if self.unit == "line" else ""
        remedy = "name the columns timestamp,close or timestamp,open,high,low,close (funding: timestamp,rate)"
        return PriceFileError(self.file, place, problem, remedy)


def shown(text: str) -> str:
    """Return a cell as it is quoted in an error: on one line, and not too long."""
    return repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "...")


def parse_time_ms(table: Table, index: int, text: str) -> int:
    """Return a timestamp cell as UTC ms, or raise the PriceFileError that tells what is wrong with it."""
    try:
        value = float(text)
    except ValueError:
        value = 0.5
    if not value.is_integer():
        problem = f"timestamp {shown(text)} is not a whole number of milliseconds"
        raise table.bad(index, problem, "give UTC milliseconds since 1970")
    if value < EARLIEST_MS:
        problem = f"timestamp {shown(text)} looks like seconds, not milliseconds"
        raise table.bad(index, problem, "multiply the timestamps by 1000")
    if value > LATEST_MS:
        problem = f"timestamp {shown(text)} is finer than milliseconds"
        raise table.bad(index, problem, "divide the timestamps down to milliseconds")
    return int(value)


def check_order(table: Table, index: int, time_ms: int, previous_ms: int) -> None:
    """Raise PriceFileError unless `time_ms` of row `index` is later than that of the row before."""
    if time_ms == previous_ms:
        raise table.bad(index, f"timestamp {time_ms} appears twice", "keep one row for each time")
    if time_ms < previous_ms:
        problem = f"timestamp {time_ms} is earlier than the row before ({previous_ms})"
        raise table.bad(index, problem, "sort the file by timestamp")


@contextmanager
def open_table(source: str | Path) -> Iterator[Table]:
    """Open a table for one pass over its rows; `-` is CSV on standard input.

    The kind of file is told from its content. Whatever is wrong with it, here or during the pass, raises
    PriceFileError.
    """
    name = "standard input" if str(source) == STANDARD_INPUT else str(source)
    with ExitStack() as stack:
        try:
            if str(source) == STANDARD_INPUT:
                stream = cast("BufferedReader", sys.stdin.buffer)
            else:
                # Unbuffered reads would miss peek, which tells the kind without consuming anything.
                stream = stack.enter_context(Path(source).open("rb"))
            magic = stream.peek(len(PARQUET_MAGIC))
            yield _table(name, Path(source), stream, magic[: len(PARQUET_MAGIC)])
        except FileNotFoundError as error:
            raise PriceFileError(name, "", "no such file", "check the path") from error
        except IsADirectoryError as error:
            raise PriceFileError(name, "", "is a directory", "name one file") from error
        except OSError as error:
            problem = f"cannot be read: {error.strerror or error}"
            raise PriceFileError(name, "", problem, "make it a readable file") from error


def _table(name: str, path: Path, stream: BufferedReader, magic: bytes) -> Table:
    if not magic:
        raise PriceFileError(name, "", "is empty", "give a header line and at least two rows")
    if magic == PARQUET_MAGIC or path.suffix in {".parquet", ".pq"}:
        return _parquet_table(name, path)
    if magic.startswith(GZIP_MAGIC):
        lines = _lines(name, _gzip_lines(name, stream))
    elif path.suffix == ".gz":
        raise PriceFileError(name, "", "ends in .gz but is not gzip data", "rename it, or download it again")
    else:
        lines = _lines(name, stream)
    rows = _csv_rows(name, lines)
    header = next(rows, None)
    if header is None:
        raise PriceFileError(name, "", "is empty", "give a header line and at least two rows")
    names = tuple(column.strip().lower() for column in header)
    return Table(name, names, _full_rows(name, rows, len(names)), "line", 2)


def _gzip_lines(name: str, stream: BufferedReader) -> Iterator[bytes]:
    line = 1
    try:
        with gzip.GzipFile(fileobj=stream) as unpacked:
            for line, raw in enumerate(unpacked, 2):  # noqa: B007 - the line reached is reported below
                yield raw
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        problem = f"the gzip data are damaged ({error})"
        raise PriceFileError(name, f"line {line}", problem, "download or compress the file again") from error


def _lines(name: str, raw_lines: Iterable[bytes]) -> Iterator[str]:
    for line, raw in enumerate(raw_lines, 1):
        try:
            text = raw.decode("utf-8-sig" if line == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise PriceFileError(
                name, f"line {line}", "is not UTF-8 text", "save the file as UTF-8 CSV"
            ) from error
        yield text


def _csv_rows(name: str, lines: Iterator[str]) -> Iterator[list[str]]:
    reader = csv.reader(lines)
    try:
        yield from reader
    except csv.Error as error:
        problem = f"is not CSV ({error})"
        raise PriceFileError(name, f"line {reader.line_num}", problem, "save it as plain CSV") from error


def _full_rows(name: str, rows: Iterator[list[str]], width: int) -> Iterator[list[str]]:
    """Pass rows of the right width on; an empty line is allowed at the end of the file only."""
    empty_line = 0
    for line, row in enumerate(rows, 2):
        if empty_line and row:
            raise PriceFileError(name, f"line {empty_line}", "is empty", "remove it")
        if len(row) == width:
            yield row
        elif not row:
            empty_line = empty_line or line
        else:
            problem = f"has {len(row)} fields, but the header has {width}"
            raise PriceFileError(name, f"line {line}", problem, "correct or remove the row")


def _parquet_table(name: str, path: Path) -> Table:
    header, columns = _parquet_columns(name, path)
    rows = ([str(cell) for cell in cells] for cells in zip(*columns, strict=True))
    return Table(name, tuple(column.strip().lower() for column in header), rows, "row", 1)


def _parquet_columns(name: str, path: Path) -> tuple[list[str], list[list[object]]]:
    """Read a Parquet file with polars or pyarrow, whichever is installed."""
    try:
        frame = _parquet_reader(name)(path)
    except PriceFileError:
        raise
    except Exception as error:  # the errors of the two libraries have no useful common base
        problem = f"is not readable Parquet ({error})"
        raise PriceFileError(name, "", problem, "write the file again, or convert it to CSV") from error
    header = [str(column) for column in getattr(frame, "column_names", None) or frame.columns]
    return header, [_cells(frame[column]) for column in header]


def _cells(column: Any) -> list[object]:
    return list(column.to_pylist() if hasattr(column, "to_pylist") else column.to_list())


def _parquet_reader(name: str) -> Callable[[Path], Any]:
    for module, function in (("polars", "read_parquet"), ("pyarrow.parquet", "read_table")):
        try:
            return cast("Callable[[Path], Any]", getattr(import_module(module), function))
        except ImportError:
            continue
    problem = "Parquet needs polars or pyarrow, and neither is installed"
    raise PriceFileError(name, "", problem, "install polars, or convert the file to CSV")
