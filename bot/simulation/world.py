"""One simulated world: it moves the market, brings the news, and is the operator.

Everything happens in one virtual event loop, the daemon's process included, in an order that the seed draws.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal

from bot.core.book import fold
from bot.core.events import Mark
from bot.core.orders import OrderState
from bot.core.records import Control
from bot.core.turn import State
from bot.daemon.draws import SeededDraws
from bot.simulation.chance import Chance
from bot.simulation.clock import EPOCH_MS, world_ms
from bot.simulation.coverage import Transitions
from bot.simulation.faults import Fault, Faults
from bot.simulation.journal import Disk
from bot.simulation.judge import Judge
from bot.simulation.market import MarketPath
from bot.simulation.network import Network
from bot.simulation.people import People
from bot.simulation.process import Process, Surroundings
from bot.simulation.profile import stop_state
from bot.simulation.scenario import Scenario
from bot.simulation.stops import VenueStop
from bot.simulation.trace import Trace
from bot.simulation.venue import Venue, VenueOrder, VenueTrade
from bot.venue.profile import MarkFrame

START_PRICE = 60_000.0
_DUST = Decimal("0.01")
_OPERATOR_EVERY_S = 120.0
_LOOK_EVERY_S = 10.0
_CALM_LOOKS = 7
_CALM_LOOK_EVERY_S = 31.0
"""Over so many looks ledger and venue are compared once more, and not at every one of them anew."""
_REST_WITHIN_S = 4 * 3_600.0
_HEARD_AFTER_MS = 2_000
"""The daemon learns of a payment by the next mark, and by the answer to what it then asks: later than it."""


class World:
    """A fund, its venue and its process."""

    def __init__(
        self, seed: int, scenario: Scenario, faults: Faults, trace: Trace, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Nothing moves before `run`."""
        fund, contract = scenario.fund, scenario.contract
        self.scenario = scenario
        self.faults = faults
        self.transitions = Transitions()
        self.disk = Disk(fund.name)
        self.lives = 0
        self._loop = loop
        self._trace = trace
        self._chance = Chance(seed, "world")
        self.path = MarketPath(Chance(seed, "market"), START_PRICE, scenario.sigma_bps, scenario.course)
        self._prices = self.path.next()
        self.venue = Venue(contract, fund.capital, scenario.depth, Chance(seed, "venue"))
        self.venue.faults = faults
        self.venue.on_news = self._send_news
        self.venue.stops.on_news = self._send_stop_news
        self.network = Network(loop, faults, Chance(seed, "network"), trace)
        under_way = self.network.under_way
        self.judge = Judge(fund, contract, self.venue, lambda cid: under_way.get(cid, 0), trace)
        self.judge.on_violation = self._end
        self.judge.on_written = self.transitions.take
        self.people = People(
            self.venue,
            self.judge.holders,
            fund.capital,
            Chance(seed, "people"),
            scenario.flows_per_hour,
            by_hand=scenario.by_hand,
        )
        self._over = asyncio.Event()
        self._around = Surroundings(
            loop=loop,
            fund=fund,
            contract=contract,
            disk=self.disk,
            venue=self.venue,
            network=self.network,
            faults=faults,
            judge=self.judge,
            draws=SeededDraws(seed),
            clock_off_ms=scenario.clock_off_ms,
            by_hand=scenario.by_hand,
            present_mark=self._present_mark,
            on_death=self._died,
        )
        self._gap_until_s = self._frozen_until_s = 0.0
        self._owner_to_come = False
        self._restart_s = scenario.restart_s
        self._strikes_s = {fault: self._chance.waits(rate) for fault, rate in scenario.rates.items()}
        self._funding_s = float(scenario.funding_every_s)
        self._rate = Decimal(round(scenario.funding_rate, 8))
        self._operator_s = _OPERATOR_EVERY_S
        self._look_s = 0.0
        self.process = self._start()

    async def run(self, seconds: float) -> None:
        """`seconds` with faults, and then without any until everything is at rest."""
        self._tick()
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            await self._come_to_rest()

    # The market.

    def _tick(self) -> None:
        """One second."""
        if self._over.is_set():
            return
        loop = self._loop
        now_s = loop.time()
        loop.call_later(1.0, self._tick)
        if now_s >= self._look_s:
            self._look(now_s)
        self._prices = prices = self.path.next()
        now_ms = world_ms(loop)
        self.venue.moved(now_ms, prices.mark)
        process = self.process
        if not process.alive:
            return
        if now_s < self._gap_until_s:
            process.watch_for_silence()
        elif now_s < self._frozen_until_s:
            process.sign_of_life()
        else:
            loop.call_later(self._chance.between(0.01, 0.09), self._deliver, process, self._mark(now_ms))

    def _mark(self, now_ms: int) -> Mark:
        """What the mark stream says now; the wall's time is the daemon's own."""
        wall_ms = now_ms + self.scenario.clock_off_ms
        due_ms = EPOCH_MS + int(self._funding_s * 1000)
        mark, index = self._prices
        return Mark(now_ms, wall_ms, mark, due_ms, self._rate, index)

    def _deliver(self, process: Process, mark: Mark) -> None:
        process.mark(mark)

    def _present_mark(self) -> MarkFrame:
        """The mark as REST tells it."""
        mark = self._mark(world_ms(self._loop))
        return MarkFrame(mark.time_ms, mark.price, mark.next_funding_ms, mark.funding_rate, mark.index_price)

    # The order stream.

    def _send_news(self, order: VenueOrder, trade: VenueTrade | None) -> None:
        """The venue tells of an order; on the way news may be lost, repeated or overtaken."""
        strikes, process = self.faults.strikes, self.process
        if strikes(Fault.NEWS_LOST):
            return
        delay_s = self._chance.between(0.005, 0.06)
        if strikes(Fault.NEWS_LATE):
            delay_s = self._chance.between(0.1, 15.0)
        told = (process, order, order.filled, trade, not order.is_open)
        self._loop.call_later(delay_s, self._bring_news, *told)
        if strikes(Fault.NEWS_TWICE):
            self._loop.call_later(delay_s + self._chance.between(0.0, 3.0), self._bring_news, *told)
        if strikes(Fault.STREAM_BROKEN):
            self._loop.call_later(delay_s, process.stream_broken)

    def _bring_news(
        self,
        process: Process,
        order: VenueOrder,
        filled: Decimal,
        trade: VenueTrade | None,
        closed: bool,  # noqa: FBT001 - call_later passes by position
    ) -> None:
        process.news(order, filled, trade, closed=closed)

    def _send_stop_news(self, stop: VenueStop) -> None:
        """The venue tells of a protective stop; this news too may be lost, or come late."""
        if self.faults.strikes(Fault.NEWS_LOST):
            return
        delay_s = self._chance.between(0.005, 0.06)
        if self.faults.strikes(Fault.NEWS_LATE):
            delay_s = self._chance.between(0.1, 15.0)
        self._loop.call_later(delay_s, self.process.stop_news, stop_state(stop))

    # Processes.

    def _start(self) -> Process:
        self.lives += 1
        self._trace.note("process", self.lives, "starts")
        return Process(self.lives, self._around)

    def _died(self, process: Process) -> None:
        """A process ended; the next one comes after a while."""
        self._trace.note("process", process.life.number, "ends:", process.why_ended)
        self._loop.call_later(self._chance.between(*self._restart_s), self._restart)

    def _restart(self) -> None:
        if not self._over.is_set() and not self.process.alive:
            self.process = self._start()

    # What happens at times of its own.

    def _look(self, now_s: float) -> None:
        """Whatever is due; and when to look again."""
        for fault, due_s in self._strikes_s.items():
            if now_s >= due_s:
                self._strikes_s[fault] = now_s + self._chance.waits(self.scenario.rates[fault])
                self.strike(fault)
        if now_s >= self._funding_s:
            self._funding_s += self.scenario.funding_every_s
            self.venue.now_ms = world_ms(self._loop)
            self.venue.pay_funding(self._rate)
        if now_s >= self._operator_s:
            self._operator_s = now_s + _OPERATOR_EVERY_S
            self._visit()
        if self.disk.steps:
            self.venue.now_ms = world_ms(self._loop)
            self.people.look(now_s, self.process)
        failure = self.process.failure
        if failure is not None:
            self._trace.note("the fund stopped:", failure)
            self.judge.expect(failure.startswith("JournalUnavailable"), "X", failure)
            self.process.kill(Fault.KILLED)
        due = (*self._strikes_s.values(), self._funding_s, self._operator_s, now_s + _LOOK_EVERY_S)
        self._look_s = min(due)

    def strike(self, fault: Fault) -> None:
        """Let a fault that has times of its own happen now, once there is a fund for it."""
        if not self.disk.steps:
            return
        self.faults.struck_at_its_time(fault)
        self._trace.note("fault:", fault)
        _STRIKES[fault](self)

    def _visit(self) -> None:
        """The operator looks by, and lets go on what stands still; in the end brings back what was taken."""
        runner = self.process.runner
        if runner is None or runner.failure is not None or runner.state.book.created is None:
            return
        book = runner.state.book
        if book.control is not Control.RUNNING or book.breaches:
            self.process.control(Control.RUNNING, "looked into it")
        if self._owner_to_come and book.unallocated < -_DUST:
            self._owner_to_come = False
            self.venue.now_ms = world_ms(self._loop)
            self.venue.transfer(-book.unallocated)

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill(Fault.KILLED)

    def stop(self) -> None:
        """SIGTERM."""
        self.process.stop()

    def trade_by_hand(self) -> None:
        """Somebody trades on the account."""
        lot = self.scenario.contract.lot
        size = self.venue.equity / self.venue.mark * Decimal(round(self._chance.between(-0.3, 0.3), 3))
        quantity = size // lot * lot
        if quantity:
            self.venue.now_ms = world_ms(self._loop)
            self.venue.trade_by_hand(quantity)

    def transfer(self) -> None:
        """Somebody pays in, or out as far as there is something."""
        amount = self.scenario.fund.capital * Decimal(round(self._chance.between(-0.05, 0.2), 3))
        self.venue.now_ms = world_ms(self._loop)
        self.venue.book_income("TRANSFER", max(amount, min(Decimal(0), -self.venue.wallet)))

    def deleverage(self) -> None:
        """The venue takes a part of the position away."""
        lot = self.scenario.contract.lot
        part = self.venue.position * Decimal(round(self._chance.between(0.05, 0.4), 3)) // lot * lot
        if part:
            self.venue.now_ms = world_ms(self._loop)
            self.venue.trade_by_hand(-part)

    def gap(self) -> None:
        """The mark stream is silent; half of the time because its socket broke, which shows at once."""
        if self._chance.happens(0.5):
            self.process.lose_feed("the stream broke")
        self._gap_until_s = self._loop.time() + self._chance.pick((3.0, 12.0, 30.0, 120.0))

    def freeze(self) -> None:
        """The mark stream repeats itself."""
        self._frozen_until_s = self._loop.time() + self._chance.pick((5.0, 15.0, 60.0))

    def go_away(self) -> None:
        """The venue is down."""
        self.network.away_until_s = self._loop.time() + self._chance.pick((5.0, 60.0, 600.0))

    def order(self, control: Control) -> None:
        """The operator pauses or halts; the next visit ends it."""
        self.process.control(control, "to be on the safe side")

    # The end.

    async def _come_to_rest(self) -> None:
        """Without faults, and with a market that hardly moves, everything must come to an end by itself."""
        self._trace.note("no more faults")
        self._owner_to_come = True
        self.faults.cease()
        self.people.cease()
        self._strikes_s.clear()
        self.network.away_until_s = self.network.banned_until_s = 0.0
        self._gap_until_s = self._frozen_until_s = 0.0
        self._restart_s = (0.0, 1.0)
        self.path.calm()
        end_s = self._loop.time() + _REST_WITHIN_S
        calm_looks = 0
        while (calm_looks < _CALM_LOOKS or self._just_paid()) and not self._over.is_set():
            await asyncio.sleep(_CALM_LOOK_EVERY_S)
            calm_looks = calm_looks + 1 if self._rests() else 0
            if self._loop.time() > end_s:
                self.judge.accuse("I11", f"after {_REST_WITHIN_S:g} s without faults: {self._unrest()}")
        runner = self.process.runner
        if not self._over.is_set() and runner is not None:
            self.judge.at_rest(runner.state.book)
            self.judge.expect(
                fold(self.disk.records()) == runner.state.book,
                "I8",
                "the journal read anew folds to another book",
            )
        self._end()

    def _rests(self) -> bool:
        runner = self.process.runner
        if not self.process.alive or runner is None or runner.failure is not None:
            return False
        state = runner.state
        book = state.book
        return (
            runner.quiet
            and state.live.reconciled
            and state.live.funding_pending_ms is None
            and book.rebalance is None
            and book.confirmation is None
            and not self.people.wait
            and book.dealing is None
            and (book.protection.resting is None or book.protection.resting.state is OrderState.LIVE)
            and not book.breaches
            and book.unallocated >= -_DUST
            and book.control is Control.RUNNING
        )

    def _just_paid(self) -> bool:
        """Whether the wallet changed a moment ago, as by funding at the very look: nobody can know yet."""
        income = self.venue.income
        return bool(income) and world_ms(self._loop) - income[-1].time_ms < _HEARD_AFTER_MS

    def _unrest(self) -> str:
        runner = self.process.runner
        if runner is None:
            return "no process comes up"
        return _describe(runner.state, runner.failure)

    def _end(self) -> None:
        self._over.set()


def _describe(state: State, failure: str | None) -> str:
    book = state.book
    return (
        f"flows {book.flows}, dealing {book.dealing}, stop {book.protection.resting}, "
        f"rebalance {book.rebalance}, confirmation {book.confirmation}, breaches {book.breaches}, "
        f"control {book.control}, reconciled {state.live.reconciled}, failure {failure}"
    )


_STRIKES: dict[Fault, Callable[[World], None]] = {
    Fault.KILLED: World.kill,
    Fault.STOPPED: World.stop,
    Fault.MANUAL_TRADE: World.trade_by_hand,
    Fault.TRANSFER: World.transfer,
    Fault.DELEVERAGED: World.deleverage,
    Fault.FEED_GAP: World.gap,
    Fault.FROZEN_PRICE: World.freeze,
    Fault.FLASH_SPIKE: lambda world: world.path.spike(),
    Fault.APART: lambda world: world.path.stray(),
    Fault.GAP: lambda world: world.path.gap(),
    Fault.CRASH: lambda world: world.path.crash(),
    Fault.MAINTENANCE: World.go_away,
    Fault.PAUSED: lambda world: world.order(Control.PAUSED),
    Fault.HALTED: lambda world: world.order(Control.HALTED),
}
