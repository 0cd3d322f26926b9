"""The life of an order without sockets: self-trade prevention, price match, amending, dates, countdowns."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bot.exchange.entities import (
    Expiry,
    Order,
    OrderRequest,
    PriceMatch,
    SelfTradePrevention,
    Side,
    Status,
    TimeInForce,
)
from bot.exchange.errors import RequestError
from bot.exchange.events import OrderEvent
from bot.exchange.venue import Venue
from tests.exchange.builders import START_MS
from tests.exchange.venues import go, open_market, open_one, order

if TYPE_CHECKING:
    from bot.exchange.account import Account

GTC = TimeInForce.GTC
BUY, SELL = Side.BUY, Side.SELL


def refused(venue: Venue, account: Account, request: OrderRequest) -> int:
    """Return the code with which an order is refused."""
    with pytest.raises(RequestError) as refusal:
        venue.place(account, request)
    return refusal.value.code


def unamended(
    venue: Venue, account: Account, waiting: Order, side: Side, quantity: str, price: str, **changes: Any
) -> int:
    """Return the code with which changing an order is refused."""
    with pytest.raises(RequestError) as refusal:
        venue.amend(account, waiting.id, side, Decimal(quantity), Decimal(price), **changes)
    return refusal.value.code


def latest(venue: Venue, placed: Order) -> Order:
    """Return an order as it stands now."""
    return venue.changes.orders[placed.id]


# --- two accounts -------------------------------------------------------------------------------------


def test_two_accounts_trade_with_each_other() -> None:
    """A resting order inside the spread is hit by another account: one is maker, the other taker."""
    venue = open_market({"BTCUSDT": [60_000]})
    maker, taker = (venue.open_account(name, Decimal(100_000)) for name in "MT")
    waiting = venue.place(maker, order(SELL, "1", "60000.0", time_in_force=GTC))
    taken = venue.place(taker, order(BUY, "0.4", "60000.0"))
    assert taken.status is Status.FILLED
    assert latest(venue, waiting).filled == Decimal("0.4")
    sold, bought = sorted(venue.changes.trades, key=lambda trade: not trade.maker)
    assert (sold.price, sold.quantity, sold.maker) == (60_000, Decimal("0.4"), True)
    assert (bought.price, bought.quantity, bought.maker) == (60_000, Decimal("0.4"), False)
    assert sold.commission == Decimal("4.8")
    assert bought.commission == Decimal("12.0")


def test_the_makers_reduce_only_order_never_turns_its_position() -> None:
    """However much a taker wants, a reduce-only order gives it no more than its account holds."""
    venue = open_market({"BTCUSDT": [60_000]})
    maker, taker = (venue.open_account(name, Decimal(1_000_000)) for name in "MT")
    venue.place(maker, order(BUY, "1"))
    plain = venue.place(maker, order(SELL, "0.7", "60000.0", time_in_force=GTC, client_id="plain"))
    reducing = venue.place(maker, order(SELL, "1", "60000.0", time_in_force=GTC, reduce_only=True))
    venue.place(taker, order(BUY, "5", "60000.0"))
    assert maker.quantity("BTCUSDT") == 0
    assert latest(venue, plain).status is Status.FILLED
    assert latest(venue, reducing).filled == Decimal("0.3")
    assert (latest(venue, reducing).status, latest(venue, reducing).expiry) == (
        Status.EXPIRED,
        Expiry.REDUCE_ONLY,
    )


# --- self-trade prevention ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "maker", "taker"),
    [
        (SelfTradePrevention.EXPIRE_MAKER, Status.EXPIRED_IN_MATCH, Status.FILLED),
        (SelfTradePrevention.EXPIRE_TAKER, Status.NEW, Status.EXPIRED_IN_MATCH),
        (SelfTradePrevention.EXPIRE_BOTH, Status.EXPIRED_IN_MATCH, Status.EXPIRED_IN_MATCH),
    ],
)
def test_an_account_does_not_trade_with_itself(
    mode: SelfTradePrevention, maker: Status, taker: Status
) -> None:
    """Where an order meets another of its account, the taker's mode says which of them expires."""
    venue, account = open_one([60_000])
    own = venue.place(account, order(SELL, "0.5", "60000.0", time_in_force=GTC))
    taking = venue.place(account, order(BUY, "0.5", "60100.0", self_trade=mode))
    assert (latest(venue, own).status, taking.status) == (maker, taker)
    assert all(trade.maker is False for trade in venue.changes.trades)
    if taker is Status.EXPIRED_IN_MATCH:
        assert (taking.filled, taking.expiry) == (0, Expiry.IOC_SELF_TRADE)


def test_an_own_order_that_is_not_reached_stays() -> None:
    """What better prices fill completely never meets the own order behind them."""
    venue, account = open_one([60_000])
    own = venue.place(account, order(SELL, "0.5", "60050.0", time_in_force=GTC))
    assert venue.place(account, order(BUY, "0.01", "60100.0")).status is Status.FILLED
    assert latest(venue, own).status is Status.NEW


# --- price match --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "side", "level"),
    [
        (PriceMatch.OPPONENT, "asks", 0),
        (PriceMatch.OPPONENT_5, "asks", 4),
        (PriceMatch.OPPONENT_20, "asks", 19),
        (PriceMatch.QUEUE, "bids", 0),
        (PriceMatch.QUEUE_10, "bids", 9),
    ],
)
def test_price_match_takes_the_price_from_the_book(match: PriceMatch, side: str, level: int) -> None:
    """OPPONENT is the other side's best price, QUEUE the own side's, a number the n-th best."""
    venue, account = open_one([60_000])
    expected = getattr(venue.market.book("BTCUSDT"), side)[level].price
    request = order(BUY, "0.1", "0", time_in_force=GTC, price_match=match)
    placed = venue.place(account, request)
    assert (placed.price, placed.price_match) == (expected, match)


def test_price_match_is_for_limit_orders() -> None:
    """A market order has no price to match."""
    venue, account = open_one([60_000])
    assert refused(venue, account, order(BUY, "0.1", price_match=PriceMatch.QUEUE)) == -5038


# --- amending -----------------------------------------------------------------------------------------


def test_an_amended_order_keeps_its_id_and_what_it_has_filled() -> None:
    """Price and quantity change, identity does not; the history says what was before."""
    venue, account = open_one([60_000])
    first = venue.place(account, order(BUY, "0.5", "59000.0", time_in_force=GTC))
    second = venue.amend(account, first.id, BUY, Decimal("0.6"), Decimal(59100), modify_id=7)
    assert (second.id, second.client_id, second.status) == (first.id, first.client_id, Status.NEW)
    (change,) = venue.changes.amendments
    assert (change.price_before, change.price_after) == (59_000, 59_100)
    assert (change.quantity_before, change.quantity_after) == (Decimal("0.5"), Decimal("0.6"))
    assert (change.number, change.modify_id) == (1, 7)
    told = [event for event in venue.events if isinstance(event, OrderEvent)]
    assert [event.execution for event in told] == ["NEW", "AMENDMENT"]
    assert account.holding("BTCUSDT").position().bids == Decimal("0.6") * 59_100


def test_an_amended_order_goes_to_the_end_of_the_queue() -> None:
    """Of two orders at one price the amended one is hit last, although it came first."""
    venue = open_market({"BTCUSDT": [60_000, 60_000]})
    first, second, taker = (venue.open_account(name, Decimal(100_000)) for name in "FST")
    early = venue.place(first, order(SELL, "0.5", "60050.0", time_in_force=GTC))
    late = venue.place(second, order(SELL, "0.5", "60050.0", time_in_force=GTC))

    def queue() -> list[int]:
        limit, everything = Decimal(60_050), Decimal(10_000)
        fills = venue.market.preview("BTCUSDT", taker.name, BUY, limit, everything)
        return [fill.maker_order_id for fill in fills if fill.maker_order_id]

    assert queue() == [early.id, late.id]
    venue.advance(START_MS + 10)
    venue.amend(first, early.id, SELL, Decimal("0.4"), Decimal(60_050))
    assert queue() == [late.id, early.id]


def test_an_amended_order_trades_if_its_new_price_crosses() -> None:
    """A higher bid takes what the book offers there."""
    venue, account = open_one([60_000])
    waiting = venue.place(account, order(BUY, "0.1", "59000.0", time_in_force=GTC))
    assert venue.amend(account, waiting.id, BUY, Decimal("0.1"), Decimal(60_100)).status is Status.FILLED


def test_amending_cancels_what_it_cannot_keep() -> None:
    """Below what is filled already, or a post-only order across the book: the order is gone."""
    venue = open_market({"BTCUSDT": [60_000]})
    maker, taker = (venue.open_account(name, Decimal(100_000)) for name in "MT")
    partly = venue.place(maker, order(SELL, "1", "60000.0", time_in_force=GTC))
    venue.place(taker, order(BUY, "0.5", "60000.0"))
    venue.amend(maker, partly.id, SELL, Decimal("0.5"), Decimal(60_000))
    assert latest(venue, partly).status is Status.CANCELED
    post_only = venue.place(maker, order(BUY, "1", "59000.0", time_in_force=TimeInForce.GTX))
    venue.amend(maker, post_only.id, BUY, Decimal(1), Decimal(60_100))
    assert latest(venue, post_only).status is Status.CANCELED


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ((BUY, "0.5", "59000"), -5027),
        ((SELL, "0.5", "59001"), -1117),
        ((BUY, "0.5", "59000.05"), -4014),
        ((BUY, "0.0001", "59000"), -1111),
        ((BUY, "0.001", "59000"), -4164),
        ((BUY, "100", "59000"), -2019),
    ],
)
def test_a_refused_amendment_leaves_the_order_as_it_is(change: tuple[Side, str, str], code: int) -> None:
    """Filters and margin are those of placing; "no need to modify" has a code of its own."""
    venue, account = open_one([60_000])
    waiting = venue.place(account, order(BUY, "0.5", "59000.0", time_in_force=GTC))
    assert unamended(venue, account, waiting, *change) == code
    assert account.open_orders[waiting.id] == waiting


def test_only_open_orders_can_be_amended() -> None:
    """An order that has ended does not exist any more; what is not reduce-only cannot be amended as such."""
    venue, account = open_one([60_000])
    done = venue.place(account, order(BUY, "0.5", "60100.0"))
    assert unamended(venue, account, done, BUY, "1", "59000") == -2013
    waiting = venue.place(account, order(BUY, "0.5", "59000.0", time_in_force=GTC))
    assert unamended(venue, account, waiting, BUY, "1", "59000", reduce_only=True) == -5047


# --- market orders ------------------------------------------------------------------------------------


def test_a_market_order_stops_at_the_percent_price_band() -> None:
    """What lies more than 5 % from the mark is not taken; the rest expires."""
    venue, account = open_one([60_000], deposit=100_000_000)
    taken = venue.place(account, order(BUY, "100"))
    highest = max(trade.price for trade in venue.changes.trades)
    assert highest <= 63_000
    assert taken.status is Status.FILLED or taken.expiry is Expiry.MARKET


@pytest.mark.parametrize("side", [BUY, SELL])
def test_what_takes_the_touch_and_rests_leaves_no_crossed_book(side: Side) -> None:
    """Others see what it took at this instant as missing from the next one on, but not behind its price."""
    venue, account = open_one([60_000, 60_000], deposit=10_000_000)
    book = venue.market.book("BTCUSDT")
    facing = book.asks if side is BUY else book.bids
    quantity = facing[0].quantity + facing[1].quantity + 1
    resting = venue.place(account, order(side, quantity, facing[1].price, time_in_force=GTC))
    assert resting.status is Status.PARTIALLY_FILLED
    for viewer in (None, "another", account.name):
        book = venue.market.book("BTCUSDT", viewer)
        own = book.bids if side is BUY else book.asks
        assert own[0] == (facing[1].price, Decimal(1))
        assert book.bids[0].price < book.asks[0].price


# --- ends ---------------------------------------------------------------------------------------------


def test_a_dated_order_expires_at_its_date() -> None:
    """Good till date: in market time, at least ten minutes ahead."""
    venue, account = open_one([60_000] * 1_000)
    request = order(BUY, "0.5", "59000.0", time_in_force=TimeInForce.GTD)
    assert refused(venue, account, request) == -1102
    assert refused(venue, account, request._replace(good_till_ms=START_MS + 600_000)) == -5040
    dated = venue.place(account, request._replace(good_till_ms=START_MS + 601_000))
    venue.advance(START_MS + 600_999)
    assert latest(venue, dated).status is Status.NEW
    venue.advance(START_MS + 601_000)
    assert latest(venue, dated).status is Status.EXPIRED


def test_a_countdown_cancels_a_symbols_orders_unless_renewed() -> None:
    """In market time: paced or not, the orders are gone when it has run out, and only those of its symbol."""
    venue = open_market({"BTCUSDT": [60_000] * 9, "ETHUSDT": [3_000] * 9})
    account = venue.open_account("A", Decimal(100_000))
    venue.place(account, order(BUY, "0.5", "59000.0", time_in_force=GTC))
    other = venue.place(account, order(BUY, "1", "2900", time_in_force=GTC, symbol="ETHUSDT"))
    venue.countdown(account, "BTCUSDT", 2_000)
    go(venue)
    venue.countdown(account, "BTCUSDT", 2_000)
    go(venue)
    assert len(account.open_orders) == 2
    go(venue)
    assert list(account.open_orders) == [other.id]
    venue.countdown(account, "ETHUSDT", 1_000)
    venue.countdown(account, "ETHUSDT", 0)
    go(venue, 2)
    assert list(account.open_orders) == [other.id]


def test_what_runs_out_between_two_instants_ends_at_its_own_time() -> None:
    """A jump of an hour past it, and past a fall of the price, finds the order gone before that."""
    venue = open_market({"BTCUSDT": [60_000, 50_000], "ETHUSDT": [3_000] * 800 + [2_000]})
    account = venue.open_account("A", Decimal(100_000))
    counted = venue.place(account, order(BUY, "0.1", "59000.0", time_in_force=GTC))
    till = START_MS + 700_001
    request = order(BUY, "1", "2900", symbol="ETHUSDT", time_in_force=TimeInForce.GTD, good_till_ms=till)
    dated = venue.place(account, request)
    venue.countdown(account, "BTCUSDT", 50)
    assert venue.next_deadline() == START_MS + 50
    venue.advance(START_MS + 3_600_000)
    assert latest(venue, counted)[10:15] == (Status.CANCELED, 0, 0, START_MS, START_MS + 50)
    assert latest(venue, dated)[10:15] == (Status.EXPIRED, 0, 0, START_MS, till)
    assert venue.next_deadline() is None


def test_a_deadline_goes_with_its_order() -> None:
    """Cancelled, filled or triggered, it stops nobody; and it outlives a restart."""
    venue, account = open_one([60_000] * 9)
    till = {"time_in_force": TimeInForce.GTD, "good_till_ms": START_MS + 700_000}
    waiting = venue.place(account, order(BUY, "0.1", "59000.0", **till))
    assert venue.next_deadline() == START_MS + 700_000
    assert Venue(venue.market, [account]).next_deadline() == START_MS + 700_000
    venue.cancel(account, waiting.id)
    assert venue.next_deadline() is None
