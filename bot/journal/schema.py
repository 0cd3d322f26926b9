"""The tables of the SQLite journal, and how older ones become today's. All its data definition is here."""

import sqlite3
from collections.abc import Sequence

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        # time_ms: market time; wall_ms: wall time; body: JSON of open fields; sealed: the rest, encrypted;
        # crc: CRC-32 of the row, because SQLite itself does not notice a changed byte inside one.
        """CREATE TABLE record (seq INTEGER PRIMARY KEY, fund TEXT NOT NULL, kind TEXT NOT NULL,
           time_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL, body TEXT NOT NULL, sealed BLOB,
           crc INTEGER NOT NULL)""",
        "CREATE INDEX record_by_fund ON record (fund)",
        """CREATE TRIGGER record_is_never_updated BEFORE UPDATE ON record
           BEGIN SELECT raise(ABORT, 'records are never changed'); END""",
        """CREATE TRIGGER record_is_never_deleted BEFORE DELETE ON record
           BEGIN SELECT raise(ABORT, 'records are never deleted'); END""",
    ),
)
"""Statements by version: the first tuple leads from an empty file to version 1, the next to 2, and so on."""


def version(connection: sqlite3.Connection) -> int:
    """The version of the stored tables; 0 for an empty file."""
    (stored,) = connection.execute("PRAGMA user_version").fetchone()
    return int(stored)


def migrate(connection: sqlite3.Connection, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Bring the tables up to date, in the caller's transaction. Newer ones are the caller's to refuse."""
    for number, statements in enumerate(migrations[version(connection) :], version(connection) + 1):
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
