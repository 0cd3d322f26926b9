"""The journal in one SQLite file: WAL, every commit flushed to disk, one writer, any number of readers."""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from bot.core.records import Record
from bot.journal import schema
from bot.journal.errors import JournalUnavailable
from bot.journal.high_water import HighWaterMark
from bot.journal.journal import END, Identity, Owner, StoredProjection
from bot.journal.keys import find_or_make_key
from bot.journal.lock import DataDirLock
from bot.journal.rows import Row, to_records
from bot.journal.sealing import Sealer
from bot.journal.sqlite_file import (
    connect,
    connect_writer,
    crc_at,
    make_tables,
    mismatch,
    new_meta,
    none_yet,
    older,
    open_sealer,
    read_meta,
    refuse_damaged,
    refuse_newer,
    refuse_unreadable,
    revision,
    text,
    transaction,
    translated,
    unavailable,
    wording,
)
from bot.journal.store import StoreAppender, StoreReader

JOURNAL_FILE = "journal.sqlite"

_PAGE = 500
"""So many rows are fetched at a time: fetching costs little, and they stay in the processor's cache."""

_INSERT = "INSERT INTO record (fund, kind, time_ms, wall_ms, body, sealed, crc) VALUES (?, ?, ?, ?, ?, ?, ?)"
_SELECT = """SELECT seq, kind, time_ms, wall_ms, body, sealed, crc FROM record
             WHERE fund = ? AND seq > ? AND seq <= ? ORDER BY seq"""
# One look-up in the index per fund; DISTINCT would walk every record.
_FUNDS = """
    WITH RECURSIVE known(name) AS (
        SELECT min(fund) FROM record
        UNION ALL SELECT (SELECT min(fund) FROM record WHERE fund > name) FROM known WHERE name IS NOT NULL
    ) SELECT name FROM known WHERE name IS NOT NULL
"""


class SqliteReader(StoreReader):
    """Reads a journal, beside its writer or without one. See `JournalReader`."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, sealer: Sealer, identity: Identity
    ) -> None:
        super().__init__(sealer, identity)
        self._path = path
        self._connection = connection

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection itself, for what looks at the file as a whole."""
        return self._connection

    def funds(self) -> tuple[str, ...]:
        """Names of the funds that have records, in alphabetical order."""
        with translated(self._path):
            return tuple(text(name) for (name,) in self._connection.execute(_FUNDS))

    def read(self, fund: str, after: int = 0, until: int = END) -> Iterator[Record]:
        """The fund's records in order; see `JournalReader.read`."""
        return to_records(self._sealer, fund, self._pages(fund, after, until), wording(self._path))

    def rows(self, fund: str, after: int = 0) -> Iterator[Row]:
        """The fund's records as they are stored, unchecked."""
        yield from map(Row._make, chain.from_iterable(self._pages(fund, after)))

    def _pages(self, fund: str, after: int, until: int = END) -> Iterator[list[tuple[Any, ...]]]:
        with translated(self._path):
            cursor = self._connection.execute(_SELECT, (fund, after, until))
            while page := cursor.fetchmany(_PAGE):
                yield page

    def crc_at(self, fund: str, position: int) -> int | None:
        """The checksum of the fund's record at a position; None where there is none."""
        with translated(self._path):
            return crc_at(self._connection, fund, position)

    def position(self, fund: str) -> int:
        """The place of the fund's last record in the whole journal."""
        with translated(self._path):
            found = self._connection.execute("SELECT max(seq) FROM record WHERE fund = ?", (fund,)).fetchone()
            return found[0] or 0

    def projection(self, fund: str, name: str) -> StoredProjection | None:
        """See `JournalReader.projection`."""
        with translated(self._path):
            found = self._connection.execute(
                "SELECT version, position, sealed FROM projection WHERE fund = ? AND name = ?", (fund, name)
            ).fetchone()
        if found is None or type(found[0]) is not bytes or type(found[2]) is not bytes:
            return None
        return self._unsealed(fund, name, text(found[0]), found[1], found[2])

    def owners(self) -> tuple[Owner, ...]:
        """Nobody shares a file: whoever holds the data directory sends."""
        return ()

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        self._connection.close()


class SqliteKeeper(SqliteReader):
    """Keeps projections, also beside the writer, who waits for no more than the write. See `Keeper`."""

    def keep(self, fund: str, kept: Mapping[str, StoredProjection]) -> None:
        """Keep projections; see `Keeper.keep`."""
        with translated(self._path), transaction(self._connection):
            self._connection.executemany(
                "INSERT OR REPLACE INTO projection VALUES (?, ?, ?, ?, ?)", self._sealed(fund, kept)
            )


class SqliteJournal(SqliteKeeper, StoreAppender):
    """The one writer; holds the data directory until closed. See `Journal`."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        sealer: Sealer,
        identity: Identity,
        lock: DataDirLock,
        mark: HighWaterMark,
    ) -> None:
        super().__init__(path, connection, sealer, identity)
        self._lock = lock
        self._mark = mark

    def _next(self, fund: str) -> int:
        """The file numbers its rows itself."""
        del fund
        return 0

    def _write(self, fund: str, rows: Sequence[Row]) -> None:
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            position = 0
            for _, kind, time_ms, wall_ms, body, sealed, crc in rows:
                values = (fund, kind.decode(), time_ms, wall_ms, body.decode(), sealed, crc)
                position = execute(_INSERT, values).lastrowid or 0
            execute("COMMIT")
            self._mark.rise(fund, position, rows[-1].crc)
        except (sqlite3.Error, OSError) as error:
            # A flush that failed may seem to succeed when tried again, with the data gone: never try again.
            self._failure = unavailable(self._path, error)
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise JournalUnavailable(self._failure) from error

    def owned(self) -> bool:
        """The lock on the data directory lasts as long as the process."""
        return True

    def close(self) -> None:
        """Let go of the file and of the data directory; may be called twice."""
        super().close()
        self._mark.close()
        self._lock.release()


def open_journal(data_dir: Path, identity: Identity, key: str | None, wall_ms: int) -> SqliteJournal:
    """Open the journal in `data_dir` for writing; where there is none, make it, its folder and its key.

    `key`: 32 bytes as hex or base64, or None for the key file. `wall_ms`: wall time, kept in a new journal.

    Raises:
        DataDirUnusable, JournalMismatch, JournalKeyError: a setting is wrong.
        JournalBusy: another process has it.
        JournalOlder, JournalNewer, JournalCorrupt, JournalUnavailable: the file is not usable as it is.
    """
    path = data_dir / JOURNAL_FILE
    with contextlib.ExitStack() as undo:
        lock = undo.enter_context(DataDirLock(data_dir))
        mark = undo.enter_context(contextlib.closing(HighWaterMark(data_dir)))
        connection = undo.enter_context(contextlib.closing(connect_writer(path)))
        sealer = _prepare(path, connection, identity, key, wall_ms, mark)
        undo.pop_all()
    return SqliteJournal(path, connection, sealer, identity, lock, mark)


def open_reader(data_dir: Path, key: str | None) -> SqliteReader:
    """Open the journal in `data_dir` for reading only, whether or not a daemon is writing it.

    Raises:
        NoJournal: there is none yet.
        JournalKeyError: the key is wrong or missing.
        JournalOlder, JournalNewer, JournalCorrupt, JournalUnavailable: the file is not usable as it is.
    """
    return open_file(data_dir / JOURNAL_FILE, key, data_dir)


def open_keeper(data_dir: Path, key: str | None) -> SqliteKeeper:
    """Open the journal in `data_dir` to keep projections beside a daemon that writes it; as `open_reader`."""
    path = data_dir / JOURNAL_FILE
    with contextlib.ExitStack() as undo, translated(path):
        connection, sealer, identity = _opened(path, "rw", key, data_dir, undo)
        # What it writes can be made again: the writer's next commit makes it durable, and clears the log.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        undo.pop_all()
    return SqliteKeeper(path, connection, sealer, identity)


def open_file(path: Path, key: str | None, key_dir: Path) -> SqliteReader:
    """Open a journal at any path, such as a backup, for reading only; as `open_reader`."""
    with contextlib.ExitStack() as undo, translated(path):
        connection, sealer, identity = _opened(path, "ro", key, key_dir, undo)
        undo.pop_all()
    return SqliteReader(path, connection, sealer, identity)


def _opened(
    path: Path, mode: str, key: str | None, key_dir: Path, undo: contextlib.ExitStack
) -> tuple[sqlite3.Connection, Sealer, Identity]:
    if not path.exists():
        raise none_yet(path)
    connection = undo.enter_context(contextlib.closing(connect(f"{path.absolute().as_uri()}?mode={mode}")))
    refuse_unreadable(path, revision(connection))
    meta = read_meta(path, connection)
    return connection, open_sealer(path, key, key_dir, meta), meta.owner


def _prepare(
    path: Path,
    connection: sqlite3.Connection,
    identity: Identity,
    key: str | None,
    wall_ms: int,
    mark: HighWaterMark,
) -> Sealer:
    """Check that the file is sound, belongs to `identity` and opens with the key; make it so if it is new."""
    refuse_damaged(path, connection)
    with translated(path):
        stored = revision(connection)
        refuse_newer(path, stored)
        if stored is None:
            mark.refuse_rolled_back(lambda _fund, _position: None, str(path))
            return _begin(path, connection, identity, key, wall_ms)
        meta = read_meta(path, connection)
        if meta.owner != identity:
            raise mismatch(path, meta.owner, identity)
        sealer = open_sealer(path, key, path.parent, meta)
        if stored != schema.HEAD:
            raise older(path)

        mark.refuse_rolled_back(partial(crc_at, connection), str(path))
        return sealer


def _begin(
    path: Path, connection: sqlite3.Connection, identity: Identity, key: str | None, wall_ms: int
) -> Sealer:
    sealer = Sealer(find_or_make_key(path.parent, key))
    make_tables(connection, new_meta(sealer, identity, wall_ms))
    return sealer
