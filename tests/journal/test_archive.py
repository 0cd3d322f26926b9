from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.core.records import Sampled
from bot.core.units import ONE
from bot.journal.archive import archive
from bot.journal.errors import DataDirUnusable, JournalBusy
from bot.journal.keys import KEY_FILE
from bot.journal.sqlite import JOURNAL_FILE, SqliteJournal, open_reader

NOW = datetime(2025, 3, 6, 10, 30, 0, 123_456, UTC)
Opener = Callable[..., SqliteJournal]


def test_a_fresh_start_keeps_the_old_journal(opened: Opener, data_dir: Path) -> None:
    """Archiving leaves an empty place; the archived journal can still be read with the same key."""
    with opened() as journal:
        journal.append("BTCUP", [Sampled(1, ONE, None)], 1)

    folder = archive(data_dir, [JOURNAL_FILE, "exchange.sqlite"], NOW)

    assert folder == data_dir / "archive" / "20250306T103000.123Z"
    with opened() as journal:
        assert journal.funds() == ()
    with open_reader(folder, (data_dir / KEY_FILE).read_text(encoding="ascii")) as reader:
        assert list(reader.read("BTCUP")) == [Sampled(1, ONE, None)]


def test_records_still_in_the_log_are_archived_too(
    opened: Opener, data_dir: Path, copied: Callable[[Path], Path]
) -> None:
    """After a crash the newest records live in the log only; they move along, and no log stays behind."""
    opened().append("BTCUP", [Sampled(1, ONE, None)], 1)
    crashed = copied(data_dir)

    folder = archive(crashed, [JOURNAL_FILE], NOW)

    assert folder is not None
    assert sorted(path.name for path in crashed.iterdir()) == ["archive", KEY_FILE, "journal.lock"]
    with open_reader(folder, (crashed / KEY_FILE).read_text(encoding="ascii")) as reader:
        assert list(reader.read("BTCUP")) == [Sampled(1, ONE, None)]


def test_a_store_in_a_folder_below_is_archived_with_the_journal(opened: Opener, data_dir: Path) -> None:
    """The paper exchange keeps its store one folder down; it goes to the same archive."""
    opened().close()
    (data_dir / "exchange").mkdir()
    (data_dir / "exchange" / "exchange.sqlite").write_bytes(b"its accounts")

    folder = archive(data_dir, [JOURNAL_FILE, "exchange/exchange.sqlite"], NOW)

    assert folder is not None
    assert (folder / "exchange.sqlite").read_bytes() == b"its accounts"
    assert list((data_dir / "exchange").iterdir()) == []


def test_a_running_journal_is_not_archived(opened: Opener, data_dir: Path) -> None:
    """While a process runs on the data directory nothing is moved."""
    opened()

    with pytest.raises(JournalBusy):
        archive(data_dir, [JOURNAL_FILE], NOW)

    assert (data_dir / JOURNAL_FILE).exists()


def test_with_nothing_to_archive_no_folder_is_made(data_dir: Path) -> None:
    """A first start with --fresh makes no empty archive."""
    assert archive(data_dir, [JOURNAL_FILE], NOW) is None
    assert not (data_dir / "archive").exists()


def test_archives_do_not_overwrite_each_other(opened: Opener, data_dir: Path) -> None:
    """Each archive is a folder of its own; a second one at the very same instant is refused."""
    opened().close()
    first = archive(data_dir, [JOURNAL_FILE], NOW)
    opened().close()

    with pytest.raises(DataDirUnusable, match="archive"):
        archive(data_dir, [JOURNAL_FILE], NOW)
    second = archive(data_dir, [JOURNAL_FILE], NOW + timedelta(milliseconds=1))

    assert first is not None
    assert second is not None
    assert first != second
    assert (first / JOURNAL_FILE).exists()
