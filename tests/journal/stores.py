"""The two stores behind one face, for the tests that both must pass."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bot.journal import postgres, sqlite
from bot.journal.errors import JournalBusy
from bot.journal.journal import Identity, Journal, JournalReader, Keeper
from bot.journal.pg_database import key_of
from bot.journal.sealing import Sealer
from bot.journal.sqlite_file import connect_writer
from bot.journal.stores import open_keeper
from tests.support.postgres import KEY, PostgresServer

if TYPE_CHECKING:
    from collections.abc import Callable

PAPER = Identity("paper", "binanceusdm@paper")
ACCOUNTS = {"BTCUP": "UP", "BTCDOWN": "DOWN"}


class Store(Protocol):
    """A place for one journal, which is not there yet."""

    folder: Path

    def open(self, identity: Identity = PAPER, key: str = KEY, *, same_host: bool = False) -> Journal:
        """Open it for writing, make it if need be; raises JournalBusy where it is another's.

        `same_host`: with the data directory of the opening before, where each opening has one of its own.
        """

    def reader(self, key: str = KEY) -> JournalReader:
        """Open it for reading."""

    def keeper(self) -> Keeper:
        """Open it to keep projections, beside its writer."""

    def outsider(self, statement: str) -> None:
        """Run a statement as somebody else, with all that protects the store in place."""

    def tamper(self, statement: str) -> None:
        """Change what is stored behind the journal's back."""

    def keep_alive(self) -> None:
        """Whoever writes it is known to live, however slow the test is; its next append ends that."""

    def close(self) -> None:
        """Close what was left open."""


class SqliteStore:
    """A data directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._opened: list[Journal] = []

    def open(self, identity: Identity = PAPER, key: str = KEY, *, same_host: bool = False) -> Journal:
        """Open it for writing."""
        del same_host
        self._opened.append(sqlite.open_journal(self.folder, identity, key, 1_700_000_000_000))
        return self._opened[-1]

    def reader(self, key: str = KEY) -> JournalReader:
        """Open it for reading."""
        return sqlite.open_reader(self.folder, key)

    def keeper(self) -> Keeper:
        """Open it to keep projections."""
        return open_keeper(self.folder, None, KEY)

    def outsider(self, statement: str) -> None:
        """From another connection."""
        with contextlib.closing(connect_writer(self.folder / sqlite.JOURNAL_FILE)) as connection:
            connection.execute(statement)

    def tamper(self, statement: str) -> None:
        """With the triggers out of the way that forbid it."""
        for name in ("record_is_never_updated", "record_is_never_deleted"):
            self.outsider(f"DROP TRIGGER IF EXISTS {name}")
        self.outsider(statement)

    def keep_alive(self) -> None:
        """A lock of the file system needs no sign of life."""

    def close(self) -> None:
        """Close what was left open."""
        for journal in self._opened:
            journal.close()


class PostgresStore:
    """A database of its own; each opening is another host, with a data directory of its own."""

    def __init__(self, folder: Path, server: PostgresServer, name: str) -> None:
        self.folder, self.server, self.name = folder, server, name
        server.execute(f"CREATE DATABASE {name}")
        self.url = server.url(name)
        self._hosts = 0
        self._closings: list[Callable[[], None]] = []

    def open(self, identity: Identity = PAPER, key: str = KEY, *, same_host: bool = False) -> Journal:
        """Open it for writing."""
        self._hosts += not same_host
        folder = self.folder / f"host-{self._hosts}"
        waiting = postgres.Waiting(self.url, folder, Sealer(key_of(key)), ACCOUNTS)
        self._closings.append(waiting.close)
        waiting.prepare(identity, 1_700_000_000_000)
        journal = waiting.claim()
        if journal is None:
            raise JournalBusy("it is another's", None)
        self._closings.append(journal.close)
        return journal

    def reader(self, key: str = KEY) -> JournalReader:
        """Open it for reading."""
        return postgres.open_reader(self.url, key)

    def keeper(self) -> Keeper:
        """Open it to keep projections."""
        return open_keeper(self.folder, self.url, KEY)

    def outsider(self, statement: str) -> None:
        """As the server's administrator."""
        self.server.execute(statement, self.name)

    def tamper(self, statement: str) -> None:
        """With the trigger out of the way that forbids it."""
        self.outsider("ALTER TABLE record DISABLE TRIGGER USER")
        self.outsider(statement)

    def keep_alive(self) -> None:
        """Nobody beats for it here."""
        self.server.keep_alive(self.name)

    def close(self) -> None:
        """Close what was left open, and drop the database."""
        for close in self._closings:
            close()
        self.server.execute(f"DROP DATABASE {self.name} WITH (FORCE)")
