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

from bot.daemon.runner import Runner
from bot.daemon.timers import earliest
from bot.errors import UserError
from bot.venue.clock import ExchangeClock

_ATTACH_WITHIN_S = 600.0
"""The exchange first takes its market to where our journal ends, which may be far."""

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 15.0


class Pacer:
    """Attached to one exchange; also what wakes funds in paper mode."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        socket: aiohttp.ClientWebSocketResponse,
        attached: dict[str, Any],
    ) -> None:
        """Made by `attach`."""
        self._session = session
        self._url = url
        self._socket = socket
        self.start_ms: int = attached["start"]
        self.end_ms: int | None = attached["end"]
        self.speed = attached["speed"]
        self.clock = ExchangeClock(attached["now"])
        self.ended = asyncio.Event()
        self._runners: Sequence[Runner] = ()
        self._seen: dict[str, int] = {}
        self._said: tuple[int, int | None] | None = None
        self._held = False
        self._stopped_ms = -1
        self._poked = asyncio.Event()

    @classmethod
    async def attach(cls, session: aiohttp.ClientSession, url: str, not_before_ms: int | None) -> "Pacer":
        """Attach to the exchange at `url`; the market is taken forward to `not_before_ms` first.

        Waits for an exchange that is not there yet, and says so. Raises `UserError` for any other server.
        """
        return cls(session, url, *await _dial(session, url, not_before_ms))

    def watch(self, runners: Sequence[Runner], symbols: Sequence[str]) -> None:
        """The funds to wait for, and the symbols whose marks make an instant complete."""
        self._runners = runners
        self._seen = dict.fromkeys(symbols, 0)

    def saw(self, symbol: str, time_ms: int) -> None:
        """The funds on `symbol` have taken in its mark of `time_ms`."""
        self._seen[symbol] = time_ms
        self._poked.set()

    def stopped_for_us(self, time_ms: int) -> bool:
        """Whether the market came to this instant because we wanted to be woken, and for no other reason.

        Its own instants are whole seconds, or earlier than what we asked for. When a fund wakes is secret: it
        is when a slice is due. So is where the journal ended, which is where a market goes on. An instant may
        be told again while the market waits.
        """
        until_ms = self._said[1] if self._said is not None else time_ms
        if until_ms is not None and time_ms >= until_ms and time_ms % 1000 != 0:
            self._stopped_ms = time_ms
        return time_ms == self._stopped_ms

    def changed(self, runner: Runner) -> None:  # noqa: ARG002 - it waits for all of them
        """A fund may have become quiet."""
        self._poked.set()

    def hold(self) -> None:
        """Keep the market where it is: we are about to stop, and want to go on from this very instant."""
        self._held = True

    async def run(self) -> None:
        """Speak and listen until cancelled; an exchange that goes away is attached to again."""
        while True:
            if self._socket.closed:
                await self._attach_again()
            await self._converse()
            structlog.get_logger().warning("pacing_lost", host=self._url, remedy="attaching again")

    async def _attach_again(self) -> None:
        """The exchange may have lost the last moments of its market time: it is taken to where we are."""
        self._socket, attached = await _dial(self._session, self._url, self.clock.market_ms())
        self.clock.advance(attached["now"])
        self._said = None
        self._poked.set()

    async def _converse(self) -> None:
        speaker = asyncio.create_task(self._speak())
        try:
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.ERROR:
                    break
                self._hear(orjson.loads(message.data))
        finally:
            speaker.cancel()
            await asyncio.gather(speaker, return_exceptions=True)
            await self._socket.close()

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
            if self._held or not all(runner.quiet for runner in self._runners):
                continue
            idle = (min(self._seen.values(), default=0), _off_second(earliest(self._runners)))
            if idle != self._said and idle[0] > 0:
                self._said = idle
                until = "null" if idle[1] is None else idle[1]
                await self._socket.send_str(f'{{"op":"idle","seen":{idle[0]},"until":{until}}}')


def _off_second(until_ms: int | None) -> int | None:
    """A whole second is the market's own if it stops there: ours is a millisecond later."""
    return until_ms + 1 if until_ms is not None and until_ms % 1000 == 0 else until_ms


async def _dial(
    session: aiohttp.ClientSession, url: str, not_before_ms: int | None
) -> tuple[aiohttp.ClientWebSocketResponse, dict[str, Any]]:
    """Attach, however long it takes until the exchange is there."""
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            socket = await session.ws_connect(f"{url}/pacing")
            await socket.send_json({"op": "attach", "name": "inband", "not_before": not_before_ms})
            answer = await socket.receive(timeout=_ATTACH_WITHIN_S)
            if answer.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
                return socket, _attached(url, answer.data)
            reason = "it closed the connection"
        except aiohttp.WSServerHandshakeError as error:
            raise UserError(_no_exchange(url, f"HTTP {error.status}")) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
        structlog.get_logger().warning(
            "venue_unreachable",
            host=url,
            reason=reason,
            retry_in_s=pause_s,
            trading="nothing is traded until it is reached",
        )
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _attached(url: str, answer: str | bytes) -> dict[str, Any]:
    """The exchange's answer, if it is one."""
    try:
        attached: dict[str, Any] = orjson.loads(answer)
        times = attached["now"], attached["start"]
    except (ValueError, TypeError, KeyError):
        raise UserError(_no_exchange(url, "it answers in no protocol of ours")) from None
    if not all(isinstance(time_ms, int) for time_ms in times):
        raise UserError(_no_exchange(url, "it tells no market time"))
    return attached


def _no_exchange(url: str, problem: str) -> str:
    return (
        f"INBAND_PAPER__URL={url}: no paper exchange answers there ({problem}); "
        "start one with `python3 -m bot exchange`, and name its address"
    )
