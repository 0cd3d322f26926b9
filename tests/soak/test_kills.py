from pathlib import Path

import pytest

from tests.soak.kills import VICTIMS, Tally, sessions
from tests.support.inband import Inband


def test_killed_again_and_again_the_record_comes_out_the_same(tmp_path: Path, *, soak: bool) -> None:
    """The daemon with its exchange inside, the daemon beside one, and the exchange; in a soak 60 kills."""
    tally = Tally()
    cycles, each = (60, 10) if soak else (3, 1)
    for line in sessions(cycles, 0, tmp_path, tally, each):
        tally.add(line)
    assert tally.violations == []
    assert set(tally.kills) == set(VICTIMS)
    assert tally.kills.total() >= cycles


def test_a_process_that_does_not_end_says_where_it_is(tmp_path: Path) -> None:
    """An exchange that nobody stops runs on: who waits for its end is told so, and where each thread is."""
    inband = Inband(tmp_path)
    with inband.start("exchange", "--json", "--port", "0", "--data-dir", str(tmp_path)) as process:
        process.until(process.lines, what="it announced itself")
        process._patience_s = 0.1
        with pytest.raises(AssertionError, match=r"(?s)did not end within 0.1 s.*most recent call first"):
            process.wait()
        assert not process.running
