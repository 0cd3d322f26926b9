"""What a fund promises beside what it does: how often it is to be expected to trade."""

from typing import Any

import pytest

from bot.core.performance import performance, true_side
from bot.testing import Lab, a_fund
from strategies.interval import Interval


def expected(**fund: Any) -> str | None:
    """The sentence about a fund that has not begun."""
    lab = Lab(a_fund(**fund))
    told: str | None = performance(lab.fund, lab.state.book, None, true_side(lab.state.book))["expected"]
    return told


@pytest.mark.parametrize(
    ("fund", "width", "often"),
    [
        ({}, "an UP fund's triggers lie a factor of 2 apart", "a few"),
        ({"side": "short"}, "a DOWN fund's triggers lie a factor of 1.25 apart", "tens of"),
        ({"band": ("1.8", "2.6")}, "an UP fund's triggers lie a factor of 1.38 apart", "tens of"),
        (
            {"side": "short", "band": ("2", "2.5"), "target": ("2.1", "2.4")},
            "factor of 1.07 apart",
            "hundreds of",
        ),
    ],
)
def test_how_often_it_trades_follows_from_its_own_band(fund: dict[str, Any], width: str, often: str) -> None:
    """Price moves by l/(l-1) over u/(u-1) from edge to edge (UP), by u/(1+u) over l/(1+l) (DOWN)."""
    told = expected(**fund) or ""
    assert width in told
    assert f", so {often} rebalances a year" in told


def test_a_fund_that_ignores_its_band_promises_no_such_number() -> None:
    """The interval strategy trades by the clock."""
    assert expected(strategy=Interval()) is None
