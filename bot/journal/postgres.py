"""The journal in PostgreSQL: a row per record, each append one statement, durable when it is answered."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg

from bot.core.records import Record
from bot.journal import nav_copy, pg_owner, schema
from bot.journal.errors import JournalBusy, JournalLost
from bot.journal.high_water import HighWaterMark
from bot.journal.journal import END, Identity, Owner, StoredProjection
from bot.journal.lock import DataDirLock
from bot.journal.nav_copy import NavRows
from bot.journal.pg_database import (
    crc_at,
    key_of,
    make_tables,
    mismatch,
    older,
    read_meta,
    refuse_damaged,
    refuse_newer,
    refuse_unreadable,
    replace_records,
    restored_ms,
    revision,
    wording,
)
from bot.journal.pg_owner import BEAT_EVERY_S, Lease
from bot.journal.pg_session import Session, boot_s, shown, translated, unavailable
from bot.journal.rows import Row, to_records
from bot.journal.sealing import Sealer
from bot.journal.sqlite_file import refuse_other_key
from bot.journal.store import StoreAppender, StoreReader

_PAGE = 5_000
_ATTEMPTS = 50
_PAGE_OF_ROWS = """SELECT number, convert_to(kind, 'UTF8'), time_ms, wall_ms, convert_to(body, 'UTF8'),
                   sealed, crc FROM record WHERE fund = %s AND number > %s AND number <= %s
                   ORDER BY number LIMIT 5000"""
_FUNDS = """WITH RECURSIVE known(name) AS (
                SELECT min(fund) FROM record
                UNION ALL SELECT (SELECT min(fund) FROM record WHERE fund > name) FROM known
                WHERE name IS NOT NULL
            ) SELECT name FROM known WHERE name IS NOT NULL"""
# The account's row is taken before the record is written: an append waits for a successor that is taking the
# account over, and then finds another epoch; a successor waits for an append, and then reads it.
_APPEND = """
    WITH mine AS (UPDATE owner SET beat_at = clock_timestamp() WHERE account = %s AND epoch = %s RETURNING 1)
    INSERT INTO record (fund, number, kind, time_ms, wall_ms, body, sealed, crc)
    SELECT %s, r.* FROM mine, unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::text[],
                                     %s::bytea[], %s::bigint[]) AS r"""
_KEEP = """INSERT INTO projection (fund, name, version, position, sealed) VALUES (%s, %s, %s, %s, %s)
           ON CONFLICT (fund, name) DO UPDATE SET version = excluded.version, position = excluded.position,
           sealed = excluded.sealed"""


class PostgresReader(StoreReader):
    """Reads a journal, beside its writers or without one. See `JournalReader`."""

    def __init__(self, url: str, session: Session, sealer: Sealer, identity: Identity) -> None:
        super().__init__(sealer, identity)
        self._url = url
        self._session = session

    @property
    def session(self) -> Session:
        """The session itself, for what looks at the database as a whole."""
        return self._session

    def crc_at(self, fund: str, position: int) -> int | None:
        """The checksum of the fund's record at a position; None where there is none."""
        with translated(self._url):
            return crc_at(self._session, fund, position)

    def restored_ms(self) -> int:
        """When a copy was put in its place; see `JournalReader.restored_ms`."""
        with translated(self._url), self._session.unhurried():
            return restored_ms(self._session)

    def funds(self) -> tuple[str, ...]:
        """Names of the funds that have records, in alphabetical order."""
        with translated(self._url):
            return tuple(sorted(name for (name,) in self._session.rows(_FUNDS)))

    def read(self, fund: str, after: int = 0, until: int = END) -> Iterator[Record]:
        """The fund's records in order; see `JournalReader.read`."""
        return to_records(self._sealer, fund, self._pages(fund, after, until), wording(self._url))

    def rows(self, fund: str, after: int = 0) -> Iterator[Row]:
        """The fund's records as they are stored, unchecked but for their numbers, which leave none out."""
        yield from map(Row._make, chain.from_iterable(self._pages(fund, after)))

    def _pages(self, fund: str, after: int, until: int = END) -> Iterator[list[tuple[Any, ...]]]:
        page: list[tuple[Any, ...]] = []
        while not page or len(page) == _PAGE:
            with translated(self._url), self._session.unhurried():
                page = self._session.rows(_PAGE_OF_ROWS, (fund, after, until))
            for number, row in enumerate(page, after + 1):
                if row[0] != number:
                    raise wording(self._url).corrupt(f"record {number} of {fund} is missing")
            yield page
            if not page:
                return
            after += len(page)

    def position(self, fund: str) -> int:
        """How many records the fund has."""
        with translated(self._url):
            found = self._session.row("SELECT max(number) FROM record WHERE fund = %s", (fund,))
        return found[0] or 0

    def projection(self, fund: str, name: str) -> StoredProjection | None:
        """See `JournalReader.projection`."""
        with translated(self._url):
            found = self._session.row(
                "SELECT version, position, sealed FROM projection WHERE fund = %s AND name = %s", (fund, name)
            )
        return self._unsealed(fund, name, *found) if found else None

    def owners(self) -> tuple[Owner, ...]:
        """Who sends for which account, or was the last to do so."""
        with translated(self._url):
            return pg_owner.owners(self._session)

    def close(self) -> None:
        """Let go of the session; may be called twice."""
        self._session.close()


class PostgresKeeper(PostgresReader):
    """Keeps projections, also beside the writer. See `Keeper`."""

    def keep(self, fund: str, kept: Mapping[str, StoredProjection]) -> None:
        """Keep projections; see `Keeper.keep`."""
        with translated(self._url), self._session.transaction():
            for row in self._sealed(fund, kept):
                self._session.count(_KEEP, row)


class PostgresJournal(PostgresKeeper, StoreAppender):
    """The one writer of its accounts, from `open_journal` until `close` or until they are lost."""

    _REFUSES = JournalLost

    def __init__(
        self, parts: "Waiting", lease: Lease, accounts: Mapping[str, str], before: tuple[Owner, ...]
    ) -> None:
        super().__init__(parts.url, parts.session, parts.sealer, parts.identity)
        self.taken_from = before
        self.holder = lease.holder
        self._parts = parts
        self._lease = lease
        self._accounts = accounts
        self._beaten_s = 0.0
        self.on_lost: Callable[[str], None] = lambda _why: None
        self._numbers = {fund: self.position(fund) for fund in accounts}

    def _next(self, fund: str) -> int:
        return self._numbers[fund] + 1

    def _write(self, fund: str, rows: Sequence[Row]) -> None:
        account = self._accounts[fund]
        columns = (
            [row.position for row in rows],
            [row.kind.decode() for row in rows],
            [row.time_ms for row in rows],
            [row.wall_ms for row in rows],
            [row.body.decode() for row in rows],
            [row.sealed for row in rows],
            [row.crc for row in rows],
        )
        asked_s = boot_s()
        try:
            written = self._session.count(_APPEND, (account, self._lease.epochs[account], fund, *columns))
        except psycopg.errors.UniqueViolation:
            raise self._lost(f"another process has written records of {fund}") from None
        except (psycopg.Error, OSError) as error:
            # Nobody knows whether it was committed: a later start reads it back before anything is sent.
            raise self._lost(unavailable(self._url, error)) from error
        if written != len(rows):
            raise self._lost(f"account {account} was taken over by another process")
        self._numbers[fund] = rows[-1].position
        self._lease.renewed(asked_s)
        self._parts.mark.rise(fund, rows[-1].position, rows[-1].crc)

    def _lost(self, why: str) -> JournalLost:
        self._failure = why
        self.on_lost(why)
        self._session.close()
        return JournalLost(why)

    def owned(self) -> bool:
        """Whether the lease lasts: nobody can have taken the accounts over."""
        return self._failure is None and self._lease.valid()

    @property
    def epochs(self) -> Mapping[str, int]:
        """By which each account is ours."""
        return self._lease.epochs

    @property
    def failure(self) -> str | None:
        """Why the accounts are lost; None while they are ours."""
        return self._failure

    def beat(self) -> None:
        """Show that this process lives: to be called every `BEAT_EVERY_S`. Sets `failure` if that fails."""
        if self._failure is not None:
            return
        self._beaten_s = boot_s()
        try:
            if not self._lease.beat():
                self._lost("an account was taken over by another process")
        except psycopg.Error as error:
            self._lost(unavailable(self._url, error))

    def _pages(self, fund: str, after: int, until: int = END) -> Iterator[list[tuple[Any, ...]]]:
        """As a reader's; and a long read is no silence."""
        for page in super()._pages(fund, after, until):
            yield page
            if boot_s() > self._beaten_s + BEAT_EVERY_S:
                self.beat()

    def fileno(self) -> int:
        """The socket, which becomes readable when the server ends the session."""
        return self._session.fileno()

    def look(self) -> None:
        """Take in what the server has said unasked, if only that the session is over."""
        if self._failure is None:
            try:
                self._session.pgconn.consume_input()
            except psycopg.Error as error:
                self._lost(unavailable(self._url, error))

    def close(self) -> None:
        """Leave the accounts to whoever waits, and let go of everything; may be called twice."""
        if not self._session.closed:
            with contextlib.suppress(psycopg.Error):  # the session ends now, whatever comes of it
                self._lease.resign()
        self._parts.close()


class Waiting:
    """A journal of which the accounts may still belong to another process. See `open_journal`."""

    def __init__(self, url: str, data_dir: Path, sealer: Sealer, accounts: Mapping[str, str]) -> None:
        self.url = url
        self.sealer = sealer
        self.identity = Identity("", "")
        self._accounts = accounts
        self._holder = pg_owner.new_holder()
        with contextlib.ExitStack() as undo:
            self._lock = undo.enter_context(DataDirLock(data_dir))
            self.mark = undo.enter_context(contextlib.closing(HighWaterMark(data_dir)))
            self.session = Session.open(url, f"inband {self._holder}")
            undo.pop_all()

    def prepare(self, identity: Identity, wall_ms: int) -> None:
        """Make a new journal in an empty database; refuse one that is not ours, or not sound."""
        self.identity = identity
        with translated(self.url):
            stored = revision(self.session)
            refuse_newer(self.url, stored)
            if stored is None:
                make_tables(self.url, self.session, self.sealer, identity, wall_ms)
            elif stored != schema.HEAD:
                raise older(self.url)
            meta = read_meta(self.url, self.session)
        if meta.owner != identity:
            raise mismatch(self.url, meta.owner, identity)
        refuse_other_key(self.sealer, meta.key_check, shown(self.url))

    def claim(self) -> PostgresJournal | None:
        """The journal, once all accounts are ours; None while another process has one of them.

        Raises:
            JournalCorrupt: it has lost records.
            JournalUnavailable: the server is gone; this object is of no more use.
        """
        with translated(self.url):
            funds, accounts = tuple(self._accounts), tuple(self._accounts.values())
            claimed = pg_owner.claim(self.session, accounts, self._holder, funds)
            self.before = claimed.before
            if claimed.epochs is None:
                return None
            refuse_damaged(self.url, self.session)
            with self.session.unhurried():
                since_ms = restored_ms(self.session)
            self.mark.refuse_rolled_back(partial(crc_at, self.session), shown(self.url), since_ms)
            lease = Lease(self.session, self._holder, claimed.epochs)
        return PostgresJournal(self, lease, self._accounts, claimed.before)

    def replace_records(self, funds: Mapping[str, Iterable[Row]], history: NavRows | None, aside: str) -> str:
        """Put other records, and another history of NAV if there is one, in the place of those of before.

        These stay in tables whose names end with `aside`; the records' is returned.

        Raises:
            JournalBusy: some process sends for an account.
        """
        with translated(self.url):
            lease = self._take_all()
            with self.session.unhurried(), self.session.transaction():
                replace_records(self.session, funds, f"record_{aside}")
                if history is not None:
                    nav_copy.replace(self.session, history, aside)
            lease.resign()
        self.mark.forget()
        return f"record_{aside}"

    def _take_all(self) -> Lease:
        """Take every account there ever was: an owner that sleeps finds another epoch when it wakes."""
        known = {owner.account for owner in pg_owner.owners(self.session)}
        accounts = tuple(known.union(self._accounts.values()))
        take = partial(pg_owner.claim, self.session, accounts, self._holder)
        claimed, attempts = take(), 1
        while claimed.epochs is None:
            if attempts == _ATTEMPTS or any(o.silent_s < pg_owner.SILENT_S for o in claimed.before):
                holders = ", ".join(sorted({owner.holder for owner in claimed.before}))
                raise JournalBusy(f"{holders} runs on the journal: stop it first", None)
            self.session.row("SELECT pg_sleep(0.1)")  # the session of a silent one takes its moment to end
            claimed, attempts = take(), attempts + 1
        return Lease(self.session, self._holder, claimed.epochs)

    def close(self) -> None:
        """Let go of everything; may be called twice."""
        self.session.close()
        self.mark.close()
        self._lock.release()


def open_reader(url: str, key: str | None) -> PostgresReader:
    """Open the journal for reading only, whoever writes it; raises as `sqlite.open_reader`."""
    session, sealer, identity = _opened(url, "inband reader", key)
    session.count("SET default_transaction_read_only = on")
    return PostgresReader(url, session, sealer, identity)


def open_keeper(url: str, key: str | None) -> PostgresKeeper:
    """Open the journal to keep projections beside the daemon that writes it; as `open_reader`."""
    return PostgresKeeper(url, *_opened(url, "inband keeper", key))


def _opened(url: str, name: str, key: str | None) -> tuple[Session, Sealer, Identity]:
    session = Session.open(url, name)
    with contextlib.ExitStack() as undo, translated(url):
        undo.callback(session.close)
        refuse_unreadable(url, revision(session))
        meta = read_meta(url, session)
        sealer = Sealer(key_of(key))
        refuse_other_key(sealer, meta.key_check, shown(url))
        undo.pop_all()
    return session, sealer, meta.owner
