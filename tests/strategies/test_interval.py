from dataclasses import replace
from math import inf
from typing import Any

import pytest

from bot.core.strategy import FundView, Hold, Rebalance
from strategies.interval import Interval

DAY_S = 86_400
VIEW = FundView(
    time_s=10 * DAY_S + 3_600,
    side="long",
    mark=100.0,
    real_leverage=3.0,
    band=(1.5, 3.0),
    target_range=(1.8, 2.6),
    last_rebalance_time_s=10 * DAY_S,
    last_rebalance_mark=100.0,
)


def test_at_its_hour_it_returns_to_the_target() -> None:
    """From below patiently, from above promptly, at the first look at or after the time."""
    at_midnight = replace(VIEW, time_s=11.0 * DAY_S)
    assert Interval().decide(replace(at_midnight, real_leverage=2.8)) == Rebalance(3, 3, "patient", "clock")
    assert Interval().decide(replace(at_midnight, real_leverage=3.2)) == Rebalance(3, 3, "prompt", "clock")


def test_it_holds_until_the_next_hour() -> None:
    """The hold ends at the next time of the schedule, which may lie on the next day."""
    hold = Interval(at="12:30").decide(VIEW)
    assert isinstance(hold, Hold)
    assert hold.until_s == 10 * DAY_S + 45_000
    late = replace(VIEW, time_s=10 * DAY_S + 46_000.0, last_rebalance_time_s=10 * DAY_S + 45_001.0)
    hold = Interval(at="12:30").decide(late)
    assert isinstance(hold, Hold)
    assert hold.until_s == 11 * DAY_S + 45_000


def test_each_time_of_the_schedule_fires_once() -> None:
    """A rebalance at 08:00 makes 16:00 the next."""
    eight = replace(VIEW, time_s=10 * DAY_S + 28_800.0)
    strategy = Interval(at="00:00, 08:00, 16:00")
    assert isinstance(strategy.decide(eight), Rebalance)
    hold = strategy.decide(replace(eight, last_rebalance_time_s=eight.time_s))
    assert isinstance(hold, Hold)
    assert hold.until_s == 10 * DAY_S + 57_600


@pytest.mark.parametrize(("mark", "moved"), [(110.0, True), (90.0, True), (109.9, False), (90.1, False)])
def test_a_large_move_fires_inclusively(mark: float, *, moved: bool) -> None:
    """10 % since the last rebalance, in either direction."""
    decision = Interval().decide(replace(VIEW, mark=mark))
    assert isinstance(decision, Rebalance) is moved
    if moved:
        assert decision == Rebalance(3, 3, "patient", "move")


def test_at_its_limit_it_delevers_at_once() -> None:
    """Inclusive, and before move and clock."""
    assert Interval().decide(replace(VIEW, real_leverage=4.0)) == Rebalance(3, 3, "prompt", "max leverage")
    late = replace(VIEW, real_leverage=4.0, mark=50.0, time_s=20.0 * DAY_S)
    assert Interval().decide(late) == Rebalance(3, 3, "prompt", "max leverage")


def test_a_move_comes_before_the_clock() -> None:
    """Where both are due, the reason is the move."""
    decision = Interval().decide(replace(VIEW, mark=80.0, time_s=20.0 * DAY_S))
    assert decision == Rebalance(3, 3, "patient", "move")


def test_without_clock_and_move_only_the_limit_remains() -> None:
    """Both can be switched off; then a 3x long holds until 4x at -11.11 %, for ever."""
    hold = Interval(at="", move=0).decide(VIEW)
    assert isinstance(hold, Hold)
    assert hold.low == pytest.approx(100 * 8 / 9, rel=1e-8)
    assert (hold.high, hold.until_s) == (inf, inf)


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"target": 4.0}, "target"),
        ({"target": 0.0}, "target"),
        ({"move": 1.0}, "move"),
        ({"move": -0.1}, "move"),
        ({"at": "24:00"}, '"24:00"'),
        ({"at": "00:60"}, '"00:60"'),
        ({"at": "noon"}, '"noon"'),
        ({"at": "0000"}, '"0000"'),
        ({"at": "a:00"}, '"a:00"'),
    ],
)
def test_a_senseless_parameter_is_refused_by_name(parameters: dict[str, Any], named: str) -> None:
    """The message says which parameter, and what was given."""
    with pytest.raises(ValueError, match=named):
        Interval(**parameters)
