"""The official SDK's own calls, each answer held against its model. Run by conftest.py in its environment."""

from __future__ import annotations

import inspect
from typing import Any

from tests.conformance.harness import case, expect, run
from tests.conformance.sdk.client import Sdk

# --- market data --------------------------------------------------------------------------------------


@case
def test_connectivity(sdk: Sdk) -> None:
    """The ping answers an empty object."""
    sdk.call("test_connectivity")
    expect(sdk.raw == {}, sdk.raw)


@case
def check_server_time(sdk: Sdk) -> None:
    """The time is wall time."""
    sdk.call("check_server_time")


@case
def exchange_information(sdk: Sdk) -> None:
    """Each symbol has its filters; a filter has the fields of its own type only."""
    filters = {"maxPrice", "minPrice", "tickSize", "maxQty", "minQty", "stepSize", "limit", "notional"}
    filters |= {"multiplierUp", "multiplierDown", "multiplierDecimal", "settlePlan"}
    sdk.call("exchange_information", absent=filters)


@case
def order_book(sdk: Sdk) -> None:
    """A book of 5 levels has 5 on each side, and weighs less than one of 1,000."""
    sdk.call("order_book", symbol="BTCUSDT", limit=5)
    bids, asks = sdk.raw["bids"], sdk.raw["asks"]
    expect((len(bids), len(asks)) == (5, 5), sdk.raw)
    expect(float(bids[0][0]) < float(asks[0][0]), sdk.raw)
    light = sdk.weight_of("order_book", symbol="BTCUSDT", limit=5)
    heavy = sdk.weight_of("order_book", symbol="BTCUSDT", limit=1000)
    expect((light, heavy) == (2, 20), (light, heavy))


@case
def rpi_order_book(sdk: Sdk) -> None:
    """The book with retail orders is the book: there are none here."""
    sdk.call("rpi_order_book", symbol="BTCUSDT", limit=1000)


@case
def recent_trades_list(sdk: Sdk) -> None:
    """Recent trades come oldest first."""
    trades = sdk.call("recent_trades_list", symbol="BTCUSDT", limit=10)
    expect(0 < len(trades) <= 10, trades)
    expect([item.id for item in trades] == sorted(item.id for item in trades), trades)


@case
def old_trades_lookup(sdk: Sdk) -> None:
    """Trades from an id on."""
    last = sdk.call("recent_trades_list", symbol="BTCUSDT", limit=10)
    found = sdk.call("old_trades_lookup", symbol="BTCUSDT", limit=5, from_id=last[0].id)
    expect([item.id for item in found] == [item.id for item in last[:5]], found)


@case
def compressed_aggregate_trades_list(sdk: Sdk) -> None:
    """Aggregate trades hold the trades they are made of."""
    trades = sdk.call("compressed_aggregate_trades_list", symbol="BTCUSDT", limit=10)
    expect(0 < len(trades) <= 10, trades)
    expect(all(item["f"] <= item["l"] for item in sdk.raw), sdk.raw)


CANDLE = [int, str, str, str, str, str, int, str, int, str, str, str]


def candles(sdk: Sdk, method: str, **parameters: Any) -> None:
    """Hold the candles of a method against their documented columns."""
    for interval, length_ms in (("1m", 60_000), ("1h", 3_600_000)):
        rows = sdk.call(method, interval=interval, limit=2, **parameters)
        expect(len(rows) == 2, rows)
        for row in rows:
            expect([type(cell) for cell in row] == CANDLE, row)
            opened, highest, lowest, closed = map(float, row[1:5])
            expect(lowest <= min(opened, closed) <= max(opened, closed) <= highest, row)
            expect((row[0] % length_ms, row[6]) == (0, row[0] + length_ms - 1), row)
        expect(rows[1][0] - rows[0][0] == length_ms, rows)


@case
def kline_candlestick_data(sdk: Sdk) -> None:
    """Candles of the last price."""
    candles(sdk, "kline_candlestick_data", symbol="BTCUSDT")


@case
def continuous_contract_kline_candlestick_data(sdk: Sdk) -> None:
    """Candles of the perpetual contract of a pair."""
    candles(sdk, "continuous_contract_kline_candlestick_data", pair="BTCUSDT", contract_type="PERPETUAL")


@case
def index_price_kline_candlestick_data(sdk: Sdk) -> None:
    """Candles of the index."""
    candles(sdk, "index_price_kline_candlestick_data", pair="BTCUSDT")


@case
def mark_price_kline_candlestick_data(sdk: Sdk) -> None:
    """Candles of the mark."""
    candles(sdk, "mark_price_kline_candlestick_data", symbol="BTCUSDT")


@case
def premium_index_kline_data(sdk: Sdk) -> None:
    """Candles of the premium."""
    candles(sdk, "premium_index_kline_data", symbol="BTCUSDT")


@case
def mark_price(sdk: Sdk) -> None:
    """Mark and funding of one symbol and of all."""
    sdk.call("mark_price", symbol="BTCUSDT")
    sdk.call("mark_price")
    expect([item["symbol"] for item in sdk.raw] == ["BTCUSDT", "ETHUSDT"], sdk.raw)


@case
def get_funding_rate_history(sdk: Sdk) -> None:
    """Funding rates that have been paid."""
    sdk.call("get_funding_rate_history", symbol="BTCUSDT", limit=5)
    expect(sdk.raw, "no funding")


@case
def get_funding_rate_info(sdk: Sdk) -> None:
    """Interval and cap of the symbol that is not funded every 8 hours."""
    sdk.call("get_funding_rate_info")
    expect([(row["symbol"], row["fundingIntervalHours"]) for row in sdk.raw] == [("ETHUSDT", 4)], sdk.raw)


@case
def ticker24hr_price_change_statistics(sdk: Sdk) -> None:
    """Statistics of a day, of one symbol and of all."""
    sdk.call("ticker24hr_price_change_statistics", symbol="BTCUSDT")
    sdk.call("ticker24hr_price_change_statistics")


@case
def symbol_price_ticker(sdk: Sdk) -> None:
    """The last price, of one symbol and of all."""
    sdk.call("symbol_price_ticker", symbol="BTCUSDT")
    sdk.call("symbol_price_ticker")


@case
def symbol_price_ticker_v2(sdk: Sdk) -> None:
    """The last price again."""
    sdk.call("symbol_price_ticker_v2", symbol="BTCUSDT")
    sdk.call("symbol_price_ticker_v2")


@case
def symbol_order_book_ticker(sdk: Sdk) -> None:
    """Best bid and ask, of one symbol and of all."""
    sdk.call("symbol_order_book_ticker", symbol="BTCUSDT")
    sdk.call("symbol_order_book_ticker")


@case
def open_interest(sdk: Sdk) -> None:
    """Open interest."""
    sdk.call("open_interest", symbol="BTCUSDT")


@case
def query_index_price_constituents(sdk: Sdk) -> None:
    """What the index is made of; the weights sum to one."""
    sdk.call("query_index_price_constituents", symbol="BTCUSDT")
    expect(sum(float(item["weight"]) for item in sdk.raw["constituents"]) == 1, sdk.raw)


@case
def asset_index(sdk: Sdk) -> None:
    """Prices of collateral."""
    sdk.call("asset_index", symbol="USDTUSD")
    sdk.call("asset_index")


@case
def adl_risk(sdk: Sdk) -> None:
    """The risk of auto-deleveraging."""
    sdk.call("adl_risk", symbol="BTCUSDT")
    sdk.call("adl_risk")


@case
def query_insurance_fund_balance_snapshot(sdk: Sdk) -> None:
    """The insurance fund."""
    sdk.call("query_insurance_fund_balance_snapshot", symbol="BTCUSDT")
    sdk.call("query_insurance_fund_balance_snapshot")


# --- account ------------------------------------------------------------------------------------------


@case
def account_information_v2(sdk: Sdk) -> None:
    """The account with a position and an order."""
    with_position(sdk)
    sdk.call("account_information_v2")
    flatten(sdk)


@case
def account_information_v3(sdk: Sdk) -> None:
    """Only symbols in use are listed."""
    flatten(sdk)
    sdk.call("account_information_v3")
    expect(sdk.raw["positions"] == [], sdk.raw)
    with_position(sdk)
    sdk.call("account_information_v3")
    expect([item["symbol"] for item in sdk.raw["positions"]] == ["BTCUSDT"], sdk.raw)


@case
def futures_account_balance_v2(sdk: Sdk) -> None:
    """Balances by asset."""
    sdk.call("futures_account_balance_v2")


@case
def futures_account_balance_v3(sdk: Sdk) -> None:
    """Balances by asset."""
    sdk.call("futures_account_balance_v3")


@case
def futures_account_configuration(sdk: Sdk) -> None:
    """Settings of the account."""
    sdk.call("futures_account_configuration")


@case
def symbol_configuration(sdk: Sdk) -> None:
    """Settings of one symbol, and of all."""
    sdk.call("symbol_configuration", symbol="BTCUSDT")
    sdk.call("symbol_configuration")


@case
def user_commission_rate(sdk: Sdk) -> None:
    """Fees."""
    sdk.call("user_commission_rate", symbol="BTCUSDT")


@case
def notional_and_leverage_brackets(sdk: Sdk) -> None:
    """Brackets of one symbol, and of all."""
    sdk.call("notional_and_leverage_brackets", symbol="BTCUSDT")
    sdk.call("notional_and_leverage_brackets")


@case
def get_income_history(sdk: Sdk) -> None:
    """Each change of the wallet, by its type."""
    with_position(sdk)
    sdk.call("get_income_history", income_type="COMMISSION", limit=5)
    expect({item["incomeType"] for item in sdk.raw} == {"COMMISSION"}, sdk.raw)
    sdk.call("get_income_history", limit=1000)
    flatten(sdk)


@case
def query_user_rate_limit(sdk: Sdk) -> None:
    """The order limits."""
    sdk.call("query_user_rate_limit")


@case
def futures_trading_quantitative_rules_indicators(sdk: Sdk) -> None:
    """No rule has been broken."""
    rules = {"BTCUSDT", "ETHUSDT", "ACCOUNT"}
    sdk.call("futures_trading_quantitative_rules_indicators", absent=rules)


@case
def get_bnb_burn_status(sdk: Sdk) -> None:
    """Fees are paid in USDT."""
    expect(sdk.call("get_bnb_burn_status").fee_burn is False, sdk.raw)


@case
def toggle_bnb_burn_on_futures_trade(sdk: Sdk) -> None:
    """Turning off what is off is fine."""
    sdk.call("toggle_bnb_burn_on_futures_trade", fee_burn="false")


@case
def get_current_position_mode(sdk: Sdk) -> None:
    """One-way, or hedge."""
    sdk.call("get_current_position_mode")


@case
def get_current_multi_assets_mode(sdk: Sdk) -> None:
    """One asset."""
    sdk.call("get_current_multi_assets_mode")


# --- settings -----------------------------------------------------------------------------------------


@case
def change_initial_leverage(sdk: Sdk) -> None:
    """The answer holds the new leverage."""
    expect(sdk.call("change_initial_leverage", symbol="BTCUSDT", leverage=7).leverage == 7, sdk.raw)
    sdk.call("change_initial_leverage", symbol="BTCUSDT", leverage=20)


@case
def change_margin_type(sdk: Sdk) -> None:
    """There and back; the same again is refused."""
    flatten(sdk)
    sdk.call("change_margin_type", symbol="BTCUSDT", margin_type="ISOLATED")
    expect(refusal(sdk, "change_margin_type", symbol="BTCUSDT", margin_type="ISOLATED") == -4046, sdk.raw)
    sdk.call("change_margin_type", symbol="BTCUSDT", margin_type="CROSSED")


@case
def change_multi_assets_mode(sdk: Sdk) -> None:
    """Single-asset mode is what there is."""
    expect(refusal(sdk, "change_multi_assets_mode", multi_assets_margin="false") == -4171, sdk.raw)


@case
def change_position_mode(sdk: Sdk) -> None:
    """There and back; the same again is refused."""
    flatten(sdk)
    sdk.call("change_position_mode", dual_side_position="true")
    expect(refusal(sdk, "change_position_mode", dual_side_position="true") == -4059, sdk.raw)
    sdk.call("change_position_mode", dual_side_position="false")


@case
def modify_isolated_position_margin(sdk: Sdk) -> None:
    """Margin is added to and taken from an isolated position."""
    flatten(sdk)
    sdk.call("change_margin_type", symbol="BTCUSDT", margin_type="ISOLATED")
    with_position(sdk)
    sdk.call("modify_isolated_position_margin", symbol="BTCUSDT", amount=10, type=1)
    sdk.call("modify_isolated_position_margin", symbol="BTCUSDT", amount=5, type=2)
    flatten(sdk)
    sdk.call("change_margin_type", symbol="BTCUSDT", margin_type="CROSSED")


@case
def get_position_margin_change_history(sdk: Sdk) -> None:
    """What was added and taken."""
    sdk.call("get_position_margin_change_history", symbol="BTCUSDT", limit=10)
    expect({item["type"] for item in sdk.raw} >= {1, 2}, sdk.raw)


# --- orders -------------------------------------------------------------------------------------------


TRAILING = {"activatePrice", "priceRate"}
"""Fields that only trailing stops have."""


def resting(sdk: Sdk, **changes: Any) -> Any:
    """Place a buy far below the market."""
    order: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": 0.01}
    order |= {"price": 58_000}
    order |= {"time_in_force": "GTC", "new_client_order_id": sdk.client_id()}
    return sdk.call("new_order", **(order | changes))


def with_position(sdk: Sdk) -> None:
    """Hold a position and an open order."""
    sdk.call("new_order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.1)
    resting(sdk)


def flatten(sdk: Sdk) -> None:
    """Hold nothing, and have no open orders."""
    sdk.api.cancel_all_open_orders(symbol="BTCUSDT")
    for row in sdk.api.position_information_v3().data():
        quantity = float(row.position_amt)
        if quantity:
            side = "SELL" if quantity > 0 else "BUY"
            sdk.api.new_order(
                symbol=row.symbol, side=side, type="MARKET", quantity=abs(quantity), reduce_only="true"
            )


def refusal(sdk: Sdk, method: str, **parameters: Any) -> int:
    """Return the error code of a call that is refused."""
    sdk.called.add(method)
    try:
        getattr(sdk.api, method)(**parameters)
    except Exception:  # noqa: BLE001 - each status has an error class of its own
        expect(sdk.raw.keys() == {"code", "msg"}, sdk.raw)
        expect(isinstance(sdk.raw["code"], int) and isinstance(sdk.raw["msg"], str), sdk.raw)
        return int(sdk.raw["code"])
    raise AssertionError(f"{method} was not refused")


@case
def new_order(sdk: Sdk) -> None:
    """ACK has no fills, RESULT has them."""
    placed = resting(sdk)
    expect((placed.status, placed.executed_qty) == ("NEW", "0.000"), sdk.raw)
    filled = sdk.call(
        "new_order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.1, new_order_resp_type="RESULT"
    )
    expect((filled.status, filled.executed_qty) == ("FILLED", "0.100"), sdk.raw)
    expect(int(sdk.headers["X-MBX-ORDER-COUNT-10S"]) > 0, sdk.headers)
    expect(int(sdk.headers["X-MBX-ORDER-COUNT-1M"]) > 0, sdk.headers)
    flatten(sdk)


@case
def test_order(sdk: Sdk) -> None:
    """A test order is checked, and not placed."""
    sdk.call(
        "test_order",
        absent=TRAILING,
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        quantity=0.01,
        price=58_000,
        time_in_force="GTC",
    )
    sdk.call("current_all_open_orders", symbol="BTCUSDT")
    expect(sdk.raw == [], sdk.raw)
    bad = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.00001"}
    expect(refusal(sdk, "test_order", **bad) == -1111, sdk.raw)


@case
def query_order(sdk: Sdk) -> None:
    """By its id, and by the client's."""
    placed = resting(sdk)
    sdk.call("query_order", TRAILING, symbol="BTCUSDT", order_id=placed.order_id)
    sdk.call("query_order", TRAILING, symbol="BTCUSDT", orig_client_order_id=placed.client_order_id)
    expect(refusal(sdk, "query_order", symbol="BTCUSDT", order_id=1) == -2013, sdk.raw)
    flatten(sdk)


@case
def query_current_open_order(sdk: Sdk) -> None:
    """As long as it is open."""
    placed = resting(sdk)
    sdk.call("query_current_open_order", TRAILING, symbol="BTCUSDT", order_id=placed.order_id)
    flatten(sdk)
    asked = {"symbol": "BTCUSDT", "order_id": placed.order_id}
    expect(refusal(sdk, "query_current_open_order", **asked) == -2013, sdk.raw)


@case
def current_all_open_orders(sdk: Sdk) -> None:
    """Of one symbol, and of all."""
    resting(sdk)
    sdk.call("current_all_open_orders", TRAILING, symbol="BTCUSDT")
    sdk.call("current_all_open_orders", TRAILING)
    expect(len(sdk.raw) == 1, sdk.raw)
    flatten(sdk)


@case
def all_orders(sdk: Sdk) -> None:
    """Orders that were."""
    resting(sdk)
    flatten(sdk)
    sdk.call("all_orders", TRAILING, symbol="BTCUSDT", limit=5)
    expect(0 < len(sdk.raw) <= 5, sdk.raw)


@case
def account_trade_list(sdk: Sdk) -> None:
    """Fills."""
    with_position(sdk)
    flatten(sdk)
    sdk.call("account_trade_list", symbol="BTCUSDT", limit=5)
    expect(0 < len(sdk.raw) <= 5, sdk.raw)


@case
def cancel_order(sdk: Sdk) -> None:
    """Once."""
    placed = resting(sdk)
    sdk.call("cancel_order", TRAILING, symbol="BTCUSDT", order_id=placed.order_id)
    expect(sdk.raw["status"] == "CANCELED", sdk.raw)
    expect(refusal(sdk, "cancel_order", symbol="BTCUSDT", order_id=placed.order_id) == -2011, sdk.raw)


@case
def cancel_all_open_orders(sdk: Sdk) -> None:
    """All of a symbol."""
    resting(sdk)
    sdk.call("cancel_all_open_orders", symbol="BTCUSDT")
    sdk.call("current_all_open_orders", symbol="BTCUSDT")
    expect(sdk.raw == [], sdk.raw)


@case
def modify_order(sdk: Sdk) -> None:
    """Price and quantity change; the order keeps its id."""
    placed = resting(sdk)
    change: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "quantity": 0.02, "price": 58_100}
    sdk.call("modify_order", {"modifyId"}, order_id=placed.order_id, **change)
    expect((sdk.raw["orderId"], sdk.raw["price"]) == (placed.order_id, "58100.00"), sdk.raw)
    sdk.call("modify_order", order_id=placed.order_id, modify_id=9, **(change | {"price": 58_200}))
    expect(sdk.raw["modifyId"] == 9, sdk.raw)
    flatten(sdk)


@case
def get_order_modify_history(sdk: Sdk) -> None:
    """Each change, before and after."""
    placed = resting(sdk)
    change: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "quantity": 0.02, "price": 58_100}
    sdk.api.modify_order(order_id=placed.order_id, modify_id=9, **change)
    sdk.call("get_order_modify_history", symbol="BTCUSDT", order_id=placed.order_id)
    expect(sdk.raw[0]["amendment"]["price"] == {"before": "58000.00", "after": "58100.00"}, sdk.raw)
    flatten(sdk)


@case
def place_multiple_orders(sdk: Sdk) -> None:
    """Each gets its own answer: an order, or an error."""
    good = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "58000"}
    good |= {"timeInForce": "GTC"}
    answers = sdk.call(
        "place_multiple_orders",
        {"code", "msg"},
        batch_orders=[good, good | {"side": "SELL", "price": "62000"}],
    )
    expect([item.status for item in answers] == ["NEW", "NEW"], sdk.raw)
    sdk.api.place_multiple_orders(batch_orders=[good, good | {"symbol": "NOPE"}])
    expect(sdk.raw[0]["status"] == "NEW", sdk.raw)
    expect(sdk.raw[1] == {"code": -1121, "msg": "Invalid symbol."}, sdk.raw)
    flatten(sdk)


@case
def modify_multiple_orders(sdk: Sdk) -> None:
    """Each gets its own answer."""
    ids = [resting(sdk).order_id for _ in range(2)]
    changes = [
        {"orderId": item, "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.02", "price": "58100"}
        for item in ids
    ]
    sdk.call("modify_multiple_orders", {"code", "msg", "modifyId"}, batch_orders=changes)
    expect([item["price"] for item in sdk.raw] == ["58100.00"] * 2, sdk.raw)
    flatten(sdk)


@case
def cancel_multiple_orders(sdk: Sdk) -> None:
    """Each gets its own answer."""
    ids = [resting(sdk).order_id for _ in range(2)]
    sdk.call("cancel_multiple_orders", {"code", "msg"} | TRAILING, symbol="BTCUSDT", order_id_list=ids)
    expect([item["status"] for item in sdk.raw] == ["CANCELED"] * 2, sdk.raw)
    sdk.api.cancel_multiple_orders(symbol="BTCUSDT", order_id_list=ids)
    expect([item["code"] for item in sdk.raw] == [-2011] * 2, sdk.raw)


@case
def auto_cancel_all_open_orders(sdk: Sdk) -> None:
    """A countdown is set, and called off."""
    sdk.call("auto_cancel_all_open_orders", symbol="BTCUSDT", countdown_time=60_000)
    sdk.call("auto_cancel_all_open_orders", symbol="BTCUSDT", countdown_time=0)


@case
def position_information_v2(sdk: Sdk) -> None:
    """All symbols."""
    with_position(sdk)
    sdk.call("position_information_v2", symbol="BTCUSDT")
    sdk.call("position_information_v2")
    expect([item["symbol"] for item in sdk.raw] == ["BTCUSDT", "ETHUSDT"], sdk.raw)
    flatten(sdk)


@case
def position_information_v3(sdk: Sdk) -> None:
    """Only what is held or ordered."""
    with_position(sdk)
    sdk.call("position_information_v3")
    expect([item["symbol"] for item in sdk.raw] == ["BTCUSDT"], sdk.raw)
    flatten(sdk)


@case
def position_adl_quantile_estimation(sdk: Sdk) -> None:
    """The place in the queue."""
    with_position(sdk)
    sdk.call("position_adl_quantile_estimation", {"HEDGE"})
    expect([item["symbol"] for item in sdk.raw] == ["BTCUSDT"], sdk.raw)
    flatten(sdk)


@case
def users_force_orders(sdk: Sdk) -> None:
    """Nobody was liquidated."""
    sdk.call("users_force_orders", symbol="BTCUSDT")
    expect(sdk.raw == [], sdk.raw)


# --- algo orders --------------------------------------------------------------------------------------


TRIGGERED = {"actualType", "actualQty", "activatePrice", "callbackRate", "icebergQuantity"}


def conditional(sdk: Sdk) -> Any:
    """Place a stop far above the market."""
    return sdk.call(
        "new_algo_order",
        TRIGGERED,
        algo_type="CONDITIONAL",
        symbol="BTCUSDT",
        side="BUY",
        type="STOP_MARKET",
        quantity=0.01,
        trigger_price=62_000,
        client_algo_id=sdk.client_id(),
    )


@case
def new_algo_order(sdk: Sdk) -> None:
    """A stop waits for its trigger."""
    expect(conditional(sdk).algo_status == "NEW", sdk.raw)
    sdk.api.cancel_all_algo_open_orders(symbol="BTCUSDT")


@case
def query_algo_order(sdk: Sdk) -> None:
    """By its id, and by the client's."""
    placed = conditional(sdk)
    sdk.call("query_algo_order", TRIGGERED, algo_id=placed.algo_id)
    sdk.call("query_algo_order", TRIGGERED, client_algo_id=placed.client_algo_id)
    sdk.api.cancel_all_algo_open_orders(symbol="BTCUSDT")


@case
def current_all_algo_open_orders(sdk: Sdk) -> None:
    """All that wait."""
    conditional(sdk)
    sdk.call("current_all_algo_open_orders", TRIGGERED)
    expect(len(sdk.raw) == 1, sdk.raw)
    sdk.api.cancel_all_algo_open_orders(symbol="BTCUSDT")


@case
def query_all_algo_orders(sdk: Sdk) -> None:
    """All that were."""
    conditional(sdk)
    sdk.api.cancel_all_algo_open_orders(symbol="BTCUSDT")
    sdk.call("query_all_algo_orders", TRIGGERED, symbol="BTCUSDT")
    expect(sdk.raw[-1]["algoStatus"] == "CANCELED", sdk.raw)


@case
def cancel_algo_order(sdk: Sdk) -> None:
    """Once."""
    placed = conditional(sdk)
    sdk.call("cancel_algo_order", algo_id=placed.algo_id)
    expect(refusal(sdk, "cancel_algo_order", algo_id=placed.algo_id) == -2011, sdk.raw)


@case
def cancel_all_algo_open_orders(sdk: Sdk) -> None:
    """All of a symbol."""
    conditional(sdk)
    sdk.call("cancel_all_algo_open_orders", symbol="BTCUSDT")
    sdk.api.current_all_algo_open_orders()
    expect(sdk.raw == [], sdk.raw)


# --- listen keys --------------------------------------------------------------------------------------


@case
def start_user_data_stream(sdk: Sdk) -> None:
    """A key; the same one as long as it lives."""
    first = sdk.call("start_user_data_stream").listen_key
    expect(sdk.call("start_user_data_stream").listen_key == first, sdk.raw)


@case
def keepalive_user_data_stream(sdk: Sdk) -> None:
    """The key lives on."""
    sdk.call("start_user_data_stream")
    sdk.call("keepalive_user_data_stream")


@case
def close_user_data_stream(sdk: Sdk) -> None:
    """The key ends."""
    sdk.call("start_user_data_stream")
    sdk.call("close_user_data_stream")
    expect(sdk.raw == {}, sdk.raw)


# --- the whole ----------------------------------------------------------------------------------------


NOT_SERVED: dict[str, dict[str, Any]] = {
    # Statistics of other traders, of whom there are none.
    "basis": {"pair": "BTCUSDT", "contract_type": "PERPETUAL", "period": "5m"},
    "long_short_ratio": {"symbol": "BTCUSDT", "period": "5m"},
    "open_interest_statistics": {"symbol": "BTCUSDT", "period": "5m"},
    "taker_buy_sell_volume": {"symbol": "BTCUSDT", "period": "5m"},
    "top_trader_long_short_ratio_accounts": {"symbol": "BTCUSDT", "period": "5m"},
    "top_trader_long_short_ratio_positions": {"symbol": "BTCUSDT", "period": "5m"},
    # Products that are not perpetuals on one coin.
    "composite_index_symbol_information": {},
    "futures_tradfi_perps_contract": {},
    "quarterly_contract_settlement_price": {"pair": "BTCUSDT"},
    "trading_schedule": {},
    # Files to download; the history endpoints answer the same at once.
    "get_download_id_for_futures_order_history": {"start_time": 1, "end_time": 2},
    "get_download_id_for_futures_trade_history": {"start_time": 1, "end_time": 2},
    "get_download_id_for_futures_transaction_history": {"start_time": 1, "end_time": 2},
    "get_futures_order_history_download_link_by_id": {"download_id": "1"},
    "get_futures_trade_download_link_by_id": {"download_id": "1"},
    "get_futures_transaction_history_download_link_by_id": {"download_id": "1"},
    # Accounts of another kind, and another business.
    "classic_portfolio_margin_account_information": {"asset": "USDT"},
    "accept_the_offered_quote": {"quote_id": "1"},
    "list_all_convert_pairs": {"from_asset": "USDT"},
    "order_status": {"order_id": "1"},
    "send_quote_request": {"from_asset": "USDT", "to_asset": "BTC"},
}


@case
def what_is_not_served_says_so(sdk: Sdk) -> None:
    """A path that is not served is answered as the venue answers one that it does not have."""
    for method, parameters in NOT_SERVED.items():
        expect(refusal(sdk, method, **parameters) == -5000, (method, sdk.raw))


@case
def every_method_has_its_case(sdk: Sdk) -> None:
    """Nothing that the SDK offers is forgotten."""
    offered = {
        name
        for name, _ in inspect.getmembers(type(sdk.api), inspect.isfunction)
        if not name.startswith("_") and name not in {"send_request", "send_signed_request"}
    }
    expect(offered == sdk.called, f"no case: {offered - sdk.called}; not offered: {sdk.called - offered}")


run(Sdk)
