from pathlib import Path

from tests.soak.kills import VICTIMS, Tally, sessions


def test_killed_again_and_again_the_record_comes_out_the_same(tmp_path: Path, *, soak: bool) -> None:
    """The daemon with its exchange inside, the daemon beside one, and the exchange; in a soak 60 kills."""
    tally = Tally()
    cycles, each = (60, 10) if soak else (3, 1)
    for line in sessions(cycles, 0, tmp_path, tally, each):
        tally.add(line)
    assert tally.violations == []
    assert set(tally.kills) == set(VICTIMS)
    assert tally.kills.total() >= cycles
