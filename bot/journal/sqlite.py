"""The journal in one SQLite file: WAL, every commit flushed to disk, one writer, any number of readers."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from zlib import crc32

from bot.core.records import Record
from bot.journal import codec, schema
from bot.journal.errors import (
    DataDirUnusable,
    JournalCorrupt,
    JournalError,
    JournalKeyError,
    JournalMismatch,
    JournalNewer,
    JournalUnavailable,
    NoJournal,
)
from bot.journal.files import create_private
from bot.journal.journal import Identity
from bot.journal.keys import find_key, find_or_make_key
from bot.journal.lock import DataDirLock
from bot.journal.sealing import Sealer, SealError

JOURNAL_FILE = "journal.sqlite"

_BUSY_TIMEOUT_S = 5.0
_CORRUPTION = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_INSERT = "INSERT INTO record (fund, kind, time_ms, wall_ms, body, sealed, crc) VALUES (?, ?, ?, ?, ?, ?, ?)"
_SELECT = "SELECT seq, kind, time_ms, wall_ms, body, sealed, crc FROM record WHERE fund = ? ORDER BY seq"
# One look-up in the index per fund; DISTINCT would walk every record.
_FUNDS = """
    WITH RECURSIVE known(name) AS (
        SELECT min(fund) FROM record
        UNION ALL SELECT (SELECT min(fund) FROM record WHERE fund > name) FROM known WHERE name IS NOT NULL
    ) SELECT name FROM known WHERE name IS NOT NULL
"""
_KEY_CHECK = b"inband"
"""Sealed into each new journal, so that a wrong key is known at once, and not at the first secret."""


class SqliteReader:
    """Reads a journal, beside its writer or without one. See `JournalReader`."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, sealer: Sealer, identity: Identity
    ) -> None:
        self._path = path
        self._connection = connection
        self._sealer = sealer
        self._identity = identity

    @property
    def identity(self) -> Identity:
        """The mode and venue the journal belongs to."""
        return self._identity

    def funds(self) -> tuple[str, ...]:
        """Names of the funds that have records, in alphabetical order."""
        with _translated(self._path):
            return tuple(name for (name,) in self._connection.execute(_FUNDS))

    def read(self, fund: str) -> Iterator[Record]:
        """The fund's records in order; see `JournalReader.read`."""
        with _translated(self._path):
            for seq, kind, time_ms, wall_ms, body, sealed, crc in self._connection.execute(_SELECT, (fund,)):
                if type(body) is not str or (sealed is not None and type(sealed) is not bytes):
                    raise _corrupt(self._path, f"record {seq} has a value of a wrong type")
                stored = codec.Encoded(kind, time_ms, body.encode(), sealed)
                if _crc(fund, stored, wall_ms) != crc:
                    raise _corrupt(self._path, f"record {seq} fails its checksum")
                yield self._decode(seq, fund, stored)

    def _decode(self, seq: int, fund: str, stored: codec.Encoded) -> Record:
        try:
            if stored.sealed is not None:
                plain = self._sealer.unseal(stored.sealed, fund, stored.kind, stored.time_ms)
                stored = stored._replace(sealed=plain)
            return codec.decode(stored)
        except codec.UnknownRecordError as error:
            raise _newer(self._path, f"record {seq}: {error}") from error
        except (codec.MalformedRecordError, SealError) as error:
            raise _corrupt(self._path, f"record {seq}: {error}") from error

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SqliteJournal(SqliteReader):
    """The one writer; holds the data directory until closed. See `Journal`."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        sealer: Sealer,
        identity: Identity,
        lock: DataDirLock,
    ) -> None:
        super().__init__(path, connection, sealer, identity)
        self._lock = lock
        self._failure: str | None = None

    def append(self, fund: str, records: Sequence[Record], wall_ms: int) -> None:
        """Append the records of one step, durably and all or none; see `Journal.append`."""
        if self._failure is not None:
            raise JournalUnavailable(self._failure)
        if not records:
            return
        rows = [self._row(fund, codec.encode(record), wall_ms) for record in records]
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            self._connection.executemany(_INSERT, rows)
            execute("COMMIT")
        except sqlite3.Error as error:
            # A flush that failed may seem to succeed when tried again, with the data gone: never try again.
            self._failure = _unavailable(self._path, error)
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise JournalUnavailable(self._failure) from error

    def _row(self, fund: str, encoded: codec.Encoded, wall_ms: int) -> tuple[str | int | bytes | None, ...]:
        kind, time_ms, body, plain = encoded
        if plain is not None:
            encoded = encoded._replace(sealed=self._sealer.seal(plain, fund, kind, time_ms))
        return (fund, kind, time_ms, wall_ms, body.decode(), encoded.sealed, _crc(fund, encoded, wall_ms))

    def close(self) -> None:
        """Let go of the file and of the data directory; may be called twice."""
        super().close()
        self._lock.release()


def open_journal(data_dir: Path, identity: Identity, key: str | None, wall_ms: int) -> SqliteJournal:
    """Open the journal in `data_dir` for writing; where there is none, make it, its folder and its key.

    `key`: 32 bytes as hex or base64, or None for the key file. `wall_ms`: wall time, kept in a new journal.

    Raises:
        DataDirUnusable, JournalMismatch, JournalKeyError: a setting is wrong.
        JournalBusy: another process has it.
        JournalNewer, JournalCorrupt, JournalUnavailable: the file is not usable as it is.
    """
    path = data_dir / JOURNAL_FILE
    with contextlib.ExitStack() as undo:
        lock = undo.enter_context(DataDirLock(data_dir))
        connection = undo.enter_context(contextlib.closing(_connect_writer(path)))
        sealer = _prepare(path, connection, identity, key, wall_ms)
        undo.pop_all()
    return SqliteJournal(path, connection, sealer, identity, lock)


def open_reader(data_dir: Path, key: str | None) -> SqliteReader:
    """Open the journal in `data_dir` for reading only, whether or not a daemon is writing it.

    Raises:
        NoJournal: there is none yet.
        JournalKeyError: the key is wrong or missing.
        JournalNewer, JournalCorrupt, JournalUnavailable: the file is not usable as it is.
    """
    path = data_dir / JOURNAL_FILE
    if not path.exists():
        raise _none_yet(path)
    with contextlib.ExitStack() as undo, _translated(path):
        connection = undo.enter_context(contextlib.closing(_connect(path.absolute().as_uri() + "?mode=ro")))
        _refuse_unreadable(path, schema.version(connection))
        meta = _read_meta(path, connection)
        sealer = _open_sealer(path, key, meta)
        undo.pop_all()
    return SqliteReader(path, connection, sealer, meta.owner)


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    # Text that is no longer UTF-8 must reach the checksum, not raise something else on the way.
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    return connection


def _connect_writer(path: Path) -> sqlite3.Connection:
    try:
        create_private(path)
    except OSError as error:
        raise DataDirUnusable(
            f"INBAND_DATA_DIR: cannot write to {path} ({error.strerror}): let this user write it"
        ) from error
    with contextlib.ExitStack() as undo, _translated(path):
        connection = undo.enter_context(contextlib.closing(_connect(path.absolute().as_uri())))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        undo.pop_all()
    return connection


def _prepare(
    path: Path, connection: sqlite3.Connection, identity: Identity, key: str | None, wall_ms: int
) -> Sealer:
    """Check that the file is sound, belongs to `identity` and opens with the key; make it so if it is new."""
    with _translated(path):
        # Not quick_check: a record that drops out of the index would silently be missing.
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise _corrupt(path, verdict)
        stored = schema.version(connection)
        _refuse_newer(path, stored)
        if stored == 0:
            return _begin(path, connection, identity, key, wall_ms)
        meta = _read_meta(path, connection)
        if meta.owner != identity:
            raise _mismatch(path, meta.owner, identity)
        sealer = _open_sealer(path, key, meta)
        with _transaction(connection):
            schema.migrate(connection)
        return sealer


def _begin(
    path: Path, connection: sqlite3.Connection, identity: Identity, key: str | None, wall_ms: int
) -> Sealer:
    sealer = Sealer(find_or_make_key(path.parent, key))
    check = sealer.seal(_KEY_CHECK, "", "meta", 0).hex()
    meta = {"mode": identity.mode, "venue": identity.venue, "created_ms": str(wall_ms), "key_check": check}
    with _transaction(connection):
        schema.migrate(connection)
        connection.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", meta.items())
    return sealer


class _Meta(NamedTuple):
    owner: Identity
    key_check: bytes


def _read_meta(path: Path, connection: sqlite3.Connection) -> _Meta:
    stored = dict(connection.execute("SELECT name, value FROM meta"))
    try:
        return _Meta(Identity(stored["mode"], stored["venue"]), bytes.fromhex(stored["key_check"]))
    except (KeyError, ValueError, TypeError) as error:
        raise _corrupt(path, "it does not say what it belongs to") from error


def _open_sealer(path: Path, key: str | None, meta: _Meta) -> Sealer:
    sealer = Sealer(find_key(path.parent, key))
    try:
        sealer.unseal(meta.key_check, "", "meta", 0)
    except SealError:
        raise JournalKeyError(
            f"{path} was sealed with another key: restore the journal.key that belongs to it, "
            "or set INBAND_JOURNAL_KEY to it"
        ) from None
    return sealer


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's errors become the journal's."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPTION:
            raise _corrupt(path, str(error)) from error
        raise JournalUnavailable(_unavailable(path, error)) from error
    except UnicodeDecodeError as error:
        # sqlite3 could not even put its complaint into words, because that quotes the damage.
        raise _corrupt(path, "its tables are damaged") from error


def _crc(fund: str, stored: codec.Encoded, wall_ms: int) -> int:
    kind, time_ms, body, sealed = stored
    crc = crc32(body, crc32(f"{fund}|{kind}|{time_ms}|{wall_ms}|".encode()))
    return crc if sealed is None else crc32(sealed, crc)


def _refuse_unreadable(path: Path, stored: int) -> None:
    if stored == 0:
        raise _none_yet(path)
    _refuse_newer(path, stored)
    if stored < len(schema.MIGRATIONS):
        raise JournalUnavailable(
            f"{path} is of an older version: start the daemon once to bring it up to date"
        )


def _refuse_newer(path: Path, stored: int) -> None:
    if stored > len(schema.MIGRATIONS):
        raise _newer(path, f"its version is {stored}, this program knows {len(schema.MIGRATIONS)}")


def _newer(path: Path, detail: str) -> JournalError:
    return JournalNewer(f"{path} was written by a newer version of Inband ({detail}): run that version")


def _mismatch(path: Path, owner: Identity, asked: Identity) -> JournalError:
    return JournalMismatch(
        f"{path} belongs to mode {owner.mode} on {owner.venue}, not to {asked.mode} on {asked.venue}: "
        "set another INBAND_DATA_DIR, or start with --fresh to archive it"
    )


def _corrupt(path: Path, detail: str) -> JournalError:
    name = path.name
    return JournalCorrupt(
        f"{path} is corrupt ({' '.join(detail.split())}): move {name}, {name}-wal and {name}-shm aside, "
        "put back a backup made with the same journal.key and start again; with no backup, start with --fresh"
    )


def _none_yet(path: Path) -> JournalError:
    return NoJournal(f"no journal in {path.parent} yet: start the daemon, or set its INBAND_DATA_DIR")


def _unavailable(path: Path, error: sqlite3.Error) -> str:
    return f"{path} cannot be used ({error}): check the disk and its free space, then start again"
