import subprocess
import sys

import pytest

from bot.simulation.faults import Fault
from bot.simulation.run import simulate
from bot.simulation.swarm import Tally, as_line

SEEDS = range(8)


@pytest.fixture(scope="module")
def tally() -> Tally:
    """A few worlds, an hour each."""
    tally = Tally()
    for seed in SEEDS:
        tally.add(as_line(simulate(seed, 3_600)))
    return tally


def test_no_promise_is_broken(tally: Tally) -> None:
    """Whatever goes wrong, the judge has nothing to say."""
    assert tally.violations == []


def test_the_worlds_are_not_empty(tally: Tally) -> None:
    """Orders are sent, and processes die."""
    assert tally.orders > 20 * tally.runs
    assert tally.lives > 2 * tally.runs


def test_a_seed_gives_the_same_trace_in_another_process() -> None:
    """Time, order, chance: nothing comes from outside."""
    script = "from bot.simulation.run import simulate; print(simulate(7, 1800).digest)"
    runs = [
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert runs == [simulate(7, 1_800).digest] * 2


def test_a_script_strikes_where_it_says() -> None:
    """A single fault, at the opportunity that is named: the first order never arrives."""
    outcome = simulate(3, 600, script={(Fault.REQUEST_LOST, "order"): {0}})
    assert outcome.struck == {Fault.REQUEST_LOST: 1}
    assert outcome.transitions["intent: lost"] == outcome.transitions["unknown: never arrived"] == 1
    assert outcome.violation is None
