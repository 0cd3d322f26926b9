"""Flows in cash while a rebalance is hidden leave the public basket as if the fund had done nothing else."""

from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from bot.core.flow_records import FlowsCrossed, FlowsInCash
from bot.core.strategy import Decision, FundView
from bot.core.terms import FlowTerms
from bot.testing import a_fund
from strategies.strategic import Strategic
from tests.support.flows import EVERY_S, FlowLab

D = Decimal


@dataclass(frozen=True)
class Idle:
    """A strategy that never trades again once its fund is open."""

    def decide(self, view: FundView) -> Decision:
        """Hold, whatever the leverage."""
        return view.hold_between(0.0, 3.49)


def twins() -> tuple[FlowLab, FlowLab]:
    """One that has traded in secret, and one that has not; the same is public of both."""
    terms = FlowTerms(every_s=EVERY_S, subscribe_fee=D("0.001"), redeem_fee=D("0.002"))
    labs = []
    for strategy in (Strategic(0), Idle()):
        lab = FlowLab(replace(a_fund(strategy=strategy), terms=terms))
        lab.settle()
        lab.wait(4_000)
        lab.mark("91000")
        lab.settle(at_most_s=200)
        labs.append(lab)
    one, other = labs
    one_later = max(lab.time_ms for lab in labs)
    for lab in labs:
        lab.mark("91000", after_s=(one_later + 1_000 - lab.time_ms) / 1000)
    assert one.state.book.public.hidden
    assert not other.state.book.public.hidden
    assert one.state.book.position != other.state.book.position
    return one, other


@pytest.mark.parametrize(
    "amounts",
    [
        ("15",),
        ("15", "22.22222222"),
        ("-15",),
        ("-15", "-7.77777777"),
        ("33", "-12", "-13", "11.1"),
        ("12", "-20"),
    ],
)
def test_the_public_basket_is_that_of_a_fund_that_did_nothing_else(amounts: tuple[str, ...]) -> None:
    """To the last digit, whatever the true NAV of the flows was, and whoever met in the dealing."""
    labs = twins()
    for lab in labs:
        for amount in amounts:
            if amount.startswith("-"):
                lab.redeem(amount[1:])
            else:
                lab.subscribe(amount)
        lab.until_dealing("91000")
        assert len(lab.of(FlowsInCash)) == 1
        assert bool(lab.of(FlowsCrossed)) is (len({amount[0] == "-" for amount in amounts}) == 2)
    one, other = (lab.state.book.public.basket for lab in labs)
    assert (one.cash, one.units) == (other.cash, other.units)
    assert one.units != 100_000
    navs = [lab.of(FlowsInCash)[0].units for lab in labs]
    assert navs[0] != navs[1] or len(amounts) < 3
    assert labs[0].state.book.public.hidden


def test_what_is_left_over_of_a_trade_waits_for_its_reveal() -> None:
    """How much it is follows from the position."""
    lab, _ = twins()
    before = lab.state.book.public.basket
    lab.redeem("5000")
    lab.until_dealing("91000")
    lab.settle()
    assert len(lab.of(FlowsInCash)) == 1
    assert lab.state.book.public.hidden
    assert lab.state.book.public.basket == before
