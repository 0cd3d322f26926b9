"""Somebody else's hand on an account, and the venue's own: as its owner sees it; each fault is counted."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.exchange.faults import When, make_fault
from tests.exchange.builders import START_MS, UP, Start, walk

if TYPE_CHECKING:
    from tests.exchange.builders import Bench


async def position(bench: Bench) -> Decimal:
    """Return the signed quantity that UP holds of BTCUSDT."""
    _, rows = await bench.call("GET", "/fapi/v2/positionRisk", {"symbol": "BTCUSDT"}, UP)
    return sum((Decimal(row["positionAmt"]) for row in rows), Decimal(0))


async def last_client_id(bench: Bench) -> str:
    """Return the client id of UP's latest order."""
    _, rows = await bench.call("GET", "/fapi/v1/allOrders", {"symbol": "BTCUSDT"}, UP)
    return str(rows[-1]["clientOrderId"])


async def test_row_32_a_trade_by_another_hand_in_market_time(start: Start) -> None:
    """At its time and not before, the position has changed without the owner's doing."""
    async with start(faults=True) as bench:
        pacer, marks = await bench.pacer(), await bench.marks()
        given: dict[str, Any] = {"account": "UP", "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.3"}
        fault = make_fault("manual_trade", when=When(from_ms=START_MS + 1_500), **given)
        bench.exchange.faults.inject(fault)
        await walk(pacer, marks, START_MS + 1_000)
        assert await position(bench) == 0
        await pacer.idle(START_MS + 1_000)
        assert await marks.at(START_MS + 1_500) == 60_000
        assert await position(bench) == Decimal("-0.3")
        assert bench.exchange.faults.fired("manual_trade") == 1


async def test_row_32_a_trade_by_another_hand_just_before_an_order(start: Start) -> None:
    """It comes between the owner's first look and the owner's order."""
    async with start(faults=True) as bench:
        given: dict[str, Any] = {"account": "UP", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.3"}
        match = {"method": "POST", "path": "/fapi/v1/order"}
        bench.exchange.faults.inject(make_fault("manual_trade", when=When(after=1), match=match, **given))
        await bench.order()
        assert await position(bench) == 1
        await bench.order()
        assert await position(bench) == Decimal("2.3")


async def test_row_32_orders_cancelled_by_another_hand(start: Start) -> None:
    """What rested is gone."""
    async with start(faults=True) as bench:
        await bench.order(timeInForce="GTC", price="58000")
        bench.exchange.faults.inject(make_fault("manual_cancel", account="UP", symbol="BTCUSDT"))
        assert (await bench.call("GET", "/fapi/v1/openOrders", {}, UP))[1] == []
        assert bench.exchange.faults.fired("manual_cancel") == 1


async def test_row_33_a_deposit_and_a_withdrawal(start: Start) -> None:
    """Both are in the balance and in the income history."""
    async with start(faults=True) as bench:
        for amount in ("2500", "-500.25"):
            bench.exchange.faults.inject(make_fault("transfer", account="UP", amount=amount))
        _, rows = await bench.call("GET", "/fapi/v1/income", {"incomeType": "TRANSFER"}, UP)
        assert [Decimal(row["income"]) for row in rows] == [100_000, 2_500, Decimal("-500.25")]
        _, (balance,) = await bench.call("GET", "/fapi/v2/balance", {}, UP)
        assert Decimal(balance["balance"]) == Decimal("101999.75")


async def test_row_33_what_the_venue_refuses_is_noted(start: Start) -> None:
    """Nobody can withdraw what is not there; the script says why nothing happened."""
    async with start(faults=True) as bench:
        scripted = bench.exchange.faults.inject(make_fault("transfer", account="UP", amount="-200000"))
        assert scripted.problem.startswith("-")
        nobody = bench.exchange.faults.inject(make_fault("transfer", account="NOBODY", amount="1"))
        assert nobody.problem == "-2015: there is no account NOBODY"


async def test_row_33_settings_changed_by_another_hand(start: Start) -> None:
    """Leverage, margin type and position mode are other ones."""
    async with start(faults=True) as bench:
        faults = bench.exchange.faults
        on: dict[str, Any] = {"account": "UP", "symbol": "BTCUSDT"}
        faults.inject(make_fault("leverage_changed", leverage=7, **on))
        faults.inject(make_fault("margin_type_changed", type="ISOLATED", **on))
        assert faults.inject(make_fault("position_mode_changed", account="UP", hedge=True)).problem == ""
        _, (config,) = await bench.call("GET", "/fapi/v1/symbolConfig", {"symbol": "BTCUSDT"}, UP)
        assert (config["leverage"], config["marginType"]) == (7, "ISOLATED")
        assert bench.exchange._desk.venue.accounts["UP"].hedge


async def test_row_35_a_liquidation(start: Start) -> None:
    """The position is closed by an order of the venue's, though the margin would have borne it."""
    async with start(faults=True) as bench:
        await bench.order()
        bench.exchange.faults.inject(make_fault("liquidated", account="UP"))
        assert await position(bench) == 0
        assert (await last_client_id(bench)).startswith("autoclose-")
        assert bench.exchange.faults.fired("liquidated") == 1


async def test_row_35_auto_deleveraging(start: Start) -> None:
    """A part of the position is closed by an order with the venue's id for that."""
    async with start(faults=True) as bench:
        await bench.order()
        bench.exchange.faults.inject(
            make_fault("deleveraged", account="UP", symbol="BTCUSDT", quantity="0.4")
        )
        assert await position(bench) == Decimal("0.6")
        assert (await last_client_id(bench)).startswith("adl_autoclose")
