"""The venue's dead man's switch: it cancels what rests, should we die. Armed only while an order rests.

Whether it spares conditional orders, of which the protective stop is one, no venue says: so it never runs out
by our own doing, what an earlier process armed is replaced at once, and the stop is looked for regularly.
"""

from bot.core.commands import GuardOrders
from bot.core.turn import Turn

GUARD_MARGIN_MS = 30_000
"""An order that rests so much longer than it may is cancelled by the venue: we are dead by then."""

_SOON_MS = 5_000
"""What is posted so soon arms the switch anew; two requests at once might arrive in the wrong order."""


def arm(turn: Turn, rest_ms: int) -> None:
    """An order is sent that rests so long at most."""
    turn.commands.append(GuardOrders(rest_ms + GUARD_MARGIN_MS))
    turn.live = turn.live._replace(guarded=True)


def release(turn: Turn, *, pause_ms: int | None = None) -> None:
    """Nothing rests any more, and nothing will for `pause_ms`, or for an unknown time."""
    if turn.live.guarded and (pause_ms is None or pause_ms > _SOON_MS):
        turn.commands.append(GuardOrders(0))
        turn.live = turn.live._replace(guarded=False)


def resumed(turn: Turn) -> None:
    """What the process before us armed is unknown: it holds for the order that rests, or for nothing."""
    if not turn.book.last_order_ms:
        return
    order = turn.book.rebalance.order if turn.book.rebalance is not None else None
    turn.live = turn.live._replace(guarded=True)
    if order is not None and order.rests_until_ms is not None:
        arm(turn, max(0, order.rests_until_ms - turn.now_ms))
    else:
        release(turn)
