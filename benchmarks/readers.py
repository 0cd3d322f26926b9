"""The public stream: how long a decision waits with a thousand readers; and a query over years of NAV.

The readers are real sockets in a process of their own. The daemon's side is the real server and feed, on the
event loop that a daemon runs on. At instants of no pattern a mark that leaves the band is decided on; the
delay is how much later than that instant the decision began. Where it may, this process goes before others of
the machine: what they cost is not what readers cost.
"""

import asyncio
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from math import cos, sin
from pathlib import Path
from statistics import quantiles

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import uvloop

from benchmarks.measure import main, report
from bot.core.bars import INTERVALS_MS, Bar, Closed
from bot.core.draws import between
from bot.core.engine import step
from bot.core.events import Mark
from bot.core.history import RebalanceHistory
from bot.core.limits import SubmitOrder
from bot.daemon.garbage import settle_garbage
from bot.daemon.nav import NavRecorder, Stretch, row_of
from bot.daemon.operations import Operations
from bot.journal.nav_store import Bars, NavStore, Part
from bot.testing import Lab, a_fund
from bot.web.server import serve

DELAY_LIMIT_MS = 5.0
QUERY_LIMIT_MS = 50.0
_YEARS = 5
_KEY = "5a" * 32
_YEAR_MS = 365 * 86_400_000


class LabRunner:
    """A laboratory's fund where the daemon has a runner."""

    failure = None

    def __init__(self, lab: Lab) -> None:
        """Its state is the laboratory's."""
        self.lab = lab

    @property
    def name(self) -> str:
        """The fund's name."""
        return self.lab.fund.name

    @property
    def state(self) -> object:
        """The engine's state."""
        return self.lab.state


def measure(*, tiny: bool = False) -> None:
    """Measure the stream, then the query."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    readers, seconds = (20, 1.5) if tiny else (1_000, 30.0)
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    alone = uvloop.run(_delays(0, seconds))
    crowded = uvloop.run(_delays(readers, seconds))
    for figure, share in (("p99", 99), ("p50", 50)):
        baseline = _percentile(alone, share)
        limit = DELAY_LIMIT_MS if share == 99 else None
        found = [_percentile(crowded, share)]
        name = f"delay of a decision with {readers} readers of the stream, {figure}"
        report("readers", name, found, "ms", limit=limit, baseline=baseline, decisions=len(crowded))
    uvloop.run(_query(years=1 if tiny else _YEARS, samples=3 if tiny else 15))


async def _delays(readers: int, seconds: float) -> list[float]:
    """Delays of decisions (ms) while so many read."""
    labs = [Lab(a_fund(side="long")), Lab(a_fund(side="short"))]
    operations = Operations("paper")
    for lab in labs:
        lab.settle()
        operations.runners.append(LabRunner(lab))  # type: ignore[arg-type]
        operations.histories[lab.fund.name] = RebalanceHistory(lab.fund.name)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        port = listener.getsockname()[1]
        async with serve(operations, listener):
            feed = asyncio.create_task(operations.feed.run())
            crowd = _crowd(port, readers) if readers else None
            try:
                if crowd is not None:
                    await asyncio.to_thread(_wait_for, crowd)
                settle_garbage()
                told: list[str] = []
                operations.feed.listen(lambda news: told.extend(each.event for each in news))
                delays = await _decide(labs, seconds)
                await operations.feed.look()  # at the last mark, which may have come just now
                assert told.count("fund") >= seconds / 2, f"readers were told {told}"
                assert not feed.done(), feed.exception()
                assert crowd is None or crowd.poll() is None, "readers were cut off"
                return delays
            finally:
                feed.cancel()
                if crowd is not None:
                    crowd.kill()
                    crowd.wait()


async def _decide(labs: list[Lab], seconds: float) -> list[float]:
    """Give each fund a mark a second, and decide some forty times a second at instants of no pattern."""
    loop = asyncio.get_running_loop()
    delays: list[float] = []
    until_s, next_mark_s = loop.time() + seconds, loop.time()
    while (now_s := loop.time()) < until_s:
        if now_s >= next_mark_s:
            next_mark_s = now_s + 1.0
            for lab in labs:
                lab.mark(Decimal(60_000) + len(delays) % 100, after_s=1)
        due_s = now_s + between(0.005, 0.045, _KEY, "decision", len(delays))
        decided: asyncio.Future[float] = loop.create_future()
        loop.call_at(due_s, _one, labs[0], due_s, decided)
        delays.append(await decided)
    return delays


def _one(lab: Lab, due_s: float, decided: "asyncio.Future[float]") -> None:
    """Decide at the instant that is due: the delay until here is what the readers cost."""
    late_s = asyncio.get_running_loop().time() - due_s
    mark = Mark(lab.time_ms + 1, lab.wall_ms, Decimal("44000.5"))
    _, _, commands = step(lab.state, mark)
    assert any(isinstance(command, SubmitOrder) for command in commands)
    decided.set_result(late_s * 1000)


def _crowd(port: int, readers: int) -> "subprocess.Popen[str]":
    """A process that opens so many streams, says so, and reads them all."""
    command = [sys.executable, str(Path(__file__).resolve()), "--crowd", str(port), str(readers)]
    crowd = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ourselves
    with suppress(PermissionError):
        os.sched_setscheduler(crowd.pid, os.SCHED_OTHER, os.sched_param(0))
    return crowd


def _wait_for(crowd: "subprocess.Popen[str]") -> None:
    assert crowd.stdout is not None
    assert crowd.stdout.readline().strip() == "reading"


async def _read(port: int, readers: int) -> None:
    """Open streams and read them for ever."""
    streams = []
    for _ in range(readers):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        streams.append((reader, writer))
    print("reading", flush=True)
    await asyncio.gather(*(_drain(reader) for reader, _ in streams))


async def _drain(reader: asyncio.StreamReader) -> None:
    """Read until we are killed: a reader that is cut off costs nothing, and ends them all."""
    while await reader.read(65_536):
        pass
    raise EOFError("the stream ended")


def _percentile(values: Sequence[float], share: int) -> float:
    return quantiles(values, n=100)[share - 1]


async def _query(*, years: int, samples: int) -> None:
    """Years of minutes are on record; all hours, and all days, of them are asked for."""
    with tempfile.TemporaryDirectory() as name:
        store = NavStore(Path(name) / "nav.sqlite")
        last_ms = fill(store, years)
        recorder = NavRecorder(store)
        lab = Lab(a_fund())
        lab.settle()
        lab.time_ms = lab.wall_ms = last_ms + 60_000
        lab.mark("60000")
        assert lab.state.mark is not None
        recorder.take(LabRunner(lab), lab.state.mark)  # type: ignore[arg-type]
        for interval in ("1h", "1d"):
            found, rows = [], b""
            for _ in range(samples):
                began = time.perf_counter()
                wanted = Stretch(Part(interval, "nav"), 0, 10**14, 50_000)
                rows = await recorder.rows("BTCUP", wanted)
                found.append((time.perf_counter() - began) * 1000)
            count = rows.count(b"],[") + 1
            figure = f"query over {years} years of NAV, {interval}"
            report("readers", figure, found, "ms", limit=QUERY_LIMIT_MS, rows=count)
        report(
            "readers", "space of a year of NAV, minutes to days, one fund", [_megabytes(store, years)], "MB"
        )
        recorder.close()
        store.close()


def fill(store: Bars, years: int, *, minutes: bool = True) -> int:
    """Store bars of every interval, minutes for the last year alone, if at all: there are so many of them."""
    nav = 1.0
    end_ms = years * _YEAR_MS
    for interval, length_ms in INTERVALS_MS.items():
        if interval == "1m" and not minutes:
            continue
        rows = []
        begin_ms = end_ms - _YEAR_MS if interval == "1m" else 0
        for start_ms in range(begin_ms, end_ms, length_ms):
            nav *= 1 + 0.001 * sin(start_ms / length_ms * 1.7) * cos(start_ms / length_ms / 331)
            bar = Bar(start_ms, nav, nav * 1.0004, nav * 0.9996, nav, 60, nav * 6e4, 2 / nav)
            rows.append(row_of("BTCUP", Closed(interval, bar, None)))
            if len(rows) == 50_000:
                store.write(rows, INTERVALS_MS, {})
                rows = []
        store.write(rows, INTERVALS_MS, {})
    return end_ms


def _megabytes(store: Bars, years: int) -> float:
    """What a year takes: of minutes one is stored, of longer bars so many."""
    minutes, longer = store.size("1m"), sum(store.size(name) for name in INTERVALS_MS if name != "1m")
    return (minutes + longer / years) / 1e6


if __name__ == "__main__":
    if "--crowd" in sys.argv:
        with suppress(KeyboardInterrupt):
            uvloop.run(_read(int(sys.argv[2]), int(sys.argv[3])))
    else:
        main(measure)
