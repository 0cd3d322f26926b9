"""What waits to be said to people: alerts, durable until a route has taken them, in a store of their own.

It is not the journal: losing it loses no fact. It may be written late, and never holds trading up.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from bot.journal.files import create_private

OUTBOX_FILE = "alerts.sqlite"

_TABLES = (
    """CREATE TABLE IF NOT EXISTS letter (
       id TEXT NOT NULL, route TEXT NOT NULL, event TEXT NOT NULL, severity TEXT NOT NULL,
       title TEXT NOT NULL, body TEXT NOT NULL, made_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL,
       attempts INTEGER NOT NULL DEFAULT 0, sent_ms INTEGER, given_up INTEGER NOT NULL DEFAULT 0,
       PRIMARY KEY (id, route)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS letter_due ON letter (due_ms) WHERE sent_ms IS NULL AND given_up = 0",
    "CREATE TABLE IF NOT EXISTS said (about TEXT PRIMARY KEY, said_ms INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS cursor (
       fund TEXT PRIMARY KEY, place INTEGER NOT NULL, told_ms INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS trouble (
       code TEXT PRIMARY KEY, since_ms INTEGER NOT NULL, detail TEXT NOT NULL, remedy TEXT NOT NULL)
       WITHOUT ROWID""",
)
OUTBOX_ERRORS = (sqlite3.Error, OSError)
"""What every call raises where the file cannot be had, read or written."""

_DAMAGED = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_KEPT_MS = 7 * 86_400_000
_WAITING = "sent_ms IS NULL AND given_up = 0"


class Letter(NamedTuple):
    """One alert for one route. `id` makes it the same letter when it is put in again."""

    id: str
    route: str
    event: str
    severity: str
    title: str
    body: str
    attempts: int = 0


class Cursor(NamedTuple):
    """How far a fund's records have been told: up to market time `told_ms`.

    Those up to `place` in its journal certainly were: only what came later has to be read again.
    """

    place: int
    told_ms: int


class Trouble(NamedTuple):
    """An open incident of the daemon itself."""

    code: str
    since_ms: int
    detail: str
    remedy: str


class Outbox:
    """The store. Use it from one thread at a time; every call is durable on return."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it; raises `sqlite3.Error` or `OSError` where that cannot be."""
        create_private(path)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        for statement in _TABLES:
            self._connection.execute(statement)

    def put(self, letters: Iterable[tuple[Letter, str | None]], now_ms: int, *, quiet_ms: int) -> None:
        """Take letters in, each once. One whose subject (if it has one) was said within `quiet_ms` is not."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        for letter, about in letters:
            if about is not None and not self._worth_saying(f"{letter.route}|{about}", now_ms, quiet_ms):
                continue
            execute(
                "INSERT OR IGNORE INTO letter (id, route, event, severity, title, body, made_ms, due_ms)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*letter[:6], now_ms, now_ms),
            )
        execute("COMMIT")

    def _worth_saying(self, about: str, now_ms: int, quiet_ms: int) -> bool:
        row = self._connection.execute("SELECT said_ms FROM said WHERE about = ?", (about,)).fetchone()
        if row is not None and 0 <= now_ms - row[0] < quiet_ms:
            return False
        self._connection.execute("INSERT OR REPLACE INTO said VALUES (?, ?)", (about, now_ms))
        return True

    def due(self, now_ms: int, *, at_most: int = 50) -> list[Letter]:
        """Letters to be sent now, oldest first."""
        rows = self._connection.execute(
            f"SELECT id, route, event, severity, title, body, attempts FROM letter WHERE {_WAITING}"  # noqa: S608 - a constant
            " AND due_ms <= ? ORDER BY made_ms, id LIMIT ?",
            (now_ms, at_most),
        )
        return [Letter(*row) for row in rows]

    def next_due_ms(self) -> int | None:
        """When the next letter is to be sent; None if none waits."""
        (due_ms,) = self._connection.execute(
            f"SELECT min(due_ms) FROM letter WHERE {_WAITING}"  # noqa: S608 - a constant
        ).fetchone()
        return None if due_ms is None else int(due_ms)

    def waiting(self) -> int:
        """How many letters wait."""
        (count,) = self._connection.execute(f"SELECT count(*) FROM letter WHERE {_WAITING}").fetchone()  # noqa: S608 - a constant
        return int(count)

    def sent(self, letter: Letter, now_ms: int) -> None:
        """The route has taken it; old letters are forgotten."""
        self._connection.execute(
            "UPDATE letter SET sent_ms = ? WHERE id = ? AND route = ?", (now_ms, letter.id, letter.route)
        )
        self._connection.execute(
            f"DELETE FROM letter WHERE made_ms < ? AND NOT ({_WAITING})",  # noqa: S608 - a constant
            (now_ms - _KEPT_MS,),
        )

    def failed(self, letter: Letter, due_ms: int | None) -> None:
        """The route did not take it: try it, and all that waits behind it, at `due_ms`; None gives it up."""
        if due_ms is not None:
            self._connection.execute(
                f"UPDATE letter SET due_ms = ? WHERE route = ? AND due_ms < ? AND {_WAITING}",  # noqa: S608 - a constant
                (due_ms, letter.route, due_ms),
            )
        self._connection.execute(
            "UPDATE letter SET attempts = attempts + 1, due_ms = coalesce(?, due_ms), given_up = ?"
            " WHERE id = ? AND route = ?",
            (due_ms, due_ms is None, letter.id, letter.route),
        )

    def cursor(self, fund: str) -> Cursor | None:
        """How far the fund's records have been told; None if none of them was."""
        row = self._connection.execute("SELECT place, told_ms FROM cursor WHERE fund = ?", (fund,)).fetchone()
        return None if row is None else Cursor(*row)

    def told(self, fund: str, cursor: Cursor) -> None:
        """The fund's records have been told as far as `cursor`."""
        self._connection.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", (fund, *cursor))

    def troubles(self) -> list[Trouble]:
        """Open incidents of the daemon itself, oldest first."""
        rows = self._connection.execute(
            "SELECT code, since_ms, detail, remedy FROM trouble ORDER BY since_ms"
        )
        return [Trouble(*row) for row in rows]

    def open_trouble(self, trouble: Trouble) -> None:
        """Remember an incident; one that is open already keeps its beginning."""
        self._connection.execute("INSERT OR IGNORE INTO trouble VALUES (?, ?, ?, ?)", trouble)

    def close_trouble(self, code: str) -> None:
        """It is over."""
        self._connection.execute("DELETE FROM trouble WHERE code = ?", (code,))

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def open_outbox(path: Path, now_ms: int) -> tuple[Outbox, Path | None]:
    """Open the store; one that is damaged is put aside, and where it is now comes with a new one.

    Alerts are not worth a start that fails: it would keep the funds from being driven.
    """
    try:
        return Outbox(path), None
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in _DAMAGED:
            raise
    aside = path.with_name(f"{path.name}.damaged-{now_ms}")
    path.rename(aside)
    for left_over in ("-wal", "-shm"):
        path.with_name(path.name + left_over).unlink(missing_ok=True)
    return Outbox(path), aside


def kept_troubles(data_dir: Path) -> list[Trouble]:
    """What is open of the daemon itself, from the store on disk; that it cannot be read, too."""
    path = data_dir / OUTBOX_FILE
    if not path.exists():
        return []
    try:
        with closing(Outbox(path)) as outbox:
            return outbox.troubles()
    except sqlite3.Error as error:
        since_ms = path.stat().st_mtime_ns // 1_000_000
        remedy = "a start puts it aside if it is damaged, and makes a new one"
        return [Trouble("alerts not readable", since_ms, f"{path}: {error}", remedy)]
