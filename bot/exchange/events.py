"""What the venue tells the user streams, in the order in which it happened. All immutable."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.exchange.algo import AlgoOrder
    from bot.exchange.entities import MarginType, Order, PositionSide, Trade


class OrderEvent(NamedTuple):
    """An order changed: `execution` is NEW, TRADE, CALCULATED, AMENDMENT, CANCELED or EXPIRED.

    CALCULATED is a fill outside of the order book: the insurance fund or a deleveraged counterparty.
    `bids` and `asks` are the notionals of the account's open orders in the symbol, in USDT.
    """

    order: Order
    execution: str
    trade: Trade | None
    modify_id: int = 0
    bids: Decimal | int = 0
    asks: Decimal | int = 0

    @property
    def account(self) -> str:
        """The name of the order's account."""
        return self.order.account


class AlgoEvent(NamedTuple):
    """A conditional order changed."""

    order: AlgoOrder

    @property
    def account(self) -> str:
        """The name of the order's account."""
        return self.order.account


class PositionChange(NamedTuple):
    """A position as it stands after an event."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    unrealised: Decimal
    realised_total: Decimal
    position_side: PositionSide
    margin_type: MarginType
    isolated_wallet: Decimal
    break_even_price: Decimal


class AccountEvent(NamedTuple):
    """A wallet or position changed.

    `reason` is ORDER, FUNDING_FEE, DEPOSIT, WITHDRAW, INSURANCE_CLEAR, MARGIN_TRANSFER or
    MARGIN_TYPE_CHANGE. `balance_change` is what changed except by trading profit and commission. `funded` is
    the symbol of a funding payment.
    """

    account: str
    reason: str
    wallet: Decimal
    cross_wallet: Decimal
    balance_change: Decimal
    positions: tuple[PositionChange, ...]
    funded: str = ""


class LeverageEvent(NamedTuple):
    """The leverage setting of a symbol changed."""

    account: str
    symbol: str
    leverage: int


class CalledPosition(NamedTuple):
    """A position that needs more margin, in USDT where money."""

    symbol: str
    position_side: PositionSide
    quantity: Decimal
    margin_type: MarginType
    isolated_wallet: Decimal
    mark: Decimal
    unrealised: Decimal
    maintenance: Decimal


class MarginCallEvent(NamedTuple):
    """Maintenance margin has come near to the margin; `cross_wallet` is None for an isolated position."""

    account: str
    cross_wallet: Decimal | None
    positions: tuple[CalledPosition, ...]


Event = OrderEvent | AlgoEvent | AccountEvent | LeverageEvent | MarginCallEvent
