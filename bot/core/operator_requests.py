"""What an operator asks of a fund beyond pause, halt and resume: whether it can be done now, and doing it.

A request is taken whole or not at all, in the one step that records it. Asked again under the same
idempotency key, it changes nothing, after a restart as before it.
"""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from bot.core import draws
from bot.core import events as ev
from bot.core.decision import near_enough
from bot.core.events import Mark
from bot.core.fund import Fund
from bot.core.ledger import real_leverage
from bot.core.process_records import Configured
from bot.core.records import (
    Control,
    FundState,
    IncidentAcknowledged,
    Kind,
    OperatorAsked,
    RebalanceStarted,
    StateChanged,
)
from bot.core.turn import State, Turn
from bot.core.units import ZERO, Leverage, Urgency
from bot.core.upkeep import emergency

Request: TypeAlias = ev.Controlled | ev.RebalanceAsked | ev.FlattenAsked | ev.Acknowledged
"""What an operator can ask; each may carry an idempotency key."""


class RequestIdReusedError(Exception):
    """An idempotency key that is on record came with another request."""


class Wanted(NamedTuple):
    """An operator's request as it came in: one of `WORDS`, with who, why, and what it is about.

    `leverage`: where a rebalance leads; `code`: the incident that is acknowledged; `ratio`: new units, and
    the old ones that become them.
    """

    word: str
    author: str
    why: str
    request_id: str = ""
    content: str = ""
    leverage: Leverage | None = None
    code: str = ""
    ratio: tuple[int, int] = (1, 1)


CONTROLS = {"pause": Control.PAUSED, "resume": Control.RUNNING, "halt": Control.HALTED}
WORDS = (*CONTROLS, "rebalance", "flatten", "acknowledge")


def event(wanted: Wanted, time_ms: int, wall_ms: int) -> Request:
    """The event that asks a fund for it now."""
    who = (wanted.author, wanted.why, wanted.request_id, wanted.content)
    match wanted.word:
        case "rebalance":
            return ev.RebalanceAsked(time_ms, wall_ms, wanted.leverage, *who)
        case "flatten":
            return ev.FlattenAsked(time_ms, wall_ms, *who)
        case "acknowledge":
            return ev.Acknowledged(time_ms, wall_ms, wanted.code, *who)
        case _:
            return ev.Controlled(time_ms, wall_ms, CONTROLS[wanted.word], *who)


def refusal(state: State, event: Request) -> str | None:
    """Why `step` would not do what `event` asks at this moment; None where it would."""
    turn = Turn(state, event)
    if isinstance(event, ev.RebalanceAsked):
        return _rebalance_refused(turn, event)
    if isinstance(event, ev.FlattenAsked):
        return _flatten_refused(turn)
    if isinstance(event, ev.Acknowledged):
        return None if event.code in turn.book.incidents else f"no incident {event.code!r} is open"
    return None


def repeated(turn: Turn, event: Request) -> bool:
    """Whether this request is on record already."""
    return turn.book.request(event.request_id) is not None


def note(turn: Turn, what: str, event: Request | ev.RescaleAsked, leverage: Leverage | None = None) -> None:
    """Put the request on record."""
    turn.record(
        OperatorAsked(turn.now_ms, what, event.author, event.why, event.request_id, event.content, leverage)
    )


def rebalance_asked(turn: Turn, event: ev.RebalanceAsked) -> None:
    """Start a rebalance of kind `operator`. No commitment is used up: those are for band rebalances."""
    mark = turn.mark
    if repeated(turn, event) or mark is None or _rebalance_refused(turn, event) is not None:
        return
    note(turn, "rebalance", event, event.leverage)
    leverage = real_leverage(turn.book.ledger, mark.price)
    target = _target(turn, event)
    reducing = leverage is not None and target < leverage
    turn.record(
        RebalanceStarted(
            turn.now_ms,
            turn.book.rebalances + 1,
            Kind.OPERATOR,
            "by the operator",
            Urgency.PROMPT if reducing else Urgency.PATIENT,
            None,
            target,
            near_enough(turn, mark, target),
            mark.price,
            turn.book.ledger.position,
            leverage,
        )
    )


def flatten_asked(turn: Turn, event: ev.FlattenAsked) -> None:
    """From here on the fund holds nothing; a rebalance under way ends once its order is resolved."""
    mark = turn.mark
    if repeated(turn, event) or mark is None or _flatten_refused(turn) is not None:
        return
    note(turn, "flatten", event)
    value = turn.book.ledger.value(mark.price)
    turn.record(StateChanged(turn.now_ms, FundState.FLATTENED, mark.price, value))


def end_flattening(turn: Turn) -> None:
    """A flattened fund that is resumed goes back to its strategy, which finds it below its band."""
    mark = turn.mark
    if turn.book.state is FundState.FLATTENED and mark is not None:
        value = turn.book.ledger.value(mark.price)
        turn.record(StateChanged(turn.now_ms, FundState.ACTIVE, mark.price, value))


def acknowledged(turn: Turn, event: ev.Acknowledged) -> None:
    """Note who looks after an open incident."""
    if repeated(turn, event) or event.code not in turn.book.incidents:
        return
    if event.request_id:
        note(turn, "acknowledge", event)
    turn.record(IncidentAcknowledged(turn.now_ms, event.code, event.author, event.why))


def reconfigured(turn: Turn, event: ev.Reconfigured) -> None:
    """Keep the new settings until no rebalance is under way that the old ones define."""
    turn.live = turn.live._replace(settings=event)


def take_settings(turn: Turn) -> None:
    """Run by new settings from here on, unless a rebalance is under way."""
    new = turn.live.settings
    if new is None or turn.book.rebalance is not None:
        return
    turn.live = turn.live._replace(settings=None)
    turn.fund = new.fund
    turn.forget_outlook()
    if new.digest != turn.book.settings_digest:
        turn.record(Configured(turn.now_ms, new.digest, new.author, new.why))


def _flatten_refused(turn: Turn) -> str | None:
    if turn.mark is None:
        return "no mark has arrived yet; ask again in a moment"
    if turn.book.control is Control.HALTED:
        return "the fund is halted, so it cannot trade; resume it first"
    if turn.book.state is not FundState.ACTIVE:
        return f"the fund is {turn.book.state} already"
    return None


def _rebalance_refused(turn: Turn, event: ev.RebalanceAsked) -> str | None:
    mark = turn.mark
    if mark is None or not turn.live.reconciled or turn.live.funding_pending_ms is not None:
        return "the fund is being compared with the venue; ask again in a moment"
    leverage = real_leverage(turn.book.ledger, mark.price)
    if leverage is None:
        return "the fund is dead"
    return next(_objections(turn, event, mark, leverage), None)


def _objections(turn: Turn, event: ev.RebalanceAsked, mark: Mark, leverage: Leverage) -> Iterator[str]:
    """What speaks against a rebalance at `mark`; each is looked at only where those before it do not hold."""
    book = turn.book
    if turn.live.parking:
        yield "the daemon is about to stop"
    if book.control is Control.HALTED:
        yield "the fund is halted; resume it first"
    if book.rebalance is not None:
        yield "a rebalance is under way; wait until it is over"
    if book.state is not FundState.ACTIVE:
        yield f"the fund is {book.state}"
    if not book.opened:
        yield "the fund has not opened yet"
    if emergency(turn, mark):
        yield "leverage is at the emergency level, from which the fund delevers by itself"
    if event.leverage is not None and not within_reach(turn.fund, event.leverage):
        yield "the stated leverage is out of the fund's reach: the band, or below emergency without one"
    target = _target(turn, event)
    refused = turn.increases_refused(mark) if target > leverage else None
    if refused is not None:
        yield f"leverage cannot be raised now: {refused.reason}"
    if abs(leverage - target) <= near_enough(turn, mark, target):
        yield "real leverage is so near to the target that nothing can be traded"


def within_reach(fund: Fund, leverage: Leverage) -> bool:
    """Whether an operator may state this leverage: inside the band, or below emergency where none is used."""
    if fund.uses_band:
        return fund.band[0] <= leverage <= fund.band[1]
    return ZERO < leverage < fund.emergency


def _target(turn: Turn, event: ev.RebalanceAsked) -> Leverage:
    """The stated leverage, or one that follows from the fund's sealed key by the law of all targets."""
    if event.leverage is not None:
        return event.leverage
    drawn = draws.digits(turn.book.key, "operator", turn.book.rebalances + 1)
    return draws.target(drawn, *turn.fund.target_range)
