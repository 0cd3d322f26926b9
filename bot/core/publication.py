"""Publishing: each rebalance that is over is revealed after a random lag, as one more link of the hash chain.

The public record of a rebalance is its entry in the history, made from its own facts, with the hash of the
record before it; its hash is the SHA-256 of that as canonical JSON. Publishing trades nothing, so it goes on
while a fund is halted; a reveal that came due while no process ran is the first thing that the next one does.
"""

from dataclasses import replace
from hashlib import sha256

from bot.core import draws
from bot.core.book import Book
from bot.core.fund import Fund
from bot.core.history import RebalanceEntry, RebalanceHistory
from bot.core.public import QUEUED_DRAWS, Pending
from bot.core.public_records import PublicationScheduled, Revealed
from bot.core.records import Control, Kind
from bot.core.statement import STATEMENT_MS
from bot.core.turn import Turn

OVERDUE_MS = 60_000
"""A reveal that is this late is shown as overdue."""


def schedule(turn: Turn, number: int) -> None:
    """Draw when the rebalance that is over now will be revealed."""
    due_ms = turn.now_ms + draws.publication_lag_ms(turn.book.key, number)
    turn.record(PublicationScheduled(turn.now_ms, number, due_ms))


def publish_due(turn: Turn) -> None:
    """Reveal what is due, oldest first, and ask to be woken for the next."""
    while turn.book.public.pending:
        first = turn.book.public.pending[0]
        if first.due_ms is None:
            return  # still under way
        if turn.now_ms < first.due_ms and not _used_up(turn.book):
            turn.wake_at(first.due_ms)
            return
        turn.record(reveal(turn.fund, turn.book, first, turn.now_ms))


def overdue(book: Book, now_ms: int) -> int:
    """How many reveals should have been made by now.

    One that waits for those before it is not late for that: else the count would tell that an older one is
    under way. A halt lets none end, so what is under way is late once it takes longer than is ordinary.
    """
    late, due_ms = 0, 0
    for pending in book.public.pending:
        due = pending.due_ms
        if due is None:
            if book.control is not Control.HALTED:
                break
            due = pending.started_ms + STATEMENT_MS
        due_ms = max(due_ms, due)
        late += due_ms + OVERDUE_MS < now_ms
    return late


def reveal(fund: Fund, book: Book, pending: Pending, now_ms: int) -> Revealed:
    """The public record of a rebalance that is over, as the next link of the chain."""
    history = RebalanceHistory(fund.name)
    for fact in pending.facts:
        history.apply(fact)
    entry = replace(history.entries()[0], revealed_ms=now_ms, previous_hash=book.public.head)
    text = _with_range(fund, entry).public_text()
    return Revealed(now_ms, entry.number, entry.sequence, text, sha256(text.encode()).hexdigest())


def _with_range(fund: Fund, entry: RebalanceEntry) -> RebalanceEntry:
    """Journals of before do not say from which range a target was drawn: nearly always the fund's own."""
    if entry.kind is not Kind.BAND or entry.target_range is not None or entry.u is None:
        return entry
    if draws.target(entry.u, *fund.target_range) != entry.target:
        return entry
    return replace(entry, target_range=fund.target_range)


def _used_up(book: Book) -> bool:
    """No draw is left for the next band rebalance, and only a reveal brings a new one."""
    return not book.draws and len(book.public.commitments) >= QUEUED_DRAWS
