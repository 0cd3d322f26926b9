"""Mark frames to many sockets: delay, CPU, and whether a queue grows.

The exchange is `python -m bot exchange --speed max` in a process of its own, on one core. A pacing client
here, on another core, moves the market by a fixed schedule, 500 times a second (later where one socket still
waits for the frame before), and 50 sockets read every frame. The delay of a frame is the time from the word
that moves the market to its arrival at one socket, so it holds the way of the word and the market's own step
as well. The baseline is aiohttp's `send_str` in a loop.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import aiohttp
import orjson
import uvloop

from benchmarks.measure import REPOSITORY, main, report
from benchmarks.processes import Daemon, settings

SOCKETS = 50
FRAMES_PER_S = 500
STEP_MS = 10
START_MS = 1_704_067_200_000  # of the baseline, whose time means nothing
RATE_REACHED = 0.99  # of the schedule, which is late where a socket still waits for the frame before
GROWTH_LIMIT = 2.0  # of the delay, from the first fifth of the run to its last
STREAM = "/market/ws/btcusdt@markPrice@1s"
_EVENT_TIME = re.compile(rb'"E":(\d+)')


def measure(*, tiny: bool = False) -> None:
    """Drive the exchange and the baseline by the same schedule, one after the other."""
    seconds = 1 if tiny else 30
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        with tempfile.TemporaryDirectory() as name:
            ours = _ours(Path(name), max(cores), seconds)
        theirs = _aiohttp(max(cores), seconds)
    finally:
        os.sched_setaffinity(0, cores)
    title = f"mark frame to {SOCKETS} sockets, {FRAMES_PER_S} a second"
    report(
        "streams",
        f"{title}: delay",
        ours.delays_us,
        "us",
        baseline=median(theirs.delays_us),
        p99=round(ours.percentile(0.99)),
        baseline_p99=round(theirs.percentile(0.99)),
    )
    report(
        "streams",
        f"{title}: rate",
        [ours.rate],
        "frames/s",
        limit=RATE_REACHED * FRAMES_PER_S,
        at_least=True,
        baseline=theirs.rate,
    )
    first, last = ours.fifth(0), ours.fifth(4)
    report(
        "streams",
        f"{title}: delay in the last fifth of the run",
        last,
        "us",
        limit=GROWTH_LIMIT * median(first),
        baseline=median(first),
    )
    report("streams", f"{title}: CPU of the server", [ours.cpu_share], "%", baseline=theirs.cpu_share)
    for run in ours, theirs:
        assert run.received == run.sent * SOCKETS, f"{run.received} of {run.sent * SOCKETS} frames came"


@dataclass
class Run:
    """What one run gave. `delays_us` are in order of arrival."""

    delays_us: list[float] = field(default_factory=list)
    sent: int = 0
    rate: float = 0.0
    cpu_share: float = 0.0

    @property
    def received(self) -> int:
        """How many frames have arrived at all sockets together."""
        return len(self.delays_us)

    def percentile(self, share: float) -> float:
        """A percentile of the delays."""
        return sorted(self.delays_us)[int(share * (len(self.delays_us) - 1))]

    def fifth(self, number: int) -> list[float]:
        """The delays of one fifth of the run."""
        size = len(self.delays_us) // 5
        return self.delays_us[number * size : (number + 1) * size]


def _ours(folder: Path, core: int, seconds: int) -> Run:
    arguments = ["exchange", "--port", "0", "--json", "--data-dir", str(folder), "--speed", "max"]
    with Daemon(arguments, settings(folder)) as exchange:
        url = str(exchange.next_line().fields["url"])
        exchange.pin(core)
        return uvloop.run(_drive(url, exchange.cpu_s, seconds, is_market=True))


def _aiohttp(core: int, seconds: int) -> Run:
    with _broadcaster(core) as (url, pid):
        return uvloop.run(_drive(url, lambda: _cpu_s(pid), seconds, is_market=False))


@contextmanager
def _broadcaster(core: int) -> Iterator[tuple[str, int]]:
    command = [sys.executable, str(REPOSITORY / "benchmarks" / "canned_streams.py"), str(core)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own script
        assert process.stdout is not None
        try:
            yield orjson.loads(process.stdout.readline())["url"], process.pid
        finally:
            process.terminate()


async def _drive(url: str, cpu_s: Callable[[], float], seconds: int, *, is_market: bool) -> Run:
    run = Run()
    kicked: dict[int, float] = {}
    loop, count = asyncio.get_running_loop(), seconds * FRAMES_PER_S
    address = urlsplit(url)
    host, port = address.hostname or "", address.port or 0
    readers = [Reader(run, kicked) for _ in range(SOCKETS)]
    for reader in readers:
        await loop.create_connection(lambda reader=reader: reader, host, port)  # type: ignore[misc]
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/pacing") as pacer:
        await pacer.send_json({"op": "attach", "name": "benchmark", "not_before": None})
        # What merely broadcasts says nothing.
        now = int((await pacer.receive_json(timeout=60.0))["now"]) if is_market else START_MS
        await asyncio.sleep(0.5)
        before_s, begun = cpu_s(), time.perf_counter()
        for number in range(1, count + 1):
            await asyncio.sleep(max(0.0, begun + number / FRAMES_PER_S - time.perf_counter()))
            await readers[0].has_come(now + (number - 1) * STEP_MS if number > 1 else 0)
            at = now + number * STEP_MS
            kicked[at] = time.perf_counter()
            await pacer.send_bytes(b'{"op":"idle","seen":%d,"until":%d}' % (at - 1, at))
        run.sent = count
        run.rate = count / (time.perf_counter() - begun)
        run.cpu_share = 100 * (cpu_s() - before_s) / (time.perf_counter() - begun)
        for _ in range(600):
            if run.received == count * SOCKETS:
                break
            await asyncio.sleep(0.05)
    return run


class Reader(asyncio.Protocol):
    """One subscriber: does the handshake, and notes when each frame arrives."""

    def __init__(self, run: Run, kicked: dict[int, float]) -> None:
        self._run = run
        self._kicked = kicked
        self._rest = b""
        self._is_open = False
        self._last_ms = 0
        self._news = asyncio.Event()

    async def has_come(self, time_ms: int) -> None:
        """Wait for the frame of an instant."""
        while self._last_ms < time_ms:
            self._news.clear()
            await self._news.wait()

    def connection_made(self, transport: Any) -> None:
        """Ask for the stream."""
        transport.write(
            f"GET {STREAM} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Take frames apart; all have a payload of 126 to 65,535 bytes."""
        now, data = time.perf_counter(), self._rest + data
        if not self._is_open:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._rest = head
                return
            self._is_open = True
        start = 0
        while len(data) >= start + 4:
            end = start + 4 + int.from_bytes(data[start + 2 : start + 4])
            if len(data) < end:
                break
            event = _EVENT_TIME.search(data, start, end)
            at = int(event[1]) if event else 0
            if at > self._last_ms and at in self._kicked:
                self._last_ms = at
                self._news.set()
                self._run.delays_us.append((now - self._kicked[at]) * 1e6)
            start = end
        self._rest = data[start:]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(measure)
