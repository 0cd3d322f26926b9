import math

import numpy as np
import pytest

from bot.study.grid import Base, Point, build
from bot.study.montecarlo import Tally, model_of, simulate, tally_from
from bot.study.simulate import Blocks, Gbm
from bot.study.spec import Bracket, Costs, FundSpec
from strategies.interval import Interval
from strategies.strategic import Strategic

HOUR_MS = 3_600_000
FUND = (FundSpec(), Strategic(confirmation_s=0.0), Costs(fee_bps=5))


def test_tallies_of_parts_add_up_to_the_whole() -> None:
    """Paths may be split over any number of processes; what a file holds is read back the same."""
    (whole,) = simulate(Gbm(), [FUND], 2_000, HOUR_MS, range(20), 1)
    added = Tally()
    for part in (range(7), range(7, 20)):
        (tally,) = simulate(Gbm(), [FUND], 2_000, HOUR_MS, part, 1)
        added.add(tally_from(tally.to_json()))
    assert added.histogram == whole.histogram
    assert added.figures() == pytest.approx(whole.figures())


def test_the_engine_finds_the_same_as_the_loop_on_the_same_paths() -> None:
    """A fund that the compiled loop does not know, but for a fee that is zero, ends on the same NAV."""
    strategy = Interval(target=2.0)
    by_loop, by_engine = (
        (FundSpec(), strategy, Costs()),
        (FundSpec(brackets=(Bracket(math.inf, 1e-9, 0.0),)), strategy, Costs()),
    )
    one, two = simulate(Gbm(), [by_loop, by_engine], 400, HOUR_MS, range(3), 2)
    assert one.figures() == pytest.approx(two.figures(), rel=1e-9)


def test_quantiles_are_those_of_nav() -> None:
    """To the two per cent of a bin, death counting as zero."""
    (tally,) = simulate(Gbm(1.0), [FUND], 365, 86_400_000, range(400), 3)
    found = tally.figures()
    navs = [float(found[f"nav_{share}"] or 0) for share in (5, 25, 50, 75, 95)]
    assert navs == sorted(navs)
    assert found["paths"] == 400
    dead = Tally(paths=10, dead=10)
    assert dead.figures()["nav_50"] == 0.0
    assert dead.figures()["growth_per_year"] is None


def test_a_fund_without_drift_keeps_its_expected_value() -> None:
    """The mean NAV of a costless fund on a martingale is 1, within four standard errors."""
    fund = (FundSpec(), Strategic(confirmation_s=0.0), Costs())
    (tally,) = simulate(Gbm(0.5), [fund], 24 * 60, HOUR_MS, range(2_000), 4)
    spread = float(np.sqrt(np.exp(0.5**2 * 60 / 365 * 5) - 1))
    assert abs(float(tally.figures()["nav"] or 0) - 1) < 4 * spread / 2_000**0.5


def test_funding_of_blocks_is_paid() -> None:
    """Longs pay a positive rate at every bar that has one."""
    rates = np.zeros(100)
    rates[::8] = 0.001
    model = Blocks(np.zeros(100), rates, 10.0)
    (tally,) = simulate(model, [FUND], 800, HOUR_MS, range(2), 0)
    assert tally.funding / 2 == pytest.approx(-2 * 0.001 * 100, rel=0.3)


def test_an_unknown_model_or_parameter_is_refused_by_name() -> None:
    """With what there is."""
    with pytest.raises(ValueError, match="volatility"):
        Gbm(-1.0)
    for name, parameters, words in (("gmb", {}, "gbm"), ("gbm", {"volatility": -1.0}, "model.volatility")):
        with pytest.raises(Exception, match=words):
            model_of(name, parameters)


def test_points_of_a_grid_run_as_they_are_built() -> None:
    """A tighter band trades more often on the same paths."""
    points: list[Point] = [
        {"strategy": "strategic", "side": "long", "target": 2.0, "half_width": width} for width in (0.2, 0.6)
    ]
    funds = [build(point, Base()) for point in points]
    tight, wide = simulate(Gbm(), funds, 2_000, HOUR_MS, range(4))
    assert tight.rebalances > wide.rebalances
