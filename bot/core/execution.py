"""The rebalance under way: when it ends, and its next slice.

Leverage is frozen, not quantity: before each slice what remains is computed anew at the current mark. A slice
is proposed here; only `limits` can make an order of it, and the intent is recorded before anything is sent.
"""

from decimal import Decimal

from bot.core import draws, guarding, limits, plan, publication, resting
from bot.core.commands import FetchTouch, FetchVolume
from bot.core.episode import OpenRebalance, open_rebalance
from bot.core.events import Mark
from bot.core.ledger import real_leverage, target_position
from bot.core.orders import ORDER_LIFETIME_MS
from bot.core.outlook import NextSlice, next_slice
from bot.core.records import (
    Ending,
    FundState,
    Kind,
    OrderIntended,
    RebalanceFinished,
    RebalanceParked,
    SliceDeferred,
    UrgencyRaised,
)
from bot.core.texts import time_text
from bot.core.turn import Turn
from bot.core.units import ZERO, Contracts, Price, Urgency
from bot.core.upkeep import emergency

# Python 3.11 takes as long to look a member up in its class as to divide; each slice needs these.
_PATIENT, _PROMPT, _EMERGENCY = Urgency.PATIENT, Urgency.PROMPT, Urgency.EMERGENCY

UNFILLED_LIMIT_MS = 900_000
"""A delever that is still open after this market time is an incident."""

_UNFILLED = "unfilled delever"
_OVERDUE = "overdue rebalance"
_DEFERRAL_MS = 1_000
_MINUTE_MS = 60_000
_VOLUME_GRID = Decimal("0.000001")
_TOUCH_AGE_MS = 2_000
"""Best bid and ask are good for a post-only order for this market time."""


def begin(turn: Turn, mark: Mark, first: NextSlice) -> None:
    """Propose the first slice of a rebalance that was decided at this very mark: it cannot be over yet."""
    open_, contract = open_rebalance(turn.book), turn.contract
    goal = target_position(turn.book.ledger, mark.price, open_.target, turn.fund.sign, contract.taker_fee)
    _propose(turn, mark, open_, goal, plan.lots_to(goal, turn.book.ledger, contract), first)


def progress(turn: Turn, mark: Mark) -> None:
    """Carry the open rebalance one move further: end it, wait, or propose its next slice."""
    open_ = open_rebalance(turn.book)
    if open_.order is not None:
        return  # the venue has the word
    if not open_.increasing and open_.urgency is not _EMERGENCY and emergency(turn, mark):
        turn.record(UrgencyRaised(turn.now_ms, Urgency.EMERGENCY, mark.price))
        open_ = open_rebalance(turn.book)
    ledger, contract = turn.book.ledger, turn.contract
    goal = target_position(ledger, mark.price, open_.target, turn.fund.sign, contract.taker_fee)
    left = plan.lots_to(goal, ledger, contract)
    ending = _ending(turn, mark, open_, left)
    if ending is not None:
        finish(turn, mark, ending)
        return
    if not _between_slices(turn, open_):
        _propose(turn, mark, open_, goal, left, next_slice(turn.book, open_))


def watch_age(turn: Turn) -> None:
    """A rebalance that is not done in time is an incident, whatever it waits for; it goes on."""
    open_ = turn.book.rebalance
    if open_ is None or open_.kind is Kind.FLOW:
        return
    age_ms = turn.now_ms - open_.started_ms
    if not open_.increasing and age_ms > UNFILLED_LIMIT_MS:
        turn.open_incident(
            _UNFILLED,
            f"rebalance {open_.number} reduces leverage since {time_text(open_.started_ms)} and is not done",
            "look at the book and at the venue's state; the daemon keeps trying",
            stops_increases=False,
        )
    elif open_.increasing and age_ms > plan.OVERDUE_MS:
        turn.open_incident(
            _OVERDUE,
            f"rebalance {open_.number} raises leverage since {time_text(open_.started_ms)} and is not done",
            "see what stops or slows it (breaches, a pause, limits, the book); the daemon keeps trying",
            stops_increases=False,
        )


def carry_on(turn: Turn, mark: Mark, left: Contracts) -> None:
    """Propose the next slice of a rebalance that trades a quantity, of which `left` is left, in its time."""
    open_ = open_rebalance(turn.book)
    if not _between_slices(turn, open_):
        _propose(turn, mark, open_, turn.book.position + left, left, next_slice(turn.book, open_))


def park(turn: Turn) -> None:
    """Leave an open rebalance in a state from which the next start goes on.

    An order under way is awaited first, unless the market waits with us.
    """
    open_ = turn.book.rebalance
    if open_ is None or open_.parked:
        return
    if open_.order is None or resting.stays(turn, open_.order):
        turn.record(RebalanceParked(turn.now_ms))


def _ending(turn: Turn, mark: Mark, open_: OpenRebalance, left: Contracts) -> Ending | None:
    ledger = turn.book.ledger
    if turn.book.state is FundState.FLATTENED and open_.kind is not Kind.FLATTEN:
        return Ending.SUPERSEDED
    if open_.kind is Kind.BAND and plan.passed_opposite_edge(
        ledger, mark.price, turn.fund.band, increasing=open_.increasing
    ):
        return Ending.SUPERSEDED
    # To close what a stranger's trade left on the other side of zero is no increase.
    wrong_sign = ledger.position * turn.fund.sign < ZERO
    if left == ZERO or ((left * turn.fund.sign > ZERO) != open_.increasing and not wrong_sign):
        return Ending.DONE  # there, or carried past it by the price: that is not traded back
    if plan.slice_quantity(left, ledger, mark.price, turn.contract) == ZERO:
        return Ending.DONE
    leverage = real_leverage(ledger, mark.price)
    if open_.kind is not Kind.FLATTEN and leverage is not None:
        return Ending.DONE if abs(leverage - open_.target) <= plan.CLOSE_ENOUGH else None
    return None


def finish(turn: Turn, mark: Mark, ending: Ending) -> None:
    """The rebalance under way is over: ledger and venue are compared, and its reveal is scheduled."""
    ledger, number = turn.book.ledger, open_rebalance(turn.book).number
    turn.record(
        RebalanceFinished(turn.now_ms, ending, mark.price, ledger.position, real_leverage(ledger, mark.price))
    )
    turn.live = turn.live._replace(touch=None, touch_asked=False)  # the next one asks for itself
    publication.schedule(turn, number)
    for code in (_UNFILLED, _OVERDUE):
        turn.close_incident(code, "the rebalance ended")
    guarding.release(turn)
    turn.reconcile()


def _between_slices(turn: Turn, open_: OpenRebalance) -> bool:
    """Whether the pause before the next slice lasts.

    A prompt one asks for the market's volume in it, for the slices that follow: the first one does not wait.
    """
    if turn.now_ms >= open_.next_slice_ms:
        return False
    if open_.urgency is _PROMPT:
        _volume_awaited(turn)
    turn.wake_at(open_.next_slice_ms)
    return True


def _touch_awaited(turn: Turn, open_: OpenRebalance, *, posts: bool) -> bool:
    """Whether the book must be seen first: to post at its touch, or where an urgent slice filled nothing.

    An urgent slice asks, but does not depend on the answer.
    """
    live = turn.live
    if posts:
        touch = live.touch
        if touch is not None and turn.now_ms - touch.time_ms <= _TOUCH_AGE_MS:
            return False
        wanted = touch is not None or not live.touch_asked
    else:
        wanted = open_.misses > 0 and open_.urgency is not _PATIENT and not live.touch_asked
    if wanted:
        turn.live = live._replace(touch=None, touch_asked=True)
        turn.commands.append(FetchTouch())
    return wanted or posts


def _propose(
    turn: Turn, mark: Mark, open_: OpenRebalance, goal: Contracts, left: Contracts, drawn: NextSlice
) -> None:
    if turn.live.contract_asked and open_.urgency is not _EMERGENCY:
        return  # its rules may be others by now
    contract, ledger = turn.contract, turn.book.backed
    how = plan.manner(open_.urgency, turn.now_ms - open_.started_ms)
    posts = open_.misses < how.posts
    if posts:
        refusal = turn.increases_refused(mark)
        if refusal is not None:
            _defer(turn, open_, refusal.reason)
            return
    volume_awaited = posts and _volume_awaited(turn)  # both are asked for at once
    if ((posts or open_.misses) and _touch_awaited(turn, open_, posts=posts)) or volume_awaited:
        return
    law = how.slice_share
    share = None if law is None else draws.share(*law, drawn.size)
    most = _most(turn, mark, how)
    quantity = plan.slice_quantity(left, ledger, mark.price, contract, share, law=law, most=most)
    price = _price(turn, mark, open_, how, quantity, posts=posts)
    proposal = limits.Proposal(drawn.cid, quantity, price, goal, posts)
    verdict = limits.approve(proposal, contract, ledger, turn.conditions(mark))
    if isinstance(verdict, limits.Refusal):
        if verdict.breach is not None:
            turn.breach(verdict.breach, f"rebalance {open_.number} was refused an order: {verdict.reason}")
        _defer(turn, open_, verdict.reason, verdict.until_ms)
        return
    turn.record(
        OrderIntended(
            turn.now_ms,
            verdict.cid,
            verdict.quantity,
            verdict.limit_price,
            verdict.reduce_only,
            mark.price,
            turn.wall_ms + ORDER_LIFETIME_MS,
            _rests_until_ms(turn, open_, how) if posts else None,
            _market_per_s(turn),
        )
    )
    turn.commands.append(verdict)
    if verdict.rests:
        guarding.arm(turn, int(how.rest_s[1] * 1000))


def _most(turn: Turn, mark: Mark, how: plan.Manner) -> Contracts | None:
    """The largest slice: by the operator's cap, and by our part of the market unless all must go at once."""
    caps, seen = turn.fund.caps, turn.live.volume
    most = None if caps.order_notional is None else caps.order_notional / mark.price
    if how.slice_share is None or seen is None or not seen.volume:
        return most
    part = plan.most_of_market(seen.volume, seen.span_ms, how.gap_s, caps.participation)
    return part if most is None else min(most, part)


def _market_per_s(turn: Turn) -> Contracts | None:
    seen = turn.live.volume
    if seen is None or not seen.volume:
        return None
    return (seen.volume * 1000 / seen.span_ms).quantize(_VOLUME_GRID)


def _volume_awaited(turn: Turn) -> bool:
    """Whether the market's volume is on its way; it is asked for once in a minute of market time.

    It is that of whole minutes, so a restart that asks again within the same minute learns the same.
    """
    live = turn.live
    asked_ms = live.volume_asked_ms
    if asked_ms is None or turn.now_ms // _MINUTE_MS != asked_ms // _MINUTE_MS:
        turn.live = live._replace(volume_asked_ms=turn.now_ms, volume=None)
        turn.commands.append(FetchVolume())
        return True
    return live.volume is None


def _price(
    turn: Turn, mark: Mark, open_: OpenRebalance, how: plan.Manner, quantity: Contracts, *, posts: bool
) -> Price:
    """Our own touch for a post-only order, else the collar; which starts at the touch when urgent."""
    touch, contract = turn.live.touch, turn.contract
    elapsed_ms = turn.now_ms - open_.urgency_since_ms
    opposite = None
    if touch is not None and open_.urgency is not _PATIENT:
        opposite = touch.ask if quantity > ZERO else touch.bid
    worst = plan.limit_price(quantity, mark.price, opposite, how, elapsed_ms, contract)
    if not posts or touch is None:
        return worst
    return plan.post_price(quantity, touch.bid if quantity > ZERO else touch.ask, worst, contract)


def _rests_until_ms(turn: Turn, open_: OpenRebalance, how: plan.Manner) -> int:
    low, high = how.rest_s
    rest_s = draws.between(low, high, turn.book.key, "rest", open_.number, open_.slices + 1)
    return turn.now_ms + int(1000 * rest_s)


def _defer(turn: Turn, open_: OpenRebalance, reason: str, until_ms: int | None = None) -> None:
    """Try again soon, or once it helps; the journal learns of a refusal once, not at every mark."""
    retry_ms = turn.now_ms + _DEFERRAL_MS if until_ms is None else until_ms
    turn.live = turn.live._replace(touch=None, touch_asked=False)
    if reason != open_.deferred or until_ms is not None:
        turn.record(SliceDeferred(turn.now_ms, reason, retry_ms))
    turn.wake_at(retry_ms)
