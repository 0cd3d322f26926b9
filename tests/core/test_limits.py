import ast
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import bot
from bot.core import events as ev
from bot.core.breaches import BEYOND_PLAN, OVER_CAP
from bot.core.caps import Caps
from bot.core.ledger import Ledger
from bot.core.limits import (
    Conditions,
    Proposal,
    Refusal,
    SubmitOrder,
    approve,
    increases_refused,
)
from bot.core.records import Control
from bot.core.turn import Turn
from bot.testing import Lab, a_contract

D = Decimal
FINE = Conditions(D(60_000), max_leverage=D("3.5"))
LONG = Ledger(D(-20_000), D(2))
"""Value 100,000 and exposure 120,000 at 60,000."""


def buy(quantity: str = "0.1", limit_price: str = "60060", target: str = "3") -> Proposal:
    """A proposal to buy on the way to `target`."""
    return Proposal("ib1", D(quantity), D(limit_price), D(target))


def sell(quantity: str = "0.1", limit_price: str = "59880", target: str = "1") -> Proposal:
    """A proposal to sell on the way to `target`."""
    return Proposal("ib1", -D(quantity), D(limit_price), D(target))


def verdict(proposal: Proposal, conditions: Conditions = FINE, ledger: Ledger = LONG) -> str:
    """The reason of a refusal, or `approved`."""
    answer = approve(proposal, a_contract(), ledger, conditions)
    return answer.reason if isinstance(answer, Refusal) else "approved"


def refusal(conditions: Conditions) -> Refusal | None:
    """Why no increase at all is allowed under these conditions."""
    return increases_refused(conditions.breaches, conditions.doubt)


def test_an_increase_within_all_limits_is_approved() -> None:
    """As it was proposed, and not reduce-only."""
    order = approve(buy(), a_contract(), LONG, FINE)
    assert isinstance(order, SubmitOrder)
    assert (order.cid, order.symbol, order.quantity) == ("ib1", "BTCUSDT", D("0.1"))
    assert order.limit_price == 60_060
    assert not order.reduce_only


def test_a_reduction_is_always_reduce_only() -> None:
    """Of a long and of a short position."""
    short = Ledger(D(220_000), D(-2))
    down = approve(sell(), a_contract(), LONG, FINE)
    up = approve(buy(target="-1"), a_contract(), short, FINE)
    assert isinstance(down, SubmitOrder)
    assert isinstance(up, SubmitOrder)
    assert down.reduce_only
    assert up.reduce_only


@pytest.mark.parametrize(
    ("proposal", "reason"),
    [
        (buy("0.0001"), "quantity is outside [0.001, 120]"),
        (buy("121"), "quantity is outside [0.001, 120]"),
        (buy("0.0105"), "quantity is not a multiple of the lot 0.001"),
        (buy("0.1", target="2.05"), "position would pass its target"),
        (sell("0.1", target="1.95"), "position would pass its target"),
        (buy("0.1", target="1"), "position would pass its target"),
        (sell("2.1", target="-1"), "a rebalance never reverses a position"),
        (buy(limit_price="63000.1"), "limit price is beyond the venue's price limit"),
        (sell(limit_price="56999.9"), "limit price is beyond the venue's price limit"),
        (sell(limit_price="0"), "limit price is beyond the venue's price limit"),
        (buy(limit_price="0"), "limit price is beyond the venue's price limit"),
        (buy("0.001"), "notional is below the venue's minimum 100"),
        (buy("4", target="9"), "leverage after the order would exceed the emergency leverage"),
    ],
)
def test_a_bad_proposal_is_refused_with_its_reason(proposal: Proposal, reason: str) -> None:
    """Size, lot, direction, collar, minimum notional, leverage: one reason each."""
    assert verdict(proposal) == reason


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        (FINE._replace(breaches=("external trade",)), "breach: external trade"),
        (FINE._replace(doubt="mark price is stale"), "mark price is stale"),
    ],
)
def test_a_breach_or_doubtful_data_stops_increases_only(conditions: Conditions, reason: str) -> None:
    """The same conditions refuse a buy of a long fund and let its sale through."""
    assert verdict(buy(), conditions) == reason
    assert refusal(conditions) == Refusal(reason)
    assert verdict(sell(), conditions) == "approved"


def test_a_second_order_is_refused_while_one_is_outstanding() -> None:
    """A reduction as well: nobody knows yet where the first one leads."""
    waiting = FINE._replace(order_outstanding=True)
    assert verdict(buy(), waiting) == "another order is outstanding"
    assert verdict(sell(), waiting) == "another order is outstanding"


def test_a_halt_refuses_everything() -> None:
    """The last room before the venue knows of it, whoever proposes."""
    halted = FINE._replace(halted=True)
    assert verdict(buy(), halted) == "halted by the operator"
    assert verdict(sell(), halted) == "halted by the operator"


def test_without_a_price_nothing_is_sent() -> None:
    """Stream and REST both silent: a reduction as well would be a guess."""
    blind = FINE._replace(blind=True)
    assert verdict(buy(), blind) == "no price to trade by"
    assert verdict(sell(), blind) == "no price to trade by"


def test_the_venues_price_limit_itself_is_within_it() -> None:
    """A collar widens as far as that, and the order of a delever that is there must go out."""
    short = Ledger(D(220_000), D(-2))
    assert verdict(sell(limit_price="57000")) == "approved"
    assert verdict(buy(limit_price="63000", target="-1"), ledger=short) == "approved"


@pytest.mark.parametrize(
    ("proposal", "conditions", "reason"),
    [
        (buy(limit_price="60060"), {"caps": Caps(collar=D("0.001"))}, "approved"),
        (
            buy(limit_price="60060.1"),
            {"caps": Caps(collar=D("0.001"))},
            "limit price is further than 0.1% from the mark price",
        ),
        (
            buy(limit_price="60060"),
            {"index_price": D(57_100)},
            "limit price is further than 5% from the index price",
        ),
        (buy(limit_price="60060"), {"index_price": D(57_200)}, "approved"),
    ],
)
def test_an_increase_is_collared_by_mark_and_index(
    proposal: Proposal, conditions: dict[str, Any], reason: str
) -> None:
    """A fraction of each; a reduction goes by the mark alone."""
    assert verdict(proposal, FINE._replace(**conditions)) == reason
    assert verdict(sell(), FINE._replace(**conditions)) == "approved"


def test_a_short_fund_sells_no_further_below_the_index_than_the_collar() -> None:
    """The other way round."""
    short = Ledger(D(220_000), D(-2))
    conditions = FINE._replace(index_price=D(63_100))
    refused = "limit price is further than 5% from the index price"
    assert verdict(sell(limit_price="59900", target="-3"), conditions, short) == refused
    assert verdict(sell(limit_price="59950", target="-3"), conditions, short) == "approved"


@pytest.mark.parametrize(
    ("caps", "reason"),
    [
        (Caps(order_notional=D(6_000)), None),
        (Caps(order_notional=D("5999.9")), "the order is larger than ORDER_NOTIONAL"),
        (Caps(position_notional=D(126_000)), None),
        (Caps(position_notional=D("125999.9")), "the position would be larger than POSITION_NOTIONAL"),
    ],
)
def test_a_cap_is_inclusive_and_beyond_it_lies_a_breach(caps: Caps, reason: str | None) -> None:
    """Buying 0.1 at 60,000 with 2 held; a sale goes through."""
    answer = approve(buy(), a_contract(), LONG, FINE._replace(caps=caps))
    assert (answer if isinstance(answer, Refusal) else None) == (reason and Refusal(reason, OVER_CAP))
    assert verdict(sell(), FINE._replace(caps=caps)) == "approved"


@pytest.mark.parametrize(
    ("planned", "traded", "allowed"),
    [
        (None, "1000000", True),
        ("200000", "394000", True),
        ("200000", "394001", False),
        ("10", "344000", True),
        ("10", "344001", False),
    ],
)
def test_orders_answer_to_what_was_decided(planned: str | None, traded: str, *, allowed: bool) -> None:
    """Twice the plan, or what leads to the emergency leverage of 3.5 at a value of 100,000, and no more."""
    conditions = FINE._replace(planned=None if planned is None else D(planned), traded=D(traded))
    answer = approve(buy(), a_contract(), LONG, conditions)
    assert isinstance(answer, SubmitOrder) is allowed
    if not allowed:
        assert answer == Refusal("the rebalance would trade far more than it was to", BEYOND_PLAN)
    assert verdict(sell(), conditions) == "approved"


def test_margin_that_the_venue_withholds_is_not_counted_on() -> None:
    """At a venue leverage of 6 an exposure of 126,000 takes 21,000, and the order's costs 63."""
    assert verdict(buy(), FINE._replace(withheld=D(78_937))) == "approved"
    assert verdict(buy(), FINE._replace(withheld=D(78_938))) == "margin would not cover the order"
    assert verdict(sell(), FINE._replace(withheld=D(78_938))) == "approved"


def test_an_increase_that_may_fill_far_from_the_mark_needs_the_margin_for_it() -> None:
    """At its limit, 4 % beyond the mark, it begins with a loss of 240: 21,000 and 243 are needed."""
    short = Ledger(D(220_000), D(-2))
    for far, ledger in ((buy(limit_price="62400"), LONG), (sell(limit_price="57600", target="-3"), short)):
        assert verdict(far, FINE._replace(withheld=D(78_757)), ledger) == "approved"
        assert verdict(far, FINE._replace(withheld=D(78_758)), ledger) == "margin would not cover the order"


def test_a_fund_without_value_may_not_increase() -> None:
    """Its reductions go through."""
    broke = Ledger(D(-130_000), D(2))
    assert verdict(buy(), ledger=broke) == "fund value is not positive"
    assert verdict(sell(), ledger=broke) == "approved"


def test_margin_must_cover_the_position_the_fee_and_a_bad_fill() -> None:
    """With a venue leverage of 1, an exposure above fund value has no margin."""
    contract = replace(a_contract(), venue_leverage=1)
    refusal = approve(buy(), contract, LONG, FINE)
    assert refusal == Refusal("margin would not cover the order")


def test_the_smallest_order_that_reduces_needs_no_notional() -> None:
    """The venue exempts reduce-only orders; so do the limits."""
    assert verdict(sell("0.001")) == "approved"


def test_the_limits_are_told_of_an_order_under_way_and_of_a_halt() -> None:
    """By the book: whoever forgets to look before he proposes is refused."""
    lab = Lab()
    assert lab.state.mark is not None
    calm = Turn(lab.state, lab.state.mark).conditions(lab.state.mark)
    lab.deliver = lambda command: not isinstance(command, SubmitOrder)
    while lab.state.book.rebalance is None or lab.state.book.rebalance.order is None:
        lab.mark("60000", after_s=5)
    lab.send(ev.Controlled(*lab.now, Control.HALTED, "ann", "a test"))
    told = Turn(lab.state, lab.state.mark).conditions(lab.state.mark)
    assert (calm.order_outstanding, calm.halted) == (False, False)
    assert (told.order_outstanding, told.halted) == (True, True)


def test_nobody_else_can_build_an_order() -> None:
    """Without the seal of the limits the constructor refuses."""
    with pytest.raises(TypeError, match=r"only bot\.core\.limits\.approve"):
        SubmitOrder("ib1", "BTCUSDT", D(1), D(60_000), reduce_only=False, rests=False, seal=object())


def test_no_other_module_calls_the_constructor() -> None:
    """Read from the source: `SubmitOrder(` appears in the limits room alone."""
    root = Path(bot.__file__).parent
    callers = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == (
                "SubmitOrder"
            ):
                callers.add(path.relative_to(root).as_posix())
    assert callers == {"core/limits.py"}
