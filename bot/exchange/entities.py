"""The facts of trading: orders, trades, income, and what a client asks for. All immutable.

Times are market time in UTC ms. Quantities are in base coin, money in USDT, everything Decimal.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """Which kinds of order there are."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"


class TimeInForce(StrEnum):
    """How long an order lives: GTX is post-only."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"


class Status(StrEnum):
    """Where an order is in its life."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"

    @property
    def is_open(self) -> bool:
        """Whether the order can still trade."""
        return self in {Status.NEW, Status.PARTIALLY_FILLED}


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a client asks for. `price` is 0 for MARKET."""

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    price: Decimal
    time_in_force: TimeInForce
    reduce_only: bool
    client_id: str


@dataclass(frozen=True, slots=True)
class Order:
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

    @property
    def remaining(self) -> Decimal:
        """Quantity still to fill."""
        return self.quantity - self.filled

    @property
    def average_price(self) -> Decimal:
        """Average fill price; 0 when nothing is filled."""
        return self.quote / self.filled if self.filled else ZERO


@dataclass(frozen=True, slots=True)
class Trade:
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


class IncomeType(StrEnum):
    """Why a wallet balance changed."""

    TRANSFER = "TRANSFER"
    REALIZED_PNL = "REALIZED_PNL"
    COMMISSION = "COMMISSION"
    FUNDING_FEE = "FUNDING_FEE"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"


@dataclass(frozen=True, slots=True)
class Income:
    """One change of a wallet balance. `symbol` is empty and `trade_id` 0 where there is none."""

    id: int
    account: str
    type: IncomeType
    symbol: str
    amount: Decimal
    trade_id: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """An order changed: `execution` is NEW, TRADE, CANCELED or EXPIRED."""

    order: Order
    execution: str
    trade: Trade | None


@dataclass(frozen=True, slots=True)
class PositionChange:
    """A position as it stands after an event."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    unrealised: Decimal
    realised_total: Decimal


@dataclass(frozen=True, slots=True)
class AccountEvent:
    """A wallet or position changed. `reason` is ORDER, FUNDING_FEE, DEPOSIT or INSURANCE_CLEAR."""

    account: str
    reason: str
    wallet: Decimal
    balance_change: Decimal
    positions: tuple[PositionChange, ...]


@dataclass(frozen=True, slots=True)
class LeverageEvent:
    """The leverage setting of a symbol changed."""

    account: str
    symbol: str
    leverage: int


Event = OrderEvent | AccountEvent | LeverageEvent
