from typing import Literal

import pytest

from bot.core.strategy import FundView, Hold, Rebalance
from bot.testing import Lab, a_fund
from strategies.strategic import Strategic


def a_view(leverage: float, side: Literal["long", "short"] = "long") -> FundView:
    """A fund with the default band at mark 100."""
    return FundView(0.0, side, 100.0, leverage, (1.5, 3.0), (1.8, 2.6), 0.0, 100.0)


def test_below_the_band_it_confirms_and_then_increases_patiently() -> None:
    """Into the target range, after a delay of at most the cap."""
    assert Strategic(600).decide(a_view(1.49)) == Rebalance(1.8, 2.6, "patient", "below band", 600)


def test_a_negative_delay_is_refused() -> None:
    """By the parameter's name."""
    with pytest.raises(ValueError, match="confirmation_s must not be negative, got -5"):
        Strategic(-5)


def test_above_the_band_it_delevers_promptly() -> None:
    """Without any delay."""
    assert Strategic(600).decide(a_view(3.01)) == Rebalance(1.8, 2.6, "prompt", "above band")


@pytest.mark.parametrize("leverage", [1.5, 2.0, 3.0])
def test_inside_the_band_it_holds(leverage: float) -> None:
    """Outside is strict: the edges themselves belong to the band."""
    assert isinstance(Strategic().decide(a_view(leverage)), Hold)


@pytest.mark.parametrize(("side", "low", "high"), [("long", 75, 150), ("short", 90, 112.5)])
def test_it_holds_exactly_to_the_trigger_prices(
    side: Literal["long", "short"], low: float, high: float
) -> None:
    """From 2x: 3x at -25 % and 1.5x at +50 % for UP; 1.5x at -10 % and 3x at +12.5 % for DOWN."""
    hold = Strategic().decide(a_view(2.0, side))
    assert isinstance(hold, Hold)
    assert hold.low == pytest.approx(low, rel=1e-8)
    assert hold.high == pytest.approx(high, rel=1e-8)


def test_a_fund_ends_where_it_began_to_hold() -> None:
    """In the laboratory: one rise beyond the band, one rebalance into the target range."""
    lab = Lab(a_fund(strategy=Strategic(confirmation_s=0)))
    lab.settle()
    lab.walk("92000")
    assert lab.leverage is not None
    assert 1.79 <= lab.leverage <= 2.6
