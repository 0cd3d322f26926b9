"""Flows in cash while a rebalance is hidden leave the public basket as if the fund had done nothing else."""

from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from bot.core import records as rec
from bot.core.events import FlowAsked, RescaleAsked
from bot.core.flow_records import FlowKind, FlowsCrossed, FlowsInCash, FlowsShown
from bot.core.flow_requests import refusal
from bot.core.flows import Flow
from bot.core.strategy import Decision, FundView
from bot.core.terms import FlowTerms
from bot.core.units import Urgency
from bot.core.unseen import dealt
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


@pytest.mark.parametrize("amount", ["15", "-15"])
def test_the_basket_of_a_rebalance_that_is_over_and_hidden_has_the_units_of_later_flows(amount: str) -> None:
    """They are in it when it is revealed."""
    lab, _ = twins()
    lab.settle()
    lab.mark(lab.price, after_s=1)
    (pending,) = lab.state.book.public.pending
    assert pending.basket is not None
    before = pending.basket.units
    lab.subscribe(amount) if D(amount) > 0 else lab.redeem(amount[1:])
    lab.until_dealing()
    (pending,) = lab.state.book.public.pending
    assert pending.basket is not None
    assert pending.basket.units == lab.state.book.units != before


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


def test_whether_a_flow_is_traded_or_goes_in_cash_is_not_seen() -> None:
    """The smallest trade in USDT depends on leverage: amounts that are tried out must not find it."""
    seen = set()
    for amount in ("60", "90", "105", "115", "140"):
        labs = twins()
        for lab in labs:
            lab.subscribe(amount)
            lab.until_dealing("91000")
            lab.settle()
        traded = tuple(any(r.kind is rec.Kind.FLOW for r in lab.of(rec.RebalanceStarted)) for lab in labs)
        one, other = (lab.state.book.public.basket for lab in labs)
        assert labs[0].state.book.public.hidden
        assert (one.cash, one.units) == (other.cash, other.units)
        assert (one.units == 100_000) is traded[1]
        seen.add(traded)
    assert seen == {(False, False), (True, False), (True, True)}


@pytest.mark.parametrize("amount", ["15", "-15"])
def test_how_long_a_dealing_waits_is_not_seen(amount: str) -> None:
    """Units, and the fee that a dealing charges, show at once; delevering is under way and goes first."""
    labs = [FlowLab(replace(lab.fund, management_fee_daily=D("0.01"))) for lab in twins()]
    for lab in labs:
        lab.settle()
        lab.wait(4_000)
        (lab.redeem if amount.startswith("-") else lab.subscribe)(amount.removeprefix("-"))
        at_ms = lab.fund.terms.dealing_after(lab.time_ms)
        lab.mark("44900", after_s=(at_ms - lab.time_ms) / 1000 - 3)
        lab.mark("46000", after_s=3)
    one, other = labs
    assert one.state.book.rebalance is not None
    assert one.state.book.rebalance.urgency is Urgency.PROMPT
    assert one.state.book.dealing is not None
    assert other.state.book.dealing is None
    shown = [lab.state.book.public.basket for lab in labs]
    assert (shown[0].cash, shown[0].units) == (shown[1].cash, shown[1].units)
    assert shown[0].units != 100_000
    one.settle()
    one.wait(60)
    assert one.state.book.dealing is None
    assert one.state.book.public.hidden
    assert one.state.book.public.basket == shown[0]
    assert len(one.of(FlowsShown)) == 1
    while one.state.book.public.hidden:
        one.wait(600)
    assert one.state.book.public.basket.units == one.state.book.units


def test_a_dealing_for_nothing_of_value_changes_nothing_that_is_seen() -> None:
    """A basket that is worth nothing at the marks of now has no NAV to be dealt at."""
    lab, _ = twins()
    basket, contract = lab.state.book.public.basket, lab.contract
    flow = Flow("r", FlowKind.REDEEM, D(5), 0)
    worthless = -basket.cash / 2
    for marks in ((D(1), D(91_000)), (D(91_000), D(1))):
        assert dealt(basket._replace(cash=worthless * 4, position=D(3)), [flow], marks, contract, D(0)).units
        assert dealt(basket._replace(cash=D(-200_000)), [flow], marks, contract, D(0)).units == basket.units
    assert dealt(basket._replace(units=D(0)), [flow], (D(1), D(1)), contract, D(0)).units == 0


def test_refusals_name_the_units_that_everybody_knows() -> None:
    """How many came in cash at the true NAV would tell that NAV."""
    labs = twins()
    told = []
    for lab in labs:
        lab.subscribe("33")
        lab.until_dealing("91000")
        event = FlowAsked(*lab.now, FlowKind.REDEEM, D(100_000_000), "")
        told.append(refusal(lab.state, event))
    assert labs[0].state.book.units != labs[1].state.book.units
    assert told[0] == told[1]
    assert told[0] is not None
    assert f"{labs[0].state.book.public.basket.units:f} units" in told[0].reason


def test_units_that_are_consolidated_meanwhile_look_alike() -> None:
    """To the last digit: they are rounded as those of a fund that hides nothing."""
    labs = twins()
    for lab in labs:
        lab.subscribe("33")
        lab.until_dealing("91000")
        lab.send(RescaleAsked(*lab.now, 1, 700, "ann", "rounder"))
    assert labs[0].state.book.public.hidden
    one, other = (lab.state.book.public.basket for lab in labs)
    assert (one.cash, one.units) == (other.cash, other.units)
    assert one.units == one.units.quantize(D("1e-8"))


@pytest.mark.parametrize("amount", ["15", "-15", "5000", "-5000"])
def test_once_nothing_is_hidden_the_public_basket_is_the_true_one(amount: str) -> None:
    """To the last digit: what was dealt in cash, what rounding left, what came in place of a fee."""
    lab, _ = twins()
    lab.settle()
    (lab.redeem if amount.startswith("-") else lab.subscribe)(amount.removeprefix("-"))
    lab.until_dealing("91000")
    lab.settle()
    assert lab.state.book.public.hidden
    while lab.state.book.public.hidden:
        lab.wait(60)
    book = lab.state.book
    assert book.public.basket == book.basket(book.public.basket.as_of_ms)
