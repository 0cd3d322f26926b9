"""A program that runs wild is stopped, and the operator asked."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bot.core import events as ev
from bot.core import records as rec
from bot.core.limits import Refusal, approve
from bot.core.oversight import TOO_MUCH
from bot.core.records import Control
from bot.core.traffic import MAX_HOURLY_NOTIONAL, MAX_ORDERS_PER_MINUTE, Traffic
from bot.testing import Lab, a_contract, a_fund
from tests.core.test_limits import FINE, LONG, buy, sell
from tests.core.test_settlement import sent, under_way

D = Decimal
VALUE = D(1_000)
A_BUSY_MINUTE = Traffic(minute=0, orders=MAX_ORDERS_PER_MINUTE)


def test_the_most_orders_of_a_minute_are_allowed_and_one_more_is_not() -> None:
    """The next minute begins anew."""
    traffic = Traffic()
    for _ in range(MAX_ORDERS_PER_MINUTE):
        assert traffic.problem(59_000, D(1), VALUE) is None
        traffic = traffic.after(59_000, D(1))
    assert traffic.problem(59_999, D(1), VALUE) == "more than 60 orders in a minute"
    assert traffic.problem(60_000, D(1), VALUE) is None


def test_the_notional_of_an_hour_is_limited_by_fund_value() -> None:
    """Up to the limit itself; the next hour begins anew."""
    full = Traffic().after(0, MAX_HOURLY_NOTIONAL * VALUE - 1)
    assert full.problem(100_000, D(1), VALUE) is None
    assert full.problem(100_000, D(2), VALUE) == "more than 25 times the fund's value in an hour"
    assert full.problem(3_600_000, D(2), VALUE) is None


@given(st.lists(st.tuples(st.integers(0, 3_599), st.integers(1, 1_000)), max_size=60))
def test_what_is_sent_within_an_hour_adds_up(orders: list[tuple[int, int]]) -> None:
    """Whatever the minutes."""
    traffic = Traffic()
    for second, notional in sorted(orders):
        traffic = traffic.after(second * 1_000, D(notional))
    assert traffic.notional == sum(notional for _, notional in orders)


def test_too_much_refuses_increases_only() -> None:
    """It is a breach; a reduction goes through."""
    conditions = FINE._replace(traffic=A_BUSY_MINUTE)
    refused = Refusal("more than 60 orders in a minute", breach=True)
    assert approve(buy(), a_contract(), LONG, conditions) == refused
    assert not isinstance(approve(sell(), a_contract(), LONG, conditions), Refusal)


def test_a_fund_that_sent_too_much_stops_until_it_is_rearmed() -> None:
    """An incident with reason and remedy; that time passes changes nothing; resumed, it counts anew."""
    lab = Lab(a_fund(start_leverage="0.5"))
    lab.settle(at_most_s=1)
    book = lab.state.book
    book.traffic = Traffic(lab.time_ms // 60_000 + 5, MAX_ORDERS_PER_MINUTE, 0, D(0))
    count = len(sent(lab))
    lab.mark("60000", after_s=5 * 60)
    incident = lab.state.book.incidents[TOO_MUCH]
    assert incident.detail == "rebalance 1 wanted to send more than 60 orders in a minute"
    assert under_way(lab).deferred == "more than 60 orders in a minute"
    lab.mark("60000", after_s=300)
    assert len(sent(lab)) == count
    lab.send(ev.Controlled(*lab.now, Control.RUNNING, "ann", "a test"))
    lab.settle()
    assert lab.state.book.rebalance is None
    assert isinstance(lab.records[-1], rec.Reconciled | rec.RebalanceFinished)


def test_reductions_do_not_count() -> None:
    """An emergency may need many orders, and must not stop what comes after it."""
    lab = Lab()
    lab.settle()
    before = lab.state.book.traffic
    lab.venue.script.extend(["half"] * 4)
    lab.mark("44900")
    lab.settle()
    assert len([order for order in sent(lab) if order.reduce_only]) >= 4
    assert lab.state.book.traffic == before
