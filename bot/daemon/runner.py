"""One fund at work: events in, records made durable, then commands carried out.

The order is the promise: the records of a step are durable before any of its commands goes out. If they
cannot be made durable, or the step itself fails, the fund stops trading for good: nothing is guessed.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import structlog

from bot.core import events as ev
from bot.core.commands import Command, DrawIdentity, DrawSecrets
from bot.core.engine import step
from bot.core.limits import PlaceStop, SubmitOrder
from bot.core.records import Record
from bot.core.recovery_events import IdentityDrawn
from bot.core.stop_events import StopUnknown
from bot.core.turn import State
from bot.core.units import Usd
from bot.daemon.draws import DrawSource
from bot.daemon.narration import Narrator
from bot.journal.errors import JournalLost
from bot.journal.journal import Appender
from bot.venue.clock import Clock


class Gateway(Protocol):
    """The venue account that a fund trades on."""

    def ready(self, command: Command) -> "Carry":
        """Do what needs no waiting, such as signing an order; the result carries the command out."""
        ...


PARK_WITHIN_S = 20.0
"""So long a stop waits for commands that are under way, wall time; the next start resolves the others."""

Carry: TypeAlias = Callable[[], Awaitable[ev.Event]]
"""Carries a command out, once; the answer, also of a failure, is an event."""


class Runner:
    """Drives one fund's engine. All of it runs in the event loop's thread; `handle` never waits."""

    def __init__(
        self,
        state: State,
        gateway: Gateway,
        journal: Appender,
        clock: Clock,
        draws: DrawSource,
        on_change: Callable[["Runner", tuple[Record, ...]], None],
    ) -> None:
        """Nothing happens until the first event. `on_change` hears of every step that mattered."""
        self.state = state
        self.failure: str | None = None
        self.failed_ms = 0
        self._gateway = gateway
        self._journal = journal
        self._clock = clock
        self._draws = draws
        self._on_change = on_change
        self._pending: set[asyncio.Task[None]] = set()
        self._early: deque[ev.Event] = deque()
        self._untold: tuple[Record, ...] = ()
        self._narrator = Narrator(state.fund.name, state.book)
        self._log = structlog.get_logger().bind(fund=state.fund.name)

    @property
    def name(self) -> str:
        """The fund's name."""
        return self.state.fund.name

    @property
    def quiet(self) -> bool:
        """Nothing is under way: all commands are answered."""
        return not self._pending

    def now(self) -> tuple[int, int]:
        """Market and wall time, as events carry them."""
        return self._clock.market_ms(), self._clock.wall_ms()

    def begin(
        self,
        wallet: Usd,
        *,
        adopt: bool,
        taken_from: str | None = None,
        known_income: tuple[str, ...] | None = None,
    ) -> None:
        """Take the fund up: open it if its journal is empty, else resume it.

        A new fund begins on `wallet`, which contains the income of these ids.
        """
        if self.state.book.created is None:
            secrets = self._draws.fund(self.name)
            self.handle(ev.Opened(*self.now(), secrets.key, secrets.incarnation, wallet, known_income))
        else:
            self.handle(ev.Resumed(*self.now(), adopt, taken_from))

    def handle(self, event: ev.Event) -> None:
        """Take one event in, and everything that follows from it at once."""
        if self.failure is not None:
            return
        try:
            answers = self._advance(event)
            while answers:
                answers += self._advance(answers.popleft())
        except Exception as error:  # noqa: BLE001 - whatever it is, trading stops and the incident is told
            self._fail(error)

    def _advance(self, event: ev.Event) -> deque[ev.Event]:
        """One step: durable records, then state, then commands; returns answers that are there at once."""
        state, records, commands = step(self.state, event)
        if records:
            self._journal.append(self.name, records, self._clock.wall_ms())
        changed = bool(records) or state.wake_ms != self.state.wake_ms
        self.state = state
        answers: deque[ev.Event] = deque()
        for command in commands:
            if isinstance(command, DrawSecrets):
                u, salt = self._draws.band(self.name, command.sequence)
                answers.append(ev.Drawn(*self.now(), command.sequence, u, salt))
            elif isinstance(command, DrawIdentity):
                key, incarnation = self._draws.fund(self.name, command.number)
                answers.append(IdentityDrawn(*self.now(), command.number, key, incarnation))
            else:
                self._start(command)
        if changed:
            self._untold += records
            if any(isinstance(command, SubmitOrder) for command in commands):
                asyncio.get_running_loop().call_later(_ORDERS_FIRST_S, self._tell_later)
            else:
                self._tell()
        return answers

    def heard(self, event: ev.Event) -> None:
        """News from the order stream. Of an order that is still live it says nothing that matters.

        Where the market moves in instants, news may overtake the mark of its instant, on another socket: it
        waits for that mark, so that nothing is decided, and no leverage recorded, by the mark before.
        """
        if isinstance(event, ev.OrderReport) and not event.closed:
            return
        mark = self.state.mark
        if self._clock.instants and (self._early or mark is None or mark.time_ms < event.time_ms):
            self._early.append(event)
        else:
            self.handle(event)

    def caught_up(self) -> None:
        """A mark was taken in: so is the news that came before it."""
        mark = self.state.mark
        while self._early and mark is not None and self._early[0].time_ms <= mark.time_ms:
            self.handle(self._early.popleft())

    def missed_news(self, reason: str) -> None:
        """The order stream may have missed something: compare with the venue."""
        self._log.warning("order_stream_interrupted", reason=reason, **self._narrator.context)
        self.handle(ev.ReconcileDue(*self.now()))

    async def wait_quiet(self) -> None:
        """Wait until all commands are answered."""
        while self._pending:
            await asyncio.wait(self._pending)

    def cancel(self) -> None:
        """Give up what is under way; the next start resolves it."""
        self._tell()
        for task in self._pending:
            task.cancel()

    def _start(self, command: Command) -> None:
        carry = self._gateway.ready(command)
        task = asyncio.get_running_loop().create_task(self._carry_out(command, carry))
        self._pending.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._pending.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._fail(task.exception())
        self._on_change(self, ())

    async def _carry_out(self, command: Command, carry: Carry) -> None:
        if isinstance(command, SubmitOrder | PlaceStop) and not self._journal.owned():
            self._fail(JournalLost("the account may be another process's by now: the order was not sent"))
            return
        try:
            answer = await carry()
        except Exception as error:  # noqa: BLE001 - a gateway must not raise; if it does, nobody knows the outcome
            self._log.exception("command_failed", command=type(command).__name__, **self._narrator.context)
            reason = type(error).__name__
            if isinstance(command, SubmitOrder):
                answer = ev.OrderUnknown(*self.now(), command.cid, reason)
            elif isinstance(command, PlaceStop):
                answer = StopUnknown(*self.now(), command.cid, reason)
            else:
                answer = ev.ReadFailed(*self.now(), type(command).__name__, reason)
        self.handle(answer)

    def _tell_later(self) -> None:
        try:
            if self._untold:
                self._tell()
        except Exception as error:  # noqa: BLE001 - as in `handle`
            self._fail(error)

    def _tell(self) -> None:
        """Hand on, and log, what the steps since the last time did."""
        records, self._untold = self._untold, ()
        self._on_change(self, records)
        for line in self._narrator.lines(records):
            self._log.log(_LEVELS[line.level], line.event, **line.fields)

    def _fail(self, error: BaseException | None) -> None:
        """Stop trading for good: the next start recovers from the journal."""
        if self.failure is None:
            self.failure = f"{type(error).__name__}: {error}"
            self.failed_ms = self._clock.market_ms()
            self._tell()
            self._log.error(
                "fund_stopped",
                reason=self.failure,
                remedy=_BEGINS_AGAIN if isinstance(error, JournalLost) else _RESTART,
                exc_info=error,
                **self._narrator.context,
            )
            self._on_change(self, ())


_ORDERS_FIRST_S = 0.001
"""Where a step sends an order, telling of it waits this long, so that the bytes of the order leave first."""

_RESTART = "the fund trades no more; repair the cause and restart: a restart recovers exactly"
_BEGINS_AGAIN = "this process stands by, and begins again by itself once database and accounts are to be had"

_LEVELS = {"info": 20, "warning": 30, "error": 40}
