"""News of our orders as they happen. A witness and an accelerator only: REST has the last word."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from bot.core.events import OrderReport, ReconcileDue, TradesSeen
from bot.venue.ccxt_client import drop_sockets, guard_sockets
from bot.venue.errors import AnswerMalformed, RequestFailed
from bot.venue.requests import Requests, stream_trouble
from bot.venue.stops import report

if TYPE_CHECKING:
    from bot.core.events import Event
    from bot.venue.clock import Clock
    from bot.venue.limiter import Limiter
    from bot.venue.profile import CcxtClient, Profile

OnEvent: TypeAlias = "Callable[[Event], None]"
OnGap: TypeAlias = Callable[[str], None]

RENEW_EVERY_S = 20 * 60.0
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0


class OrderStream:
    """Calls `on_event` with an `OrderReport`, and then `TradesSeen` if it was filled, for each piece of news.

    All orders of the symbol are reported, also those of others: the caller knows its client ids. What moves
    the account otherwise (a transfer, a trade on another symbol) is `ReconcileDue`. `on_gap` says that news
    may have been missed (reason), so that the caller may look by REST. `on_settings()` may be set: it hears
    that somebody set the account's leverage or modes anew, where the venue says so.

    `run` never ends by itself. It raises only what a callback raises, and when it is cancelled.
    """

    def __init__(
        self,
        profile: "Profile",
        client: "CcxtClient",
        symbol: str,
        clock: "Clock",
        limiter: "Limiter",
        on_event: OnEvent,
        on_gap: OnGap,
        *,
        renew_every_s: float = RENEW_EVERY_S,
    ) -> None:
        self._profile = profile
        self._client = client
        self._symbol = symbol
        self._clock = clock
        self._limiter = limiter
        self._requests = Requests(profile, client, limiter)
        self._on_event = on_event
        self._on_gap = on_gap
        self.on_settings: Callable[[], None] = lambda: None
        self._renew_every_s = renew_every_s
        self._frames: asyncio.Queue[Any] = asyncio.Queue()
        self._pause_s = 0.0
        guard_sockets(client, self._take)

    async def run(self) -> None:
        """Watch until cancelled."""
        tasks = (
            asyncio.create_task(self._watch(), name="order stream"),
            asyncio.create_task(self._renew(), name="order stream key"),
            asyncio.create_task(self._tell(), name="order news"),
        )
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            raise RuntimeError("an order stream ended by itself")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self, _socket: Any, frame: Any) -> None:
        self._pause_s = 0.0
        self._frames.put_nowait(frame)

    async def _watch(self) -> None:
        """Keep the stream connected, no more.

        Its frames come to `_take`: ccxt's watch would miss those that come while it is not awaited, and ccxt
        4.5.90 raises on the third fill of one order.
        """
        while True:
            try:
                await self._limiter.until_free()  # ccxt asks for a stream key, whatever the host said
                await self._client.watch_orders()
            except asyncio.CancelledError:
                if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                    raise
                failure = "the stream was closed"  # ccxt cancels its watchers when it closes a socket
            except Exception as error:  # noqa: BLE001 - whatever it is, the stream is lost, and that is said
                failure = f"the stream broke: {stream_trouble(error, self._requests.secrets)}"
            else:
                continue
            self._on_gap(failure)
            # A key that died while we were away would give a stream that never says anything.
            self._profile.forget_stream_key(self._client)
            self._pause_s = min(max(self._pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            await asyncio.sleep(self._pause_s)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._renew_every_s)
            try:
                await self._profile.keep_stream_alive(self._requests)
            except RequestFailed as error:
                drop_sockets(self._client, f"the stream key could not be renewed ({error.code})")

    async def _tell(self) -> None:
        while True:
            frame = await self._frames.get()
            told_ms = self._profile.told_ms(frame)
            if told_ms is not None:  # it may arrive before the mark of its instant, on another socket
                self._clock.advance(told_ms)
            if self._profile.settings_moved(frame, self._symbol):
                self.on_settings()
            if self._profile.stream_ended(frame):
                drop_sockets(self._client, "the venue ended the stream")
                continue
            try:
                stop = self._profile.stop_news(frame, self._symbol)
                news = self._profile.order_news(frame, self._symbol)
            except AnswerMalformed as error:
                self._on_gap(f"an order update that cannot be read: {error.reason}")
                continue
            if stop is not None:
                self._on_event(report(stop, lambda: (self._clock.market_ms(), self._clock.wall_ms())))
            if news is None:
                if self._profile.account_moved(frame, self._symbol):
                    self._on_event(ReconcileDue(self._clock.market_ms(), self._clock.wall_ms()))
                continue
            now, state = (self._clock.market_ms(), self._clock.wall_ms()), news.state
            self._on_event(OrderReport(*now, state.cid, state.venue_id, state.filled, state.closed))
            if news.trade is not None:
                self._on_event(TradesSeen(*now, (news.trade,), complete=False))
