import ast
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

import bot
from bot.core.ledger import Ledger
from bot.core.limits import (
    MAX_MARK_AGE_MS,
    Conditions,
    Proposal,
    Refusal,
    SubmitOrder,
    approve,
    contradicts,
    increases_refused,
)
from bot.testing import a_contract

D = Decimal
FINE = Conditions(
    mark=D(60_000),
    mark_age_ms=0,
    feed_trusted=True,
    breaches=(),
    max_leverage=D("3.5"),
    order_outstanding=False,
)
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
    return increases_refused(
        conditions.breaches,
        conditions.mark_age_ms,
        feed_trusted=conditions.feed_trusted,
        contradicted=conditions.contradicted,
    )


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
        (buy("0.0001"), "quantity 0.0001 is outside [0.001, 120]"),
        (buy("121"), "quantity 121 is outside [0.001, 120]"),
        (buy("0.0105"), "quantity 0.0105 is not a multiple of the lot 0.001"),
        (buy("0.1", target="2.05"), "position 2.1 would pass its target"),
        (sell("0.1", target="1.95"), "position 1.9 would pass its target"),
        (buy("0.1", target="1"), "position 2.1 would pass its target"),
        (sell("2.1", target="-1"), "a rebalance never reverses a position"),
        (buy(limit_price="63000.1"), "limit price 63000.1 is beyond the venue's price limit"),
        (sell(limit_price="56999.9"), "limit price 56999.9 is beyond the venue's price limit"),
        (sell(limit_price="0"), "limit price 0 is beyond the venue's price limit"),
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
        (FINE._replace(feed_trusted=False), "mark price feed is silent"),
        (FINE._replace(mark_age_ms=MAX_MARK_AGE_MS + 1), "mark price is stale"),
        (FINE._replace(contradicted=True), "mark and index price contradict each other"),
    ],
)
def test_a_breach_or_doubtful_data_stops_increases_only(conditions: Conditions, reason: str) -> None:
    """The same conditions refuse a buy of a long fund and let its sale through."""
    assert verdict(buy(), conditions) == reason
    assert refusal(conditions) == Refusal(reason)
    assert verdict(sell(), conditions) == "approved"


def test_a_mark_of_the_greatest_age_still_counts() -> None:
    """The limit itself is inclusive."""
    assert refusal(FINE._replace(mark_age_ms=MAX_MARK_AGE_MS)) is None


@pytest.mark.parametrize(
    ("index", "contradicted"),
    [(None, False), ("100", False), ("105", False), ("105.3", True), ("95.3", False), ("95.2", True)],
)
def test_mark_and_index_may_be_a_twentieth_apart(index: str | None, *, contradicted: bool) -> None:
    """Of the index, either way; a venue that states none contradicts nothing."""
    assert contradicts(D(100), None if index is None else D(index)) is contradicted


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
