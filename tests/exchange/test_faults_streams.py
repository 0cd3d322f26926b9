"""What a client meets when streams go wrong; each fault is counted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from aiohttp import WSMsgType

from bot.exchange.faults import make_fault
from tests.exchange.builders import DELAYS_S, UP, Start
from tests.support.patience import PATIENCE_S

if TYPE_CHECKING:
    from tests.exchange.builders import Bench

ORDERS = {"account": "UP", "event": "ORDER_TRADE_UPDATE"}


class Events:
    """The order events of an account, told apart by the order's client id."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    @classmethod
    async def of(cls, bench: Bench) -> Events:
        """Open the user data stream of UP."""
        headers = {"X-MBX-APIKEY": UP.api_key}
        response = await bench.session.post(f"{bench.exchange.url}/fapi/v1/listenKey", headers=headers)
        key = (await response.json())["listenKey"]
        return cls(await bench.session.ws_connect(f"{bench.ws_url}/private/ws/{key}"))

    async def next(self) -> Any:
        """Return the next event of an order."""
        while True:
            body = orjson.loads((await self.socket.receive(timeout=PATIENCE_S)).data)
            if body["e"] == "ORDER_TRADE_UPDATE":
                return body

    async def ids(self, count: int) -> list[str]:
        """Return the client ids of the next events."""
        return [(await self.next())["o"]["c"] for _ in range(count)]


async def rest(bench: Bench, *client_ids: str) -> None:
    """Place orders that rest: each makes one event."""
    for client_id in client_ids:
        placed = await bench.order(
            timeInForce="GTC", price="58000", quantity="0.1", newClientOrderId=client_id
        )
        assert placed["status"] == "NEW"


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("event_duplicated", ["a", "a", "b", "c"]),
        ("event_lost", ["b", "c"]),
        ("event_reordered", ["b", "a", "c"]),
        ("event_stale", ["a", "b", "a", "c"]),
    ],
)
async def test_rows_12_to_14_an_event_twice_never_late_or_again(
    start: Start, kind: str, seen: list[str]
) -> None:
    """The first of three events goes wrong, the others arrive."""
    async with start(faults=True) as bench:
        events = await Events.of(bench)
        bench.exchange.faults.inject(make_fault(kind, match=ORDERS))
        await rest(bench, "a", "b", "c")
        assert await events.ids(len(seen)) == seen
        assert bench.exchange.faults.fired(kind) == 1


async def test_row_14_an_event_comes_late(start: Start) -> None:
    """Those that follow come first."""
    loop = asyncio.get_running_loop()
    async with start(faults=True) as bench:
        events = await Events.of(bench)
        for by_s in DELAYS_S:
            bench.exchange.faults.inject(make_fault("event_delayed", match=ORDERS, by_s=by_s))
            begun_s = loop.time()
            await rest(bench, f"a{by_s}", f"b{by_s}")
            is_in_time = loop.time() - begun_s < by_s
            seen = await events.ids(2)
            if is_in_time:  # else the second was not placed in time to come first
                assert seen == [f"b{by_s}", f"a{by_s}"]
                return
    pytest.fail("this machine was too busy for the longest of the delays")


async def test_row_15_a_socket_goes_silent_and_stays_open(start: Start) -> None:
    """No frame and no pong comes any more, and nothing says why."""
    async with start(faults=True) as bench:
        events = await Events.of(bench)
        bench.exchange.faults.inject(make_fault("socket_silent", match=ORDERS))
        await rest(bench, "a", "b")
        await events.socket.ping(b"are you there")
        with pytest.raises(TimeoutError):
            await events.socket.receive(timeout=0.3)
        assert not events.socket.closed
        assert bench.exchange.faults.fired("socket_silent") == 1


@pytest.mark.parametrize("kind", ["socket_reset", "socket_closed"])
async def test_row_15_and_17_a_socket_ends(start: Start, kind: str) -> None:
    """Reset or closed in order; the next one works."""
    async with start(faults=True) as bench:
        events = await Events.of(bench)
        bench.exchange.faults.inject(make_fault(kind, match=ORDERS))
        await rest(bench, "a")
        message = await events.socket.receive(timeout=PATIENCE_S)
        assert message.type in {WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.ERROR}
        assert events.socket.close_code == (1001 if kind == "socket_closed" else 1006)
        again = await Events.of(bench)
        await rest(bench, "b")
        assert await again.ids(1) == ["b"]


@pytest.mark.parametrize("into", ["cut", "nan", "empty"])
async def test_row_18_a_frame_that_is_not_what_it_should_be(start: Start, into: str) -> None:
    """A strict reader cannot read it; the one after it is whole."""
    async with start(faults=True) as bench:
        events = await Events.of(bench)
        bench.exchange.faults.inject(make_fault("frame_malformed", match=ORDERS, into=into))
        await rest(bench, "a", "b")
        with pytest.raises(orjson.JSONDecodeError):
            await events.next()
        assert await events.ids(1) == ["b"]


async def test_row_13_marks_of_one_symbol_can_be_lost(start: Start) -> None:
    """A frame of the market matches by its stream and symbol."""
    async with start(faults=True) as bench:
        fault = make_fault("event_lost", match={"stream": "btcusdt@markPrice*", "symbol": "BTCUSDT"})
        lost = bench.exchange.faults.inject(fault)
        marks = await bench.marks()
        await marks.next()
        async with asyncio.timeout(PATIENCE_S):
            while not lost.fired:  # noqa: ASYNC110 - the market repeats its marks each second
                await asyncio.sleep(0.01)
        await marks.next()


async def test_row_15_a_listen_key_expires_early(start: Start) -> None:
    """The stream says so and is silent; the key is worth nothing any more."""
    async with start(faults=True) as bench:
        events = await Events.of(bench)
        bench.exchange.faults.inject(make_fault("listen_key_expired", account="UP"))
        body = orjson.loads((await events.socket.receive(timeout=PATIENCE_S)).data)
        assert body["e"] == "listenKeyExpired"
        headers = {"X-MBX-APIKEY": UP.api_key}
        response = await bench.session.put(f"{bench.exchange.url}/fapi/v1/listenKey", headers=headers)
        assert (await response.json())["code"] == -1125
        assert bench.exchange.faults.fired("listen_key_expired") == 1
