"""What the exchange refuses, with Binance's codes, and the semantics of order types. Raw signed requests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.exchange.builders import START_MS, UP, Start, StepPath, flat


async def refused(start: Start, **changes: Any) -> int:
    """Return the code with which an order is refused."""
    async with start() as bench:
        return int((await bench.order(**changes))["code"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"symbol": "NOPEUSDT"}, -1121),
        ({"symbol": None}, -1102),
        ({"side": None}, -1102),
        ({"side": "UP"}, -1117),
        ({"type": "SOON"}, -1116),
        ({"type": "STOP_MARKET"}, -4120),
        ({"timeInForce": None}, -1102),
        ({"timeInForce": "GTD"}, -1102),
        ({"positionSide": "LONG"}, -4061),
        ({"quantity": None}, -1102),
        ({"quantity": "-1"}, -1102),
        ({"quantity": "NaN"}, -1102),
        ({"quantity": "1e400"}, -1102),
        ({"quantity": "9" * 40}, -1102),
        ({"quantity": "0"}, -4003),
        ({"quantity": "0.0001"}, -1111),
        ({"quantity": "1001"}, -4005),
        ({"type": "MARKET", "timeInForce": None, "price": None, "quantity": "121"}, -4005),
        ({"type": "MARKET"}, -1106),
        ({"price": "0"}, -4001),
        ({"price": "99999999999999999999"}, -4002),
        ({"price": "60000.001"}, -1111),
        ({"price": "60000.05"}, -4014),
        ({"price": "63001"}, -4016),
        ({"side": "SELL", "price": "56999"}, -4024),
        ({"quantity": "0.001", "price": "60000"}, -4164),
        ({"quantity": "34"}, -2019),
        ({"side": "SELL", "reduceOnly": "true"}, -2022),
        ({"reduceOnly": "perhaps"}, -1130),
        ({"newClientOrderId": "x" * 37}, -4015),
        ({"newClientOrderId": "no spaces"}, -1100),
        ({"newOrderRespType": "FULL"}, -1130),
        ({"priceMatch": "QUEUE"}, -1106),
        ({"stopPrice": "1"}, -1106),
        ({"selfTradePreventionMode": "NONE"}, -4402),
        ({"selfTradePreventionMode": "NEVER"}, -5039),
        ({"timeInForce": "FOK", "quantity": "32", "price": "60000.1"}, -5021),
        ({"timeInForce": "GTX"}, -5022),
    ],
)
async def test_bad_orders_are_refused_with_the_venues_code(
    start: Start, changes: dict[str, Any], code: int
) -> None:
    """Each rule of the venue has its own code."""
    assert await refused(start, **changes) == code


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"timeInForce": None},
            "Mandatory parameter 'timeinforce' was not sent, was empty/null, or malformed.",
        ),
        ({"stopPrice": "1"}, "Parameter 'stopprice' sent when not required."),
        ({"newOrderRespType": "FULL"}, "Data sent for parameter 'neworderresptype' is not valid."),
    ],
)
async def test_parameters_are_named_in_lower_case(start: Start, changes: dict[str, Any], words: str) -> None:
    """So does the venue for USD-M futures, unlike for spot; clients look for these words."""
    async with start() as bench:
        assert (await bench.order(**changes))["msg"] == words


async def test_a_query_names_its_order_one_way_or_the_other(start: Start) -> None:
    """With neither, the refusal says which parameters there are."""
    async with start() as bench:
        _, refusal = await bench.call("GET", "/fapi/v1/order", {"symbol": "BTCUSDT"}, UP)
    words = "Param 'origclientorderid' or 'orderid' must be sent, but both were empty/null!"
    assert refusal == {"code": -1102, "msg": words}


async def test_a_date_counts_in_whole_seconds(start: Start) -> None:
    """Milliseconds of goodTillDate are ignored, as documented."""
    changes: dict[str, Any] = {
        "timeInForce": "GTD",
        "price": "59000",
        "goodTillDate": START_MS + 700_999,
    }
    async with start() as bench:
        assert (await bench.order(**changes))["goodTillDate"] == START_MS + 700_000


async def test_a_refused_order_leaves_no_trace(start: Start) -> None:
    """After a refusal there is neither an order nor a change of balance."""
    async with start() as bench:
        await bench.order(quantity="34", newClientOrderId="refused")
        query = {"symbol": "BTCUSDT", "origClientOrderId": "refused"}
        assert await bench.refusal("GET", "/fapi/v1/order", query) == -2013
        assert (await bench.call("GET", "/fapi/v3/balance", {}, UP))[1][0]["balance"] == "100000.00000000"


async def test_leverage_bounds_the_position(start: Start) -> None:
    """At leverage 150 the first bracket's 300,000 USDT are the most a position may be."""
    async with start() as bench:
        await bench.call("POST", "/fapi/v1/leverage", {"symbol": "BTCUSDT", "leverage": "150"}, UP)
        assert (await bench.order(quantity="6"))["code"] == -2027
        assert (await bench.order(quantity="4"))["status"] == "FILLED"
        await bench.call("POST", "/fapi/v1/leverage", {"symbol": "BTCUSDT", "leverage": "100"}, UP)
        assert (await bench.order(quantity="4"))["status"] == "FILLED"
        params = {"symbol": "BTCUSDT", "leverage": "150"}
        assert await bench.refusal("POST", "/fapi/v1/leverage", params) == -2027


async def test_leverage_cannot_go_below_what_the_margin_bears(start: Start) -> None:
    """Lower leverage needs more initial margin; without it the change is refused."""
    async with start() as bench:
        await bench.order(quantity="30")
        assert (
            await bench.refusal("POST", "/fapi/v1/leverage", {"symbol": "BTCUSDT", "leverage": "2"}) == -2028
        )


async def test_reduce_only_shrinks_to_the_position(start: Start) -> None:
    """A reduce-only order larger than the position becomes as large as it, and ends flat."""
    async with start() as bench:
        await bench.order(quantity="1")
        order = await bench.order(side="SELL", price="59900", quantity="5", reduceOnly="true")
        assert (order["status"], order["origQty"], order["executedQty"]) == ("FILLED", "1.000", "1.000")
        assert (await bench.call("GET", "/fapi/v3/positionRisk", {}, UP))[1] == []


async def test_reduce_only_needs_no_least_notional(start: Start) -> None:
    """Dust can be closed."""
    async with start() as bench:
        await bench.order(quantity="0.002")
        order = await bench.order(side="SELL", price="59900", quantity="0.001", reduceOnly="true")
        assert order["status"] == "FILLED"


async def test_closing_needs_no_margin_and_no_bracket(start: Start) -> None:
    """An order that only reduces is admitted whatever is available."""
    async with start() as bench:
        await bench.order(quantity="32")
        order = await bench.order(side="SELL", price="59000", quantity="32")
        assert order["status"] in {"FILLED", "EXPIRED"}
        assert Decimal(order["executedQty"]) > 20


async def test_client_ids_are_unique_among_open_orders_only(start: Start) -> None:
    """An id may be used again once its order has ended; a query then finds the latest."""
    async with start() as bench:
        resting: dict[str, Any] = {"timeInForce": "GTC", "price": "59000", "newClientOrderId": "again"}
        first = await bench.order(**resting)
        assert (await bench.order(**resting))["code"] == -4116
        query = {"symbol": "BTCUSDT", "origClientOrderId": "again"}
        await bench.call("DELETE", "/fapi/v1/order", query, UP)
        second = await bench.order(**resting)
        assert second["orderId"] > first["orderId"]
        assert (await bench.call("GET", "/fapi/v1/order", query, UP))[1]["orderId"] == second["orderId"]


async def test_ack_tells_of_no_fill(start: Start) -> None:
    """Without newOrderRespType=RESULT the answer is the acceptance; the fill is found by a query."""
    async with start() as bench:
        answer = await bench.order(newOrderRespType=None)
        assert (answer["status"], answer["executedQty"]) == ("NEW", "0.000")
        query = {"symbol": "BTCUSDT", "orderId": answer["orderId"]}
        assert (await bench.call("GET", "/fapi/v1/order", query, UP))[1]["status"] == "FILLED"


async def test_market_order_walks_the_book(start: Start) -> None:
    """A market order takes level after level, one trade each."""
    async with start() as bench:
        order = await bench.order(type="MARKET", price=None, timeInForce=None, quantity="32")
        query = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
        _, trades = await bench.call("GET", "/fapi/v1/userTrades", query, UP)
    assert order["status"] == "FILLED"
    prices = [Decimal(trade["price"]) for trade in trades]
    assert len(prices) > 3
    assert prices == sorted(set(prices))


async def test_resting_order_fills_as_maker_when_the_mark_crosses(start: Start) -> None:
    """A GTC buy waits until the mark comes down to it, and then pays the maker's fee at its own price."""
    path = StepPath([60_000, 59_950, 59_890, 59_900])
    async with start(paths={"BTCUSDT": path}) as bench:
        order = await bench.order(timeInForce="GTC", price="59900")
        assert order["status"] == "NEW"
        await bench.pacer(not_before=START_MS + 1_000)
        query = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
        assert (await bench.call("GET", "/fapi/v1/openOrder", query, UP))[0] == 200
        await (pacer := await bench.pacer()).socket.close()
        assert pacer.attached["now"] == START_MS + 1_000
    async with start(paths={"BTCUSDT": path}) as bench:
        await bench.pacer(not_before=START_MS + 2_000)
        _, (trade,) = await bench.call("GET", "/fapi/v1/userTrades", query, UP)
        assert await bench.refusal("GET", "/fapi/v1/openOrder", query) == -2013
    assert (trade["price"], trade["maker"], trade["time"]) == ("59900.00", True, START_MS + 2_000)
    assert Decimal(trade["commission"]) == Decimal(59900) * Decimal("0.0002")


async def test_history_pages_by_id(start: Start) -> None:
    """Trades can be read in pages from an id on, and income page by page, each once."""
    async with start(paths={"BTCUSDT": flat()}) as bench:
        for _ in range(4):
            await bench.order(quantity="3")
        _, everything = await bench.call("GET", "/fapi/v1/userTrades", {"symbol": "BTCUSDT"}, UP)
        paged: list[Any] = []
        while True:
            from_id = paged[-1]["id"] + 1 if paged else 1
            query = {"symbol": "BTCUSDT", "fromId": from_id, "limit": 3}
            page = (await bench.call("GET", "/fapi/v1/userTrades", query, UP))[1]
            if not page:
                break
            paged += page
        assert paged == everything
        _, incomes = await bench.call("GET", "/fapi/v1/income", {"limit": 1000}, UP)
        pages = [
            (await bench.call("GET", "/fapi/v1/income", {"startTime": 1, "limit": 5, "page": number}, UP))[1]
            for number in range(1, 8)
        ]
        assert [row for page in pages for row in page] == incomes


async def test_a_lookup_of_more_than_a_week_is_refused(start: Start) -> None:
    """As on the venue, one request spans 7 days at most."""
    async with start() as bench:
        query = {"symbol": "BTCUSDT", "startTime": START_MS - 9 * 86_400_000, "endTime": START_MS}
        assert await bench.refusal("GET", "/fapi/v1/userTrades", query) == -1127


async def test_trades_are_asked_for_by_id_or_by_time(start: Start) -> None:
    """As documented, fromId cannot be sent with startTime or endTime."""
    async with start() as bench:
        for name in ("startTime", "endTime"):
            query = {"symbol": "BTCUSDT", "fromId": 1, name: START_MS}
            assert await bench.refusal("GET", "/fapi/v1/userTrades", query) == -1128


async def test_aggregate_trades_between_two_times_span_an_hour(start: Start) -> None:
    """More than that is refused; from a time on alone there is no such limit."""
    async with start() as bench:
        query = {"symbol": "BTCUSDT", "startTime": START_MS - 3_600_001}
        assert (await bench.call("GET", "/fapi/v1/aggTrades", query))[0] == 200
        assert await bench.refusal("GET", "/fapi/v1/aggTrades", query | {"endTime": START_MS}) == -1127
