"""The one pure step that owns control flow, in every mode.

    mark -> fund state -> decision -> plan -> slice -> limits -> order -> fill -> records

`step` first takes an event in (`_TAKE`), then drives the fund as far as it can go without hearing from
outside: goes on with the rebalance under way, or considers a new one. The leaves compute; nothing here does
any work that could fail for reasons other than a bug.
"""

from collections.abc import Callable
from typing import Any

from bot.core import (
    cash,
    contract_rules,
    dealing,
    fees,
    flow_requests,
    guarding,
    operator_requests,
    protection,
    publication,
    reconcile,
    recovery,
    settlement,
    shadow,
    unread,
    upkeep,
)
from bot.core import events as ev
from bot.core.book import Book
from bot.core.breaches import ADOPTED, CRASH_LOOP
from bot.core.commands import Command
from bot.core.decision import consider
from bot.core.execution import begin, park, progress, watch_age
from bot.core.fund import Contract, Fund
from bot.core.process_records import PutDown, TakenUp
from bot.core.records import (
    Control,
    ControlChanged,
    FundCreated,
    IncidentClosed,
    Kind,
    RebalanceResumed,
    Record,
)
from bot.core.recovery_events import IdentityDrawn, OrdersSeen, StorageSeen
from bot.core.stop_events import StopMissing, StopRefused, StopReport, StopsSeen, StopUnknown
from bot.core.trust import MAX_SKEW_MS
from bot.core.turn import State, Turn
from bot.core.watch_events import ClockSeen, ContractDue, ContractSeen, SettingsSeen

Step = tuple[State, tuple[Record, ...], tuple[Command, ...]]


def start(fund: Fund, contract: Contract, book: Book) -> State:
    """The engine of a fund whose journal folds to `book`.

    Give it `Opened` (first start) or `Resumed` first.
    """
    return State(fund, contract, book)


def step(state: State, event: ev.Event) -> Step:
    """Take one event in: the new state, the records to make durable, and then the commands to carry out."""
    if type(event) is ev.Mark:
        region = state.region
        if (
            region is not None
            and region.low <= event.price <= region.high
            and event.time_ms < region.until_ms
        ):
            return (
                State(state.fund, state.contract, state.book, event, region, state.wake_ms, state.live),
                (),
                (),
            )
    turn = Turn(state, event)
    _TAKE[type(event)](turn, event)
    _drive(turn)
    shadow.follow(turn)
    return turn.state(), tuple(turn.records), tuple(turn.commands)


def _drive(turn: Turn) -> None:
    """Go as far as possible without hearing from outside."""
    if turn.book.created is None:
        return
    operator_requests.take_settings(turn)
    publication.publish_due(turn)
    upkeep.keep_draws_queued(turn)
    settlement.attend(turn)
    cash.attend(turn)
    if turn.book.control is not Control.HALTED:
        watch_age(turn)
    mark = turn.mark
    if mark is None or not turn.live.reconciled or not turn.live.scanned or turn.book.restored:
        return
    upkeep.sample(turn, mark)
    if turn.book.control is Control.HALTED:
        return
    if turn.live.parking:
        park(turn)
        return
    if turn.book.rebalance is not None and turn.book.rebalance.parked:
        turn.record(RebalanceResumed(turn.now_ms))
    if turn.book.flows and dealing.strike(turn, mark):
        settlement.attend(turn)  # an order that rests is taken back for it
    if turn.live.funding_pending_ms is not None and not upkeep.emergency(turn, mark):
        return  # decisions wait the moment until the funding of this instant is booked
    fees.attend(turn, mark)
    if turn.book.dealing is not None:
        dealing.attend(turn, mark)
    if not protection.is_reached(turn, mark):
        _trade(turn, mark)


def _trade(turn: Turn, mark: ev.Mark) -> None:
    """Go on with what is under way, a flow's trade first; with nothing under way, consider a rebalance."""
    if turn.book.rebalance is not None and turn.book.rebalance.kind is Kind.FLOW:
        dealing.progress(turn, mark)
    open_ = turn.book.rebalance
    if open_ is not None and open_.kind is not Kind.FLOW:
        progress(turn, mark)
        operator_requests.take_settings(turn)
    if turn.book.rebalance is None:
        first = consider(turn, mark)
        if first is not None:
            begin(turn, mark, first)
        elif turn.book.flows and turn.region is not None:
            turn.region = dealing.bounded(turn, turn.region)
    protection.attend(turn, mark)


def _opened(turn: Turn, event: ev.Opened) -> None:
    fund = turn.fund
    turn.record(
        FundCreated(
            time_ms=turn.now_ms,
            fund=fund.name,
            underlying=fund.underlying,
            side=fund.side,
            capital=fund.capital,
            unallocated=event.wallet - fund.capital,
            incarnation=event.incarnation,
            key=event.key,
            known_income=None if event.known_income is None else ",".join(event.known_income),
        )
    )
    turn.reconcile()


def _resumed(turn: Turn, event: ev.Resumed) -> None:
    """A restart is recovery: look up what may have been sent, then compare with the venue.

    Each subject says in its own `resumed` what it does not know at a start, and asks for it.
    """
    turn.record(TakenUp(turn.now_ms, event.wall_ms))
    if turn.book.starts > MOST_STARTS:
        turn.breach(CRASH_LOOP, f"taken up {turn.book.starts} times in a row, and never for long")
    if event.adopt:
        _rearm(turn, ADOPTED)
    protection.resumed(turn)
    if not settlement.resumed(turn):
        turn.reconcile()
    guarding.resumed(turn)
    contract_rules.resumed(turn)
    cash.resumed(turn)
    recovery.resumed(turn, event)


def _marked(turn: Turn, event: ev.Mark) -> None:
    if turn.mark is not None and event.time_ms < turn.mark.time_ms:
        return  # an older mark never replaces a newer one
    if turn.mark is not None:
        upkeep.watch_funding(turn, turn.mark, event)
        fees.watch(turn, turn.mark, event)
    turn.mark = event
    if not turn.live.feed_trusted:
        turn.live = turn.live._replace(feed_trusted=True)
    turn.close_incident(STALE, "a fresh mark arrived")


def _feed_lost(turn: Turn, event: ev.FeedLost) -> None:
    turn.live = turn.live._replace(feed_trusted=False)
    turn.open_incident(
        STALE,
        event.reason,
        "none needed: increases resume with the next mark; check the network",
        stops_increases=False,
    )


def _drawn(turn: Turn, event: ev.Drawn) -> None:
    upkeep.take_draw(turn, event)


def _touched(turn: Turn, event: ev.TouchSeen) -> None:
    turn.live = turn.live._replace(touch=event)


def _clock_seen(turn: Turn, event: ClockSeen) -> None:
    turn.live = turn.live._replace(skew_ms=event.skew_ms)
    if abs(event.skew_ms) <= MAX_SKEW_MS:
        turn.close_incident(SKEW, "the clocks agree again")
        return
    turn.open_incident(
        SKEW,
        f"our clock is {event.skew_ms} ms ahead of the venue's (negative: behind)",
        "set this machine's clock, and keep it set (NTP); increases resume once the clocks agree",
        stops_increases=False,
    )


def _settings_seen(turn: Turn, event: SettingsSeen) -> None:
    turn.looked(SETTINGS)
    if event.problem is None:
        turn.close_incident(SETTINGS, "the account is set as it should be")
        return
    turn.open_incident(
        SETTINGS,
        event.problem,
        "find out who changed it; a restart sets the account's modes up anew, or put it right by hand",
        stops_increases=True,
    )


def _volume_seen(turn: Turn, event: ev.VolumeSeen) -> None:
    turn.live = turn.live._replace(volume=event)


def _controlled(turn: Turn, event: ev.Controlled) -> None:
    """Pause, halt or resume. What resumes is rearmed, and compared with the venue at once.

    How the account is set is read by the daemon, which hears of the incident's end.
    """
    if operator_requests.repeated(turn, event):
        return
    if event.request_id:
        operator_requests.note(turn, str(event.control), event)
    if event.control is not turn.book.control:
        turn.record(ControlChanged(turn.now_ms, event.control, event.author, event.why))
    if event.control is Control.RUNNING:
        operator_requests.end_flattening(turn)
    if event.control is Control.RUNNING and turn.book.breaches:
        turn.live = turn.live._replace(
            looked_at=turn.live.looked_at | _LOOKED_AT.intersection(turn.book.breaches)
        )
        _rearm(turn, f"rearmed by {event.author}: {event.why}")
        _reconcile_due(turn, ev.ReconcileDue(event.time_ms, event.wall_ms))


def _rearm(turn: Turn, how: str) -> None:
    """Close what stops increases; what lasts whatever is said ends by itself, and nothing would reopen it."""
    for code in turn.book.breaches:
        if code not in _LASTING:
            turn.record(IncidentClosed(turn.now_ms, code, how))
        if code == settlement.VANISHED:
            settlement.looked_for(turn)


def _park(turn: Turn, event: ev.Park) -> None:
    if turn.book.starts:
        turn.record(PutDown(turn.now_ms))
    turn.live = turn.live._replace(parking=True, market_waits=event.market_waits)


def _reconcile_due(turn: Turn, _: ev.ReconcileDue) -> None:
    if not turn.live.reconciled:
        return  # under way
    protection.verify(turn)
    if turn.book.rebalance is None or turn.book.rebalance.order is None:
        turn.reconcile()
    else:
        turn.live = turn.live._replace(compare_due=True)


def _income_seen(turn: Turn, event: ev.IncomeSeen) -> None:
    upkeep.income_seen(turn, event)
    cash.looked(turn)


def _woken(turn: Turn, _: ev.Wake | ev.Guarded) -> None:
    """Time passed; `_drive` sees what is due."""


STALE = "stale mark"
SKEW = "clock skew"
SETTINGS = "account settings changed"

_LASTING = frozenset({recovery.LOW_DISK, contract_rules.CLOSED, cash.OVERDRAWN})
"""No word of an operator makes room on a disk, has the venue trade a contract, or brings money back."""

_LOOKED_AT = frozenset({SETTINGS, reconcile.DIFFERENCE})
"""What an operator ends is seen at the venue: no position is increased before that was looked at."""

MOST_STARTS = 10
"""More starts in a row than this, none of which led to anything, are a crash loop."""

_TAKE: dict[type, Callable[[Turn, Any], None]] = {
    ev.Opened: _opened,
    ev.Resumed: _resumed,
    ev.Mark: _marked,
    ev.FeedLost: _feed_lost,
    ev.Drawn: _drawn,
    ev.Wake: _woken,
    ev.TouchSeen: _touched,
    ev.VolumeSeen: _volume_seen,
    ev.Guarded: _woken,
    ClockSeen: _clock_seen,
    SettingsSeen: _settings_seen,
    ContractDue: contract_rules.due,
    ContractSeen: contract_rules.seen,
    ev.Park: _park,
    OrdersSeen: recovery.orders_seen,
    IdentityDrawn: recovery.identity_drawn,
    StorageSeen: recovery.storage_seen,
    ev.ReconcileDue: _reconcile_due,
    ev.Controlled: _controlled,
    ev.RebalanceAsked: operator_requests.rebalance_asked,
    ev.FlattenAsked: operator_requests.flatten_asked,
    ev.Acknowledged: operator_requests.acknowledged,
    ev.Reconfigured: operator_requests.reconfigured,
    ev.OrderReport: settlement.reported,
    ev.OrderRefused: settlement.refused,
    ev.OrderUnknown: settlement.lost,
    ev.OrderMissing: settlement.missing,
    ev.TradesSeen: settlement.traded,
    StopReport: protection.reported,
    StopRefused: protection.refused,
    StopUnknown: protection.lost,
    StopMissing: protection.missing,
    StopsSeen: protection.listed,
    ev.IncomeSeen: _income_seen,
    ev.FlowAsked: flow_requests.asked,
    ev.RescaleAsked: flow_requests.rescale_asked,
    ev.CashMoved: cash.moved,
    ev.DayMarkSeen: fees.day_mark_seen,
    ev.AccountSeen: reconcile.account_seen,
    ev.ReadFailed: unread.read_failed,
}
