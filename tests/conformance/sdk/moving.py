"""What the official SDK sees of a market that moves. Run by conftest.py in its environment."""

from __future__ import annotations

import asyncio
from typing import Any

from binance_common.errors import BadRequestError

from tests.conformance.harness import case, expect, run
from tests.conformance.sdk.client import Sdk

NOT_OF_A_STOP = {"icebergQuantity"}
TRIES = 10


@case
async def a_stop_that_has_triggered(sdk: Sdk) -> None:
    """It shows the order that it has become, with what that has filled."""
    found = await ended(sdk, [stop(sdk, "BUY", 3), stop(sdk, "SELL", -3)])
    expect((found["algoStatus"], found["actualType"]) == ("FINISHED", "MARKET"), found)
    expect(float(found["actualQty"]) == 0.01 and float(found["actualPrice"]) > 0, found)
    sdk.call(
        "query_order", {"activatePrice", "priceRate"}, symbol="BTCUSDT", order_id=int(found["actualOrderId"])
    )
    expect(sdk.raw["status"] == "FILLED", sdk.raw)


def stop(sdk: Sdk, side: str, distance: int) -> int:
    """Place a stop so far from the mark, and return its id."""
    for _ in range(TRIES):
        mark = float(sdk.call("mark_price", symbol="BTCUSDT").actual_instance.mark_price)
        try:
            placed = sdk.api.new_algo_order(
                algo_type="CONDITIONAL",
                symbol="BTCUSDT",
                side=side,
                type="STOP_MARKET",
                quantity=0.01,
                trigger_price=round(mark + distance, 1),
                working_type="MARK_PRICE",
            )
        except BadRequestError as error:
            expect("immediately trigger" in str(error), error)  # the mark has been there in between
        else:
            return int(placed.data().algo_id)
    raise AssertionError("the mark was there already each time")


async def ended(sdk: Sdk, ids: list[int]) -> Any:
    """Return the first of these conditional orders that has ended."""
    while True:
        for algo_id in ids:
            sdk.api.query_algo_order(algo_id=algo_id)
            if sdk.raw["algoStatus"] == "FINISHED":
                sdk.call("query_algo_order", NOT_OF_A_STOP, algo_id=algo_id)
                return sdk.raw
        await asyncio.sleep(0.2)


run(Sdk)
