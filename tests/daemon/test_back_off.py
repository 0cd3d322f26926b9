"""A ban outlasts the process that was told of it."""

from pathlib import Path

import pytest

from bot.daemon.back_off import BACK_OFF_FILE, FileBackOff

NOW_MS = 1_700_000_000_000


def at(folder: Path, now_ms: int = NOW_MS) -> FileBackOff:
    """What a process that starts then finds."""
    return FileBackOff(folder, lambda: now_ms)


def test_what_is_left_of_a_hold_is_known_to_the_next_process(tmp_path: Path) -> None:
    """By the wall's time; when it is over nothing is left."""
    assert at(tmp_path).left_s() == 0
    at(tmp_path / "data").keep(120)
    assert at(tmp_path / "data", NOW_MS + 50_000).left_s() == 70
    assert at(tmp_path / "data", NOW_MS + 130_000).left_s() == 0
    assert [file.name for file in (tmp_path / "data").iterdir()] == [BACK_OFF_FILE]


@pytest.mark.parametrize("content", ["", "soon", "1e9"])
def test_a_file_that_cannot_be_read_holds_nothing(tmp_path: Path, content: str) -> None:
    """It is said in the log; the venue would say so again."""
    (tmp_path / BACK_OFF_FILE).write_text(content)
    assert at(tmp_path).left_s() == 0


def test_no_hold_is_longer_than_any_ban(tmp_path: Path) -> None:
    """A clock that was set must not stop trading for years."""
    at(tmp_path, NOW_MS + 10**12).keep(60)
    assert at(tmp_path).left_s() == 4 * 86_400


def test_a_hold_that_cannot_be_kept_still_holds_this_process(tmp_path: Path) -> None:
    """A folder in place of the file: said, and no reason to fail."""
    (tmp_path / BACK_OFF_FILE).mkdir()
    at(tmp_path).keep(60)
    assert at(tmp_path).left_s() == 0
