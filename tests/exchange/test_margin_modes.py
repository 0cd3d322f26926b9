"""Isolated margin, hedge mode, transfers: where the money lies, and what may be changed when."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from bot.exchange.entities import IncomeType, MarginType, PositionSide, Side, Status, TimeInForce
from bot.exchange.errors import RequestError
from bot.exchange.events import AccountEvent
from tests.exchange.builders import START_MS
from tests.exchange.venues import go, open_one, order

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.exchange.account import Account
    from bot.exchange.venue import Venue

BUY, SELL = Side.BUY, Side.SELL
BOTH, LONG, SHORT = PositionSide.BOTH, PositionSide.LONG, PositionSide.SHORT
ISOLATED = MarginType.ISOLATED


def refused(action: Callable[[], object]) -> int:
    """Return the code with which something is refused."""
    with pytest.raises(RequestError) as refusal:
        action()
    return refusal.value.code


def isolated(*prices: int, deposit: int = 100_000, **options: str) -> tuple[Venue, Account]:
    """Return an account with an isolated long position of 2 BTC, at leverage 20."""
    venue, account = open_one([60_000, *prices], deposit=deposit, **options)
    venue.set_margin_type(account, "BTCUSDT", ISOLATED)
    assert venue.place(account, order(BUY, "2")).status is Status.FILLED
    return venue, account


# --- isolated margin ----------------------------------------------------------------------------------


def test_an_isolated_position_takes_its_initial_margin_along() -> None:
    """Notional / leverage moves from the cross wallet to the position; the fee is the cross wallet's."""
    venue, account = isolated()
    position = account.position("BTCUSDT")
    assert abs(position.isolated_wallet - position.cost / 20) < Decimal("1e-6")
    assert account.cross_wallet == account.wallet - position.isolated_wallet
    margin = venue.margin(account)
    assert margin.available == margin.cross_wallet
    assert margin.cross_unrealised == 0


def test_closing_a_part_releases_its_share() -> None:
    """Half of the position gone, half of its margin is back in the cross wallet, with what was realised."""
    venue, account = isolated()
    margin = account.position("BTCUSDT").isolated_wallet
    venue.place(account, order(SELL, "1"))
    position = account.position("BTCUSDT")
    assert abs(position.isolated_wallet - margin / 2) <= Decimal("1e-8")
    venue.place(account, order(SELL, "1"))
    assert account.position("BTCUSDT").isolated_wallet == 0
    assert account.cross_wallet == account.wallet


def test_turning_an_isolated_position_needs_margin_for_the_other_side() -> None:
    """What is closed releases its margin, what is opened takes its own."""
    venue, account = isolated()
    venue.place(account, order(SELL, "3"))
    position = account.position("BTCUSDT")
    assert position.quantity == -1
    assert abs(position.isolated_wallet - abs(position.cost) / 20) < Decimal("1e-6")


def test_funding_of_an_isolated_position_is_its_own() -> None:
    """It is paid from the position's wallet, and told with the position."""
    venue, account = isolated(60_000, step_ms=28_800_000, rate="0.001")  # type: ignore[arg-type]
    margin, cross = account.position("BTCUSDT").isolated_wallet, account.cross_wallet
    venue.events.clear()
    go(venue)
    assert account.position("BTCUSDT").isolated_wallet == margin - 120
    assert account.cross_wallet == cross
    (told,) = [event for event in venue.events if isinstance(event, AccountEvent)]
    assert (told.reason, told.balance_change, len(told.positions)) == ("FUNDING_FEE", -120, 1)


def test_margin_can_be_added_and_taken_out() -> None:
    """Up to what is free on either side; the history says so."""
    venue, account = isolated()
    before = account.position("BTCUSDT").isolated_wallet
    far = venue.liquidation_price(account, "BTCUSDT")
    venue.change_position_margin(account, "BTCUSDT", BOTH, Decimal(1_000))
    assert account.position("BTCUSDT").isolated_wallet == before + 1_000
    assert venue.liquidation_price(account, "BTCUSDT") < far
    venue.change_position_margin(account, "BTCUSDT", BOTH, Decimal(-900))
    assert [change.amount for change in venue.changes.margin_changes if not change.by_trade] == [1_000, -900]

    def change(amount: int) -> Callable[[], None]:
        return lambda: venue.change_position_margin(account, "BTCUSDT", BOTH, Decimal(amount))

    assert refused(change(0)) == -4055
    assert refused(change(-3_000)) == -4051
    assert refused(change(100_000)) == -4050
    venue.place(account, order(SELL, "2"))
    assert refused(change(1)) == -4054


def test_a_cross_position_has_no_margin_of_its_own() -> None:
    """Nothing to add to."""
    venue, account = open_one([60_000])
    venue.place(account, order(BUY, "1"))
    assert refused(lambda: venue.change_position_margin(account, "BTCUSDT", BOTH, Decimal(1))) == -4049


def test_the_margin_type_changes_only_when_there_is_nothing() -> None:
    """Not with open orders, not with a position, and not to what it is."""
    venue, account = open_one([60_000])

    def change(margin_type: MarginType = ISOLATED) -> None:
        venue.set_margin_type(account, "BTCUSDT", margin_type)

    assert refused(lambda: change(MarginType.CROSSED)) == -4046
    waiting = venue.place(account, order(BUY, "1", "59000.0", time_in_force=TimeInForce.GTC))
    assert refused(change) == -4047
    venue.cancel(account, waiting.id)
    venue.place(account, order(BUY, "1"))
    assert refused(change) == -4048
    venue.place(account, order(SELL, "1"))
    change()
    assert account.margin_type_of("BTCUSDT") is ISOLATED


def test_the_leverage_of_an_isolated_position_can_only_rise() -> None:
    """Its margin was taken at the old leverage."""
    venue, account = isolated()
    assert refused(lambda: venue.set_leverage(account, "BTCUSDT", 10)) == -4161
    venue.set_leverage(account, "BTCUSDT", 25)


# --- hedge mode ---------------------------------------------------------------------------------------


def test_long_and_short_stand_side_by_side() -> None:
    """Each has its own quantity and entry price; the account's profit is theirs together."""
    venue, account = open_one([60_000, 61_000])
    venue.set_position_mode(account, hedge=True)
    venue.place(account, order(BUY, "2", position_side=LONG))
    venue.place(account, order(SELL, "0.5", position_side=SHORT))
    go(venue)
    long, short = (account.position("BTCUSDT", side) for side in (LONG, SHORT))
    assert (long.quantity, short.quantity) == (2, Decimal("-0.5"))
    assert account.quantity("BTCUSDT") == Decimal("1.5")
    assert venue.margin(account).unrealised == long.unrealised(Decimal(61_000)) + short.unrealised(
        Decimal(61_000)
    )
    assert {trade.position_side for trade in venue.changes.trades} == {LONG, SHORT}


def test_a_closing_order_cannot_turn_a_hedged_position() -> None:
    """More than there is to close is refused; what closes counts as reduce-only."""
    venue, account = open_one([60_000])
    venue.set_position_mode(account, hedge=True)
    venue.place(account, order(BUY, "1", position_side=LONG))
    assert refused(lambda: venue.place(account, order(SELL, "2", position_side=LONG))) == -2022
    assert refused(lambda: venue.place(account, order(BUY, "1", position_side=SHORT))) == -2022
    closed = venue.place(account, order(SELL, "1", position_side=LONG))
    assert (closed.status, closed.reduce_only) == (Status.FILLED, True)
    assert account.position("BTCUSDT", LONG).quantity == 0


def test_the_position_side_belongs_to_the_mode() -> None:
    """LONG and SHORT in hedge mode only, BOTH in one-way mode only, and reduceOnly only there."""
    venue, account = open_one([60_000])
    assert refused(lambda: venue.place(account, order(BUY, "1", position_side=LONG))) == -4061
    venue.set_position_mode(account, hedge=True)
    assert refused(lambda: venue.place(account, order(BUY, "1"))) == -4061
    reducing = order(SELL, "1", position_side=LONG, reduce_only=True)
    assert refused(lambda: venue.place(account, reducing)) == -1106


def test_the_position_mode_changes_only_when_there_is_nothing() -> None:
    """Not with open orders, not with positions, and not to what it is."""
    venue, account = open_one([60_000])

    def change() -> None:
        venue.set_position_mode(account, hedge=True)

    assert refused(lambda: venue.set_position_mode(account, hedge=False)) == -4059
    waiting = venue.place(account, order(BUY, "1", "59000.0", time_in_force=TimeInForce.GTC))
    assert refused(change) == -4067
    venue.cancel(account, waiting.id)
    venue.place(account, order(BUY, "1"))
    assert refused(change) == -4068
    venue.place(account, order(SELL, "1"))
    change()
    assert account.hedge


# --- transfers ----------------------------------------------------------------------------------------


def test_transfers_appear_in_the_income_history() -> None:
    """In and out, each told with its reason; the wallet is the sum."""
    venue, account = open_one([60_000])
    venue.events.clear()
    venue.transfer(account, Decimal(500))
    venue.transfer(account, Decimal("-0.5"))
    booked = [item for item in venue.changes.incomes if item.type is IncomeType.TRANSFER]
    assert [item.amount for item in booked] == [100_000, 500, Decimal("-0.5")]
    assert {item.time_ms for item in booked} == {START_MS}
    told = [(event.reason, event.balance_change) for event in venue.events if isinstance(event, AccountEvent)]
    assert told == [("DEPOSIT", 500), ("WITHDRAW", Decimal("-0.5"))]


@pytest.mark.parametrize(("mark", "most"), [(60_000, 39_300), (66_000, 99_400), (58_000, 1_300)])
def test_no_more_can_be_taken_out_than_is_free(mark: int, most: int) -> None:
    """Unrealised profit serves as margin but does not leave; an unrealised loss binds the wallet."""
    venue, account = open_one([60_000, mark], deposit=100_000)
    venue.place(account, order(BUY, "20"))
    go(venue)
    margin = venue.margin(account)
    assert abs(margin.withdrawable - most) < 200
    assert refused(lambda: venue.transfer(account, -margin.withdrawable - 1)) == -5013
    venue.transfer(account, -margin.withdrawable)
    assert venue.margin(account).withdrawable == 0
