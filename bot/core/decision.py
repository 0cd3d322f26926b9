"""Whether to rebalance: the strategy is asked, core enforces what no strategy may overrule.

In this order: death (fund value not positive), too small to be managed, first opening, a position on the
wrong side of zero, emergency, strategy.
"""

from decimal import Decimal
from math import inf
from typing import NamedTuple

from bot.core import draws, fees, plan
from bot.core.events import Mark
from bot.core.flow_records import FinalNav
from bot.core.ledger import real_leverage
from bot.core.outlook import NextSlice
from bot.core.records import (
    ConfirmationCancelled,
    ConfirmationStarted,
    FundState,
    Kind,
    RebalanceSkipped,
    RebalanceStarted,
    StateChanged,
)
from bot.core.rules import Denied, Wish, confirmation_deadline_ms, judge
from bot.core.strategy import FundView, Hold
from bot.core.turn import HIGHEST, Region, Turn
from bot.core.units import ZERO, Leverage, Price, Urgency, Usd
from bot.core.upkeep import emergency, next_grid_ms

_SKIP_REPEAT_MS = 60_000

# Python 3.11 takes as long to look a member up in its class as to divide; each decision needs these.
_ACTIVE, _BAND = FundState.ACTIVE, Kind.BAND
_PATIENT, _PROMPT = Urgency.PATIENT, Urgency.PROMPT


def consider(turn: Turn, mark: Mark) -> NextSlice | None:
    """Decide with no rebalance under way; the first slice of one when it was started."""
    leverage = real_leverage(turn.book.ledger, mark.price)
    if turn.book.state is _ACTIVE and turn.book.opened:
        value = turn.book.ledger.value(mark.price)
        if leverage is None and turn.book.units:
            turn.record(StateChanged(turn.now_ms, FundState.DEAD, mark.price, value))
        elif _too_small(turn, mark, value):
            turn.record(StateChanged(turn.now_ms, FundState.TOO_SMALL, mark.price, value))
    if turn.book.state is not _ACTIVE or leverage is None:
        return _rest_or_flatten(turn, mark, leverage)
    if not turn.book.opened:
        return _open(turn, mark, leverage)
    if turn.book.position * turn.fund.sign < ZERO:
        # Left by a stranger's trade: no strategy meant it, and it may be as much leverage as a band allows.
        return _flatten(turn, mark, leverage, "on the wrong side of zero")
    view = _view(turn, mark, leverage)
    verdict = judge(turn.fund, view, leverage)
    if isinstance(verdict, Hold):
        _hold(turn, mark, leverage, verdict)
        return None
    if isinstance(verdict, Denied):
        _skip(turn, mark, verdict.reason)
        return None
    return _ask(turn, mark, leverage, verdict)


def _view(turn: Turn, mark: Mark, leverage: Leverage) -> FundView:
    fund, book = turn.fund, turn.book
    last_mark = book.last_rebalance_mark if book.last_rebalance_mark is not None else mark.price
    return FundView(
        turn.now_ms / 1000,
        "long" if fund.sign > 0 else "short",
        float(mark.price),
        float(leverage),
        fund.float_band,
        fund.float_target_range,
        book.last_rebalance_ms / 1000,
        float(last_mark),
        book.volatility,
    )


def _too_small(turn: Turn, mark: Mark, value: Usd) -> bool:
    """Whether the smallest trade that the fund would have to make is below the venue's minimum."""
    contract, trade = turn.contract, value * turn.fund.smallest_share
    # The venue's minimum is never above this sum, and nearly every fund is far above it.
    if trade >= contract.safe_notional + (contract.min_quantity + contract.lot) * mark.price:
        return False
    return trade < contract.min_increase(mark.price) * mark.price


def _rest_or_flatten(turn: Turn, mark: Mark, leverage: Leverage | None) -> NextSlice | None:
    """A dead or too small fund holds nothing; flat, or as flat as the venue's minima allow, it rests."""
    left = plan.remaining(turn.book.ledger, mark.price, ZERO, turn.fund.sign, turn.contract)
    if plan.slice_quantity(left, turn.book.ledger, mark.price, turn.contract) == ZERO:
        _close(turn, mark)
        turn.region = Region(ZERO, HIGHEST, next_grid_ms(turn.now_ms))
        return None
    return _flatten(turn, mark, leverage, turn.book.state.value)


def _flatten(turn: Turn, mark: Mark, leverage: Leverage | None, reason: str) -> NextSlice:
    tolerance = near_enough(turn, mark, ZERO)
    urgency = Urgency.EMERGENCY if emergency(turn, mark) else _PROMPT
    return _start(turn, mark, leverage, _Choice(Kind.FLATTEN, ZERO, urgency, reason, None, tolerance))


def _close(turn: Turn, mark: Mark) -> None:
    """Say once what a unit is worth from now on; the management fee ends here."""
    book = turn.book
    if book.final is None and book.units:
        fees.accrue(turn, mark.price, turn.now_ms)
        value = max(book.ledger.value(mark.price), ZERO)
        turn.record(FinalNav(turn.now_ms, value / book.units, value, book.units))
        fees.attend(turn, mark)


def _open(turn: Turn, mark: Mark, leverage: Leverage) -> NextSlice | None:
    if turn.increases_refused(mark):
        return None
    target = turn.fund.start_leverage
    tolerance = near_enough(turn, mark, target)
    return _start(turn, mark, leverage, _Choice(Kind.OPEN, target, _PATIENT, "opening", None, tolerance))


def _hold(turn: Turn, mark: Mark, leverage: Leverage, hold: Hold) -> None:
    """Nothing to do: cancel a pending confirmation, and remember for which marks that stays true."""
    if turn.book.confirmation is not None:
        turn.record(ConfirmationCancelled(turn.now_ms, mark.price, leverage))
    until_ms = next_grid_ms(turn.now_ms)
    if hold.until_s != inf:
        until_ms = min(until_ms, int(hold.until_s * 1000))
    if mark.next_funding_ms is not None and mark.next_funding_ms > turn.now_ms:
        until_ms = min(until_ms, mark.next_funding_ms)
    turn.region = _large_enough(
        turn, mark, Decimal(hold.low), HIGHEST if hold.high == inf else Decimal(hold.high), until_ms
    )


def _large_enough(turn: Turn, mark: Mark, low: Price, high: Price, until_ms: int) -> Region | None:
    """The part of [low, high] in which the fund is certainly not too small; None if it may be already.

    Value x share - smallest order is at least spare + slope x price, a line that is zero at `edge`.
    """
    ledger, contract, share = turn.book.ledger, turn.contract, turn.fund.smallest_share
    slope = ledger.position * share - contract.lot - contract.min_quantity
    spare = ledger.cash * share - contract.safe_notional
    if spare + slope * mark.price < ZERO:
        return None
    edge = -spare / slope if slope else ZERO
    if slope < ZERO:
        return Region(low, min(high, edge), until_ms, turn.outlook())
    return Region(max(low, edge), high, until_ms, turn.outlook())


def _ask(turn: Turn, mark: Mark, leverage: Leverage, wish: Wish) -> NextSlice | None:
    """Turn a wish into a rebalance, unless it must wait, be confirmed, or has nothing to trade."""
    kind = wish.kind
    if wish.increasing and turn.increases_refused(mark):
        return None
    if wish.confirmation_s > 0 and not _confirmed(turn, mark, leverage, wish.confirmation_s):
        return None
    drawn = _draw(turn, kind, wish.low, wish.high)
    if drawn is None:
        return None  # the next draw is on its way
    sequence, target = drawn
    urgency = _PATIENT  # leveraging up never is urgent, delevering always is
    if target < leverage:
        urgency = Urgency.EMERGENCY if wish.urgency == "emergency" else _PROMPT
    tolerance = near_enough(turn, mark, target)
    if abs(leverage - target) <= tolerance:
        _skip(turn, mark, f"{wish.reason}: nothing tradable")
        return None
    return _start(
        turn,
        mark,
        leverage,
        _Choice(kind, target, urgency, wish.reason, sequence, tolerance, wish.low, wish.high),
    )


def _draw(turn: Turn, kind: Kind, low: Leverage, high: Leverage) -> tuple[int | None, Leverage] | None:
    """The target, with its draw's sequence number where the public holds a commitment to it.

    None while there is no such draw.
    """
    book = turn.book
    if kind is not _BAND:
        return None, draws.target(draws.digits(book.key, "schedule", book.rebalances + 1), low, high)
    target = turn.outlook().target
    if target is None:
        return None
    sequence, _, u, _ = book.draws[0]
    if (low, high) != turn.fund.target_range:
        target = draws.target(u, low, high)
    return sequence, target


def _skip(turn: Turn, mark: Mark, reason: str) -> None:
    """Note why a wish was not followed; while the mark stays there, not more than once a minute."""
    last = turn.book.skipped
    if (
        last is None
        or turn.now_ms - last.time_ms >= _SKIP_REPEAT_MS
        or abs(mark.price - last.mark) * 1000 > last.mark
    ):
        turn.record(RebalanceSkipped(turn.now_ms, mark.price, reason))


def near_enough(turn: Turn, mark: Mark, target: Leverage) -> Leverage:
    """How near is near enough; a trade to a target further away is never below the minimum order."""
    return plan.tolerance(turn.book.ledger, mark.price, target, turn.fund.sign, turn.contract)


def _confirmed(turn: Turn, mark: Mark, leverage: Leverage, cap_s: float) -> bool:
    """Run the secret confirmation delay; `consider` cancels it when the strategy holds again."""
    pending = turn.book.confirmation
    if pending is None:
        number = turn.book.confirmations + 1
        deadline_ms = confirmation_deadline_ms(turn.now_ms, cap_s, turn.book.key, number)
        turn.record(ConfirmationStarted(turn.now_ms, mark.price, leverage, deadline_ms))
        pending = turn.book.confirmation
    if pending is None or turn.now_ms >= pending.deadline_ms:
        return True
    turn.wake_at(pending.deadline_ms)
    return False


class _Choice(NamedTuple):
    """A rebalance that was decided on."""

    kind: Kind
    target: Leverage
    urgency: Urgency
    reason: str
    sequence: int | None
    tolerance: Leverage
    low: Leverage | None = None
    high: Leverage | None = None


def _start(turn: Turn, mark: Mark, leverage: Leverage | None, choice: _Choice) -> NextSlice:
    kind, target, urgency, reason, sequence, tolerance, low, high = choice
    first = turn.outlook().first
    turn.record(
        RebalanceStarted(
            turn.now_ms,
            turn.book.rebalances + 1,
            kind,
            reason,
            urgency,
            sequence,
            target,
            tolerance,
            mark.price,
            turn.book.ledger.position,
            leverage,
            low,
            high,
        )
    )
    return first
