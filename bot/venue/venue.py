"""One exchange in one environment, open: makes the clients and all that is built on them, and closes them."""

import asyncio
import math
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from bot.core.events import Mark
from bot.venue.account import AccountGateway
from bot.venue.cash import ByHand
from bot.venue.ccxt_client import new_session
from bot.venue.feed import SILENCE_S, MarkFeed
from bot.venue.limiter import Limiter
from bot.venue.markets import Markets
from bot.venue.movement import Movement
from bot.venue.order_stream import RENEW_EVERY_S, OrderStream
from bot.venue.profile import Door, Environment
from bot.venue.requests import Requests

if TYPE_CHECKING:
    from types import TracebackType

    from bot.core.fund import Contract
    from bot.venue.cash import Cash
    from bot.venue.clock import Clock
    from bot.venue.feed import OnLost, OnMark
    from bot.venue.limiter import BackOff
    from bot.venue.order_stream import OnEvent, OnGap
    from bot.venue.profile import CcxtClient, Credentials, MarkFrame, Profile

_CLOSE_WITHIN_S = 3.0
_TLS_GOODBYE_S = 0.25
"""TLS connections close in the background; aiohttp's documentation asks to linger this long."""


class Venue:
    """Opened inside a running event loop; `async with` or `close` ends it.

    All accounts share one HTTP session, one limiter and one set of markets.
    """

    def __init__(
        self,
        profile: "Profile",
        environment: Environment,
        clock: "Clock",
        *,
        paper_url: str | None = None,
        back_off: "BackOff | None" = None,
        cash: "Cash | None" = None,
    ) -> None:
        """`cash` makes transfers; without it people do."""
        self.profile = profile
        self._cash = cash or ByHand()
        self._clock = clock
        paper = environment is Environment.PAPER
        self._door = Door(environment, new_session(encrypted=not paper), paper_url)
        rate_per_s = math.inf if paper else profile.weight_per_s
        self._limiter = Limiter(rate_per_s, rate_per_s * 10, back_off)
        self._movement = Movement()
        self._clients: list[CcxtClient] = []
        self._public = self._client(None)
        self.hosts = profile.hosts(self._public)
        self.markets = Markets(profile, self._public, self._limiter)

    @property
    def rate_budget(self) -> float:
        """The share of the venue's request weight that is left."""
        return self._limiter.budget

    def client(self, credentials: "Credentials") -> "CcxtClient":
        """A client for one account; the markets must be loaded."""
        client = self._client(credentials)
        self.markets.share_with(client)
        return client

    def requests(self, client: "CcxtClient") -> Requests:
        """Single requests of one account."""
        return Requests(self.profile, client, self._limiter)

    def gateway(self, client: "CcxtClient", contract: "Contract") -> AccountGateway:
        """Commands of one account on one contract."""
        rules = partial(self.markets.contract_again, contract.symbol, contract.venue_leverage)
        return AccountGateway(self.profile, client, contract, self._clock, self._limiter, self._cash, rules)

    def order_stream(
        self,
        client: "CcxtClient",
        symbol: str,
        on_event: "OnEvent",
        on_gap: "OnGap",
        *,
        renew_every_s: float = RENEW_EVERY_S,
    ) -> OrderStream:
        """News of one account's orders; one per client."""
        return OrderStream(
            self.profile,
            client,
            symbol,
            self._clock,
            self._limiter,
            on_event,
            on_gap,
            renew_every_s=renew_every_s,
        )

    async def mark(self, symbol: str) -> Mark:
        """The present mark by REST, for while its stream is lost. Raises `RequestFailed`."""
        frame = await self.profile.mark(Requests(self.profile, self._public, self._limiter), symbol)
        return self._stamped(symbol, frame)

    def _stamped(self, symbol: str, frame: "MarkFrame") -> Mark:
        """The mark as an event. Where the market has a time of its own, it comes when it says."""
        clock = self._clock
        clock.advance(frame.time_ms)
        return Mark(
            frame.time_ms,
            clock.wall_ms(),
            frame.price,
            frame.next_funding_ms,
            frame.funding_rate,
            frame.index_price,
            clock.market_ms() - frame.time_ms,
            self._movement.still_ms(symbol, frame),
        )

    def mark_feed(
        self, symbols: Sequence[str], on_mark: "OnMark", on_lost: "OnLost", *, silence_s: float = SILENCE_S
    ) -> MarkFeed:
        """Mark prices of all symbols, and news of their contracts; one per venue."""
        return MarkFeed(
            self.profile,
            self._public,
            self.markets,
            symbols,
            self._stamped,
            on_mark,
            on_lost,
            silence_s=silence_s,
        )

    async def close(self) -> None:
        """Close every client and the session; in seconds, even if a peer floods and never says goodbye."""
        await _within(_CLOSE_WITHIN_S, *(client.close() for client in self._clients))
        for client in self._clients:
            client.session = None  # ccxt complains of what it holds, also if it is not its own
        self._clients.clear()
        await _within(_CLOSE_WITHIN_S, self._door.session.close())
        if self._door.environment is not Environment.PAPER:
            await asyncio.sleep(_TLS_GOODBYE_S)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        await self.close()

    def _client(self, credentials: "Credentials | None") -> "CcxtClient":
        client = self.profile.client(self._door, credentials)
        self._clients.append(client)
        return client


async def _within(seconds: float, *closings: Coroutine[Any, Any, None]) -> None:
    """Let them all try, and cancel those that take too long."""
    tasks = [asyncio.ensure_future(closing) for closing in closings]
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
