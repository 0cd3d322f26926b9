"""A client that keeps the market of an exchange from running ahead of a test, however slow the machine is."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

import aiohttp

ANSWER_S = 30.0
_T = TypeVar("_T")


class Leash:
    """Attached as a pacing client: the market goes as far as it is let, and waits there."""

    def __init__(self, venue: str) -> None:
        """`venue`: the address of the exchange. The market stops where it is."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="leash")
        self._thread.start()
        self._until_ms = self._wait(self._attach(venue))

    def let(self, market_s: float) -> None:
        """Let the market go on by so much market time."""
        self._until_ms += round(market_s * 1000)
        self._wait(self._idle())

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
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_S)

    async def _attach(self, venue: str) -> int:
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(f"{venue}/pacing")
        await self._socket.send_json({"op": "attach", "name": "leash", "not_before": None})
        attached = await self._socket.receive_json(timeout=ANSWER_S)
        self._reader = asyncio.create_task(self._listen())  # whoever does not answer pings is detached
        return int(attached["now"])

    async def _listen(self) -> None:
        async for _ in self._socket:
            pass

    async def _idle(self) -> None:
        await self._socket.send_json({"op": "idle", "seen": self._until_ms, "until": self._until_ms})

    async def _leave(self) -> None:
        await self._socket.close()
        await self._reader
        await self._session.close()
