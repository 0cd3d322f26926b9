"""The basket: a fund's cash, position and units as the public knows them, and what they are worth at a mark.

Public NAV against the mark *is* the position: its slope is position / units. So whatever is shown of a fund
between two reveals is computed from one basket and public prices, and from nothing else.
"""

from decimal import Decimal
from typing import NamedTuple

from bot.core.units import ZERO, Contracts, Leverage, Price, Usd


class Basket(NamedTuple):
    """Balances as of one instant, `as_of_ms`; what is charged or paid on them later moves only `cash`."""

    as_of_ms: int
    cash: Usd
    position: Contracts
    units: Decimal

    def value(self, mark: Price) -> Usd:
        """Fund value at `mark`."""
        return self.cash + self.position * mark

    def nav(self, mark: Price) -> Decimal | None:
        """Value of one unit at `mark`; None without units."""
        return self.value(mark) / self.units if self.units else None

    def leverage(self, mark: Price) -> Leverage | None:
        """abs(position) x mark / value; None when the value is not positive."""
        value = self.value(mark)
        return abs(self.position) * mark / value if value > ZERO else None

    def paid(self, amount: Usd) -> "Basket":
        """The basket after a payment of `amount` (positive: received)."""
        return Basket(self.as_of_ms, self.cash + amount, self.position, self.units)

    def after_funding(self, amount: Usd, position: Contracts) -> "Basket":
        """The basket after funding, of which a fund that held `position` received `amount`.

        Funding is proportional to the position. The true amount would tell the true position, so a basket is
        paid what its own position earns; for the basket that the fund does hold that is the amount itself.
        """
        if self.position == position:
            return self.paid(amount)
        return self.paid((amount * self.position / position).quantize(FINEST)) if position else self

    def after_flow(self, units: Decimal, mark: Price) -> "Basket":
        """The basket after `units` were made (burned, if negative) for their worth in cash at `mark`."""
        nav = self.nav(mark)
        return self if nav is None else self._replace(cash=self.cash + units * nav, units=self.units + units)


FINEST = Decimal("0.00000001")
"""The grid of amounts that are worked out and not booked by the venue: its own, 1e-8 USDT."""
