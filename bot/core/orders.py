"""The life of one order, as a table. Everything that may change an order's state is in this file.

Rules: an order leaves INTENT only by what the venue says or fails to say, never by our wish; an unknown
outcome is looked up, never sent again; the cumulative fill only grows; CLOSED, REJECTED and DEAD are final.
A resting order that is being cancelled may still fill: it is over when the venue says so, and not before.
"""

from enum import StrEnum
from typing import NamedTuple

from bot.core.units import ZERO, Contracts, Price


class OrderState(StrEnum):
    """Where an order is. INTENT is durable before anything is sent, so it means "maybe sent"."""

    INTENT = "intent"
    LIVE = "live"
    CANCELLING = "cancelling"
    UNKNOWN = "unknown"
    CLOSED = "closed"
    REJECTED = "rejected"
    DEAD = "dead"


class News(StrEnum):
    """What can be learnt about an order."""

    ACCEPTED = "accepted"
    COMPLETED = "completed"
    REFUSED = "refused"
    LOST = "lost"
    CANCEL_ASKED = "cancel asked"
    NEVER_ARRIVED = "never arrived"


RECEIVE_WINDOW_MS = 5_000
"""The venue refuses a request that reaches it later than this after its signature's timestamp."""

ORDER_LIFETIME_MS = RECEIVE_WINDOW_MS + 2_000
"""Wall time after which an order not seen at the venue can no longer appear there (window, skew, lag)."""

_S, _N = OrderState, News

TRANSITIONS: dict[tuple[OrderState, News], OrderState] = {
    (_S.INTENT, _N.ACCEPTED): _S.LIVE,
    (_S.INTENT, _N.COMPLETED): _S.CLOSED,
    (_S.INTENT, _N.REFUSED): _S.REJECTED,
    (_S.INTENT, _N.LOST): _S.UNKNOWN,
    (_S.INTENT, _N.NEVER_ARRIVED): _S.DEAD,
    (_S.UNKNOWN, _N.ACCEPTED): _S.LIVE,
    (_S.UNKNOWN, _N.COMPLETED): _S.CLOSED,
    (_S.UNKNOWN, _N.REFUSED): _S.REJECTED,
    (_S.UNKNOWN, _N.LOST): _S.UNKNOWN,
    (_S.UNKNOWN, _N.NEVER_ARRIVED): _S.DEAD,
    (_S.LIVE, _N.ACCEPTED): _S.LIVE,
    (_S.LIVE, _N.COMPLETED): _S.CLOSED,
    (_S.LIVE, _N.LOST): _S.LIVE,
    (_S.LIVE, _N.CANCEL_ASKED): _S.CANCELLING,
    (_S.CANCELLING, _N.ACCEPTED): _S.CANCELLING,
    (_S.CANCELLING, _N.COMPLETED): _S.CLOSED,
    (_S.CANCELLING, _N.LOST): _S.CANCELLING,
}
"""Pairs that are absent contradict what is already known: they change nothing, and call for a look."""


class Order(NamedTuple):
    """One order as the journal knows it.

    `filled` is the venue's cumulative word, `booked` our trades' sum, both unsigned. An order with
    `rests_until_ms` is post-only, and rests on the book until then (market time) at the latest. `mark` is the
    one that it was decided at.
    """

    cid: str
    quantity: Contracts
    limit_price: Price
    reduce_only: bool
    expires_wall_ms: int
    state: OrderState = OrderState.INTENT
    venue_id: str | None = None
    filled: Contracts = ZERO
    booked: Contracts = ZERO
    sent_ms: int = 0
    rests_until_ms: int | None = None
    mark: Price = ZERO

    def told(self, news: News, filled: Contracts = ZERO, venue_id: str | None = None) -> "Order":
        """The order after `news`; contradicting news leaves it as it is."""
        state = TRANSITIONS.get((self.state, news))
        if state is None:
            return self
        return self._replace(state=state, filled=max(self.filled, filled), venue_id=venue_id or self.venue_id)

    def could_fill(self, quantity: Contracts, price: Price) -> bool:
        """Whether a trade of signed `quantity` may be this order's, as far as side, size and price tell."""
        within = (self.limit_price - price) * quantity >= ZERO
        return within and quantity * self.quantity > ZERO and abs(quantity) <= abs(self.quantity)

    @property
    def missed(self) -> bool:
        """Whether it did too little: nothing, or, where it rested, less than half."""
        if self.rests_until_ms is None:
            return not self.filled
        return self.filled * 2 < abs(self.quantity)

    @property
    def settled(self) -> bool:
        """Final, and every fill that the venue reported is booked."""
        return self.state in FINAL and self.booked >= self.filled


FINAL = frozenset({OrderState.CLOSED, OrderState.REJECTED, OrderState.DEAD})
