"""Our end of a paper exchange's pacing endpoint (docs/exchange.md): the market waits until we are idle.

We say "idle" when every fund is quiet and has seen the marks of the present instant, and until which market
time we want nothing. The exchange then moves to its next price, or to that time, whichever comes first. So
the same seed gives the same rebalances at every speed, and a replay runs as fast as we do.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import aiohttp
import orjson
import structlog

from bot.daemon.alarms import earliest
from bot.daemon.runner import Runner
from bot.venue.clock import ExchangeClock

_ATTACH_WITHIN_S = 600.0
"""The exchange first takes its market to where our journal ends, which may be far."""


class PacingLostError(ConnectionError):
    """The exchange closed the pacing connection, or never opened it."""


class Pacer:
    """Attached to one exchange; also the funds' alarm clock in paper mode."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, attached: dict[str, Any]) -> None:
        """Made by `attach`."""
        self._socket = socket
        self.start_ms: int = attached["start"]
        self.end_ms: int | None = attached["end"]
        self.speed = attached["speed"]
        self.clock = ExchangeClock(attached["now"])
        self.ended = asyncio.Event()
        self._runners: Sequence[Runner] = ()
        self._seen: dict[str, int] = {}
        self._said: tuple[int, int | None] | None = None
        self._poked = asyncio.Event()

    @classmethod
    async def attach(cls, session: aiohttp.ClientSession, url: str, not_before_ms: int | None) -> "Pacer":
        """Attach to the exchange at `url`; the market is taken forward to `not_before_ms` first."""
        try:
            socket = await session.ws_connect(f"{url}/pacing")
            await socket.send_json({"op": "attach", "name": "inband", "not_before": not_before_ms})
            answer = await socket.receive(timeout=_ATTACH_WITHIN_S)
            return cls(socket, orjson.loads(answer.data))
        except (aiohttp.ClientError, TimeoutError, TypeError, ValueError, KeyError) as error:
            raise PacingLostError(f"{url}/pacing did not let us attach: {error}") from error

    def watch(self, runners: Sequence[Runner], symbols: Sequence[str]) -> None:
        """The funds to wait for, and the symbols whose marks make an instant complete."""
        self._runners = runners
        self._seen = dict.fromkeys(symbols, 0)

    def saw(self, symbol: str, time_ms: int) -> None:
        """The funds on `symbol` have taken in its mark of `time_ms`."""
        self._seen[symbol] = time_ms
        self._poked.set()

    def changed(self, runner: Runner) -> None:  # noqa: ARG002 - it waits for all of them
        """A fund may have become quiet."""
        self._poked.set()

    async def run(self) -> None:
        """Speak and listen until the connection ends; `PacingLostError` if it does so before we close it."""
        speaker = asyncio.create_task(self._speak())
        try:
            async for message in self._socket:
                self._hear(orjson.loads(message.data))
        finally:
            speaker.cancel()
        raise PacingLostError("the paper exchange closed the pacing connection")

    async def close(self) -> None:
        """Detach."""
        await self._socket.close()

    def _hear(self, message: dict[str, Any]) -> None:
        if message.get("op") == "end":
            self.ended.set()
        elif "error" in message or message.get("op") == "error":
            structlog.get_logger().error("pacing_refused", answer=message)

    async def _speak(self) -> None:
        while True:
            await self._poked.wait()
            self._poked.clear()
            if not all(runner.quiet for runner in self._runners):
                continue
            idle = (min(self._seen.values(), default=0), earliest(self._runners))
            if idle != self._said and idle[0] > 0:
                self._said = idle
                until = "null" if idle[1] is None else idle[1]
                await self._socket.send_str(f'{{"op":"idle","seen":{idle[0]},"until":{until}}}')
