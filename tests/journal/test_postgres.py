"""What PostgreSQL alone can do to a journal: several first starts, roles, and addresses of several hosts."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path

import psycopg
import pytest

from bot.journal.errors import JournalUnavailable
from bot.journal.pg_database import key_of
from bot.journal.postgres import Waiting
from bot.journal.sealing import Sealer
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


def test_two_first_starts_at_once_make_one_journal(
    tmp_path: Path, postgres: PostgresServer, database: str
) -> None:
    """Both find the database empty; one makes the tables, and the other finds them made."""
    url = postgres.url(database)
    with ThreadPoolExecutor(2) as hosts:
        with psycopg.connect(url) as other:
            other.execute("SELECT pg_advisory_xact_lock(hashtextextended('inband: making tables', 0))")
            starts = [hosts.submit(prepare, tmp_path / name, url) for name in "ab"]
            while postgres.execute(_WAITING, database) != [(2,)]:
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
