"""A client that keeps the market of an exchange from running ahead of a test, however slow the machine is."""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Self, TypeVar

import aiohttp

from tests.support.inband import Process
from tests.support.patience import PATIENCE_S

_T = TypeVar("_T")


class Leash:
    """Attached as a pacing client: the market goes as far as it is let, and waits at its next instant.

    It stops where it would have come anyway, so what is filled and decided is what it would have been. The
    leash outlives the exchange: what is asked of one that is gone does nothing.
    """

    def __init__(self, venue: str) -> None:
        """`venue`: the address of the exchange. The market stops where it is."""
        self._venue = venue
        self._now_ms = 0
        self._marks: aiohttp.ClientWebSocketResponse | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="leash")
        self._thread.start()
        self._until_ms = self._wait(self._attach())

    def let(self, market_s: float) -> None:
        """Let the market go on by so much market time."""
        self._until_ms += round(market_s * 1000)
        self._wait(self._say({"op": "idle", "seen": self._until_ms, "until": None}))

    def hold(self) -> None:
        """Let it go no further: not even without the daemon that it waits for now."""
        self._wait(self._say({"op": "busy"}))

    def arrived(self) -> bool:
        """Whether the market has gone as far as it was let, and says so to everybody."""
        if self._marks is None:
            self._wait(self._subscribe())
        return self._now_ms > self._until_ms

    def walk(self, process: Process, happened: Callable[[], object], *, what: str, step_s: float) -> None:
        """Let the market go on until it happens; where the test is slow, it waits for it at the next step.

        `process`: a daemon, for whom it waits first of all.
        """
        process.until_said("running")
        while not happened():
            self.let(step_s)
            process.until(lambda: happened() or self.arrived(), what=what)

    def walk_until_said(self, process: Process, event: str, *, times: int, step_s: float) -> None:
        """As `walk`, until a line was said so often."""
        self.walk(process, lambda: len(process.lines(event)) >= times, what=f"it said {event}", step_s=step_s)

    def __enter__(self) -> Self:
        """Nothing more: it is attached."""
        return self

    def __exit__(self, *_: object) -> None:
        """Detach: the market is free."""
        self._wait(self._leave())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    async def _attach(self) -> int:
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(f"{self._venue}/pacing")
        await self._socket.send_json({"op": "attach", "name": "leash", "not_before": None})
        attached = await self._socket.receive_json(timeout=PATIENCE_S)
        self._readers = [asyncio.create_task(self._listen())]  # whoever does not answer pings is detached
        return int(attached["now"])

    async def _listen(self) -> None:
        async for _ in self._socket:
            pass

    async def _subscribe(self) -> None:
        self._marks = await self._session.ws_connect(f"{self._venue}/market/ws/btcusdt@markPrice@1s")
        self._readers.append(asyncio.create_task(self._watch(self._marks)))

    async def _watch(self, marks: aiohttp.ClientWebSocketResponse) -> None:
        async for mark in marks:
            self._now_ms = int(json.loads(mark.data)["E"])

    async def _say(self, words: dict[str, Any]) -> None:
        with suppress(aiohttp.ClientError):
            await self._socket.send_json(words)

    async def _leave(self) -> None:
        await self._socket.close()
        if self._marks is not None:
            await self._marks.close()
        await asyncio.wait(self._readers)
        await self._session.close()


def leash_on(daemon: Process) -> Leash:
    """On the market of a daemon that has just been started, which stands still until the funds are ready."""
    return Leash(f"http://{daemon.until_said('starting')['hosts'][0]}")
