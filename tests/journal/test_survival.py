import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.core.records import DrawQueued, Record
from bot.journal.errors import JournalBusy, JournalCorrupt, JournalError
from bot.journal.sqlite import JOURNAL_FILE, SqliteJournal, open_journal, open_reader

from . import writer
from .conftest import PAPER

Opener = Callable[..., SqliteJournal]
ROOT = Path(__file__).parents[2]


def start_writer(data_dir: Path) -> subprocess.Popen[str]:
    """A process that appends until it is killed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, writer.__file__, str(data_dir)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_acknowledged_records_survive_kill_9(data_dir: Path) -> None:
    """Killed again and again while it appends, the journal keeps every acknowledged step, whole and once."""
    acknowledged = -1
    for lines in (1, 40, 7, 150, 90):
        with start_writer(data_dir) as process:
            assert process.stdout is not None
            for _ in range(lines):
                acknowledged = int(process.stdout.readline())
            process.kill()
            rest = process.stdout.read().splitlines(keepends=True)
            acknowledged = max([acknowledged, *(int(line) for line in rest if line.endswith("\n"))])

        with open_journal(data_dir, PAPER, None, 0) as journal:
            times = [record.time_ms for record in journal.read("BTCUP")]
        steps = times[-1] + 1
        assert times == [step for step in range(steps) for _ in range(writer.RECORDS_PER_STEP)]
        assert acknowledged < steps <= acknowledged + 2


def test_a_second_process_is_refused_until_the_first_is_dead(data_dir: Path) -> None:
    """While a process runs on the journal another is refused by its pid; after kill -9 it may start."""
    with start_writer(data_dir) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(JournalBusy, match=f"process {process.pid} ") as caught:
            open_journal(data_dir, PAPER, None, 0)
        assert caught.value.holder_pid == process.pid
        assert "\n" not in str(caught.value)
        process.send_signal(signal.SIGKILL)

    open_journal(data_dir, PAPER, None, 0).close()


def test_one_process_cannot_open_a_journal_twice(opened: Opener) -> None:
    """The lock holds within a process too, and ends with `close`, which may be repeated."""
    journal = opened()
    with pytest.raises(JournalBusy):
        opened()
    journal.close()
    journal.close()

    opened()


def test_a_failed_start_lets_go_of_the_lock(opened: Opener) -> None:
    """A start that is refused for another reason does not keep later ones out."""
    opened().close()
    with pytest.raises(JournalError):
        opened(key="11" * 32)

    opened()


def test_a_power_cut_copy_opens(opened: Opener, data_dir: Path, copied: Callable[[Path], Path]) -> None:
    """The files as they are on disk at any moment, the log not yet merged, are a whole journal."""
    draw = DrawQueued(1, 1, "c", "0.5", "s")
    opened().append("BTCUP", [draw], 1)

    with open_journal(copied(data_dir), PAPER, None, 0) as journal:
        assert list(journal.read("BTCUP")) == [draw]


def closed_journal(data_dir: Path, story: tuple[Record, ...]) -> Path:
    """A journal that was left in good order."""
    with open_journal(data_dir, PAPER, None, 0) as journal:
        journal.append("BTCUP", story, 1)
    return data_dir / JOURNAL_FILE


def flip(path: Path, offset: int) -> None:
    """Invert one byte of a file."""
    content = bytearray(path.read_bytes())
    content[offset] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("offset", [0, 16, 100, 105])
def test_a_damaged_header_is_refused(data_dir: Path, story: tuple[Record, ...], offset: int) -> None:
    """Damage to the head of the file stops the start, in one line with the way to restore."""
    flip(closed_journal(data_dir, story), offset)

    with pytest.raises(JournalCorrupt) as caught:
        open_journal(data_dir, PAPER, None, 0)

    assert "\n" not in str(caught.value)
    assert "backup" in str(caught.value)


def test_no_flipped_byte_changes_what_is_read(data_dir: Path, story: tuple[Record, ...]) -> None:
    """Wherever a byte of the file is flipped, the records read are the ones written, or none are."""
    path = closed_journal(data_dir, story)
    good = path.read_bytes()
    refused = 0
    for offset in range(0, len(good), len(good) // 300):
        for left_over in data_dir.glob(f"{JOURNAL_FILE}-*"):
            left_over.unlink()
        path.write_bytes(good)
        flip(path, offset)
        try:
            with open_journal(data_dir, PAPER, None, 0) as journal:
                assert tuple(journal.read("BTCUP")) == story
        except JournalError:
            refused += 1
    assert refused > 100


def test_a_reader_meets_damage_with_the_same_words(data_dir: Path, story: tuple[Record, ...]) -> None:
    """`history` on a damaged record says that the journal is corrupt instead of showing it."""
    path = closed_journal(data_dir, story)
    flip(path, path.read_bytes().index(b'"venue_id":"1"') + 12)

    with open_reader(data_dir, None) as reader, pytest.raises(JournalCorrupt, match="checksum"):
        list(reader.read("BTCUP"))


def test_a_file_that_is_no_journal_is_left_alone(data_dir: Path) -> None:
    """Something else under the journal's name is refused and not overwritten."""
    data_dir.mkdir()
    (data_dir / JOURNAL_FILE).write_bytes(b"not a database " * 300)

    with pytest.raises(JournalCorrupt):
        open_journal(data_dir, PAPER, None, 0)

    assert (data_dir / JOURNAL_FILE).read_bytes().startswith(b"not a database ")
