"""What a fund is in the middle of: a confirmation, or a rebalance."""

from typing import TYPE_CHECKING, NamedTuple

from bot.core.orders import Order
from bot.core.records import Kind
from bot.core.units import ZERO, Leverage, Urgency, Usd

if TYPE_CHECKING:
    from bot.core.book import Book


class Confirmation(NamedTuple):
    """A pending confirmation; it ends in a rebalance at `deadline_ms` unless it is cancelled before."""

    started_ms: int
    deadline_ms: int


class OpenRebalance(NamedTuple):
    """The rebalance under way.

    `orders` counts the orders made so far, `slices` those that reached the venue: an order that died with its
    process must not change the draws of what follows. `misses` counts those in a row that did too little (see
    `Order.missed`), `rejects` those in a row that the venue refused for more than its price. `planned` is the
    notional that it was decided to trade, `traded` what it has.
    """

    number: int
    kind: Kind
    urgency: Urgency
    urgency_since_ms: int
    sequence: int | None
    target: Leverage
    tolerance: Leverage
    increasing: bool
    started_ms: int
    next_slice_ms: int
    planned: Usd | None
    traded: Usd = ZERO
    orders: int = 0
    slices: int = 0
    misses: int = 0
    rejects: int = 0
    order: Order | None = None
    parked: bool = False
    deferred: str | None = None


def open_rebalance(book: "Book") -> OpenRebalance:
    """The rebalance under way, where there must be one; ValueError if there is none."""
    if book.rebalance is None:
        raise ValueError("a record or an order speaks of a rebalance, and none is open")
    return book.rebalance
