"""A dealing as a fund would have had it that does nothing in secret: what the public sees while one does.

Units that come or go for cash at the true NAV would tell it, and the position; when they come would tell what
is under way; whether they come by a trade or in cash would tell what that trade is of. So all three are those
of the public basket.
"""

from collections.abc import Sequence
from decimal import Decimal

from bot.core.basket import Basket
from bot.core.flow_records import FlowKind
from bot.core.flows import Flow
from bot.core.fund import Contract
from bot.core.ledger import Ledger
from bot.core.shares import Pot, Shares, cross, in_cash, portion, quantity_to_trade, up
from bot.core.units import ZERO, Price


def dealt(
    basket: Basket, flows: Sequence[Flow], marks: tuple[Price, Price], contract: Contract, fee: Decimal
) -> Basket:
    """The basket after a dealing of `flows`; as it is where a fund that holds it would trade for them.

    `marks`: the dealing's, and that of now, at which cash is dealt. `fee`: of subscriptions, a fraction.
    """
    struck, mark = marks
    nav = basket.nav(struck)
    if nav is None or nav <= ZERO or basket.value(mark) <= ZERO:
        return basket
    brought = [flow.amount - up(flow.amount * fee) for flow in flows if flow.kind is FlowKind.SUBSCRIBE]
    given = [flow.amount for flow in flows if flow.kind is FlowKind.REDEEM]
    pot = Pot(sum(brought, ZERO), sum(given, ZERO))
    met, paid, received = cross(pot, nav)
    pot = Pot(pot.cash - paid, pot.units - met, met, received)
    books = Shares(Ledger(basket.cash + paid - received, basket.position), basket.units)
    if quantity_to_trade(books, pot, mark, contract) != ZERO:
        return basket
    units, amount = in_cash(books, pot, mark, contract.taker_fee)
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
