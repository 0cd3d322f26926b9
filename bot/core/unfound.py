"""An order that the venue says it does not know: how it is looked for, and what it may have become."""

from bot.core.commands import CancelOrder, QueryOrder
from bot.core.events import OrderMissing
from bot.core.orders import Order
from bot.core.records import OrderAdvanced
from bot.core.turn import Turn
from bot.core.units import DAY_MS

_FORGOTTEN_AFTER_MS = 2 * DAY_MS
"""A day before Binance drops orders that ended unfilled."""

DOUBTED_FOR_MS = 120_000
"""Wall time for which trades and position may lag behind what became of an order."""


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


def given_up(turn: Turn, order: Order) -> bool:
    """Whether one that the venue had accepted may be over although nobody says how.

    A venue may have forgotten it; or an operator has looked, and what it filled has had time to show.
    """
    late_ms = turn.wall_ms - order.expires_wall_ms
    looked_at = turn.live.given_up == order.cid and late_ms > DOUBTED_FOR_MS
    return looked_at or late_ms > _FORGOTTEN_AFTER_MS


def ended_as_booked(turn: Turn, order: Order) -> OrderAdvanced:
    """The end of an order that is forgotten: it filled what is booked of it."""
    filled = max(order.filled, order.booked)
    return OrderAdvanced(turn.now_ms, order.cid, order.venue_id or "", filled, closed=True)
