from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.orders import FINAL, TRANSITIONS, News, Order, OrderState

S, N = OrderState, News


def an_order(state: OrderState = S.INTENT, filled: str = "0", booked: str = "0") -> Order:
    """An order to buy 1 in some state."""
    return Order(
        "ib1",
        Decimal(1),
        Decimal(60_000),
        reduce_only=False,
        expires_wall_ms=7_000,
        state=state,
        filled=Decimal(filled),
        booked=Decimal(booked),
    )


@pytest.mark.parametrize(
    ("before", "news", "after"),
    [
        (S.INTENT, N.ACCEPTED, S.LIVE),
        (S.INTENT, N.COMPLETED, S.CLOSED),
        (S.INTENT, N.REFUSED, S.REJECTED),
        (S.INTENT, N.LOST, S.UNKNOWN),
        (S.INTENT, N.NEVER_ARRIVED, S.DEAD),
        (S.UNKNOWN, N.ACCEPTED, S.LIVE),
        (S.UNKNOWN, N.COMPLETED, S.CLOSED),
        (S.UNKNOWN, N.REFUSED, S.REJECTED),
        (S.UNKNOWN, N.LOST, S.UNKNOWN),
        (S.UNKNOWN, N.NEVER_ARRIVED, S.DEAD),
        (S.LIVE, N.ACCEPTED, S.LIVE),
        (S.LIVE, N.COMPLETED, S.CLOSED),
        (S.LIVE, N.LOST, S.LIVE),
        (S.LIVE, N.CANCEL_ASKED, S.CANCELLING),
        (S.CANCELLING, N.ACCEPTED, S.CANCELLING),
        (S.CANCELLING, N.COMPLETED, S.CLOSED),
        (S.CANCELLING, N.LOST, S.CANCELLING),
    ],
)
def test_news_moves_an_order(before: OrderState, news: News, after: OrderState) -> None:
    """Each pair of the table."""
    assert an_order(before).told(news).state is after


@pytest.mark.parametrize(
    ("state", "news"), [pair for pair in product(OrderState, News) if pair not in TRANSITIONS]
)
def test_contradicting_news_changes_nothing(state: OrderState, news: News) -> None:
    """Pairs outside the table leave the order as it is, its fill included."""
    order = an_order(state, filled="0.25")
    assert order.told(news, Decimal(1), "77") == order


@pytest.mark.parametrize(("state", "news"), list(product(sorted(FINAL), News)))
def test_a_final_state_is_final(state: OrderState, news: News) -> None:
    """CLOSED, REJECTED and DEAD never reopen."""
    assert an_order(state).told(news).state is state


def test_an_accepted_order_can_neither_be_refused_nor_die() -> None:
    """What the venue once had on its books was not refused, and did arrive."""
    live = an_order(S.LIVE)
    assert live.told(N.REFUSED) == live
    assert live.told(N.NEVER_ARRIVED) == live


@given(st.lists(st.tuples(st.sampled_from(News), st.integers(0, 10)), max_size=12))
def test_the_cumulative_fill_only_grows(news: list[tuple[News, int]]) -> None:
    """Whatever arrives in whatever order, the fill never shrinks, and states never go back to INTENT."""
    order = an_order()
    for item, filled in news:
        after = order.told(item, Decimal(filled))
        assert after.filled >= order.filled
        assert after.state is not S.INTENT or order.state is S.INTENT
        order = after


def test_the_venue_id_stays_once_known() -> None:
    """Later news without an id does not erase it."""
    order = an_order().told(N.ACCEPTED, venue_id="77").told(N.COMPLETED)
    assert order.venue_id == "77"


@pytest.mark.parametrize(
    ("rests_until_ms", "filled", "missed"),
    [(None, "0", True), (None, "0.001", False), (9_000, "0.499", True), (9_000, "0.5", False)],
)
def test_an_order_that_rests_must_do_half(rests_until_ms: int | None, filled: str, *, missed: bool) -> None:
    """One that crosses must do anything at all."""
    assert an_order(filled=filled)._replace(rests_until_ms=rests_until_ms).missed is missed


@pytest.mark.parametrize(
    ("state", "filled", "booked", "settled"),
    [
        (S.CLOSED, "0.5", "0.4", False),
        (S.CLOSED, "0.5", "0.5", True),
        (S.CLOSED, "0", "0", True),
        (S.REJECTED, "0", "0", True),
        (S.DEAD, "0", "0", True),
        (S.LIVE, "0", "0", False),
        (S.UNKNOWN, "0", "0", False),
        (S.INTENT, "0", "0", False),
    ],
)
def test_an_order_is_settled_when_final_and_booked(
    state: OrderState, filled: str, booked: str, *, settled: bool
) -> None:
    """Both are needed: no more news can come, and every reported fill is in the ledger."""
    assert an_order(state, filled, booked).settled is settled


@pytest.mark.parametrize(
    ("quantity", "price", "could"),
    [
        ("1", "60000", True),
        ("0.2", "59000", True),
        ("1.1", "60000", False),
        ("1", "60000.1", False),
        ("-1", "60000", False),
        ("-1", "61000", False),
    ],
)
def test_a_trade_may_be_an_orders_by_side_size_and_price(quantity: str, price: str, *, could: bool) -> None:
    """Here of one that buys 1 at 60,000 at most; one that sells is its mirror."""
    buys = an_order()
    sells = buys._replace(quantity=-buys.quantity, limit_price=-buys.limit_price)
    assert buys.could_fill(Decimal(quantity), Decimal(price)) is could
    assert sells.could_fill(-Decimal(quantity), -Decimal(price)) is could
