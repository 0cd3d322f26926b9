"""The facts of trading: orders, trades, income, and what a client asks for. All immutable.

Times are market time in UTC ms. Quantities are in base coin, money in USDT, everything Decimal. They are
named tuples because the venue makes several of them for each order, and those are made the fastest.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

ZERO = Decimal(0)


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class PositionSide(StrEnum):
    """Which position an order is for: BOTH in one-way mode, LONG or SHORT in hedge mode."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


class OrderType(StrEnum):
    """The kinds of order that the order book knows."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"


class TimeInForce(StrEnum):
    """How long an order lives: GTX is post-only, GTD ends at a date, GTE_GTC ends with the position."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"
    GTD = "GTD"
    GTE_GTC = "GTE_GTC"


NEVER_RESTS = frozenset({TimeInForce.IOC, TimeInForce.FOK})


class Status(StrEnum):
    """Where an order is in its life."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"

    @property
    def is_open(self) -> bool:
        """Whether the order can still trade."""
        return self is Status.NEW or self is Status.PARTIALLY_FILLED


class PriceMatch(StrEnum):
    """A limit price taken from the book: the opponent's or the own side's n-th best."""

    NONE = "NONE"
    OPPONENT = "OPPONENT"
    OPPONENT_5 = "OPPONENT_5"
    OPPONENT_10 = "OPPONENT_10"
    OPPONENT_20 = "OPPONENT_20"
    QUEUE = "QUEUE"
    QUEUE_5 = "QUEUE_5"
    QUEUE_10 = "QUEUE_10"
    QUEUE_20 = "QUEUE_20"


class SelfTradePrevention(StrEnum):
    """What happens when an order meets another of its own account."""

    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


class MarginType(StrEnum):
    """Whether a position shares the account's margin or has its own."""

    CROSSED = "CROSSED"
    ISOLATED = "ISOLATED"


class Cause(StrEnum):
    """Who placed an order: its account, or the venue."""

    CLIENT = "CLIENT"
    LIQUIDATION = "LIQUIDATION"
    ADL = "ADL"


class Expiry(StrEnum):
    """Why an order ended before it was filled: the venue's "er"."""

    NONE = "0"
    SELF_TRADE = "1"
    IOC = "2"
    IOC_SELF_TRADE = "3"
    REDUCE_ONLY = "4"
    LIQUIDATION = "5"
    MARKET = "9"


class OrderRequest(NamedTuple):
    """What a client asks for. `price` is 0 for MARKET and with a `price_match`; `good_till_ms` 0: no date."""

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    price: Decimal
    time_in_force: TimeInForce
    reduce_only: bool
    client_id: str
    position_side: PositionSide = PositionSide.BOTH
    price_match: PriceMatch = PriceMatch.NONE
    self_trade: SelfTradePrevention = SelfTradePrevention.EXPIRE_MAKER
    good_till_ms: int = 0

    def at(self, quantity: Decimal, price: Decimal) -> OrderRequest:
        """Return the request for another quantity and price: what `_replace` does, at a tenth of its cost."""
        return OrderRequest._make((*self[:3], quantity, price, *self[5:]))


class Order(NamedTuple):
    """One order of one account. `quote` is the notional filled so far."""

    id: int
    account: str
    client_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    reduce_only: bool
    quantity: Decimal
    price: Decimal
    status: Status
    filled: Decimal
    quote: Decimal
    time_ms: int
    update_ms: int
    position_side: PositionSide = PositionSide.BOTH
    price_match: PriceMatch = PriceMatch.NONE
    self_trade: SelfTradePrevention = SelfTradePrevention.EXPIRE_MAKER
    good_till_ms: int = 0
    cause: Cause = Cause.CLIENT
    expiry: Expiry = Expiry.NONE
    amendments: int = 0

    def traded(self, status: Status, filled: Decimal, quote: Decimal, update_ms: int) -> Order:
        """Return the order after a fill: what `_replace` does, at a tenth of its cost."""
        return Order._make((*self[:10], status, filled, quote, self.time_ms, update_ms, *self[15:]))

    @property
    def remaining(self) -> Decimal:
        """Quantity still to fill."""
        return self.quantity - self.filled

    @property
    def average_price(self) -> Decimal:
        """Average fill price; 0 when nothing is filled."""
        return self.quote / self.filled if self.filled else ZERO


class Trade(NamedTuple):
    """One fill. `realised` is the profit it realised before `commission`."""

    id: int
    account: str
    order_id: int
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    realised: Decimal
    commission: Decimal
    maker: bool
    time_ms: int
    position_side: PositionSide = PositionSide.BOTH


class IncomeType(StrEnum):
    """Why a wallet balance changed."""

    TRANSFER = "TRANSFER"
    REALIZED_PNL = "REALIZED_PNL"
    COMMISSION = "COMMISSION"
    FUNDING_FEE = "FUNDING_FEE"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"


class Income(NamedTuple):
    """One change of a wallet balance. `symbol` is empty and `trade_id` 0 where there is none."""

    id: int
    account: str
    type: IncomeType
    symbol: str
    amount: Decimal
    trade_id: int
    time_ms: int


class Amendment(NamedTuple):
    """One change of an open order, with what it was before and after; `number` is 1 for the first."""

    id: int
    account: str
    order_id: int
    client_id: str
    symbol: str
    price_before: Decimal
    price_after: Decimal
    quantity_before: Decimal
    quantity_after: Decimal
    number: int
    modify_id: int
    time_ms: int


class MarginChange(NamedTuple):
    """Margin that entered (`amount` > 0) or left an isolated position; `by_trade`: not the client's wish."""

    id: int
    account: str
    symbol: str
    position_side: PositionSide
    amount: Decimal
    by_trade: bool
    time_ms: int
