from typing import Any

import pytest

from bot.errors import UserError
from bot.study.grid import Axis, Base, axis_of, build, check_parameters, points, possible
from strategies.interval import Interval
from strategies.recenter import Recenter
from strategies.strategic import Strategic

BOTH = Base(strategies=("strategic", "interval"), sides=("long", "short"))


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("target=1.8,2,2.2", Axis("target", (1.8, 2.0, 2.2))),
        ("move=0:0.1:3", Axis("move", (0.0, 0.05, 0.1))),
        ("move=0.01:0.1", Axis("move", low=0.01, high=0.1)),
        ("at=00:00;00:00,12:00", Axis("at", ("00:00", "00:00,12:00"))),
        (" fee_bps = 5 ", Axis("fee_bps", (5.0,))),
    ],
)
def test_an_axis_is_read_from_text(text: str, axis: Axis) -> None:
    """Lists, even spacing, ranges, and texts that hold commas."""
    assert axis_of(text) == axis


@pytest.mark.parametrize("text", ["target", "=1", "target=", "target=3:1:5", "target=1:3:0", "target=,"])
def test_an_empty_axis_is_refused(text: str) -> None:
    """The error names the option."""
    with pytest.raises(UserError, match="grid"):
        axis_of(text)


def test_a_grid_is_every_combination() -> None:
    """Of the values, strategies and sides; an axis that a strategy does not have is not among its points."""
    found = points(BOTH, [Axis("target", (2.0, 2.2)), Axis("move", (0.05, 0.1, 0.2))], (), 0, 0)
    assert len(found) == 2 * (2 + 2 * 3)
    assert all("move" not in point for point in found if point["strategy"] == "strategic")


def test_points_at_random_repeat_with_their_seed() -> None:
    """As many as asked for, inside the range."""
    axes = [Axis("target", low=1.8, high=2.6)]
    one, two, other = (points(Base(), axes, (), 50, seed) for seed in (1, 1, 2))
    assert len(one) == 50
    assert one == two != other
    assert all(1.8 <= float(point["target"]) <= 2.6 for point in one)


@pytest.mark.parametrize(
    ("axes", "named"),
    [
        ([Axis("targte", (1.0,))], 'unknown parameter "targte"; did you mean target'),
        ([Axis("model.volatility", (1.0,))], "model.volatility"),
        ([Axis("target", (2.0,)), Axis("target", (2.1,))], "given twice"),
        ([Axis("target", low=1.0, high=2.0)], "without a count"),
    ],
)
def test_a_wrong_axis_is_refused_by_name(axes: list[Axis], named: str) -> None:
    """Unknown, a model's without a model, doubled, or a range in a grid."""
    with pytest.raises(UserError, match=named):
        points(Base(), axes, (), 0, 0)


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ({"strategy": "interval", "target": 2.0, "move": 0.05}, Interval(target=2.0, move=0.05)),
        ({"strategy": "interval", "interval_h": 12.0}, Interval(at="00:00,12:00")),
        ({"strategy": "recenter", "interval_h": 48.0}, Recenter(every_s=172_800.0)),
        ({"strategy": "strategic", "half_width": 0.5}, Strategic(0.0)),
    ],
)
def test_a_point_becomes_a_strategy(point: dict[str, Any], expected: object) -> None:
    """Its own parameters, and the length of its interval."""
    _, strategy, _ = build({"side": "long", **point}, Base())
    assert strategy == expected


def test_a_band_may_be_given_about_the_target() -> None:
    """Whichever axis comes first."""
    fund, _, costs = build(
        {"strategy": "strategic", "side": "short", "half_width": 0.4, "target": 2.0, "fee_bps": 2.0}, Base()
    )
    assert fund.band == pytest.approx((1.6, 2.4))
    assert fund.target_range == (2.0, 2.0)
    assert fund.start_leverage == 2.0
    assert costs.fee_bps == 2.0


def test_points_that_are_no_funds_are_left_out_and_explained() -> None:
    """A target outside the band is none; where all are such, the first reason is the error."""
    base = Base()
    found = points(base, [Axis("target", (1.2, 2.0))], (), 0, 0)
    kept, reasons = possible(found, base)
    assert [point["target"] for point in kept] == [2.0]
    assert "1.2" in reasons[0]
    with pytest.raises(UserError, match=r"none of its 1 points is a fund.*1\.2"):
        possible(found[:1], base)


def test_a_parameter_that_no_strategy_has_is_refused() -> None:
    """With the nearest name."""
    check_parameters(Base(parameters={"confirmation_s": "60"}))
    with pytest.raises(UserError, match="confirmation_s"):
        check_parameters(Base(parameters={"confirmation": "60"}))
