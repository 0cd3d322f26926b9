"""The same seed gives the same rebalances: at every speed, and however often the daemon is killed."""

import random
import time
from collections.abc import Callable
from signal import SIGKILL

import pytest

from tests.support.audit import differences
from tests.support.inband import Inband
from tests.support.market_leash import leash_on

EVENTS = ("order_sent", "slice_settled", "rebalance_started", "confirmation_started", "rebalance_finished")


def test_speed_changes_nothing(wide: Inband, inband: Callable[..., Inband]) -> None:
    """At a finite speed every field of every rebalance is what it is at full speed."""
    slower = inband(PAPER__SPEED="20000")
    with slower.start() as process:
        assert process.wait() == 0, process.stderr
    assert slower.history() == wide.history()


@pytest.mark.parametrize("seed", [1, 2])
def test_kill_9_changes_nothing(wide: Inband, inband: Callable[..., Inband], seed: int) -> None:
    """Killed in the middle of orders, slices, confirmations and rebalances, the record comes out the same."""
    chance = random.Random(seed)  # noqa: S311 - it picks when to kill, and no secret
    run = inband(PAPER__SPEED=("max", "20000")[seed % 2])
    for event in chance.sample(EVENTS, 4):
        with run.start() as process, leash_on(process) as leash:
            leash.walk_until_said(process, event, times=chance.randint(1, 2), step_s=3_600)
            time.sleep(chance.uniform(0, 0.02))
            assert process.signal(SIGKILL) == -SIGKILL
    with run.start() as process:
        assert process.wait() == 0, process.stderr
    assert run.facts() == wide.facts()
    assert differences(run, {"BTCUP": "UP", "BTCDOWN": "DOWN"}) == []
