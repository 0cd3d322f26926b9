"""What PostgreSQL alone can do to a journal: several first starts, roles, and addresses of several hosts."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import psycopg
import pytest

from bot.core.records import Sampled
from bot.core.recovery_records import JournalRestored
from bot.core.units import ONE
from bot.journal.backup import back_up, restore_database
from bot.journal.errors import JournalBusy, JournalLost, JournalRolledBack, JournalUnavailable
from bot.journal.pg_database import key_of
from bot.journal.postgres import PostgresJournal, Waiting, open_reader
from bot.journal.sealing import Sealer
from tests.support.patience import PATIENCE_S
from tests.support.postgres import KEY, PostgresServer

from .stores import ACCOUNTS, PAPER

pytestmark = pytest.mark.needs("postgresql")

_NUMBERS = count(1)
_WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """The name of an empty database."""
    name = f"empty_{next(_NUMBERS)}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield name
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


def prepare(folder: Path, url: str) -> None:
    """What a start does on a database before it asks for the accounts."""
    with closing(Waiting(url, folder, Sealer(key_of(KEY)), ACCOUNTS)) as waiting:
        waiting.prepare(PAPER, 1)


def prepare_at_last(folder: Path, url: str) -> None:
    """As a start does that is told that somebody makes the tables, and tries again."""
    end_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            prepare(folder, url)
        except JournalUnavailable as error:
            if "lock timeout" not in str(error) or time.monotonic() > end_s:
                raise
        else:
            return


def test_two_first_starts_at_once_make_one_journal(
    tmp_path: Path, postgres: PostgresServer, database: str
) -> None:
    """Both find the database empty; one makes the tables, and the other finds them made."""
    url, end_s = postgres.url(database), time.monotonic() + PATIENCE_S
    with ThreadPoolExecutor(2) as hosts:
        with psycopg.connect(url) as other:
            other.execute("SELECT pg_advisory_xact_lock(hashtextextended('inband: making tables', 0))")
            starts = [hosts.submit(prepare_at_last, tmp_path / name, url) for name in "ab"]
            while postgres.execute(_WAITING, database) != [(2,)]:
                assert time.monotonic() < end_s, "they never waited for each other"
                time.sleep(0.01)
        for start in starts:
            start.result()


def test_a_role_that_may_not_make_tables_is_told_so(
    tmp_path: Path, postgres: PostgresServer, database: str
) -> None:
    """By the journal's own error, in one line that names the database."""
    postgres.execute("CREATE ROLE guest LOGIN")
    with pytest.raises(JournalUnavailable, match=f"database {database} at .*permission denied"):
        prepare(tmp_path, postgres.url(database).replace("inband@", "guest@"))


def test_an_address_is_read_as_the_driver_reads_it(
    tmp_path: Path, postgres: PostgresServer, database: str
) -> None:
    """It may name several hosts, for a database that fails over, and a schema; the tables are made there."""
    postgres.execute("CREATE SCHEMA funds", database)
    hosts = f"127.0.0.1:1,127.0.0.1:{postgres.port}"
    prepare(tmp_path, f"postgresql://inband@{hosts}/{database}?options=-csearch_path%3Dfunds")
    assert postgres.execute("SELECT count(*) FROM funds.record", database) == [(0,)]


class Site:
    """Hosts on one database: each has a data directory by its name."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self._waiting: list[Waiting] = []

    def wait(self, name: str, accounts: Mapping[str, str] = ACCOUNTS) -> Waiting:
        """Start on a host."""
        self._waiting.append(Waiting(self.url, self.folder / name, Sealer(key_of(KEY)), accounts))
        self._waiting[-1].prepare(PAPER, 1)
        return self._waiting[-1]

    def open(self, name: str) -> PostgresJournal:
        """Start on a host, and take the accounts."""
        journal = self.wait(name).claim()
        assert journal is not None
        return journal

    def restore(self, name: str, copy: Path, minute: int) -> None:
        """Put a copy back on a host."""
        now = datetime(2025, 3, 6, 10, minute, tzinfo=UTC)
        restore_database(self.folder / name, self.url, KEY, copy, PAPER, ACCOUNTS, now)

    def back_up(self, copy: Path) -> Path:
        """Copy the journal."""
        back_up(self.folder, self.url, KEY, copy)
        return copy

    def close(self) -> None:
        """Let go of everything."""
        for waiting in self._waiting:
            waiting.close()


@pytest.fixture
def site(tmp_path: Path, postgres: PostgresServer, database: str) -> Iterator[Site]:
    """No host has started yet."""
    with closing(Site(tmp_path, postgres.url(database))) as made:
        yield made


def sample(time_ms: int) -> list[Sampled]:
    """A record."""
    return [Sampled(time_ms, ONE, None)]


def silence(postgres: PostgresServer, database: str) -> None:
    """As an owner that was stopped looks after a while: its session stands, and it has shown nothing."""
    postgres.execute("UPDATE owner SET beat_at = beat_at - interval '9 seconds'", database)


@pytest.mark.parametrize("silent", [False, True], ids=["alive", "stalled"])
def test_a_copy_is_put_back_as_a_whole_or_not_at_all(
    site: Site, postgres: PostgresServer, database: str, *, silent: bool
) -> None:
    """An owner that sleeps writes nothing more when it wakes; one that lives is left in peace."""
    owner = site.open("a")
    owner.append("BTCUP", sample(1), 1)
    copy = site.back_up(site.folder / "copy")
    owner.append("BTCUP", sample(2), 1)
    if silent:
        silence(postgres, database)
        site.restore("b", copy, 30)
        with pytest.raises(JournalLost):
            owner.append("BTCUP", sample(3), 1)
    else:
        postgres.keep_alive(database)
        with pytest.raises(JournalBusy, match="stop it first"):
            site.restore("b", copy, 30)
    with open_reader(site.url, KEY) as reader:
        last = list(reader.read("BTCUP"))[1]
    assert isinstance(last, JournalRestored if silent else Sampled)


def test_a_copy_that_one_host_puts_back_is_no_loss_to_another(
    site: Site, postgres: PostgresServer, database: str
) -> None:
    """It takes over as before; and still knows a journal that goes back behind that copy."""
    owner = site.open("a")
    owner.append("BTCUP", sample(1), 1)
    copy = site.back_up(site.folder / "copy")
    owner.append("BTCUP", sample(2), 1)
    owner.close()
    site.restore("b", copy, 30)
    again = site.open("a")
    again.append("BTCUP", sample(3), 1)
    again.close()
    postgres.execute("ALTER TABLE record DISABLE TRIGGER USER", database)
    postgres.execute("DELETE FROM record WHERE number = 3", database)
    with pytest.raises(JournalRolledBack, match="a new INBAND_DATA_DIR"):
        site.open("a")


def test_a_fund_has_one_sender_whatever_its_account_is_called(
    site: Site, postgres: PostgresServer, database: str
) -> None:
    """Two hosts that name the account otherwise do not trade the fund in turn: one waits for the other.

    One that ends leaves at once, and not only when the server has seen that its session is over.
    """
    owner = site.open("a")
    other = site.wait("b", {"BTCUP": "SAME_BY_ANOTHER_NAME"})
    postgres.keep_alive(database)
    assert other.claim() is None
    assert {each.holder for each in other.before} == {owner.holder}
    owner.close()
    assert other.claim() is not None
