"""What a client meets when requests and replies go wrong; each fault is counted."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import aiohttp
import orjson
import pytest
from yarl import URL

from bot.exchange.faults import When, make_fault
from bot.exchange.faults.kinds import ERRORS
from tests.exchange.builders import (
    DELAYS_S,
    DOWN,
    LONG_WINDOW,
    ORDER,
    START_MS,
    UP,
    Start,
    signed,
    walk,
)
from tests.support.patience import PATIENCE_S

if TYPE_CHECKING:
    from tests.exchange.builders import Bench

PLACING = {"method": "POST", "path": "/fapi/v1/order"}
QUERY = ("GET", "/fapi/v1/order")
LATE = "this machine was too busy for the longest of the delays"
BROKEN = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)


async def placed(bench: Bench, client_id: str) -> bool:
    """Return whether an order exists."""
    query = {"symbol": "BTCUSDT", "origClientOrderId": client_id}
    status, body = await bench.call(*QUERY, query, UP)
    if status == 200:
        assert body["clientOrderId"] == client_id
    return status == 200


async def until_placed(bench: Bench, client_id: str) -> None:
    """Wait until an order exists."""
    async with asyncio.timeout(PATIENCE_S):
        while not await placed(bench, client_id):
            pass


async def breaks(bench: Bench, client_id: str) -> None:
    """Place an order, and see its connection end without a whole reply."""
    with pytest.raises(BROKEN):
        await bench.order(newClientOrderId=client_id)


@pytest.mark.parametrize("kind", ["reply_lost", "reply_reset", "reply_cut"])
async def test_row_1_and_17_the_order_is_executed_but_the_reply_does_not_arrive(
    start: Start, kind: str
) -> None:
    """The client learns nothing, or half of it, and finds the order when it asks."""
    async with start(faults=True) as bench:
        bench.exchange.faults.inject(make_fault(kind, match=PLACING))
        await breaks(bench, "one")
        assert await placed(bench, "one")
        assert bench.exchange.faults.fired(kind) == 1
        assert (await bench.order(newClientOrderId="two"))["status"] == "FILLED"


async def test_row_1_a_reply_that_is_held_back_until_the_client_gives_up(start: Start) -> None:
    """The connection stays open, silent, and the order is there."""
    async with start(faults=True) as bench:
        bench.exchange.faults.inject(make_fault("reply_lost", match=PLACING, hold_s=60))
        placing = asyncio.create_task(bench.order(newClientOrderId="one"))
        await until_placed(bench, "one")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(placing, 0.3)
        assert await placed(bench, "one")


async def test_row_1_a_reply_comes_after_the_client_has_asked_elsewhere(start: Start) -> None:
    """The order is there at once, its reply later."""
    async with start(faults=True) as bench:
        for by_s in DELAYS_S:
            bench.exchange.faults.inject(make_fault("reply_delayed", match=PLACING, by_s=by_s))
            begun_s = asyncio.get_running_loop().time()
            placing = asyncio.create_task(bench.order(newClientOrderId=f"one-{by_s}"))
            await until_placed(bench, f"one-{by_s}")
            is_first, seen_s = placing.done(), asyncio.get_running_loop().time()
            assert (await placing)["status"] == "FILLED"
            assert asyncio.get_running_loop().time() - begun_s >= by_s
            if seen_s - begun_s < by_s:  # else the order was looked for too late
                assert not is_first
                return
    pytest.fail(LATE)


async def test_row_2_the_request_never_arrives(start: Start) -> None:
    """The connection ends all the same; the order does not exist."""
    async with start(faults=True) as bench:
        bench.exchange.faults.inject(make_fault("request_lost", match=PLACING))
        await breaks(bench, "one")
        assert not await placed(bench, "one")
        assert bench.exchange.faults.fired("request_lost") == 1


async def test_row_3_a_request_that_arrives_late_is_executed_late(start: Start) -> None:
    """A client that gave up finds its order some time after."""
    async with start(faults=True) as bench:
        for by_s in DELAYS_S:
            fault = bench.exchange.faults.inject(make_fault("request_delayed", match=PLACING, by_s=by_s))
            begun_s = asyncio.get_running_loop().time()
            placing = asyncio.create_task(bench.order(newClientOrderId=f"one-{by_s}"))
            async with asyncio.timeout(PATIENCE_S):
                while not fault.fired:  # noqa: ASYNC110 - nothing tells of a request that has not arrived
                    await asyncio.sleep(0.01)
            is_early, seen_s = await placed(bench, f"one-{by_s}"), asyncio.get_running_loop().time()
            assert (await placing)["status"] == "FILLED"
            assert await placed(bench, f"one-{by_s}")
            if seen_s - begun_s < by_s:  # else the order was looked for too late
                assert not is_early
                return
    pytest.fail(LATE)


async def test_row_4_a_request_that_arrives_after_its_window_is_refused(start: Start) -> None:
    """-1021, and nothing is executed."""
    async with start(faults=True) as bench:
        bench.exchange.faults.inject(make_fault("request_delayed", match=PLACING, by_s=0.2))
        assert (await bench.order(newClientOrderId="one", recvWindow="50"))["code"] == -1021
        assert not await placed(bench, "one")


async def test_row_5_a_query_does_not_find_the_order_yet(start: Start) -> None:
    """For a second of market time the order is in no answer; then it is in all."""
    async with start(faults=True) as bench:
        pacer, marks = await bench.pacer(), await bench.marks()
        bench.exchange.faults.inject(make_fault("order_hidden", lag_ms=1_000))
        await bench.order(newClientOrderId="one")
        listed = {"symbol": "BTCUSDT"}
        assert not await placed(bench, "one")
        assert (await bench.call("GET", "/fapi/v1/allOrders", listed, UP))[1] == []
        assert (await bench.call("GET", "/fapi/v1/userTrades", listed, UP))[1] == []
        await walk(pacer, marks, START_MS + 1_000)
        assert await placed(bench, "one")
        assert len((await bench.call("GET", "/fapi/v1/allOrders", listed, UP))[1]) == 1
        assert bench.exchange.faults.fired("order_hidden") >= 5


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize("name", ERRORS)
async def test_row_6_an_error_that_says_nothing_about_the_order(
    start: Start, name: str, *, executed: bool
) -> None:
    """The same words, whether the order was executed or not."""
    status, message, code = ERRORS[name]
    async with start(faults=True) as bench:
        bench.exchange.faults.inject(make_fault("error", match=PLACING, name=name, executed=executed))
        answer = await bench.raw("POST", "/fapi/v1/order", ORDER | {"newClientOrderId": "one"}, UP)
        assert answer.status == status
        if message:
            body = await answer.json()
            assert (body["msg"], body.get("code", 0)) == (message, code)
        else:
            assert answer.content_type == "text/html"
        assert await placed(bench, "one") == executed
        assert bench.exchange.faults.fired("error") == 1


async def test_row_7_a_definite_refusal(start: Start) -> None:
    """Any code and words of the venue; by default margin is insufficient."""
    async with start(faults=True) as bench:
        faults = bench.exchange.faults
        faults.inject(make_fault("rejected", match=PLACING))
        assert (await bench.order())["code"] == -2019
        words: dict[str, Any] = {"code": -2022, "message": "ReduceOnly Order is rejected."}
        faults.inject(make_fault("rejected", match=PLACING, **words))
        assert await bench.order() == {"code": words["code"], "msg": words["message"]}
        assert (await bench.order())["status"] == "FILLED"
        assert faults.fired("rejected") == 2


async def test_row_8_too_many_requests(start: Start) -> None:
    """429 says when to come back."""
    async with start(faults=True) as bench:
        bench.exchange.faults.inject(make_fault("rate_limited", match=PLACING, retry_after_s=7))
        answer = await bench.raw("POST", "/fapi/v1/order", ORDER, UP)
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
        assert (await answer.json())["code"] == -1003


async def test_row_8_a_ban_lasts_for_everybody_at_the_address(start: Start) -> None:
    """418 to whatever is asked until it is over, by any account, sockets included."""
    async with start(faults=True) as bench:

        async def asked() -> list[int]:
            answers = [await bench.raw("POST", "/fapi/v1/order", ORDER, owner) for owner in (UP, DOWN, UP)]
            try:
                await bench.marks()
            except aiohttp.WSServerHandshakeError as refused:
                return [answer.status for answer in answers] + [refused.status]
            return [answer.status for answer in answers] + [101]

        for for_s in (0.5, *DELAYS_S[1:]):
            bench.exchange.faults.inject(make_fault("banned", match=PLACING, for_s=for_s))
            begun_s = time.monotonic()
            statuses = await asked()
            is_told_in_time = time.monotonic() - begun_s < for_s
            async with asyncio.timeout(PATIENCE_S):
                while (await bench.raw("GET", "/fapi/v1/ping", {}, None)).status == 418:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.05)
            assert time.monotonic() - begun_s >= for_s
            if is_told_in_time:  # else the ban was over before all had asked
                assert statuses == [418] * 4
                return
    pytest.fail(LATE)


async def test_row_9_maintenance_in_market_time(start: Start) -> None:
    """In the window all requests are refused and sockets are cut; after it all is as before."""
    async with start(faults=True) as bench:
        pacer, marks = await bench.pacer(), await bench.marks()
        window = When(from_ms=START_MS + 2_000, until_ms=START_MS + 4_000, times=None)
        bench.exchange.faults.inject(make_fault("maintenance", when=window))
        await walk(pacer, marks, START_MS + 1_000)
        await pacer.idle(START_MS + 1_000, until=START_MS + 2_000)
        await marks.end()
        assert await bench.refusal("GET", "/fapi/v1/ping", account=None) == -1016
        assert (await bench.order())["code"] == -1016
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await bench.marks()
        await pacer.idle(START_MS + 2_000, until=START_MS + 4_000)
        await bench.reached(START_MS + 3_000)
        await pacer.idle(START_MS + 3_000, until=START_MS + 4_000)
        await bench.reached(START_MS + 4_000)
        assert (await bench.order())["status"] == "FILLED"
        assert bench.exchange.faults.fired("maintenance") >= 4


async def test_row_9_maintenance_cuts_sockets_on_which_nothing_happens(start: Start) -> None:
    """User data, a websocket of orders, a stream without news: none outlives the beginning of maintenance."""
    async with start(faults=True) as bench:
        _, key = await bench.call("POST", "/fapi/v1/listenKey", {}, UP)
        names = (f"/private/ws/{key['listenKey']}", "/ws-fapi/v1", "/market/ws/btcusdt@forceOrder")
        sockets = [await bench.session.ws_connect(bench.ws_url + name) for name in names]
        fault = bench.exchange.faults.inject(make_fault("maintenance"))
        assert fault.fired == 1
        for socket in sockets:
            message = await socket.receive(timeout=PATIENCE_S)
            assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}


async def test_row_11_the_fill_beats_the_cancellation(start: Start) -> None:
    """The order that is to be cancelled is gone, and filled."""
    async with start(faults=True) as bench:
        resting = await bench.order(timeInForce="GTC", price="58000", newClientOrderId="one")
        bench.exchange.faults.inject(make_fault("filled_before_cancel", match={"method": "DELETE"}))
        query = {"symbol": "BTCUSDT", "orderId": resting["orderId"]}
        assert await bench.refusal("DELETE", "/fapi/v1/order", query) == -2011
        order = (await bench.call(*QUERY, query, UP))[1]
        assert (order["status"], order["avgPrice"]) == ("FILLED", "58000.00000")
        assert bench.exchange.faults.fired("filled_before_cancel") == 1


async def test_row_14_an_old_answer_comes_again(start: Start) -> None:
    """The position of before the trade, once."""
    path = ("GET", "/fapi/v3/positionRisk", {"symbol": "BTCUSDT"}, UP)
    async with start(faults=True) as bench:
        await bench.order()
        before = (await bench.call(*path))[1]
        await bench.order()
        bench.exchange.faults.inject(make_fault("reply_stale", match={"path": path[1]}))
        assert (await bench.call(*path))[1] == before
        assert [row["positionAmt"] for row in (await bench.call(*path))[1]] == ["2.000"]


async def test_row_14_an_answer_that_nobody_can_tell_from_an_old_one_is_not_counted(start: Start) -> None:
    """The first of its kind, and one that is as the one before; the fault waits for one that is not."""
    path = ("GET", "/fapi/v3/positionRisk", {"symbol": "BTCUSDT"}, UP)
    async with start(faults=True) as bench:
        fault = bench.exchange.faults.inject(make_fault("reply_stale", match={"path": path[1]}))
        for _ in range(2):
            assert (await bench.call(*path))[1] == []
            assert fault.fired == 0
        await bench.order()
        assert (await bench.call(*path))[1] == []
        assert fault.fired == 1
        assert len((await bench.call(*path))[1]) == 1


@pytest.mark.parametrize("into", ["html", "cut", "nan", "empty"])
async def test_row_18_a_reply_that_is_not_what_it_should_be(start: Start, into: str) -> None:
    """Nothing that a strict reader takes for JSON; the order was executed all the same."""
    async with start(faults=True) as bench:
        bench.exchange.faults.inject(make_fault("reply_malformed", match=PLACING, into=into))
        answer = await bench.raw("POST", "/fapi/v1/order", ORDER | {"newClientOrderId": "one"}, UP)
        assert answer.status == 200
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(await answer.text())
        assert await placed(bench, "one")


@pytest.mark.parametrize("path", ["/fapi/v2/positionRisk", "/fapi/v3/positionRisk", "/fapi/v3/account"])
async def test_row_19_positions_are_missing(start: Start, path: str) -> None:
    """A position that is there is not in the answer, once; the account is as it was."""

    def held(body: Any) -> list[Any]:
        rows = body if isinstance(body, list) else body["positions"]
        return [row for row in rows if float(row["positionAmt"])]

    async with start(faults=True) as bench:
        await bench.order()
        bench.exchange.faults.inject(make_fault("positions_missing", match={"path": path}))
        bench.exchange.faults.inject(make_fault("positions_missing", match={"path": path}, symbol="ETHUSDT"))
        seen = [held((await bench.call("GET", path, {}, UP))[1]) for _ in range(2)]
        assert [len(rows) for rows in seen] == [0, 1]


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("positions_missing", {}),
        ("order_hidden", {"lag_ms": 1_000}),
        ("filled_before_cancel", {}),
        ("delisted", {"symbol": "BTCUSDT"}),
        ("filters_changed", {"symbol": "BTCUSDT", "tick": "10"}),
    ],
)
async def test_a_fault_is_not_counted_at_a_request_that_it_cannot_touch(
    start: Start, kind: str, given: dict[str, Any]
) -> None:
    """What has fired has done something, so that a test which asserts it cannot pass in vain."""
    async with start(faults=True) as bench:
        fault = bench.exchange.faults.inject(make_fault(kind, **given))
        await bench.call("GET", "/fapi/v1/time")
        await bench.call("POST", "/fapi/v1/leverage", {"symbol": "BTCUSDT", "leverage": 5}, UP)
        assert (fault.seen, fault.fired) == (0, 0)


@pytest.mark.parametrize("by_ms", [-40_000, 40_000])
async def test_row_20_and_21_the_venues_clock_is_wrong(start: Start, by_ms: int) -> None:
    """It says so itself, refuses what is signed by the right time, and takes what is signed by its own."""
    async with start(faults=True) as bench:
        fault = bench.exchange.faults.inject(make_fault("clock_skewed", by_ms=by_ms))
        assert (await bench.order(recvWindow="5000"))["code"] == -1021
        before_ms = time.time_ns() // 1_000_000
        said = (await bench.call("GET", "/fapi/v1/time"))[1]["serverTime"]
        assert before_ms + by_ms <= said <= time.time_ns() // 1_000_000 + by_ms
        query = signed(urlencode(ORDER | LONG_WINDOW), UP.secret, time_ms=said)
        url = URL(f"{bench.exchange.url}/fapi/v1/order?{query}", encoded=True)
        answer = await bench.session.post(url, headers={"X-MBX-APIKEY": UP.api_key})
        assert (await answer.json())["status"] == "FILLED"
        bench.exchange.faults.clear(fault.id)
        assert (await bench.order())["status"] == "FILLED"


async def test_row_34_a_key_is_revoked(start: Start) -> None:
    """401 to one account, and to no other, until it is given back."""
    async with start(faults=True) as bench:
        bench.exchange.faults.inject(make_fault("key_revoked", match={"account": "UP"}))
        answer = await bench.raw("GET", "/fapi/v3/account", {}, UP)
        assert (answer.status, (await answer.json())["code"]) == (401, -2015)
        assert (await bench.raw("GET", "/fapi/v3/account", {}, DOWN)).status == 200
        bench.exchange.faults.clear()
        assert (await bench.raw("GET", "/fapi/v3/account", {}, UP)).status == 200


async def test_row_39_a_symbol_is_closed(start: Start) -> None:
    """ExchangeInfo says so, and orders are refused."""
    async with start(faults=True) as bench:
        bench.exchange.faults.inject(make_fault("delisted", symbol="BTCUSDT"))
        assert (await bench.order())["code"] == -4141
        _, body = await bench.call("GET", "/fapi/v1/exchangeInfo")
        assert [row["status"] for row in body["symbols"]] == ["SETTLING"]


async def test_row_39_filters_become_coarser(start: Start) -> None:
    """ExchangeInfo says so; what kept to the old filters only is refused with the venue's codes."""
    async with start(faults=True) as bench:
        bench.exchange.faults.inject(
            make_fault("filters_changed", symbol="BTCUSDT", tick="10", step="0.1", min_notional="20000")
        )
        _, body = await bench.call("GET", "/fapi/v1/exchangeInfo")
        filters = {item["filterType"]: item for item in body["symbols"][0]["filters"]}
        assert filters["PRICE_FILTER"]["tickSize"] == "10"
        assert filters["LOT_SIZE"]["stepSize"] == "0.1"
        assert filters["MIN_NOTIONAL"]["notional"] == "20000"
        assert (await bench.order(price="60105"))["code"] == -4014
        assert (await bench.order(quantity="0.55"))["code"] == -1111
        assert (await bench.order(quantity="0.3"))["code"] == -4164
        assert (await bench.order(quantity="0.4"))["status"] == "FILLED"
