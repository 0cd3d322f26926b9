"""From the bytes of a mark price to the bytes of a signed order, through unmodified ccxt and real sockets.

The clock starts when the client's transport hands over the frame, and is read twice: when ccxt has signed the
order, and when aiohttp gives the request's bytes to the transport. The loop and the rooms are those of `run`;
the other side is `loopback_venue`, which rests while the clock runs.
"""

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import uvloop
from aiohttp.client_proto import ResponseHandler

from benchmarks.loopback_venue import LoopbackVenue
from benchmarks.measure import main, report
from bot.core.history import RebalanceHistory
from bot.core.records import Record
from bot.daemon import logs
from bot.daemon.alarms import WallAlarms
from bot.daemon.draws import SystemDraws
from bot.daemon.operations import Operations
from bot.daemon.runner import Runner
from bot.journal.journal import Identity, Journal
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


class _Stopwatch:
    """When the last frame arrived, the order was signed, and its bytes were written; seconds."""

    def __init__(self) -> None:
        self.frame = self.signed = self.written = 0.0
        self.sent = asyncio.Event()

    def arrived(self) -> None:
        """Bytes came in on any connection; an order's answer does so only after it was written."""
        if not self.sent.is_set():
            self.frame = time.perf_counter()

    def wrote(self, data: bytes | bytearray | memoryview) -> None:
        """Bytes go out on any connection; an order is what starts with POST."""
        if bytes(data[:4]) == b"POST":
            self.written = time.perf_counter()
            self.sent.set()


class _TimedTransport:
    """A transport that tells the stopwatch what is written to it."""

    def __init__(self, transport: asyncio.Transport, stopwatch: _Stopwatch) -> None:
        self._transport = transport
        self._stopwatch = stopwatch

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._stopwatch.wrote(data)
        self._transport.write(data)

    def writelines(self, chunks: Sequence[bytes]) -> None:
        self._stopwatch.wrote(chunks[0])
        self._transport.writelines(chunks)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _TimedProtocol(ResponseHandler):
    """aiohttp's own client protocol, which tells the stopwatch when bytes come in."""

    def __init__(self, stopwatch: _Stopwatch, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._stopwatch = stopwatch

    def connection_made(self, transport: Any) -> None:
        super().connection_made(_TimedTransport(transport, self._stopwatch))  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        self._stopwatch.arrived()
        super().data_received(data)


class _NoJournal:
    """Keeps nothing: the path of an order without its disk."""

    identity = _IDENTITY

    def funds(self) -> tuple[str, ...]:
        return ()

    def read(self, fund: str) -> Iterator[Record]:
        del fund
        yield from ()

    def append(self, fund: str, records: Sequence[Record], wall_ms: int) -> None:
        """Take the records of one step, and forget them."""

    def close(self) -> None:
        """Nothing is open."""


class _Bench:
    """One fund on one account, taken back to the same moment before each mark."""

    def __init__(self, server: LoopbackVenue, venue: Venue, stopwatch: _Stopwatch) -> None:
        self._server = server
        self._stopwatch = stopwatch
        self._venue = venue
        self.client = venue.client(Credentials("key", "secret"))
        self._lab = Lab(a_fund(), contract=venue.markets.contract(_SYMBOL, 6))
        self._lab.settle()
        self._lab.mark("60000")
        self._prices = (f"{44_000 + i * 0.01:.8f}" for i in range(1_000_000))
        self._time_ms = self._lab.time_ms
        self._operations = Operations("paper")
        self._time_sign()

    async def orders(self, journal: Journal, count: int) -> tuple[list[float], list[float]]:
        """Seconds from frame to signature, and from frame to bytes out, of `count` orders."""
        watch, lab = self._stopwatch, self._lab
        gateway = self._venue.gateway(self.client, lab.contract)
        operations, alarms = Operations("paper"), WallAlarms()
        operations.attach(alarms, None)
        clock = ExchangeClock(self._time_ms)
        runner = Runner(lab.state, gateway, journal, clock, SystemDraws(), operations.changed)
        operations.add(runner, RebalanceHistory(runner.name))
        self._operations = operations
        signed, written = [], []
        for _ in range(count):
            runner.state = lab.state
            operations.histories[runner.name] = _history(lab)
            alarms.changed(runner)
            await asyncio.sleep(0.002)
            watch.sent.clear()
            self._time_ms += 1
            await self._server.send_mark(_SYMBOL, next(self._prices), self._time_ms)
            async with asyncio.timeout(10):
                await watch.sent.wait()
                await runner.wait_quiet()
            assert runner.failure is None, runner.failure
            signed.append(watch.signed - watch.frame)
            written.append(watch.written - watch.frame)
        runner.state = lab.state
        alarms.changed(runner)
        return signed, written

    async def watch(self) -> None:
        """Feed the funds until cancelled; one feed serves every series of orders."""
        await self._venue.mark_feed(
            (_SYMBOL,),
            lambda symbol, mark: self._operations.marked(symbol, mark),
            lambda symbol, reason: self._operations.feed_lost(symbol, reason),
        ).run()

    def ccxt_alone(self, count: int) -> list[float]:
        """Seconds for ccxt's own `create_order_request` and `sign` of the same order."""
        client, found = self.client, []
        for i in range(count):
            started = time.perf_counter()
            params = {"newClientOrderId": f"ib{i:030x}", "timeInForce": "IOC", "reduceOnly": True}
            request = client.create_order_request("BTC/USDT:USDT", "limit", "sell", 0.123, 43_912.0, params)
            client.sign("order", ["fapiPrivate"], "POST", request)
            found.append(time.perf_counter() - started)
        return found

    async def ccxt_wire(self, count: int) -> list[float]:
        """Seconds from calling ccxt's own `create_order` to the bytes of the order on the transport."""
        watch, found = self._stopwatch, []
        for i in range(count):
            await asyncio.sleep(0.002)
            params = {"newClientOrderId": f"ib{i:030x}", "timeInForce": "IOC", "reduceOnly": True}
            watch.sent.clear()
            started = time.perf_counter()
            await self.client.create_order("BTC/USDT:USDT", "limit", "sell", 0.123, 43_912.0, params)
            found.append(watch.written - started)
        return found

    def _time_sign(self) -> None:
        sign, watch = self.client.sign, self._stopwatch

        def timed(*arguments: Any, **named: Any) -> Any:
            request = sign(*arguments, **named)
            watch.signed = time.perf_counter()
            return request

        self.client.sign = timed


def measure(*, tiny: bool = False) -> None:
    """Time orders that start with a mark, without and with the journal on disk."""
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(_measure(Path(folder), 20 if tiny else 1_000))


async def _measure(folder: Path, count: int) -> None:
    logs.configure((), StringIO())
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(LoopbackVenue())
        venue = Venue(
            profile_named("binanceusdm"), Environment.PAPER, ExchangeClock(0), paper_url=server.url
        )
        await stack.enter_async_context(venue)
        stopwatch = _Stopwatch()
        _time_connections(venue, stopwatch)
        await venue.markets.load(lambda *_: None)
        bench = _Bench(server, venue, stopwatch)
        journal = open_journal(folder, _IDENTITY, None, 0)
        stack.callback(journal.close)
        watching = asyncio.create_task(bench.watch())
        stack.callback(watching.cancel)
        while not server.watched:  # noqa: ASYNC110 - it is a moment, before anything is timed
            await asyncio.sleep(0.01)
        await bench.orders(_NoJournal(), max(5, count // 20))
        bench.ccxt_alone(count // 2)
        _report_orders(
            await bench.orders(_NoJournal(), count),
            await bench.orders(journal, count),
            _us(bench.ccxt_alone(count)),
            _us(await bench.ccxt_wire(count)),
            _us(_bare_commits(folder, count)),
        )


def _report_orders(
    without: tuple[list[float], list[float]],
    with_journal: tuple[list[float], list[float]],
    ccxt_alone: list[float],
    ccxt_wire: list[float],
    commits: list[float],
) -> None:
    alone, wire, commit = median(ccxt_alone), median(ccxt_wire), median(commits)
    signed, written = map(_us, without)
    durable_signed, durable_written = map(_us, with_journal)
    report("wire", "ccxt: create_order_request and sign", ccxt_alone, "us")
    report("wire", "ccxt: create_order to bytes on the transport", ccxt_wire, "us")
    report("wire", "one bare FULL commit of one small row", commits, "us")
    report("wire", "mark bytes in to signed order", signed, "us", limit=alone + LIMIT_US, baseline=alone)
    report("wire", "mark bytes in to order bytes out", written, "us", limit=wire + LIMIT_US, baseline=wire)
    allowed = COMMITS_LIMIT * commit
    for figure, durable, plain, base in (
        ("mark bytes in to signed order, records durable in between", durable_signed, signed, alone),
        ("mark bytes in to order bytes out, records durable in between", durable_written, written, wire),
    ):
        report("wire", figure, durable, "us", limit=base + LIMIT_US + allowed, baseline=base + commit)
        added = median(durable) - median(plain)
        report("wire", f"added by the journal: {figure}", [added], "us", limit=allowed, baseline=commit)


def _bare_commits(folder: Path, count: int) -> list[float]:
    """Seconds per commit of one small row with SQLite alone, in the same folder and with the same pragmas."""
    connection = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE row (number INTEGER PRIMARY KEY, body TEXT)")
    found = []
    for i in range(count):
        time.sleep(0.002)
        started = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO row (body) VALUES (?)", (f"a small row {i}",))
        connection.execute("COMMIT")
        found.append(time.perf_counter() - started)
    connection.close()
    return found


def _time_connections(venue: Venue, stopwatch: _Stopwatch) -> None:
    """Have the connections that the venue's session will open tell the stopwatch of their bytes."""
    connector: Any = venue._door.session.connector  # noqa: SLF001 - no public seam lies this near to the socket
    connector._factory = partial(_TimedProtocol, stopwatch, asyncio.get_running_loop())  # noqa: SLF001 - as above


def _history(lab: Lab) -> RebalanceHistory:
    history = RebalanceHistory(lab.fund.name)
    for record in lab.records:
        history.apply(record)
    return history


def _us(seconds: Sequence[float]) -> list[float]:
    return [s * 1e6 for s in seconds]


if __name__ == "__main__":
    main(measure)
