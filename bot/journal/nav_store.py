"""The history of each fund's NAV: in one SQLite file of its own beside the journal, or in its PostgreSQL.

Marks are not journaled, so this is primary data: it is written every few seconds, and a process that is
killed loses the updates since then, not the history. Rows are kept as the JSON in which they are asked for; a
full stretch of them is one compressed chunk, so that years take little space and are read in milliseconds.
What the public sees instead of a bar stands beside it until the reveal.
"""

import contextlib
import sqlite3
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Literal, NamedTuple, TypeAlias

from bot.journal.errors import JournalUnavailable
from bot.journal.files import create_private

NAV_FILE = "nav.sqlite"

ROWS_OF_A_CHUNK = 1_440
_LEVEL = 6
TABLES = (
    """CREATE TABLE IF NOT EXISTS bar (fund TEXT, interval TEXT, t INTEGER, nav TEXT NOT NULL,
       rest TEXT NOT NULL, shown_nav TEXT, shown_rest TEXT, PRIMARY KEY (fund, interval, t)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS chunk (fund TEXT, interval TEXT, t INTEGER, nav BLOB NOT NULL,
       rest BLOB NOT NULL, PRIMARY KEY (fund, interval, t)) WITHOUT ROWID""",
)
_UPSERT = """INSERT INTO bar (fund, interval, t, nav, rest, shown_nav, shown_rest)
              VALUES (?, ?, ?, ?, ?, ?, ?)
              ON CONFLICT (fund, interval, t) DO UPDATE SET nav = excluded.nav, rest = excluded.rest,
              shown_nav = excluded.shown_nav, shown_rest = excluded.shown_rest"""
_UPSERT_CHUNK = """INSERT INTO chunk (fund, interval, t, nav, rest) VALUES (?, ?, ?, ?, ?)
                   ON CONFLICT (fund, interval, t) DO UPDATE SET nav = excluded.nav, rest = excluded.rest"""

Values: TypeAlias = tuple[Any, ...]


class Row(NamedTuple):
    """One bar as JSON, in two parts; `shown_*` is what the public sees meanwhile, if that is not the same."""

    fund: str
    interval: str
    start_ms: int
    nav: str
    rest: str
    shown_nav: str | None = None
    shown_rest: str | None = None


class Part(NamedTuple):
    """What is asked for: bars of an interval, their prices (`nav`) or what goes with them (`rest`)."""

    interval: str
    column: Literal["nav", "rest"]


class Bars(ABC):
    """Writes and reads bars; may be used from any thread, by one at a time. The stores say how to ask."""

    def __init__(self) -> None:
        self._lock = Lock()

    def write(self, rows: Sequence[Row], lengths_ms: dict[str, int], hidden_since: dict[str, int]) -> None:
        """Write bars over older ones of the same time; full stretches that are not hidden become chunks.

        `hidden_since`: of each fund that hides something, since when (UTC ms).
        """
        with self._lock, self._transaction():
            self._put(_UPSERT, rows)
            begun = (r for r in rows if r.start_ms % (lengths_ms[r.interval] * ROWS_OF_A_CHUNK) == 0)
            for fund, interval in dict.fromkeys((row.fund, row.interval) for row in begun):
                self._compress(fund, interval, lengths_ms[interval], hidden_since.get(fund))

    def latest(self, fund: str, interval: str) -> Row | None:
        """The last bar of a fund; None without any that is not in a chunk."""
        with self._lock:
            found = self._ask(
                "SELECT fund, interval, t, nav, rest, shown_nav, shown_rest FROM bar "
                "WHERE fund = ? AND interval = ? ORDER BY t DESC LIMIT 1",
                (fund, interval),
            )
        return Row(*found[0]) if found else None

    def read(
        self, fund: str, part: Part, length_ms: int, start_ms: int, end_ms: int, hidden_since_ms: int | None
    ) -> bytes:
        """One part of the bars that start in [start_ms, end_ms), as the public may see them: a JSON list."""
        interval, column = part
        span_ms = length_ms * ROWS_OF_A_CHUNK
        key = (fund, interval)
        with self._lock:
            chunks = self._ask(
                f"SELECT t, {column} FROM chunk "  # noqa: S608 - one of two names of ours
                "WHERE fund = ? AND interval = ? AND t > ? AND t < ? ORDER BY t",
                (*key, start_ms - span_ms, end_ms),
            )
            bars = self._ask(
                f"SELECT t, {column}, shown_{column} FROM bar "  # noqa: S608 - as above
                "WHERE fund = ? AND interval = ? AND t >= ? AND t < ? ORDER BY t",
                (*key, start_ms, end_ms),
            )
        found = [
            _within(zlib.decompress(packed), start_ms, end_ms)
            if begin_ms < start_ms or begin_ms + span_ms > end_ms
            else zlib.decompress(packed)
            for begin_ms, packed in chunks
        ]
        for time_ms, row, shown in bars:
            hidden = hidden_since_ms is not None and time_ms + length_ms > hidden_since_ms
            found.append((shown if hidden and shown is not None else row).encode())
        return b"[" + b",".join(filter(None, found)) + b"]"

    def size(self, interval: str) -> int:
        """The bytes that all bars of an interval take, packed and not."""
        both = "sum(length(nav) + length(rest))"
        with self._lock:
            found = [
                self._ask(f"SELECT {both} FROM {table} WHERE interval = ?", (interval,))  # noqa: S608 - names of ours
                for table in ("bar", "chunk")
            ]
        return sum(int(size or 0) for ((size,),) in found)

    def _compress(self, fund: str, interval: str, length_ms: int, hidden_since_ms: int | None) -> None:
        """Make a chunk of each stretch that is over, and of which nothing is hidden."""
        ends = "SELECT min(t), max(t) FROM bar WHERE fund = ? AND interval = ?"
        ((oldest_ms, newest_ms),) = self._ask(ends, (fund, interval))
        last_ms = newest_ms if hidden_since_ms is None else min(newest_ms, hidden_since_ms - length_ms)
        span_ms = length_ms * ROWS_OF_A_CHUNK
        start_ms = oldest_ms // span_ms * span_ms
        while start_ms + span_ms <= last_ms:
            self._chunk(fund, interval, start_ms, start_ms + span_ms)
            start_ms += span_ms

    def _chunk(self, fund: str, interval: str, start_ms: int, end_ms: int) -> None:
        key = (fund, interval, start_ms, end_ms)
        where = "WHERE fund = ? AND interval = ? AND t >= ? AND t < ?"
        found = self._ask(f"SELECT nav, rest FROM bar {where} ORDER BY t", key)  # noqa: S608 - no value of ours is in the text
        if not found:
            return
        nav, rest = (",".join(column).encode() for column in zip(*found, strict=True))
        packed = (zlib.compress(nav, _LEVEL), zlib.compress(rest, _LEVEL))
        self._put(_UPSERT_CHUNK, [(fund, interval, start_ms, *packed)])
        self._put(f"DELETE FROM bar {where}", [key])  # noqa: S608 - as above

    @abstractmethod
    def close(self) -> None:
        """Let go of the store; may be called twice."""

    @abstractmethod
    def _ask(self, query: str, values: Values) -> list[Values]:
        """All rows of a query, whose places for values are question marks."""

    @abstractmethod
    def _put(self, statement: str, rows: Sequence[Values]) -> None:
        """Run a statement once for each of the rows of values."""

    @abstractmethod
    def _transaction(self) -> contextlib.AbstractContextManager[None]:
        """All or nothing."""


class NavStore(Bars):
    """The file `nav.sqlite` beside an SQLite journal."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. It and every call raise `JournalUnavailable` if it cannot be used."""
        super().__init__()
        self._path = path
        with _translated(path):
            create_private(path)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            for table in TABLES:
                self._connection.execute(table)

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        self._connection.close()

    def _ask(self, query: str, values: Values) -> list[Values]:
        with _translated(self._path):
            return self._connection.execute(query, values).fetchall()

    def _put(self, statement: str, rows: Sequence[Values]) -> None:
        self._connection.executemany(statement, rows)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with _translated(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's errors become the journal's, as those of PostgreSQL do."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise JournalUnavailable(
            f"{path}, the history of NAV, cannot be used ({error}): check the disk and its free space; "
            "if the file is damaged, move it away: a start begins another history"
        ) from error


def _within(rows: bytes, start_ms: int, end_ms: int) -> bytes:
    """Those of the joined rows that start in [start_ms, end_ms)."""
    found = rows[1:-1].split(b"],[")
    return b",".join(b"[%b]" % row for row in found if start_ms <= int(row[: row.index(b",")]) < end_ms)
