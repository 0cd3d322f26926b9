"""The official SDK's websocket streams, each frame held against its model. Run by conftest.py."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import logging
import urllib.request
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import binance_common.websocket
from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketStreams
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
    DerivativesTradingUsdsFutures,
)
from binance_sdk_derivatives_trading_usds_futures.websocket_streams import models
from binance_sdk_derivatives_trading_usds_futures.websocket_streams.streams import market_api, public_api

from tests.conformance.harness import case, expect, run
from tests.conformance.sdk.strict import differences

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

OPTIONAL = frozenset({"M", "AP", "cr"})  # of an order: only where it was amended by id, or trails
SILENT = {"composite_index_symbol_information_streams", "trading_session_stream"}


class _Tap:
    """Stands in for the json module inside the SDK, and keeps what comes in."""

    dumps = staticmethod(json.dumps)

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def loads(self, text: str) -> Any:
        """Return what a text says."""
        body = json.loads(text)
        self.heard.append(body)
        return body


class _Warnings(logging.Handler):
    """Keeps the SDK's warnings: a payload that does not fit its model is handed out raw with one."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.said.append(record.getMessage())


class Sdk:
    """The SDK's streams, with the REST calls that make something happen."""

    def __init__(self, url: str, tap: _Tap) -> None:
        self._url = url
        self._tap = tap
        self.warnings = _Warnings()
        logging.getLogger().addHandler(self.warnings)
        self.rest = self._rest("up-key", "up-secret")
        self.other = self._rest("down-key", "down-secret")
        configuration = ConfigurationWebSocketStreams(stream_url=url.replace("http", "ws"))
        self._client = DerivativesTradingUsdsFutures(config_ws_streams=configuration).websocket_streams
        self.connection: Any = None
        self.called: set[str] = set()

    def _rest(self, key: str, secret: str) -> Any:
        configuration = ConfigurationRestAPI(
            api_key=key, api_secret=secret, base_path=self._url, retries=0, timeout=60_000
        )
        return DerivativesTradingUsdsFutures(config_rest_api=configuration).rest_api

    def fault(self, kind: str, **given: Any) -> None:
        """Let something go wrong."""
        body = json.dumps({"kind": kind, "with": given}).encode()
        urllib.request.urlopen(f"{self._url}/faults", body).close()  # noqa: S310 - our own exchange

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        request = urllib.request.Request(f"{self._url}/faults", method="DELETE")  # noqa: S310 - as above
        urllib.request.urlopen(request).close()  # noqa: S310 - as above

    async def connect(self) -> Sdk:
        """Open its three sockets."""
        self.connection = await self._client.create_connection()
        return self

    @asynccontextmanager
    async def listening(self, method: str, **parameters: Any) -> AsyncIterator[asyncio.Queue[Any]]:
        """Subscribe by a method of the SDK; gives what it hands out, until it unsubscribes."""
        self.called.add(method)
        stream = await getattr(self.connection, method)(**parameters)
        got: asyncio.Queue[Any] = asyncio.Queue()
        stream.on("message", got.put_nowait)
        try:
            yield got
        finally:
            await stream.unsubscribe()
        expect(not self.warnings.said, self.warnings.said)

    async def frames(
        self, method: str, count: int = 1, act: Callable[[], None] | None = None, **parameters: Any
    ) -> list[Any]:
        """Subscribe, do something, and return what the SDK hands out."""
        async with self.listening(method, **parameters) as got:
            if act is not None:
                await (
                    self.connection.list_subscribe()
                )  # answered, so the subscription before it has been heard
                await asyncio.to_thread(act)
            return [await got.get() for _ in range(count)]

    def raw(self, event: str, stream: str = "") -> list[Any]:
        """Return the payloads with this event that came in so far."""
        frames = [body for body in self._tap.heard if "data" in body and body["stream"].endswith(stream)]
        payloads = [frame["data"] for frame in frames]
        single = [
            row for payload in payloads for row in (payload if isinstance(payload, list) else [payload])
        ]
        return [row for row in single if row["e"] == event]

    def check(self, event: str, model: Any, stream: str = "", absent: Collection[str] = ()) -> None:
        """Hold all payloads of an event against its model."""
        found = self.raw(event, stream)
        expect(found, f"no {event} has come")
        kind = {} if "e" in model.model_fields else {"e": event}  # of user data the SDK's models leave it out
        for body in found:
            content = {name: value for name, value in body.items() if name not in kind}
            wrong = differences(content, model, event, frozenset(absent))
            expect(not wrong, f"{'; '.join(wrong)} in {body}")

    async def close(self) -> None:
        """Close the sockets."""
        await self._client.close_connection(close_session=True)


async def make(url: str) -> Sdk:
    """Return the client, connected."""
    tap = _Tap()
    binance_common.websocket.json = tap
    return await Sdk(url, tap).connect()


# --- market streams -----------------------------------------------------------------------------------


@case
async def mark_price_stream(sdk: Sdk) -> None:
    """The mark of one symbol, every second."""
    async with sdk.listening("mark_price_stream", symbol="btcusdt", update_speed="1s") as got:
        first = second = await got.get()
        while second.E == first.E:  # a market that was busy repeats its mark
            second = await got.get()
    expect(first.s == "BTCUSDT" and first.E < second.E, (first, second))
    sdk.check("markPriceUpdate", models.MarkPriceStreamResponse, "btcusdt@markPrice@1s")


@case
async def mark_price_stream_for_all_market(sdk: Sdk) -> None:
    """The marks of all symbols in one frame."""
    (rows,) = await sdk.frames("mark_price_stream_for_all_market", update_speed="1s")
    expect({row.s for row in rows} == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}, rows)
    sdk.check("markPriceUpdate", models.MarkPriceStreamForAllMarketResponseInner, "!markPrice@arr@1s")


@case
async def aggregate_trade_streams(sdk: Sdk) -> None:
    """Aggregate trades, in order of their ids."""
    rows = await sdk.frames("aggregate_trade_streams", 3, symbol="btcusdt")
    expect([row.a for row in rows] == sorted({row.a for row in rows}), rows)
    sdk.check("aggTrade", models.AggregateTradeStreamsResponse)


@case
async def kline_candlestick_streams(sdk: Sdk) -> None:
    """The present candle."""
    (row,) = await sdk.frames("kline_candlestick_streams", symbol="btcusdt", interval="1m")
    expect(row.k.i == "1m" and float(row.k.l) <= float(row.k.c) <= float(row.k.h), row)
    sdk.check("kline", models.KlineCandlestickStreamsResponse)


@case
async def continuous_contract_kline_candlestick_streams(sdk: Sdk) -> None:
    """The present candle of the perpetual contract of a pair."""
    contract: Any = {"pair": "btcusdt", "contract_type": "perpetual", "interval": "1m"}
    (row,) = await sdk.frames("continuous_contract_kline_candlestick_streams", **contract)
    expect((row.ps, row.ct) == ("BTCUSDT", "PERPETUAL"), row)
    sdk.check("continuous_kline", models.ContinuousContractKlineCandlestickStreamsResponse)


@case
async def individual_symbol_ticker_streams(sdk: Sdk) -> None:
    """The last 24 hours of a symbol."""
    await sdk.frames("individual_symbol_ticker_streams", symbol="btcusdt")
    sdk.check("24hrTicker", models.IndividualSymbolTickerStreamsResponse, "btcusdt@ticker")


@case
async def individual_symbol_mini_ticker_stream(sdk: Sdk) -> None:
    """The last 24 hours of a symbol, in short."""
    await sdk.frames("individual_symbol_mini_ticker_stream", symbol="btcusdt")
    sdk.check("24hrMiniTicker", models.IndividualSymbolMiniTickerStreamResponse, "btcusdt@miniTicker")


@case
async def all_market_tickers_streams(sdk: Sdk) -> None:
    """The last 24 hours of all symbols."""
    (rows,) = await sdk.frames("all_market_tickers_streams")
    expect(len(rows) == 3, rows)
    sdk.check("24hrTicker", models.AllMarketTickersStreamsResponseInner, "!ticker@arr")


@case
async def all_market_mini_tickers_stream(sdk: Sdk) -> None:
    """The last 24 hours of all symbols, in short."""
    (rows,) = await sdk.frames("all_market_mini_tickers_stream")
    expect(len(rows) == 3, rows)
    sdk.check("24hrMiniTicker", models.AllMarketMiniTickersStreamResponseInner, "!miniTicker@arr")


@case
async def asset_index(sdk: Sdk) -> None:
    """The price of collateral."""
    (rows,) = await sdk.frames("asset_index")
    expect([row.s for row in rows] == ["USDTUSD"], rows)
    sdk.check("assetIndexUpdate", models.AssetIndexResponseInner)


def _bet(sdk: Sdk) -> None:
    """Let the other account bet against the next leap of SOLUSDT, with all that it has."""
    order = {"symbol": "SOLUSDT", "type": "MARKET", "quantity": 2_000}
    sdk.other.change_initial_leverage(symbol="SOLUSDT", leverage=20)
    for _ in range(10):
        mark = float(sdk.other.mark_price(symbol="SOLUSDT").data().actual_instance.mark_price)
        side, other = ("BUY", "SELL") if mark > 130 else ("SELL", "BUY")
        placed = sdk.other.new_order(side=side, **order).data()
        paid = sdk.other.query_order(symbol="SOLUSDT", order_id=placed.order_id).data().avg_price
        if (float(paid) > 130) == (mark > 130):
            return
        sdk.other.new_order(side=other, **order)  # it leapt in between, and would not be against this
    raise AssertionError("it leapt in between each time")


@case
async def liquidation_order_streams(sdk: Sdk) -> None:
    """A liquidation is told by the stream of its symbol and by that of all symbols."""
    async with (
        sdk.listening("liquidation_order_streams", symbol="solusdt") as one,
        sdk.listening("all_market_liquidation_order_streams") as of_all,
    ):
        await sdk.connection.list_subscribe()  # answered, so the subscriptions have been heard
        await asyncio.to_thread(_bet, sdk)
        order = (await one.get()).o
        expect((order.s, order.o, order.f) == ("SOLUSDT", "LIMIT", "IOC"), order)
        expect((await of_all.get()).ps == "SOLUSDT", "the symbol is missing")
    sdk.check("forceOrder", models.LiquidationOrderStreamsResponse, "solusdt@forceOrder")
    sdk.check("forceOrder", models.AllMarketLiquidationOrderStreamsResponse, "!forceOrder@arr")


# --- order books --------------------------------------------------------------------------------------


@case
async def individual_symbol_book_ticker_streams(sdk: Sdk) -> None:
    """Best bid and ask of a symbol whenever they change."""
    first, second = await sdk.frames("individual_symbol_book_ticker_streams", 2, symbol="btcusdt")
    expect(first.u < second.u and float(first.b) < float(first.a), (first, second))
    sdk.check("bookTicker", models.IndividualSymbolBookTickerStreamsResponse, "btcusdt@bookTicker")


@case
async def all_book_tickers_stream(sdk: Sdk) -> None:
    """Best bid and ask of all symbols."""
    rows = await sdk.frames("all_book_tickers_stream", 3)
    expect({row.s for row in rows} == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}, rows)
    sdk.check("bookTicker", models.AllBookTickersStreamResponse, "!bookTicker")


@case
async def partial_book_depth_streams(sdk: Sdk) -> None:
    """The first ten levels."""
    (row,) = await sdk.frames(
        "partial_book_depth_streams", symbol="btcusdt", levels="10", update_speed="100ms"
    )
    expect(len(row.b) == len(row.a) == 10, row)
    sdk.check("depthUpdate", models.PartialBookDepthStreamsResponse, "btcusdt@depth10@100ms")


@case
async def diff_book_depth_streams(sdk: Sdk) -> None:
    """Changes of the book in an unbroken chain, which a snapshot falls into."""
    async with sdk.listening("diff_book_depth_streams", symbol="btcusdt", update_speed="100ms") as got:
        await sdk.connection.list_subscribe()  # answered, so the subscription has been heard
        snapshot = await asyncio.to_thread(sdk.rest.order_book, symbol="BTCUSDT", limit=1000)
        number = snapshot.data().last_update_id
        rows = [await got.get()]
        while len(rows) < 5 or rows[-1].u < number:
            rows.append(await got.get())
    expect(all(after.pu == before.u for before, after in itertools.pairwise(rows)), rows)
    expect(any(row.U <= number <= row.u for row in rows), (number, [(row.U, row.u) for row in rows]))
    sdk.check("depthUpdate", models.DiffBookDepthStreamsResponse, "btcusdt@depth@100ms")


@case
async def rpi_diff_book_depth_streams(sdk: Sdk) -> None:
    """Changes of the book, of which no part is hidden here."""
    await sdk.frames("rpi_diff_book_depth_streams", symbol="btcusdt")
    sdk.check("depthUpdate", models.RpiDiffBookDepthStreamsResponse, "btcusdt@rpiDepth@500ms")


# --- what has no frames, and housekeeping -------------------------------------------------------------


@case
async def streams_with_nothing_to_tell(sdk: Sdk) -> None:
    """They can be subscribed to and left."""
    for method in sorted(SILENT):
        sdk.called.add(method)
        parameters = {"symbol": "btcusdt"} if method.startswith("composite") else {}
        stream = await getattr(sdk.connection, method)(**parameters)
        await stream.unsubscribe()
    expect(not sdk.warnings.said, sdk.warnings.said)


@case
async def contract_info_stream(sdk: Sdk) -> None:
    """Brackets that change, and a symbol that closes, which faults do."""

    def act() -> None:
        sdk.fault("brackets_changed", symbol="SOLUSDT", share=0.5)
        sdk.fault("delisted", symbol="SOLUSDT")

    rows = await sdk.frames("contract_info_stream", 2, act)
    expect([(row.s, row.cs) for row in rows] == [("SOLUSDT", "TRADING"), ("SOLUSDT", "SETTLING")], rows)
    expect(rows[1].bks is None and rows[0].bks[0].bnc == 150_000, rows)
    sdk.check("contractInfo", models.ContractInfoStreamResponse, absent={"bks"})
    sdk.clear_faults()


@case
async def list_subscribe(sdk: Sdk) -> None:
    """The SDK's list of subscriptions is the venue's."""
    stream = await sdk.connection.mark_price_stream(symbol="ethusdt")
    listed = await sdk.connection.list_subscribe()
    expect("ethusdt@markPrice" in json.dumps(listed, default=str), listed)
    await stream.unsubscribe()


@case
async def ping_server(sdk: Sdk) -> None:
    """A ping does no harm."""
    for connection in sdk.connection.connections:
        await sdk.connection.ping_server(connection)


@case
async def every_stream_has_its_case(sdk: Sdk) -> None:
    """Nothing that the SDK offers is forgotten."""
    offered = {
        name
        for api in (market_api.MarketApi, public_api.PublicApi)
        for name, _ in inspect.getmembers(api, inspect.isfunction)
        if not name.startswith("_")
    }
    expect(offered == sdk.called, f"no case: {offered - sdk.called}; not offered: {sdk.called - offered}")


# --- user data ----------------------------------------------------------------------------------------


def _trade(sdk: Sdk) -> None:
    sdk.rest.new_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01)


async def _told(sdk: Sdk, act: Callable[[], None], count: int) -> list[Any]:
    """Listen to the account's events while something is done."""
    key = sdk.rest.start_user_data_stream().data().listen_key
    rows = await sdk.frames("user_data", count, act, listenKey=key)
    sdk.called.discard("user_data")
    return [row.actual_instance for row in rows]


@case
async def user_data_of_a_trade(sdk: Sdk) -> None:
    """A market order is told by TRADE_LITE, ORDER_TRADE_UPDATE and ACCOUNT_UPDATE."""
    rows = await _told(sdk, lambda: _trade(sdk), 4)
    kinds = {models.TradeLite, models.OrderTradeUpdate, models.AccountUpdate}
    expect({type(row) for row in rows} == kinds, rows)
    sdk.check("TRADE_LITE", models.TradeLite)
    sdk.check("ORDER_TRADE_UPDATE", models.OrderTradeUpdate, absent=OPTIONAL)
    sdk.check("ACCOUNT_UPDATE", models.AccountUpdate, absent={"S"})


@case
async def user_data_of_a_cancelled_order(sdk: Sdk) -> None:
    """An order that rests and is cancelled is told twice."""

    def act() -> None:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "time_in_force": "GTC"}
        placed = sdk.rest.new_order(**order, quantity=0.01, price=50_000).data()
        sdk.rest.cancel_order(symbol="BTCUSDT", order_id=placed.order_id)

    rows = await _told(sdk, act, 2)
    expect([row.o.X for row in rows] == ["NEW", "CANCELED"], rows)
    sdk.check("ORDER_TRADE_UPDATE", models.OrderTradeUpdate, absent=OPTIONAL)


@case
async def user_data_of_an_amended_order(sdk: Sdk) -> None:
    """A changed order is told as AMENDMENT."""

    def act() -> None:
        order = {"symbol": "BTCUSDT", "side": "BUY", "quantity": 0.01}
        placed = sdk.rest.new_order(**order, type="LIMIT", time_in_force="GTC", price=50_000).data()
        sdk.rest.modify_order(**order, order_id=placed.order_id, price=51_000)
        sdk.rest.cancel_order(symbol="BTCUSDT", order_id=placed.order_id)

    rows = await _told(sdk, act, 3)
    expect([row.o.x for row in rows] == ["NEW", "AMENDMENT", "CANCELED"], rows)


@case
async def user_data_of_leverage(sdk: Sdk) -> None:
    """A change of leverage is told."""
    (row,) = await _told(sdk, lambda: sdk.rest.change_initial_leverage(symbol="ETHUSDT", leverage=7), 1)
    expect((row.ac.s, row.ac.l) == ("ETHUSDT", 7), row)
    sdk.check("ACCOUNT_CONFIG_UPDATE", models.AccountConfigUpdate, absent={"ai"})


@case
async def user_data_of_an_algo_order(sdk: Sdk) -> None:
    """A conditional order is told when it is placed and when it is cancelled."""

    def act() -> None:
        order = {"algo_type": "CONDITIONAL", "symbol": "BTCUSDT", "side": "BUY", "type": "STOP_MARKET"}
        placed = sdk.rest.new_algo_order(**order, quantity=0.01, trigger_price=70_000).data()
        sdk.rest.cancel_algo_order(algo_id=placed.algo_id)

    rows = await _told(sdk, act, 2)
    expect([row.o.X for row in rows] == ["NEW", "CANCELED"], rows)
    optional = {"ap", "aq", "act"}  # once it has become an order
    sdk.check("ALGO_UPDATE", models.AlgoUpdate, absent=optional)


@case
async def user_data_of_a_margin_change(sdk: Sdk) -> None:
    """A change to isolated margin is told."""
    await _told(sdk, lambda: sdk.rest.change_margin_type(symbol="ETHUSDT", margin_type="ISOLATED"), 1)
    sdk.check("ACCOUNT_UPDATE", models.AccountUpdate, absent={"S"})


run(make)
