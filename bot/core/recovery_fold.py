"""What the records of a recovery do to a fund's book."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bot.core.recovery_records import JournalRestored, Reincarnated, TakenOver

if TYPE_CHECKING:
    from bot.core.book import Book


def _restored(book: "Book", _: JournalRestored) -> None:
    book.restored = True


def _reincarnated(book: "Book", record: Reincarnated) -> None:
    """Draws that were published and not used are drawn again, under the same numbers."""
    book.reincarnated = record
    book.restored = False
    unused = {draw.sequence for draw in book.draws}
    book.next_sequence = min(unused, default=book.next_sequence)
    book.draws = ()
    public = book.public
    left = tuple(made for made in public.commitments if made.sequence not in unused)
    book.public = public._replace(commitments=left)


def _taken_over(book: "Book", record: TakenOver) -> None:
    """A fact for those who read: it changes nothing of the fund."""


APPLY: dict[type, Callable[["Book", Any], None]] = {
    JournalRestored: _restored,
    Reincarnated: _reincarnated,
    TakenOver: _taken_over,
}
