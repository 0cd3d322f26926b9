"""One account at the venue: carries out commands, and answers each with an event."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bot.core.commands import (
    CancelOrder,
    CancelStop,
    DrawIdentity,
    DrawSecrets,
    FetchAccount,
    FetchContract,
    FetchDayMark,
    FetchIncome,
    FetchOrders,
    FetchStops,
    FetchTouch,
    FetchTrades,
    FetchVolume,
    GuardOrders,
    MoveCash,
    QueryOrder,
    QueryStop,
)
from bot.core.events import (
    AccountSeen,
    CashMoved,
    DayMarkSeen,
    Guarded,
    IncomeSeen,
    OrderMissing,
    OrderRefused,
    OrderReport,
    OrderUnknown,
    ReadFailed,
    TouchSeen,
    TradesSeen,
    VolumeSeen,
    Wake,
)
from bot.core.limits import PlaceStop, SubmitOrder
from bot.core.margin import Maintenance
from bot.core.recovery_events import OrdersSeen
from bot.core.watch_events import ContractSeen
from bot.venue import stops
from bot.venue.errors import RequestFailed, UnknownSymbol, Unreachable
from bot.venue.preparation import prepare
from bot.venue.repeats import Repeats
from bot.venue.requests import Requests

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.core.commands import Command
    from bot.core.events import Event
    from bot.core.fund import Contract, Fund
    from bot.venue.cash import Cash
    from bot.venue.clock import Clock
    from bot.venue.limiter import Limiter
    from bot.venue.profile import CcxtClient, OrderAnswer, Profile

_CURSOR_ATTEMPTS = 5


class AccountGateway:
    """Orders and reads of one account and one symbol.

    `perform` never raises for trouble with the venue or the network, and may be cancelled at any time: a
    cancelled order is one whose outcome is unknown.
    """

    def __init__(
        self,
        profile: "Profile",
        client: "CcxtClient",
        contract: "Contract",
        clock: "Clock",
        limiter: "Limiter",
        cash: "Cash",
        rules: "Callable[[], Awaitable[Contract | None]]",
    ) -> None:
        """`rules` reads the contract anew; None: it is not traded."""
        self._profile = profile
        self._hosts = ", ".join(profile.hosts(client))
        self._symbol = contract.symbol
        self._is_bracketed = bool(contract.maintenance)
        self._rules = rules
        self._clock = clock
        self._cash = cash
        self._requests = Requests(profile, client, limiter)
        self._repeats = Repeats(limiter)

    def ready(self, command: "Command") -> "Callable[[], Awaitable[Event]]":
        """Sign an order at once, so that nothing comes between its decision and that.

        The result carries the command out and says what came of it. Raises `RequestFailed` where ccxt cannot
        sign at all.
        """
        if isinstance(command, PlaceStop):
            send = self._profile.place_stop(self._requests, command)
            return partial(stops.place, self._profile, send, command.cid, self._now)
        if isinstance(command, SubmitOrder):
            return partial(self._submit, command, self._profile.submit(self._requests, command))
        return partial(self._look, command)

    async def perform(self, command: "Command") -> "Event":
        """Carry out one command and say what came of it; `delay_s` (wall time) is waited for first.

        Of repeats that would ask the same only the soonest asks; the others are answered with `Wake`.
        """
        return await self.ready(command)()

    async def _look(self, command: "Command") -> "Event":
        delay_s = getattr(command, "delay_s", 0.0)
        if delay_s > 0 and not await self._repeats.wait(command, delay_s):
            return Wake(*self._now())  # the answer is that of whoever asks sooner
        try:
            return await self._read(command)
        except RequestFailed as error:
            refused = error.code in self._profile.bad_key
            return ReadFailed(*self._now(), type(command).__name__, str(error), refused)

    async def _submit(self, order: SubmitOrder, send: "Callable[[], Awaitable[OrderAnswer]]") -> "Event":
        """Send the order, exactly once."""
        try:
            return self._report(await send())
        except RequestFailed as error:
            if error.code in self._profile.definite_rejects:
                would_take = error.code in self._profile.would_take
                wait_ms = int(error.wait_s * 1000)
                by_rules = error.code in self._profile.by_rules
                said = (error.code, error.reason)
                return OrderRefused(*self._now(), order.cid, *said, would_take, wait_ms, by_rules)
            return OrderUnknown(*self._now(), order.cid, str(error))

    async def _read(self, command: "Command") -> "Event":  # noqa: C901, PLR0911, PLR0912 - one for each
        profile, requests, symbol = self._profile, self._requests, self._symbol
        match command:
            case QueryOrder(cid=cid):
                return await self._query(cid)
            case CancelOrder(cid=cid):
                return await self._cancel(cid)
            case QueryStop() | CancelStop() | FetchStops():
                return await stops.look(profile, requests, symbol, command, self._now)
            case FetchTrades(venue_order_id=order_id, since_ms=since_ms):
                trades = await profile.trades(requests, symbol, order_id, since_ms, self._clock.market_ms())
                return TradesSeen(*self._now(), trades)
            case FetchIncome(since_ms=since_ms):
                income = await profile.income(requests, since_ms, self._clock.market_ms())
                return IncomeSeen(*self._now(), income)
            case FetchAccount(income_since_ms=since_ms):
                return await self._account(since_ms)
            case FetchTouch():
                bid, ask = await profile.touch(requests, symbol)
                return TouchSeen(*self._now(), bid, ask)
            case FetchDayMark(day_ms=day_ms):
                price = await profile.mark_at(requests, symbol, day_ms)
                return DayMarkSeen(*self._now(), day_ms, price)
            case MoveCash(amount=amount):
                reference = await self._cash.move(requests, amount)
                return CashMoved(*self._now(), amount, reference)
            case FetchOrders():
                orders = await profile.orders(requests, symbol)
                return OrdersSeen(*self._now(), orders)
            case FetchVolume():
                volume = await profile.volume(requests, symbol)
                return VolumeSeen(*self._now(), volume.quantity, volume.span_ms)
            case FetchContract():
                contract = await self._contract()
                return ContractSeen(*self._now(), contract)
            case GuardOrders(after_ms=after_ms):
                await profile.guard(requests, symbol, after_ms)
                return Guarded(*self._now())
            case DrawSecrets() | DrawIdentity() | SubmitOrder() | PlaceStop():
                raise TypeError(f"{type(command).__name__} is not a read of the venue")

    async def _cancel(self, cid: str) -> "Event":
        """What a cancel says counts only if it worked; whatever else it says, the order is looked up."""
        try:
            return self._report(await self._profile.cancel(self._requests, self._symbol, cid))
        except RequestFailed as error:
            found = await self._query(cid)
            if isinstance(found, OrderMissing):
                return found._replace(off_book=error.code in self._profile.nothing_to_cancel)
            return found

    async def _query(self, cid: str) -> "Event":
        try:
            return self._report(await self._profile.query(self._requests, self._symbol, cid))
        except RequestFailed as error:
            if error.code in self._profile.missing_order:
                return OrderMissing(*self._now(), cid)
            raise

    async def _account(self, since_ms: int) -> "Event":
        """Wallet, position, and the income up to them: the holding must be the same before and after it."""
        before = await self._profile.holding(self._requests, self._symbol)
        for _ in range(_CURSOR_ATTEMPTS):
            income = await self._profile.income(self._requests, since_ms, self._clock.market_ms())
            after = await self._profile.holding(self._requests, self._symbol)
            if after[:2] == before[:2]:
                return AccountSeen(*self._now(), after.wallet, after.position, income, after.available)
            before = after
        raise RequestFailed("moving", "the account did not hold still while it was read", transient=True)

    async def _contract(self) -> "Contract | None":
        try:
            found = await self._rules()
            if found is None or not self._is_bracketed:
                return found
            return replace(found, maintenance=await self.maintenance())
        except (Unreachable, UnknownSymbol) as error:
            raise RequestFailed("contract", str(error), transient=True) from None

    async def prepare(self, fund: "Fund") -> int:
        """Set the account up for `fund`; see `bot.venue.preparation.prepare`. Returns the venue leverage."""
        compared = self._clock.compared
        return await prepare(self._profile, self._requests, self._hosts, self._symbol, fund, compared)

    async def skew_ms(self) -> int:
        """By how much the system's clock is ahead of the venue's. Raises `RequestFailed`.

        Timestamps of requests are corrected by it, and so is the clock that events are stamped by.
        """
        skew_ms = await self._requests.synchronise()
        self._clock.compared(skew_ms)
        return skew_ms

    async def settings_problem(self, leverage: int) -> str | None:
        """What is not set as `prepare` left it, with venue leverage `leverage`. Raises `RequestFailed`."""
        modes = await self._profile.modes(self._requests, self._symbol)
        found = [
            *(["hedge mode"] if modes.hedge else []),
            *(["multi-assets mode"] if modes.multi_assets else []),
            *(["isolated margin"] if modes.isolated else []),
            *([f"leverage {modes.leverage} instead of {leverage}"] if modes.leverage != leverage else []),
        ]
        return f"the account has {', '.join(found)}" if found else None

    async def key_problem(self, account: str) -> str | None:
        """What the key of `account` must not be allowed, in words that name its setting.

        None where it may not, and where the venue does not tell. Raises `RequestFailed`.
        """
        may = await self._profile.permissions(self._requests)
        if may is None or not may.withdraw:
            return None
        return f"INBAND_ACCOUNTS__{account}__API_KEY: the key may withdraw; make one without that permission"

    async def maintenance(self) -> "tuple[Maintenance, ...]":
        """The brackets by which the venue liquidates, lowest first; none where it does not say.

        Raises `Unreachable`.
        """
        try:
            steps = await self._profile.brackets(self._requests, self._symbol)
        except RequestFailed as error:
            raise Unreachable(self._hosts, str(error)) from None
        return tuple(
            Maintenance(step.notional_cap, step.maintenance_rate, step.deduction)
            for step in sorted(steps, key=lambda step: step.notional_cap)
            if step.maintenance_rate is not None
        )

    def _report(self, state: "OrderAnswer") -> OrderReport:
        return OrderReport(*self._now(), state.cid, state.venue_id, state.filled, state.closed)

    def _now(self) -> tuple[int, int]:
        return self._clock.market_ms(), self._clock.wall_ms()
