"""News of our orders as they happen. A witness and an accelerator only: REST has the last word."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from bot.core.events import OrderReport, ReconcileDue, TradesSeen
from bot.venue.ccxt_client import drop_sockets, guard_sockets
from bot.venue.errors import AnswerMalformed, RequestFailed
from bot.venue.requests import Requests
from bot.venue.stops import report
from bot.venue.streaming import Pause, loss_of, run_together

if TYPE_CHECKING:
    from bot.core.events import Event
    from bot.venue.clock import Clock
    from bot.venue.limiter import Limiter
    from bot.venue.profile import CcxtClient, Profile

OnEvent: TypeAlias = "Callable[[Event], None]"
OnGap: TypeAlias = Callable[[str], None]

RENEW_EVERY_S = 20 * 60.0


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
        self._pause = Pause()
        guard_sockets(client, self._take)

    async def run(self) -> None:
        """Watch until cancelled."""
        works = {"order stream": self._watch(), "order stream key": self._renew(), "order news": self._tell()}
        await run_together("an order stream", works)

    def _take(self, _socket: Any, frame: Any) -> None:
        self._pause.heard()
        self._frames.put_nowait(frame)

    async def _watch(self) -> None:
        """Keep the stream connected, no more.

        Its frames come to `_take`: ccxt's watch would miss those that come while it is not awaited, and ccxt
        4.5.90 raises on the third fill of one order.
        """
        while True:
            failure = await loss_of(self._listen(), self._requests.secrets)
            if failure is None:
                continue
            self._on_gap(failure)
            # A key that died while we were away would give a stream that never says anything.
            self._profile.forget_stream_key(self._client)
            await self._pause.wait()

    async def _listen(self) -> None:
        await self._limiter.until_free()  # ccxt asks for a stream key, whatever the host said
        await self._client.watch_orders()

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
