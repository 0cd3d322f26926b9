"""How long a fund waits, in market time, between the end of a slice and the next one."""

from bot.core import draws, plan
from bot.core.episode import OpenRebalance
from bot.core.orders import Order, OrderState
from bot.core.turn import Turn
from bot.core.units import Urgency

_REJECT_BACKOFF_MS = 5_000


def pause_ms(turn: Turn, open_: OpenRebalance, order: Order) -> int:
    """Market time until the next slice.

    Drawn by urgency, longer after refusals, unless it is an emergency; none after an order that died, or that
    is to be posted anew.
    """
    if order.state is OrderState.DEAD or (order.rests_until_ms is not None and _repriced(open_, order)):
        return 0
    if open_.urgency is Urgency.EMERGENCY:
        return 0 if order.filled else int(plan.RETRY_GAP_S * 1000)
    if order.state is OrderState.REJECTED:
        return _REJECT_BACKOFF_MS << min(open_.rejects - 1, 5)
    low, high = plan.manner(open_.urgency, turn.now_ms - open_.started_ms).gap_s
    return int(1000 * draws.between(low, high, turn.book.key, "gap", open_.number, open_.slices + 1))


def _repriced(open_: OpenRebalance, order: Order) -> bool:
    """A post-only order that did too little is followed at once by the next, or by one that crosses."""
    return order.missed and (order.state is not OrderState.REJECTED or open_.rejects == 0)
