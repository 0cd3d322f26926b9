"""The arithmetic of units: rounding is always in the fund's favour."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.core.flow_records import FlowKind
from bot.core.ledger import Ledger, real_leverage
from bot.core.shares import Pot, Shares, after_fill, cross, in_cash, quantity_to_trade
from bot.testing import a_contract

D = Decimal
lots = st.integers(1, 5_000).map(lambda n: D(n) / 1000)
cash = st.decimals("-90000", "250000", places=2)
prices = st.decimals("20000", "90000", places=1)


@given(st.sampled_from([1, -1]), lots, lots, cash, prices, prices, st.sampled_from(FlowKind))
def test_a_fill_in_proportion_leaves_every_other_unit_its_basket(
    side: int, held: Decimal, traded: Decimal, money: Decimal, price: Decimal, mark: Decimal, kind: FlowKind
) -> None:
    """Whatever the price of the fill: NAV at any mark falls by nothing, and rises by rounding at most."""
    shares = Shares(Ledger(money, side * held, side * held * 50_000), D("100000"))
    assume(shares.ledger.value(mark) > 1000)
    traded = min(traded, held / 2)
    redeems = kind is FlowKind.REDEEM
    pot = Pot(units=D(100_000)) if redeems else Pot(cash=D(100_000))
    quantity = -side * traded if redeems else side * traded
    after, left = after_fill(shares, pot, quantity, price, D("1.5"))
    before, now = shares.nav(mark), after.nav(mark)
    assert before is not None
    assert now is not None
    assert -D("1e-20") <= now - before < D("1e-6")
    leverages = real_leverage(shares.ledger, mark), real_leverage(after.ledger, mark)
    assert leverages[0] is not None
    assert leverages[1] is not None
    assert abs(leverages[0] - leverages[1]) < D("1e-6") * (1 + leverages[0])
    assert after.ledger.wallet + left.cash + left.received == pytest.approx(
        shares.ledger.wallet + pot.cash + realised(shares.ledger, quantity, price)
    )


def realised(ledger: Ledger, quantity: Decimal, price: Decimal) -> Decimal:
    """What a trade does to the wallet."""
    return ledger.after_trade(quantity, price, D("1.5")).wallet - ledger.wallet


def test_a_fill_without_a_position_before_is_booked_and_nobodys_share() -> None:
    """There is no basket to be in proportion to."""
    after, pot = after_fill(Shares(Ledger(D(100)), D(100)), Pot(cash=D(10)), D(1), D(5), D(0))
    assert (after.ledger.position, after.units, pot.cash) == (1, 100, 10)


def test_a_fund_without_units_has_no_nav() -> None:
    """Undefined, not zero."""
    assert Shares(Ledger(D(100)), D(0)).nav(D(1)) is None


@given(st.decimals("0.01", "100000", places=8), st.decimals("0.01", "100000", places=8), prices)
def test_what_meets_is_never_more_than_either_side_has(money: Decimal, units: Decimal, nav: Decimal) -> None:
    """Subscribers pay at least what redeemers receive, and at most what they have."""
    nav = nav / 10_000
    met, paid, received = cross(Pot(cash=money, units=units), nav)
    assert met <= units
    assert received <= paid <= money
    assert paid - received <= D("1e-8")
    assert met == units or money - paid < nav * D("2e-8") + D("1e-8")


def test_nothing_is_traded_for_a_pot_that_is_empty_or_a_fund_without_value() -> None:
    """Nor for a fund that holds nothing."""
    contract = a_contract()
    mark = D(50_000)
    held = Shares(Ledger(D(-50_000), D(2)), D(50_000))
    assert quantity_to_trade(held, Pot(), mark, contract) == 0
    assert quantity_to_trade(held, Pot(cash=D(-1)), mark, contract) == 0
    assert quantity_to_trade(Shares(Ledger(D(-100_100), D(2)), D(1)), Pot(cash=D(900)), mark, contract) == 0
    assert quantity_to_trade(Shares(Ledger(D(100)), D(100)), Pot(cash=D(900)), mark, contract) == 0
    assert quantity_to_trade(held, Pot(cash=D(5_000)), mark, contract) == D("0.199")
    assert quantity_to_trade(held, Pot(units=D(5_000)), mark, contract) == D("-0.2")


def test_trades_that_cost_more_than_there_was_are_paid_with_units() -> None:
    """The pot is below zero: units are taken back, and the money comes out of the fund at NAV."""
    shares = Shares(Ledger(D(-50_000), D(2)), D(50_000))
    units, amount = in_cash(shares, Pot(cash=D(-3), issued=D(100)), D(50_000), D("0.0005"))
    assert (units, amount) == (-3, -3)
