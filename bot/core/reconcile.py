"""Ledger against venue: wallet balance and position, mark-free and at one cursor."""

from decimal import Decimal

from bot.core import protection
from bot.core.book import Book
from bot.core.breaches import ADOPTED, STOPPED_OUT
from bot.core.commands import FetchTrades
from bot.core.events import AccountSeen
from bot.core.records import Reconciled
from bot.core.settlement import EXTERNAL, buried
from bot.core.turn import TRIES_IN_TWO_MINUTES, Turn
from bot.core.units import ZERO, Usd
from bot.core.upkeep import book_income

CENT = Decimal("0.01")
_TRIES = 4

DIFFERENCE = "reconciliation difference"
UNEXPLAINED = "unexplained position"

_BEFORE_THIS_START = (EXTERNAL, STOPPED_OUT)
"""What the first comparison finds of the time before a start; one with `--adopt` was told to accept it."""


def account_seen(turn: Turn, event: AccountSeen) -> None:
    """Book new income, then compare. With an order under way only the order's own fate is judged."""
    book_income(turn, event.income)
    open_ = turn.book.rebalance
    order = open_.order if open_ is not None else None
    if order is not None:
        if turn.live.proving != order.cid:
            return
        if event.position == turn.book.position:
            buried(turn, order)
            return
        turn.open_incident(
            UNEXPLAINED,
            f"order {order.cid} is not found, yet the position is {event.position}, not {turn.book.position}",
            "trades and order are looked up until the venue explains it; check the account by hand",
            stops_increases=True,
        )
        turn.commands.append(FetchTrades(None, turn.book.trades_cursor_ms, delay_s=0.5))
        return
    if protection.trades_awaited(turn, event.position):
        return
    if event.position == turn.book.position and abs(event.wallet - turn.book.wallet) < CENT:
        _agreed(turn, event)
    else:
        _differs(turn, event)


def _agreed(turn: Turn, event: AccountSeen) -> None:
    if turn.live.adopting and not turn.live.compared:
        for code in _BEFORE_THIS_START:
            turn.close_incident(code, ADOPTED)
    turn.live = turn.live._replace(
        reconciled=True, compared=True, reconcile_tries=0, withheld=_withheld(turn, event)
    )
    turn.looked(DIFFERENCE)
    turn.close_incident(DIFFERENCE, "ledger and venue agree again")
    turn.close_incident(UNEXPLAINED, "ledger and venue agree again")
    last = turn.book.reconciled
    if last is None or (last.wallet, last.position) != (event.wallet, event.position):
        turn.record(Reconciled(turn.now_ms, event.wallet, event.position))


def _withheld(turn: Turn, event: AccountSeen) -> Usd:
    """Margin that the ledger counts on and the venue does not give: for other positions, or as a haircut."""
    if event.available is None or turn.mark is None:
        return turn.live.withheld
    ledger, mark = turn.book.ledger, turn.mark.price
    free = ledger.value(mark) - abs(ledger.position) * mark / turn.contract.venue_leverage
    return max(ZERO, free - event.available)


def difference(book: Book, event: AccountSeen) -> str:
    """Both sides, line by line."""
    ledger = book.ledger
    lines = (
        ("cash of the fund, position at cost", ledger.wallet),
        ("unallocated deposits", book.unallocated),
        ("escrow of subscriptions", book.escrow),
        ("redemptions payable", book.payable),
        ("fees payable", book.fees_payable),
        ("ledger: wallet", book.wallet),
        ("venue: wallet", event.wallet),
        ("difference: wallet", event.wallet - book.wallet),
        ("ledger: position", ledger.position),
        ("venue: position", event.position),
        ("difference: position", event.position - ledger.position),
    )
    return "\n".join(f"{name}: {amount:f}" for name, amount in lines)


def _differs(turn: Turn, event: AccountSeen) -> None:
    """Look for trades that we do not know; if that explains nothing after a few tries, it is an incident.

    The fund goes on by its ledger, but for a while not where the account holds less: it would sell what is
    gone. The venue lists trades late when much is traded, and that is when it deleverages.
    """
    tries = turn.live.reconcile_tries + 1
    holds_less = abs(event.position) < abs(turn.book.position)
    if tries >= _TRIES:
        turn.looked(DIFFERENCE)
        turn.open_incident(
            DIFFERENCE,
            difference(turn.book, event),
            "find the missing transfer, trade or income on the account; it is compared every few minutes",
            stops_increases=True,
        )
    if tries < (TRIES_IN_TWO_MINUTES if holds_less else _TRIES):
        agreed = turn.live.reconciled and not holds_less
        turn.live = turn.live._replace(reconcile_tries=tries, reconciled=agreed)
        turn.commands.append(FetchTrades(None, turn.book.trades_cursor_ms))
        turn.reconcile_again(tries)
        return
    turn.live = turn.live._replace(reconciled=True, compared=True, reconcile_tries=0)
