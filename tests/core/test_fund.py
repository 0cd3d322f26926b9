from dataclasses import replace
from decimal import Decimal

from bot.testing import a_contract

D = Decimal


def test_the_smallest_increase_clears_the_minimum_notional_with_a_buffer() -> None:
    """100 USDT and 2 % to spare at 60,000: 0.0017 rounded up to lots."""
    assert a_contract().min_increase(D(60_000)) == D("0.002")


def test_the_smallest_increase_is_at_least_the_minimum_quantity() -> None:
    """Where the notional is reached early, the quantity minimum rules."""
    contract = replace(a_contract(), min_quantity=D("0.005"))
    assert contract.min_increase(D(600_000)) == D("0.005")


def test_a_reduction_is_exempt_where_the_venue_exempts_it() -> None:
    """Reduce-only orders may be as small as the lot; elsewhere the minimum notional holds for them too."""
    assert a_contract().min_decrease(D(60_000)) == D("0.001")
    strict = replace(a_contract(), reduce_only_any_size=False)
    assert strict.min_decrease(D(60_000)) == D("0.002")
