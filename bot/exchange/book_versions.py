"""Update ids of order books: what ties a depth snapshot to the stream of its changes.

A version is a book as somebody looked at it. Its number is market time in ms times 1,000, or 2 more than the
version before within the same millisecond: ids rise whenever the book changes. A diff event that leads to
version v has u = v and U = pu + 1, pu being the version of the event before. A snapshot of v has lastUpdateId
v + 1, which lies within the next event (U <= lastUpdateId <= u): the first that a client has to apply,
whether or not an event has brought the stream to v already.

That event must also tell what has become of every level that the snapshot showed, be it gone or as it was
two events ago: the book moves between two events, and a level that appeared only in the snapshot would else
stay in the client's book for ever. So snapshots leave a trail of their levels for each stream of changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakSet

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.exchange.book import Book
    from bot.exchange.market import Market

IDS_PER_MS = 1_000


class BookVersion(NamedTuple):
    """A book, and the update id of the last change in it."""

    number: int
    book: Book

    @property
    def snapshot_id(self) -> int:
        """The lastUpdateId of a snapshot of this version."""
        return self.number + 1


class Trail:
    """The prices that snapshots have shown since a stream of changes told the last ones."""

    def __init__(self) -> None:
        self.bids: set[Decimal] = set()
        self.asks: set[Decimal] = set()

    def note(self, book: Book) -> None:
        """Note what a snapshot shows."""
        self.bids.update(level.price for level in book.bids)
        self.asks.update(level.price for level in book.asks)

    def clear(self) -> None:
        """Forget what has been told."""
        self.bids.clear()
        self.asks.clear()


class BookVersions:
    """The present versions of all books of a market."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._known: dict[str, BookVersion] = {}
        self._trails: dict[str, WeakSet[Trail]] = {}

    def follow(self, name: str) -> Trail:
        """Return a trail of the snapshots of a symbol from now on, kept as long as the caller keeps it."""
        trail = Trail()
        self._trails.setdefault(name, WeakSet()).add(trail)
        return trail

    def snapshot(self, name: str) -> BookVersion:
        """Return the book of a symbol for somebody who may apply a stream of changes to it."""
        version = self.look(name)
        for trail in self._trails.get(name, ()):
            trail.note(version.book)
        return version

    def look(self, name: str) -> BookVersion:
        """Return the book of a symbol as it is now."""
        known, book = self._known.get(name), self._market.book(name)
        if known is not None and (known.book is book or known.book == book):
            return known
        number = self._market.now * IDS_PER_MS
        if known is not None:
            number = max(number, known.number + 2)
        version = self._known[name] = BookVersion(number, book)
        return version
