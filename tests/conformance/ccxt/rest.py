"""ccxt's unified methods over REST, by its sync or its async client. Run by conftest.py."""

from __future__ import annotations

import inspect
import itertools
import sys
from typing import Any

import ccxt
import ccxt.async_support

from tests.conformance.ccxt.offered import of_sockets, offered
from tests.conformance.harness import case, expect, run

SYMBOL = "BTC/USDT:USDT"


class Api:
    """One of the two clients, called by the names of its methods."""

    def __init__(self, url: str, client: Any) -> None:
        for part, version in (
            ("Public", 1),
            ("PublicV2", 2),
            ("Private", 1),
            ("PrivateV2", 2),
            ("PrivateV3", 3),
        ):
            client.urls["api"][f"fapi{part}"] = f"{url}/fapi/v{version}"
        client.urls["api"]["fapiData"] = f"{url}/futures/data"
        client.urls["api"]["sapi"] = f"{url}/sapi/v1"
        client.timeout, client.options["recvWindow"] = 60_000, 60_000  # for a machine that is busy
        client.options["fetchCurrencies"] = False
        client.options["warnOnFetchOpenOrdersWithoutSymbol"] = False
        # Off the venue's own hosts ccxt knows the errors of futures only by this.
        client.exceptions["exact"].update(client.exceptions["linear"]["exact"])
        self.client = client
        self.called: set[str] = set()

    async def __call__(self, method: str, *arguments: Any, **parameters: Any) -> Any:
        """Call a method and return its answer."""
        self.called.add(method)
        answer = getattr(self.client, method)(*arguments, **parameters)
        return await answer if inspect.isawaitable(answer) else answer

    async def refused(self, error: type[Exception], method: str, *arguments: Any, **parameters: Any) -> str:
        """Return the words of a call that ccxt fails with this class of error."""
        try:
            answer = await self(method, *arguments, **parameters)
        except error as failure:
            return str(failure)
        raise AssertionError(f"{method} was not refused: {answer}")

    async def rest(self, **parameters: Any) -> Any:
        """Place a buy far below the market."""
        return await self("create_order", SYMBOL, "limit", "buy", 0.01, 58_000, parameters)

    async def flatten(self) -> None:
        """Hold nothing, and have no open orders."""
        await self("cancel_all_orders", SYMBOL)
        for row in await self("fetch_positions"):
            side = "sell" if row["side"] == "long" else "buy"
            await self(
                "create_order", row["symbol"], "market", side, row["contracts"], None, {"reduceOnly": True}
            )

    async def close(self) -> None:
        """Close the client."""
        closing = self.client.close() if hasattr(self.client, "close") else None
        if inspect.isawaitable(closing):
            await closing


def filled(row: Any, names: str) -> None:
    """Hold that these fields of an answer are there."""
    for name in names.split():
        expect(row.get(name) is not None, f"{name} is missing in {row}")


ORDER = "id clientOrderId timestamp symbol type timeInForce side price amount filled remaining status"


# --- market data --------------------------------------------------------------------------------------


@case
async def load_markets(api: Api) -> None:
    """Symbols with their precision and limits."""
    market = (await api("load_markets"))[SYMBOL]
    expect(market["linear"] and market["swap"] and market["active"], market)
    expect((market["precision"]["price"], market["precision"]["amount"]) == (0.1, 0.001), market)
    expect((market["limits"]["cost"]["min"], market["limits"]["amount"]["min"]) == (100, 0.001), market)
    expect((market["taker"], market["maker"]) == (0.0005, 0.0002), market)


@case
async def fetch_time(api: Api) -> None:
    """Wall time."""
    expect(await api("fetch_time") > 1_700_000_000_000, "time")


@case
async def fetch_status(api: Api) -> None:
    """The venue is well."""
    expect((await api("fetch_status"))["status"] == "ok", "status")


@case
async def fetch_order_book(api: Api) -> None:
    """Depth."""
    book = await api("fetch_order_book", SYMBOL, 20)
    expect(len(book["bids"]) == 20 and book["bids"][0][0] < book["asks"][0][0] and book["nonce"], book)


@case
async def fetch_ticker(api: Api) -> None:
    """The last day."""
    filled(await api("fetch_ticker", SYMBOL), "last open high low close percentage change vwap timestamp")
    expect(list(await api("fetch_tickers")) == [SYMBOL, "ETH/USDT:USDT"], "symbols")


@case
async def fetch_bids_asks(api: Api) -> None:
    """Best prices."""
    filled((await api("fetch_bids_asks"))[SYMBOL], "bid bidVolume ask askVolume")


@case
async def fetch_last_prices(api: Api) -> None:
    """Last prices."""
    filled((await api("fetch_last_prices"))[SYMBOL], "price timestamp")


@case
async def fetch_mark_price(api: Api) -> None:
    """Mark prices."""
    filled(await api("fetch_mark_price", SYMBOL), "markPrice indexPrice timestamp")
    filled((await api("fetch_mark_prices"))[SYMBOL], "markPrice indexPrice timestamp")


@case
async def fetch_trades(api: Api) -> None:
    """The tape, aggregated and not."""
    for options in ({}, {"fetchTradesMethod": "fapiPublicGetTrades"}):
        rows = await api("fetch_trades", SYMBOL, None, 10, options)
        expect(0 < len(rows) <= 10, rows)
        filled(rows[-1], "id timestamp side price amount cost")


@case
async def fetch_ohlcv(api: Api) -> None:
    """Candles of the last price, the mark, the index and the premium."""
    for price in (None, "mark", "index", "premiumIndex"):
        rows = await api("fetch_ohlcv", SYMBOL, "5m", None, 5, {} if price is None else {"price": price})
        expect(len(rows) == 5, rows)
        expect([later[0] - row[0] for row, later in itertools.pairwise(rows)] == [300_000] * 4, rows)


@case
async def fetch_currencies(api: Api) -> None:
    """With keys and this option, which is on unless said otherwise, markets come along with the coins."""
    api.client.options["fetchCurrencies"] = True
    try:
        markets = await api("load_markets", True)  # noqa: FBT003 - reload; ccxt's own signature
        expect(SYMBOL in markets and {"USDT", "BTC", "ETH"} <= api.client.currencies.keys(), markets)
        expect("USDT" in await api("fetch_currencies"), "coins")
    finally:
        api.client.options["fetchCurrencies"] = False


@case
async def fetch_funding_rate(api: Api) -> None:
    """The next funding."""
    filled(await api("fetch_funding_rate", SYMBOL), "fundingRate fundingTimestamp markPrice indexPrice")
    expect(SYMBOL in await api("fetch_funding_rates"), "symbols")
    intervals = await api("fetch_funding_intervals")
    expect(intervals["ETH/USDT:USDT"]["interval"] == "4h", intervals)


@case
async def fetch_funding_rate_history(api: Api) -> None:
    """Funding that was paid."""
    filled((await api("fetch_funding_rate_history", SYMBOL))[-1], "fundingRate timestamp")


@case
async def fetch_open_interest(api: Api) -> None:
    """Open interest."""
    filled(await api("fetch_open_interest", SYMBOL), "openInterestAmount timestamp")


# --- account ------------------------------------------------------------------------------------------


@case
async def fetch_balance(api: Api) -> None:
    """By each version of the endpoint."""
    for parameters in ({}, {"useV2": True}):
        balance = await api("fetch_balance", parameters)
        expect(balance["USDT"]["total"] == balance["USDT"]["free"] + balance["USDT"]["used"], balance)


@case
async def fetch_positions(api: Api) -> None:
    """By each endpoint that has positions."""
    await api("create_order", SYMBOL, "market", "buy", 0.1)
    for parameters in ({}, {"useV2": True}, {"method": "account"}):
        rows = [row for row in await api("fetch_positions", None, parameters) if row["contracts"]]
        expect([row["symbol"] for row in rows] == [SYMBOL], rows)
        filled(rows[0], "contracts side notional unrealizedPnl initialMargin maintenanceMargin marginMode")
    filled((await api("fetch_positions_risk"))[0], "entryPrice markPrice")
    await api.flatten()


@case
async def fetch_position_mode(api: Api) -> None:
    """One-way, or hedge."""
    expect((await api("fetch_position_mode"))["hedged"] is False, "mode")


@case
async def fetch_leverages(api: Api) -> None:
    """Leverage and margin mode of symbols."""
    filled(await api("fetch_leverage", SYMBOL), "longLeverage shortLeverage marginMode")
    expect((await api("fetch_margin_mode", SYMBOL))["marginMode"] == "cross", "mode")
    expect(SYMBOL in await api("fetch_leverages") and SYMBOL in await api("fetch_margin_modes"), "symbols")


@case
async def fetch_leverage_tiers(api: Api) -> None:
    """Brackets."""
    tiers = (await api("fetch_leverage_tiers"))[SYMBOL]
    expect([tier["tier"] for tier in tiers] == list(range(1, len(tiers) + 1)), tiers)
    filled(tiers[0], "maxNotional maintenanceMarginRate maxLeverage")


@case
async def fetch_trading_fees(api: Api) -> None:
    """Fees."""
    filled(await api("fetch_trading_fee", SYMBOL), "maker taker")
    filled((await api("fetch_trading_fees"))[SYMBOL], "maker taker")


@case
async def fetch_ledger(api: Api) -> None:
    """What changed the wallet."""
    filled((await api("fetch_ledger", "USDT"))[0], "id timestamp type amount currency direction")
    await api("fetch_funding_history", SYMBOL)


@case
async def fetch_my_liquidations(api: Api) -> None:
    """Nobody was liquidated."""
    expect(await api("fetch_my_liquidations", SYMBOL) == [], "rows")


@case
async def transfer(api: Api) -> None:
    """Money comes in from the spot account, and goes back."""
    before = (await api("fetch_balance"))["USDT"]["total"]
    filled(await api("transfer", "USDT", 7.5, "spot", "swap"), "id")
    expect((await api("fetch_balance"))["USDT"]["total"] == before + 7.5, before)
    await api("transfer", "USDT", 7.5, "swap", "spot")
    rows = await api("fetch_transfers", "USDT", None, None, {"fromAccount": "spot", "toAccount": "swap"})
    filled(rows[0], "id amount timestamp status")


# --- settings -----------------------------------------------------------------------------------------


@case
async def set_leverage(api: Api) -> None:
    """A new leverage."""
    await api("set_leverage", 9, SYMBOL)
    expect((await api("fetch_leverage", SYMBOL))["longLeverage"] == 9, "leverage")
    await api("set_leverage", 20, SYMBOL)


@case
async def set_margin_mode(api: Api) -> None:
    """There and back; the same again has an error of its own."""
    await api("set_margin_mode", "isolated", SYMBOL)
    await api("set_margin_mode", "cross", SYMBOL)
    await api.refused(ccxt.MarginModeAlreadySet, "set_margin_mode", "cross", SYMBOL)


@case
async def set_position_mode(api: Api) -> None:
    """There and back."""
    await api("set_position_mode", hedged=True)
    expect((await api("fetch_position_mode"))["hedged"] is True, "mode")
    await api("set_position_mode", hedged=False)


@case
async def add_margin(api: Api) -> None:
    """Margin of an isolated position."""
    await api("set_margin_mode", "isolated", SYMBOL)
    await api("create_order", SYMBOL, "market", "buy", 0.1)
    filled(await api("add_margin", SYMBOL, 10), "type amount status")
    filled(await api("reduce_margin", SYMBOL, 5), "type amount status")
    rows = await api("fetch_margin_adjustment_history", SYMBOL)
    expect({row["type"] for row in rows} == {"add", "reduce"}, rows)
    await api.flatten()
    await api("set_margin_mode", "cross", SYMBOL)


# --- orders -------------------------------------------------------------------------------------------


@case
async def create_order(api: Api) -> None:
    """Market and limit orders, as ccxt reads them."""
    done = await api("create_order", SYMBOL, "market", "buy", 0.1)
    expect((done["status"], done["filled"]) == ("closed", 0.1), done)
    filled(done, "average cost")
    filled(await api.rest(), ORDER)
    await api.flatten()


@case
async def create_special_orders(api: Api) -> None:
    """Post-only, reduce-only, IOC and FOK."""
    expect((await api.rest(postOnly=True))["timeInForce"] == "PO", "post-only")
    crossing = ("create_order", SYMBOL, "limit", "buy", 0.01, 61_000, {"postOnly": True})
    expect("-5022" in await api.refused(ccxt.OrderNotFillable, *crossing), "crossing")
    taken = await api("create_order", SYMBOL, "limit", "buy", 0.01, 61_000, {"timeInForce": "IOC"})
    expect(taken["status"] == "closed", taken)
    await api("create_reduce_only_order", SYMBOL, "limit", "sell", 0.01, 61_500)
    never = ("create_order", SYMBOL, "limit", "buy", 0.01, 59_000, {"timeInForce": "FOK"})
    expect("-5021" in await api.refused(ccxt.OrderNotFillable, *never), "FOK")
    await api.flatten()


@case
async def create_orders(api: Api) -> None:
    """Several at once, changed and cancelled at once."""
    order = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01, "price": 58_000}
    placed = await api("create_orders", [order, order])
    expect([item["status"] for item in placed] == ["open"] * 2, placed)
    changes = [order | {"id": item["id"], "amount": 0.02, "price": 58_100} for item in placed]
    changed = await api("edit_orders", changes)
    expect([item["price"] for item in changed] == [58_100] * 2, changed)
    ended = await api("cancel_orders", [item["id"] for item in placed], SYMBOL)
    expect([item["status"] for item in ended] == ["canceled"] * 2, ended)


@case
async def edit_order(api: Api) -> None:
    """Another price, the same order."""
    placed = await api.rest()
    changed = await api("edit_order", placed["id"], SYMBOL, "limit", "buy", 0.02, 58_100)
    expect((changed["id"], changed["price"], changed["amount"]) == (placed["id"], 58_100, 0.02), changed)
    await api.flatten()


@case
async def fetch_order(api: Api) -> None:
    """By its id, and by the client's."""
    placed = await api.rest(clientOrderId="mine-1")
    for asked in ((placed["id"], SYMBOL), (None, SYMBOL, {"clientOrderId": "mine-1"})):
        found = await api("fetch_order", *asked)
        filled(found, ORDER)
        expect(found["id"] == placed["id"], found)
    filled(await api("fetch_open_order", placed["id"], SYMBOL), ORDER)
    expect("-2013" in await api.refused(ccxt.OrderNotFound, "fetch_order", "1", SYMBOL), "code")
    await api.flatten()


@case
async def fetch_orders(api: Api) -> None:
    """What waits, what was, and what it traded."""
    placed = await api.rest()
    expect([row["id"] for row in await api("fetch_open_orders", SYMBOL)] == [placed["id"]], "open")
    expect([row["id"] for row in await api("fetch_open_orders")] == [placed["id"]], "open")
    done = await api("create_order", SYMBOL, "market", "buy", 0.1)
    await api.flatten()
    ids = {row["id"] for row in await api("fetch_orders", SYMBOL)}
    expect({placed["id"], done["id"]} <= ids, ids)
    expect(placed["id"] in {row["id"] for row in await api("fetch_canceled_orders", SYMBOL)}, "canceled")
    expect(done["id"] in {row["id"] for row in await api("fetch_closed_orders", SYMBOL)}, "closed")
    trades = await api("fetch_my_trades", SYMBOL, None, None, {"orderId": done["id"]})
    expect(abs(sum(row["amount"] for row in trades) - 0.1) < 1e-9, trades)
    filled((await api("fetch_my_trades", SYMBOL))[-1], "id order side price amount cost fee takerOrMaker")


@case
async def cancel_order(api: Api) -> None:
    """Once; an order that is gone is not found."""
    placed = await api.rest()
    expect((await api("cancel_order", placed["id"], SYMBOL))["status"] == "canceled", placed)
    expect("-2011" in await api.refused(ccxt.OrderNotFound, "cancel_order", placed["id"], SYMBOL), "code")


@case
async def create_trigger_order(api: Api) -> None:
    """Conditional orders by ccxt's ways to ask for them."""
    stop = await api("create_trigger_order", SYMBOL, "market", "buy", 0.01, None, 62_000)
    filled(stop, "id clientOrderId triggerPrice symbol side status")
    loss = await api("create_stop_loss_order", SYMBOL, "market", "buy", 0.01, None, 62_000)
    profit = await api("create_take_profit_order", SYMBOL, "market", "buy", 0.01, None, 58_000)
    trail = await api("create_trailing_percent_order", SYMBOL, "market", "sell", 0.01, None, 1, 62_000)
    ids = [item["id"] for item in (stop, loss, profit, trail)]
    trigger = {"trigger": True}
    expect([row["id"] for row in await api("fetch_open_orders", SYMBOL, None, None, trigger)] == ids, ids)
    filled(await api("fetch_order", stop["id"], SYMBOL, trigger), "id triggerPrice status")
    await api("cancel_order", stop["id"], SYMBOL, trigger)
    await api("cancel_all_orders", SYMBOL, trigger)
    expect(len(await api("fetch_orders", SYMBOL, None, None, trigger)) >= len(ids), "all")


@case
async def errors_have_their_class(api: Api) -> None:
    """What is refused is told apart by code."""
    market = ("create_order", SYMBOL, "market", "buy")
    expect("-2019" in await api.refused(ccxt.InsufficientFunds, *market, 100), "margin")
    expect("-4164" in await api.refused(ccxt.InvalidOrder, *market, 0.001), "notional")
    reducing = (SYMBOL, "market", "sell", 0.01, None, {"reduceOnly": True})
    expect("-2022" in await api.refused(ccxt.InvalidOrder, "create_order", *reducing), "reduce-only")
    await api.rest(newClientOrderId="twice")
    twice = (SYMBOL, "limit", "buy", 0.01, 58_000, {"newClientOrderId": "twice"})
    expect("-4116" in await api.refused(ccxt.InvalidOrder, "create_order", *twice), "client id")
    await api.flatten()


@case
async def orders_by_their_short_names(api: Api) -> None:
    """Each of ccxt's ways to say the same."""
    for name, *price in (("limit", 58_000), ("market",)):
        for side in ("buy", "sell") if name == "market" else ("buy",):
            order = await api(f"create_{name}_{side}_order", SYMBOL, 0.01, *price)
            expect(order["side"] == side, order)
        await api(f"create_{name}_order", SYMBOL, "buy", 0.01, *price)
    resting = await api("create_limit_sell_order", SYMBOL, 0.01, 62_000)
    expect(resting["status"] == "open", resting)
    posted = await api("create_post_only_order", SYMBOL, "limit", "buy", 0.01, 58_000)
    expect(posted["postOnly"], posted)
    stops = [
        await api("create_stop_order", SYMBOL, "market", "sell", 0.01, None, 57_000),
        await api("create_stop_market_order", SYMBOL, "sell", 0.01, 57_100),
        await api("create_stop_limit_order", SYMBOL, "sell", 0.01, 57_000, 57_200),
    ]
    expect([row["triggerPrice"] for row in stops] == [57_000, 57_100, 57_200], stops)
    await api("cancel_all_orders", SYMBOL, {"trigger": True})
    await api.flatten()


@case
async def orders_that_ended_and_ranks(api: Api) -> None:
    """Orders that are no longer open, and places in the queue for deleveraging."""
    order = await api("create_market_buy_order", SYMBOL, 0.01)
    ended = await api("fetch_canceled_and_closed_orders", SYMBOL)
    expect(order["id"] in {row["id"] for row in ended}, ended)
    (listed,) = await api("fetch_positions_adl_rank", [SYMBOL])
    for rank in (listed, await api("fetch_position_adl_rank", SYMBOL)):
        expect(rank["symbol"] == SYMBOL and rank["rank"] is not None, rank)
    expect((await api("fetch_adl_rank", SYMBOL))["rating"] == "low", "risk of the symbol")
    await api.flatten()


@case
async def the_market_by_other_names(api: Api) -> None:
    """What has a method of its own beside a general one."""
    for price in ("mark", "index", "premium_index"):
        rows = await api(f"fetch_{price}_ohlcv", SYMBOL, "5m", None, 3)
        expect(len(rows) == 3, rows)
    book = await api("fetch_l2_order_book", SYMBOL, 5)
    expect(len(book["bids"]) == 5, book)
    expect((await api("fetch_funding_interval", "ETH/USDT:USDT"))["interval"] == "4h", "interval")
    tiers = await api("fetch_market_leverage_tiers", SYMBOL)
    expect(tiers[0]["maxLeverage"] == 150, tiers)
    expect(SYMBOL in {row["symbol"] for row in await api("fetch_markets")}, "markets")


@case
async def every_method_has_been_called(api: Api) -> None:
    """What ccxt says it has for this venue is called above, or named with the reason why it is not."""
    missing = offered(api.client) - of_sockets(offered(api.client)) - api.called
    expect(not missing, sorted(missing))


def make(url: str) -> Api:
    """Return the client that the command line asks for."""
    library = ccxt.async_support if "async" in sys.argv[2:] else ccxt
    return Api(
        url, library.binanceusdm({"apiKey": "up-key", "secret": "up-secret", "enableRateLimit": False})
    )


run(make)
