"""Incidents that stop increases until an operator rearms them: their names, remedies, and what rearming does.

What is counted toward them is part of the book, so it outlasts a restart; once rearmed, it is counted anew.
Caps on what is sent hold all the same.
"""

from typing import TYPE_CHECKING

from bot.core.units import ZERO

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.core.book import Book

TOO_MUCH = "too much sent"
REPEATED = "same order again"
DAILY_LOSS = "daily loss"
OVER_CAP = "over a cap"
BEYOND_PLAN = "more than was planned"
REJECTED = "orders rejected"
CRASH_LOOP = "crash loop"
KEY_REFUSED = "key refused"
STOPPED_OUT = "protective stop filled"

ADOPTED = "adopted by the operator"
"""How an incident is closed by a start with `--adopt`."""

REMEDIES = {
    TOO_MUCH: "find out why it trades so much before `resume`: the journal has every order; what it sent in "
    "the last minute and hour still counts after that, so its next order may wait",
    REPEATED: "find out why it sends the same order before `resume` rearms it: the journal has every order",
    DAILY_LOSS: "look at its fills and at the market; `resume` rearms it, and counts from there",
    OVER_CAP: "raise the setting if it shall hold more, restart, and `resume`; else find out why it wants to",
    BEYOND_PLAN: "compare its fills with the account's before `resume` rearms it",
    REJECTED: "check margin, permissions and the contract's filters, then `resume`",
    KEY_REFUSED: "give the account a key that may trade from this address, restart, then `resume`",
    STOPPED_OUT: "find out why the daemon did not delever before (down, blind, halted), then `resume`, or "
    "restart with --adopt",
    CRASH_LOOP: "find out from the log why it ends, then `resume`",
}


def _traffic(book: "Book") -> None:
    """What was sent still counts: the next order may have to wait for it, without being a breach."""
    book.traffic, book.day = book.traffic.rearmed(), book.day._replace(turnover=ZERO)


def _loss(book: "Book") -> None:
    """Costs count anew; a loss is measured from the next sample on."""
    book.day = book.day._replace(costs=ZERO, nav=None)


def _failures(book: "Book") -> None:
    book.failures = 0


def _starts(book: "Book") -> None:
    book.starts = 0


def _plan(book: "Book") -> None:
    if book.rebalance is not None:
        book.rebalance = book.rebalance._replace(traded=ZERO)


REARM: "dict[str, Callable[[Book], None]]" = {
    TOO_MUCH: _traffic,
    REPEATED: _traffic,
    DAILY_LOSS: _loss,
    BEYOND_PLAN: _plan,
    REJECTED: _failures,
    CRASH_LOOP: _starts,
}
"""How a book forgets what was counted, when the incident is closed."""
