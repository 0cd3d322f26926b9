"""Update ids of order books: what ties a depth snapshot to the stream of its changes.

A version is a book as somebody looked at it. Its number is market time in ms times 1,000, or 2 more than the
version before within the same millisecond: ids rise whenever the book changes. A diff event that leads to
version v has u = v and U = pu + 1, pu being the version of the event before. A snapshot of v has lastUpdateId
v + 1, which lies within the next event (U <= lastUpdateId <= u): the first that a client has to apply,
whether or not an event has brought the stream to v already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
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


class BookVersions:
    """The present versions of all books of a market."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._known: dict[str, BookVersion] = {}

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
