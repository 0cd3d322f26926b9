"""The paper exchange as its clients meet it: order round trips, orders a second, memory.

The server is `python -m bot exchange` in a process of its own, on one core; the clients are in this process,
on another. Orders are limit orders, immediate or cancel, that fill: bought and sold in turn, so that no
position grows. The market runs at 60 times real time, where the venue's rate limits are off.

The canned venue, which round trips are compared with, is an aiohttp application that reads the body and
answers: what somebody would write who wants an answer and no exchange. Trips to the two alternate in blocks.
The memory of a million orders is that of an exchange in one process with its client, without sockets
(`order_flood`).
"""

import asyncio
import hmac
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import aiohttp
import ccxt.async_support as ccxt
import orjson
import uvloop

from benchmarks.measure import REPOSITORY, main, report
from benchmarks.processes import Daemon, settings

TRIP_LIMIT = 1.3
ORDERS_LIMIT_PER_S = 1_000.0
MEMORY_LIMIT_MB = 8.0
CONNECTIONS = 16
BATCHES = 100
BLOCK = 50  # trips to one server before those to the other
REST_S = 0.1  # what a server does after its replies must not slow down the other
_CLIENT_CORE, _SERVER_CORE = 0, 1


def measure(*, tiny: bool = False) -> None:
    """Round trips by ccxt, then as many orders as the server takes, then its memory over a million."""
    trips, orders, kept = (10, 200, 1_000) if tiny else (3_000, 100_000, 1_000_000)
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        with tempfile.TemporaryDirectory() as name:
            _trips(Path(name), max(cores), trips)
        with tempfile.TemporaryDirectory() as name:
            _flood(Path(name), max(cores), orders)
        with tempfile.TemporaryDirectory() as name:
            _keep(Path(name), kept)
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def _exchange(folder: Path, core: int) -> Iterator[tuple[Daemon, dict[str, Any]]]:
    arguments = ["exchange", "--port", "0", "--json", "--data-dir", str(folder), "--speed", "60"]
    arguments += ["--scenario", "calm"]
    with Daemon(arguments, settings(folder)) as exchange:
        started = exchange.next_line().fields
        exchange.pin(core)
        yield exchange, started


@contextmanager
def _canned_venue(core: int) -> Iterator[str]:
    command = [sys.executable, str(REPOSITORY / "benchmarks" / "canned_venue.py"), str(core)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own script
        assert process.stdout is not None
        try:
            yield orjson.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


# --- round trips by ccxt ------------------------------------------------------------------------------


def _trips(folder: Path, core: int, count: int) -> None:
    with _exchange(folder, core) as (_, started), _canned_venue(core) as canned_url:
        ours, canned = uvloop.run(_time_trips(started, canned_url, count))
    base, best_ours, best_base = (
        median(canned),
        *(sorted(found)[len(found) // 10] for found in (ours, canned)),
    )
    blocks = [
        median(ours[start : start + BLOCK]) / median(canned[start : start + BLOCK])
        for start in range(0, len(ours), BLOCK)
    ]
    report(
        "exchange",
        "ccxt order round trip",
        ours,
        "us",
        limit=TRIP_LIMIT * base,
        baseline=base,
        ratio_of_best_tenths=round(best_ours / best_base, 2),
        ratio_of_blocks=[round(edge, 2) for edge in (min(blocks), median(blocks), max(blocks))],
    )


async def _time_trips(
    started: dict[str, Any], canned_url: str, count: int
) -> tuple[list[float], list[float]]:
    ours, canned = _ccxt(started, started["url"]), _ccxt(started, started["url"])
    found: tuple[list[float], list[float]] = ([], [])
    try:
        await ours.load_markets()
        await canned.load_markets()
        canned.urls["api"] = _ccxt(started, canned_url).urls["api"]
        for block in range(-1, -(-count // BLOCK)):  # the one below 0 warms up
            price = float((await ours.fetch_ticker("BTC/USDT:USDT"))["last"])
            for client, samples in zip((ours, canned), found, strict=True):
                await asyncio.sleep(REST_S)
                for number in range(min(BLOCK, count)):
                    side, limit = ("buy", 1.01) if number % 2 else ("sell", 0.99)
                    order = ("BTC/USDT:USDT", "limit", side, 0.002, round(price * limit, 1))
                    begun = time.perf_counter()
                    placed = await client.create_order(*order, {"timeInForce": "IOC"})
                    taken = time.perf_counter() - begun
                    assert placed["status"] == "closed", placed
                    if block >= 0:
                        samples.append(taken * 1e6)
    finally:
        await ours.close()
        await canned.close()
    return found


def _ccxt(started: dict[str, Any], url: str) -> Any:
    account = started["accounts"]["UP"]
    client = ccxt.binanceusdm(
        {
            "apiKey": account["api_key"],
            "secret": account["secret"],
            "enableRateLimit": False,
            "options": {"fetchCurrencies": False},
        }
    )
    client.urls["api"] = {
        name: f"{url}/fapi/{version}"
        for name, version in (
            ("fapiPublic", "v1"),
            ("fapiPublicV2", "v2"),
            ("fapiPublicV3", "v3"),
            ("fapiPrivate", "v1"),
            ("fapiPrivateV2", "v2"),
            ("fapiPrivateV3", "v3"),
        )
    }
    return client


# --- orders a second, and memory ----------------------------------------------------------------------


def _flood(folder: Path, core: int, orders: int) -> None:
    rates, spent = [], []
    with _exchange(folder, core) as (exchange, started):
        for rate, cpu_us in uvloop.run(_send_batches(exchange, started, orders)):
            rates.append(rate)
            spent.append(cpu_us)
    report(
        "exchange",
        "signed orders, server on one core",
        rates,
        "orders/s",
        limit=ORDERS_LIMIT_PER_S,
        at_least=True,
        connections=CONNECTIONS,
    )
    report("exchange", "server's processor time for an order", spent, "us")


def _keep(folder: Path, orders: int) -> None:
    """Place orders in a process of its own; what it holds in the last third is compared with the first."""
    script = str(REPOSITORY / "benchmarks" / "order_flood.py")
    command = [sys.executable, script, str(orders), str(folder)]
    done = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own script
    resident = json.loads(done.stdout)["resident_mb"]
    settled = resident[len(resident) // 10 :]  # the first tenth fills caches and the allocator
    third = max(1, len(settled) // 3)
    first, last = (sum(part) / third for part in (settled[:third], settled[-third:]))
    report(
        "exchange",
        "memory after all orders",
        settled[-third:],
        "MB",
        limit=first + MEMORY_LIMIT_MB,
        orders=orders,
        growth_mb=round(last - first, 2),
    )


async def _send_batches(exchange: Daemon, started: dict[str, Any], orders: int) -> list[tuple[float, float]]:
    """Send the orders in equal batches: orders a second and server microseconds an order, of each."""
    found = []
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(started["url"], connector=connector) as session:
        senders = [_Sender(session, started["accounts"], number) for number in range(CONNECTIONS)]
        await _send_all(session, senders, 2)
        each = max(1, orders // BATCHES // CONNECTIONS)
        for _ in range(BATCHES if orders > BATCHES * CONNECTIONS else 2):
            begun, cpu_s = time.perf_counter(), exchange.cpu_s()
            await _send_all(session, senders, each)
            count = each * len(senders)
            passed_s = time.perf_counter() - begun
            found.append((count / passed_s, max(1e6 * (exchange.cpu_s() - cpu_s) / count, 1.0)))
    return found


async def _send_all(session: aiohttp.ClientSession, senders: list["_Sender"], each: int) -> None:
    async with session.get("/fapi/v1/premiumIndex?symbol=BTCUSDT") as answer:
        mark = float(orjson.loads(await answer.read())["markPrice"])
    await asyncio.gather(*(sender.send(each, mark) for sender in senders))


class _Sender:
    """One connection that places one order after another, buying and selling in turn."""

    def __init__(self, session: aiohttp.ClientSession, accounts: dict[str, Any], number: int) -> None:
        account = list(accounts.values())[number % len(accounts)]
        self._session = session
        self._headers = {"X-MBX-APIKEY": account["api_key"]}
        self._key = hmac.new(account["secret"].encode(), digestmod=sha256)
        self._sell = False

    async def send(self, count: int, mark: float) -> None:
        for _ in range(count):
            side, price = ("SELL", mark * 0.99) if self._sell else ("BUY", mark * 1.01)
            self._sell = not self._sell
            query = (
                f"symbol=BTCUSDT&side={side}&type=LIMIT&quantity=0.002&price={price:.1f}&timeInForce=IOC"
                f"&newOrderRespType=RESULT&recvWindow=60000&timestamp={time.time_ns() // 1_000_000}"
            )
            key = self._key.copy()
            key.update(query.encode())
            body = f"{query}&signature={key.hexdigest()}"
            async with self._session.post("/fapi/v1/order", data=body, headers=self._headers) as answer:
                order = await answer.read()
                assert b'"FILLED"' in order, order


if __name__ == "__main__":
    main(measure)
