"""The PostgreSQL database itself: its tables, what it says of itself, and its errors."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from bot.core.recovery_records import JournalRestored
from bot.core.texts import how_many
from bot.journal import schema
from bot.journal.errors import (
    JournalError,
    JournalKeyError,
    JournalMismatch,
    JournalOlder,
    NoJournal,
)
from bot.journal.journal import Identity
from bot.journal.keys import parse_key
from bot.journal.pg_session import Session, shown
from bot.journal.rows import Row, Wording
from bot.journal.sealing import Sealer
from bot.journal.sqlite_file import new_meta

_COPY = "COPY record (fund, number, kind, time_ms, wall_ms, body, sealed, crc) FROM STDIN"


def key_of(key: str | None) -> bytes:
    """The key that several hosts share. Raises `JournalKeyError` where none is given."""
    if key is None:
        raise JournalKeyError(
            "INBAND_JOURNAL_KEY: not set, and a journal in PostgreSQL needs it; make one with "
            "`openssl rand -hex 32`, and give it to every host"
        )
    return parse_key(key, "INBAND_JOURNAL_KEY")


def named(url: str) -> str:
    """How messages call the journal in a database."""
    return f"the journal in {shown(url)}"


def none_yet(url: str) -> JournalError:
    """There is no journal in this database."""
    return NoJournal(f"no journal in {shown(url)} yet: start the daemon, or check INBAND_DATABASE_URL")


def crc_at(session: Session, fund: str, position: int) -> int | None:
    """The checksum of a fund's record at a position; None where there is none."""
    found = session.row("SELECT crc FROM record WHERE fund = %s AND number = %s", (fund, position))
    return found[0] if found else None


def restored_ms(session: Session) -> int:
    """When a copy was put in the journal's place last, in wall time; 0 if never."""
    (last_ms,) = session.row("SELECT max(wall_ms) FROM record WHERE kind = %s", (JournalRestored.__name__,))
    return last_ms or 0


def revision(session: Session) -> str | None:
    """The revision of the stored tables; None for a database without them."""
    # Not to_regclass: within a transaction that may tell what was so before others committed.
    named_so = "SELECT count(*) FROM pg_class WHERE relname = 'alembic_version' AND pg_table_is_visible(oid)"
    if session.row(named_so) == (0,):
        return None
    found = session.row("SELECT version_num FROM alembic_version")
    return str(found[0]) if found else None


def refuse_damaged(url: str, session: Session) -> None:
    """Raise `JournalCorrupt` where a record is missing between others."""
    with session.unhurried():
        gaps = session.rows(
            "SELECT fund, count(*), max(number) FROM record GROUP BY fund HAVING count(*) <> max(number)"
        )
    for fund, count, last in gaps:
        raise wording(url).corrupt(f"{how_many(last, 'record')} of {fund} written, {count} there")


def refuse_unreadable(url: str, stored: str | None) -> None:
    """Raise the error that a revision other than today's calls for."""
    if stored is None:
        raise none_yet(url)
    refuse_newer(url, stored)
    if stored != schema.HEAD:
        raise older(url)


def refuse_newer(url: str, stored: str | None) -> None:
    """Raise `JournalNewer` for a revision that this program does not know."""
    if stored is not None and stored not in schema.REVISIONS:
        raise wording(url).newer(f"its revision is {stored}, this program knows {schema.HEAD}")


def older(url: str) -> JournalError:
    """Its tables are to be brought up to date."""
    return JournalOlder(
        f"the journal in {shown(url)} is of an older version of Inband: stop every daemon on it, and bring "
        "it up to date with `python3 -m bot db upgrade`"
    )


class Meta(NamedTuple):
    """What a journal says of itself."""

    owner: Identity
    key_check: bytes


def read_meta(url: str, session: Session) -> Meta:
    """What the database says of itself."""
    stored: dict[str, Any] = dict(session.rows("SELECT name, value FROM meta"))
    try:
        return Meta(Identity(stored["mode"], stored["venue"]), bytes.fromhex(stored["key_check"]))
    except (KeyError, ValueError) as error:
        raise wording(url).corrupt("it does not say what it belongs to") from error


def make_tables(url: str, session: Session, sealer: Sealer, identity: Identity, wall_ms: int) -> None:
    """Today's tables in an empty database."""
    from bot.journal.upgrade import upgrade_tables  # noqa: PLC0415 - alembic takes long to import

    # Two first starts at once: the second waits here, and then finds everything made.
    with session.unhurried(), session.transaction():
        session.row("SELECT pg_advisory_xact_lock(hashtextextended('inband: making tables', 0))")
        if revision(session) is None:
            upgrade_tables(url, None, new_meta(sealer, identity, wall_ms))


def mismatch(url: str, owner: Identity, asked: Identity) -> JournalError:
    """It belongs to another mode or venue."""
    return JournalMismatch(
        f"the journal in {shown(url)} belongs to mode {owner.mode} on {owner.venue}, not to {asked.mode} on "
        f"{asked.venue}: set another INBAND_DATABASE_URL"
    )


def wording(url: str) -> Wording:
    """How errors name a database, and what they advise."""
    return Wording(
        named(url),
        "stop every daemon on it, and put a backup back with `python3 -m bot db restore FILE`",
    )


def replace_records(session: Session, funds: Mapping[str, Iterable[Row]], aside: str) -> None:
    """Put other records in the place of those that are there, which stay in the table `aside`.

    The caller's transaction makes it all or nothing.
    """
    session.count(f"ALTER TABLE record RENAME TO {aside}")
    session.count(f"CREATE TABLE record (LIKE {aside} INCLUDING ALL)")
    session.count(schema.POSTGRESQL_PERMANENT)
    session.count("DELETE FROM projection")
    for fund, rows in funds.items():
        with session.cursor() as cursor, cursor.copy(_COPY) as copy:
            for number, row in enumerate(rows, 1):
                body = row.body.decode()
                values = (fund, number, row.kind.decode(), row.time_ms, row.wall_ms, body)
                copy.write_row((*values, row.sealed, row.crc))
