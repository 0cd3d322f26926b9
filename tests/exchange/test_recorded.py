"""What we answer is made as what the venue was recorded to answer: the same fields, types and digits."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.exchange.builders import START_MS, Start, StepPath

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORDED = "binance_fapi_recorded_responses.json.gz"
QUERIES: dict[str, dict[str, Any]] = {
    "/fapi/v1/aggTrades": {"symbol": "BTCUSDT", "limit": 20},
    "/fapi/v1/depth": {"symbol": "BTCUSDT", "limit": 20},
    "/fapi/v1/exchangeInfo": {},
    "/fapi/v1/fundingInfo": {},
    "/fapi/v1/fundingRate": {"symbol": "BTCUSDT"},
    "/fapi/v1/klines": {"symbol": "BTCUSDT", "interval": "5m", "limit": 3},
    "/fapi/v1/openInterest": {"symbol": "BTCUSDT"},
    "/fapi/v1/premiumIndex": {"symbol": "BTCUSDT"},
    "/fapi/v1/ticker/24hr": {"symbol": "BTCUSDT"},
    "/fapi/v1/ticker/bookTicker": {"symbol": "BTCUSDT"},
    "/fapi/v1/ticker/price": {"symbol": "BTCUSDT"},
    "/fapi/v1/time": {},
    "/fapi/v1/trades": {"symbol": "BTCUSDT", "limit": 20},
}
SINCE_THEN = {
    # Fields that the venue has added after these answers were recorded (see the official SDK's models).
    "/fapi/v1/aggTrades": {"[].nq"},
    "/fapi/v1/fundingRate": {"[].markPrice", "[].rateType"},
    "/fapi/v1/ticker/bookTicker": {"lastUpdateId"},
    "/fapi/v1/trades": {"[].isRPITrade"},
}
NOT_HERE = {
    # Dated futures only; and figures of one recorded symbol that ours do not share.
    "/fapi/v1/exchangeInfo": {"symbols[].settlePlan"},
}

Fields = dict[str, set[str]]


def fields(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Yield each field of a JSON value with its kind; of a number in a string the decimals are part of it."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from fields(item, f"{where}.{name}".lstrip("."))
    elif (
        isinstance(value, list)
        and where.endswith("[]")
        and all(isinstance(item, (str, int)) for item in value)
    ):
        for column, item in enumerate(value):  # a candle, or a level of the book
            yield from fields(item, f"{where}{column}")
    elif isinstance(value, list):
        for item in value:
            yield from fields(item, f"{where}[]")
    else:
        yield where, kind(value)


def kind(value: Any) -> str:
    """Return what a value is on the wire."""
    if not isinstance(value, str):
        return type(value).__name__
    try:
        float(value)
    except ValueError:
        return "text"
    return f"number with {len(value.partition('.')[2])} decimals"


def gathered(value: Any) -> Fields:
    """Return the kinds that each field has been seen with."""
    found: Fields = {}
    for where, seen in fields(value):
        found.setdefault(where, set()).add(seen)
    return found


def of_bitcoin(value: Any) -> Any:
    """Return only the rows about BTCUSDT where there are others, whose digits differ."""
    if isinstance(value, dict) and "symbols" in value:
        return value | {"symbols": [row for row in value["symbols"] if row["symbol"] == "BTCUSDT"]}
    return value


def recorded(shared_data: Path, path: str) -> Fields:
    """Return what the venue's answers on BTCUSDT were made of."""
    routes = json.loads(gzip.decompress((shared_data / RECORDED).read_bytes()))["routes"]
    found: Fields = {}
    for item in routes[path]["GET"]:
        asked = item.get("queryString") or ""
        if item["data"] and (not QUERIES[path] or "symbol=BTCUSDT" in asked.split("&")):
            for where, seen in gathered(of_bitcoin(item["data"])).items():
                found.setdefault(where, set()).update(seen)
    return found


@pytest.mark.parametrize("path", QUERIES)
async def test_an_answer_is_made_as_the_recorded_one(start: Start, shared_data: Path, path: str) -> None:
    """No field is missing, none is new, and each is written as the venue writes it."""
    prices = {
        "BTCUSDT": StepPath([60_000] * 667, step_ms=60_000),
        "APTUSDT": StepPath([8] * 667, step_ms=60_000),
    }
    async with start(paths=prices) as bench:
        await bench.pacer(not_before=START_MS + 36_000_000)
        status, answer = await bench.call("GET", path, QUERIES[path])
    assert status == 200, answer
    ours, theirs = gathered(of_bitcoin(answer)), recorded(shared_data, path)
    assert ours.keys() - theirs.keys() <= SINCE_THEN.get(path, set())
    assert theirs.keys() - ours.keys() <= NOT_HERE.get(path, set())
    assert {
        where: (seen, theirs[where])
        for where, seen in ours.items()
        if where in theirs and not seen <= theirs[where]
    } == {}
