"""Mark prices: one supervised watch over all symbols, which ends in a resubscription, never in silence."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from bot.core.events import Mark
from bot.venue.ccxt_client import drop_sockets, guard_sockets, or_lose_socket, sockets_lost
from bot.venue.streaming import Pause, loss_of, run_together

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.venue.markets import Markets
    from bot.venue.profile import CcxtClient, MarkFrame, Profile

OnMark: TypeAlias = Callable[[str, Mark], None]
OnLost: TypeAlias = Callable[[str, str], None]
OnContract: TypeAlias = Callable[[str], None]
Stamp: TypeAlias = "Callable[[str, MarkFrame], Mark]"
"""Makes a symbol's frame an event, by our clocks."""

SILENCE_S = 10.0


@dataclass(slots=True)
class _Watched:
    """What is known of one symbol."""

    symbol: str
    alive_s: float
    time_ms: int = -1
    price: "Decimal | None" = None
    lost: bool = False


class MarkFeed:
    """Calls `on_mark(symbol, mark)` for each new mark, the latest only where several came at once.

    A symbol is lost when its stream breaks, or when nothing usable came for `silence_s`: `on_lost(symbol,
    reason)` says so once, until the next mark. A frame older than the last mark counts as nothing; the last
    mark again is a sign of life, and no mark, unless the symbol was lost. `on_contract(symbol)` may be set:
    it hears that the venue has changed a contract, where the venue says so.

    `run` never ends by itself. It raises only what a callback raises, and when it is cancelled.
    """

    def __init__(
        self,
        profile: "Profile",
        client: "CcxtClient",
        markets: "Markets",
        symbols: Sequence[str],
        stamp: "Stamp",
        on_mark: OnMark,
        on_lost: OnLost,
        *,
        silence_s: float = SILENCE_S,
    ) -> None:
        self._profile = profile
        self._client = client
        self._stamp = stamp
        self._on_mark = on_mark
        self._on_lost = on_lost
        self.on_contract: OnContract = lambda _: None
        self._silence_s = silence_s
        self._watched = {symbol: _Watched(symbol, 0.0) for symbol in symbols}
        self._unified = [markets.unified(symbol) for symbol in symbols]
        self._pause = Pause()
        self.rejected_frames = 0
        self._parse = client.handle_message
        self._frames: list[tuple[Any, Any]] = []
        self._fault: asyncio.Future[None] | None = None
        guard_sockets(client, self._handle)

    async def run(self) -> None:
        """Watch until cancelled."""
        loop = asyncio.get_running_loop()
        self._fault = fault = loop.create_future()
        for watched in self._watched.values():
            watched.alive_s = loop.time()
        works = {"mark feed watchdog": self._watch_for_silence(), "mark feed": self._watch()}
        await run_together("a mark feed", works, fault)

    async def _watch(self) -> None:
        """Keep the stream connected. Its frames come to `_handle`: ccxt's watch would miss some."""
        while True:
            failure = await loss_of(self._listen()) or "the stream ended"
            for watched in self._watched.values():
                self._lose(watched, failure)
            drop_sockets(self._client, "lost")
            await self._pause.wait()

    async def _listen(self) -> None:
        await self._client.watch_mark_prices(self._unified)
        await self._profile.hear_of_contracts(self._client)
        await sockets_lost(self._client)

    def _handle(self, socket: Any, frame: Any) -> None:
        """Look at a frame at once; where others wait behind it, a moment later at all of them together."""
        self._frames.append((socket, frame))
        if not socket.buffer:
            self._take_frames()
        elif len(self._frames) == 1:
            asyncio.get_running_loop().call_soon(self._take_frames)

    def _take_frames(self) -> None:
        """Of several frames of a symbol the newest counts."""
        frames, self._frames = self._frames, []
        if self._fault is not None and not self._fault.done():
            newest: dict[str, Mapping[str, Any]] = {}
            try:
                for _, frame in frames:
                    updates = self._profile.mark_updates(frame)
                    newest.update((update["s"], update) for update in updates)
                    if not updates and (told := self._profile.contract_news(frame)) in self._watched:
                        self.on_contract(told)
                for symbol, update in newest.items():
                    if symbol in self._watched:
                        self._take(self._watched[symbol], update)
            except Exception as error:  # noqa: BLE001 - a fault of the listener: whoever runs the feed gets it
                self._fault.set_exception(error)
        # What ccxt makes of a frame takes as long as a decision: twice round the loop is behind any order
        # that this mark leads to.
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._let_ccxt_parse, frames)

    def _let_ccxt_parse(self, frames: list[tuple[Any, Any]]) -> None:
        """Subscriptions, errors and ccxt's own state are its business."""
        for socket, frame in frames:
            or_lose_socket(socket, self._parse, socket, frame)

    def _take(self, watched: _Watched, update: Mapping[str, Any]) -> None:
        """One symbol's newest frame."""
        try:
            frame = self._profile.mark_frame(update)
        except ValueError as error:
            self.rejected_frames += 1
            self._lose(watched, str(error))
            return
        if frame.time_ms < watched.time_ms:
            self.rejected_frames += 1
            return
        watched.alive_s = asyncio.get_running_loop().time()
        self._pause.heard()
        if frame.time_ms == watched.time_ms and frame.price == watched.price and not watched.lost:
            return
        watched.time_ms, watched.price, watched.lost = frame.time_ms, frame.price, False
        self._on_mark(watched.symbol, self._stamp(watched.symbol, frame))

    async def _watch_for_silence(self) -> None:
        """A half-open socket, or a symbol that the venue stopped sending, shows in nothing but silence."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._silence_s / 5)
            now_s = loop.time()
            silent = [
                watched for watched in self._watched.values() if now_s - watched.alive_s > self._silence_s
            ]
            for watched in silent:
                self._lose(watched, f"silent for {self._silence_s:g} s")
                watched.alive_s = now_s
            if silent:
                drop_sockets(self._client, "silent")

    def _lose(self, watched: _Watched, reason: str) -> None:
        if not watched.lost:
            watched.lost = True
            self._on_lost(watched.symbol, reason)
