"""python-binance's futures sockets and its websocket API. Run by conftest.py in its environment."""

from __future__ import annotations

import inspect
import itertools
import sys
from typing import TYPE_CHECKING, Any

from binance import AsyncClient, BinanceSocketManager
from binance.exceptions import BinanceAPIException
from binance.ws.depthcache import FuturesDepthCacheManager
from binance.ws.websocket_api import WebsocketAPI

from tests.conformance.harness import case, expect, run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SYMBOL = "BTCUSDT"
ORDER = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}


class Api:
    """The client, its sockets, and another account that trades beside it."""

    def __init__(self, url: str, client: AsyncClient, other: AsyncClient) -> None:
        ws = url.replace("http", "ws")
        for each in (client, other):
            each.FUTURES_URL = f"{url}/fapi"
            each.REQUEST_TIMEOUT, each.REQUEST_RECVWINDOW = 60, 60_000  # for a machine that is busy
        client.ws_future = WebsocketAPI(url=f"{ws}/ws-fapi/v1")
        client.ws_future.TIMEOUT = 60
        self.client = client
        self.other = other
        self.sockets = BinanceSocketManager(client)
        self.sockets.FSTREAM_URL = f"{ws}/"

    async def frames(
        self, socket: Any, count: int = 1, act: Callable[[], Awaitable[Any]] | None = None
    ) -> list[Any]:
        """Return the next frames of a socket, of which combined ones are unwrapped."""
        async with socket as stream:
            if act is not None:
                await act()
            rows = [await stream.recv() for _ in range(count)]
        expect(all(not isinstance(row, dict) or row.get("e") != "error" for row in rows), rows)
        return [row["data"] if isinstance(row, dict) and "data" in row else row for row in rows]

    async def rest(self) -> Any:
        """Place a buy far below the market over the websocket."""
        return await self.client.ws_futures_create_order(**ORDER, quantity="0.01", price="50000")

    async def close(self) -> None:
        """Close everything."""
        await self.client.close_connection()
        await self.other.close_connection()


async def make(url: str) -> Api:
    """Return the clients."""
    client = AsyncClient("up-key", "up-secret")
    return Api(url, client, AsyncClient("down-key", "down-secret"))


# --- market -------------------------------------------------------------------------------------------


@case
async def symbol_mark_price_socket(api: Api) -> None:
    """The mark, fast."""
    async with api.sockets.symbol_mark_price_socket(SYMBOL, fast=True) as stream:
        first = second = (await stream.recv())["data"]
        while second["E"] == first["E"]:  # a market that was busy repeats its mark
            second = (await stream.recv())["data"]
    expect(first["s"] == second["s"] == SYMBOL and first["E"] < second["E"], (first, second))


@case
async def symbol_mark_price_socket_slow(api: Api) -> None:
    """The mark, slow."""
    (row,) = await api.frames(api.sockets.symbol_mark_price_socket(SYMBOL, fast=False))
    expect(row["e"] == "markPriceUpdate", row)


@case
async def all_mark_price_socket(api: Api) -> None:
    """All marks."""
    (rows,) = await api.frames(api.sockets.all_mark_price_socket())
    expect(len(rows) == 3, rows)


@case
async def kline_futures_socket(api: Api) -> None:
    """The present candle of the contract."""
    (row,) = await api.frames(api.sockets.kline_futures_socket(SYMBOL, "1m"))
    expect((row["e"], row["ct"], row["k"]["i"]) == ("continuous_kline", "PERPETUAL", "1m"), row)


@case
async def aggtrade_futures_socket(api: Api) -> None:
    """Aggregate trades."""
    (row,) = await api.frames(api.sockets.aggtrade_futures_socket(SYMBOL))
    expect(row["e"] == "aggTrade" and float(row["q"]) > 0, row)


@case
async def futures_ticker_socket(api: Api) -> None:
    """The last 24 hours of all symbols."""
    (rows,) = await api.frames(api.sockets.futures_ticker_socket())
    expect({row["e"] for row in rows} == {"24hrTicker"}, rows)


@case
async def individual_symbol_ticker_futures_socket(api: Api) -> None:
    """The last 24 hours of a symbol."""
    (row,) = await api.frames(api.sockets.individual_symbol_ticker_futures_socket(SYMBOL))
    expect((row["e"], row["s"]) == ("24hrTicker", SYMBOL), row)


@case
async def symbol_ticker_futures_socket(api: Api) -> None:
    """Best bid and ask of a symbol."""
    (row,) = await api.frames(api.sockets.symbol_ticker_futures_socket(SYMBOL))
    expect(row["e"] == "bookTicker" and float(row["b"]) < float(row["a"]), row)


@case
async def all_ticker_futures_socket(api: Api) -> None:
    """Best bid and ask of all symbols, and the other channel that the method offers."""
    (row,) = await api.frames(api.sockets.all_ticker_futures_socket())
    expect(row["e"] == "bookTicker", row)
    (rows,) = await api.frames(api.sockets.all_ticker_futures_socket("!ticker@arr"))
    expect(len(rows) == 3, rows)


@case
async def futures_multiplex_socket(api: Api) -> None:
    """Several streams on one socket."""
    names = ["btcusdt@markPrice@1s", "ethusdt@markPrice@1s"]
    rows = await api.frames(api.sockets.futures_multiplex_socket(names), 2)
    expect({row["s"] for row in rows} == {"BTCUSDT", "ETHUSDT"}, rows)


@case
async def futures_depth_socket(api: Api) -> None:
    """The first levels of the book."""
    (row,) = await api.frames(api.sockets.futures_depth_socket(SYMBOL, "5"))
    expect(len(row["b"]) == len(row["a"]) == 5, row)


@case
async def futures_rpi_depth_socket(api: Api) -> None:
    """The changes of the book."""
    (row,) = await api.frames(api.sockets.futures_rpi_depth_socket(SYMBOL))
    expect(row["e"] == "depthUpdate", row)


@case
async def futures_depth_cache(api: Api) -> None:
    """The client's own depth cache."""
    async with FuturesDepthCacheManager(api.client, SYMBOL, bm=api.sockets) as manager:
        cache = await manager.recv()
    bids, asks = cache.get_bids(), cache.get_asks()
    expect(len(bids) == len(asks) == 10 and bids[0][0] < asks[0][0], (bids, asks))


# --- account ------------------------------------------------------------------------------------------


@case
async def futures_user_socket(api: Api) -> None:
    """A trade is told by four events."""

    async def trade() -> None:
        order = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        await api.client.futures_create_order(**order)

    rows = await api.frames(api.sockets.futures_user_socket(), 4, trade)
    kinds = ["TRADE_LITE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]
    expect([row["e"] for row in rows] == kinds, rows)


@case
async def futures_socket(api: Api) -> None:
    """The same by its other name."""
    change = {"symbol": "ETHUSDT", "leverage": 9}
    act = lambda: api.client.futures_change_leverage(**change)  # noqa: E731 - one line
    (row,) = await api.frames(api.sockets.futures_socket(), 1, act)
    expect((row["e"], row["ac"]) == ("ACCOUNT_CONFIG_UPDATE", {"s": "ETHUSDT", "l": 9}), row)


# --- websocket API ------------------------------------------------------------------------------------


@case
async def ws_futures_market(api: Api) -> None:
    """Book, price, and best bid and ask."""
    book = await api.client.ws_futures_get_order_book(symbol=SYMBOL, limit=5)
    expect(len(book["bids"]) == 5, book)
    expect((await api.client.ws_futures_get_all_tickers(symbol=SYMBOL))["price"], "no price")
    expect((await api.client.ws_futures_get_order_book_ticker(symbol=SYMBOL))["bidPrice"], "no bid")


@case
async def ws_futures_create_order(api: Api) -> None:
    """An order, and the error of one that cannot be."""
    placed = await api.rest()
    expect(placed["status"] == "NEW" and placed["clientOrderId"].startswith("x-"), placed)
    try:
        await api.client.ws_futures_create_order(**ORDER, quantity="900", price="60000")
    except BinanceAPIException as error:
        expect(error.code == -2019, error)
        return
    raise AssertionError("900 BTC were bought")


@case
async def ws_futures_get_and_cancel_order(api: Api) -> None:
    """A resting order is found and cancelled."""
    number = (await api.rest())["orderId"]
    found = await api.client.ws_futures_get_order(symbol=SYMBOL, orderId=number)
    expect(found["status"] == "NEW", found)
    gone = await api.client.ws_futures_cancel_order(symbol=SYMBOL, orderId=number)
    expect(gone["status"] == "CANCELED", gone)


@case
async def ws_futures_edit_order(api: Api) -> None:
    """A resting order gets another price."""
    number = (await api.rest())["orderId"]
    change = {"symbol": SYMBOL, "side": "BUY", "orderId": number, "quantity": "0.02", "price": "50100"}
    changed = await api.client.ws_futures_edit_order(**change)
    expect(float(changed["price"]) == 50_100, changed)


@case
async def ws_futures_algo_orders(api: Api) -> None:
    """Conditional orders, by the methods for them and by the ones for orders."""
    numbers = itertools.count(1)
    order = {"symbol": SYMBOL, "side": "BUY", "type": "STOP_MARKET", "quantity": "0.01"}
    by_type = await api.client.ws_futures_create_order(**order, stopPrice="70000")
    by_name = await api.client.ws_futures_create_algo_order(
        **order, algoType="CONDITIONAL", triggerPrice="70000", clientAlgoId=f"algo-{next(numbers)}"
    )
    await api.client.ws_futures_cancel_order(symbol=SYMBOL, algoId=by_type["algoId"])
    await api.client.ws_futures_cancel_algo_order(algoId=by_name["algoId"])


@case
async def ws_futures_account(api: Api) -> None:
    """Position, balance and status, in both versions."""
    for method in (
        "account_position",
        "v2_account_position",
        "account_balance",
        "v2_account_balance",
        "account_status",
        "v2_account_status",
    ):
        expect(await getattr(api.client, f"ws_futures_{method}")(), method)


@case
async def every_method_has_its_case(api: Api) -> None:
    """Nothing that the client offers for USD-M futures over websockets is forgotten."""
    text = inspect.getsource(sys.modules["__main__"])
    offered = {name for name in dir(api.client) if name.startswith("ws_futures_")}
    offered |= {name for name in dir(api.sockets) if "futures" in name and "coin" not in name}
    offered -= {name for name in offered if name.startswith("_")}
    missing = {name for name in offered if name.removeprefix("ws_futures_") not in text}
    expect(not missing, f"no case: {missing}")


run(make)
