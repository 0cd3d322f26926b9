"""Reads of an account: retried while that may help, complete, exact, and never guessed."""

import asyncio
import time
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from bot.core.commands import (
    Command,
    FetchAccount,
    FetchContract,
    FetchIncome,
    FetchOrders,
    FetchTouch,
    FetchTrades,
    FetchVolume,
    GuardOrders,
    QueryOrder,
)
from bot.core.events import (
    AccountSeen,
    Guarded,
    Income,
    IncomeSeen,
    OrderMissing,
    OrderReport,
    ReadFailed,
    TouchSeen,
    Trade,
    TradesSeen,
    VolumeSeen,
)
from bot.core.recovery_events import ListedOrder, OrdersSeen
from bot.core.watch_events import ContractSeen
from bot.venue.errors import RequestFailed
from bot.venue.requests import BACK_OFF_S
from bot.venue.venue import Venue
from tests.support.venue_orders import CID
from tests.support.venue_stub import Answer, VenueStub, error_answer, json_answer, listed, text_answer
from tests.venue.conftest import NOW_MS, SECRET, Account

ORDER, TRADES, INCOME = "GET /fapi/v1/order", "GET /fapi/v1/userTrades", "GET /fapi/v1/income"
ACCOUNT, TOUCH = "GET /fapi/v3/account", "GET /fapi/v1/ticker/bookTicker"
KLINES, ALL_ORDERS = "GET /fapi/v1/klines", "GET /fapi/v1/allOrders"
COUNTDOWN = "POST /fapi/v1/countdownCancelAll"
FOUND = {"clientOrderId": CID, "orderId": 4711, "executedQty": "0.004", "status": "EXPIRED"}
DAY_MS = 86_400_000


def in_turn(*answers: Answer) -> Answer:
    """Give these answers one after the other, the last one for ever."""
    left = list(answers)

    async def answer(request: web.Request, params: dict[str, str]) -> web.StreamResponse:
        return await (left.pop(0) if len(left) > 1 else left[0])(request, params)

    return answer


def a_trade(number: int, **fields: Any) -> dict[str, Any]:
    """A row of userTrades."""
    row = {"symbol": "BTCUSDT", "id": number, "orderId": 4711, "side": "BUY", "price": "50000.10"}
    row |= {"qty": "0.002", "commission": "0.05000010", "commissionAsset": "USDT", "time": NOW_MS + number}
    return {**row, **fields}


def an_income(
    number: int, kind: str = "FUNDING_FEE", amount: str = "-1.5", asset: str = "USDT"
) -> dict[str, Any]:
    """A row of income."""
    row = {"symbol": "BTCUSDT", "incomeType": kind, "income": amount, "asset": asset}
    return {**row, "time": NOW_MS + number, "tranId": number, "tradeId": ""}


def holding(wallet: str = "100000.5", *positions: dict[str, Any]) -> dict[str, Any]:
    """An answer of v3/account."""
    assets = [{"asset": "USDT", "walletBalance": wallet, "marginBalance": "1"}]
    return {"totalWalletBalance": wallet, "assets": assets, "positions": list(positions)}


def position(amount: str, symbol: str = "BTCUSDT", side: str = "BOTH") -> dict[str, Any]:
    """A row of v3/account's positions."""
    return {"symbol": symbol, "positionSide": side, "positionAmt": amount}


TRANSIENT = {
    "-1000": error_answer(-1000, "An unknown error occurred."),
    "-1001": error_answer(-1001, "Internal error."),
    "-1007": error_answer(-1007, "Timeout waiting for response from backend server.", 408),
    "-1008": error_answer(-1008, "Request throttled by system-level protection.", 503),
    "-1021": error_answer(-1021, "Timestamp for this request is outside of the recvWindow."),
    "503": text_answer("Service Unavailable.", 503),
}


@pytest.mark.parametrize("fault", TRANSIENT)
async def test_a_read_is_repeated_after_a_passing_fault(
    stub: VenueStub, account: Account, fault: str
) -> None:
    """What ccxt calls an operation failure is tried again, and the answer then counts."""
    stub.answers[ORDER] = in_turn(TRANSIENT[fault], json_answer(FOUND))

    event = await account.gateway.perform(QueryOrder(CID))

    assert isinstance(event, OrderReport)
    assert (event.filled, event.closed) == (Decimal("0.004"), True)
    assert stub.count(ORDER) == 2


async def test_a_read_is_repeated_after_a_reset(stub: VenueStub, account: Account) -> None:
    """So is a read whose connection was reset, or whose body broke off."""

    async def broken_off(request: web.Request, _params: dict[str, str]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "500", "Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(b'{"clientOrderId":')
        assert request.transport is not None
        request.transport.close()
        return response

    stub.answers[ORDER] = in_turn(broken_off, json_answer(FOUND))

    assert isinstance(await account.gateway.perform(QueryOrder(CID)), OrderReport)


async def test_a_read_gives_up_after_a_few_tries(stub: VenueStub, account: Account) -> None:
    """A fault that stays makes the read fail, naming the command; it is evidence of nothing."""
    stub.answers[ORDER] = TRANSIENT["503"]

    event = await account.gateway.perform(QueryOrder(CID))

    assert isinstance(event, ReadFailed)
    assert event.what == "QueryOrder"
    assert stub.count(ORDER) == 4


async def test_a_read_that_cannot_succeed_is_not_repeated(stub: VenueStub, account: Account) -> None:
    """A refused key stays refused."""
    stub.answers[ORDER] = error_answer(-2015, "Invalid API-key, IP, or permissions for action.", 401)

    event = await account.gateway.perform(QueryOrder(CID))

    assert isinstance(event, ReadFailed)
    assert "-2015" in event.reason
    assert stub.count(ORDER) == 1


async def test_an_order_that_the_venue_does_not_know_is_missing(stub: VenueStub, account: Account) -> None:
    """-2013 is the one authoritative word for that."""
    stub.answers[ORDER] = error_answer(-2013, "Order does not exist.")

    event = await account.gateway.perform(QueryOrder(CID))

    assert isinstance(event, OrderMissing)
    assert event.cid == CID


@pytest.mark.parametrize(
    "answer",
    [
        error_answer(-2011, "Unknown order sent."),
        text_answer("not found", 404),
        json_answer({}),
        json_answer({**FOUND, "clientOrderId": "another"}),
        text_answer('{"clientOrderId": ', 200),
    ],
    ids=["-2011", "404", "empty object", "another order", "truncated"],
)
async def test_anything_else_does_not_prove_an_order_missing(
    stub: VenueStub, account: Account, answer: Answer
) -> None:
    """An answer that is neither the order nor -2013 is a failed read."""
    stub.answers[ORDER] = answer

    assert isinstance(await account.gateway.perform(QueryOrder(CID)), ReadFailed)


async def test_trades_are_signed_and_exact(stub: VenueStub, account: Account) -> None:
    """Sold quantities are negative, fees are what was paid, and no digit is lost."""
    stub.answers[TRADES] = json_answer([a_trade(1), a_trade(2, side="SELL", qty="0.001")])

    event = await account.gateway.perform(FetchTrades("4711", NOW_MS))

    assert isinstance(event, TradesSeen)
    fee, price = Decimal("0.05000010"), Decimal("50000.10")
    assert event.trades == (
        Trade("1", "4711", NOW_MS + 1, Decimal("0.002"), price, fee),
        Trade("2", "4711", NOW_MS + 2, Decimal("-0.001"), price, fee),
    )


async def test_all_pages_of_trades_are_read(stub: VenueStub, account: Account) -> None:
    """After a full page the next one is asked for by trade id, until one is not full."""
    rows = [a_trade(number) for number in range(1, 2301)]

    async def paged(_request: web.Request, params: dict[str, str]) -> web.StreamResponse:
        first = int(params.get("fromId", 0))
        return web.json_response([row for row in rows if row["id"] >= first][:1000])

    stub.answers[TRADES] = paged

    event = await account.gateway.perform(FetchTrades(None, NOW_MS))

    assert isinstance(event, TradesSeen)
    assert [trade.trade_id for trade in event.trades] == [str(number) for number in range(1, 2301)]
    assert stub.count(TRADES) == 3


@pytest.mark.parametrize("order_id", [None, "4711"], ids=["all", "of an order"])
async def test_trades_of_weeks_are_read_week_by_week(
    stub: VenueStub, account: Account, order_id: str | None
) -> None:
    """The venue answers for seven days at most, by order id too, so several windows cover a longer time."""
    rows = [a_trade(number, time=NOW_MS - (20 - number) * DAY_MS) for number in range(20)]

    async def windowed(_request: web.Request, params: dict[str, str]) -> web.StreamResponse:
        start = int(params["startTime"])
        end = min(int(params.get("endTime", start + 7 * DAY_MS)), start + 7 * DAY_MS)
        return web.json_response([row for row in rows if start <= row["time"] <= end])

    stub.answers[TRADES] = windowed

    event = await account.gateway.perform(FetchTrades(order_id, NOW_MS - 20 * DAY_MS))

    assert isinstance(event, TradesSeen)
    assert len(event.trades) == 20


async def test_a_fee_in_another_asset_fails_the_read(stub: VenueStub, account: Account) -> None:
    """The ledger is in USDT; a fee in BNB cannot be booked, and the reason names it."""
    stub.answers[TRADES] = json_answer([a_trade(1, commissionAsset="BNB")])

    event = await account.gateway.perform(FetchTrades("4711", NOW_MS))

    assert isinstance(event, ReadFailed)
    assert "BNB" in event.reason


async def test_income_is_what_trades_do_not_explain(stub: VenueStub, account: Account) -> None:
    """Funding, transfers and clearings count; realised profit, commissions and other assets do not."""
    stub.answers[INCOME] = json_answer(
        [
            an_income(1, "TRANSFER", "100000"),
            an_income(2, "COMMISSION", "-0.1"),
            an_income(3, "REALIZED_PNL", "5"),
            an_income(4, "FUNDING_FEE", "-1.50000001"),
            an_income(4, "INSURANCE_CLEAR", "-7"),
            an_income(5, "TRANSFER", "1", asset="BNB"),
        ]
    )

    event = await account.gateway.perform(FetchIncome(NOW_MS))

    assert isinstance(event, IncomeSeen)
    assert event.items == (
        Income("TRANSFER:1", NOW_MS + 1, "TRANSFER", Decimal(100000)),
        Income("FUNDING_FEE:4", NOW_MS + 4, "FUNDING_FEE", Decimal("-1.50000001")),
        Income("INSURANCE_CLEAR:4", NOW_MS + 4, "INSURANCE_CLEAR", Decimal(-7)),
    )


async def test_all_pages_of_income_are_read(stub: VenueStub, account: Account) -> None:
    """Pages are asked for until one is not full."""
    rows = [an_income(number) for number in range(2500)]

    async def paged(_request: web.Request, params: dict[str, str]) -> web.StreamResponse:
        assert params["startTime"] == str(NOW_MS)
        page = int(params["page"])
        return web.json_response(rows[(page - 1) * 1000 : page * 1000])

    stub.answers[INCOME] = paged

    event = await account.gateway.perform(FetchIncome(NOW_MS))

    assert isinstance(event, IncomeSeen)
    assert len(event.items) == 2500


async def test_the_account_is_wallet_position_and_income(stub: VenueStub, account: Account) -> None:
    """Wallet balance (not margin balance), the signed position of our symbol, and the income."""
    stub.answers[ACCOUNT] = json_answer(holding("99.5", position("-0.25"), position("7", "ETHUSDT")))
    stub.answers[INCOME] = json_answer([an_income(1)])

    event = await account.gateway.perform(FetchAccount(NOW_MS))

    assert isinstance(event, AccountSeen)
    assert (event.wallet, event.position) == (Decimal("99.5"), Decimal("-0.25"))
    assert [item.income_id for item in event.income] == ["FUNDING_FEE:1"]


async def test_an_account_without_a_row_for_the_symbol_is_flat(stub: VenueStub, account: Account) -> None:
    """The venue lists open positions only; a well-formed list without ours means that there is none."""
    stub.answers[ACCOUNT] = json_answer(holding("10"))
    stub.answers[INCOME] = json_answer([])

    event = await account.gateway.perform(FetchAccount(NOW_MS))

    assert isinstance(event, AccountSeen)
    assert event.position == Decimal(0)


MALFORMED: dict[str, Any] = {
    "no positions": {"assets": holding()["assets"]},
    "positions are null": {**holding(), "positions": None},
    "a position without an amount": holding("1", {"symbol": "BTCUSDT", "positionSide": "BOTH"}),
    "a position without a symbol": holding("1", {"positionAmt": "1", "positionSide": "BOTH"}),
    "NaN position": holding("1", position("NaN")),
    "hedge mode": holding("1", position("1", side="LONG")),
    "no USDT": {**holding(), "assets": []},
    "NaN wallet": holding("NaN"),
    "a list": [],
    "an empty object": {},
}


@pytest.mark.parametrize("fault", MALFORMED)
async def test_a_malformed_account_is_not_a_flat_one(stub: VenueStub, account: Account, fault: str) -> None:
    """A missing or unreadable position is a failed read, never a position of zero."""
    stub.answers[ACCOUNT] = json_answer(MALFORMED[fault])
    stub.answers[INCOME] = json_answer([])

    assert isinstance(await account.gateway.perform(FetchAccount(NOW_MS)), ReadFailed)


async def test_income_that_lands_while_reading_is_not_torn_from_the_wallet(
    stub: VenueStub, account: Account
) -> None:
    """If the wallet moved between its reads, both are read again, so that income and wallet fit together."""
    wallets = iter(["100", "98.5", "98.5"])
    incomes = iter([[], [an_income(1)]])

    async def moving(_request: web.Request, _params: dict[str, str]) -> web.StreamResponse:
        return web.json_response(holding(next(wallets)))

    async def landing(_request: web.Request, _params: dict[str, str]) -> web.StreamResponse:
        return web.json_response(next(incomes))

    stub.answers |= {ACCOUNT: moving, INCOME: landing}

    event = await account.gateway.perform(FetchAccount(NOW_MS))

    assert isinstance(event, AccountSeen)
    assert (event.wallet, len(event.income)) == (Decimal("98.5"), 1)


async def test_the_touch_is_bid_and_ask(stub: VenueStub, account: Account) -> None:
    """Best bid and ask, exactly."""
    stub.answers[TOUCH] = json_answer({"symbol": "BTCUSDT", "bidPrice": "49999.90", "askPrice": "50000.00"})

    event = await account.gateway.perform(FetchTouch())

    assert isinstance(event, TouchSeen)
    assert (event.bid, event.ask) == (Decimal("49999.90"), Decimal("50000.00"))


@pytest.mark.parametrize(("bid", "ask"), [("0", "1"), ("2", "1"), ("NaN", "1"), ("1", "Infinity")])
async def test_an_impossible_touch_fails_the_read(
    stub: VenueStub, account: Account, bid: str, ask: str
) -> None:
    """A crossed, empty or non-numeric book is no touch."""
    stub.answers[TOUCH] = json_answer({"symbol": "BTCUSDT", "bidPrice": bid, "askPrice": ask})

    assert isinstance(await account.gateway.perform(FetchTouch()), ReadFailed)


def candle(volume: str) -> list[Any]:
    """A minute of the market, as a row of klines."""
    return [1_700_000_000_000, "1", "1", "1", "1", volume, 1_700_000_059_999, "1", 1, "1", "1", "0"]


@pytest.mark.parametrize(
    ("volumes", "expected"),
    [(["1.5", "2.25", "99"], (Decimal("3.75"), 120_000)), (["99"], (None, 0)), (["0", "99"], (None, 60_000))],
)
async def test_the_volume_is_that_of_the_minutes_that_are_over(
    stub: VenueStub, account: Account, volumes: list[str], expected: tuple[Decimal | None, int]
) -> None:
    """The last row still grows; a market without volume has nothing to say."""
    stub.answers[KLINES] = json_answer([candle(volume) for volume in volumes])

    event = await account.gateway.perform(FetchVolume())

    assert isinstance(event, VolumeSeen)
    assert (event.volume, event.span_ms) == expected


@pytest.mark.parametrize("answer", [{"code": 0}, [[1]], [["x"] * 12, ["y"] * 12]])
async def test_candles_that_cannot_be_read_fail_the_read(
    stub: VenueStub, account: Account, answer: Any
) -> None:
    """Not a list, rows too short, no numbers."""
    stub.answers[KLINES] = json_answer(answer if isinstance(answer, dict) else [*answer, answer[0]])

    assert isinstance(await account.gateway.perform(FetchVolume()), ReadFailed)


async def test_the_margin_that_is_available_comes_with_the_account(stub: VenueStub, account: Account) -> None:
    """Of the USDT wallet; a venue that does not state it leaves it out."""
    answer = holding("99.5")
    answer["assets"][0]["availableBalance"] = "42.25"
    stub.answers[ACCOUNT], stub.answers[INCOME] = json_answer(answer), json_answer([])

    event = await account.gateway.perform(FetchAccount(NOW_MS))

    assert isinstance(event, AccountSeen)
    assert event.available == Decimal("42.25")


async def test_the_dead_mans_switch_is_set_and_taken_back(stub: VenueStub, account: Account) -> None:
    """By symbol, in ms, as often as it is asked for; repeated where the answer was lost."""
    fails, works = text_answer("", 503), json_answer({"symbol": "BTCUSDT", "countdownTime": "45000"})
    stub.answers[COUNTDOWN] = in_turn(fails, works)
    for after_ms in (45_000, 0):
        assert isinstance(await account.gateway.perform(GuardOrders(after_ms)), Guarded)
    asked = [(p["symbol"], p["countdownTime"]) for p in stub.asked(COUNTDOWN)]
    assert asked == [("BTCUSDT", "45000"), ("BTCUSDT", "45000"), ("BTCUSDT", "0")]


async def test_the_clocks_are_compared(stub: VenueStub, account: Account) -> None:
    """Ours ahead of a venue that lags; an answer that is none fails without a word of ours."""
    account.client.milliseconds = lambda: NOW_MS
    stub.answers["GET /fapi/v1/time"] = json_answer({"serverTime": NOW_MS - 5_000})
    assert await account.gateway.skew_ms() == 5_000
    stub.answers["GET /fapi/v1/time"] = text_answer("{}", 200)
    with pytest.raises(RequestFailed):
        await account.gateway.skew_ms()


async def test_a_slow_answer_says_nothing_of_the_clocks(
    stub: VenueStub, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be taken for a clock that is ahead, and orders would be signed by a time that is over."""
    monkeypatch.setattr("bot.venue.requests._QUICK_S", 0.15)
    account.client.milliseconds = time_ms
    waits_s = [0.4, 0.3]

    async def slow(_request: web.Request, _params: dict[str, str]) -> web.StreamResponse:
        now_ms = time_ms()
        if waits_s:
            await asyncio.sleep(waits_s.pop(0))
        return web.json_response({"serverTime": now_ms})

    stub.answers["GET /fapi/v1/time"] = slow
    assert 300 <= await account.gateway.skew_ms() < 400  # nothing better was to be had
    waits_s.append(0.35)
    assert -200 < await account.gateway.skew_ms() < 200
    stub.answers[ORDER] = json_answer(FOUND)
    await account.gateway.perform(QueryOrder(CID))
    assert abs(time_ms() - int(stub.asked(ORDER)[0]["timestamp"])) < 200


def time_ms() -> int:
    """What both ends go by: the loop's time, which stands still while the machine has no time for them."""
    return NOW_MS + round(asyncio.get_running_loop().time() * 1000)


async def test_a_command_may_ask_to_wait_first(stub: VenueStub, account: Account) -> None:
    """`delay_s` passes before the venue is asked, and a cancellation in that time asks nothing."""
    stub.answers[ORDER] = json_answer(FOUND)
    task = asyncio.create_task(account.gateway.perform(QueryOrder(CID, delay_s=30.0)))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert stub.count(ORDER) == 0
    assert isinstance(await account.gateway.perform(QueryOrder(CID, delay_s=0.01)), OrderReport)


async def test_the_venue_may_say_for_how_long_to_back_off(stub: VenueStub, account: Account) -> None:
    """After 429 the host is left alone for the time in Retry-After, and the read then goes on."""
    times: list[float] = []
    body = '{"code":-1003,"msg":"Too many requests."}'

    async def busy(_request: web.Request, _params: dict[str, str]) -> web.StreamResponse:
        times.append(asyncio.get_running_loop().time())
        if len(times) == 1:
            return web.Response(text=body, status=429, headers={"Retry-After": "1"})
        return web.json_response(FOUND)

    stub.answers[ORDER] = busy

    assert isinstance(await account.gateway.perform(QueryOrder(CID)), OrderReport)
    assert times[1] - times[0] >= 0.95


@pytest.mark.parametrize(
    ("until_s", "held_s"),
    [(7_200, 7_200), (-60, BACK_OFF_S["418"]), (60 * 86_400, 4 * 86_400)],
    ids=["hours", "over by our clock", "never ends"],
)
async def test_a_ban_lasts_as_long_as_its_message_says(
    stub: VenueStub, venue: Venue, account: Account, until_s: int, held_s: float
) -> None:
    """The futures API has no Retry-After, and whoever asks while banned is banned for longer, up to days."""
    until_ms = int((time.time() + until_s) * 1000)
    said = f"Way too many requests; IP(10.0.0.1) banned until {until_ms}. Please use the websocket."
    stub.answers[ORDER] = error_answer(-1003, said, 418)

    await account.gateway.perform(QueryOrder(CID))

    assert abs(venue._limiter.held_s - held_s) < 30


async def test_a_firewall_is_not_hammered(stub: VenueStub, account: Account) -> None:
    """It lets us through again once it counts fewer requests: none is repeated at once."""
    stub.answers[ORDER] = text_answer("<html>Request blocked</html>", 403)

    event = await account.gateway.perform(QueryOrder(CID))

    assert isinstance(event, ReadFailed)
    assert stub.count(ORDER) == 1


async def test_a_ban_of_another_host_holds_no_order_back(
    stub: VenueStub, venue: Venue, account: Account
) -> None:
    """A key's permissions are the spot API's to tell, which counts and bans by itself."""
    stub.answers["GET /sapi/v1/account/apiRestrictions"] = error_answer(-1003, "IP banned.", 418)

    with pytest.raises(RequestFailed):
        await account.gateway.key_problem("UP")

    assert venue._limiter.held_s == 0


async def test_a_ban_fails_reads_at_once(stub: VenueStub, account: Account) -> None:
    """After 418 nobody asks again for minutes: that would lengthen the ban."""
    stub.answers[ORDER] = error_answer(-1003, "IP banned.", 418)
    await account.gateway.perform(QueryOrder(CID))

    event = await account.gateway.perform(FetchTouch())

    assert isinstance(event, ReadFailed)
    assert "rate_limit" in event.reason
    assert stub.count(ORDER) == 1
    assert stub.count(TOUCH) == 0


@pytest.mark.parametrize(
    "command", [QueryOrder(CID), FetchAccount(0), FetchTrades(None, NOW_MS), FetchIncome(0)]
)
async def test_a_failed_read_reveals_no_key_or_signature(
    stub: VenueStub, account: Account, command: Command, caplog: pytest.LogCaptureFixture
) -> None:
    """A venue that repeats the request in its error, key and signature included, is not repeated by us."""
    caplog.set_level("DEBUG")

    async def echo(request: web.Request, params: dict[str, str]) -> web.StreamResponse:
        text = f"{request.url} {dict(request.headers)} {params} {SECRET}"
        return web.json_response({"code": -1102, "msg": text}, status=400)

    stub.answers |= dict.fromkeys((ORDER, TRADES, INCOME, ACCOUNT), echo)

    event = await account.gateway.perform(command)

    assert isinstance(event, ReadFailed)
    for text in (repr(event), caplog.text):
        assert "canary" not in text
        assert "signature=" not in text
    sent = next(params for route, params in stub.seen if route in {ORDER, TRADES, INCOME, ACCOUNT})
    assert sent["signature"] not in repr(event)


async def test_the_latest_orders_are_listed_whoever_sent_them(stub: VenueStub, account: Account) -> None:
    """Ids, times, and whether they rest: what a restart compares with its journal."""
    row = {"orderId": 7, "executedQty": "0.1", "time": 1_700_000_000_123}
    stub.answers[ALL_ORDERS] = json_answer(
        [
            {**row, "clientOrderId": "ib01", "status": "FILLED"},
            {**row, "clientOrderId": "web_1", "status": "NEW"},
        ]
    )

    event = await account.gateway.perform(FetchOrders())

    assert isinstance(event, OrdersSeen)
    assert event.orders == (
        ListedOrder("ib01", 1_700_000_000_123, is_open=False),
        ListedOrder("web_1", 1_700_000_000_123, is_open=True),
    )


async def test_an_order_list_that_cannot_be_read_fails_the_read(stub: VenueStub, account: Account) -> None:
    """It is asked for again, and proves nothing."""
    stub.answers[ALL_ORDERS] = json_answer([{"clientOrderId": "ib01", "status": "NEW", "time": "soon"}])
    assert isinstance(await account.gateway.perform(FetchOrders()), ReadFailed)


INFO, BRACKETS = "GET /fapi/v1/exchangeInfo", "GET /fapi/v1/leverageBracket"
STEP = {"initialLeverage": 20, "notionalCap": 300_000, "maintMarginRatio": 0.004, "cum": 0}


async def test_a_contract_that_changed_is_read_anew(stub: VenueStub, account: Account) -> None:
    """Tick and brackets as the venue has them by now, at the leverage that the account has."""
    now = {**listed("BTCUSDT")}
    now["filters"] = [{**row, "tickSize": "7"} if "tickSize" in row else row for row in now["filters"]]
    stub.answers[INFO] = json_answer({"symbols": [now]})
    stub.answers[BRACKETS] = json_answer([{"symbol": "BTCUSDT", "brackets": [STEP]}])
    answer = await account.gateway.perform(FetchContract())
    assert isinstance(answer, ContractSeen)
    assert answer.contract is not None
    assert (answer.contract.tick, answer.contract.venue_leverage) == (7, 6)
    assert [step.notional_cap for step in answer.contract.maintenance] == [300_000]


CLOSED = {**listed("BTCUSDT"), "status": "SETTLING"}


@pytest.mark.parametrize("symbols", [[CLOSED], []], ids=["closed", "gone"])
async def test_a_contract_that_is_not_traded_is_none(
    stub: VenueStub, account: Account, symbols: list[dict[str, Any]]
) -> None:
    """Closed, or no longer listed at all."""
    stub.answers[INFO] = json_answer({"symbols": [*symbols, listed("ETHUSDT")]})
    answer = await account.gateway.perform(FetchContract())
    assert isinstance(answer, ContractSeen)
    assert answer.contract is None


@pytest.mark.parametrize("silent", [INFO, BRACKETS])
async def test_a_contract_that_cannot_be_read_says_nothing(
    stub: VenueStub, account: Account, silent: str
) -> None:
    """Neither that it changed, nor that it is gone; and what was known is still known."""
    stub.answers[BRACKETS] = json_answer([{"symbol": "BTCUSDT", "brackets": [STEP]}])
    stub.answers[silent] = error_answer(-1001, "Internal error", status=500)
    answer = await account.gateway.perform(FetchContract())
    assert isinstance(answer, ReadFailed)
    assert answer.what == "FetchContract"
