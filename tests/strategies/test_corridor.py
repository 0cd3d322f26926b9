from typing import Any, Literal

import pytest

from bot.core.strategy import FundView, Hold, Rebalance
from strategies.corridor import Corridor


def a_view(leverage: float, side: Literal["long", "short"] = "long") -> FundView:
    """A fund at mark 100, with a band that a corridor does not look at."""
    return FundView(0.0, side, 100.0, leverage, (1.5, 3.0), (1.8, 2.6), 0.0, 100.0)


def test_the_default_band_is_the_optimal_one_at_the_published_aversion() -> None:
    """For 2.25x at 10 bps a half-width of 0.75 is optimal at an aversion of 0.014 (UP) and 0.095 (DOWN)."""
    for side, aversion in (("long", 0.0140625), ("short", 0.0950625)):
        corridor = Corridor(target=2.25, cost_bps=10.0, aversion=aversion)
        edge = corridor.decide(a_view(5.0, side))  # type: ignore[arg-type]
        assert isinstance(edge, Rebalance)
        assert edge.high == pytest.approx(3.0, rel=1e-9)


def test_it_trades_no_further_than_to_the_edge() -> None:
    """From either side, with a public goal: UP 2x at 8 bps, aversion 0.15, has a half-width of 0.2520."""
    corridor = Corridor(target=2.0, cost_bps=8.0, aversion=0.15)
    width = (3 * 8e-4 * 2**2 * (2 - 1) ** 2 / (4 * 0.15)) ** (1 / 3)
    above, below = corridor.decide(a_view(2.5)), corridor.decide(a_view(1.5))
    assert above == Rebalance(2 + width, 2 + width, "patient", "corridor")
    assert below == Rebalance(2 - width, 2 - width, "patient", "corridor")


def test_inside_the_corridor_it_holds_for_ever() -> None:
    """It has no clock; the region is that of its own edges."""
    hold = Corridor(target=2.0, cost_bps=8.0, aversion=0.15).decide(a_view(2.0))
    assert isinstance(hold, Hold)
    assert hold.until_s == float("inf")
    assert hold.low == pytest.approx(a_view(2.0).price_at(2 + 0.016 ** (1 / 3)))


def test_a_corridor_wider_than_its_target_ends_at_zero() -> None:
    """Real leverage is never negative."""
    assert isinstance(
        Corridor(target=0.5, cost_bps=100.0, aversion=0.001).decide(a_view(0.01, "short")), Hold
    )


@pytest.mark.parametrize("parameters", [{"target": 0.0}, {"cost_bps": 0.0}, {"aversion": -1.0}])
def test_a_senseless_parameter_is_refused_by_name(parameters: dict[str, Any]) -> None:
    """The message begins with the parameter."""
    with pytest.raises(ValueError, match=f"^{next(iter(parameters))} must be above 0"):
        Corridor(**parameters)
