"""The venue without sockets: what always holds for wallets, margin, funding and liquidation."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.exchange.brackets import maintenance_margin
from bot.exchange.catalog import CATALOG
from bot.exchange.entities import IncomeType, OrderRequest, OrderType, Side, Status, TimeInForce
from bot.exchange.errors import RequestError
from bot.exchange.market import Market, TradedSymbol
from bot.exchange.prices.funding import ConstantFunding
from bot.exchange.venue import Venue
from tests.exchange.builders import START_MS, StepPath
from tests.support.examples import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.exchange.account import Account

BTC = CATALOG["BTCUSDT"]
EIGHT_HOURS_MS = 28_800_000
TINY = Decimal("1e-8")


def open_venue(
    prices: Sequence[int | str | Decimal],
    *,
    deposit: int = 100_000,
    step_ms: int = 1_000,
    rate: str = "0.0001",
) -> tuple[Venue, Account]:
    """Return a venue that trades BTCUSDT along `prices`, and one account on it."""
    path = StepPath(prices, step_ms=step_ms)
    traded = TradedSymbol(BTC, path, ConstantFunding(Decimal(rate)))
    venue = Venue(Market([traded], seed="1", start_ms=START_MS))
    return venue, venue.open_account("A", Decimal(deposit))


def request(
    quantity: Decimal | str,
    *,
    side: Side = Side.BUY,
    price: Decimal | str | None = None,
    force: TimeInForce = TimeInForce.IOC,
    reduce_only: bool = False,
) -> OrderRequest:
    """Return an order for BTCUSDT; a market order without a price."""
    return OrderRequest(
        symbol="BTCUSDT",
        side=side,
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        quantity=Decimal(quantity),
        price=Decimal(0) if price is None else Decimal(price),
        time_in_force=force,
        reduce_only=reduce_only,
        client_id=f"c{quantity}{side}{price}",
    )


moves = st.lists(
    st.tuples(
        st.sampled_from(["trade", "rest", "reduce", "cancel", "go"]),
        st.sampled_from(list(Side)),
        st.integers(1, 40_000),
        st.integers(-400, 400),
    ),
    max_size=40,
)
walks = st.lists(st.integers(-900, 900), min_size=12, max_size=12)


def play(venue: Venue, account: Account, steps: Sequence[tuple[str, Side, int, int]]) -> None:
    """Do what a reckless client might."""
    for action, side, lots, bps in steps:
        mark = venue.market.marks["BTCUSDT"]
        quantity = lots * BTC.step
        price = (mark * (1 + Decimal(bps) / 10_000) / BTC.tick).to_integral_value() * BTC.tick
        with suppress(RequestError):
            if action == "go":
                knot = venue.market.next_knot()
                if knot is not None:
                    venue.advance(knot)
            elif action == "cancel" and account.open_orders:
                venue.cancel(account, min(account.open_orders))
            elif action == "trade":
                venue.place(account, request(quantity, side=side))
            elif action == "reduce":
                venue.place(account, request(quantity, side=side, price=price, reduce_only=True))
            elif action == "rest":
                venue.place(account, request(quantity, side=side, price=price, force=TimeInForce.GTC))


@given(steps=moves, walk=walks)
@settings(max_examples=examples(150))
def test_wallet_is_the_sum_of_its_income(steps: list[tuple[str, Side, int, int]], walk: list[int]) -> None:
    """Wallet = deposits + realised + funding - fees + insurance; equity adds unrealised; to 1e-8."""
    prices, price = [], Decimal(60_000)
    for bps in walk:
        prices.append(price)
        price = (price * (1 + Decimal(bps) / 10_000)).quantize(Decimal("0.1"))
    venue, account = open_venue(prices, step_ms=EIGHT_HOURS_MS // 4)
    play(venue, account, steps)
    income = venue.changes.incomes
    assert account.wallet == sum(item.amount for item in income)
    assert account.wallet >= 0
    trades = venue.changes.trades
    signed = [trade.side.sign * trade.quantity for trade in trades]
    cash = -sum(quantity * trade.price for quantity, trade in zip(signed, trades, strict=True))
    fees = sum(trade.commission for trade in trades)
    other = sum(
        item.amount
        for item in income
        if item.type in {IncomeType.TRANSFER, IncomeType.FUNDING_FEE, IncomeType.INSURANCE_CLEAR}
    )
    held = account.quantity("BTCUSDT")
    assert held == sum(signed)
    mark = venue.market.marks["BTCUSDT"]
    equity = venue.margin(account).balance
    assert abs(equity - (other + cash - fees + held * mark)) <= TINY


@given(steps=moves, walk=walks)
@settings(max_examples=examples(50))
def test_orders_are_the_sum_of_their_trades(steps: list[tuple[str, Side, int, int]], walk: list[int]) -> None:
    """What an order says was filled is what its trades say, never more than it asked for."""
    venue, account = open_venue([60_000 + bps for bps in walk])
    play(venue, account, steps)
    for order in venue.changes.orders.values():
        trades = [trade for trade in venue.changes.trades if trade.order_id == order.id]
        assert order.filled == sum(trade.quantity for trade in trades) <= order.quantity
        assert order.quote == sum(trade.quantity * trade.price for trade in trades)
        if order.type is OrderType.LIMIT and not order.client_id.startswith("autoclose-"):
            assert all(order.side.sign * (order.price - trade.price) >= 0 for trade in trades)
    assert set(account.open_orders) == {
        order.id for order in venue.changes.orders.values() if order.status.is_open
    }


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("quantity", ["3", "20", "60"])
def test_liquidation_happens_at_the_predicted_price(side: Side, quantity: str) -> None:
    """The account lives a tick before the predicted liquidation price, and is liquidated at it."""
    deposit = 400_000
    probe, account = open_venue([60_000], deposit=deposit)
    probe.place(account, request(quantity, side=side))
    predicted = probe.liquidation_price(account, "BTCUSDT")
    if not predicted:
        assert side is Side.BUY
        assert probe.margin(account).balance > Decimal(quantity) * 60_000
        return
    towards = -side.sign * BTC.tick
    before, after = predicted - towards, predicted + towards
    venue, account = open_venue([60_000, before, after], deposit=deposit)
    venue.place(account, request(quantity, side=side))
    venue.advance(START_MS + 1_000)
    assert abs(account.quantity("BTCUSDT")) == Decimal(quantity)
    venue.advance(START_MS + 2_000)
    assert account.quantity("BTCUSDT") == 0
    forced = [order for order in venue.changes.orders.values() if order.client_id.startswith("autoclose-")]
    assert sum(order.filled for order in forced) == Decimal(quantity)
    assert IncomeType.INSURANCE_CLEAR in {item.type for item in venue.changes.incomes}


def test_nobody_owes_money_after_a_gap() -> None:
    """A fall beyond bankruptcy leaves an empty wallet; the fund takes over at the bankruptcy price."""
    venue, account = open_venue([60_000, 30_000], deposit=30_000)
    venue.place(account, request("8"))
    fund = venue.fund
    venue.advance(START_MS + 1_000)
    assert 0 <= account.wallet < 8 * BTC.tick
    assert account.quantity("BTCUSDT") == 0
    assert venue.fund < fund - 200_000


def test_liquidation_cancels_open_orders_first() -> None:
    """No order survives a liquidation."""
    venue, account = open_venue([60_000, 50_000], deposit=100_000)
    venue.place(account, request("8"))
    venue.place(account, request("0.1", price="57500.0", force=TimeInForce.GTC))
    venue.advance(START_MS + 1_000)
    assert account.open_orders == {}


@pytest.mark.parametrize(
    ("rate", "side", "paid"), [("0.0001", Side.BUY, -6), ("0.0001", Side.SELL, 6), ("-0.0001", Side.BUY, 6)]
)
def test_funding_is_paid_on_the_notional_at_its_own_time(rate: str, side: Side, paid: int) -> None:
    """With a positive rate longs pay shorts: -quantity x mark x rate, once at 08:00."""
    venue, account = open_venue([60_000, 60_000, 60_000], step_ms=EIGHT_HOURS_MS * 3 // 4, rate=rate)
    venue.place(account, request("1", side=side))
    venue.advance(START_MS + EIGHT_HOURS_MS * 3 // 4)
    venue.advance(START_MS + EIGHT_HOURS_MS * 3 // 2)
    booked = [item for item in venue.changes.incomes if item.type is IncomeType.FUNDING_FEE]
    assert [item.time_ms for item in booked] == [START_MS + EIGHT_HOURS_MS]
    assert booked[0].amount == paid


def test_funding_that_was_skipped_over_is_booked_each_time() -> None:
    """A jump over a day books three payments, each at its own time and mark."""
    venue, account = open_venue([60_000, 66_000], step_ms=3 * EIGHT_HOURS_MS)
    venue.place(account, request("1"))
    venue.advance(START_MS + 3 * EIGHT_HOURS_MS)
    booked = [item for item in venue.changes.incomes if item.type is IncomeType.FUNDING_FEE]
    assert [item.amount for item in booked] == [Decimal("-6.2"), Decimal("-6.4"), Decimal("-6.6")]


@pytest.mark.parametrize("name", ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XMRUSDT"])
def test_maintenance_margin_is_continuous_and_rising(name: str) -> None:
    """Where two brackets meet, both give the same margin; each takes a larger share than the one below."""
    brackets = CATALOG[name].brackets
    for lower, upper in pairwise(brackets):
        assert lower.cap == upper.floor
        assert lower.cap * lower.rate - lower.amount == upper.floor * upper.rate - upper.amount
        assert maintenance_margin(brackets, upper.floor + 1) > maintenance_margin(brackets, lower.cap)
        assert upper.leverage < lower.leverage
        assert upper.rate > lower.rate


def test_resting_reduce_only_orders_never_turn_the_position() -> None:
    """Two reduce-only orders for more than the position close it together; the rest of the second expires."""
    venue, account = open_venue([60_000, 60_600])
    venue.place(account, request("1"))
    for price in ("60300", "60500"):
        sell = request("0.7", side=Side.SELL, price=price, force=TimeInForce.GTC, reduce_only=True)
        venue.place(account, sell)
    venue.advance(START_MS + 1_000)
    assert account.quantity("BTCUSDT") == 0
    first, second = (order for order in venue.changes.orders.values() if order.reduce_only)
    assert (first.status, second.status) == (Status.FILLED, Status.EXPIRED)
    assert second.filled == Decimal("0.3")
