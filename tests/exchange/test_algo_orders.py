"""Conditional orders: which price triggers them, what becomes of them, and what is told of it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bot.exchange import wire_algo, wire_events
from bot.exchange.algo import AlgoOrder, AlgoStatus, AlgoType, WorkingType
from bot.exchange.entities import PositionSide, Side, Status, TimeInForce
from bot.exchange.errors import RequestError
from bot.exchange.events import AlgoEvent
from tests.exchange.venues import Reopened, conditional, go, open_one, order, traded

if TYPE_CHECKING:
    from bot.exchange.account import Account
    from bot.exchange.venue import Venue

BUY, SELL = Side.BUY, Side.SELL
STOP, STOP_MARKET = AlgoType.STOP, AlgoType.STOP_MARKET
TAKE_PROFIT_MARKET, TRAILING = AlgoType.TAKE_PROFIT_MARKET, AlgoType.TRAILING_STOP_MARKET
MARK = WorkingType.MARK_PRICE


def latest(venue: Venue, placed: AlgoOrder) -> AlgoOrder:
    """Return a conditional order as it stands now."""
    return venue.changes.algos[placed.id]


def refused(venue: Venue, account: Account, *request: object, **fields: object) -> int:
    """Return the code with which a conditional order is refused."""
    with pytest.raises(RequestError) as refusal:
        venue.place_algo(account, conditional(*request, **fields))  # type: ignore[arg-type]
    return refusal.value.code


@pytest.mark.parametrize(
    ("kind", "side", "trigger", "prices"),
    [
        (STOP_MARKET, SELL, "59000.0", (59_100, 58_990)),
        (STOP_MARKET, BUY, "61000.0", (60_900, 61_010)),
        (TAKE_PROFIT_MARKET, SELL, "61000.0", (60_900, 61_010)),
        (TAKE_PROFIT_MARKET, BUY, "59000.0", (59_100, 58_990)),
    ],
)
def test_it_triggers_when_the_price_reaches_it(
    kind: AlgoType, side: Side, trigger: str, prices: tuple[int, int]
) -> None:
    """A stop waits for a worse price, a take-profit order for a better one; then it is a market order."""
    venue, account = open_one([60_000, *prices])
    placed = venue.place_algo(account, conditional(kind, side, trigger, "0.5", working_type=MARK))
    go(venue)
    assert account.open_algos == {placed.id: placed}
    go(venue)
    done = latest(venue, placed)
    assert done.status is AlgoStatus.FINISHED
    assert account.quantity("BTCUSDT") == side.sign * Decimal("0.5")
    child = venue.changes.orders[done.order_id]
    assert (child.client_id, child.status, child.filled) == (placed.client_id, Status.FILLED, done.filled)


def test_every_step_is_told() -> None:
    """NEW, TRIGGERING, TRIGGERED with the order's id, FINISHED."""
    venue, account = open_one([60_000, 58_000])
    venue.place_algo(account, conditional(STOP_MARKET, SELL, "59000.0", "0.5"))
    go(venue)
    told = [event.order for event in venue.events if isinstance(event, AlgoEvent)]
    assert [item.status.value for item in told] == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
    assert [bool(item.order_id) for item in told] == [False, False, True, True]
    bodies = [wire_events.user_event(event, 0)["o"] for event in venue.events if isinstance(event, AlgoEvent)]
    assert [body.get("act") for body in bodies] == [None, None, "MARKET", "MARKET"]
    assert ("ap" in bodies[0], bodies[-1]["aq"]) == (False, "0.5")


def test_a_stop_limit_order_waits_in_the_book_and_is_finished_when_that_ends() -> None:
    """STOP becomes a limit order; its fill, or its cancelling, finishes the conditional order."""
    venue, account = open_one([60_000, 58_900, 58_900])
    placed = venue.place_algo(account, conditional(STOP, SELL, "59000.0", "0.5", price=Decimal("59500.0")))
    go(venue)
    child_id = latest(venue, placed).order_id
    assert latest(venue, placed).status is AlgoStatus.TRIGGERED
    assert account.open_orders[child_id].price == 59_500
    venue.cancel(account, child_id)
    assert latest(venue, placed).status is AlgoStatus.FINISHED


def test_a_triggered_order_is_finished_after_a_restart_too() -> None:
    """The link between a conditional order and the order that it became outlives the exchange."""
    prices: list[int | str | Decimal] = [60_000, 58_900, 58_900]
    venue, account = open_one(prices)
    kept = Reopened(traded({"BTCUSDT": prices}))
    placed = venue.place_algo(account, conditional(STOP, SELL, "59000.0", "0.5", price=Decimal("59500.0")))
    go(venue)
    venue = kept.reopen(venue)
    account = venue.accounts["A"]
    (child,) = account.open_orders
    venue.cancel(account, child)
    assert latest(venue, placed).status is AlgoStatus.FINISHED
    kept.close()


def test_what_the_book_refuses_is_rejected_with_its_reason() -> None:
    """Margin is looked at when it triggers."""
    venue, account = open_one([60_000, 61_010], deposit=1_000)
    placed = venue.place_algo(account, conditional(STOP_MARKET, BUY, "61000.0", "5"))
    go(venue)
    done = latest(venue, placed)
    assert (done.status, done.reason) == (AlgoStatus.REJECTED, "Margin is insufficient.")
    assert account.open_algos == {}


def test_close_position_closes_all_there_is() -> None:
    """It has no quantity, follows the position, and takes it all."""
    venue, account = open_one([60_000, 58_900])
    venue.place(account, order(BUY, "0.5"))
    venue.place_algo(account, conditional(STOP_MARKET, SELL, "59000.0", close_position=True))
    venue.place(account, order(BUY, "0.2"))
    go(venue)
    assert account.quantity("BTCUSDT") == 0


def test_close_position_closes_its_side_in_hedge_mode() -> None:
    """The long goes, the short stays; an order that could only open is refused."""
    venue, account = open_one([60_000, 58_900])
    venue.set_position_mode(account, hedge=True)
    venue.place(account, order(BUY, "0.5", position_side=PositionSide.LONG))
    venue.place(account, order(SELL, "0.3", position_side=PositionSide.SHORT))
    long: dict[str, Any] = {"position_side": PositionSide.LONG, "close_position": True}
    placed = venue.place_algo(account, conditional(STOP_MARKET, SELL, "59000.0", **long))
    assert refused(venue, account, STOP_MARKET, BUY, "61000.0", **long) == -2022
    go(venue)
    assert latest(venue, placed).status is AlgoStatus.FINISHED
    assert account.quantity("BTCUSDT") == Decimal("-0.3")


def test_close_position_expires_with_its_position() -> None:
    """Closing by hand ends the order that was to close."""
    venue, account = open_one([60_000])
    venue.place(account, order(BUY, "0.5"))
    placed = venue.place_algo(account, conditional(STOP_MARKET, SELL, "59000.0", close_position=True))
    assert placed.time_in_force is TimeInForce.GTE_GTC
    venue.place(account, order(SELL, "0.2"))
    assert latest(venue, placed).status is AlgoStatus.NEW
    venue.place(account, order(SELL, "0.3"))
    assert latest(venue, placed).status is AlgoStatus.EXPIRED


def test_close_position_needs_a_position_and_comes_once() -> None:
    """One stop and one take-profit order for each direction, and only while there is a position."""
    venue, account = open_one([60_000])
    assert refused(venue, account, STOP_MARKET, SELL, "59000.0", close_position=True) == -4509
    venue.place(account, order(BUY, "0.5"))
    venue.place_algo(account, conditional(STOP_MARKET, SELL, "59000.0", close_position=True))
    venue.place_algo(account, conditional(TAKE_PROFIT_MARKET, SELL, "61000.0", close_position=True))
    assert refused(venue, account, STOP_MARKET, SELL, "59100.0", close_position=True) == -4130
    assert refused(venue, account, STOP_MARKET, SELL, "59100.0", "0.5", close_position=True) == -4137
    assert refused(venue, account, STOP, SELL, "59100.0", price=Decimal(59_000), close_position=True) == -4136


@pytest.mark.parametrize(
    ("kind", "side", "trigger", "code"),
    [
        (STOP_MARKET, SELL, "60500.0", -2021),
        (STOP_MARKET, BUY, "59500.0", -2021),
        (TAKE_PROFIT_MARKET, SELL, "59500.0", -2021),
        (STOP_MARKET, SELL, "0", -4006),
        (STOP_MARKET, SELL, "59000.005", -1111),
    ],
)
def test_a_trigger_price_on_the_wrong_side_is_refused(
    kind: AlgoType, side: Side, trigger: str, code: int
) -> None:
    """What would trigger at once is not taken, nor what is not a price."""
    venue, account = open_one([60_000])
    assert refused(venue, account, kind, side, trigger, "0.5") == code


def test_a_trigger_price_may_lie_between_ticks() -> None:
    """As recorded: ticks are 0.10, digits are two, and 58999.95 is taken, and triggers there."""
    venue, account = open_one([60_000, "58999.96", "58999.95"])
    placed = venue.place_algo(account, conditional(STOP_MARKET, SELL, "58999.95", "0.5", working_type=MARK))
    go(venue)
    assert account.open_algos == {placed.id: placed}
    go(venue)
    assert latest(venue, placed).status is AlgoStatus.FINISHED


def test_prices_are_written_with_the_symbols_digits() -> None:
    """Whatever digits they were sent with, and 0 where there is none; closing a position is reduce-only."""
    venue, account = open_one([60_000])
    venue.place(account, order(BUY, "0.5"))
    placed = venue.place_algo(account, conditional(STOP_MARKET, SELL, "59000", close_position=True))
    row = wire_algo.queried(placed)
    assert (row["triggerPrice"], row["price"], row["actualPrice"]) == ("59000.00", "0.00", "0.00")
    assert (row["reduceOnly"], row["timeInForce"]) == (True, "GTE_GTC")
    assert list(row)[9:13] == ["algoStatus", "actualOrderId", "actualPrice", "triggerPrice"]


def test_a_trailing_stop_follows_the_best_price() -> None:
    """A sell that gives back 1 % of the highest price since it was placed."""
    venue, account = open_one([60_000, 61_000, 62_000, 61_500, 61_370])
    placed = venue.place_algo(
        account, conditional(TRAILING, SELL, "0", "0.5", callback_rate=Decimal(1), working_type=MARK)
    )
    go(venue, 3)
    assert latest(venue, placed).extreme == 62_000
    assert account.open_algos
    go(venue)
    assert latest(venue, placed).status is AlgoStatus.FINISHED


def test_a_trailing_stop_with_an_activation_price_waits_for_it() -> None:
    """Before the price has been there nothing is followed."""
    venue, account = open_one([60_000, 59_000, 61_000, 60_300])
    request = conditional(TRAILING, SELL, "0", "0.5", callback_rate=Decimal(1), working_type=MARK)
    with pytest.raises(RequestError, match="-2021"):
        venue.place_algo(account, request._replace(activation_price=Decimal(59_500)))
    placed = venue.place_algo(account, request._replace(activation_price=Decimal(61_000)))
    go(venue)
    assert latest(venue, placed).extreme == 0
    go(venue, 2)
    assert latest(venue, placed).status is AlgoStatus.FINISHED


def test_activation_of_a_trailing_stop_is_told() -> None:
    """Once more as NEW when the price has been at the activation price; what follows it is not."""
    venue, account = open_one([60_000, 60_500, 61_000, 61_500])
    request = conditional(TRAILING, SELL, "0", "0.5", callback_rate=Decimal(1), working_type=MARK)
    venue.place_algo(account, request._replace(activation_price=Decimal(61_000)))
    go(venue, 3)
    told = [wire_events.user_event(event, 0)["o"] for event in venue.events]
    assert [(body["X"], body["ia"]) for body in told] == [("NEW", False), ("NEW", True)]


def test_an_account_has_so_many_conditional_orders_at_most() -> None:
    """200 in all symbols together, as on the venue since 29 December 2025."""
    venue, account = open_one([60_000])
    for number in range(200):
        venue.place_algo(account, conditional(STOP_MARKET, SELL, "59000.0", "0.5", client_id=f"{number}"))
    assert refused(venue, account, STOP_MARKET, SELL, "59000.0", "0.5") == -4045
    assert len(venue.cancel_all_algos(account, "BTCUSDT")) == 200
    assert account.open_algos == {}
