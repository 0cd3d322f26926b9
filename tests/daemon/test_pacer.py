import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.core.events import ReconcileDue
from bot.daemon.pacer import Pacer
from bot.errors import UserError
from tests.support.desk import Desk
from tests.support.ports import KeptPort

from .conftest import Logged

MARKET = {"op": "attached", "now": 5_000, "start": 0, "end": 90_000, "speed": "max"}


class PacingServer:
    """The exchange's end of the protocol: it writes down what it hears, and says what a test wants."""

    def __init__(self) -> None:
        """Nobody has attached yet."""
        self.heard: list[dict[str, Any]] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.kept = KeptPort()
        self._more = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.kept.url

    async def open(self) -> None:
        """Listen, on the same port as before."""
        app = web.Application()
        app.router.add_get("/pacing", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.kept.number).start()

    async def close(self) -> None:
        """Go away, with all connections."""
        for socket in self.sockets:
            await socket.close()
        self.sockets.clear()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def until_heard(self, count: int) -> dict[str, Any]:
        """Wait for the `count`-th message, and give it."""
        async with asyncio.timeout(60):
            while len(self.heard) < count:
                self._more.clear()
                await self._more.wait()
        return self.heard[count - 1]

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            self.heard.append(message.json())
            self._more.set()
            if self.heard[-1]["op"] == "attach":
                await socket.send_json(MARKET)
        return socket


@pytest.fixture
async def server() -> AsyncIterator[PacingServer]:
    """An exchange that waits for clients."""
    server = PacingServer()
    await server.open()
    yield server
    await server.close()
    server.kept.close()


@pytest.fixture
async def pacer(server: PacingServer) -> AsyncIterator[Pacer]:
    """Attached, and speaking."""
    async with aiohttp.ClientSession() as session:
        pacer = await Pacer.attach(session, server.url, 4_000)
        running = asyncio.create_task(pacer.run())
        yield pacer
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await pacer.close()


async def test_attaching_says_how_far_the_journal_had_come(pacer: Pacer, server: PacingServer) -> None:
    """The market is asked not to be before our journal, and its own times are taken over."""
    assert server.heard == [{"op": "attach", "name": "inband", "not_before": 4_000}]
    assert (pacer.start_ms, pacer.end_ms, pacer.speed) == (0, 90_000, "max")
    assert pacer.clock.market_ms() == 5_000


async def test_idle_is_said_when_the_instant_is_seen(pacer: Pacer, server: PacingServer, desk: Desk) -> None:
    """It names the instant, and the earliest time at which a fund wants to be woken."""
    runner = await desk.opened()
    pacer.watch([runner], ["BTCUSDT"])
    pacer.changed(runner)
    pacer.saw("BTCUSDT", 5_000)
    assert runner.state.wake_ms is not None
    assert await server.until_heard(2) == {"op": "idle", "seen": 5_000, "until": runner.state.wake_ms}


async def test_an_instant_is_seen_when_every_symbol_is(
    pacer: Pacer, server: PacingServer, desk: Desk
) -> None:
    """With two symbols the slower one decides."""
    runner = await desk.opened()
    pacer.watch([runner], ["BTCUSDT", "ETHUSDT"])
    pacer.saw("BTCUSDT", 6_000)
    pacer.saw("BTCUSDT", 7_000)
    pacer.saw("ETHUSDT", 6_000)
    assert (await server.until_heard(2))["seen"] == 6_000


async def test_nothing_is_said_while_a_fund_is_busy(pacer: Pacer, server: PacingServer, desk: Desk) -> None:
    """The market waits for the answer to a command, and for what the fund makes of it."""
    runner = await desk.opened()
    pacer.watch([runner], ["BTCUSDT"])
    desk.gate = asyncio.Event()
    runner.handle(ReconcileDue(*runner.now()))
    pacer.saw("BTCUSDT", 6_000)
    await asyncio.sleep(0.05)
    assert len(server.heard) == 1

    desk.gate.set()
    await runner.wait_quiet()
    pacer.changed(runner)
    assert (await server.until_heard(2))["seen"] == 6_000


async def test_until_is_the_earliest_wake_of_all_funds(
    pacer: Pacer, server: PacingServer, desk: Desk
) -> None:
    """Two funds: the one that wants to be woken first is heard; one without a wish is not."""
    soon, never = await desk.opened(), Desk().runner()
    assert never.state.wake_ms is None
    pacer.watch([never, soon], ["BTCUSDT"])
    pacer.saw("BTCUSDT", 5_000)
    assert (await server.until_heard(2))["until"] == soon.state.wake_ms


async def test_the_same_is_not_said_twice(pacer: Pacer, server: PacingServer, desk: Desk) -> None:
    """Being poked without news says nothing; the next instant is said again."""
    runner = await desk.opened()
    pacer.watch([runner], ["BTCUSDT"])
    pacer.saw("BTCUSDT", 5_000)
    await server.until_heard(2)
    for _ in range(3):
        pacer.changed(runner)
        await asyncio.sleep(0.01)
    pacer.saw("BTCUSDT", 6_000)
    await server.until_heard(3)
    assert [message.get("seen") for message in server.heard] == [None, 5_000, 6_000]


async def test_a_held_market_hears_nothing_more(pacer: Pacer, server: PacingServer, desk: Desk) -> None:
    """Before a stop the market is kept where it is."""
    runner = await desk.opened()
    pacer.watch([runner], ["BTCUSDT"])
    pacer.hold()
    pacer.saw("BTCUSDT", 6_000)
    await asyncio.sleep(0.05)
    assert len(server.heard) == 1


async def test_the_end_of_the_market_is_noticed(pacer: Pacer, server: PacingServer) -> None:
    """`ended` is set once the exchange says so."""
    assert not pacer.ended.is_set()
    await server.sockets[0].send_json({"op": "end", "now": 90_000})
    async with asyncio.timeout(60):
        await pacer.ended.wait()


async def test_an_exchange_that_comes_back_is_attached_to_again(
    pacer: Pacer, server: PacingServer, desk: Desk, logged: Logged
) -> None:
    """It is told how far market time had come, and that we are idle, which it may have forgotten."""
    runner = await desk.opened()
    pacer.watch([runner], ["BTCUSDT"])
    pacer.clock.advance(6_000)
    pacer.saw("BTCUSDT", 6_000)
    await server.until_heard(2)
    await server.close()
    async with asyncio.timeout(60):
        while "venue_unreachable" not in {line["event"] for line in logged()}:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
    await server.open()

    assert (await server.until_heard(3)) == {"op": "attach", "name": "inband", "not_before": 6_000}
    assert (await server.until_heard(4))["seen"] == 6_000
    assert "pacing_lost" in {line["event"] for line in logged()}


async def test_a_server_that_paces_nothing_is_a_mistake() -> None:
    """The line names the setting."""
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session:
        with pytest.raises(UserError, match=f"INBAND_PAPER__URL={url}: .*HTTP 404"):
            await Pacer.attach(session, url, None)
    await runner.cleanup()


async def test_an_instant_that_a_fund_asked_for_is_told_from_the_markets_own(
    pacer: Pacer, server: PacingServer, desk: Desk
) -> None:
    """When funds wake is secret; an instant stays ours however often the market repeats it."""
    assert pacer.stopped_for_us(5_123)  # where the journal ended
    assert not pacer.stopped_for_us(5_000)
    runner = await desk.opened()
    pacer.watch([runner], ["BTCUSDT"])
    pacer.saw("BTCUSDT", 5_000)
    until_ms = (await server.until_heard(2))["until"]
    wake_ms = until_ms if until_ms % 1000 else until_ms + 1
    assert not pacer.stopped_for_us(wake_ms - 20)
    assert pacer.stopped_for_us(wake_ms)
    pacer.saw("BTCUSDT", wake_ms)
    await server.until_heard(3)
    pacer._said = (wake_ms, wake_ms + 10_000)
    assert pacer.stopped_for_us(wake_ms)
    assert not pacer.stopped_for_us(wake_ms + 5_001)
    assert not pacer.stopped_for_us((wake_ms // 1000 + 20) * 1000)
    pacer._said = (wake_ms, None)
    assert not pacer.stopped_for_us(wake_ms + 50_001)


async def test_a_wish_for_a_whole_second_is_told_from_the_markets_own_as_well(
    pacer: Pacer, server: PacingServer, desk: Desk
) -> None:
    """It is asked for a millisecond later; where the market stops by itself, the fund wakes in time."""
    runner = await desk.opened()
    runner.state = runner.state._replace(wake_ms=30_000)
    pacer.watch([runner], ["BTCUSDT"])
    pacer.saw("BTCUSDT", 5_000)
    assert (await server.until_heard(2))["until"] == 30_001
    assert not pacer.stopped_for_us(30_000)
    assert pacer.stopped_for_us(30_001)
