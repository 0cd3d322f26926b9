"""Liquidation: at the predicted price, in steps, by force; who bears what is left over, and who is told."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bot.exchange.brackets import bracket_of
from bot.exchange.catalog import CATALOG
from bot.exchange.entities import (
    Cause,
    Expiry,
    IncomeType,
    MarginType,
    PositionSide,
    Side,
    Status,
    TimeInForce,
)
from bot.exchange.events import MarginCallEvent, OrderEvent
from bot.exchange.margin import cross_risk
from tests.exchange.venues import BTC, go, open_market, open_one, order

if TYPE_CHECKING:
    from bot.exchange.account import Account
    from bot.exchange.entities import Order
    from bot.exchange.venue import Venue

BUY, SELL = Side.BUY, Side.SELL
LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


def forced(venue: Venue, cause: Cause = Cause.LIQUIDATION) -> list[Order]:
    """Return the orders that the venue has placed by force."""
    return [item for item in venue.changes.orders.values() if item.cause is cause]


def income(venue: Venue, account: Account, kind: IncomeType) -> Decimal:
    """Return what an account has had of one kind of income."""
    return sum(
        (item.amount for item in venue.changes.incomes if (item.account, item.type) == (account.name, kind)),
        Decimal(0),
    )


def buy(venue: Venue, account: Account, quantity: str, side: Side = BUY, **fields: Any) -> None:
    """Trade a quantity at the market, in parts that a market order may have."""
    left, part = Decimal(quantity), 0
    while left:
        part += 1
        taken = venue.place(account, order(side, min(left, Decimal(100)), client_id=f"part{part}", **fields))
        left -= taken.filled
        assert taken.filled


def four_coins(*last: int | str | Decimal) -> tuple[Venue, Account]:
    """Return an account of 15,000 USDT that is 4 BTC long at 60,000, on a market with these next marks."""
    venue, account = open_one([60_000, *last], deposit=15_000)
    buy(venue, account, "4")
    venue.events.clear()
    return venue, account


def four_coins_end() -> Decimal:
    """Return the mark at which they are liquidated."""
    venue, account = four_coins()
    return BTC.tick * int(venue.liquidation_price(account, "BTCUSDT") / BTC.tick)


# --- where --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("margin_type", list(MarginType))
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(("quantity", "leverage"), [("0.1", 100), ("3", 50), ("30", 40), ("200", 20)])
def test_it_happens_at_the_price_predicted_from_the_brackets(
    margin_type: MarginType, side: Side, quantity: str, leverage: int
) -> None:
    """Cross or isolated, long or short, in small and large brackets: not a tick before, and at that tick."""

    def held(prices: list[int | str | Decimal]) -> tuple[Venue, Account]:
        deposit = int(Decimal(quantity) * 60_000 / leverage * Decimal("1.3"))
        venue, account = open_one(prices, deposit=deposit)
        if margin_type is MarginType.ISOLATED:
            venue.set_margin_type(account, "BTCUSDT", margin_type)
        venue.set_leverage(account, "BTCUSDT", leverage)
        buy(venue, account, quantity, side)
        return venue, account

    probe, account = held([60_000])
    predicted = probe.liquidation_price(account, "BTCUSDT")
    assert side.sign * (60_000 - predicted) > 0
    towards = -side.sign * BTC.tick
    venue, account = held([60_000, predicted - towards, predicted + towards])
    go(venue)
    assert forced(venue) == []
    go(venue)
    assert forced(venue) != []
    assert abs(account.quantity("BTCUSDT")) < Decimal(quantity)


@pytest.mark.parametrize("others", [("ETHUSDT",), ("ETHUSDT", "SOLUSDT")])
def test_positions_in_other_symbols_count(others: tuple[str, ...]) -> None:
    """In cross margin, what other positions have gained or lost moves the price; other marks held still."""
    start = {"ETHUSDT": [3_000, 2_900], "SOLUSDT": [150, 154]}

    def held(*last: Decimal) -> tuple[Venue, Account]:
        paths: dict[str, list[int | str | Decimal]] = {"BTCUSDT": [60_000, 60_000, *last]}
        for name in others:
            first, second = start[name]
            paths[name] = [first, second, *[second] * len(last)]
        venue = open_market(paths)
        account = venue.open_account("A", Decimal(60_000))
        buy(venue, account, "10")
        for name in others:
            notional = Decimal(90_000) / start[name][0]
            lots = (notional / CATALOG[name].step).to_integral_value() * CATALOG[name].step
            venue.place(account, order(BUY, lots, symbol=name))
        go(venue)
        return venue, account

    venue, account = held()
    predicted = venue.liquidation_price(account, "BTCUSDT")
    venue, account = held(predicted + BTC.tick, predicted - BTC.tick)
    go(venue)
    assert forced(venue) == []
    go(venue)
    assert forced(venue) != []


def test_long_and_short_of_one_symbol_are_liquidated_together() -> None:
    """In hedge mode both move with the mark: the price is where both together have no margin left."""

    def held(*last: Decimal) -> tuple[Venue, Account]:
        venue, account = open_one([60_000, *last], deposit=30_000)
        venue.set_position_mode(account, hedge=True)
        buy(venue, account, "6", position_side=LONG)
        buy(venue, account, "2", SELL, position_side=SHORT)
        return venue, account

    venue, account = held()
    predicted = venue.liquidation_price(account, "BTCUSDT", LONG)
    assert predicted == venue.liquidation_price(account, "BTCUSDT", SHORT)
    venue, account = held(predicted + BTC.tick, predicted - BTC.tick)
    go(venue)
    assert forced(venue) == []
    go(venue)
    assert forced(venue) != []


def test_without_enough_exposure_there_is_no_price() -> None:
    """A long whose cost the wallet covers cannot be liquidated."""
    venue, account = open_one([60_000])
    venue.place(account, order(BUY, "1"))
    assert venue.liquidation_price(account, "BTCUSDT") == 0
    assert venue.liquidation_price(account, "BTCUSDT", LONG) == 0


# --- how ----------------------------------------------------------------------------------------------


def test_a_large_position_is_reduced_bracket_by_bracket() -> None:
    """Each order brings it down to the bracket below, and it stops as soon as there is margin enough."""

    def held(*last: Decimal) -> tuple[Venue, Account]:
        venue, account = open_one([60_000, *last], deposit=4_500_000)
        buy(venue, account, "1190")
        return venue, account

    probe, account = held()
    mark = BTC.tick * int(probe.liquidation_price(account, "BTCUSDT") / BTC.tick)
    assert bracket_of(BTC.brackets, 1_190 * mark).leverage == 25
    venue, account = held(mark)
    go(venue)
    orders = forced(venue)
    held_then = Decimal(1_190)
    for item in orders:
        below = bracket_of(BTC.brackets, held_then * mark).floor
        assert item.quantity == held_then - below / mark // BTC.step * BTC.step
        held_then -= item.quantity
    assert held_then == account.quantity("BTCUSDT")
    risk = cross_risk(account, venue.market.symbols, venue.market.marks)
    assert risk is None or not risk.is_bankrupting


def test_the_order_carries_the_venues_marks() -> None:
    """Client id autoclose-, an immediate limit order at the bankruptcy price, NEW before its trades."""
    venue, account = four_coins(four_coins_end())
    go(venue)
    (closing,) = forced(venue)
    assert closing.account == account.name
    assert closing.client_id.startswith(f"autoclose-{venue.market.now}")
    assert (closing.side, closing.time_in_force, closing.status) == (SELL, TimeInForce.IOC, Status.FILLED)
    told = [event for event in venue.events if isinstance(event, OrderEvent)]
    assert {event.order.id for event in told} == {closing.id}
    assert [event.execution for event in told][:2] == ["NEW", "TRADE"]
    assert all(trade.price >= closing.price for trade in venue.changes.trades if trade.order_id == closing.id)


def test_open_orders_expire_first() -> None:
    """No order survives a liquidation, and each says why it ended."""
    venue, account = four_coins(four_coins_end())
    waiting = venue.place(account, order(SELL, "1", "62000.0", time_in_force=TimeInForce.GTC))
    go(venue)
    assert account.open_orders == {}
    ended = venue.changes.orders[waiting.id]
    assert (ended.status, ended.expiry) == (Status.EXPIRED, Expiry.LIQUIDATION)


def test_the_fee_goes_to_the_insurance_fund_as_far_as_there_is_margin() -> None:
    """1.25 % of the notional closed, or what is left; the fund has what the account has paid."""
    venue, account = four_coins(four_coins_end())
    fund = venue.fund
    go(venue)
    paid = -income(venue, account, IncomeType.INSURANCE_CLEAR)
    assert paid > 0
    assert venue.fund == fund + paid
    assert account.wallet == 0


def test_an_isolated_position_leaves_the_cross_wallet_alone() -> None:
    """Only its own margin is lost, and orders in other symbols stay."""
    venue = open_market({"BTCUSDT": [60_000, 30_000], "ETHUSDT": [3_000, 3_000]})
    account = venue.open_account("A", Decimal(100_000))
    venue.set_margin_type(account, "BTCUSDT", MarginType.ISOLATED)
    buy(venue, account, "5")
    other = venue.place(account, order(BUY, "1", "2900", symbol="ETHUSDT", time_in_force=TimeInForce.GTC))
    cross = account.cross_wallet
    go(venue)
    assert account.quantity("BTCUSDT") == 0
    assert 0 <= account.wallet - cross < 5 * BTC.tick
    assert list(account.open_orders) == [other.id]


# --- who bears it -------------------------------------------------------------------------------------


def test_the_fund_takes_over_at_the_bankruptcy_price() -> None:
    """After a gap nothing can be sold where the margin ends: the fund fills it, which is told CALCULATED."""
    venue, account = four_coins(50_000)
    bankruptcy = (account.position("BTCUSDT").cost - account.wallet) / 4
    fund = venue.fund
    go(venue)
    (closing,) = forced(venue)
    assert 0 <= closing.average_price - bankruptcy < BTC.tick
    assert "CALCULATED" in {event.execution for event in venue.events if isinstance(event, OrderEvent)}
    assert 0 <= account.wallet < 4 * BTC.tick
    assert abs(venue.fund - (fund - 4 * (closing.average_price - 50_000))) < 4 * BTC.tick


def test_an_empty_fund_deleverages_the_opposite_side() -> None:
    """Those who have gained most with the highest leverage are closed first, at that price, without a fee."""
    venue = open_market({"BTCUSDT": [60_000, 59_500, 50_000]}, fund=Decimal(0))
    loser = venue.open_account("loser", Decimal(15_000))
    bold = venue.open_account("bold", Decimal(10_000))
    calm = venue.open_account("calm", Decimal(400_000))
    buy(venue, loser, "4")
    buy(venue, bold, "2.5", SELL)
    buy(venue, calm, "2.5", SELL)
    go(venue)
    assert (venue.adl_quantile(bold, "BTCUSDT"), venue.adl_quantile(calm, "BTCUSDT")) == (3, 1)
    go(venue)
    (closing,) = forced(venue)
    deleveraged = {item.account: item for item in forced(venue, Cause.ADL)}
    assert {name: item.filled for name, item in deleveraged.items()} == {
        "bold": Decimal("2.5"),
        "calm": Decimal("1.5"),
    }
    for item in deleveraged.values():
        assert (item.client_id, item.status, item.side) == ("adl_autoclose", Status.FILLED, BUY)
        assert item.average_price == closing.average_price
    fees = [
        trade.commission
        for trade in venue.changes.trades
        if trade.order_id in {item.id for item in deleveraged.values()}
    ]
    assert fees == [0, 0]
    assert bold.quantity("BTCUSDT") == 0
    assert calm.quantity("BTCUSDT") == -1
    assert 0 <= loser.wallet < 1
    assert 0 <= venue.fund < 1


def test_nobody_is_deleveraged_while_the_fund_can_pay() -> None:
    """The opposite side keeps its gain."""
    venue, _ = four_coins(50_000)
    winner = venue.open_account("winner", Decimal(400_000))
    buy(venue, winner, "5", SELL)
    go(venue)
    assert forced(venue, Cause.ADL) == []
    assert winner.quantity("BTCUSDT") == -5


# --- who is told --------------------------------------------------------------------------------------


def test_a_margin_call_comes_once_before() -> None:
    """At 80 % of the margin the account is warned, and again only after it has had margin enough."""
    near = four_coins_end() + 30
    venue, account = four_coins(near, near, 60_000, near)
    calls = []
    for _ in range(4):
        venue.events.clear()
        go(venue)
        calls.append([event for event in venue.events if isinstance(event, MarginCallEvent)])
    assert [len(item) for item in calls] == [1, 0, 0, 1]
    (call,) = calls[0]
    assert call.cross_wallet == account.wallet
    (position,) = call.positions
    assert (position.symbol, position.quantity, position.mark) == ("BTCUSDT", 4, near)
    assert forced(venue) == []
