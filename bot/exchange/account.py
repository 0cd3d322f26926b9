"""One account: wallet, positions, settings and open orders."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from bot.exchange.entities import ZERO, Order, PositionChange

CENT_MILLIONTH = Decimal("1e-8")  # the venue keeps money to 8 decimals
DEFAULT_LEVERAGE = 20
IDS_PER_ROUND = 1_000  # accounts draw ids in turn, so no account's ids depend on another's trading


@dataclass(slots=True)
class Position:
    """A one-way position. `cost` is signed quantity x average entry price, kept exact.

    With the cost instead of a rounded entry price, wallet + unrealised always equals the sum of all cash
    flows plus quantity x mark, to the last digit.
    """

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realised_total: Decimal = ZERO
    update_ms: int = 0

    @property
    def entry_price(self) -> Decimal:
        """Average entry price; 0 when flat."""
        return self.cost / self.quantity if self.quantity else ZERO

    def unrealised(self, mark: Decimal) -> Decimal:
        """Return the profit at `mark`, in USDT."""
        return self.quantity * mark - self.cost

    def trade(self, signed: Decimal, price: Decimal) -> Decimal:
        """Apply a fill of `signed` base coin and return the profit it realises, to 8 decimals."""
        before = self.quantity
        if before * signed >= 0:
            self.quantity += signed
            self.cost += signed * price
            return ZERO
        closed = min(abs(signed), abs(before))
        if closed == abs(before):
            released = self.cost
        else:
            released = (self.cost * closed / abs(before)).quantize(CENT_MILLIONTH, ROUND_HALF_EVEN)
        closed_signed = closed if before > 0 else -closed
        realised = closed_signed * price - released
        opened = signed + closed_signed
        self.quantity = before - closed_signed + opened
        self.cost += opened * price - released
        self.realised_total += realised
        return realised

    def change(self, symbol: str, mark: Decimal) -> PositionChange:
        """Return the position as an event shows it."""
        return PositionChange(
            symbol, self.quantity, self.entry_price, self.unrealised(mark), self.realised_total
        )


@dataclass(slots=True)
class Account:
    """The state of one account; `wallet` = deposits + realised + funding - fees (+ insurance), in USDT."""

    name: str
    slot: int
    wallet: Decimal = ZERO
    positions: dict[str, Position] = field(default_factory=dict)
    leverage: dict[str, int] = field(default_factory=dict)
    open_orders: dict[int, Order] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)

    def leverage_of(self, symbol: str) -> int:
        """Return the leverage setting of a symbol."""
        return self.leverage.get(symbol, DEFAULT_LEVERAGE)

    def position(self, symbol: str) -> Position:
        """Return the position in a symbol; a new flat one if there never was any."""
        return self.positions.setdefault(symbol, Position())

    def quantity(self, symbol: str) -> Decimal:
        """Return the signed quantity held."""
        position = self.positions.get(symbol)
        return position.quantity if position else ZERO

    def next_id(self, kind: str) -> int:
        """Return a new id, unique over all accounts and rising within this one."""
        count = self.counters.get(kind, 0) + 1
        self.counters[kind] = count
        return count * IDS_PER_ROUND + self.slot
