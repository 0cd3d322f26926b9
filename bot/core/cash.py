"""Deposits and withdrawals: whose they are, and asking for them.

A deposit lands in *unallocated* cash, which is nobody's; a subscription that it covers takes it into escrow.
A withdrawal pays redemptions first, then fees that are due, and then takes what is unallocated.
"""

from bot.core.commands import FetchIncome, MoveCash
from bot.core.events import CashMoved
from bot.core.flow_records import FeesPaid, FlowCancelled, FlowFunded, FlowKind, FlowPaid
from bot.core.flows import Flow, FlowState
from bot.core.orders import ORDER_LIFETIME_MS
from bot.core.records import FundState
from bot.core.turn import Turn
from bot.core.units import DAY_MS, ZERO, Usd

EXPIRY_MS = 3 * DAY_MS
"""A subscription whose money has not come after this market time is over."""

OVERDRAWN = "unmatched withdrawal"

_ASK_AGAIN_MS = 60_000
_LOOK_AGAIN_S = 1.0
_READ_AGAIN_MS = 2_000


def resumed(turn: Turn) -> None:
    """What the process before us asked for may be done, or be on its way still."""
    turn.live = turn.live._replace(cash_doubted=True)


def attend(turn: Turn) -> None:
    """Give deposits to the subscriptions that wait for them, end those that cannot go on, ask for cash.

    Say so while money of the holders is missing, however it came to be: nothing but money ends that.
    """
    book = turn.book
    if book.unallocated >= ZERO:
        turn.close_incident(OVERDRAWN, "what was withdrawn is there again")
    else:
        turn.open_incident(
            OVERDRAWN,
            f"{-book.unallocated} more was withdrawn than was payable or unallocated",
            "bring it back onto the account: it is the holders' money; increases resume by themselves then",
            stops_increases=True,
        )
    if turn.live.cash_id and book.recent_income.has(turn.live.cash_id):
        turn.live = turn.live._replace(cash_id="", cash_moving=False)
    for flow in book.flows:
        if flow.kind is FlowKind.SUBSCRIBE and flow.nav is None:
            _attend_subscription(turn, flow)
    if book.flows and turn.live.reconciled and not turn.live.parking:
        _ask(turn)


def _attend_subscription(turn: Turn, flow: Flow) -> None:
    reason = None
    if turn.book.state is not FundState.ACTIVE:
        reason = f"the fund is {turn.book.state}"
    elif flow.state is FlowState.REQUESTED and turn.now_ms - flow.requested_ms > EXPIRY_MS:
        reason = "its money did not come within three days"
    if reason is not None:
        turn.record(FlowCancelled(turn.now_ms, flow.reference, reason))
    elif flow.state is FlowState.REQUESTED and turn.book.unallocated >= flow.amount:
        turn.record(FlowFunded(turn.now_ms, flow.reference))


def withdrawn(turn: Turn, amount: Usd) -> None:
    """Recognise a withdrawal of `amount` (> 0): an exact payment first, else the oldest ones it covers."""
    payable = [flow for flow in turn.book.flows if flow.state is FlowState.PAYABLE]
    left = amount
    for flow in [flow for flow in payable if flow.payable == amount][:1] or payable:
        if flow.payable <= left:
            turn.record(FlowPaid(turn.now_ms, flow.reference, flow.payable))
            left -= flow.payable
    fees = min(left, turn.book.fees_payable)
    if fees > ZERO:
        turn.record(FeesPaid(turn.now_ms, fees))


def moved(turn: Turn, event: CashMoved) -> None:
    """A transfer was made, or is left to people; either way the income records tell what there is."""
    if event.income_id is None:
        turn.live = turn.live._replace(cash_moving=False, by_hand=True)
    else:
        turn.live = turn.live._replace(cash_id=event.income_id)
    turn.commands.append(FetchIncome(turn.book.income_cursor_ms))


def looked(turn: Turn) -> None:
    """Income was read: a transfer that was made and is not in it yet is looked for again.

    One that was in doubt is in it, or was never made.
    """
    if turn.live.cash_looking:
        turn.live = turn.live._replace(cash_doubted=False, cash_looking=False)
    if turn.live.cash_id and not turn.book.recent_income.has(turn.live.cash_id):
        turn.commands.append(FetchIncome(turn.book.income_cursor_ms, _LOOK_AGAIN_S))


def unmoved(turn: Turn) -> None:
    """Nobody knows whether the transfer was made: only income that is read later tells."""
    again_ms = turn.now_ms + _ASK_AGAIN_MS
    turn.live = turn.live._replace(
        cash_moving=False, cash_after_ms=again_ms, cash_doubted=True, cash_looking=False
    )
    turn.commands.append(FetchIncome(turn.book.income_cursor_ms, _LOOK_AGAIN_S))


def unread(turn: Turn) -> None:
    """Income could not be read: what is in doubt stays so."""
    if turn.live.cash_looking:
        again_ms = turn.now_ms + _READ_AGAIN_MS
        turn.live = turn.live._replace(cash_looking=False, cash_after_ms=again_ms)


def _ask(turn: Turn) -> None:
    """Ask for the next transfer, one at a time: the account has shown that it is still wanted."""
    live = turn.live
    amount = next((wanted for wanted in map(_wanted, turn.book.flows) if wanted), ZERO)
    if live.cash_moving or live.by_hand or amount == ZERO:
        return
    if turn.now_ms < live.cash_after_ms:
        turn.wake_at(live.cash_after_ms)
        return
    if live.cash_doubted:  # income tells, once what was asked for can no longer arrive
        if not live.cash_looking:
            turn.live = live._replace(cash_looking=True)
            turn.commands.append(FetchIncome(turn.book.income_cursor_ms, ORDER_LIFETIME_MS / 1000))
        return
    turn.live = live._replace(cash_moving=True)
    turn.commands.append(MoveCash(amount))


def _wanted(flow: Flow) -> Usd:
    """The transfer that a flow waits for."""
    if flow.state is FlowState.PAYABLE:
        return -flow.payable
    if flow.kind is FlowKind.SUBSCRIBE and flow.state is FlowState.REQUESTED:
        return flow.amount
    return ZERO
