"""One account: wallet, positions with their settings, and what it has open."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from bot.exchange.entities import ZERO, MarginType, Order, PositionSide, Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.exchange.algo import AlgoOrder

CENT_MILLIONTH = Decimal("1e-8")  # the venue keeps money to 8 decimals
DEFAULT_LEVERAGE = 20
IDS_PER_ROUND = 1_000  # accounts draw ids in turn, so no account's ids depend on another's trading


@dataclass(slots=True)
class Position:
    """A position. `cost` is signed quantity x average entry price, kept exact.

    With the cost instead of a rounded entry price, wallet + unrealised always equals the sum of all cash
    flows plus quantity x mark, to the last digit. `isolated_wallet` is the part of the account's wallet that
    an isolated position has to itself. `earned` is realised profit less commission since it was last flat.
    `bids` and `asks` are the notionals of the open orders that could enlarge it.
    """

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realised_total: Decimal = ZERO
    isolated_wallet: Decimal = ZERO
    earned: Decimal = ZERO
    update_ms: int = 0
    bids: Decimal = ZERO
    asks: Decimal = ZERO

    @property
    def entry_price(self) -> Decimal:
        """Average entry price; 0 when flat."""
        return self.cost / self.quantity if self.quantity else ZERO

    @property
    def break_even_price(self) -> Decimal:
        """The price at which closing leaves neither profit nor loss, but for the fee of closing."""
        return (self.cost - self.earned) / self.quantity if self.quantity else ZERO

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

    def reducible(self, side: Side) -> Decimal:
        """Return how much an order of this side could reduce the position by."""
        return abs(self.quantity) if self.quantity * side.sign < 0 else ZERO


@dataclass(slots=True)
class Holding:
    """What an account has in one symbol: settings, and a position for each position side in use."""

    leverage: int = DEFAULT_LEVERAGE
    margin_type: MarginType = MarginType.CROSSED
    positions: dict[PositionSide, Position] = field(default_factory=dict)

    def position(self, side: PositionSide = PositionSide.BOTH) -> Position:
        """Return the position of a side; a new flat one if there never was any."""
        position = self.positions.get(side)
        if position is None:
            position = self.positions[side] = Position()
        return position

    @property
    def isolated(self) -> bool:
        """Whether its positions have their own margin."""
        return self.margin_type is MarginType.ISOLATED


@dataclass(slots=True)
class Account:
    """The state of one account, in USDT.

    `wallet` = deposits + realised + funding - fees (+ insurance); `isolated` of it belongs to isolated
    positions. `order_ids` are those of the open orders by client id, `triggered` the conditional orders that
    have become open orders, by the id of that order. `may_withdraw` is what its key may, of which nothing
    here makes use. `countdowns` are the market times at which a symbol's
    orders are to be cancelled. `called` holds what has had a margin call: symbols with their position side,
    or "" for the cross margin.
    """

    name: str
    slot: int
    wallet: Decimal = ZERO
    isolated: Decimal = ZERO
    hedge: bool = False
    may_withdraw: bool = False
    holdings: dict[str, Holding] = field(default_factory=dict)
    open_orders: dict[int, Order] = field(default_factory=dict)
    order_ids: dict[str, int] = field(default_factory=dict)
    open_algos: dict[int, AlgoOrder] = field(default_factory=dict)
    triggered: dict[int, AlgoOrder] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    countdowns: dict[str, int] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)

    @property
    def cross_wallet(self) -> Decimal:
        """The wallet without what isolated positions have to themselves."""
        return self.wallet - self.isolated

    def holding(self, symbol: str) -> Holding:
        """Return what the account has in a symbol."""
        holding = self.holdings.get(symbol)
        if holding is None:
            holding = self.holdings[symbol] = Holding()
        return holding

    def leverage_of(self, symbol: str) -> int:
        """Return the leverage setting of a symbol."""
        holding = self.holdings.get(symbol)
        return holding.leverage if holding else DEFAULT_LEVERAGE

    def margin_type_of(self, symbol: str) -> MarginType:
        """Return the margin type of a symbol."""
        holding = self.holdings.get(symbol)
        return holding.margin_type if holding else MarginType.CROSSED

    def position(self, symbol: str, side: PositionSide = PositionSide.BOTH) -> Position:
        """Return a position; a new flat one if there never was any."""
        return self.holding(symbol).position(side)

    def quantity(self, symbol: str) -> Decimal:
        """Return the signed quantity held, long and short together."""
        holding = self.holdings.get(symbol)
        return sum((item.quantity for item in holding.positions.values()), ZERO) if holding else ZERO

    def held(self) -> Iterator[tuple[str, PositionSide, Position]]:
        """Return all positions that are not flat."""
        for symbol, holding in self.holdings.items():
            for side, position in holding.positions.items():
                if position.quantity:
                    yield symbol, side, position

    @property
    def position_sides(self) -> tuple[PositionSide, ...]:
        """The position sides of the account's position mode."""
        return (PositionSide.LONG, PositionSide.SHORT) if self.hedge else (PositionSide.BOTH,)

    def next_id(self, kind: str) -> int:
        """Return a new id, unique over all accounts and rising within this one."""
        count = self.counters.get(kind, 0) + 1
        self.counters[kind] = count
        return count * IDS_PER_ROUND + self.slot
