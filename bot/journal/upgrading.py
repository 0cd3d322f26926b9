"""`db upgrade`: the tables of an older journal become today's; a copy is kept, and no daemon may run."""

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from bot.journal import schema
from bot.journal.backup import clone
from bot.journal.errors import JournalBusy, JournalUnavailable
from bot.journal.lock import DataDirLock
from bot.journal.sqlite import JOURNAL_FILE
from bot.journal.sqlite_file import connect, connect_writer, none_yet, refuse_damaged, refuse_newer, revision


class Upgraded(NamedTuple):
    """From which revision to which; `copy`: where it is kept as it was, None where nothing changed."""

    before: str
    after: str
    copy: str | None


def upgrade_file(data_dir: Path, now: datetime) -> Upgraded:
    """Bring the SQLite journal of `data_dir` up to date.

    Raises:
        NoJournal, JournalNewer, JournalCorrupt: there is nothing that this program could bring up to date.
        JournalBusy: a daemon runs on it.
        JournalUnavailable: there is no room for the copy, or for what is new.
    """
    path = data_dir / JOURNAL_FILE
    if not path.exists():
        raise none_yet(path)
    with DataDirLock(data_dir):
        with contextlib.closing(connect_writer(path)) as connection:
            refuse_damaged(path, connection)
            stored = revision(connection)
        refuse_newer(path, stored)
        if stored is None:
            raise none_yet(path)
        if stored == schema.HEAD:
            return Upgraded(stored, stored, None)
        copy = data_dir / "archive" / f"journal-{stored}-{now:%Y%m%dT%H%M%S}.sqlite"
        try:
            copy.parent.mkdir(mode=0o700, exist_ok=True)
            clone(path, copy)
            _run(path, stored)
        except (OSError, sqlite3.Error) as error:
            with contextlib.suppress(OSError):
                copy.unlink()  # on a disk that is full it is in the way
            raise JournalUnavailable(
                f"{data_dir} cannot be written to ({error}): make room there, and upgrade again; nothing "
                "was changed"
            ) from error
        with contextlib.closing(connect_writer(path)) as connection:
            refuse_damaged(path, connection)
    return Upgraded(stored, schema.HEAD, str(copy))


@contextlib.contextmanager
def of_today(copy: Path, data_dir: Path) -> Iterator[Path]:
    """A copy itself; or, where an older version made it, one of it that is up to date, which does not stay.

    Raises as `upgrade_file` does; what is no journal is left to whoever reads it.
    """
    stored = None
    address = f"{copy.absolute().as_uri()}?mode=ro"
    with (
        contextlib.suppress(sqlite3.Error, UnicodeDecodeError),
        contextlib.closing(connect(address)) as file,
    ):
        stored = revision(file)
    if stored is None or stored == schema.HEAD or stored not in schema.REVISIONS:
        yield copy
        return
    DataDirLock(data_dir).release()  # who runs on it is told before anything is copied
    with tempfile.TemporaryDirectory(prefix="older-", dir=data_dir) as folder:
        draft = Path(folder) / copy.name
        try:
            clone(copy, draft)
            _run(draft, stored)
        except (OSError, sqlite3.Error) as error:
            raise JournalUnavailable(
                f"{data_dir} cannot be written to ({error}): make room there, and restore again; nothing "
                "was changed"
            ) from error
        yield draft


def upgrade_database(url: str) -> Upgraded:
    """Bring the journal in PostgreSQL up to date; its own transaction keeps it whole. As `upgrade_file`."""
    from bot.journal import pg_database, pg_owner  # noqa: PLC0415 - the driver is imported where it is used
    from bot.journal.pg_session import Session, translated  # noqa: PLC0415

    with contextlib.closing(Session.open(url, "inband upgrade")) as session, translated(url):
        stored = pg_database.revision(session)
        pg_database.refuse_newer(url, stored)
        if stored is None:
            raise pg_database.none_yet(url)
        if stored == schema.HEAD:
            return Upgraded(stored, stored, None)
        if session.row("SELECT to_regclass('owner')") != (None,):
            for owner in pg_owner.owners(session):
                if owner.silent_s < pg_owner.SILENT_S:
                    raise JournalBusy(f"{owner.holder} runs on the journal: stop it first", None)
        _run(url, stored)
    return Upgraded(stored, schema.HEAD, None)


def _run(address: Path | str, stored: str) -> None:
    from bot.journal.upgrade import upgrade_tables  # noqa: PLC0415 - alembic takes long to import

    upgrade_tables(address, stored)
