"""What each record of a rebalance does to a fund's book, from its draw and confirmation to its end."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bot.core import flow_fold
from bot.core import records as rec
from bot.core.draws import Draw
from bot.core.episode import Confirmation, OpenRebalance, open_rebalance

if TYPE_CHECKING:
    from bot.core.book import Book

_FLOW = rec.Kind.FLOW
"""Python 3.11 takes as long to look a member up in its class as to divide."""


def _draw_queued(book: "Book", record: rec.DrawQueued) -> None:
    book.draws += (Draw(record.sequence, record.commitment, record.u, record.salt),)
    book.next_sequence = record.sequence + 1


def _confirmation_started(book: "Book", record: rec.ConfirmationStarted) -> None:
    book.confirmation = Confirmation(record.time_ms, record.deadline_ms)
    book.confirmations += 1


def _confirmation_cancelled(book: "Book", _: rec.ConfirmationCancelled) -> None:
    book.confirmation = None


def _rebalance_started(book: "Book", record: rec.RebalanceStarted) -> None:
    book.confirmation = book.skipped = None
    book.rebalances = record.number
    if record.sequence is not None:
        book.draws = book.draws[1:]  # used in order
    leverage = record.leverage if record.leverage is not None else record.target + 1
    book.suspended = book.rebalance
    ledger, mark = book.ledger, record.mark
    planned = None  # a flow's trade moves no leverage
    if record.kind is not _FLOW:
        planned = abs(record.target * ledger.value(mark) - abs(ledger.position) * mark)
    book.rebalance = OpenRebalance(
        record.number,
        record.kind,
        record.urgency,
        record.time_ms,
        record.sequence,
        record.target,
        record.tolerance,
        record.target > leverage,
        record.time_ms,
        record.time_ms,
        planned,
    )


def _urgency_raised(book: "Book", record: rec.UrgencyRaised) -> None:
    book.rebalance = open_rebalance(book)._replace(
        urgency=record.urgency, urgency_since_ms=record.time_ms, next_slice_ms=record.time_ms
    )


def _slice_deferred(book: "Book", record: rec.SliceDeferred) -> None:
    book.rebalance = open_rebalance(book)._replace(next_slice_ms=record.next_slice_ms, deferred=record.reason)


def _parked(book: "Book", _: rec.RebalanceParked) -> None:
    book.rebalance = open_rebalance(book)._replace(parked=True)


def _resumed(book: "Book", _: rec.RebalanceResumed) -> None:
    book.rebalance = open_rebalance(book)._replace(parked=False)


def _rebalance_finished(book: "Book", record: rec.RebalanceFinished) -> None:
    """A flow's trade, which moves no leverage, gives way to what it interrupted."""
    kind = open_rebalance(book).kind
    book.rebalance, book.suspended = book.suspended, None
    if kind is rec.Kind.FLOW:
        if record.ending is rec.Ending.SUPERSEDED:
            flow_fold.made_way(book, record.time_ms)
        return
    book.opened = True
    book.last_rebalance_ms, book.last_rebalance_mark = record.time_ms, record.mark


def _rebalance_skipped(book: "Book", record: rec.RebalanceSkipped) -> None:
    book.confirmation = None
    book.skipped = record
    book.last_rebalance_ms, book.last_rebalance_mark = record.time_ms, record.mark


def _external_change(book: "Book", record: rec.ExternalChange) -> None:
    """A slice that was put off is thought over: what is left may be another, and be urgent."""
    book.rebalances = record.number
    if book.rebalance is not None and book.rebalance.deferred is not None:
        book.rebalance = book.rebalance._replace(next_slice_ms=record.time_ms)


APPLY: dict[type, Callable[["Book", Any], None]] = {
    rec.DrawQueued: _draw_queued,
    rec.ConfirmationStarted: _confirmation_started,
    rec.ConfirmationCancelled: _confirmation_cancelled,
    rec.RebalanceStarted: _rebalance_started,
    rec.UrgencyRaised: _urgency_raised,
    rec.SliceDeferred: _slice_deferred,
    rec.RebalanceParked: _parked,
    rec.RebalanceResumed: _resumed,
    rec.RebalanceFinished: _rebalance_finished,
    rec.RebalanceSkipped: _rebalance_skipped,
    rec.ExternalChange: _external_change,
}
