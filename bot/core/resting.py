"""How long an order rests on the book.

A slice takes the time that was drawn for it, also when it fills earlier: what follows must not depend on when
the news of a fill reaches us (nor, in paper mode, on which of two sockets speaks first).
"""

from bot.core import plan
from bot.core.episode import OpenRebalance
from bot.core.orders import FINAL, Order, OrderState
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
