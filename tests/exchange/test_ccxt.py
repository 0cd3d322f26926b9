"""Unmodified ccxt and ccxt.pro against the paper exchange, over real sockets."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from bot.exchange.prices.funding import ConstantFunding
from tests.exchange.builders import DOWN, START_MS, UP, Start, StepPath, flat
from tests.support.patience import PATIENCE_S

SYMBOL = "BTC/USDT:USDT"
IOC = {"timeInForce": "IOC"}


async def test_load_markets_gives_filters(start: Start) -> None:
    """Ccxt reads tick, step, minimum and notional of a traded symbol."""
    async with start() as bench:
        markets = await bench.ccxt().load_markets()
    market = markets[SYMBOL]
    assert (market["precision"]["amount"], market["precision"]["price"]) == (0.001, 0.1)
    assert market["limits"]["amount"] == {"min": 0.001, "max": 1000.0}
    assert market["limits"]["cost"]["min"] == 100.0
    assert market["limits"]["market"]["max"] == 120.0
    assert (market["linear"], market["settle"], market["active"]) == (True, "USDT", True)


async def test_fetch_time_is_wall_time(start: Start) -> None:
    """Ccxt can agree on the time of signatures with the exchange, whatever year is replayed."""
    async with start() as bench:
        client = bench.ccxt()
        assert abs(await client.fetch_time() - client.milliseconds()) < 60_000


async def test_watch_mark_price_follows_the_path(start: Start) -> None:
    """ccxt.pro streams each mark of the path, stamped with market time."""
    path = StepPath([60_000, 60_010, 60_020, 60_030])
    async with start(paths={"BTCUSDT": path}) as bench:
        client = bench.ccxt()
        pacer = await bench.pacer()
        seen: list[tuple[int, float]] = []
        while len(seen) < 4:
            ticker = await asyncio.wait_for(client.watch_mark_price(SYMBOL), PATIENCE_S)
            mark = ticker["timestamp"], ticker["markPrice"]
            if mark not in seen[-1:]:  # a market that holds repeats its mark
                seen.append(mark)
            await pacer.idle(ticker["timestamp"])
    assert seen == [(START_MS + 1000 * step, 60_000.0 + 10 * step) for step in range(4)]


async def test_watch_mark_prices_of_all_symbols(start: Start) -> None:
    """ccxt.pro's stream of all marks names each traded symbol."""
    paths = {"BTCUSDT": flat(), "ETHUSDT": flat(price=3_000)}
    async with start(paths=paths) as bench:
        tickers = await asyncio.wait_for(bench.ccxt().watch_mark_prices(), PATIENCE_S)
    assert {name: ticker["markPrice"] for name, ticker in tickers.items()} == {
        SYMBOL: 60_000.0,
        "ETH/USDT:USDT": 3_000.0,
    }


async def test_watch_bids_asks_shows_the_touch(start: Start) -> None:
    """ccxt.pro's best bid and ask lie a tick around the mark on a calm evening."""
    async with start() as bench:
        ticker = (await asyncio.wait_for(bench.ccxt().watch_bids_asks([SYMBOL]), PATIENCE_S))[SYMBOL]
    assert (ticker["bid"], ticker["ask"]) == (59_999.9, 60_000.1)


async def test_mark_price_by_rest(start: Start) -> None:
    """Mark, index and funding rate can be read without a stream."""
    async with start(funding={"BTCUSDT": ConstantFunding(Decimal("0.0003"))}) as bench:
        client = bench.ccxt()
        mark = await client.fetch_mark_price(SYMBOL)
        funding = await client.fetch_funding_rate(SYMBOL)
    assert mark["markPrice"] == 60_000.0
    assert (funding["fundingRate"], funding["fundingTimestamp"]) == (0.0003, START_MS + 28_800_000)


async def test_order_book_and_tickers(start: Start) -> None:
    """The depth answers as an order book, best first, and the ticker endpoints as tickers."""
    async with start() as bench:
        client = bench.ccxt()
        book = await client.fetch_order_book(SYMBOL, 20)
        assert book["bids"][0][0] < 60_000 < book["asks"][0][0]
        assert len(book["bids"]) == len(book["asks"]) == 20
        assert (await client.fetch_ticker(SYMBOL))["last"] == 60_000.0
        assert (await client.fetch_bids_asks([SYMBOL]))[SYMBOL]["bid"] == book["bids"][0][0]
        assert (await client.fetch_last_prices([SYMBOL]))[SYMBOL]["price"] == 60_000.0


@pytest.mark.parametrize("params", [{}, {"useV2": True}])
async def test_fetch_balance(start: Start, params: dict[str, bool]) -> None:
    """Each key sees the balance of its own account."""
    async with start() as bench:
        assert (await bench.ccxt(UP).fetch_balance(params))["USDT"]["total"] == 100_000.0
        assert (await bench.ccxt(DOWN).fetch_balance(params))["USDT"]["free"] == 50_000.0


async def test_settings_are_already_one_way_and_cross(start: Start) -> None:
    """Position mode, asset mode and margin mode are as a new account has them; setting them again says so."""
    async with start() as bench:
        client = bench.ccxt()
        await client.load_markets()
        assert (await client.fetch_position_mode(SYMBOL))["hedged"] is False
        with pytest.raises(ccxt.OperationRejected, match="-4059"):
            await client.set_position_mode(False, SYMBOL)  # noqa: FBT003 - ccxt's signature
        with pytest.raises(ccxt.MarginModeAlreadySet, match="-4046"):
            await client.set_margin_mode("cross", SYMBOL)
        assert (await client.fetch_margin_modes([SYMBOL]))[SYMBOL]["marginMode"] == "cross"
        assert (await client.fapiPrivateGetMultiAssetsMargin())["multiAssetsMargin"] is False


async def test_multi_assets_mode_is_refused_as_the_venue_refuses_it(start: Start) -> None:
    """Off already (-4171); else not offered (-4084), but for what the venue itself would not do it with."""
    async with start() as bench:
        client = bench.ccxt()
        await client.load_markets()

        async def turned(on: str, code: int) -> None:
            with pytest.raises(ccxt.ExchangeError, match=f'"code":{code},'):
                await client.fapiPrivatePostMultiAssetsMargin({"multiAssetsMargin": on})

        await turned("false", -4171)
        await turned("true", -4084)
        order = await client.create_order(SYMBOL, "limit", "buy", 0.01, 50_000)
        await turned("true", -4170)
        await client.cancel_order(order["id"], SYMBOL)
        await client.set_margin_mode("isolated", SYMBOL)
        await turned("true", -4167)


async def test_hedge_mode_keeps_a_position_for_each_side(start: Start) -> None:
    """A long and a short of one symbol stand side by side, each with a margin of its own if isolated."""
    async with start() as bench:
        client = bench.ccxt()
        await client.load_markets()
        await client.set_position_mode(True, SYMBOL)  # noqa: FBT003 - ccxt's signature
        await client.set_margin_mode("isolated", SYMBOL)
        for side in ("buy", "sell"):
            await client.create_order(SYMBOL, "market", side, 0.1, None, {"hedged": True})
        rows = {row["side"]: row for row in await client.fetch_positions([SYMBOL])}
        assert {side: row["contracts"] for side, row in rows.items()} == {"long": 0.1, "short": 0.1}
        assert all(row["hedged"] and row["marginMode"] == "isolated" for row in rows.values())
        await client.create_order(SYMBOL, "market", "sell", 0.1, None, {"hedged": True, "reduceOnly": True})
        assert [row["side"] for row in await client.fetch_positions([SYMBOL])] == ["short"]


async def test_leverage_is_set_and_read_back(start: Start) -> None:
    """The leverage setting starts at 20, can be changed, and comes with its largest notional."""
    async with start() as bench:
        client = bench.ccxt()
        await client.load_markets()
        assert (await client.fetch_leverages([SYMBOL]))[SYMBOL]["longLeverage"] == 20
        answer = await client.set_leverage(6, SYMBOL)
        assert (int(answer["leverage"]), answer["maxNotionalValue"]) == (6, "230000000")
        assert (await client.fetch_leverages([SYMBOL]))[SYMBOL]["longLeverage"] == 6
        with pytest.raises(ccxt.ExchangeError, match="-4028"):
            await client.fapiPrivatePostLeverage({"symbol": "BTCUSDT", "leverage": 500})


async def test_leverage_tiers(start: Start) -> None:
    """Ccxt reads the brackets with their maintenance margin rates."""
    async with start() as bench:
        tiers = (await bench.ccxt().fetch_leverage_tiers([SYMBOL]))[SYMBOL]
    first = tiers[0]
    assert (first["maxLeverage"], first["maxNotional"], first["maintenanceMarginRate"]) == (
        150,
        300_000,
        0.004,
    )
    assert [tier["minNotional"] for tier in tiers[1:]] == [tier["maxNotional"] for tier in tiers[:-1]]


async def test_trading_fees(start: Start) -> None:
    """The taker pays 5 bps, the maker 2."""
    async with start() as bench:
        fee = await bench.ccxt().fetch_trading_fee(SYMBOL)
    assert (fee["taker"], fee["maker"]) == (0.0005, 0.0002)


async def test_ioc_order_and_its_record(start: Start) -> None:
    """An IOC buy fills within its limit; order, position and trades agree, found by client id and by id."""
    async with start() as bench:
        client = bench.ccxt()
        await client.load_markets()
        order = await client.create_order(
            SYMBOL, "limit", "buy", 2.0, 60_010.0, IOC | {"clientOrderId": "inband-1"}
        )
        assert (order["clientOrderId"], order["status"], order["filled"]) == ("inband-1", "closed", 2.0)
        assert 60_000 < order["average"] <= 60_010
        by_client_id = await client.fetch_order(None, SYMBOL, {"clientOrderId": "inband-1"})
        assert by_client_id == await client.fetch_order(order["id"], SYMBOL)
        assert by_client_id["average"] == order["average"]
        (position,) = await client.fetch_positions([SYMBOL])
        assert (position["side"], position["contracts"], position["hedged"]) == ("long", 2.0, False)
        trades = await client.fetch_my_trades(SYMBOL)
        assert sum(trade["amount"] for trade in trades) == pytest.approx(2.0)
        assert sum(trade["cost"] for trade in trades) / 2 == pytest.approx(order["average"])
        assert {trade["takerOrMaker"] for trade in trades} == {"taker"}
        assert trades == await client.fetch_my_trades(SYMBOL, params={"orderId": order["id"]})


async def test_ioc_remainder_expires(start: Start) -> None:
    """What the book does not offer within the limit expires at once."""
    async with start() as bench:
        client = bench.ccxt()
        await client.load_markets()
        order = await client.create_order(SYMBOL, "limit", "buy", 32.0, 60_000.1, IOC)
        assert order["status"] == "expired"
        assert 0 < order["filled"] < 32
        nothing = await client.create_order(SYMBOL, "limit", "buy", 5.0, 59_000.0, IOC)
        assert (nothing["status"], nothing["filled"]) == ("expired", 0.0)
        assert await client.fetch_open_orders(SYMBOL) == []


async def test_unknown_orders_are_not_found(start: Start) -> None:
    """Querying and cancelling an order that never was raise OrderNotFound."""
    async with start() as bench:
        client = bench.ccxt()
        await client.load_markets()
        with pytest.raises(ccxt.OrderNotFound, match="-2013"):
            await client.fetch_order(None, SYMBOL, {"clientOrderId": "never-sent"})
        with pytest.raises(ccxt.OrderNotFound, match="-2011"):
            await client.cancel_order("12345", SYMBOL)


async def test_resting_order_lives_until_cancelled(start: Start) -> None:
    """A GTC order below the market is open, reserves margin, and is gone when cancelled."""
    async with start() as bench:
        client = bench.ccxt()
        await client.load_markets()
        order = await client.create_order(SYMBOL, "limit", "buy", 1.0, 59_000.0)
        assert [item["id"] for item in await client.fetch_open_orders(SYMBOL)] == [order["id"]]
        assert (await client.fetch_balance())["USDT"]["used"] == pytest.approx(59_000 / 20)
        cancelled = await client.cancel_order(None, SYMBOL, {"clientOrderId": order["clientOrderId"]})
        assert cancelled["status"] == "canceled"
        assert await client.fetch_open_orders(SYMBOL) == []
        await client.create_order(SYMBOL, "limit", "sell", 1.0, 61_000.0, {"postOnly": True})
        await client.cancel_all_orders(SYMBOL)
        assert [item["status"] for item in await client.fetch_orders(SYMBOL)] == ["canceled", "canceled"]


async def test_watch_orders(start: Start) -> None:
    """ccxt.pro's user stream reports an order's fill and its end, in market time."""
    async with start() as bench:
        client = bench.ccxt()
        await client.load_markets()
        first = asyncio.create_task(client.watch_orders(SYMBOL))
        await bench.heard()
        params = IOC | {"clientOrderId": "w-1"}
        order = await client.create_order(SYMBOL, "limit", "buy", 0.01, 60_010.0, params)
        await asyncio.wait_for(first, PATIENCE_S)
        # ccxt does not wake a new watch for an event that came between two watches; its cache has it.
        async with asyncio.timeout(PATIENCE_S):
            while client.orders[-1]["status"] == "open":  # noqa: ASYNC110 - the cache belongs to ccxt
                await asyncio.sleep(0.01)
        last = client.orders[-1]
    assert (last["id"], last["clientOrderId"], last["status"]) == (order["id"], "w-1", "closed")
    assert (last["filled"], last["average"]) == (0.01, order["average"])
    assert last["lastTradeTimestamp"] == START_MS


async def test_funding_history(start: Start) -> None:
    """Funding shows in the income history with the time it was due: a long pays a positive rate."""
    start_ms = START_MS - 2_000
    path = StepPath([60_000] * 6, start_ms=start_ms)
    async with start(paths={"BTCUSDT": path}) as bench:
        client = bench.ccxt()
        await client.load_markets()
        await client.create_order(SYMBOL, "limit", "buy", 1.0, 60_100.0, IOC)
        pacer, marks = await bench.pacer(), await bench.marks()
        for step in range(5):
            await marks.at(start_ms + 1_000 * step)
            await pacer.idle(start_ms + 1_000 * step)
        await marks.at(path.end_ms)
        (row,) = await client.fetch_funding_history(SYMBOL)
        assert (row["amount"], row["timestamp"]) == (-6.0, START_MS)
        kinds = [item["info"]["incomeType"] for item in await client.fetch_ledger("USDT")]
        assert kinds[0] == "TRANSFER"
        assert kinds[-1] == "FUNDING_FEE"
        (rate,) = await client.fetch_funding_rate_history(SYMBOL)
        assert (rate["fundingRate"], rate["timestamp"]) == (0.0001, START_MS)


@pytest.mark.parametrize("version", [{}, {"useV2": True}])
@pytest.mark.parametrize("method", [{}, {"method": "account"}])
async def test_positions_by_every_way_ccxt_has(
    start: Start, version: dict[str, Any], method: dict[str, Any]
) -> None:
    """Whichever endpoint ccxt asks, the position is the same."""
    async with start() as bench:
        client = bench.ccxt()
        await client.load_markets()
        await client.create_order(SYMBOL, "market", "sell", 1.0)
        found = await client.fetch_positions([SYMBOL], version | method)
    (position,) = [item for item in found if item["contracts"]]
    assert (position["side"], position["contracts"], position["marginMode"]) == ("short", 1.0, "cross")
    assert position["notional"] == 60_000.0
    assert position["maintenanceMargin"] == pytest.approx(240.0)
    assert position["initialMargin"] == pytest.approx(3_000.0)


async def test_liquidation_price_as_ccxt_reads_it(start: Start) -> None:
    """The liquidation price of a short lies where its wallet is used up."""
    async with start() as bench:
        client = bench.ccxt()
        await client.load_markets()
        await client.create_order(SYMBOL, "market", "sell", 10.0)
        (position,) = await client.fetch_positions([SYMBOL])
    assert 68_000 < position["liquidationPrice"] < 70_000
    assert position["collateral"] == pytest.approx(100_000, rel=0.01)


async def test_watch_balance_positions_and_trades(start: Start) -> None:
    """ccxt.pro's other private streams are fed by the same events."""
    async with start() as bench:
        client = bench.ccxt()
        await client.load_markets()
        assert await asyncio.wait_for(client.watch_positions([SYMBOL]), PATIENCE_S) == []  # the snapshot
        watches = [
            asyncio.create_task(watch)
            for watch in (
                client.watch_balance(),
                client.watch_positions([SYMBOL]),
                client.watch_my_trades(SYMBOL),
            )
        ]
        awaited = {"linear:balance", f"linear:positions::{SYMBOL}", f"myTrades:{SYMBOL}"}
        await bench.heard()
        async with asyncio.timeout(PATIENCE_S):
            # ccxt does not tell that a watch has begun.
            while not any(awaited <= set(ws.futures) for ws in client.clients.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        order = await client.create_order(SYMBOL, "limit", "buy", 0.01, 60_010.0, IOC)
        balance, positions, trades = await asyncio.wait_for(asyncio.gather(*watches), PATIENCE_S)
    assert balance["USDT"]["total"] <= 100_000
    assert [(item["symbol"], item["contracts"]) for item in positions] == [(SYMBOL, 0.01)]
    assert [(item["order"], item["amount"], item["fee"]["currency"]) for item in trades] == [
        (order["id"], 0.01, "USDT")
    ]


async def test_set_leverage_reaches_the_user_stream(start: Start) -> None:
    """A change of leverage is told as ACCOUNT_CONFIG_UPDATE."""
    async with start() as bench:
        client = bench.ccxt()
        await client.load_markets()
        key = (await client.fapiPrivatePostListenKey())["listenKey"]
        socket = await bench.session.ws_connect(f"{bench.ws_url}/private/ws?listenKey={key}")
        await client.set_leverage(5, SYMBOL)
        event = await socket.receive_json(timeout=PATIENCE_S)
    assert event == {
        "e": "ACCOUNT_CONFIG_UPDATE",
        "E": START_MS,
        "T": START_MS,
        "ac": {"s": "BTCUSDT", "l": 5},
    }


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "SOLUSDT", "OPUSDT"])
async def test_the_largest_notional_is_a_whole_number(start: Start, symbol: str) -> None:
    """As the venue writes it, whatever the symbol's size."""
    async with start(paths={symbol: flat()}) as bench:
        _, answer = await bench.call("POST", "/fapi/v1/leverage", {"symbol": symbol, "leverage": 50}, UP)
    assert answer["maxNotionalValue"].isdigit()
