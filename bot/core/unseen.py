"""A dealing in cash as a fund would have had it that does nothing in secret.

While a rebalance is hidden, units that come or go for cash change the public basket at its own NAV. At the
true one their number would tell the position; and a number that stood still
would tell that something is hidden.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.core.basket import Basket
from bot.core.flow_records import FlowKind, FlowsInCash
from bot.core.flows import Dealing, FlowState
from bot.core.ledger import Ledger
from bot.core.shares import Pot, Shares, cross, in_cash, portion
from bot.core.units import ZERO

if TYPE_CHECKING:
    from bot.core.book import Book


def dealt_in_cash(basket: Basket, book: "Book", record: FlowsInCash) -> Basket:
    """The public basket after the dealing under way, all of it at the basket's own NAV.

    What is left over of a trade comes with that trade's reveal: how much it is follows from the position.
    """
    dealing = book.dealing
    nav = None if dealing is None else basket.nav(dealing.mark)
    if dealing is None or dealing.trades is not None or nav is None or nav <= ZERO:
        return basket
    priced = [flow for flow in book.flows if flow.state is FlowState.PRICED]
    brought = [flow.amount - flow.fee for flow in priced if flow.kind is FlowKind.SUBSCRIBE]
    given = [flow.amount for flow in priced if flow.kind is FlowKind.REDEEM]
    return _dealt(basket, (brought, given), dealing, record)


def _dealt(
    basket: Basket, flows: tuple[Sequence[Decimal], Sequence[Decimal]], dealing: Dealing, record: FlowsInCash
) -> Basket:
    """Cross, deal the rest in cash, and leave to the fund what rounding leaves."""
    brought, given = flows
    pot = Pot(sum(brought, ZERO), sum(given, ZERO))
    met, paid, received = cross(pot, basket.nav(dealing.mark) or ZERO)
    pot = Pot(pot.cash - paid, pot.units - met, met, received)
    books = Shares(Ledger(basket.cash + paid - received, basket.position), basket.units)
    units, amount = in_cash(books, pot, record.mark, record.taker_fee)
    if pot.units:
        made, cash = -units, books.ledger.cash - amount
        pot = Pot(pot.cash, ZERO, pot.issued, pot.received + amount)
    else:
        made, cash = units, books.ledger.cash + amount
        pot = Pot(pot.cash - amount, ZERO, pot.issued + units, pot.received)
    kept = _rounded_off(pot.cash, brought) + _rounded_off(pot.received, given)
    return basket._replace(cash=cash + kept, units=basket.units + made - _rounded_off(pot.issued, brought))


def _rounded_off(total: Decimal, weights: Sequence[Decimal]) -> Decimal:
    """What is left of a total once everybody has a portion."""
    whole = sum(weights, ZERO)
    return total - sum((portion(total, weight, whole) for weight in weights), ZERO)
