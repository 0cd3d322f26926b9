"""Orders that the venue places by force, and auto-deleveraging: whose position is closed against whose."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from bot.exchange.account import CENT_MILLIONTH
from bot.exchange.entities import (
    ZERO,
    Cause,
    Order,
    OrderType,
    PositionSide,
    Side,
    Status,
    TimeInForce,
)
from bot.exchange.margin import account_margin, isolated_risk
from bot.exchange.settlement import Execution

if TYPE_CHECKING:
    from bot.exchange.account import Account
    from bot.exchange.ledger import Ledger
    from bot.exchange.open_orders import OpenOrders
    from bot.exchange.settlement import Settlement


class Deleveraging:
    """Closes positions outside of the order book."""

    def __init__(self, ledger: Ledger, settlement: Settlement, waiting: OpenOrders) -> None:
        self._ledger = ledger
        self._market = ledger.market
        self._settlement = settlement
        self._waiting = waiting

    def forced_order(
        self,
        account: Account,
        client_id: str,
        where: tuple[str, PositionSide],
        side: Side,
        quantity: Decimal,
        price: Decimal,
        cause: Cause,
    ) -> Order:
        """Place an order for an account that has not asked for it; `where` is symbol and position side."""
        now = self._market.now
        order = Order(
            id=account.next_id("order"),
            account=account.name,
            client_id=client_id,
            symbol=where[0],
            side=side,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.IOC if cause is Cause.LIQUIDATION else TimeInForce.GTC,
            reduce_only=False,
            quantity=quantity,
            price=price,
            status=Status.NEW,
            filled=ZERO,
            quote=ZERO,
            time_ms=now,
            update_ms=now,
            position_side=where[1],
            cause=cause,
        )
        self._ledger.tell_order(account, order, "NEW")
        return order

    def deleverage(
        self, account: Account, name: str, side: PositionSide, quantity: Decimal, price: Decimal
    ) -> Decimal:
        """Close up to `quantity` of a position at `price`, without a fee; return how much was closed."""
        position = account.position(name, side)
        way = Side.SELL if position.quantity > 0 else Side.BUY
        quantity = min(quantity, abs(position.quantity))
        if not quantity:
            return ZERO
        order = self.forced_order(account, "adl_autoclose", (name, side), way, quantity, price, Cause.ADL)
        order = self._settlement.fill(account, order, [Execution(price, quantity)], outside=True)
        self._waiting.fit(account, name, side)
        return quantity

    def opposite(self, account: Account, order: Order) -> list[tuple[Account, PositionSide]]:
        """Return the positions that a liquidation may be closed against, first in the queue first."""
        found = [
            (self.score(other, name, side), other, side)
            for other in self._ledger.accounts.values()
            if other is not account
            for name, side, position in other.held()
            if name == order.symbol and position.quantity * order.side.sign > 0
        ]
        found.sort(key=lambda item: (-item[0], item[1].slot, item[2]))
        return [(other, side) for _, other, side in found]

    def score(self, account: Account, name: str, side: PositionSide) -> Decimal:
        """Return a position's priority in the queue: its return x leverage, or a loss / leverage.

        The leverage is notional / margin. Source: Binance, "What Is Auto-Deleveraging (ADL)".
        """
        position, mark = account.position(name, side), self._market.marks[name]
        if not position.quantity or not position.cost:
            return ZERO
        if account.holding(name).isolated:
            margin = isolated_risk(position, self._market.symbols[name], mark).margin
        else:
            whole = account_margin(account, self._market.symbols, self._market.marks)
            margin = whole.cross_wallet + whole.cross_unrealised
        leverage = abs(position.quantity) * mark / max(margin, Decimal(1))
        gain = position.unrealised(mark) / abs(position.cost)
        return gain * leverage if gain > 0 else gain / max(leverage, CENT_MILLIONTH)

    def quantile(self, account: Account, name: str, side: PositionSide) -> int:
        """Return the place in the queue among the positions of one direction: 0 (last, or a loss) to 4."""
        own = account.position(name, side)
        score = self.score(account, name, side)
        if score <= 0:
            return 0
        scores = [
            self.score(other, symbol, other_side)
            for other in self._ledger.accounts.values()
            for symbol, other_side, position in other.held()
            if symbol == name and position.quantity * own.quantity > 0
        ]
        behind = sum(other < score for other in scores)
        return 1 + 4 * behind // len(scores)
