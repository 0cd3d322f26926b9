"""A local book that is kept as the venue describes: a snapshot, then the stream of changes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.exchange.book_versions import BookVersions
from bot.exchange.catalog import CATALOG
from bot.exchange.entities import Side
from bot.exchange.market import Market, TradedSymbol
from bot.exchange.prices import open_path
from bot.exchange.prices.funding import ConstantFunding
from bot.exchange.streams.books import DepthFeed
from tests.support.examples import examples

if TYPE_CHECKING:
    from bot.exchange.book import Book

NAME = "BTCUSDT"

steps = st.lists(
    st.tuples(
        st.integers(0, 1_500),  # ms that pass
        st.sampled_from(["nothing", "trade", "event", "snapshot"]),
    ),
    min_size=2,
    max_size=30,
)


class LocalBook:
    """What a client makes of a snapshot and the events after it."""

    def __init__(self, book: Book, last_id: int) -> None:
        self.last_id = last_id
        self.sides = {"b": dict(book.bids), "a": dict(book.asks)}

    def apply(self, event: dict[str, Any]) -> None:
        """Apply an event that is not older than the book."""
        if event["u"] < self.last_id:
            return
        for name, side in self.sides.items():
            for price, quantity in event[name]:
                side[Decimal(price)] = Decimal(quantity)

    def shows(self, book: Book) -> bool:
        """Return whether it is the book of the venue."""
        left = {
            name: {price: lots for price, lots in side.items() if lots} for name, side in self.sides.items()
        }
        return left == {"b": dict(book.bids), "a": dict(book.asks)}


@settings(max_examples=examples(60), deadline=None)
@given(steps, st.integers(0, 5))
def test_a_local_book_is_the_venues_after_each_event(steps: list[tuple[int, str]], seed: int) -> None:
    """Whenever the snapshot was taken between two events, the next ones leave nothing of it behind."""
    path = open_path(scenario="crash", symbol=NAME, seed=seed, start_price=Decimal(60_000))
    market = Market(
        [TradedSymbol(CATALOG[NAME], path, ConstantFunding())], seed=str(seed), start_ms=path.start_ms
    )
    versions = BookVersions(market)
    feed = DepthFeed(market, versions, NAME)
    books: list[LocalBook] = []
    for passed_ms, what in [*steps, (700, "event")]:
        market.move_to(market.now + passed_ms)
        if what == "trade":
            market.take(NAME, "A", Side.BUY, None, Decimal(7))
        elif what == "snapshot":
            version = versions.snapshot(NAME)
            books.append(LocalBook(version.book, version.snapshot_id))
        elif what == "event":
            for frame in feed.news():
                for book in books:
                    book.apply(json.loads(frame))
                assert all(book.shows(versions.look(NAME).book) for book in books)
