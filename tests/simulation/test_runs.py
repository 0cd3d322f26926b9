import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bot.core.orders import TRANSITIONS, News, OrderState
from bot.simulation.clock import EPOCH_MS
from bot.simulation.faults import CHANCES, PER_HOUR, Fault
from bot.simulation.loop import NothingLeftError, SpinningError, VirtualLoop
from bot.simulation.run import simulate
from bot.simulation.scenario import scenario_of
from bot.simulation.swarm import Tally, swarm
from bot.simulation.world import World

JOBS = max(1, (os.cpu_count() or 2) // 2)
CANNOT_HAPPEN = {
    (OrderState.UNKNOWN, News.REFUSED): "a refusal is the answer to the send, and that answer was lost",
    (OrderState.UNKNOWN, News.LOST): "an outcome that is unknown already is not noted again",
    (OrderState.LIVE, News.LOST): "that it is live was the answer to the send, or came after it was lost",
    (OrderState.CANCELLING, News.LOST): "as for one that is live",
}
"""Transitions of the table that are there for what a gateway might say, and ours does not."""


@pytest.fixture(scope="module")
def tally(*, soak: bool) -> Tally:
    """Two simulated hours of each world; but for a soak a share of them in which every transition fires."""
    tally = Tally()
    for tally in swarm(range(300) if soak else range(36), 7_200, JOBS):  # noqa: B007 - the last one is the sum of all
        pass
    return tally


def test_no_promise_is_broken(tally: Tally) -> None:
    """Whatever goes wrong, the judge has nothing to say."""
    assert tally.violations == []


def test_the_worlds_are_not_empty(tally: Tally) -> None:
    """Orders are sent, and processes die."""
    assert tally.orders > 40 * tally.runs
    assert tally.lives > 4 * tally.runs


def test_every_transition_of_an_order_fires(tally: Tally) -> None:
    """The whole table of an order's life is walked."""
    wanted = {f"{state}: {news}" for state, news in TRANSITIONS.keys() - CANNOT_HAPPEN.keys()}
    assert wanted - tally.transitions.keys() == set()
    assert not {f"{state}: {news}" for state, news in CANNOT_HAPPEN} & tally.transitions.keys()


FLOW_STEPS = {
    "flow, nothing: requested",
    "flow, requested: funded",
    "flow, requested: priced",
    "flow, funded: priced",
    "flow, priced: settled",
    "flow, settled: paid",
}
STOP_STEPS = {
    "stop, intent: accepted",
    "stop, intent: lost",
    "stop, intent: refused",
    "stop, unknown: never arrived",
    "stop, live: cancel asked",
    "stop, live: completed",
    "stop, cancelling: completed",
}


def test_every_step_of_flows_and_stops_fires(tally: Tally) -> None:
    """Holders come and go, and are paid; stops are placed, taken back, lost, and triggered by a gap."""
    assert (FLOW_STEPS | STOP_STEPS) - tally.transitions.keys() == set()


def test_every_fault_strikes(tally: Tally) -> None:
    """None is only written down."""
    assert CHANCES.keys() | PER_HOUR.keys() == set(Fault)
    assert {fault.value for fault in Fault} - tally.faults.keys() == set()


def test_a_seed_gives_the_same_trace_in_another_process() -> None:
    """Time, order, chance: nothing comes from outside."""
    script = "from bot.simulation.run import simulate; print(simulate(7, 1800).digest)"
    runs = [
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
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


def test_a_fault_with_a_time_strikes_at_it() -> None:
    """A kill after five minutes, and nothing else."""
    outcome = simulate(3, 600, script={}, strikes={Fault.KILLED: [300]})
    assert outcome.struck == {Fault.KILLED: 1}
    assert outcome.lives == 2


def test_funding_in_the_moment_of_the_last_look_is_given_time_to_arrive() -> None:
    """Ledger and venue are compared at the look after it: no daemon knows of a payment as it is made."""
    scenario = replace(scenario_of(6), funding_every_s=100_000)
    end_s = int(simulate(6, 390, scenario=scenario, script={}).simulated_s)
    paid_s: list[int] = []

    def look(world: World) -> None:
        paid_s.extend((item.time_ms - EPOCH_MS) // 1_000 for item in world.venue.income)

    outcome = simulate(6, 390, scenario=replace(scenario, funding_every_s=end_s), script={}, look=look)
    assert paid_s == [end_s]
    assert (outcome.violation, outcome.simulated_s) == (None, end_s + 31)


def test_a_swarm_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    """Worlds that are in the log are not run again, and count."""
    log = tmp_path / "swarm.jsonl"
    list(swarm(range(2), 60, 1, log))
    first, *others = (tally.runs for tally in swarm(range(3), 60, 1, log))
    assert (first, len(others)) == (2, 1)
    assert len(log.read_text().splitlines()) == 3


def test_a_world_in_which_nothing_can_happen_any_more_says_so() -> None:
    """It does not hang."""
    loop = VirtualLoop()
    with pytest.raises(NothingLeftError):
        loop.run_until_complete(loop.create_future())
    loop.close()


def test_a_world_that_spins_says_so() -> None:
    """What is done again and again at one instant ends in an error, not never."""
    loop = VirtualLoop()

    def again() -> None:
        loop.call_soon(again)

    again()
    with pytest.raises(SpinningError, match="time stands still"):
        loop.run_until_complete(loop.create_future())
    loop.close()
