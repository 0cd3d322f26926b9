"""When a holder may be told what a flow got.

Price, units or amount of a flow give the fund's true NAV at one known mark, and from that and the public
basket follows what was traded since. So they are told at a time that does not depend on whether a rebalance
runs: so long after the dealing that one under way is ordinarily over and revealed. Where it is not, the
statement waits for it.
"""

from bot.core.book import Book
from bot.core.flows import Flow

STATEMENT_MS = 3 * 3_600_000
"""A patient rebalance is late after one hour, and revealed at most one hour after its end."""


def statement_ms(flow: Flow) -> int | None:
    """When a flow's holder is told what it got, at the earliest; None before its dealing."""
    return None if flow.dealing_ms is None else flow.dealing_ms + STATEMENT_MS


def statement_open(book: Book, flow: Flow, now_ms: int) -> bool:
    """Whether a flow's holder may be told by now, and be paid."""
    told_ms = statement_ms(flow)
    if flow.settled_ms is None or told_ms is None or now_ms < told_ms:
        return False
    return all(pending.started_ms > flow.settled_ms for pending in book.public.pending)
