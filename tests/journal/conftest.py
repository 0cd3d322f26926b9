import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from bot.core.records import Record
from bot.journal.journal import Identity
from bot.journal.sqlite import SqliteJournal, open_journal
from bot.testing import Lab
from tests.support.postgres import PostgresServer

from .stores import PAPER, PostgresStore, SqliteStore, Store

__all__ = ["PAPER"]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "data"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests of this process that need one."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A place for a journal, in each kind of store in turn."""
    if request.param == "sqlite":
        made: Store = SqliteStore(tmp_path / "data")
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        made = PostgresStore(tmp_path, server, f"journal_{next(_NUMBERS)}")
    yield made
    made.close()


_NUMBERS = count(1)


@pytest.fixture
def opened(data_dir: Path) -> Iterator[Callable[..., SqliteJournal]]:
    """Opens the journal of the test's data directory, and closes what the test left open."""
    journals: list[SqliteJournal] = []

    def open_it(identity: Identity = PAPER, key: str | None = None) -> SqliteJournal:
        journals.append(open_journal(data_dir, identity, key, wall_ms=1_700_000_000_000))
        return journals[-1]

    yield open_it
    for journal in journals:
        journal.close()


@pytest.fixture(scope="session")
def story() -> tuple[Record, ...]:
    """What a fund records that opens, delevers twice and raises leverage once."""
    lab = Lab()
    lab.settle()
    lab.walk("44000", "92000", "50000")
    return tuple(lab.records)


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Path]:
    """Copies a data directory, as a power cut would leave it."""

    def copy(source: Path) -> Path:
        return Path(shutil.copytree(source, tmp_path / "copy"))

    return copy
