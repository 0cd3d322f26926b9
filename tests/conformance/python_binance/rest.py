"""python-binance's own futures calls, sync or async. Run by conftest.py in its environment."""

from __future__ import annotations

import inspect
import itertools
import json
import sys
from typing import Any

from binance import AsyncClient, Client

from tests.conformance.harness import case, expect, run

SYMBOL = "BTCUSDT"


class Api:
    """One of the two clients, called by the names of its methods."""

    def __init__(self, url: str, client: Any) -> None:
        client.FUTURES_URL = f"{url}/fapi"
        client.FUTURES_DATA_URL = f"{url}/futures/data"
        client.MARGIN_API_URL = f"{url}/sapi"
        client.REQUEST_TIMEOUT, client.REQUEST_RECVWINDOW = 60, 60_000  # for a machine that is busy
        self.client = client
        self.called: set[str] = set()
        self.numbers = itertools.count(1)

    async def __call__(self, method: str, *arguments: Any, **parameters: Any) -> Any:
        """Call a method and return its answer."""
        self.called.add(method)
        answer = getattr(self.client, method)(*arguments, **parameters)
        return await answer if inspect.isawaitable(answer) else answer

    def offers(self, method: str) -> bool:
        """Return whether this client has a method; the async one lacks a few of the other's."""
        return hasattr(self.client, method)

    async def refused(self, method: str, **parameters: Any) -> int:
        """Return the error code of a call that the exchange refuses."""
        try:
            answer = await self(method, **parameters)
        except Exception as error:  # noqa: BLE001 - its attributes are what is looked at
            return int(getattr(error, "code", 0))
        raise AssertionError(f"{method} was not refused: {answer}")

    async def rest(self, **changes: Any) -> Any:
        """Place a buy far below the market."""
        order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "quantity": 0.01, "price": 58_000}
        return await self("futures_create_order", **(order | {"timeInForce": "GTC"} | changes))

    async def flatten(self) -> None:
        """Hold nothing, and have no open orders."""
        await self("futures_cancel_all_open_orders", symbol=SYMBOL)
        for row in await self("futures_position_information"):
            side = "SELL" if float(row["positionAmt"]) > 0 else "BUY"
            order = {"symbol": row["symbol"], "side": side, "quantity": row["positionAmt"].lstrip("-")}
            await self("futures_market_order", **order, reduceOnly="true")

    async def close(self) -> None:
        """Close the client."""
        closing = self.client.close_connection()
        if inspect.isawaitable(closing):
            await closing


def has(row: Any, *, numbers: str = "", ints: str = "", texts: str = "", flags: str = "") -> None:
    """Hold fields of an answer against their types; numbers are strings on the wire."""
    for names, kind in ((ints, int), (texts, str), (flags, bool), (numbers, str)):
        for name in names.split():
            expect(type(row.get(name)) is kind, f"{name} is {row.get(name)!r} in {row}")
    for name in numbers.split():
        float(row[name])
        expect("e" not in row[name].lower(), row[name])


ORDER_NUMBERS = "price avgPrice origQty executedQty cumQuote stopPrice"
ORDER_TEXTS = "clientOrderId side type timeInForce status positionSide workingType origType priceMatch"


def has_order(row: Any) -> None:
    """Hold an order against what every order has."""
    has(row, numbers=ORDER_NUMBERS, texts=ORDER_TEXTS, ints="orderId updateTime goodTillDate")
    has(row, flags="reduceOnly closePosition priceProtect")


# --- market data --------------------------------------------------------------------------------------


@case
async def futures_ping(api: Api) -> None:
    """An empty object."""
    expect(await api("futures_ping") == {}, "not empty")


@case
async def futures_time(api: Api) -> None:
    """Wall time."""
    has(await api("futures_time"), ints="serverTime")


@case
async def futures_exchange_info(api: Api) -> None:
    """Symbols and limits."""
    info = await api("futures_exchange_info")
    has(info, texts="timezone", ints="serverTime")
    expect([item["symbol"] for item in info["symbols"]] == [SYMBOL, "ETHUSDT"], info)


@case
async def futures_order_book(api: Api) -> None:
    """Bids fall, asks rise, and do not meet."""
    book = await api("futures_order_book", symbol=SYMBOL, limit=10)
    bids, asks = ([float(price) for price, _ in book[side]] for side in ("bids", "asks"))
    expect(bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0], book)


@case
async def futures_rpi_depth(api: Api) -> None:
    """The book with retail orders."""
    has(await api("futures_rpi_depth", symbol=SYMBOL, limit=1000), ints="lastUpdateId E T")


@case
async def futures_recent_trades(api: Api) -> None:
    """Trades of the market."""
    rows = await api("futures_recent_trades", symbol=SYMBOL, limit=5)
    has(rows[0], numbers="price qty quoteQty", ints="id time", flags="isBuyerMaker")


@case
async def futures_historical_trades(api: Api) -> None:
    """Trades from an id on."""
    first = (await api("futures_recent_trades", symbol=SYMBOL, limit=5))[0]["id"]
    rows = await api("futures_historical_trades", symbol=SYMBOL, fromId=first, limit=2)
    expect(rows[0]["id"] == first, rows)


@case
async def futures_aggregate_trades(api: Api) -> None:
    """Trades by taker order."""
    rows = await api("futures_aggregate_trades", symbol=SYMBOL, limit=5)
    has(rows[0], numbers="p q", ints="a f l T", flags="m")


@case
async def futures_klines(api: Api) -> None:
    """Candles."""
    rows = await api("futures_klines", symbol=SYMBOL, interval="5m", limit=3)
    expect([len(row) for row in rows] == [12] * 3, rows)


@case
async def futures_mark_price_klines(api: Api) -> None:
    """Candles of the mark."""
    expect(len(await api("futures_mark_price_klines", symbol=SYMBOL, interval="5m", limit=3)) == 3, "rows")


@case
async def futures_index_price_klines(api: Api) -> None:
    """Candles of the index."""
    expect(len(await api("futures_index_price_klines", pair=SYMBOL, interval="5m", limit=3)) == 3, "rows")


@case
async def futures_premium_index_klines(api: Api) -> None:
    """Candles of the premium."""
    rows = await api("futures_premium_index_klines", symbol=SYMBOL, interval="5m", limit=3)
    expect(len(rows) == 3, rows)


@case
async def futures_continuous_klines(api: Api) -> None:
    """Candles of a contract."""
    asked = {"pair": SYMBOL, "contractType": "PERPETUAL", "interval": "5m", "limit": 3}
    expect(len(await api("futures_continuous_klines", **asked)) == 3, "rows")


@case
async def futures_historical_klines(api: Api) -> None:
    """All candles from a time on, page by page."""
    start = (await api("futures_klines", symbol=SYMBOL, interval="1m", limit=1))[0][0] - 30 * 60_000
    rows = await api("futures_historical_klines", SYMBOL, "1m", start)
    expect([row[0] for row in rows] == [start + 60_000 * number for number in range(31)], rows)


@case
async def futures_historical_mark_price_klines(api: Api) -> None:
    """All candles of the mark from a time on; the async client has forgotten it."""
    if not api.offers("futures_historical_mark_price_klines"):
        return
    start = (await api("futures_klines", symbol=SYMBOL, interval="1m", limit=1))[0][0] - 30 * 60_000
    rows = await api("futures_historical_mark_price_klines", SYMBOL, "1m", start)
    expect(len(rows) == 31, rows)


@case
async def futures_historical_klines_generator(api: Api) -> None:
    """The same, one by one."""
    start = (await api("futures_klines", symbol=SYMBOL, interval="1m", limit=1))[0][0] - 30 * 60_000
    found = await api("futures_historical_klines_generator", SYMBOL, "1m", start)
    rows = [row async for row in found] if hasattr(found, "__aiter__") else list(found)
    expect(len(rows) == 31, rows)


@case
async def futures_mark_price(api: Api) -> None:
    """Mark, index and funding."""
    row = await api("futures_mark_price", symbol=SYMBOL)
    has(row, numbers="markPrice indexPrice estimatedSettlePrice lastFundingRate interestRate")
    has(row, ints="nextFundingTime time")


@case
async def futures_funding_rate(api: Api) -> None:
    """Funding that was paid."""
    row = (await api("futures_funding_rate", symbol=SYMBOL))[0]
    has(row, numbers="fundingRate markPrice", ints="fundingTime", texts="symbol")


@case
async def futures_v1_get_funding_info(api: Api) -> None:
    """Interval and cap of the symbol that is not funded every 8 hours."""
    (row,) = await api("futures_v1_get_funding_info")
    expect((row["symbol"], row["fundingIntervalHours"]) == ("ETHUSDT", 4), row)
    has(row, numbers="adjustedFundingRateCap adjustedFundingRateFloor", ints="fundingIntervalHours")


@case
async def futures_ticker(api: Api) -> None:
    """The last day."""
    row = await api("futures_ticker", symbol=SYMBOL)
    has(
        row,
        numbers="priceChange priceChangePercent lastPrice openPrice highPrice lowPrice volume quoteVolume",
    )
    expect(float(row["lowPrice"]) <= float(row["lastPrice"]) <= float(row["highPrice"]), row)
    expect(len(await api("futures_ticker")) == 2, "rows")


@case
async def futures_symbol_ticker(api: Api) -> None:
    """The last price."""
    has(await api("futures_symbol_ticker", symbol=SYMBOL), numbers="price", ints="time")


@case
async def futures_orderbook_ticker(api: Api) -> None:
    """Best bid and ask."""
    has(await api("futures_orderbook_ticker", symbol=SYMBOL), numbers="bidPrice bidQty askPrice askQty")


@case
async def futures_open_interest(api: Api) -> None:
    """Open interest."""
    has(await api("futures_open_interest", symbol=SYMBOL), numbers="openInterest", ints="time")


@case
async def futures_index_price_constituents(api: Api) -> None:
    """What the index is made of."""
    expect((await api("futures_index_price_constituents", symbol=SYMBOL))["constituents"], "none")


@case
async def futures_insurance_fund_balance_snapshot(api: Api) -> None:
    """The insurance fund; the async client has forgotten it."""
    if not api.offers("futures_insurance_fund_balance_snapshot"):
        return
    row = await api("futures_insurance_fund_balance_snapshot", symbol=SYMBOL)
    has(row["assets"][0], numbers="marginBalance", texts="asset", ints="updateTime")


@case
async def futures_v1_get_asset_index(api: Api) -> None:
    """Collateral."""
    has((await api("futures_v1_get_asset_index"))[0], numbers="index bidRate askRate", ints="time")


@case
async def futures_symbol_adl_risk(api: Api) -> None:
    """The risk of auto-deleveraging."""
    has(await api("futures_symbol_adl_risk", symbol=SYMBOL), texts="symbol adlRisk", ints="updateTime")


# --- account ------------------------------------------------------------------------------------------


@case
async def futures_account(api: Api) -> None:
    """Totals, assets and positions."""
    row = await api("futures_account")
    has(row, numbers="totalWalletBalance totalMarginBalance availableBalance totalInitialMargin")
    has(row["assets"][0], numbers="walletBalance marginBalance availableBalance crossUnPnl", texts="asset")


@case
async def futures_account_balance(api: Api) -> None:
    """Balances."""
    row = (await api("futures_account_balance"))[0]
    has(
        row,
        numbers="balance crossWalletBalance availableBalance maxWithdrawAmount",
        texts="accountAlias asset",
    )


@case
async def futures_account_config(api: Api) -> None:
    """Settings of the account."""
    has(await api("futures_account_config"), flags="canTrade dualSidePosition multiAssetsMargin")


@case
async def futures_symbol_config(api: Api) -> None:
    """Settings of a symbol."""
    has((await api("futures_symbol_config", symbol=SYMBOL))[0], ints="leverage", texts="marginType")


@case
async def futures_commission_rate(api: Api) -> None:
    """Fees."""
    has(
        await api("futures_commission_rate", symbol=SYMBOL), numbers="makerCommissionRate takerCommissionRate"
    )


@case
async def futures_leverage_bracket(api: Api) -> None:
    """Brackets rise."""
    row = (await api("futures_leverage_bracket", symbol=SYMBOL))[0]
    caps = [item["notionalCap"] for item in row["brackets"]]
    expect(caps == sorted(caps), row)


@case
async def futures_v1_get_rate_limit_order(api: Api) -> None:
    """Order limits."""
    has((await api("futures_v1_get_rate_limit_order"))[0], ints="limit intervalNum", texts="interval")


@case
async def futures_api_trading_status(api: Api) -> None:
    """No rule is broken."""
    expect((await api("futures_api_trading_status"))["indicators"] == {}, "indicators")


@case
async def futures_v1_get_fee_burn(api: Api) -> None:
    """Fees are in USDT."""
    expect(await api("futures_v1_get_fee_burn") == {"feeBurn": False}, "burn")


@case
async def futures_v1_post_fee_burn(api: Api) -> None:
    """Turning off what is off is fine."""
    expect((await api("futures_v1_post_fee_burn", feeBurn="false"))["code"] == 200, "burn")


@case
async def futures_income_history(api: Api) -> None:
    """What changed the wallet."""
    row = (await api("futures_income_history", incomeType="TRANSFER"))[0]
    has(row, numbers="income", texts="incomeType asset info tradeId symbol", ints="time tranId")


@case
async def futures_account_transfer(api: Api) -> None:
    """Money comes in from the spot account, and goes back."""
    before = float((await api("futures_account_balance"))[0]["balance"])
    has(await api("futures_account_transfer", asset="USDT", amount="12.5", type=1), ints="tranId")
    expect(float((await api("futures_account_balance"))[0]["balance"]) == before + 12.5, before)
    await api("futures_account_transfer", asset="USDT", amount="12.5", type=2)
    expect((await api("futures_income_history"))[-1]["income"] == "-12.50000000", "income")


@case
async def transfer_history(api: Api) -> None:
    """Transfers that were."""
    found = await api("transfer_history", asset="USDT", startTime=0)
    has(found["rows"][0], numbers="amount", ints="tranId timestamp", texts="asset status type")


@case
async def universal_transfer(api: Api) -> None:
    """The same by the universal transfer."""
    moved = {"asset": "USDT", "amount": "1"}
    has(await api("universal_transfer", type="MAIN_UMFUTURE", **moved), ints="tranId")
    has(await api("make_universal_transfer", type="UMFUTURE_MAIN", **moved), ints="tranId")
    found = await api("query_universal_transfer_history", type="MAIN_UMFUTURE")
    has(found["rows"][0], numbers="amount", ints="tranId timestamp", texts="type status")


# --- settings -----------------------------------------------------------------------------------------


@case
async def futures_change_leverage(api: Api) -> None:
    """A new leverage."""
    expect((await api("futures_change_leverage", symbol=SYMBOL, leverage=11))["leverage"] == 11, "leverage")


@case
async def futures_change_margin_type(api: Api) -> None:
    """There and back."""
    await api("futures_change_margin_type", symbol=SYMBOL, marginType="ISOLATED")
    await api("futures_change_margin_type", symbol=SYMBOL, marginType="CROSSED")
    again = {"symbol": SYMBOL, "marginType": "CROSSED"}
    expect(await api.refused("futures_change_margin_type", **again) == -4046, "code")


@case
async def futures_change_position_margin(api: Api) -> None:
    """Margin of an isolated position."""
    await api("futures_change_margin_type", symbol=SYMBOL, marginType="ISOLATED")
    await api("futures_market_buy_order", symbol=SYMBOL, quantity=0.1)
    await api("futures_change_position_margin", symbol=SYMBOL, amount=10, type=1)
    await api.flatten()
    await api("futures_change_margin_type", symbol=SYMBOL, marginType="CROSSED")


@case
async def futures_position_margin_history(api: Api) -> None:
    """What was added."""
    has((await api("futures_position_margin_history", symbol=SYMBOL))[0], numbers="amount", ints="type time")


@case
async def futures_get_position_mode(api: Api) -> None:
    """One-way, or hedge."""
    has(await api("futures_get_position_mode"), flags="dualSidePosition")


@case
async def futures_change_position_mode(api: Api) -> None:
    """There and back."""
    await api("futures_change_position_mode", dualSidePosition="true")
    expect((await api("futures_get_position_mode"))["dualSidePosition"] is True, "mode")
    await api("futures_change_position_mode", dualSidePosition="false")


@case
async def futures_get_multi_assets_mode(api: Api) -> None:
    """One asset."""
    expect((await api("futures_get_multi_assets_mode"))["multiAssetsMargin"] is False, "mode")


@case
async def futures_change_multi_assets_mode(api: Api) -> None:
    """Single-asset mode is what there is."""
    expect(await api.refused("futures_change_multi_assets_mode", multiAssetsMargin=False) == -4171, "code")


# --- orders -------------------------------------------------------------------------------------------


@case
async def futures_create_order(api: Api) -> None:
    """A resting order."""
    placed = await api.rest(newClientOrderId="mine")
    has_order(placed)
    expect((placed["clientOrderId"], placed["status"]) == ("mine", "NEW"), placed)
    await api.flatten()


@case
async def futures_limit_order(api: Api) -> None:
    """Limit orders by their own methods."""
    for method, side in (("futures_limit_order", {"side": "BUY"}), ("futures_limit_buy_order", {})):
        has_order(await api(method, symbol=SYMBOL, quantity=0.01, price=58_000, timeInForce="GTC", **side))
    order = {"symbol": SYMBOL, "quantity": 0.01, "price": 62_000, "timeInForce": "GTC"}
    has_order(await api("futures_limit_sell_order", **order))
    await api.flatten()


@case
async def futures_market_order(api: Api) -> None:
    """Market orders by their own methods."""
    done = {"symbol": SYMBOL, "quantity": 0.01, "newOrderRespType": "RESULT"}
    for method, side in (
        ("futures_market_order", {"side": "BUY"}),
        ("futures_market_buy_order", {}),
        ("futures_market_sell_order", {}),
    ):
        filled = await api(method, **done, **side)
        has_order(filled)
        expect(filled["status"] == "FILLED", filled)
    await api.flatten()


@case
async def futures_create_test_order(api: Api) -> None:
    """Checked, not placed."""
    order = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": 0.01}
    await api("futures_create_test_order", **order)
    expect(
        await api.refused("futures_create_test_order", **(order | {"quantity": "0.00001"})) == -1111, "code"
    )


@case
async def futures_modify_order(api: Api) -> None:
    """Another price, the same order."""
    placed = await api.rest()
    change = {"symbol": SYMBOL, "side": "BUY", "quantity": 0.02, "price": 58_100}
    changed = await api("futures_modify_order", orderId=placed["orderId"], **change)
    expect((changed["orderId"], float(changed["price"])) == (placed["orderId"], 58_100), changed)
    found = await api("futures_v1_get_order_amendment", symbol=SYMBOL, orderId=placed["orderId"])
    expect(found[0]["amendment"]["count"] == 1, found)
    await api.flatten()


@case
async def futures_place_batch_order(api: Api) -> None:
    """Several at once."""
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "58000"}
    placed = await api(
        "futures_place_batch_order", batchOrders=[order | {"timeInForce": "GTC"} for _ in "ab"]
    )
    for item in placed:
        has_order(item)
    ids = [item["orderId"] for item in placed]
    ended = await api("futures_cancel_orders", symbol=SYMBOL, orderidlist=ids)
    expect([item["status"] for item in ended] == ["CANCELED"] * 2, ended)


@case
async def futures_v1_put_batch_orders(api: Api) -> None:
    """The client signs the list as it is and sends it encoded, which the venue refuses too."""
    placed = await api.rest()
    change = {
        "symbol": SYMBOL,
        "orderId": placed["orderId"],
        "side": "BUY",
        "quantity": "0.02",
        "price": "58100",
    }
    expect(
        await api.refused("futures_v1_put_batch_orders", batchOrders=json.dumps([change])) == -1022, "code"
    )
    await api.flatten()


@case
async def futures_get_order(api: Api) -> None:
    """By its id, and by the client's."""
    placed = await api.rest()
    has_order(await api("futures_get_order", symbol=SYMBOL, orderId=placed["orderId"]))
    by_client = {"symbol": SYMBOL, "origClientOrderId": placed["clientOrderId"]}
    has_order(await api("futures_get_order", **by_client))
    has_order(await api("futures_v1_get_open_order", **by_client))
    expect(await api.refused("futures_get_order", symbol=SYMBOL, orderId=1) == -2013, "code")
    await api.flatten()


@case
async def futures_get_open_orders(api: Api) -> None:
    """What waits."""
    await api.rest()
    expect(len(await api("futures_get_open_orders", symbol=SYMBOL)) == 1, "rows")
    await api.flatten()


@case
async def futures_get_all_orders(api: Api) -> None:
    """What was."""
    await api.rest()
    await api.flatten()
    has_order((await api("futures_get_all_orders", symbol=SYMBOL))[-1])


@case
async def futures_cancel_order(api: Api) -> None:
    """Once."""
    placed = await api.rest()
    ended = await api("futures_cancel_order", symbol=SYMBOL, orderId=placed["orderId"])
    expect(ended["status"] == "CANCELED", ended)
    again = {"symbol": SYMBOL, "orderId": placed["orderId"]}
    expect(await api.refused("futures_cancel_order", **again) == -2011, "code")


@case
async def futures_cancel_all_open_orders(api: Api) -> None:
    """All of a symbol."""
    await api.rest()
    expect((await api("futures_cancel_all_open_orders", symbol=SYMBOL))["code"] == 200, "code")


@case
async def futures_countdown_cancel_all(api: Api) -> None:
    """A countdown is set, and called off."""
    for milliseconds in (60_000, 0):
        row = await api("futures_countdown_cancel_all", symbol=SYMBOL, countdownTime=milliseconds)
        expect((row["symbol"], int(row["countdownTime"])) == (SYMBOL, milliseconds), row)


@case
async def futures_position_information(api: Api) -> None:
    """What is held."""
    await api("futures_market_buy_order", symbol=SYMBOL, quantity=0.1)
    row = (await api("futures_position_information"))[0]
    has(
        row,
        numbers="positionAmt entryPrice breakEvenPrice markPrice unRealizedProfit liquidationPrice notional",
    )
    await api.flatten()


@case
async def futures_account_trades(api: Api) -> None:
    """Fills."""
    await api("futures_market_buy_order", symbol=SYMBOL, quantity=0.1)
    await api.flatten()
    row = (await api("futures_account_trades", symbol=SYMBOL))[-1]
    has(row, numbers="price qty quoteQty commission realizedPnl", ints="id orderId time", flags="buyer maker")


@case
async def futures_adl_quantile_estimate(api: Api) -> None:
    """The place in the queue."""
    await api("futures_market_buy_order", symbol=SYMBOL, quantity=0.1)
    rows = await api("futures_adl_quantile_estimate")
    expect(set(rows[0]["adlQuantile"]) == {"LONG", "SHORT", "BOTH"}, rows)
    await api.flatten()


@case
async def futures_liquidation_orders(api: Api) -> None:
    """Nobody was liquidated."""
    expect(await api("futures_liquidation_orders", symbol=SYMBOL) == [], "rows")


# --- algo orders --------------------------------------------------------------------------------------


@case
async def futures_create_algo_order(api: Api) -> None:
    """Conditional orders by their own methods, and by those of orders."""
    stop = {"symbol": SYMBOL, "side": "BUY", "type": "STOP_MARKET", "quantity": 0.01}
    placed = await api("futures_create_algo_order", **stop, triggerPrice=62_000)
    has(placed, ints="algoId createTime updateTime triggerTime", numbers="quantity triggerPrice")
    has(placed, texts="clientAlgoId algoType orderType algoStatus side positionSide", flags="closePosition")
    found = await api("futures_get_algo_order", algoId=placed["algoId"])
    expect(found["algoStatus"] == "NEW", found)
    routed = await api("futures_create_order", **stop, stopPrice=62_000)
    waiting = await api("futures_get_open_algo_orders")
    expect([item["algoId"] for item in waiting] == [placed["algoId"], routed["algoId"]], waiting)
    ended = await api("futures_cancel_algo_order", algoId=placed["algoId"])
    expect((ended["algoId"], int(ended["code"])) == (placed["algoId"], 200), ended)
    await api("futures_cancel_all_algo_open_orders", symbol=SYMBOL)
    known = await api("futures_get_all_algo_orders", symbol=SYMBOL)
    expect({item["algoStatus"] for item in known} == {"CANCELED"}, known)


# --- listen keys --------------------------------------------------------------------------------------


@case
async def futures_stream_get_listen_key(api: Api) -> None:
    """A key is made, kept and closed."""
    key = await api("futures_stream_get_listen_key")
    await api("futures_stream_keepalive", key)
    expect(await api("futures_stream_close", key) == {}, "answer")


# --- the whole ----------------------------------------------------------------------------------------


TIMES: dict[str, Any] = {"startTime": 1, "endTime": 2}
STATISTIC: dict[str, Any] = {"symbol": SYMBOL, "period": "5m"}
NOT_SERVED: dict[str, dict[str, Any]] = {
    # Statistics of other traders, of whom there are none.
    "futures_top_longshort_account_ratio": STATISTIC,
    "futures_top_longshort_position_ratio": STATISTIC,
    "futures_global_longshort_ratio": STATISTIC,
    "futures_taker_longshort_ratio": STATISTIC,
    "futures_open_interest_hist": STATISTIC,
    "futures_basis": {"pair": SYMBOL, "contractType": "PERPETUAL", "period": "5m"},
    # Products that are not perpetuals on one coin.
    "futures_delivery_price": {"pair": SYMBOL},
    "futures_index_info": {},
    # Files to download.
    "futures_v1_get_order_asyn": TIMES,
    "futures_v1_get_trade_asyn": TIMES,
    "futures_v1_get_income_asyn": TIMES,
    "futures_v1_get_order_asyn_id": {"downloadId": "1"},
    "futures_v1_get_trade_asyn_id": {"downloadId": "1"},
    "futures_v1_get_income_asyn_id": {"downloadId": "1"},
    "futures_historical_data_link": {"symbol": SYMBOL, "dataType": "T_DEPTH"} | TIMES,
    # Accounts of another kind, other businesses, and what the venue has taken away.
    "futures_v1_get_pm_account_info": {"asset": "USDT"},
    "futures_v1_get_convert_exchange_info": {},
    "futures_v1_get_convert_order_status": {"orderId": "1"},
    "futures_v1_post_convert_accept_quote": {"quoteId": "1"},
    "futures_v1_post_convert_get_quote": {"fromAsset": "USDT", "toAsset": "BTC"},
    "futures_loan_borrow_history": {},
    "futures_loan_repay_history": {},
    "futures_loan_wallet": {},
    "futures_loan_interest_history": {},
    "futures_cross_collateral_adjust_history": {},
    "futures_cross_collateral_liquidation_history": {},
    # Placeholders of the client for paths that the venue does not have (batchOrder).
    "futures_v1_put_batch_order": {"batchOrders": "[]"},
    "futures_v1_post_batch_order": {"batchOrders": "[]"},
    "futures_v1_delete_batch_order": {"batchOrders": "[]"},
}


@case
async def what_is_not_served_says_so(api: Api) -> None:
    """A path that is not served is answered as the venue answers one that it does not have."""
    offered = {method: parameters for method, parameters in NOT_SERVED.items() if api.offers(method)}
    for method, parameters in offered.items():
        expect(await api.refused(method, **parameters) == -5000, method)


@case
async def every_method_has_its_case(api: Api) -> None:
    """Nothing that the client offers for USD-M futures over REST is forgotten."""
    offered = {
        name
        for name, _ in inspect.getmembers(type(api.client), callable)
        if name.startswith("futures_") and not name.startswith("futures_coin")
    }
    expect(offered <= api.called, f"no case: {offered - api.called}")


async def make(url: str) -> Api:
    """Return the client that the command line asks for."""
    if "async" in sys.argv[2:]:
        return Api(url, AsyncClient("up-key", "up-secret"))
    return Api(url, Client("up-key", "up-secret", ping=False))


run(make)
