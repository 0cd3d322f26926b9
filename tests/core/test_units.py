from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bot.core.units import Side, Urgency, away_from_zero, not_above, not_below, toward_zero

amounts = st.decimals(min_value=-1_000_000, max_value=1_000_000, places=9)
prices = st.decimals(min_value=1, max_value=1_000_000, places=9)
grids = st.sampled_from([Decimal(text) for text in ("0.001", "0.01", "0.1", "0.5", "5", "0.0025")])


@given(amounts, grids)
def test_an_amount_is_enclosed_by_its_two_roundings(amount: Decimal, step: Decimal) -> None:
    """Toward and away from zero give grid points of the amount's sign, at most one step around it."""
    inner, outer = toward_zero(amount, step), away_from_zero(amount, step)
    assert abs(inner) <= abs(amount) <= abs(outer)
    assert abs(outer - inner) in (0, step)
    assert inner % step == outer % step == 0
    assert inner * amount >= 0
    assert outer * amount >= 0


@given(prices, grids)
def test_a_limit_price_is_rounded_against_ourselves(price: Decimal, tick: Decimal) -> None:
    """A buy's limit never rises and a sell's never falls by rounding, and neither moves by a whole tick."""
    assert 0 <= price - not_above(price, tick) < tick
    assert 0 <= not_below(price, tick) - price < tick
    assert not_above(price, tick) % tick == not_below(price, tick) % tick == 0


@given(amounts, grids)
def test_rounding_twice_is_rounding_once(amount: Decimal, step: Decimal) -> None:
    """What lies on the grid stays where it is."""
    for rounded in (toward_zero, away_from_zero, not_above, not_below):
        once = rounded(amount, step)
        assert rounded(once, step) == once


def test_the_sign_of_a_side_is_the_sign_of_its_position() -> None:
    """A long fund holds a positive position, a short fund a negative one."""
    assert Side.LONG.sign == 1
    assert Side.SHORT.sign == -1


def test_urgency_levels_are_ordered() -> None:
    """Patient is below prompt, prompt below emergency."""
    assert sorted(Urgency, key=lambda level: level.rank) == [
        Urgency.PATIENT,
        Urgency.PROMPT,
        Urgency.EMERGENCY,
    ]
