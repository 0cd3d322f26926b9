"""Units and what they are worth: the arithmetic of flows, with every rounding in the fund's favour.

A unit is a basket: a share of the fund's cash and the same share of its position. Who trades a flow's share
of the position, pays for it and brings (or takes) the share of the cash leaves every other unit's basket as
it was, whatever the price of the trade: so a flow bears its own costs, and moves neither NAV nor leverage.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from bot.core.fund import Contract
from bot.core.ledger import Ledger, real_leverage
from bot.core.units import ZERO, Contracts, Price, Usd, toward_zero

GRID = Decimal("1e-8")
"""Units and money of flows are multiples of this; the venue keeps money to as many digits."""


def down(amount: Decimal) -> Decimal:
    """Round onto the grid, toward minus infinity."""
    return amount.quantize(GRID, ROUND_FLOOR)


def up(amount: Decimal) -> Decimal:
    """Round onto the grid, toward plus infinity."""
    return amount.quantize(GRID, ROUND_CEILING)


class Shares(NamedTuple):
    """The books of a fund with units: what `units` of holders own together."""

    ledger: Ledger
    units: Decimal

    def nav(self, mark: Price) -> Decimal | None:
        """Fund value per unit at `mark`; None where there is no unit."""
        return self.ledger.value(mark) / self.units if self.units else None


class Pot(NamedTuple):
    """What a dealing has still to bring in (`cash` of subscribers) or to take out (`units` of redeemers).

    `issued`: units made for subscribers so far; `received`: cash taken out for redeemers so far.
    """

    cash: Usd = ZERO
    units: Decimal = ZERO
    issued: Decimal = ZERO
    received: Usd = ZERO


def after_fill(shares: Shares, pot: Pot, quantity: Contracts, price: Price, fee: Usd) -> tuple[Shares, Pot]:
    """The books after a fill of a flow's trade: the basket is scaled by what the fill adds to the position.

    A subscription pays the fill, its fee, and its share of the fund's cash (negative where the fund owes); a
    redemption gets the same, the other way round. A fill without a position before is nobody's share.
    """
    before = shares.ledger
    traded = before.after_trade(quantity, price, fee)
    if ZERO in (before.position, shares.units):
        return Shares(traded, shares.units), pot
    growth = quantity / before.position
    moved = down(traded.cash - before.cash * (1 + growth))
    ledger = traded.with_cash(-moved)
    if growth > ZERO:
        made = down(shares.units * growth)
        pot = pot._replace(cash=pot.cash + moved, issued=pot.issued + made)
        return Shares(ledger, shares.units + made), pot
    burned = min(pot.units, up(-shares.units * growth))
    pot = pot._replace(units=pot.units - burned, received=pot.received + moved)
    return Shares(ledger, shares.units - burned), pot


def quantity_to_trade(shares: Shares, pot: Pot, mark: Price, contract: Contract) -> Contracts:
    """The signed quantity that brings the rest of the pot in or out in proportion; zero if it is too small.

    For a subscription it is what its cash buys at `mark`, fee included.
    """
    ledger = shares.ledger
    held = ledger.position
    if held == ZERO:
        return ZERO
    if pot.units > ZERO:
        wanted = toward_zero(-held * pot.units / shares.units, contract.lot)
        return wanted if abs(wanted) >= contract.min_decrease(mark) else ZERO
    value = ledger.value(mark) + contract.taker_fee * abs(held) * mark
    if pot.cash <= ZERO or value <= ZERO:
        return ZERO
    wanted = toward_zero(held * pot.cash / value, contract.lot)
    return wanted if abs(wanted) >= contract.min_increase(mark) else ZERO


def in_cash(shares: Shares, pot: Pot, mark: Price, taker_fee: Decimal) -> tuple[Decimal, Usd]:
    """Units and cash of what is left of the pot, dealt at the NAV at `mark` without a trade.

    It pays into the fund the taker fee that its share of the position would have cost. For a subscription
    units made and cash paid in (negative where its trades cost more than it had), for a redemption units
    burned and cash paid out. The fund's value at `mark` is positive.
    """
    nav = shares.ledger.value(mark) / shares.units
    levy = taker_fee * (real_leverage(shares.ledger, mark) or ZERO)
    if pot.units > ZERO:
        paid = down(pot.units * nav * (1 - levy))
        return pot.units, max(paid, ZERO)
    if pot.cash < ZERO:
        return max(down(pot.cash / nav), -pot.issued), pot.cash
    return down(pot.cash * (1 - levy) / nav), pot.cash


def cross(pot: Pot, nav: Decimal) -> tuple[Decimal, Usd, Usd]:
    """What subscribers and redeemers of one dealing give each other: units, cash paid, cash received."""
    units = min(down(pot.cash / nav), pot.units)
    return units, min(up(units * nav), pot.cash), down(units * nav)


def portion(total: Decimal, weight: Decimal, weights: Decimal) -> Decimal:
    """One flow's portion of what its side got, rounded down."""
    return down(total * weight / weights)
