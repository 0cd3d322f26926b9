"""Unmodified ccxt against the paper exchange, over real sockets."""

from __future__ import annotations

import asyncio

import ccxt
import pytest

from tests.exchange.builders import START_MS, Start, StepPath

SYMBOL = "BTC/USDT:USDT"


async def test_load_markets_gives_filters(start: Start) -> None:
    """Ccxt reads tick, step, minimum and notional of a traded symbol."""
    async with start() as bench:
        markets = await bench.ccxt().load_markets()
    market = markets[SYMBOL]
    assert (market["precision"]["amount"], market["precision"]["price"]) == (0.001, 0.1)
    assert market["limits"]["amount"] == {"min": 0.001, "max": 1000.0}
    assert market["limits"]["cost"]["min"] == 100.0
    assert market["limits"]["market"]["max"] == 120.0


async def test_watch_mark_price_follows_the_path(start: Start) -> None:
    """ccxt.pro streams each mark of the path, stamped with market time."""
    path = StepPath([60_000, 60_010, 60_020, 60_030])
    async with start(paths={"BTCUSDT": path}) as bench:
        client = bench.ccxt()
        pacer = await bench.pacer()
        seen: list[tuple[int, float]] = []
        while len(seen) < 4:
            ticker = await asyncio.wait_for(client.watch_mark_price(SYMBOL), 5)
            seen.append((ticker["timestamp"], ticker["markPrice"]))
            await pacer.idle(ticker["timestamp"])
    assert seen == [(START_MS + 1000 * step, 60_000.0 + 10 * step) for step in range(4)]


async def test_ioc_order_fills_within_its_limit_and_expires_for_the_rest(start: Start) -> None:
    """An IOC limit buy fills at the asks up to its limit; what the book lacks there expires."""
    async with start() as bench:
        client = bench.ccxt()
        await client.load_markets()
        params = {"timeInForce": "IOC", "clientOrderId": "inband-1"}
        order = await client.create_order(SYMBOL, "limit", "buy", 2.0, 60_010.0, params)
        assert order["clientOrderId"] == "inband-1"
        assert 60_000 < order["average"] <= 60_010
        found = await client.fetch_order(None, SYMBOL, {"clientOrderId": "inband-1"})
        assert (found["id"], found["filled"], found["status"]) == (
            order["id"],
            order["filled"],
            order["status"],
        )
        positions = await client.fetch_positions([SYMBOL])
        assert [(item["side"], item["contracts"]) for item in positions] == [("long", order["filled"])]
        with pytest.raises(ccxt.OrderNotFound):
            await client.fetch_order(None, SYMBOL, {"clientOrderId": "inband-2"})
