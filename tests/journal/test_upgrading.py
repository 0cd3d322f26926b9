"""Journals of older versions are brought up to date, in both stores; and so are copies of them."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.core.book import fold
from bot.core.records import Record
from bot.journal import upgrading
from bot.journal.errors import JournalBusy, JournalUnavailable, NoJournal
from bot.journal.schema import HEAD, STATEMENTS
from bot.journal.sealing import Sealer
from bot.journal.sqlite import JOURNAL_FILE, SqliteJournal, open_journal
from bot.journal.sqlite_file import new_meta
from tests.support.postgres import KEY

from .stores import PAPER, PostgresStore, Store
from .test_backup import in_the_middle

NOW = datetime(2025, 3, 6, 10, 30, tzinfo=UTC)


def first_version(folder: Path, story: tuple[Record, ...], key: str = KEY) -> None:
    """A journal as the first version of Inband made it: no alembic, no projections."""
    with open_journal(folder, PAPER, key, 1) as made:
        made.append("BTCUP", story, 1)
    connection = sqlite3.connect(folder / JOURNAL_FILE, isolation_level=None)
    rows = connection.execute("SELECT * FROM record").fetchall()
    connection.close()
    (folder / JOURNAL_FILE).unlink()
    connection = sqlite3.connect(folder / JOURNAL_FILE, isolation_level=None)
    for statement in STATEMENTS["sqlite"]["0001"]:
        connection.execute(statement)
    connection.execute("PRAGMA user_version = 1")
    meta = new_meta(Sealer(bytes.fromhex(key)), PAPER, 1)
    connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    connection.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.close()


def tables(path: Path) -> list[tuple[str, ...]]:
    """What an SQLite file is made of."""
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall()
    connection.close()
    return [tuple("".join(str(part).split()).replace("CONSTRAINTalembic_version_pkc", "") for part in row)
            for row in found if row[1] != "alembic_version"]  # fmt: skip


def test_the_first_version_is_brought_up_to_date_with_a_rebalance_open(
    data_dir: Path, story: tuple[Record, ...], tmp_path: Path
) -> None:
    """Alembic makes of it what a new journal is made as; the records are the same, and a copy is kept."""
    middle = story[: in_the_middle(story)]
    first_version(data_dir, middle)

    done = upgrading.upgrade_file(data_dir, NOW)

    assert (done.before, done.after) == ("0001", HEAD)
    assert done.copy is not None
    assert Path(done.copy).exists()
    with open_journal(data_dir, PAPER, KEY, 1) as journal:
        assert tuple(journal.read("BTCUP")) == middle
        journal.append("BTCUP", story[len(middle) :], 1)
        assert fold(journal.read("BTCUP")) == fold(story)
    open_journal(tmp_path / "new", PAPER, KEY, 1).close()
    assert [t for t in tables(data_dir / JOURNAL_FILE) if "autoindex" not in t[1]] == [
        t for t in tables(tmp_path / "new" / JOURNAL_FILE) if "autoindex" not in t[1]
    ]


def test_an_upgrade_of_todays_journal_changes_nothing(data_dir: Path) -> None:
    """It may be repeated."""
    open_journal(data_dir, PAPER, KEY, 1).close()
    assert upgrading.upgrade_file(data_dir, NOW) == (HEAD, HEAD, None)
    assert not (data_dir / "archive").exists()


def test_an_upgrade_without_room_for_the_copy_says_so(data_dir: Path) -> None:
    """In one line, with the remedy."""
    first_version(data_dir, ())
    (data_dir / "archive").write_text("in the way")
    with pytest.raises(JournalUnavailable, match="upgrade again; nothing was changed"):
        upgrading.upgrade_file(data_dir, NOW)


def test_a_running_journal_is_not_upgraded(opened: Callable[..., SqliteJournal], data_dir: Path) -> None:
    """Nor is one that is not there."""
    with pytest.raises(NoJournal):
        upgrading.upgrade_file(data_dir, NOW)
    opened()
    with pytest.raises(JournalBusy):
        upgrading.upgrade_file(data_dir, NOW)


def test_an_older_database_is_brought_up_to_date(store: Store, story: tuple[Record, ...]) -> None:
    """In PostgreSQL too, with its records as they were."""
    if not isinstance(store, PostgresStore):
        return
    journal = store.open()
    journal.append("BTCUP", story, 1)
    journal.close()
    for statement in (
        "DROP TABLE projection",
        "DROP TABLE owner",
        "DROP TABLE bar",
        "DROP TABLE chunk",
        "UPDATE alembic_version SET version_num = '0001'",
    ):
        store.outsider(statement)
    assert upgrading.upgrade_database(store.url) == ("0001", HEAD, None)
    assert upgrading.upgrade_database(store.url) == (HEAD, HEAD, None)
    assert tuple(store.open().read("BTCUP")) == story


def test_a_running_database_is_not_upgraded(store: Store) -> None:
    """The owner's beats say that it lives."""
    if isinstance(store, PostgresStore):
        store.open()
        store.keep_alive()
        store.outsider("UPDATE alembic_version SET version_num = '0001'")
        with pytest.raises(JournalBusy, match="stop it first"):
            upgrading.upgrade_database(store.url)
