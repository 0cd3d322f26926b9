"""What the next rebalance will need and no mark can change, worked out while a fund holds.

A mark that leaves the hold region then finds the draws drawn, and its order leaves the sooner. An outlook
is a function of the book, so whoever has none at hand makes one, and gets the same.
"""

from typing import NamedTuple

from bot.core import draws
from bot.core.book import Book
from bot.core.episode import OpenRebalance
from bot.core.fund import Fund
from bot.core.units import Leverage


class NextSlice(NamedTuple):
    """One slice's draw, `size` in [0, 1), which says where in its range its size lies, and its order's id."""

    size: float
    cid: str


class Outlook(NamedTuple):
    """The next rebalance: its first slice, and its target if it is one out of the band.

    `target` lies in the fund's own target range; None until its draw is queued.
    """

    first: NextSlice
    target: Leverage | None


def look_ahead(fund: Fund, book: Book) -> Outlook:
    """The next rebalance of a fund at rest."""
    target = draws.target(book.draws[0].u, *fund.target_range) if book.draws else None
    return Outlook(_slice(book, book.rebalances + 1, 1, 1), target)


def next_slice(book: Book, open_: OpenRebalance) -> NextSlice:
    """The next slice of the rebalance under way."""
    return _slice(book, open_.number, open_.slices + 1, open_.orders + 1)


def _slice(book: Book, rebalance: int, slice_: int, order: int) -> NextSlice:
    return NextSlice(
        draws.unit(book.key, "slice", rebalance, slice_),
        draws.client_order_id(book.incarnation, str(rebalance), order),
    )
