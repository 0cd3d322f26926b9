"""What holds for every REST endpoint: parameters, weights, order counts, digits, and no way to break it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from yarl import URL

from bot.exchange import RateLimits
from bot.exchange.endpoints import PRIVATE_ROUTES, PUBLIC_ROUTES
from bot.exchange.params import Params
from tests.exchange.builders import (
    LONG_WINDOW,
    START_MS,
    UP,
    Bench,
    Start,
    StepPath,
    flat,
    signed,
    within_one,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

USUAL: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "pair": "BTCUSDT",
    "contractType": "PERPETUAL",
    "interval": "1m",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "58000",
}
INSTEAD: dict[str, dict[str, Any]] = {
    # What these endpoints need besides, or mean by the same names.
    "/sapi/v1/asset/transfer": {"type": "MAIN_UMFUTURE", "asset": "USDT", "amount": "1"},
    "/sapi/v1/futures/transfer": {"type": "1", "asset": "USDT", "amount": "1"},
    "/fapi/v1/positionMargin": {"type": "1", "amount": "1"},
    "/fapi/v1/positionMargin/history": {"type": "1"},
    "/fapi/v1/algoOrder": {"type": "STOP", "algoType": "CONDITIONAL", "triggerPrice": "62000"},
    "/fapi/v1/marginType": {"marginType": "ISOLATED"},
    "/fapi/v1/leverage": {"leverage": 5},
    "/fapi/v1/countdownCancelAll": {"countdownTime": 1000},
    "/fapi/v1/assetIndex": {"symbol": "USDTUSD"},
}
ABSURD = ("1e400", "NaN", "-1", "9" * 40, "0", "", "0x10", "\u0663", "1.5.2", "null", "[]", "{}", "'; --")
NAMES = [
    "quantity",
    "price",
    "leverage",
    "limit",
    "orderId",
    "algoId",
    "fromId",
    "startTime",
    "endTime",
    "amount",
    "type",
    "countdownTime",
    "goodTillDate",
    "page",
    "size",
    "current",
    "modifyId",
    "triggerPrice",
    "recvWindow",
    "batchOrders",
    "orderIdList",
    "symbol",
    "pair",
    "interval",
    "side",
    "positionSide",
    "origClientOrderId",
    "clientAlgoId",
    "callbackRate",
    "asset",
]


async def send(bench: Bench, method: str, path: str, values: dict[str, Any]) -> tuple[int, Any, Any]:
    """Send a signed request; return status, headers and body."""
    query = signed(urlencode(LONG_WINDOW | values), UP.secret)
    url = URL(f"{bench.exchange.url}{path}?{query}", encoded=True)
    async with bench.session.request(method, url, headers={"X-MBX-APIKEY": UP.api_key}) as response:
        return response.status, response.headers, await response.json()


def strings(value: Any) -> Iterator[str]:
    """Yield each string of a JSON value."""
    if isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def is_number(text: str) -> bool:
    """Return whether a text would be read as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("key", [*PUBLIC_ROUTES, *PRIVATE_ROUTES], ids=" ".join)
async def test_absurd_values_get_the_venues_error(start: Start, key: tuple[str, str]) -> None:
    """Whatever is sent for whichever parameter, an error has a code and nothing breaks."""
    method, path = key
    async with start() as bench:
        for name in NAMES:
            for value in ABSURD:
                values = USUAL | INSTEAD.get(path, {}) | {name: value}
                status, _, body = await send(bench, method, path, values)
                assert status == 200 or (400 <= status < 500 and body["code"] < 0), (
                    name,
                    value,
                    status,
                    body,
                )


@pytest.mark.parametrize(
    "path", [path for method, path in (*PUBLIC_ROUTES, *PRIVATE_ROUTES) if method == "GET"]
)
async def test_numbers_are_written_without_exponents(start: Start, path: str) -> None:
    """A number in a string is digits with a point at most, however small it is."""
    async with start() as bench:
        await bench.pacer(not_before=START_MS + 60_000)
        await bench.order(quantity="0.007", price=None, timeInForce=None, type="MARKET")
        await bench.order(quantity="0.003", price="58000", timeInForce="GTC")
        status, _, body = await send(bench, "GET", path, USUAL | INSTEAD.get(path, {}))
        if status == 400:
            assert body["code"] in {-1102, -1130}, body
        numbers = [text for text in strings(body) if is_number(text)]
        assert [text for text in numbers if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text)] == []


@pytest.mark.parametrize(
    ("path", "query", "weight"),
    [
        ("/fapi/v1/depth", {"limit": 5}, 2),
        ("/fapi/v1/depth", {"limit": 50}, 2),
        ("/fapi/v1/depth", {"limit": 100}, 5),
        ("/fapi/v1/depth", {}, 10),
        ("/fapi/v1/depth", {"limit": 1000}, 20),
        ("/fapi/v1/klines", {"interval": "1m", "limit": 99}, 1),
        ("/fapi/v1/klines", {"interval": "1m", "limit": 100}, 2),
        ("/fapi/v1/klines", {"interval": "1m"}, 5),
        ("/fapi/v1/klines", {"interval": "1m", "limit": 1500}, 10),
        ("/fapi/v1/ticker/24hr", {}, 1),
        ("/fapi/v1/ticker/24hr", {"symbol": None}, 40),
        ("/fapi/v1/openOrders", {"symbol": None}, 40),
        ("/fapi/v1/depth", {"limit": "x"}, 10),
    ],
)
async def test_weight_depends_on_what_is_asked_for(
    start: Start, path: str, query: dict[str, Any], weight: int
) -> None:
    """The header with the weight used grows by the endpoint's documented weight, errors included."""
    asked = {name: value for name, value in ({"symbol": "BTCUSDT"} | query).items() if value is not None}

    async def used() -> list[int]:
        async with start(limits=RateLimits()) as bench:
            answers = [await send(bench, "GET", *sent) for sent in (("/fapi/v1/time", {}), (path, asked))]
        return [int(headers["X-MBX-USED-WEIGHT-1M"]) for _, headers, _ in answers]

    before, after = await within_one(60, used)
    assert after - before == weight


async def test_orders_are_counted_as_documented(start: Start) -> None:
    """One for an order or a change of one; five in 10 s and one in a minute for a batch; none to cancel."""
    order = {name: USUAL[name] for name in ("symbol", "side", "type", "timeInForce", "quantity", "price")}
    batch = json.dumps([order])

    async def counted() -> list[tuple[str | None, str | None]]:
        async with start() as bench:
            _, first, placed = await send(bench, "POST", "/fapi/v1/order", order)
            change = order | {"price": "58100", "orderId": placed["orderId"]}
            _, second, _ = await send(bench, "PUT", "/fapi/v1/order", change)
            _, third, _ = await send(bench, "POST", "/fapi/v1/batchOrders", {"batchOrders": batch})
            _, last, _ = await send(bench, "DELETE", "/fapi/v1/allOpenOrders", {"symbol": "BTCUSDT"})
        names = "X-MBX-ORDER-COUNT-10S", "X-MBX-ORDER-COUNT-1M"
        return [(told.get(names[0]), told.get(names[1])) for told in (first, second, third, last)]

    assert await within_one(10, counted) == [("1", "1"), ("2", "2"), ("7", "3"), (None, None)]


async def test_a_liquidation_is_among_the_forced_orders(start: Start) -> None:
    """A forced order has the fields of the venue's answer, which are fewer than those of an order."""
    fields = (
        "orderId symbol pair status clientOrderId price avgPrice origQty executedQty cumQuote cumBase"
        " timeInForce type reduceOnly closePosition side positionSide stopPrice workingType origType"
        " time updateTime"
    )
    async with start(paths={"BTCUSDT": StepPath([60_000, 60_000, 40_000, 40_000])}) as bench:
        await bench.order(type="MARKET", price=None, timeInForce=None, quantity="10")
        pacer, marks = await bench.pacer(), await bench.marks()
        while (seen := (await marks.next())[0]) < START_MS + 3_000:
            await pacer.idle(seen)
        asked = {"autoCloseType": "LIQUIDATION", "symbol": "BTCUSDT"}
        _, _, rows = await send(bench, "GET", "/fapi/v1/forceOrders", asked)
        _, _, others = await send(bench, "GET", "/fapi/v1/forceOrders", asked | {"autoCloseType": "ADL"})
    assert {frozenset(row) for row in rows} == {frozenset(fields.split())}
    assert all(row["clientOrderId"].startswith("autoclose-") and row["side"] == "SELL" for row in rows)
    assert others == []


async def test_positions_are_written_as_the_venue_writes_them(start: Start) -> None:
    """Quantities in the symbol's digits, prices without zeros behind, amounts with 8 decimals or a bare 0."""
    async with start() as bench:
        _, nothing = await bench.call("GET", "/fapi/v2/positionRisk", {}, UP)
        await bench.order(quantity="0.1")
        _, risks = await bench.call("GET", "/fapi/v2/positionRisk", {}, UP)
        _, newer = await bench.call("GET", "/fapi/v3/positionRisk", {}, UP)
    texts = {name: nothing[0][name] for name in ("positionAmt", "entryPrice", "notional", "isolatedMargin")}
    assert texts == {
        "positionAmt": "0.000",
        "entryPrice": "0.0",
        "notional": "0",
        "isolatedMargin": "0.00000000",
    }
    assert (risks[0]["positionAmt"], risks[0]["entryPrice"]) == ("0.100", "60000.1")
    assert " ".join(list(risks[0])[:4]) == "symbol positionAmt entryPrice breakEvenPrice"
    assert (newer[0]["isolatedMargin"], newer[0]["openOrderInitialMargin"]) == ("0", "0")


def test_the_query_string_beats_the_body() -> None:
    """A parameter that is in both has the value of the query string."""
    params = Params("limit=5", "limit=7&symbol=BTCUSDT")
    assert (params.integer("limit"), params.symbol()) == (5, "BTCUSDT")


async def test_an_empty_parameter_is_told_from_none(start: Start) -> None:
    """An optional parameter that is sent empty is refused, a mandatory one is missing."""
    async with start() as bench:
        assert await bench.refusal("GET", "/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": ""}) == -1105
        assert await bench.refusal("GET", "/fapi/v1/depth", {"symbol": ""}) == -1102


@pytest.mark.parametrize("count", [0, 6])
async def test_a_batch_has_one_to_five_orders(start: Start, count: int) -> None:
    """Another number is refused as a whole."""
    async with start() as bench:
        items = f"[{','.join(['{}'] * count)}]"
        assert await bench.refusal("POST", "/fapi/v1/batchOrders", {"batchOrders": items}) == -4082


async def test_an_unknown_path_is_refused_by_name(start: Start) -> None:
    """The answer names path and method, as the venue's does."""
    async with start(paths={"BTCUSDT": flat()}) as bench:
        status, _, body = await send(bench, "POST", "/fapi/v1/nothing", {})
    assert (status, body) == (404, {"code": -5000, "msg": "Path /fapi/v1/nothing, Method POST is invalid"})
