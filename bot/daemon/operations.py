"""What runs, seen as a whole: dispatch of marks, readiness, and the true figures of every fund.

The web room and the live table look at the daemon through this file only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import structlog

from bot.core import operator_requests
from bot.core.events import Controlled, FeedLost, Mark, ReconcileDue
from bot.core.history import RebalanceEntry, RebalanceHistory
from bot.core.operator_requests import RequestIdReusedError, Wanted
from bot.core.records import Control, Record
from bot.core.texts import time_or_null, time_text
from bot.core.watch_events import ContractDue
from bot.daemon.flow_desk import FlowDesk
from bot.daemon.notify import ServiceManager
from bot.daemon.pacer import Pacer
from bot.daemon.public import PublicSide
from bot.daemon.public_feed import PublicFeed
from bot.daemon.redaction import Redactor, unpublished
from bot.daemon.runner import Runner
from bot.daemon.status import FundStatus, fund_status, stopped_json, trouble_json, with_troubles
from bot.daemon.timers import Timers
from bot.errors import RefusedError, UserError
from bot.journal.outbox import Trouble
from bot.settings import Settings
from bot.venue.clock import WallClock, monotonic_s

if TYPE_CHECKING:
    from bot.daemon.alerts.office import PostOffice
    from bot.daemon.metrics import Metrics

RECONCILE_EVERY_S = 180.0
"""Ledger and venue are compared so often, wall time."""

_CURRENT_S = 15.0
"""Wall time for which a mark counts as current although its stream is lost."""


@dataclass(slots=True)
class _Underlying:
    """One symbol: its funds, whether its stream is lost, and when it last had a mark (monotonic seconds)."""

    runners: list[Runner] = field(default_factory=list)
    lost: bool = True
    seen_s: float = -inf


Listener: TypeAlias = Callable[[Runner, tuple[Record, ...]], None]
"""Hears of every record of every fund, once it is durable and its commands are under way."""


class Asked(NamedTuple):
    """The fund's status after a request; `repeated`: it was on record already, and changed nothing."""

    status: FundStatus
    repeated: bool


class Reloader(Protocol):
    """Who reads the settings again."""

    settings: Settings

    def reload(self, author: str, why: str) -> dict[str, Any]:
        """What changed; raises `RefusedError` and `SettingsError`."""
        ...


class Operations:
    """All funds of one process."""

    def __init__(self, mode: str) -> None:
        """Not attached to anything, and without funds yet."""
        self.mode = mode
        self.operator_token: str | None = None
        self.runners: list[Runner] = []
        self.flow_desk = FlowDesk(self.runners)
        self.histories: dict[str, RebalanceHistory] = {}
        self._timers: Timers | None = None
        self.pacer: Pacer | None = None
        self.reloader: Reloader | None = None
        self.metrics: Metrics | None = None
        self.office: PostOffice | None = None
        self.hosts: tuple[str, ...] = ()
        self.paper_url: str | None = None
        self.redactor = Redactor()
        self.service_manager = ServiceManager({})
        self.listeners: list[Listener] = []
        self._underlyings: dict[str, _Underlying] = {}
        self._pulled: tuple[str, str] | None = None
        self.still_pulled: Callable[[], str | None] = lambda: None
        self.public = PublicSide(mode, self.runners, self.histories)
        self.feed = PublicFeed(self.public, WallClock().wall_ms)
        self._standby: str | None = None

    def give_up(self) -> None:
        """Wake no fund any more, and leave what is under way to the next start, here or elsewhere."""
        if self._timers is not None:
            self._timers.hold()
        for runner in self.runners:
            runner.cancel()

    def forget(self) -> None:
        """Nothing runs here any more: the accounts belong to another process, or to nobody yet."""
        self.stand_by("the accounts or the database were lost; it begins again")
        self.public.forget()
        self.runners.clear()  # in place: the public side and the flows' desk look at these very ones
        self.histories.clear()
        self._underlyings.clear()
        self.listeners.clear()
        self._timers = self.pacer = self.reloader = self.metrics = self.office = None
        self.feed.beat()  # whoever watches hears now that no fund runs here

    def stand_by(self, reason: str | None) -> None:
        """For whom this process waits before it may take the funds up; None once it need not."""
        self._standby = reason

    def attach(self, timers: Timers, pacer: Pacer | None) -> None:
        """Wake funds through `timers`; tell `pacer`, where there is one, of every mark that was taken in."""
        self._timers, self.pacer = timers, pacer
        self.public.paced = pacer is not None

    @property
    def symbols(self) -> Sequence[str]:
        """The underlyings of all funds."""
        return tuple(self._underlyings)

    def add(self, runner: Runner, history: RebalanceHistory) -> None:
        """Take a fund in; its history so far comes with it."""
        self.runners.append(runner)
        self.histories[runner.name] = history
        self._underlyings.setdefault(runner.state.contract.symbol, _Underlying()).runners.append(runner)
        if self.pacer is not None:
            self.pacer.watch(self.runners, self.symbols)

    def changed(self, runner: Runner, records: tuple[Record, ...]) -> None:
        """A fund took a step that mattered."""
        history = self.histories.get(runner.name)
        if history is not None:
            for record in records:
                history.apply(record)
        if self._timers is not None:
            self._timers.changed(runner)
        if records:
            self._inform(runner, records)

    def _inform(self, runner: Runner, records: tuple[Record, ...]) -> None:
        """Whoever listens must not be able to stop a fund: what it raises is told, and that is all."""
        for listener in self.listeners:
            try:
                listener(runner, records)
            except Exception:  # noqa: BLE001 - whatever it is, trading goes on
                structlog.get_logger().exception("listener_failed", fund=runner.name)

    def marked(self, symbol: str, mark: Mark) -> None:
        """Give a new mark to every fund on its symbol."""
        self._underlyings[symbol].lost = False
        self._take(symbol, mark)

    def marked_by_rest(self, symbol: str, mark: Mark) -> None:
        """A mark that was asked for while the stream is lost: trusted, but the stream is still lost."""
        if self._underlyings[symbol].lost:
            self._take(symbol, mark)

    def feed_ages_s(self) -> dict[str, float]:
        """Wall seconds since the last mark of each symbol that has had one."""
        now_s = monotonic_s()
        return {
            symbol: now_s - underlying.seen_s
            for symbol, underlying in self._underlyings.items()
            if underlying.seen_s != -inf
        }

    def venue(self) -> dict[str, Any]:
        """Where the funds trade: the exchange's hosts, and a paper exchange's address."""
        return {"hosts": list(self.hosts), "paper_url": self.paper_url}

    def market(self) -> dict[str, Any]:
        """The paper market's speed, and the times between which it has prices; nulls where there is none."""
        pacer = self.pacer
        if pacer is None:
            return {"speed": None, "start": None, "end": None}
        start, end = time_text(pacer.start_ms), time_or_null(pacer.end_ms)
        return {"speed": str(pacer.speed), "start": start, "end": end}

    def rebalances(self, fund: str, limit: int) -> list[dict[str, Any]] | None:
        """A fund's newest rebalances, oldest first; None if there is no such fund.

        Also those that are not public: of these all but the target and its draw, which the reveal tells.
        """
        history = self.histories.get(fund)
        if history is None:
            return None
        return [_told(entry) for entry in history.entries()[-limit:]]

    def metrics_text(self) -> tuple[bytes, str]:
        """All figures in Prometheus' text format, and its content type."""
        if self.metrics is None:
            raise RefusedError("the daemon is still starting; try again in a moment")
        return self.metrics.text(), self.metrics.content_type

    def unpublished(self) -> list[str]:
        """What must not be said of any fund yet, the token, and where alerts go by a reload."""
        found = [secret for runner in self.runners for secret in unpublished(runner.state.book)]
        if self.reloader is not None:
            found += self.reloader.settings.alerts.addresses
        return found if self.operator_token is None else [self.operator_token, *found]

    def lost_symbols(self) -> list[str]:
        """Symbols whose stream is lost, or has not begun yet."""
        return [symbol for symbol, underlying in self._underlyings.items() if underlying.lost]

    def _take(self, symbol: str, mark: Mark) -> None:
        underlying = self._underlyings[symbol]
        underlying.seen_s = monotonic_s()
        if self.pacer is not None:
            self.pacer.clock.advance(mark.time_ms)
        ours = self.pacer is not None and self.pacer.stopped_for_us(mark.time_ms)
        for runner in underlying.runners:
            runner.handle(mark)
            self.public.taken(runner, mark, ours=ours)
            runner.caught_up()
        if self.pacer is not None:
            self.pacer.saw(symbol, mark.time_ms)

    def feed_lost(self, symbol: str, reason: str) -> None:
        """Tell every fund on the symbol that its mark can no longer be trusted to be current."""
        underlying = self._underlyings[symbol]
        underlying.lost = True
        for runner in underlying.runners:
            runner.handle(FeedLost(*runner.now(), reason))

    def reconcile(self) -> None:
        """Have every fund compare its ledger with the venue."""
        for runner in self.runners:
            runner.handle(ReconcileDue(*runner.now()))

    def contract_due(self, symbol: str) -> None:
        """The venue changed a contract: have every fund on it look at what it demands by now."""
        for runner in self._underlyings[symbol].runners:
            runner.handle(ContractDue(*runner.now()))

    def contracts_due(self) -> None:
        """Have every fund look at its contract: not every change is told."""
        for symbol in self._underlyings:
            self.contract_due(symbol)

    def ask(self, fund: str, wanted: Wanted) -> Asked | None:
        """Have a fund do what its operator wants, and give its status; None if there is no such fund.

        Raises `RefusedError` where it cannot be done now, and `RequestIdReusedError` where the idempotency
        key belongs to another request.
        """
        if not self.runners:
            raise RefusedError(
                f"nothing runs here ({self.unready()[0]}); ask who runs {fund}, or again later"
            )
        for runner in self.runners:
            if runner.name == fund:
                return self._ask(runner, wanted)
        return None

    def _ask(self, runner: Runner, wanted: Wanted) -> Asked:
        if runner.failure is not None or runner.state.book.created is None:
            raise RefusedError(f"{runner.name} is not running; repair what stopped it and restart")
        before = runner.state.book.request(wanted.request_id)
        if before is not None:
            if before.content != wanted.content:
                raise RequestIdReusedError
            return Asked(self._status(runner), repeated=True)
        event = operator_requests.event(wanted, *runner.now())
        resumes = wanted.word == "resume"
        refused = (self.still_pulled() if resumes else None) or operator_requests.refusal(runner.state, event)
        if refused is not None:
            raise RefusedError(f"{runner.name}: {refused}")
        runner.handle(event)
        if runner.failure is not None:
            raise RefusedError(f"{runner.name} stopped at it; repair the cause, restart, and ask again")
        if resumes and self.reloader is not None:  # every fund has begun: what is still halted is on record
            self._pulled = None
        return Asked(self._status(runner), repeated=False)

    def reload(self, author: str, why: str) -> dict[str, Any]:
        """Read the settings again and run by them; see `Reloader.reload`."""
        self.service_manager.reloading()
        log = structlog.get_logger().bind(author=author, why=why)
        try:
            told = self._at_work().reload(author, why)
        except (RefusedError, UserError) as error:
            log.warning("reload_refused", reason=str(error))
            raise
        finally:
            self.service_manager.ready("at work")
        log.info("reloaded", **told)
        return told

    def _at_work(self) -> Reloader:
        if self.reloader is not None:
            return self.reloader
        if self._standby is not None:
            raise RefusedError(f"{self._standby}; restart this process, and it reads its settings again")
        raise RefusedError("the daemon is still starting; try again in a moment")

    def configuration(self) -> list[dict[str, str | None]]:
        """Every setting as it applies, secrets masked; empty while the daemon starts."""
        effective = () if self.reloader is None else self.reloader.settings.effective
        return [{"name": e.name, "value": e.value, "origin": e.origin} for e in effective]

    def halt_all(self, author: str, why: str) -> None:
        """The kill switch: every fund stops sending, whatever its state, and so do those still to begin.

        The latter until somebody resumes what was halted: a journal that is lost and read anew begins them
        again, which may be months later. `still_pulled` says why nothing can be resumed yet.
        """
        self._pulled = (author, why)
        for runner in self.runners:
            _halt(runner, author, why)

    def begun(self, runner: Runner) -> None:
        """A fund was taken up: it does nothing if the kill switch was pulled meanwhile, or before."""
        if self._pulled is not None:
            _halt(runner, *self._pulled)

    def unready(self) -> list[str]:
        """Why the daemon is not ready, one short reason each; empty when it is.

        Everybody may ask. So what counts is the first comparison with the venue: later ones that hold a fund
        up come at the end of an order, and would tell of it.
        """
        starting = self._standby or "starting: the venue is not reached yet"
        reasons = [] if self.runners else [starting]
        oldest_s = monotonic_s() - _CURRENT_S
        for symbol, underlying in self._underlyings.items():
            if underlying.lost and underlying.seen_s < oldest_s:
                reasons.append(f"{symbol}: no current mark")
        for runner in self.runners:
            if runner.failure is not None:
                reasons.append(f"{runner.name}: stopped")
            elif not runner.state.live.compared:
                reasons.append(f"{runner.name}: not reconciled yet")
        return reasons

    def status(self) -> list[FundStatus]:
        """Every fund's true figures at its latest mark."""
        return [self._status(runner) for runner in self.runners]

    def incidents(self) -> list[dict[str, Any]]:
        """All open incidents, and funds that stopped."""
        found: list[dict[str, Any]] = []
        for status in self.status():
            found += [{"fund": status["fund"], **incident} for incident in status["incidents"]]
        return found + [{"fund": None, **trouble_json(trouble)} for trouble in self.troubles]

    @property
    def troubles(self) -> Sequence[Trouble]:
        """Open incidents of the daemon itself: of alerts that did not arrive."""
        return () if self.office is None else self.office.troubles

    def _status(self, runner: Runner) -> FundStatus:
        state = runner.state
        mark = state.mark.price if state.mark is not None else None
        status = fund_status(state.fund, state.book, mark, self.mode, seen=state.mark, region=state.region)
        if runner.failure is not None:
            status["incidents"].append(stopped_json(self.redactor.text(runner.failure), runner.failed_ms))
        return with_troubles(status, self.troubles)


def _told(entry: RebalanceEntry) -> dict[str, Any]:
    told: dict[str, Any] = entry.to_json()
    if entry.revealed_ms is None:
        told |= {"target": None, "u": None, "salt": None}
    return told


def _halt(runner: Runner, author: str, why: str) -> None:
    if runner.state.book.control is not Control.HALTED:
        runner.handle(Controlled(*runner.now(), Control.HALTED, author, why))
