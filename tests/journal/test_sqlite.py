import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.core.public_records import Revealed
from bot.core.records import DrawQueued, FundCreated, RebalanceStarted, Record, Sampled
from bot.core.units import ONE
from bot.journal.errors import (
    DataDirUnusable,
    JournalKeyError,
    JournalMismatch,
    JournalUnavailable,
    NoJournal,
)
from bot.journal.high_water import MARK_FILE
from bot.journal.journal import Identity
from bot.journal.keys import KEY_FILE
from bot.journal.lock import LOCK_FILE
from bot.journal.sqlite import JOURNAL_FILE, SqliteJournal, open_journal, open_reader

from .conftest import PAPER

Opener = Callable[..., SqliteJournal]
OTHER_KEY = "11" * 32


def test_every_commit_is_flushed(opened: Opener) -> None:
    """The connection runs in WAL mode with synchronous=FULL, the setting that survives a power cut."""
    connection = opened()._connection

    assert connection.execute("PRAGMA journal_mode").fetchone() == (b"wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_full_disk_shuts_the_journal(opened: Opener) -> None:
    """After a failed append nothing of it is stored, and no later one is accepted, even if it would fit."""
    journal = opened()
    journal.append("BTCUP", [Sampled(1, ONE, None)], 1)
    (pages,) = journal._connection.execute("PRAGMA page_count").fetchone()
    journal._connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(JournalUnavailable, match="full"):
        journal.append("BTCUP", [Sampled(time_ms, ONE, None) for time_ms in range(5_000)], 2)
    journal._connection.execute("PRAGMA max_page_count = 100000")

    with pytest.raises(JournalUnavailable, match="full"):
        journal.append("BTCUP", [Sampled(3, ONE, None)], 3)
    assert list(journal.read("BTCUP")) == [Sampled(1, ONE, None)]


def test_secrets_appear_nowhere_on_disk(opened: Opener, data_dir: Path, story: tuple[Record, ...]) -> None:
    """Draws, salts, targets, deadlines and the fund's key are in no byte of the database or its log."""
    journal = opened()
    story = tuple(record for record in story if not isinstance(record, Revealed))
    journal.append("BTCUP", story, 1)

    def on_disk() -> bytes:
        return b"".join(
            path.read_bytes() for path in data_dir.iterdir() if path.name.startswith(JOURNAL_FILE)
        )

    secrets = {record.u for record in story if isinstance(record, DrawQueued)}
    secrets |= {record.salt for record in story if isinstance(record, DrawQueued)}
    decided = [record for record in story if isinstance(record, RebalanceStarted)]
    secrets |= {str(record.target) for record in decided if record.sequence is not None}
    secrets |= {record.key for record in story if isinstance(record, FundCreated)}
    assert len(secrets) > 6
    assert (data_dir / f"{JOURNAL_FILE}-wal").stat().st_size > 0
    with_log = on_disk()
    journal.close()

    for content in (with_log, on_disk()):
        assert b"RebalanceStarted" in content
        assert [secret for secret in secrets if secret.encode() in content] == []


def test_files_are_private(opened: Opener, data_dir: Path) -> None:
    """Every file of the journal can be read by its owner only, whatever the umask or an earlier mode."""
    data_dir.mkdir()
    (data_dir / JOURNAL_FILE).touch(mode=0o644)
    opened().append("BTCUP", [Sampled(1, ONE, None)], 1)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data_dir.iterdir()}
    assert len(modes) == 6
    assert set(modes.values()) == {0o600}


def test_a_reader_works_beside_the_writer(opened: Opener, data_dir: Path) -> None:
    """While the daemon writes, `status` reads what is durable so far, and cannot write."""
    journal = opened()
    journal.append("BTCUP", [Sampled(1, ONE, None)], 1)

    with open_reader(data_dir, None) as reader:
        journal.append("BTCUP", [Sampled(2, ONE, None)], 1)
        assert reader.identity == PAPER
        assert [record.time_ms for record in reader.read("BTCUP")] == [1, 2]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader._connection.execute("CREATE TABLE t (x)")


def test_a_reader_works_after_the_daemon_stopped(opened: Opener, data_dir: Path) -> None:
    """With no daemon running the journal can still be read."""
    with opened() as journal:
        journal.append("BTCUP", [Sampled(1, ONE, None)], 1)

    with open_reader(data_dir, None) as reader:
        assert reader.funds() == ("BTCUP",)


def test_reading_before_the_first_start_makes_nothing(data_dir: Path) -> None:
    """Where no daemon ever ran a reader says so, and leaves no trace."""
    with pytest.raises(NoJournal, match="no journal"):
        open_reader(data_dir, None)

    assert not data_dir.exists()


def test_a_start_killed_at_once_leaves_no_journal_to_read(data_dir: Path) -> None:
    """A file without tables is a journal that never began."""
    data_dir.mkdir()
    (data_dir / JOURNAL_FILE).touch()

    with pytest.raises(NoJournal):
        open_reader(data_dir, None)


@pytest.mark.parametrize("other", [Identity("live", "binanceusdm@live"), Identity("paper", "bybit@paper")])
def test_a_journal_serves_one_mode_and_venue(opened: Opener, data_dir: Path, other: Identity) -> None:
    """Another mode or venue is refused in one line that names the file, its owner and both remedies."""
    opened().close()

    with pytest.raises(JournalMismatch) as caught:
        opened(other)

    message = str(caught.value)
    for part in (str(data_dir / JOURNAL_FILE), "paper", "binanceusdm@paper", "INBAND_DATA_DIR", "--fresh"):
        assert part in message
    assert "\n" not in message
    opened().close()


def test_a_lost_key_is_never_replaced(opened: Opener, data_dir: Path) -> None:
    """Without its key file an existing journal is refused, and no new key is made in its place."""
    opened().close()
    (data_dir / KEY_FILE).unlink()

    with pytest.raises(JournalKeyError, match="backup"):
        opened()

    assert not (data_dir / KEY_FILE).exists()


def test_a_given_key_serves_without_a_file(opened: Opener, data_dir: Path) -> None:
    """With INBAND_JOURNAL_KEY set, no key is kept beside the journal, and records open with it."""
    draw = DrawQueued(1, 1, "c", "0.5", "s")
    with opened(key=OTHER_KEY) as journal:
        journal.append("BTCUP", [draw], 1)

    assert not (data_dir / KEY_FILE).exists()
    assert list(opened(key=OTHER_KEY).read("BTCUP")) == [draw]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A data directory below a regular file is refused with the setting and the container remedy."""
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(DataDirUnusable) as caught:
        open_journal(tmp_path / "file" / "data", PAPER, None, 0)

    message = str(caught.value)
    assert message.startswith("INBAND_DATA_DIR: ")
    assert "chown" in message
    assert "\n" not in message
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", [LOCK_FILE, JOURNAL_FILE])
def test_a_folder_that_refuses_our_files_is_named(data_dir: Path, name: str) -> None:
    """Where a file of ours cannot be made, the setting is named, and no journal or key is left behind."""
    (data_dir / name).mkdir(parents=True)

    with pytest.raises(DataDirUnusable, match=r"^INBAND_DATA_DIR: "):
        open_journal(data_dir, PAPER, None, 0)

    assert {path.name for path in data_dir.iterdir()} <= {LOCK_FILE, MARK_FILE, name}


def test_a_malformed_key_makes_no_journal(opened: Opener, data_dir: Path) -> None:
    """A wrong INBAND_JOURNAL_KEY leaves no journal that would hold later starts to it."""
    with pytest.raises(JournalKeyError):
        opened(key="short")

    opened(key=OTHER_KEY).close()
    assert not (data_dir / KEY_FILE).exists()
