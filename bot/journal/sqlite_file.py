"""The SQLite file itself: connections, revisions, soundness, what it says of itself, and its errors."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bot.core.texts import how_many
from bot.journal import schema
from bot.journal.errors import (
    DataDirUnusable,
    JournalError,
    JournalKeyError,
    JournalMismatch,
    JournalOlder,
    JournalUnavailable,
    NoJournal,
)
from bot.journal.files import create_private
from bot.journal.journal import Identity
from bot.journal.keys import find_key
from bot.journal.rows import Wording
from bot.journal.sealing import Sealer, SealError

_BUSY_TIMEOUT_S = 5.0
_CORRUPTION = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_KEY_CHECK = b"inband"
"""Sealed into each new journal, so that a wrong key is known at once, and not at the first secret."""


def revision(connection: sqlite3.Connection) -> str | None:
    """The revision of the stored tables; None for an empty file."""
    tables = {text(name) for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if schema.VERSION_TABLE in tables:
        (stored,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return text(stored)
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    return f"{number:04d}" if number else None


def connect_writer(path: Path) -> sqlite3.Connection:
    """A connection that flushes every commit to disk; makes the file if there is none."""
    try:
        create_private(path)
    except OSError as error:
        raise DataDirUnusable(
            f"INBAND_DATA_DIR: cannot write to {path} ({error.strerror}): let this user write it"
        ) from error
    with contextlib.ExitStack() as undo, translated(path):
        connection = undo.enter_context(contextlib.closing(connect(path.absolute().as_uri())))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        undo.pop_all()
    return connection


def refuse_damaged(path: Path, connection: sqlite3.Connection) -> None:
    """Raise `JournalCorrupt` where SQLite finds damage, or where a record is missing between others.

    Not quick_check: a record that drops out of the index would silently be missing.
    """
    with translated(path):
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if text(verdict) != "ok":
            raise wording(path).corrupt(text(verdict))
        if revision(connection) is None:
            return
        count, last = connection.execute("SELECT count(*), max(seq) FROM record").fetchone()
        if count != (last or 0):
            raise wording(path).corrupt(f"{how_many(last, 'record')} written, {count} there")


def crc_at(connection: sqlite3.Connection, fund: str, position: int) -> int | None:
    """The checksum of a fund's record at a position; None where there is none."""
    query = "SELECT crc FROM record WHERE seq = ? AND fund = ?"
    found = connection.execute(query, (position, fund)).fetchone()
    return None if found is None else int(found[0])


def connect(uri: str) -> sqlite3.Connection:
    """A connection whose text comes as bytes."""
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    # Text that is no longer UTF-8 must reach the checksum, not raise something else on the way.
    connection.text_factory = bytes
    return connection


def new_meta(sealer: Sealer, identity: Identity, wall_ms: int) -> dict[str, str]:
    """What a new journal knows of itself."""
    check = sealer.seal(_KEY_CHECK, "", "meta", 0).hex()
    return {"mode": identity.mode, "venue": identity.venue, "created_ms": str(wall_ms), "key_check": check}


def make_tables(connection: sqlite3.Connection, meta: dict[str, str]) -> None:
    """Today's tables in an empty file."""
    with transaction(connection):
        for statements in schema.STATEMENTS["sqlite"].values():
            for statement in statements:
                connection.execute(statement)
        connection.execute(schema.CREATE_VERSION_TABLE)
        connection.execute("INSERT INTO alembic_version VALUES (?)", (schema.HEAD,))
        connection.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", meta.items())


class Meta(NamedTuple):
    """What a journal says of itself."""

    owner: Identity
    key_check: bytes


def read_meta(path: Path, connection: sqlite3.Connection) -> Meta:
    """What the file says of itself."""
    rows = connection.execute("SELECT name, value FROM meta")
    try:
        stored = {text(name): text(value) for name, value in rows}
        return Meta(Identity(stored["mode"], stored["venue"]), bytes.fromhex(stored["key_check"]))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise wording(path).corrupt("it does not say what it belongs to") from error


def open_sealer(path: Path, key: str | None, key_dir: Path, meta: Meta) -> Sealer:
    """The seal of an existing journal; `key_dir` is where its key file is, if it has one."""
    sealer = Sealer(find_key(key_dir, key))
    refuse_other_key(sealer, meta.key_check, str(path))
    return sealer


def refuse_other_key(sealer: Sealer, key_check: bytes, name: str) -> None:
    """Raise `JournalKeyError` unless the journal was sealed with this key."""
    try:
        sealer.unseal(key_check, "", "meta", 0)
    except SealError:
        raise JournalKeyError(
            f"{name} was sealed with another key: restore the journal.key that belongs to it, "
            "or set INBAND_JOURNAL_KEY to it"
        ) from None


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors become the journal's."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPTION:
            raise wording(path).corrupt(str(error)) from error
        raise JournalUnavailable(unavailable(path, error)) from error
    except UnicodeDecodeError as error:
        # sqlite3 could not even put its complaint into words, because that quotes the damage.
        raise wording(path).corrupt("its tables are damaged") from error


def text(raw: bytes) -> str:
    """Text as it was stored, or what can be read of it."""
    return raw.decode(errors="replace")


def refuse_unreadable(path: Path, stored: str | None) -> None:
    """Raise the error that a revision other than today's calls for."""
    if stored is None:
        raise none_yet(path)
    refuse_newer(path, stored)
    if stored != schema.HEAD:
        raise older(path)


def refuse_newer(path: Path, stored: str | None) -> None:
    """Raise `JournalNewer` for a revision that this program does not know."""
    if stored is not None and stored not in schema.REVISIONS:
        raise wording(path).newer(f"its revision is {stored}, this program knows {schema.HEAD}")


def older(path: Path) -> JournalError:
    """Its tables are to be brought up to date."""
    return JournalOlder(
        f"{path} is of an older version of Inband: bring it up to date with `python3 -m bot db upgrade`, "
        "which keeps a copy of it as it is"
    )


def mismatch(path: Path, owner: Identity, asked: Identity) -> JournalError:
    """It belongs to another mode or venue."""
    return JournalMismatch(
        f"{path} belongs to mode {owner.mode} on {owner.venue}, not to {asked.mode} on {asked.venue}: "
        "set another INBAND_DATA_DIR, or start with --fresh to archive it"
    )


def wording(path: Path) -> Wording:
    """How errors name a file, and what they advise."""
    return Wording(
        str(path),
        "put back a backup with `python3 -m bot db restore FILE` and start again; with no backup, "
        "start with --fresh, which archives what is left",
    )


def none_yet(path: Path) -> JournalError:
    """There is no journal at this place."""
    return NoJournal(f"no journal in {path.parent} yet: start the daemon, or set its INBAND_DATA_DIR")


def unavailable(path: Path, error: Exception) -> str:
    """What a disk that refuses is called."""
    return f"{path} cannot be used ({error}): check the disk and its free space, then start again"
