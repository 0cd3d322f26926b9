from dataclasses import replace
from typing import Any

import pytest

from bot.core.strategy import FundView, Hold, Rebalance
from strategies.recenter import Recenter

DAY_S = 86_400.0
VIEW = FundView(
    time_s=DAY_S,
    side="long",
    mark=100.0,
    real_leverage=2.6,
    band=(1.5, 3.0),
    target_range=(1.8, 2.6),
    last_rebalance_time_s=0.0,
    last_rebalance_mark=100.0,
)


def test_when_its_time_has_come_it_goes_a_part_of_the_way() -> None:
    """From 2.6 a quarter of the way to 2 is 2.45, from 1.6 it is 1.7."""
    strategy = Recenter(target=2.0)
    down, up = strategy.decide(VIEW), strategy.decide(replace(VIEW, real_leverage=1.6))
    assert isinstance(down, Rebalance)
    assert isinstance(up, Rebalance)
    assert (down.low, down.high) == pytest.approx((2.45, 2.45))
    assert (up.low, up.high) == pytest.approx((1.7, 1.7))


def test_without_a_target_it_aims_for_the_middle_of_the_range() -> None:
    """The middle of [1.8, 2.6] is 2.2; at full speed it is reached in one step."""
    assert Recenter(speed=1.0).decide(VIEW) == Rebalance(2.2, 2.2, "patient", "recenter")


def test_before_its_time_it_holds_within_the_band() -> None:
    """The hold ends with the schedule, counted from the last rebalance."""
    hold = Recenter().decide(replace(VIEW, time_s=DAY_S - 1))
    assert isinstance(hold, Hold)
    assert hold.until_s == DAY_S
    assert hold.low == pytest.approx(VIEW.price_at(3.0))
    assert hold.high == pytest.approx(VIEW.price_at(1.5))


@pytest.mark.parametrize(("leverage", "edge"), [(3.01, 3.0), (3.4, 3.0), (1.49, 1.5), (1.1, 1.5)])
@pytest.mark.parametrize("time_s", [1.0, 2 * DAY_S])
def test_outside_the_band_it_goes_to_the_edge_at_any_time(
    leverage: float, edge: float, time_s: float
) -> None:
    """And no further, whether or not the schedule is due."""
    decision = Recenter().decide(replace(VIEW, real_leverage=leverage, time_s=time_s))
    assert decision == Rebalance(edge, edge, "patient", "recenter")


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"target": -1.0}, "target"),
        ({"speed": 0.0}, "speed"),
        ({"speed": 1.1}, "speed"),
        ({"every_s": 0.0}, "every_s"),
    ],
)
def test_a_senseless_parameter_is_refused_by_name(parameters: dict[str, Any], named: str) -> None:
    """The message begins with the parameter."""
    with pytest.raises(ValueError, match=f"^{named}"):
        Recenter(**parameters)
