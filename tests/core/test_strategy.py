from dataclasses import replace
from math import inf, log
from typing import ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.strategy import Decision, FundView, Hold, own_limit, own_target, uses_band
from strategies.interval import Interval
from strategies.recenter import Recenter
from strategies.strategic import Strategic


def a_view(
    leverage: float = 2.0, side: Literal["long", "short"] = "long", mark: float = 1.0, time_s: float = 0.0
) -> FundView:
    """A fund with the default band at some leverage."""
    return FundView(
        time_s=time_s,
        side=side,
        mark=mark,
        real_leverage=leverage,
        band=(1.5, 3.0),
        target_range=(1.8, 2.6),
        last_rebalance_time_s=0.0,
        last_rebalance_mark=mark,
    )


def leverage_at(view: FundView, price: float) -> float:
    """Real leverage at `price` by the definition: exposure over fund value, with position and cash fixed."""
    sign = 1 if view.side == "long" else -1
    exposure = view.real_leverage * price / view.mark
    return exposure / (1 + sign * (exposure - view.real_leverage))


@pytest.mark.parametrize(
    ("side", "start", "leverage", "price"),
    [
        ("long", 2.0, 1.5, 1.5),
        ("long", 2.0, 3.0, 0.75),
        ("short", 2.0, 1.5, 0.9),
        ("short", 2.0, 3.0, 1.125),
        ("long", 2.5, 1.5, 1.8),
        ("long", 2.5, 3.0, 0.9),
        ("short", 2.5, 1.5, 0.84),
        ("short", 2.5, 3.0, 1.05),
        ("long", 3.0, 4.0, 8 / 9),
        ("short", 3.0, 4.0, 16 / 15),
        ("long", 1 / 2, 0.25, 1 / 3),
    ],
)
def test_a_leverage_is_reached_at_an_exact_price(
    side: Literal["long", "short"], start: float, leverage: float, price: float
) -> None:
    """UP p(L) = L(L0 - 1)/(L0(L - 1)), DOWN p(L) = L(L0 + 1)/(L0(L + 1)), relative to the mark."""
    assert a_view(start, side).price_at(leverage) == pytest.approx(price, rel=1e-12)
    assert a_view(start, side, 60_000).price_at(leverage) == pytest.approx(60_000 * price, rel=1e-12)


@given(st.floats(1.51, 2.99))
def test_the_band_is_a_price_corridor_of_fixed_width(start: float) -> None:
    """Its ends are ln 2 apart for UP and ln 1.25 for DOWN, whatever the leverage in between."""
    up, down = a_view(start), a_view(start, "short")
    assert log(up.price_at(1.5) / up.price_at(3.0)) == pytest.approx(log(2), rel=1e-9)
    assert log(down.price_at(3.0) / down.price_at(1.5)) == pytest.approx(log(1.25), rel=1e-9)


@pytest.mark.parametrize(
    ("view", "leverage"),
    [
        (a_view(0.0), 2.0),
        (a_view(1.0), 2.0),
        (a_view(2.0), 1.0),
        (a_view(2.0), 0.9),
        (a_view(0.5), 1.5),
    ],
)
def test_a_leverage_that_no_price_gives_is_infinitely_far(view: FundView, leverage: float) -> None:
    """A flat or unlevered fund stays so, and a borrowed long fund never falls to 1x."""
    assert view.price_at(leverage) == inf


views = st.builds(
    a_view,
    leverage=st.floats(0.05, 6.0),
    side=st.sampled_from(["long", "short"]),
    mark=st.floats(0.01, 1e6),
)


@given(views, st.floats(0.01, 6.0), st.floats(0.01, 6.0), st.floats(0, 1))
def test_leverage_stays_between_within_the_hold_interval(
    view: FundView, one: float, other: float, where: float
) -> None:
    """At both ends and anywhere inside; and the ends are not needlessly near."""
    lower, upper = sorted((one, other))
    hold = view.hold_between(lower, upper)
    if hold.until_s <= view.time_s:
        assert not lower <= view.real_leverage <= upper
        return
    high = min(hold.high, view.mark * 1e6)
    for price in (hold.low, high, hold.low + where * (high - hold.low)):
        # Nearer to zero the doubles of this test's own formula lose all their digits.
        if price > view.mark * 1e-6 and hold.low <= price <= hold.high:
            assert lower <= leverage_at(view, price) * (1 + 1e-15)
            assert leverage_at(view, price) * (1 - 1e-15) <= upper


@given(views, st.floats(0.05, 1.5))
def test_a_hold_interval_is_not_needlessly_narrow(view: FundView, width: float) -> None:
    """One part in a million beyond a finite end, leverage is outside."""
    lower, upper = view.real_leverage / (1 + width), view.real_leverage * (1 + width)
    hold = view.hold_between(lower, upper)
    if abs(view.real_leverage - 1) < 0.01 and view.side == "long":
        return  # next to 1x leverage hardly depends on the price at all
    if hold.low > 0:
        assert not lower <= leverage_at(view, hold.low * (1 - 1e-6)) <= upper
    if hold.high < inf:
        assert not lower <= leverage_at(view, hold.high * (1 + 1e-6)) <= upper


def test_outside_the_band_there_is_nothing_to_hold() -> None:
    """The interval is the mark itself, and it has ended already."""
    assert a_view(1.4, time_s=7.0).hold_between(1.5, 3.0) == Hold(1.0, 1.0, 7.0)


@pytest.mark.parametrize("view", [a_view(0.0), a_view(1.0)])
def test_an_unlevered_fund_holds_at_every_price(view: FundView) -> None:
    """Flat, or long at exactly 1x: no price changes the leverage."""
    assert view.hold_between(0.0, 3.0, 60.0) == Hold(0.0, inf, 60.0)


def test_a_strategy_uses_the_band_unless_it_says_otherwise() -> None:
    """The two optional class attributes, as core reads them."""

    class Plain:
        def decide(self, view: FundView) -> Decision:
            return view.hold_between(0, 9)

    class Own(Plain):
        uses_band: ClassVar[bool] = False

    assert uses_band(Plain())
    assert own_limit(Plain()) is None
    assert not uses_band(Own())
    assert own_limit(Own()) is None
    assert uses_band(Strategic())
    assert own_limit(Interval(max_leverage=3.75)) == 3.75
    assert own_target(Interval(target=2.5)) == 2.5
    assert own_target(Own()) is None
    assert own_target(Recenter(target=2.5)) is None  # a band of its fund's has the last word


def test_a_view_is_frozen() -> None:
    """A strategy cannot change what core will see."""
    view = a_view()
    with pytest.raises(AttributeError):
        view.mark = 2.0  # type: ignore[misc]
    assert replace(view, mark=2.0).mark == 2.0
