"""ccxt.pro's methods over websockets. Run by conftest.py."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import ccxt
import ccxt.pro

from tests.conformance.ccxt.offered import of_sockets, offered
from tests.conformance.harness import case, expect, run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SYMBOL, OTHER, LEAPING = "BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"


def client(url: str, key: str, secret: str) -> Any:
    """Return a client of this exchange only, patient with a busy machine, otherwise as it comes."""
    ws = url.replace("http", "ws")
    api = {
        "fapiPublic": f"{url}/fapi/v1",
        "fapiPublicV2": f"{url}/fapi/v2",
        "fapiPrivate": f"{url}/fapi/v1",
        "fapiPrivateV2": f"{url}/fapi/v2",
        "fapiPrivateV3": f"{url}/fapi/v3",
        "sapi": f"{url}/sapi/v1",
        "ws": {"linear": f"{ws}/ws", "ws-api": {"linear": f"{ws}/ws-fapi/v1"}},
    }
    options = {"fetchCurrencies": False, "recvWindow": 60_000}
    settings = {"apiKey": key, "secret": secret, "timeout": 60_000, "urls": {"api": api}, "options": options}
    made = ccxt.pro.binanceusdm(settings)
    made.exceptions["exact"].update(made.exceptions["linear"]["exact"])
    return made


class Noted:
    """A client that notes which of its methods have been called."""

    def __init__(self, wrapped: Any) -> None:
        self.wrapped = wrapped
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.called.add(name)
        return getattr(self.wrapped, name)


class Pro:
    """Two clients: the one that is looked at, and another account that trades beside it."""

    def __init__(self, url: str) -> None:
        self.api = Noted(client(url, "up-key", "up-secret"))
        self.other = Noted(client(url, "down-key", "down-secret"))

    async def told(
        self, watch: Callable[[], Awaitable[Any]], act: Callable[[], Awaitable[Any]], every_s: float = 20.0
    ) -> Any:
        """Return what a watch gives after something was done while it waited.

        It is done again while nothing comes, for no client says when its stream is open.
        """
        waiting = asyncio.ensure_future(watch())
        try:
            while not waiting.done():
                await asyncio.sleep(1)
                await act()
                await asyncio.wait((waiting,), timeout=every_s)
        finally:
            waiting.cancel()
        return await waiting

    async def trade(self) -> Any:
        """Buy a little."""
        return await self.api.create_order(SYMBOL, "market", "buy", 0.01)

    async def close(self) -> None:
        """Close both clients."""
        await self.api.close()
        await self.other.close()


# --- market -------------------------------------------------------------------------------------------


@case
async def watch_mark_price(pro: Pro) -> None:
    """The mark, with index and time."""
    first = second = await pro.api.watch_mark_price(SYMBOL)
    expect(first["markPrice"] and first["indexPrice"], first)
    while second["timestamp"] == first["timestamp"]:  # a market that was busy repeats its mark
        second = await pro.api.watch_mark_price(SYMBOL)
    expect(first["timestamp"] < second["timestamp"], (first, second))


@case
async def watch_mark_prices(pro: Pro) -> None:
    """The marks of some symbols, and of all."""
    some = await pro.api.watch_mark_prices([SYMBOL, OTHER])
    expect(set(some) <= {SYMBOL, OTHER}, some)
    every = await pro.api.watch_mark_prices()
    expect({SYMBOL, OTHER, LEAPING} <= set(every), every)


@case
async def watch_order_book(pro: Pro) -> None:
    """A local book from snapshot and changes equals the venue's, and moves."""
    book = await pro.api.watch_order_book(SYMBOL)
    nonce = book["nonce"]
    for _ in range(5):
        book = await pro.api.watch_order_book(SYMBOL)
    expect(book["nonce"] > nonce, (nonce, book["nonce"]))
    expect(book["bids"][0][0] < book["asks"][0][0], book["bids"][0])
    expect(len(book["bids"]) >= 20, len(book["bids"]))


@case
async def watch_order_book_for_symbols(pro: Pro) -> None:
    """Books of two symbols."""
    book = await pro.api.watch_order_book_for_symbols([SYMBOL, OTHER])
    expect(book["symbol"] in {SYMBOL, OTHER}, book["symbol"])


@case
async def watch_trades(pro: Pro) -> None:
    """Public trades."""
    (row, *_) = await pro.api.watch_trades(SYMBOL)
    expect(row["price"] > 0 and row["amount"] > 0 and row["side"] in {"buy", "sell"}, row)


@case
async def watch_trades_one_by_one(pro: Pro) -> None:
    """Public trades that are not aggregated."""
    (row, *_) = await pro.api.watch_trades(OTHER, None, None, {"name": "trade"})
    expect(row["price"] > 0 and row["id"], row)


@case
async def watch_trades_for_symbols(pro: Pro) -> None:
    """Public trades of two symbols."""
    (row, *_) = await pro.api.watch_trades_for_symbols([SYMBOL, OTHER])
    expect(row["symbol"] in {SYMBOL, OTHER}, row)


@case
async def watch_ohlcv(pro: Pro) -> None:
    """The present candle."""
    (row, *_) = await pro.api.watch_ohlcv(SYMBOL, "1m")
    expect(row[3] <= row[4] <= row[2] and row[0] % 60_000 == 0, row)


@case
async def watch_ohlcv_for_symbols(pro: Pro) -> None:
    """The present candles of two symbols."""
    found = await pro.api.watch_ohlcv_for_symbols([[SYMBOL, "1m"], [OTHER, "5m"]])
    expect(set(found) <= {SYMBOL, OTHER}, found)


@case
async def watch_ticker(pro: Pro) -> None:
    """The last 24 hours."""
    row = await pro.api.watch_ticker(SYMBOL)
    expect(row["low"] <= row["last"] <= row["high"] and row["baseVolume"] > 0, row)


@case
async def watch_tickers(pro: Pro) -> None:
    """The last 24 hours of some symbols, and of all."""
    some = await pro.api.watch_tickers([OTHER])
    expect(set(some) == {OTHER}, some)
    every = await pro.api.watch_tickers()
    expect({SYMBOL, OTHER, LEAPING} <= set(every), every)


@case
async def watch_bids_asks(pro: Pro) -> None:
    """Best bid and ask."""
    found = await pro.api.watch_bids_asks([SYMBOL])
    row = found[SYMBOL]
    expect(row["bid"] < row["ask"] and row["bidVolume"] > 0, row)


@case
async def watch_liquidations(pro: Pro) -> None:
    """The liquidation of somebody else."""
    (row, *_) = await pro.told(lambda: pro.api.watch_liquidations(LEAPING), lambda: bet(pro.other))
    expect(row["symbol"] == LEAPING and row["contracts"] > 0 and row["price"] > 0, row)


@case
async def watch_liquidations_for_symbols(pro: Pro) -> None:
    """The same, with other symbols beside it."""
    (row, *_) = await pro.told(
        lambda: pro.api.watch_liquidations_for_symbols([SYMBOL, LEAPING]), lambda: bet(pro.other)
    )
    expect(row["symbol"] == LEAPING, row)


@case
async def watch_my_liquidations(pro: Pro) -> None:
    """An own one, by both methods."""
    # ccxt breaks (KeyError) on an update of an account whose balance it has not watched.
    await pro.told(pro.other.watch_balance, lambda: deposit(pro.other))
    for watch in (
        lambda: pro.other.watch_my_liquidations(LEAPING),
        lambda: pro.other.watch_my_liquidations_for_symbols([LEAPING]),
    ):
        (row, *_) = await pro.told(watch, lambda: bet(pro.other))
        expect(row["symbol"] == LEAPING, row)


async def deposit(account: Any) -> None:
    """Bring fresh money."""
    await account.sapi_post_asset_transfer({"type": "MAIN_UMFUTURE", "asset": "USDT", "amount": "20000"})


async def bet(account: Any) -> None:
    """With fresh money, hold so much of what leaps that the next leap liquidates it."""
    await account.load_markets()
    await deposit(account)
    free = (await account.fetch_balance())["USDT"]["free"]
    await account.set_leverage(20, LEAPING)
    mark = (await account.fetch_mark_price(LEAPING))["markPrice"]
    await account.create_order(LEAPING, "market", "buy" if mark > 130 else "sell", int(free / 40))


@case
async def un_watch(pro: Pro) -> None:
    """Subscriptions can be given up, one kind after another."""
    await pro.api.un_watch_order_book(SYMBOL)
    await pro.api.un_watch_trades(SYMBOL)
    await pro.api.un_watch_ohlcv(SYMBOL, "1m")
    await pro.api.un_watch_ticker(SYMBOL)
    await pro.api.un_watch_mark_prices([SYMBOL, OTHER])
    await pro.api.un_watch_bids_asks([SYMBOL])
    await pro.api.watch_mark_price(SYMBOL)
    await pro.api.un_watch_mark_price(SYMBOL)
    await pro.api.un_watch_tickers([OTHER])
    await pro.api.un_watch_ohlcv_for_symbols([[SYMBOL, "1m"], [OTHER, "5m"]])
    await pro.api.un_watch_order_book_for_symbols([SYMBOL, OTHER])
    await pro.api.un_watch_trades_for_symbols([SYMBOL, OTHER])


# --- account ------------------------------------------------------------------------------------------


@case
async def watch_orders(pro: Pro) -> None:
    """An order that was placed is told."""
    (row, *_) = await pro.told(pro.api.watch_orders, pro.trade, every_s=5)
    expect(row["symbol"] == SYMBOL and row["side"] == "buy", row)


@case
async def watch_my_trades(pro: Pro) -> None:
    """A fill is told, with its fee."""
    (row, *_) = await pro.told(pro.api.watch_my_trades, pro.trade, every_s=5)
    expect(row["amount"] == 0.01 and row["fee"]["cost"] > 0, row)


@case
async def watch_balance(pro: Pro) -> None:
    """The balance after a trade."""
    row = await pro.told(pro.api.watch_balance, pro.trade, every_s=5)
    expect(row["USDT"]["total"] is not None or row["total"], row)


@case
async def watch_positions(pro: Pro) -> None:
    """The position after a trade."""
    rows = await pro.told(pro.api.watch_positions, pro.trade, every_s=5)
    expect(any(row["symbol"] == SYMBOL and row["contracts"] > 0 for row in rows), rows)


# --- requests over the websocket ----------------------------------------------------------------------


async def _resting(pro: Pro) -> Any:
    return await pro.api.create_order_ws(SYMBOL, "limit", "buy", 0.01, 50_000)


@case
async def create_order_ws(pro: Pro) -> None:
    """An order that trades, and one that is refused with ccxt's class of error."""
    order = await pro.api.create_order_ws(SYMBOL, "market", "buy", 0.01)
    expect(order["id"] and order["symbol"] == SYMBOL, order)
    try:
        await pro.api.create_order_ws(SYMBOL, "limit", "buy", 900, 60_000)
    except ccxt.InsufficientFunds:
        return
    raise AssertionError("900 BTC were bought")


@case
async def create_orders_ws_by_their_short_names(pro: Pro) -> None:
    """A limit order and a market order."""
    resting = await pro.api.create_limit_order_ws(SYMBOL, "buy", 0.01, 50_000)
    expect(resting["price"] == 50_000, resting)
    taken = await pro.api.create_market_order_ws(SYMBOL, "buy", 0.01)
    expect(taken["id"], taken)


@case
async def fetch_order_ws(pro: Pro) -> None:
    """A resting order is found."""
    order = await _resting(pro)
    found = await pro.api.fetch_order_ws(order["id"], SYMBOL)
    expect(found["status"] == "open" and found["price"] == 50_000, found)


@case
async def edit_order_ws(pro: Pro) -> None:
    """A resting order gets another price."""
    order = await _resting(pro)
    changed = await pro.api.edit_order_ws(order["id"], SYMBOL, "limit", "buy", 0.02, 50_100)
    expect((changed["price"], changed["amount"]) == (50_100, 0.02), changed)


@case
async def cancel_order_ws(pro: Pro) -> None:
    """A resting order is cancelled once."""
    order = await _resting(pro)
    gone = await pro.api.cancel_order_ws(order["id"], SYMBOL)
    expect(gone["status"] == "canceled", gone)
    try:
        await pro.api.cancel_order_ws(order["id"], SYMBOL)
    except ccxt.OrderNotFound:
        return
    raise AssertionError("cancelled twice")


@case
async def create_trigger_order_ws(pro: Pro) -> None:
    """A conditional order waits."""
    order = await pro.api.create_order_ws(SYMBOL, "market", "buy", 0.01, None, {"stopLossPrice": 70_000})
    expect(order["id"], order)


@case
async def fetch_balance_ws(pro: Pro) -> None:
    """The balance, by both methods of the venue."""
    for method in ("v2/account.status", "account.balance"):
        row = await pro.api.fetch_balance_ws({"method": method})
        expect(row["USDT"]["total"] > 0, row)


@case
async def fetch_positions_ws(pro: Pro) -> None:
    """Positions, in both versions."""
    for method in ("account.position", "v2/account.position"):
        rows = await pro.api.fetch_positions_ws([SYMBOL], {"method": method})
        expect(rows[0]["symbol"] == SYMBOL, rows)
    row = await pro.api.fetch_position_ws(SYMBOL)
    expect(row, row)


@case
async def fetch_order_book_ws(pro: Pro) -> None:
    """The book."""
    book = await pro.api.fetch_order_book_ws(SYMBOL, 5)
    expect(len(book["bids"]) == len(book["asks"]) == 5 and book["nonce"], book)


@case
async def fetch_ticker_ws(pro: Pro) -> None:
    """The price, and best bid and ask."""
    price = await pro.api.fetch_ticker_ws(SYMBOL, {"method": "ticker.price"})
    expect(price["last"], price)
    book = await pro.api.fetch_ticker_ws(SYMBOL, {"method": "ticker.book"})
    expect(book["bid"] < book["ask"], book)


@case
async def every_method_has_been_called(pro: Pro) -> None:
    """What ccxt.pro says it has for this venue is called above, or named with the reason why it is not."""
    missing = of_sockets(offered(pro.api.wrapped)) - pro.api.called - pro.other.called
    expect(not missing, sorted(missing))


async def make(url: str) -> Pro:
    """Return the clients, with markets loaded."""
    pro = Pro(url)
    await pro.api.load_markets()
    return pro


run(make)
