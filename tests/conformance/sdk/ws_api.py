"""The official SDK's websocket API, each answer held against its model. Run by conftest.py."""

from __future__ import annotations

import inspect
import itertools
import json
from typing import TYPE_CHECKING, Any

import binance_common.websocket
from binance_common.configuration import ConfigurationWebSocketAPI
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
    DerivativesTradingUsdsFutures,
)
from binance_sdk_derivatives_trading_usds_futures.websocket_api import models
from binance_sdk_derivatives_trading_usds_futures.websocket_api.api import (
    account_api,
    market_data_api,
    trade_api,
    user_data_streams_api,
)

from tests.conformance.harness import case, expect, run
from tests.conformance.sdk.strict import differences

if TYPE_CHECKING:
    from collections.abc import Collection


ICEBERG = {"icebergQuantity"}  # null, as the venue documents it


class _Tap:
    """Stands in for the json module inside the SDK, and keeps the last message that came in."""

    dumps = staticmethod(json.dumps)

    def __init__(self) -> None:
        self.last: Any = None

    def loads(self, text: str) -> Any:
        """Return what a text says."""
        self.last = json.loads(text)
        return self.last


class Sdk:
    """The SDK's websocket API, whose calls fail where an answer is not what its model declares."""

    def __init__(self, url: str, tap: _Tap) -> None:
        self._tap = tap
        configuration = ConfigurationWebSocketAPI(
            api_key="up-key", api_secret="up-secret", stream_url=f"{url.replace('http', 'ws')}/ws-fapi/v1"
        )
        self._client = DerivativesTradingUsdsFutures(config_ws_api=configuration).websocket_api
        self.connection: Any = None
        self.called: set[str] = set()
        self._numbers = itertools.count(1)

    async def connect(self) -> Sdk:
        """Open its socket."""
        self.connection = await self._client.create_connection()
        return self

    async def call(self, method: str, absent: Collection[str] = (), **parameters: Any) -> Any:
        """Call a method, check the answer against the model, and return its result as it came."""
        self.called.add(method)
        answer = await getattr(self.connection, method)(**parameters)
        answer.data()  # the SDK parses it
        raw = self._tap.last
        expect(raw.get("status") == 200, raw)
        name = "".join(part.capitalize() for part in method.split("_")) + "Response"
        wrong = differences(raw, getattr(models, name), method, frozenset(absent))
        expect(not wrong, "; ".join(wrong))
        expect(answer.rate_limits, "no rate limits")
        return raw["result"]

    async def refused(self, method: str, **parameters: Any) -> int:
        """Return the error code of a call that is refused."""
        self.called.add(method)
        await getattr(self.connection, method)(**parameters)
        return int(self._tap.last["error"]["code"])

    def client_id(self) -> str:
        """Return a client id that has not been used."""
        return f"ws-{next(self._numbers)}"

    async def rest(self) -> Any:
        """Place a buy far below the market."""
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "time_in_force": "GTC"}
        return await self.call("new_order", **order, quantity=0.01, price=50_000)

    async def close(self) -> None:
        """Close the socket."""
        await self._client.close_connection(close_session=True)


async def make(url: str) -> Sdk:
    """Return the client, connected."""
    tap = _Tap()
    binance_common.websocket.json = tap
    return await Sdk(url, tap).connect()


# --- market -------------------------------------------------------------------------------------------


@case
async def order_book(sdk: Sdk) -> None:
    """Five levels a side."""
    book = await sdk.call("order_book", {"bids", "asks"}, symbol="BTCUSDT", limit=5)
    expect(len(book["bids"]) == len(book["asks"]) == 5, book)


@case
async def symbol_price_ticker(sdk: Sdk) -> None:
    """One symbol, and all."""
    one = await sdk.call("symbol_price_ticker", symbol="BTCUSDT")
    every = await sdk.call("symbol_price_ticker")
    expect(one["symbol"] in {row["symbol"] for row in every}, every)


@case
async def symbol_order_book_ticker(sdk: Sdk) -> None:
    """One symbol, and all."""
    one = await sdk.call("symbol_order_book_ticker", symbol="BTCUSDT")
    every = await sdk.call("symbol_order_book_ticker")
    expect(one["symbol"] in {row["symbol"] for row in every}, every)


# --- orders -------------------------------------------------------------------------------------------


@case
async def new_order(sdk: Sdk) -> None:
    """An order with all the parameters that the SDK knows."""
    placed = await sdk.call(
        "new_order",
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        time_in_force="IOC",
        quantity=0.01,
        price=61_000,
        position_side="BOTH",
        reduce_only="false",
        new_client_order_id="ws:with/all",
        new_order_resp_type="RESULT",
        recv_window=60_000,
    )
    expect((placed["status"], placed["clientOrderId"]) == ("FILLED", "ws:with/all"), placed)


@case
async def query_order(sdk: Sdk) -> None:
    """A resting order is found by its id; one that was never there is not."""
    placed = await sdk.rest()
    trailing = {"activatePrice", "priceRate"}
    found = await sdk.call("query_order", trailing, symbol="BTCUSDT", order_id=placed["orderId"])
    expect(found["status"] == "NEW", found)
    expect(await sdk.refused("query_order", symbol="BTCUSDT", order_id=1) == -2013, "found")


@case
async def cancel_order(sdk: Sdk) -> None:
    """A resting order is cancelled once."""
    placed = await sdk.rest()
    trailing = {"activatePrice", "priceRate"}
    gone = await sdk.call("cancel_order", trailing, symbol="BTCUSDT", order_id=placed["orderId"])
    expect(gone["status"] == "CANCELED", gone)
    expect(await sdk.refused("cancel_order", symbol="BTCUSDT", order_id=placed["orderId"]) == -2011, "again")


@case
async def modify_order(sdk: Sdk) -> None:
    """A resting order gets another price."""
    placed = await sdk.rest()
    change = {"symbol": "BTCUSDT", "side": "BUY", "quantity": 0.02, "order_id": placed["orderId"]}
    changed = await sdk.call("modify_order", {"modifyId"}, **change, price=50_100)
    expect((float(changed["price"]), float(changed["origQty"])) == (50_100, 0.02), changed)


@case
async def new_algo_order(sdk: Sdk) -> None:
    """A conditional order waits."""
    order = {"algo_type": "CONDITIONAL", "symbol": "BTCUSDT", "side": "BUY", "type": "STOP_MARKET"}
    placed = await sdk.call("new_algo_order", ICEBERG, **order, quantity=0.01, trigger_price=70_000)
    expect(placed["algoStatus"] == "NEW", placed)


@case
async def cancel_algo_order(sdk: Sdk) -> None:
    """A conditional order is cancelled."""
    order = {"algo_type": "CONDITIONAL", "symbol": "BTCUSDT", "side": "BUY", "type": "STOP_MARKET"}
    placed = await sdk.call("new_algo_order", ICEBERG, **order, quantity=0.01, trigger_price=70_000)
    await sdk.call("cancel_algo_order", algo_id=placed["algoId"])


# --- account ------------------------------------------------------------------------------------------


@case
async def position_information(sdk: Sdk) -> None:
    """Positions with their settings."""
    rows = await sdk.call("position_information", symbol="BTCUSDT")
    expect(len(rows) == 1, rows)


@case
async def position_information_v2(sdk: Sdk) -> None:
    """Positions without their settings."""
    rows = await sdk.call("position_information_v2", symbol="BTCUSDT")
    expect(len(rows) == 1, rows)


@case
async def futures_account_balance(sdk: Sdk) -> None:
    """The balance."""
    await sdk.call("futures_account_balance")


@case
async def futures_account_balance_v2(sdk: Sdk) -> None:
    """The balance, second version."""
    await sdk.call("futures_account_balance_v2")


@case
async def account_information(sdk: Sdk) -> None:
    """The account with all positions."""
    await sdk.call("account_information")


@case
async def account_information_v2(sdk: Sdk) -> None:
    """The account with the positions in use."""
    await sdk.call("account_information_v2", {"marginAvailable"})  # in multi-assets mode only


@case
async def user_data_streams(sdk: Sdk) -> None:
    """A listen key is started, kept and stopped."""
    started = await sdk.call("start_user_data_stream")
    expect(await sdk.call("keepalive_user_data_stream") == started, "another key")
    expect(await sdk.call("close_user_data_stream") == {}, "closed")
    expect(await sdk.refused("keepalive_user_data_stream") == -1125, "kept")


@case
async def every_method_has_its_case(sdk: Sdk) -> None:
    """Nothing that the SDK offers is forgotten."""
    offered = {
        name
        for api in (
            account_api.AccountApi,
            market_data_api.MarketDataApi,
            trade_api.TradeApi,
            user_data_streams_api.UserDataStreamsApi,
        )
        for name, _ in inspect.getmembers(api, inspect.isfunction)
        if not name.startswith("_")
    }
    expect(offered == sdk.called, f"no case: {offered - sdk.called}; not offered: {sdk.called - offered}")


run(make)
