"""Copies of a journal, as one SQLite file whatever it is kept in; and putting one back.

A copy holds the records as they are stored, secrets sealed: it is of no use to who has not the key, and of
none to its owner without it.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from bot.core.book import Book
from bot.core.recovery_records import JournalRestored
from bot.journal import nav_copy, sqlite
from bot.journal.archive import archive
from bot.journal.errors import (
    JournalCorrupt,
    JournalMismatch,
    JournalSettingError,
    JournalUnavailable,
    NoJournal,
)
from bot.journal.files import PRIVATE, create_private, sync_folder
from bot.journal.journal import Identity
from bot.journal.lock import DataDirLock
from bot.journal.nav_store import NAV_FILE
from bot.journal.rows import Row, Wording
from bot.journal.sqlite_file import (
    connect,
    connect_writer,
    make_tables,
    new_meta,
    refuse_damaged,
    transaction,
    wording,
)

_INSERT = "INSERT INTO record (fund, kind, time_ms, wall_ms, body, sealed, crc) VALUES (?, ?, ?, ?, ?, ?, ?)"

_DRAFT = ".restored"
"""Ends the name of what is to be put back, until it is whole."""


class Copied(NamedTuple):
    """A copy that was made or put back: where it is, and how many records of each fund it holds."""

    file: str
    records: dict[str, int]
    archived: str | None = None


def back_up(data_dir: Path, url: str | None, key: str | None, target: Path) -> Copied:
    """Copy the journal to `target`, whether or not a daemon is writing it.

    Raises:
        JournalSettingError: `target` exists, or cannot be written.
        JournalError: there is no journal, or it is not sound.
    """
    if target.exists():
        raise JournalSettingError(f"{target} exists already; name a new file")
    # Before the records: so they tell of whatever is hidden in it.
    history = nav_copy.of_store(data_dir, url)
    draft = target.with_name(target.name + ".part")
    try:
        draft.unlink(missing_ok=True)
        create_private(draft)
        if url is None:
            _copy_file(data_dir, key, draft)
        else:
            _copy_database(url, key, draft)
        with _sound(draft, key, data_dir, _wording(data_dir, url)) as copy:
            read = {fund: _read(copy, fund) for fund in copy.funds()}
        if history is not None:
            hidden_since = {fund: book.public.hidden_since_ms for fund, (book, _) in read.items()}
            nav_copy.put(draft, nav_copy.public(history, hidden_since))
        draft.rename(target)
        sync_folder(target.absolute().parent)
    except (OSError, sqlite3.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise JournalSettingError(
            f"{target}: cannot be written ({why}); make room there, or name another place"
        ) from error
    finally:
        for left_over in ("", "-wal", "-shm"):
            draft.with_name(draft.name + left_over).unlink(missing_ok=True)
    return Copied(str(target), {fund: count for fund, (_, count) in read.items()})


def _wording(data_dir: Path, url: str | None) -> Wording:
    if url is None:
        return wording(data_dir / sqlite.JOURNAL_FILE)
    from bot.journal import pg_database  # noqa: PLC0415 - the driver is imported where it is used

    return pg_database.wording(url)


def _read(copy: sqlite.SqliteReader, fund: str) -> tuple[Book, int]:
    """A fund's state by all its records, each of them checked; and how many there are."""
    book, count = Book(), 0
    for record in copy.read(fund):
        book.apply(record)
        count += 1
    return book, count


def restore_file(data_dir: Path, key: str | None, source: Path, identity: Identity, now: datetime) -> Copied:
    """Put a copy back as the journal of `data_dir`; what is there is archived.

    Raises:
        JournalBusy: a daemon runs on it.
        JournalMismatch: the copy is of another mode or venue.
        JournalUnavailable: there is no room for it.
        JournalError: the copy is not sound.
    """
    with _sound(source, key, data_dir) as copy:
        _refuse_other(source, copy.identity, identity)
        told = {fund: _restored(copy, fund, source, now) for fund in copy.funds()}
    DataDirLock(data_dir).release()  # who runs on it is told before anything is copied
    draft = data_dir / (sqlite.JOURNAL_FILE + _DRAFT)
    try:
        clone(source, draft)
        with contextlib.closing(connect_writer(draft)) as new:
            with transaction(new):
                new.executemany(_INSERT, (_values(fund, last) for fund, (_, last) in told.items()))
            new.execute("PRAGMA journal_mode = DELETE")
        drafts = {sqlite.JOURNAL_FILE: draft, **_draft_of_nav(data_dir, draft)}
        folder = archive(data_dir, tuple(drafts), now)
        for name, made in drafts.items():
            made.rename(data_dir / name)
        sync_folder(data_dir)
    except (OSError, sqlite3.Error) as error:
        raise JournalUnavailable(
            f"{data_dir} cannot be written to ({error}): make room there, and restore again; nothing is lost"
        ) from error
    finally:  # on a disk that is full they are in the way
        for name in (sqlite.JOURNAL_FILE, NAV_FILE):
            (data_dir / (name + _DRAFT)).unlink(missing_ok=True)
    return Copied(str(source), _counts(told), None if folder is None else str(folder))


def _draft_of_nav(data_dir: Path, copy: Path) -> dict[str, Path]:
    """The history of NAV of a copy, moved to a file of its own, by the name that this is to have."""
    history = nav_copy.take_out(copy)
    if history is None:
        return {}
    draft = data_dir / (NAV_FILE + _DRAFT)
    draft.unlink(missing_ok=True)
    create_private(draft)
    nav_copy.put(draft, history)
    return {NAV_FILE: draft}


def restore_database(
    data_dir: Path,
    url: str,
    key: str | None,
    source: Path,
    identity: Identity,
    accounts: Mapping[str, str],
    now: datetime,
) -> Copied:
    """Put a copy back into PostgreSQL; the records that are there are kept in a table beside.

    Raises as `restore_file` does.
    """
    from bot.journal import pg_database, postgres  # noqa: PLC0415 - the driver is imported where it is used
    from bot.journal.sealing import Sealer  # noqa: PLC0415

    with _sound(source, key, data_dir) as copy:
        _refuse_other(source, copy.identity, identity)
        strange = [fund for fund in copy.funds() if fund not in accounts]
        if strange:
            raise JournalMismatch(
                f"{source} holds records of {', '.join(strange)}, which INBAND_FUNDS does not name; describe "
                "them (INBAND_FUNDS__<NAME>__ENABLED=true) before they are put back"
            )
        told = {fund: _restored(copy, fund, source, now) for fund in copy.funds()}
        waiting = postgres.Waiting(url, data_dir, Sealer(pg_database.key_of(key)), accounts)
        with contextlib.closing(waiting):
            waiting.prepare(identity, _wall_ms(now))
            aside = waiting.replace_records(
                {fund: chain(copy.rows(fund), [last]) for fund, (_, last) in told.items()},
                nav_copy.of_file(source),
                f"until_{now:%Y%m%dt%H%M%S}",
            )
    return Copied(str(source), _counts(told), aside)


def _restored(copy: sqlite.SqliteReader, fund: str, source: Path, now: datetime) -> tuple[int, Row]:
    """How many records a copy has of a fund, each checked; and the one to put behind them.

    By that the next start takes a new identity, and looks for what came after the copy: it comes with them.
    """
    book, count = _read(copy, fund)
    how = f"put back from {source.name} at {now:%Y-%m-%d %H:%M:%S} UTC"
    return count, copy.row_of(fund, JournalRestored(book.last_time_ms, how), _wall_ms(now))


def _counts(told: Mapping[str, tuple[int, Row]]) -> dict[str, int]:
    return {fund: count for fund, (count, _) in told.items()}


def _copy_file(data_dir: Path, key: str | None, draft: Path) -> None:
    with sqlite.open_reader(data_dir, key):
        pass  # its errors are better than those of a copy
    clone(data_dir / sqlite.JOURNAL_FILE, draft)


def clone(source: Path, draft: Path) -> None:
    """SQLite's own copy of a file that may be in use, durable on return."""
    create_private(draft)
    with (
        contextlib.closing(connect(source.absolute().as_uri() + "?mode=ro")) as old,
        contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as new,
    ):
        old.backup(new)
        new.execute("PRAGMA synchronous = FULL")
        new.execute("PRAGMA journal_mode = DELETE")
    draft.chmod(PRIVATE)


def _copy_database(url: str, key: str | None, draft: Path) -> None:
    from bot.journal import pg_database, postgres  # noqa: PLC0415 - as above
    from bot.journal.sealing import Sealer  # noqa: PLC0415

    with postgres.open_reader(url, key) as reader, contextlib.closing(connect_writer(draft)) as new:
        make_tables(new, new_meta(Sealer(pg_database.key_of(key)), reader.identity, 0))
        with transaction(new):
            for fund in reader.funds():
                new.executemany(_INSERT, (_values(fund, row) for row in reader.rows(fund)))
        new.execute("PRAGMA journal_mode = DELETE")


def _values(fund: str, row: Row) -> tuple[object, ...]:
    return (fund, row.kind.decode(), row.time_ms, row.wall_ms, row.body.decode(), row.sealed, row.crc)


@contextlib.contextmanager
def _sound(
    file: Path, key: str | None, key_dir: Path, whose: Wording | None = None
) -> Iterator[sqlite.SqliteReader]:
    """A copy, once SQLite has found no damage in it; its records are checked as they are read.

    `whose`: the journal that it was made of just now, and whose damage it shows; without one somebody names
    the copy, and may name another one.
    """
    mine = wording(file)
    told = whose or Wording(mine.name, "name another copy; the journal was left as it is")
    try:
        with sqlite.open_file(file, key, key_dir) as copy:
            refuse_damaged(file, copy.connection)
            yield copy
    except NoJournal:
        raise JournalSettingError(f"{file}: holds no journal; name a copy that `db backup` made") from None
    except JournalCorrupt as error:
        if not str(error).startswith(mine.name):
            raise
        found = str(error).removeprefix(mine.name).removesuffix(mine.corrupt_remedy)
        raise JournalCorrupt(f"{told.name}{found}{told.corrupt_remedy}") from error


def _refuse_other(source: Path, owner: Identity, asked: Identity) -> None:
    if owner != asked:
        raise JournalMismatch(
            f"{source} belongs to mode {owner.mode} on {owner.venue}, not to {asked.mode} on {asked.venue}: "
            "set INBAND_MODE, or name another file"
        )


def _wall_ms(now: datetime) -> int:
    return int(now.timestamp() * 1000)
