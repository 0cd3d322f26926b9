"""The daemon's process in a simulation: the daemon's own parts, on simulated ports.

Runner, engine, operations, timers, supervision, fallback marks, the account gateway and the rate limiter are
the real ones, put together as `bot.daemon.take_up` does. Not here are ccxt and its streams: `mark` and `news`
stand for them (the slower simulation of the whole daemon has them).
"""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from decimal import Decimal

from bot.core.book import Book
from bot.core.commands import FetchAccount
from bot.core.engine import start
from bot.core.events import AccountSeen, Controlled, Mark, OrderReport, Park, TradesSeen
from bot.core.flow_records import FlowKind
from bot.core.fund import Contract, Fund
from bot.core.history import RebalanceHistory
from bot.core.records import Control, Record
from bot.core.units import ZERO
from bot.daemon.draws import SeededDraws
from bot.daemon.fallback import MarkFallback
from bot.daemon.operations import RECONCILE_EVERY_S, Operations
from bot.daemon.runner import PARK_WITHIN_S, Runner
from bot.daemon.supervision import Supervisor
from bot.daemon.timers import WallTimers
from bot.errors import RefusedError
from bot.simulation.clock import SimulatedClock
from bot.simulation.faults import Fault, Faults
from bot.simulation.journal import Disk, MemoryJournal
from bot.simulation.judge import Judge
from bot.simulation.life import LIFE, Killed, Life
from bot.simulation.network import Network
from bot.simulation.profile import Line, NoClient, SimulatedProfile, as_trade
from bot.simulation.venue import Venue, VenueOrder, VenueTrade
from bot.venue.account import AccountGateway
from bot.venue.cash import ByHand, BySpot
from bot.venue.feed import SILENCE_S
from bot.venue.limiter import Limiter
from bot.venue.profile import MarkFrame, StopAnswer
from bot.venue.stops import report


@dataclass(frozen=True)
class Surroundings:
    """What a process finds when it starts, and leaves behind when it ends.

    `by_hand`: people move the cash of flows, not the daemon.
    """

    loop: asyncio.AbstractEventLoop
    fund: Fund
    contract: Contract
    disk: Disk
    venue: Venue
    network: Network
    faults: Faults
    judge: Judge
    draws: SeededDraws
    clock_off_ms: int
    by_hand: bool
    present_mark: Callable[[], MarkFrame]
    on_death: Callable[["Process"], None]


class Process:
    """One process, from its start to its end. After its end it does nothing, whoever calls it."""

    def __init__(self, number: int, around: Surroundings) -> None:
        """Start it; whatever it does goes on in the loop."""
        self.life = Life(number)
        self.runner: Runner | None = None
        self.why_ended: str | None = None
        self._around = around
        self._clock = SimulatedClock(around.loop, around.clock_off_ms)
        self._limiter = Limiter(40.0, 400.0)
        self._operations = Operations("live")
        self._operations.attach(WallTimers(), None)
        self._mark_s = around.loop.time()
        self._lost = False
        line = Line(
            life=self.life,
            network=around.network,
            venue=around.venue,
            limiter=self._limiter,
            clock=self._clock,
            judge=around.judge,
            present_mark=around.present_mark,
            before_send=lambda: self._kill_if(Fault.KILLED_BEFORE_SEND),
            after_send=lambda: self._kill_if(Fault.KILLED_AFTER_SEND),
        )
        self._profile = SimulatedProfile(line=line)
        self._context = copy_context()
        self._context.run(LIFE.set, self.life)
        around.loop.create_task(self._run(), context=self._context)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.life.alive

    def mark(self, mark: Mark) -> None:
        """A frame of the mark stream."""
        if self.runner is None or not self.alive:
            return
        self._mark_s, self._lost = self._around.loop.time(), False
        self._around.judge.marked(mark.time_ms, mark.price, mark.index_price or mark.price)
        self._inside(self._operations.marked, self._around.contract.symbol, mark)

    def sign_of_life(self) -> None:
        """A frame of the mark stream that repeats the last one."""
        self._mark_s = self._around.loop.time()

    def watch_for_silence(self) -> None:
        """What the watchdog of the real feed does."""
        if self._around.loop.time() - self._mark_s > SILENCE_S:
            self.lose_feed(f"silent for {SILENCE_S:g} s")

    def lose_feed(self, reason: str) -> None:
        """The mark stream is lost, and whoever watches it says so, once."""
        if self.runner is not None and self.alive and not self._lost:
            self._lost = True
            self._around.judge.feed_lost()
            self._inside(self._operations.feed_lost, self._around.contract.symbol, reason)

    def news(self, order: VenueOrder, filled: Decimal, trade: VenueTrade | None, *, closed: bool) -> None:
        """A frame of the order stream: `filled` and `closed` as they were when it was sent."""
        runner = self.runner
        if runner is None or not self.alive:
            return
        now = runner.now()
        cid = order.request.cid
        self._inside(runner.heard, OrderReport(*now, cid, order.number, filled, closed))
        if trade is not None:
            self._inside(runner.heard, TradesSeen(*now, (as_trade(trade),), complete=False))

    def stop_news(self, stop: StopAnswer) -> None:
        """A frame of the order stream about a protective stop, as it was when it was sent."""
        runner = self.runner
        if runner is not None and self.alive:
            self._inside(runner.heard, report(stop, runner.now))

    def ask_for_flow(self, kind: FlowKind, amount: Decimal, request_id: str) -> bool:
        """A request over HTTP; whether there was an answer to it, if only a refusal."""
        runner = self.runner
        if runner is None or not self.alive or runner.failure is not None:
            return False
        desk, answers = self._operations.flow_desk, []

        def take() -> None:
            try:
                desk.take(runner.name, kind, amount, request_id)
            except RefusedError as refusal:
                answers.append(str(refusal))
            else:
                answers.append("taken")

        self._inside(take)
        return bool(answers) and runner.failure is None

    def stream_broken(self) -> None:
        """The order stream was away for a moment."""
        if self.runner is not None and self.alive:
            self._inside(self.runner.missed_news, "the stream broke")

    def control(self, control: Control, why: str) -> None:
        """The operator's word, by HTTP or the command line."""
        runner = self.runner
        if runner is not None and self.alive and runner.failure is None:
            self._inside(runner.handle, Controlled(*runner.now(), control, "operator", why))

    def kill(self, why: Fault) -> None:
        """`kill -9`: between two turns of the loop. Nothing more happens in this process."""
        if not self.alive:
            return
        self.why_ended = why.value
        self.life.end()
        if self.runner is not None:
            self.runner.failure = "killed"
        self._around.judge.died()
        self._around.on_death(self)

    def stop(self) -> None:
        """SIGTERM: park, and end."""
        if self.alive:
            self._around.loop.create_task(self._park(), context=self._context)

    @property
    def failure(self) -> str | None:
        """Why the fund stopped by itself, if it did: only a restart helps."""
        return self.runner.failure if self.runner is not None and self.alive else None

    def _kill_if(self, fault: Fault) -> None:
        if self._around.faults.strikes(fault):
            self._die(fault)

    def _die(self, fault: Fault) -> None:
        """End here and now: what is on the stack goes no further."""
        self.kill(fault)
        raise Killed

    def _inside(self, act: Callable[..., object], *arguments: object) -> None:
        """Call into the process; if that kills it, the world around goes on."""
        try:
            self._context.copy().run(act, *arguments)
        except Killed:
            return

    async def _run(self) -> None:
        around = self._around
        client = NoClient()
        cash = ByHand() if around.by_hand else BySpot(self._profile)
        ways = (self._clock, self._limiter, cash, self._rules)
        gateway = AccountGateway(self._profile, client, around.contract, *ways)
        book, history = around.disk.fold()
        account = None if book.created is not None else await self._account(gateway)
        self._take_up(book, history, gateway, account)
        supervisor = Supervisor()
        fallback = MarkFallback(self._operations, self._fetch_mark)
        supervisor.keep("mark fallback", fallback.run)
        supervisor.every(RECONCILE_EVERY_S, self._operations.reconcile)

    async def _rules(self) -> Contract:
        """The contract of this world stays as it is."""
        return self._around.contract

    def _take_up(
        self, book: Book, history: RebalanceHistory, gateway: AccountGateway, account: AccountSeen | None
    ) -> None:
        around = self._around
        journal = MemoryJournal(around.disk, self.life, around.faults, self._die, around.judge.written)
        state = start(around.fund, around.contract, book)
        runner = Runner(state, gateway, journal, self._clock, around.draws, self._changed)
        self._operations.add(runner, history)
        self.runner = runner
        if account is None:
            runner.begin(ZERO, adopt=False)
        else:
            known = tuple(item.income_id for item in account.income)
            runner.begin(account.wallet, adopt=False, known_income=known)

    async def _account(self, gateway: AccountGateway) -> AccountSeen:
        while True:
            answer = await gateway.perform(FetchAccount(0))
            if isinstance(answer, AccountSeen) and answer.position == ZERO:
                return answer
            await asyncio.sleep(5.0)

    async def _fetch_mark(self, symbol: str) -> Mark:
        gateway_requests = None
        frame = await self._profile.mark(gateway_requests, symbol)  # type: ignore[arg-type]
        self._around.judge.marked(frame.time_ms, frame.price, frame.index_price or frame.price)
        return Mark(
            frame.time_ms,
            self._clock.wall_ms(),
            frame.price,
            frame.next_funding_ms,
            frame.funding_rate,
            frame.index_price,
            self._clock.market_ms() - frame.time_ms,
        )

    def _changed(self, runner: Runner, records: tuple[Record, ...]) -> None:
        if self.alive:
            self._operations.changed(runner, records)
            if runner.failure is None:
                self._around.judge.compare(runner.state.book)

    async def _park(self) -> None:
        """As `bot.daemon.main` does it."""
        runner = self.runner
        if runner is not None:
            runner.handle(Park(*runner.now()))
            waiting = asyncio.ensure_future(runner.wait_quiet())
            await asyncio.wait((waiting,), timeout=PARK_WITHIN_S)
        self.kill(Fault.STOPPED)
