"""The venue room's port to an exchange, on the simulated network: Binance's codes, our own venue behind.

`bot.venue.account.AccountGateway`, the rate limiter and the whitelist of definite refusals above it are the
real ones.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from bot.core.events import Income, Trade
from bot.core.recovery_events import ListedOrder
from bot.simulation.clock import world_ms
from bot.simulation.stops import StopRequest, VenueStop
from bot.simulation.venue import OrderRequest, Venue, VenueOrder, VenueTrade
from bot.venue.binanceusdm import BinanceUsdm
from bot.venue.errors import RequestFailed
from bot.venue.profile import Holding, MarkFrame, OrderAnswer, StopAnswer, Volume
from bot.venue.requests import BACK_OFF_S, ORDER_PATIENCE_S, READ_ATTEMPTS, READ_PATIENCE_S

if TYPE_CHECKING:
    from bot.core.limits import PlaceStop, SubmitOrder
    from bot.simulation.judge import Judge
    from bot.simulation.life import Life
    from bot.simulation.network import Network
    from bot.venue.clock import Clock
    from bot.venue.limiter import Limiter
    from bot.venue.profile import CcxtClient
    from bot.venue.requests import Requests

_T = TypeVar("_T")


class NoClient:
    """What stands for a ccxt client where there is none: it holds no keys and is never called."""

    apiKey = secret = password = ""  # noqa: N815 - ccxt's names


@dataclass
class Line:
    """One process's line to the venue."""

    life: "Life"
    network: "Network"
    venue: Venue
    limiter: "Limiter"
    clock: "Clock"
    judge: "Judge"
    present_mark: Callable[[], MarkFrame]
    before_send: Callable[[], None]
    after_send: Callable[[], None]
    offset_ms: int = 0


@dataclass(frozen=True, slots=True)
class SimulatedProfile(BinanceUsdm):
    """Binance's dialect, spoken to a venue in memory."""

    line: Line | None = None

    def hosts(self, client: "CcxtClient") -> tuple[str, ...]:  # noqa: ARG002 - there is but one
        """No host at all."""
        return ("simulated",)

    def submit(self, requests: "Requests", order: "SubmitOrder") -> Callable[[], Awaitable[OrderAnswer]]:  # noqa: ARG002 - the line is ours
        """Sign an order now; the result sends it."""
        line = self._line()
        line.life.check()
        line.before_send()
        return partial(self._send, order, self._signed(order) if line.limiter.take(1) else None)

    async def _send(self, order: "SubmitOrder", signed: OrderRequest | None) -> OrderAnswer:
        line = self._line()
        if signed is None:
            await line.limiter.acquire(1, order=True, patience_s=ORDER_PATIENCE_S)
            signed = self._signed(order)
        request = signed
        line.judge.sent(request, line.clock.market_ms())

        def arrive(now_ms: int) -> OrderAnswer:
            order = line.venue.place(request, now_ms)
            line.judge.arrived(request.cid)
            return _state(order)

        return await self._call("order", arrive, request.cid, line.after_send)

    def _signed(self, order: "SubmitOrder") -> OrderRequest:
        line = self._line()
        return OrderRequest(
            order.cid,
            order.quantity,
            order.limit_price,
            order.reduce_only,
            order.rests,
            line.clock.wall_ms() + line.offset_ms,
        )

    async def cancel(self, requests: "Requests", symbol: str, cid: str) -> OrderAnswer:  # noqa: ARG002 - one symbol
        """Cancel by client id."""
        line = self._line()
        await line.limiter.acquire(1, order=True, patience_s=ORDER_PATIENCE_S)
        return await self._call("cancel", lambda _: _state(line.venue.cancel(cid)))

    def place_stop(self, requests: "Requests", stop: "PlaceStop") -> Callable[[], Awaitable[StopAnswer]]:  # noqa: ARG002 - the line is ours
        """Sign a protective stop now; the result sends it."""
        line = self._line()
        line.life.check()
        line.before_send()
        return partial(self._send_stop, stop, self._signed_stop(stop) if line.limiter.take(1) else None)

    async def _send_stop(self, stop: "PlaceStop", signed: StopRequest | None) -> StopAnswer:
        line = self._line()
        if signed is None:
            await line.limiter.acquire(1, order=True, patience_s=ORDER_PATIENCE_S)
            signed = self._signed_stop(stop)
        request = signed
        line.judge.protection.sent(request)

        def arrive(now_ms: int) -> StopAnswer:
            placed = line.venue.stops.place(request, now_ms)
            line.judge.protection.arrived(request.cid)
            return stop_state(placed)

        return await self._call("stop", arrive, request.cid, line.after_send)

    def _signed_stop(self, stop: "PlaceStop") -> StopRequest:
        line = self._line()
        return StopRequest(stop.cid, stop.quantity, stop.trigger_price, line.clock.wall_ms() + line.offset_ms)

    async def query_stop(self, requests: "Requests", cid: str) -> StopAnswer:  # noqa: ARG002 - as above
        """Look a stop up by client id."""
        stops = self._line().venue.stops
        return await self._read("query stop", 1, lambda _: stop_state(stops.find(cid)))

    async def resting_stops(self, requests: "Requests", symbol: str) -> tuple[str, ...]:  # noqa: ARG002 - as above
        """The client ids of the stops that rest."""
        stops = self._line().venue.stops
        return await self._read("stops", 1, lambda _: tuple(stop.request.cid for stop in stops.resting))

    async def cancel_stop(self, requests: "Requests", cid: str) -> StopAnswer:
        """Take a stop back by client id, and look it up."""
        line = self._line()
        await line.limiter.acquire(1, order=True, patience_s=ORDER_PATIENCE_S)
        await self._call("cancel stop", lambda _: line.venue.stops.cancel(cid))
        return await self.query_stop(requests, cid)

    async def transfer(self, requests: "Requests", amount: Decimal) -> str:  # noqa: ARG002 - as above
        """Move cash in or out, once."""
        line = self._line()
        await line.limiter.acquire(1, order=True, patience_s=ORDER_PATIENCE_S)

        def arrive(_: int) -> str:
            number = line.venue.transfer(amount)
            line.judge.money.transferred(amount)  # one that is refused moved nothing
            return number

        return await self._call("transfer", arrive)

    async def mark_at(self, requests: "Requests", symbol: str, time_ms: int) -> Decimal | None:  # noqa: ARG002 - as above
        """This venue keeps no past marks."""
        return await self._read("mark at", 1, lambda _: None)

    async def volume(self, requests: "Requests", symbol: str) -> Volume:  # noqa: ARG002 - as above
        """This venue does not say what it trades."""
        return Volume(None, 0)

    async def guard(self, requests: "Requests", symbol: str, after_ms: int) -> None:
        """This venue has no such switch: what rests when a process dies rests on."""

    async def query(self, requests: "Requests", symbol: str, cid: str) -> OrderAnswer:  # noqa: ARG002 - one symbol
        """Look up by client id."""
        venue = self._line().venue
        return await self._read("query", 1, lambda now_ms: _state(venue.find(cid, now_ms)))

    async def trades(
        self,
        requests: "Requests",  # noqa: ARG002 - the line is ours
        symbol: str,  # noqa: ARG002 - one symbol
        venue_order_id: str | None,
        since_ms: int,
        now_ms: int,  # noqa: ARG002 - the answer reaches the present
    ) -> tuple[Trade, ...]:
        """Trades of one order, or all since a time."""
        venue = self._line().venue
        found = await self._read("trades", 5, lambda now: venue.trades_of(venue_order_id, since_ms, now))
        return tuple(as_trade(trade) for trade in found)

    async def orders(self, requests: "Requests", symbol: str) -> tuple[ListedOrder, ...]:  # noqa: ARG002 - as above
        """The latest orders, as far as they show."""
        venue = self._line().venue
        found = await self._read("orders", 5, venue.listed)
        return tuple(ListedOrder(o.request.cid, o.arrived_ms, o.is_open) for o in found)

    async def income(self, requests: "Requests", since_ms: int, now_ms: int) -> tuple[Income, ...]:  # noqa: ARG002 - as above
        """Income since a time."""
        venue = self._line().venue
        found = await self._read(
            "income", 30, lambda _: [item for item in venue.income if item.time_ms >= since_ms]
        )
        return tuple(
            Income(f"{item.kind}:{item.number}", item.time_ms, item.kind, item.amount) for item in found
        )

    async def holding(self, requests: "Requests", symbol: str) -> Holding:  # noqa: ARG002 - as above
        """Wallet and position."""
        venue = self._line().venue
        return await self._read("account", 5, lambda _: Holding(venue.wallet, venue.position))

    async def mark(self, requests: "Requests", symbol: str) -> MarkFrame:  # noqa: ARG002 - as above
        """The mark by REST."""
        line = self._line()
        return await self._read("mark", 1, lambda _: line.present_mark())

    async def touch(self, requests: "Requests", symbol: str) -> tuple[Decimal, Decimal]:  # noqa: ARG002 - as above
        """Best bid and ask."""
        venue = self._line().venue
        return await self._read("touch", 2, lambda _: venue.touch())

    async def _read(self, what: str, weight: float, act: Callable[[int], _T]) -> _T:
        """As `Requests.read` does: what may succeed a moment later is tried again a few times."""
        for attempt in range(READ_ATTEMPTS):
            try:
                await self._line().limiter.acquire(weight, patience_s=READ_PATIENCE_S)
                return await self._call(what, act)
            except RequestFailed as error:
                if not error.transient or attempt == READ_ATTEMPTS - 1:
                    raise
            await asyncio.sleep(0.2 * 2**attempt)
        raise AssertionError("it returns or raises")

    async def _call(
        self,
        what: str,
        act: Callable[[int], _T],
        cid: str | None = None,
        sent: Callable[[], None] | None = None,
    ) -> _T:
        line = self._line()
        line.life.check()
        try:
            return await line.network.ask(what, act, cid=cid, sent=sent)
        except RequestFailed as error:
            if error.code in BACK_OFF_S:
                line.limiter.hold(BACK_OFF_S[error.code])
            if error.code in self.clock_skew:
                line.offset_ms = world_ms(asyncio.get_running_loop()) - line.clock.wall_ms()
            raise

    def _line(self) -> Line:
        if self.line is None:
            raise RuntimeError("a simulated profile is made with its line")
        return self.line


def _state(order: VenueOrder) -> OrderAnswer:
    return OrderAnswer(order.request.cid, order.number, order.filled, not order.is_open)


def stop_state(stop: VenueStop) -> StopAnswer:
    """A venue's stop as the venue room gives it."""
    return StopAnswer(stop.request.cid, stop.number, stop.status, stop.order)


def as_trade(trade: VenueTrade) -> Trade:
    """A venue's trade as the venue room gives it."""
    return Trade(trade.number, trade.order, trade.time_ms, trade.quantity, trade.price, trade.fee)
