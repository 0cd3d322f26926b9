"""The history of NAV in copies of a journal, and as lines of JSON: as the public may see it.

A copy is kept where others may read it, so bars of a rebalance that is not revealed yet are copied as they
are shown meanwhile: what a copy that is put back lacks is the truth of that stretch, and no more.
"""

import contextlib
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bot.core.bars import INTERVALS_MS
from bot.journal.nav_store import NAV_FILE, TABLES, Row, Values

if TYPE_CHECKING:
    from bot.journal.pg_session import Session

_BARS = "SELECT fund, interval, t, nav, rest, shown_nav, shown_rest FROM bar ORDER BY fund, interval, t"
_CHUNKS = "SELECT fund, interval, t, nav, rest FROM chunk ORDER BY fund, interval, t"


class NavRows(NamedTuple):
    """All that is stored of it."""

    bars: list[Row]
    chunks: list[Values]


def of_file(path: Path) -> NavRows | None:
    """What a file holds, `nav.sqlite` or a copy of a journal; None where it holds no history."""
    if not path.exists():
        return None
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
        file.isolation_level = None
        file.execute("BEGIN")  # both tables as they are at one instant
        if not file.execute("SELECT 1 FROM sqlite_master WHERE name = 'bar'").fetchall():
            return None
        return NavRows([Row(*row) for row in file.execute(_BARS)], file.execute(_CHUNKS).fetchall())


def of_database(session: "Session") -> NavRows | None:
    """What a PostgreSQL journal holds; None where it is none, or of before there was such a history."""
    with session.unhurried(), session.transaction():
        session.count("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        if session.row("SELECT to_regclass('bar')") == (None,):
            return None
        return NavRows([Row(*row) for row in session.rows(_BARS)], session.rows(_CHUNKS))


def of_store(data_dir: Path, url: str | None) -> NavRows | None:
    """What the store of a journal holds, whoever writes it. Raises JournalError."""
    if url is None:
        return of_file(data_dir / NAV_FILE)
    from bot.journal.pg_session import Session, translated  # noqa: PLC0415 - the driver, where it is used

    with translated(url), contextlib.closing(Session.open(url, "inband reader")) as session:
        return of_database(session)


def public(rows: NavRows, hidden_since: Mapping[str, int | None]) -> NavRows:
    """The history as it is shown now. `hidden_since`: of each fund that hides something, since when."""
    return NavRows([_shown(row, hidden_since.get(row.fund)) for row in rows.bars], rows.chunks)


def _shown(row: Row, hidden_since_ms: int | None) -> Row:
    hides = hidden_since_ms is not None and row.start_ms + INTERVALS_MS[row.interval] > hidden_since_ms
    if not hides or row.shown_nav is None:
        return row._replace(shown_nav=None, shown_rest=None)
    return Row(row.fund, row.interval, row.start_ms, row.shown_nav, row.shown_rest or row.rest)


def put(path: Path, rows: NavRows) -> None:
    """Write the history into a file that has none, durable on return."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA synchronous = FULL")
        file.execute("BEGIN")
        for table in TABLES:
            file.execute(table)
        file.executemany("INSERT INTO bar VALUES (?, ?, ?, ?, ?, ?, ?)", rows.bars)
        file.executemany("INSERT INTO chunk VALUES (?, ?, ?, ?, ?)", rows.chunks)
        file.execute("COMMIT")


def take_out(path: Path) -> NavRows | None:
    """What a copy holds of the history, which it holds no more afterwards; None if it held none."""
    rows = of_file(path)
    if rows is not None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as file:
            file.execute("DROP TABLE bar")
            file.execute("DROP TABLE chunk")
    return rows


def replace(session: "Session", rows: NavRows, aside: str) -> None:
    """Put another history in the place of the one in PostgreSQL, which stays in tables `..._aside`.

    The caller's transaction makes it all or nothing.
    """
    for table, columns, stored in (("bar", 7, rows.bars), ("chunk", 5, rows.chunks)):
        session.count(f"ALTER TABLE {table} RENAME TO {table}_{aside}")
        session.count(f"CREATE TABLE {table} (LIKE {table}_{aside} INCLUDING ALL)")
        with session.cursor() as cursor:
            places = ", ".join(["%s"] * columns)
            cursor.executemany(f"INSERT INTO {table} VALUES ({places})".encode(), stored)  # noqa: S608 - names of ours


def lines(rows: NavRows, fund: str) -> Iterator[bytes]:
    """One JSON object per bar of a fund: interval, and `[t,o,h,l,c,n]` as HTTP tells it."""
    for name, interval, _, nav, _ in rows.chunks:
        if name == fund:
            yield from _lines(fund, interval, _rows_of(zlib.decompress(nav)))
    for row in rows.bars:
        if row.fund == fund:
            yield from _lines(fund, row.interval, [row.nav.encode()])


def _rows_of(packed: bytes) -> list[bytes]:
    return [b"[%b]" % row for row in packed[1:-1].split(b"],[")]


def _lines(fund: str, interval: str, rows: Iterable[bytes]) -> Iterator[bytes]:
    for row in rows:
        yield b'{"fund":"%b","nav":"%b","row":%b}\n' % (fund.encode(), interval.encode(), row)
