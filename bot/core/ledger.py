"""The fund's own books: cash, position and cost, changed by trades and income only.

`cash` is what would be left if the position were sold at the mark and the proceeds removed, so that
fund value = cash + position x mark. `cost` is the signed amount paid for the open position;
a venue's wallet balance (margin account, average cost, profit realised on reduction) is cash + cost.
"""

from decimal import Decimal
from typing import NamedTuple

from bot.core.units import ONE, ZERO, Contracts, Leverage, Price, Usd


class Ledger(NamedTuple):
    """Balances of one fund. `fees` and `funding` are totals so far (paid, received)."""

    cash: Usd
    position: Contracts = ZERO
    cost: Usd = ZERO
    fees: Usd = ZERO
    funding: Usd = ZERO
    other_income: Usd = ZERO

    @property
    def wallet(self) -> Usd:
        """The wallet balance that the venue should show for this fund: mark-free."""
        return self.cash + self.cost

    def value(self, mark: Price) -> Usd:
        """Fund value at `mark`, unrealised profit included."""
        return self.cash + self.position * mark

    def after_trade(self, quantity: Contracts, price: Price, fee: Usd) -> "Ledger":
        """The books after a trade of signed `quantity`; `fee` is in USDT, positive when paid."""
        cash, position, cost, fees, funding, other = self
        cost = _cost_after(position, cost, quantity, price)
        cash = cash - quantity * price - fee
        return Ledger(cash, position + quantity, cost, fees + fee, funding, other)

    def after_funding(self, amount: Usd) -> "Ledger":
        """The books after funding of `amount` (positive: received)."""
        cash, position, cost, fees, funding, other = self
        return Ledger(cash + amount, position, cost, fees, funding + amount, other)

    def after_other_income(self, amount: Usd) -> "Ledger":
        """The books after a wallet change that is neither trade, fee nor funding."""
        return self._replace(cash=self.cash + amount, other_income=self.other_income + amount)

    def with_cash(self, amount: Usd) -> "Ledger":
        """The books after holders brought `amount` in, or took it out (< 0): no income of the fund."""
        return self._replace(cash=self.cash + amount)


class VenueFill(NamedTuple):
    """One trade, as far as it moves the cost of a position: in the order of these, that is, of the venue."""

    time_ms: int
    digits: int
    trade_id: str
    quantity: Contracts
    price: Price


def venue_fill(trade_id: str, time_ms: int, quantity: Contracts, price: Price) -> VenueFill:
    """A trade; of one instant the venue numbers them upward, and a longer number is a higher one."""
    return VenueFill(time_ms, len(trade_id), trade_id, quantity, price)


class Basis(NamedTuple):
    """Position and cost when ledger and venue last agreed, and the trades since, in the venue's order.

    Cash does not depend on the order of trades, but average cost does: a reduction realises what the position
    had cost by then. News of trades may come out of order (somebody else's come last of all).
    """

    position: Contracts = ZERO
    cost: Usd = ZERO
    fills: tuple[VenueFill, ...] = ()

    def with_trade(self, fill: VenueFill, ledger: Ledger) -> tuple["Basis", Ledger]:
        """The basis with one more trade, and the `ledger` after it, its cost as the venue has it."""
        if not self.fills or self.fills[-1] < fill:
            return self._replace(fills=(*self.fills, fill)), ledger
        after = self._replace(fills=tuple(sorted((*self.fills, fill))))
        return after, ledger._replace(cost=after.cost_in_order())

    def cost_in_order(self) -> Usd:
        """What the position has cost after all trades, in the order in which the venue made them."""
        position, cost = self.position, self.cost
        for fill in self.fills:
            cost = _cost_after(position, cost, fill.quantity, fill.price)
            position += fill.quantity
        return cost


def _cost_after(position: Contracts, cost: Usd, quantity: Contracts, price: Price) -> Usd:
    """Average-cost basis: additions at their price, reductions in proportion, a reversal starts anew."""
    after = position + quantity
    if after == ZERO:
        return ZERO
    if position * quantity >= ZERO:
        return cost + quantity * price
    if (after > ZERO) == (position > ZERO):
        return cost * after / position
    return after * price


def real_leverage(ledger: Ledger, mark: Price) -> Leverage | None:
    """abs(position) x mark / fund value; None when fund value is not positive."""
    value = ledger.cash + ledger.position * mark
    return abs(ledger.position) * mark / value if value > ZERO else None


def target_position(ledger: Ledger, mark: Price, target: Leverage, sign: int, fee: Decimal) -> Contracts:
    """The signed position at which real leverage equals `target` once the trade's fee is paid.

    Exposure E becomes T(V + fE) / (1 + Tf) when increasing and T(V - fE) / (1 - Tf) when reducing, `fee` f a
    fraction of the traded notional (docs/study.md). The trade is taken to fill at `mark`. Zero where
    fund value is not positive, or the fee of selling all takes all of it: no reduction becomes a reversal.
    """
    value = ledger.value(mark)
    if value <= ZERO:
        return ZERO
    exposure = ledger.position * sign * mark
    wanted = target * value
    if wanted >= exposure:
        after = target * (value + fee * exposure) / (ONE + target * fee)
    elif fee * exposure >= value:
        return ZERO
    else:
        after = target * (value - fee * exposure) / (ONE - target * fee)
    return sign * after / mark
