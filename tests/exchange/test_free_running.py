"""A market that nobody paces: it is where wall time says, whenever somebody looks."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

from bot.exchange import pacing
from tests.exchange.builders import DOWN, START_MS, UP, Start, StepPath, flat
from tests.support.patience import PATIENCE_S

if TYPE_CHECKING:
    import pytest


async def test_a_request_finds_the_market_at_the_present_moment(start: Start) -> None:
    """Between two knots a minute apart, orders some milliseconds apart have rising times of their own."""
    path = StepPath([60_000] * 60, step_ms=60_000)
    async with start(paths={"BTCUSDT": path}, speed=1.0) as bench:
        times = []
        for _ in range(4):
            times.append((await bench.order(quantity="0.01"))["updateTime"])
            await asyncio.sleep(2 * pacing.STEP_S)
    assert START_MS <= times[0] < times[1] < times[2] < times[3] < START_MS + 60_000


async def test_what_was_due_before_a_request_has_happened(start: Start) -> None:
    """A request that comes after a funding time finds the funding booked, whatever the streams have told."""
    path = StepPath([60_000] * 3_600, start_ms=START_MS - 1_000)
    async with start(paths={"BTCUSDT": path}, speed=20.0, wait_for_clients=True) as bench:
        pacer = await bench.pacer()
        await bench.order()
        await pacer.socket.close()
        while bench.exchange.now_ms < START_MS:
            _, rows = await bench.call("GET", "/fapi/v1/income", {"incomeType": "FUNDING_FEE"}, UP)
            assert not rows or bench.exchange.now_ms >= START_MS  # the market goes on behind the answer
        _, rows = await bench.call("GET", "/fapi/v1/income", {"incomeType": "FUNDING_FEE"}, UP)
        assert [row["time"] for row in rows] == [START_MS]


async def test_marks_go_out_while_requests_move_the_market(start: Start) -> None:
    """Somebody who asks all the time does not keep the marks from those who listen.

    Counted by answers, not by time: once they tell of the next knot's second, the mark comes after a few.
    """
    async with start(speed=50.0) as bench:
        marks = await bench.marks()
        told: list[int] = []

        async def ask() -> None:
            while True:
                _, body = await bench.call("GET", "/fapi/v1/premiumIndex", {"symbol": "BTCUSDT"})
                told.append(body["time"])

        asking = asyncio.create_task(ask())
        seen: list[tuple[int, int]] = []
        for _ in range(20):
            time_ms, _ = await marks.next()
            seen.append((time_ms, len(told)))
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    assert seen == sorted(seen)
    assert len(told) > 20
    for (sooner_ms, first), (_, end) in pairwise(seen):
        knot_ms = sooner_ms // 1_000 * 1_000 + 1_000
        assert sum(time_ms >= knot_ms for time_ms in told[first:end]) <= 5


async def test_a_countdown_acts_when_it_runs_out(start: Start) -> None:
    """At its own market time, told at once, though nobody looks and the next knot is a minute away."""
    path = StepPath([60_000] * 60, step_ms=60_000)
    async with start(paths={"BTCUSDT": path}, speed=1.0) as bench:
        _, key = await bench.call("POST", "/fapi/v1/listenKey", {}, UP)
        events = await bench.session.ws_connect(f"{bench.ws_url}/private/ws/{key['listenKey']}")
        await bench.order(side="BUY", price="59000", timeInForce="GTC")
        placed = await events.receive_json(timeout=PATIENCE_S)
        before_ms = bench.exchange.now_ms
        await bench.call(
            "POST", "/fapi/v1/countdownCancelAll", {"symbol": "BTCUSDT", "countdownTime": 300}, UP
        )
        after_ms = bench.exchange.now_ms
        ended = await events.receive_json(timeout=PATIENCE_S)
    assert (ended["o"]["i"], ended["o"]["X"]) == (placed["o"]["i"], "CANCELED")
    # It was told 0.6 s late when only marks moved the market.
    assert before_ms + 300 <= ended["o"]["T"] == ended["E"] <= after_ms + 300


async def test_a_paced_market_stays_where_it_is(start: Start) -> None:
    """While a client holds the market, requests do not move it."""
    async with start(speed=1_000.0) as bench:
        pacer = await bench.pacer()
        held = pacer.attached["now"]
        times = [(await bench.order(account, quantity="0.01"))["updateTime"] for account in (UP, DOWN, UP)]
    assert times == [held] * 3


async def test_a_pacing_client_that_is_gone_without_a_word_is_detached(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers no ping, and so does not hold the market for ever."""
    monkeypatch.setattr(pacing, "PING_EVERY_S", 0.1)
    async with start(paths={"BTCUSDT": flat(86_400)}, speed=1_000.0) as bench:
        socket = await bench.session.ws_connect(f"{bench.ws_url}/pacing", autoping=False)
        await socket.send_json({"op": "attach", "name": "gone", "not_before": None})
        held = (await socket.receive_json())["now"]
        async with asyncio.timeout(PATIENCE_S):
            while bench.exchange.now_ms == held:  # noqa: ASYNC110 - the market is what is watched
                await asyncio.sleep(0.02)
