"""How long an order rests on the book.

A slice takes the time that was drawn for it, also when it fills earlier: what follows must not depend on when
the news of a fill reaches us (nor, in paper mode, on which of two sockets speaks first).
"""

from bot.core import plan
from bot.core.commands import CancelOrder, QueryOrder
from bot.core.episode import OpenRebalance
from bot.core.events import OrderMissing
from bot.core.orders import FINAL, Order, OrderState
from bot.core.records import OrderAdvanced
from bot.core.turn import Turn
from bot.core.upkeep import emergency


def is_over(turn: Turn, open_: OpenRebalance, order: Order) -> bool:
    """Whether `order` is to rest no longer; always so for one that never rested.

    Its time is over; a dealing waits to be priced; the process is about to stop, and the market is not; no
    position may be increased any more; or leverage is where the rebalance has become the wrong one. An order
    that ended in the instant it was sent never rested.
    """
    if order.rests_until_ms is None or turn.now_ms >= order.rests_until_ms:
        return True
    if turn.book.dealing is not None and turn.book.dealing.nav is None:
        return True
    if order.state in FINAL and turn.now_ms == order.sent_ms:
        return True
    mark = turn.mark
    if turn.live.parking or mark is None:
        return turn.live.parking and not turn.live.market_waits
    if turn.increases_refused(mark) is not None or emergency(turn, mark):
        return True
    return plan.passed_opposite_edge(
        turn.book.ledger, mark.price, turn.fund.band, increasing=open_.increasing
    )


def stays(turn: Turn, order: Order) -> bool:
    """Whether `order` may rest on while the process is away, because nothing can happen to it meanwhile."""
    resting = order.state is OrderState.LIVE or order.settled
    return turn.live.market_waits and order.rests_until_ms is not None and resting


def last_look(order: Order, delay_s: float) -> QueryOrder | CancelOrder:
    """How an order is looked for once more before it counts as never arrived.

    No position tells of one that rests unfilled, and what answers questions may lag behind the venue's book:
    one that could rest is cancelled, which the book itself answers.
    """
    look = QueryOrder if order.rests_until_ms is None else CancelOrder
    return look(order.cid, delay_s)


def may_rest(order: Order, answer: OrderMissing) -> bool:
    """Whether it could rest unseen for all that this answer says."""
    return order.rests_until_ms is not None and not answer.off_book


_FORGOTTEN_AFTER_MS = 2 * 86_400_000


def forgotten(turn: Turn, order: Order) -> bool:
    """Whether a venue may have forgotten it: Binance drops orders that ended unfilled after three days."""
    return turn.wall_ms > order.expires_wall_ms + _FORGOTTEN_AFTER_MS


def ended_as_booked(turn: Turn, order: Order) -> OrderAdvanced:
    """The end of an order that is forgotten: it filled what is booked of it."""
    filled = max(order.filled, order.booked)
    return OrderAdvanced(turn.now_ms, order.cid, order.venue_id or "", filled, closed=True)
