"""The protective stop as the journal knows it: the same life as any order's, and the order it may become."""

from typing import TYPE_CHECKING, Any, NamedTuple

from bot.core import stop_records as rec
from bot.core.order_fold import remember
from bot.core.orders import TRANSITIONS, News, OrderState
from bot.core.units import Contracts, Price

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.core.book import Book

_REMEMBERED = 20
"""Stops that are over: news of one may be late, and trades of one that triggered are ours."""


class Stop(NamedTuple):
    """A stop that may rest at the venue. `position` is the one that it was sized for."""

    cid: str
    quantity: Contracts
    trigger_price: Price
    position: Contracts
    expires_wall_ms: int
    state: OrderState = OrderState.INTENT

    def told(self, news: News) -> "Stop":
        """The stop after `news`; contradicting news leaves it as it is."""
        return self._replace(state=TRANSITIONS.get((self.state, news), self.state))


class Stops(NamedTuple):
    """All that is known of a fund's stops.

    `made` counts them; `dead` are client ids of those that never arrived, `orders` ids of the venue's orders
    that triggered ones became.
    """

    resting: Stop | None = None
    made: int = 0
    dead: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()


def _intended(book: "Book", record: rec.StopIntended) -> None:
    resting = Stop(*record[1:])
    book.protection = book.protection._replace(resting=resting, made=book.protection.made + 1)
    remember(book, record.cid)


def _told(news: News) -> "Callable[[Book, Any], None]":
    def apply(book: "Book", _: Any) -> None:
        stop = book.protection.resting
        if stop is None:
            raise ValueError("the journal holds a record of a stop where none is")
        book.protection = book.protection._replace(resting=stop.told(news))

    return apply


def _rejected(book: "Book", record: rec.StopRejected) -> None:
    _forget(book, record.cid)


def _ended(book: "Book", record: rec.StopEnded) -> None:
    _forget(book, record.cid)
    stops = book.protection
    if record.ending is rec.StopEnding.NEVER_ARRIVED:
        stops = stops._replace(dead=(*stops.dead, record.cid)[-_REMEMBERED:])
    if record.order_id is not None:
        stops = stops._replace(orders=(*stops.orders, record.order_id)[-_REMEMBERED:])
    book.protection = stops


def _forget(book: "Book", cid: str) -> None:
    stop = book.protection.resting
    if stop is not None and stop.cid == cid:
        book.protection = book.protection._replace(resting=None)


APPLY: "dict[type, Callable[[Book, Any], None]]" = {
    rec.StopIntended: _intended,
    rec.StopPlaced: _told(News.ACCEPTED),
    rec.StopLost: _told(News.LOST),
    rec.StopCancelAsked: _told(News.CANCEL_ASKED),
    rec.StopRejected: _rejected,
    rec.StopEnded: _ended,
}
