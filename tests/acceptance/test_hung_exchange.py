"""The paper exchange, and nobody reads what it says: `exchange 2>&1 | less`, a stuck journald."""

import asyncio
import fcntl
import hmac
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest

from bot.daemon.scribe import MOST_WAITING
from tests.support.inband import REPOSITORY, Inband
from tests.support.patience import PATIENCE_S

LINES_A_MESSAGE = 1_000
ANSWER_WITHIN_S = PATIENCE_S / 4
LOST = "log_lines_lost lines="
ODD = "btcusdt@markPrice"
"""A stream that /public does not serve: each time that it is wanted there is a line of the log."""


class Exchange:
    """`exchange --json`, whose standard error ends in our hands: it is read when we want to."""

    def __init__(self, folder: Path) -> None:
        """Start it, and take its first line."""
        self._read, write = os.pipe()
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
        inband = Inband(folder)
        options = ("--json", "--port", "0", "--speed", "60", "--scenario", "calm", "--data-dir", str(folder))
        self.process = subprocess.Popen(
            inband._command(("exchange", *options)),
            env=inband._environment(),
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=write,
        )
        os.close(write)
        assert self.process.stdout is not None
        self.started = json.loads(self.process.stdout.readline())
        self.said = b""
        self._reader = threading.Thread(target=self._listen)

    def read_until(self, text: str) -> None:
        """Begin to read, and wait for a text."""
        self._reader.start()
        end_s = time.monotonic() + PATIENCE_S
        while text.encode() not in self.said:
            assert time.monotonic() < end_s, self.said[-1000:]
            time.sleep(0.01)

    def stop(self) -> tuple[int, float]:
        """Exit code, and the seconds until then."""
        began_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S), time.monotonic() - began_s

    def lines(self) -> list[str]:
        """All that was read, once it has ended."""
        self._reader.join()
        return self.said.decode().splitlines()

    def _listen(self) -> None:
        with suppress(OSError):
            while piece := os.read(self._read, 65536):
                self.said += piece

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        if self._reader.ident is not None:
            self._reader.join()
        os.close(self._read)


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    """One whose market runs freely."""
    with Exchange(tmp_path) as exchange:
        yield exchange


def session_of(exchange: Exchange) -> aiohttp.ClientSession:
    """Nothing that it is asked may take for ever."""
    return aiohttp.ClientSession(
        exchange.started["url"], timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
    )


async def make_it_talk(session: aiohttp.ClientSession, lines: int) -> None:
    """Have it write so many lines."""
    async with session.ws_connect("/public/ws") as socket:
        for number in range(lines // LINES_A_MESSAGE):
            wanted = {"method": "SUBSCRIBE", "params": [ODD] * LINES_A_MESSAGE, "id": number}
            await socket.send_json(wanted)
            assert (await socket.receive_json(timeout=ANSWER_WITHIN_S))["id"] == number


async def buy(session: aiohttp.ClientSession, account: dict[str, str], price: float) -> Any:
    """An order that fills at once; the venue's answer."""
    query = f"symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.002&price={price:.1f}&timeInForce=IOC"
    query += f"&newOrderRespType=RESULT&timestamp={time.time_ns() // 1_000_000}"
    signature = hmac.new(account["secret"].encode(), query.encode(), sha256).hexdigest()
    headers = {"X-MBX-APIKEY": account["api_key"]}
    body = f"{query}&signature={signature}"
    async with session.post("/fapi/v1/order", data=body, headers=headers) as answer:
        return await answer.json()


async def test_the_market_goes_on_and_what_was_dropped_is_counted(exchange: Exchange) -> None:
    """More is said than may wait: orders fill meanwhile, and each line comes later or is counted as lost."""
    account, wanted = exchange.started["accounts"]["UP"], MOST_WAITING + 3 * LINES_A_MESSAGE
    async with session_of(exchange) as session:
        await make_it_talk(session, wanted)
        async with session.get("/fapi/v1/premiumIndex?symbol=BTCUSDT") as answer:
            mark = float((await answer.json())["markPrice"])
        for _ in range(20):
            assert (await buy(session, account, mark * 1.01))["status"] == "FILLED"
    exchange.read_until(LOST)
    assert exchange.stop()[0] == 0
    lines = exchange.lines()
    warnings = [line for line in lines if f"WARNING {ODD} was subscribed at /public" in line]
    (lost,) = (int(line.partition(LOST)[2]) for line in lines if LOST in line)
    assert lost > LINES_A_MESSAGE
    assert len(warnings) + lost == wanted
    assert len(warnings) + 1 == len(lines)


async def test_nobody_has_to_read_for_a_stop(exchange: Exchange) -> None:
    """SIGTERM ends it with exit code 0 within seconds: two of them are the reader's."""
    async with session_of(exchange) as session:
        await make_it_talk(session, LINES_A_MESSAGE)
    code, took_s = exchange.stop()
    assert code == 0
    assert took_s < 20


async def _talk(url: str) -> None:
    timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
    async with aiohttp.ClientSession(url, timeout=timeout) as session:
        await make_it_talk(session, LINES_A_MESSAGE)


def test_a_daemon_goes_on_whatever_its_own_exchange_has_to_say(inband: Callable[..., Inband]) -> None:
    """Standard error, which only libraries and the embedded exchange write to, may hang as the log may."""
    run = inband(PAPER__EXIT_AT_END="false")
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    with subprocess.Popen(
        run._command(("run",)), env=run._environment(), cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=write
    ) as daemon:
        try:
            assert daemon.stdout is not None
            lines = map(json.loads, daemon.stdout)
            (host,) = next(line["hosts"] for line in lines if line["event"] == "starting")
            asyncio.run(_talk(f"http://{host}"))
            sent = [line for line in islice(lines, 500) if line["event"] == "order_sent"]
            daemon.send_signal(signal.SIGTERM)
            for _ in lines:
                pass
            assert daemon.wait(PATIENCE_S) == 0
        finally:
            daemon.kill()
            os.close(write)
            os.close(read)
    assert len(sent) > 10
