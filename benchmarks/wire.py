"""From the bytes of a mark price to the bytes of a signed order, through unmodified ccxt and real sockets.

The clock starts when the client's transport hands over the frame, and is read twice: when ccxt has signed the
order, and when aiohttp gives the request's bytes to the transport. The loop and the rooms are those of `run`;
the other side is `loopback_venue`, which rests while the clock runs. Between two orders the process waits for
sockets, so these figures are those of a cold processor.

What ccxt takes alone, and a bare commit, is measured beside every single order, with the caches as that order
leaves them: in a loop of its own ccxt's signature takes two thirds of that, and in a busier minute twice.

The figure "in process" leaves the sockets out: the frame's bytes go to ccxt's message handler, and a canned
answer stands where ccxt would open a connection.
"""

import asyncio
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import uvloop

from benchmarks.loopback_venue import LoopbackVenue, candles, mark_frame
from benchmarks.measure import main, report
from benchmarks.stopwatch import Stopwatch, time_connections
from bot.core.history import RebalanceHistory
from bot.core.records import Record
from bot.daemon import logs
from bot.daemon.draws import SystemDraws
from bot.daemon.garbage import settle_garbage
from bot.daemon.operations import Operations
from bot.daemon.redaction import Redactor
from bot.daemon.runner import Runner
from bot.daemon.timers import WallTimers
from bot.journal.journal import Appender, Identity
from bot.journal.sqlite import open_journal
from bot.testing import Lab, a_fund
from bot.venue.clock import ExchangeClock
from bot.venue.profile import Credentials, Environment
from bot.venue.profiles import profile_named
from bot.venue.venue import Venue

LIMIT_US = 100.0
COMMITS_LIMIT = 1.5
_IDENTITY = Identity("paper", "binanceusdm@paper")
_SYMBOL = "BTCUSDT"
_CCXT_ORDER = ("BTC/USDT:USDT", "limit", "sell", 0.123, 43_912.0)
_CCXT_PARAMS = {"timeInForce": "IOC", "reduceOnly": True, "newOrderRespType": "RESULT"}
_CID = "ib" + "0" * 30


class _NoJournal:
    """Keeps nothing: the path of an order without its disk."""

    def append(self, fund: str, records: Sequence[Record], wall_ms: int) -> None:
        """Take the records of one step, and forget them."""

    def owned(self) -> bool:
        """Nobody else could have it."""
        return True


class _Bench:
    """One fund on one account, taken back to the same moment before each mark."""

    def __init__(self, server: LoopbackVenue, venue: Venue, stopwatch: Stopwatch) -> None:
        self._server = server
        self._stopwatch = stopwatch
        self._venue = venue
        self.client = venue.client(Credentials("key", "secret"))
        self._lab = Lab(a_fund(), contract=venue.markets.contract(_SYMBOL, 6))
        self._lab.settle()
        self._lab.mark("60000")
        self._prices = (f"{44_000 + i * 0.01:.8f}" for i in range(1_000_000))
        self._time_ms = self._lab.time_ms
        self._operations, self._timers = Operations("paper"), WallTimers()
        self._time_sign()

    async def orders(
        self, journal: Appender, count: int, ours: "_Times", beside: Callable[[], Awaitable[None]]
    ) -> None:
        """Time `count` orders, from a frame to the signed order and its bytes; call `beside` after each."""
        watch, start = self._stopwatch, self._lab.state
        runner = self._runner(journal)
        for _ in range(count):
            runner.state = start
            self._operations.histories[runner.name] = RebalanceHistory(runner.name)
            self._timers.changed(runner)
            watch.sent.clear()
            await self._send_mark()
            async with asyncio.timeout(60):
                await watch.sent.wait()
                await runner.wait_quiet()
            assert runner.failure is None, runner.failure
            ours.signed.append((watch.signed - watch.frame) * 1e6)
            ours.written.append((watch.written - watch.frame) * 1e6)
            await beside()
        runner.state = start
        self._timers.changed(runner)

    async def in_process(self, count: int, ours: "_Times", alone: "_Times") -> None:
        """The same from a frame in ccxt's hands to the signed order, without any socket."""
        watch, start, fetch = self._stopwatch, self._lab.state, self.client.fetch
        runner = self._runner(_NoJournal())
        streams = self._venue._public.clients.values()  # noqa: SLF001 - ccxt's own hands are not public
        (socket,) = [stream for stream in streams if "market" in stream.url]

        async def answer(_url: str, method: str, _headers: Any, body: str) -> Any:
            if method == "GET":
                return candles()
            order = dict(pair.split("=") for pair in body.split("&"))
            return {
                "clientOrderId": order["newClientOrderId"],
                "orderId": "1",
                "status": "EXPIRED",
                "executedQty": "0",
            }

        self.client.fetch = answer
        for _ in range(count):
            runner.state = start
            self._operations.histories[runner.name] = RebalanceHistory(runner.name)
            self._timers.changed(runner)
            self._time_ms += 1
            frame = mark_frame(_SYMBOL, next(self._prices), self._time_ms)
            watch.frame = time.perf_counter()
            socket.handle_text_or_binary_message(frame)
            await asyncio.sleep(0)
            await runner.wait_quiet()
            assert runner.failure is None, runner.failure
            ours.signed.append((watch.signed - watch.frame) * 1e6)
            alone.signed.append(self.ccxt_sign())
        self.client.fetch = fetch
        runner.state = start
        self._timers.changed(runner)

    async def ccxt_trips(self, count: int, found: list[float]) -> None:
        """Microseconds from a frame to an order's bytes of a program of two lines: watch, then create."""
        client, watch = self._venue.client(Credentials("key", "secret")), self._stopwatch
        waiting = asyncio.create_task(client.watch_mark_price(_CCXT_ORDER[0]))
        while not self._server.watched:  # noqa: ASYNC110 - it is a moment, before anything is timed
            await asyncio.sleep(0.01)
        for _ in range(count):
            watch.sent.clear()
            await self._send_mark()
            await waiting
            await client.create_order(*_CCXT_ORDER, {**_CCXT_PARAMS, "newClientOrderId": _CID})
            found.append((watch.written - watch.frame) * 1e6)
            waiting = asyncio.create_task(client.watch_mark_price(_CCXT_ORDER[0]))
            await asyncio.sleep(0)
        waiting.cancel()
        await client.close()
        while self._server.watched:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)

    async def _send_mark(self) -> None:
        self._time_ms += 1
        await self._server.send_mark(_SYMBOL, next(self._prices), self._time_ms)

    def _runner(self, journal: Appender) -> Runner:
        """A runner on `journal`, which the marks go to from now on."""
        gateway = self._venue.gateway(self.client, self._lab.contract)
        self._operations, self._timers = Operations("paper"), WallTimers()
        self._operations.attach(self._timers, None)
        clock = ExchangeClock(self._time_ms)
        runner = Runner(self._lab.state, gateway, journal, clock, SystemDraws(), self._operations.changed)
        self._operations.add(runner, RebalanceHistory(runner.name))
        return runner

    async def watch(self) -> None:
        """Feed the funds until cancelled; one feed serves every series of orders."""
        await self._venue.mark_feed(
            (_SYMBOL,),
            # Looked up at each call: every series has operations of its own.
            lambda symbol, mark: self._operations.marked(symbol, mark),  # noqa: PLW0108
            lambda symbol, reason: self._operations.feed_lost(symbol, reason),  # noqa: PLW0108
        ).run()

    def ccxt_sign(self) -> float:
        """Microseconds for ccxt's own `create_order_request` and `sign` of such an order."""
        client = self.client
        started = time.perf_counter()
        request = client.create_order_request(*_CCXT_ORDER, {**_CCXT_PARAMS, "newClientOrderId": _CID})
        client.sign("order", ["fapiPrivate"], "POST", request)
        return (time.perf_counter() - started) * 1e6

    async def ccxt_order(self) -> float:
        """Microseconds from calling ccxt's own `create_order` to the bytes of the order on the transport."""
        self._stopwatch.sent.clear()
        started = time.perf_counter()
        await self.client.create_order(*_CCXT_ORDER, {**_CCXT_PARAMS, "newClientOrderId": _CID})
        return (self._stopwatch.written - started) * 1e6

    def _time_sign(self) -> None:
        sign, watch = self.client.sign, self._stopwatch

        def timed(*arguments: Any, **named: Any) -> Any:
            request = sign(*arguments, **named)
            if request["method"] == "POST":
                watch.signed = time.perf_counter()
            return request

        self.client.sign = timed


def measure(*, tiny: bool = False) -> None:
    """Time orders that start with a mark, without and with the journal on disk."""
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(_measure(Path(folder), *((1, 10) if tiny else (10, 100))))


async def _measure(folder: Path, rounds: int, count: int) -> None:
    log = StringIO()
    logs.configure(Redactor(), log)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(LoopbackVenue())
        profile, clock = profile_named("binanceusdm"), ExchangeClock(0)
        venue = Venue(profile, Environment.PAPER, clock, paper_url=server.url)
        await stack.enter_async_context(venue)
        stopwatch = Stopwatch()
        time_connections(venue, stopwatch)
        await venue.markets.load(lambda *_: None)
        bench, found = _Bench(server, venue, stopwatch), _Series()
        await bench.ccxt_trips(rounds * count, found.ccxt_trips)
        watching = asyncio.create_task(bench.watch())
        stack.callback(watching.cancel)
        while not server.watched:  # noqa: ASYNC110 - it is a moment, before anything is timed
            await asyncio.sleep(0.01)
        journal = open_journal(folder, _IDENTITY, None, 0)
        stack.callback(journal.close)
        bare = _BareCommits(folder)
        stack.callback(bare.close)

        async def ccxt_alone() -> None:
            found.alone.signed.append(bench.ccxt_sign())
            found.alone.written.append(await bench.ccxt_order())

        async def bare_commit() -> None:
            found.commits.append(await bare.one())

        await bench.orders(_NoJournal(), count, _Times(), bare_commit)
        settle_garbage()
        found.commits.clear()
        for _ in range(rounds):
            await bench.orders(_NoJournal(), count, found.ours, ccxt_alone)
            await bench.in_process(count, found.ours_in_process, found.alone_in_process)
            found.loop += [bench.ccxt_sign() for _ in range(count)]
            await bench.orders(journal, count, found.durable, bare_commit)
        _see_that_all_was_answered(log.getvalue())
        _report(found)


def _see_that_all_was_answered(log: str) -> None:
    """A question that the venue does not know is asked again and again, and would be timed too."""
    odd = [line for line in log.splitlines() if json.loads(line)["level"] != "info"]
    assert not odd, odd[0]


def _report(found: "_Series") -> None:
    """What is ours is judged against what is ccxt's: its signing, and its way to the transport."""
    commit = median(found.commits)
    report("wire", "ccxt alone: create_order_request and sign, in a loop of its own", found.loop, "us")
    report("wire", "one bare FULL commit of one small row", found.commits, "us")
    report(
        "wire", "ccxt alone: create_order_request and sign, in process", found.alone_in_process.signed, "us"
    )
    report("wire", "ccxt alone: create_order_request and sign", found.alone.signed, "us")
    report("wire", "ccxt alone: create_order to bytes out", found.alone.written, "us")
    report("wire", "ccxt alone: mark bytes in to order bytes out", found.ccxt_trips, "us")
    sign = median(found.alone_in_process.signed)
    report(
        "wire",
        "mark bytes in to signed order, in process",
        found.ours_in_process.signed,
        "us",
        limit=sign + LIMIT_US,
        baseline=sign,
    )
    for figure, ours, with_journal, theirs in (
        ("signed order", found.ours.signed, found.durable.signed, found.alone.signed),
        ("order bytes out", found.ours.written, found.durable.written, found.alone.written),
    ):
        base = median(theirs)
        limit = base + LIMIT_US
        value = report("wire", f"mark bytes in to {figure}", ours, "us", limit=limit, baseline=base)
        allowed = value + COMMITS_LIMIT * commit
        name = f"mark bytes in to {figure}, records durable in between"
        report("wire", name, with_journal, "us", limit=allowed, baseline=value + commit)
    trip = median(found.ccxt_trips)
    report(
        "wire",
        "mark bytes in to order bytes out, against ccxt alone",
        found.ours.written,
        "us",
        limit=trip + LIMIT_US,
        baseline=trip,
    )


@dataclass(slots=True)
class _Times:
    """Microseconds to the signed order, and to its bytes on the transport; one entry per order."""

    signed: list[float] = field(default_factory=list)
    written: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Series:
    """All that is measured; `alone` is ccxt without us, beside each of `ours`."""

    ours: _Times = field(default_factory=_Times)
    alone: _Times = field(default_factory=_Times)
    ours_in_process: _Times = field(default_factory=_Times)
    alone_in_process: _Times = field(default_factory=_Times)
    durable: _Times = field(default_factory=_Times)
    loop: list[float] = field(default_factory=list)
    ccxt_trips: list[float] = field(default_factory=list)
    commits: list[float] = field(default_factory=list)


class _BareCommits:
    """SQLite alone, in the same folder and with the same pragmas as the journal."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE row (number INTEGER PRIMARY KEY, body TEXT)")

    async def one(self) -> float:
        """Microseconds for one commit of one small row; the disk rests before it, as between orders."""
        await asyncio.sleep(0.002)
        started = time.perf_counter()
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("INSERT INTO row (body) VALUES ('a small row')")
        self._connection.execute("COMMIT")
        return (time.perf_counter() - started) * 1e6

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


if __name__ == "__main__":
    main(measure)
