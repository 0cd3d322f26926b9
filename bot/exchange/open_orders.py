"""Orders that wait in the book, and what becomes of reduce-only ones when their position changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.exchange.entities import NEVER_RESTS, ZERO, Expiry, Order, Side, Status

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.exchange.account import Account
    from bot.exchange.entities import PositionSide
    from bot.exchange.ledger import Ledger


class OpenOrders:
    """What rests in the market's book for which order.

    Reduce-only orders together with the other orders of their side never offer more than the position: the
    best priced come first, a reduce-only order offers what they leave of it, perhaps nothing for the time
    being. When the position is gone, reduce-only orders expire.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._offered: dict[int, Decimal] = {}
        self._dates = ledger.deadlines
        for account in ledger.accounts.values():
            for order in account.open_orders.values():
                self._note_date(order)
                offered = ledger.market.offered(order.id)
                if offered:
                    self._offered[order.id] = offered

    def add(self, account: Account, order: Order) -> None:
        """Let what remains of an order wait in the book."""
        self._note_date(order)
        if not order.reduce_only:
            self._offer(order, order.remaining)
        self.fit(account, order.symbol, order.position_side)

    def remove(self, order: Order) -> None:
        """Take an order out of the book."""
        self._dates.pop(("order", order.id, ""), None)
        if self._offered.pop(order.id, None) is not None:
            self._ledger.market.unrest(order.id)

    def filled(self, account: Account, order: Order, quantity: Decimal) -> None:
        """Note that the market has taken `quantity` of an order in the book."""
        left = self._offered.get(order.id, ZERO) - quantity
        if left > 0 and order.status.is_open:
            self._offered[order.id] = left
        else:
            self._offered.pop(order.id, None)
        if not order.status.is_open:
            self._dates.pop(("order", order.id, ""), None)
        self.fit(account, order.symbol, order.position_side)

    def cancel(self, account: Account, order: Order, status: Status, expiry: Expiry = Expiry.NONE) -> Order:
        """Take an order out of the book and end it."""
        self.remove(order)
        ended = self._ledger.end(account, order, status, expiry)
        self.fit(account, order.symbol, order.position_side)
        return ended

    def expire_dated(self) -> None:
        """End the orders whose date has come."""
        now = self._ledger.market.now
        due = sorted(
            (date, number)
            for (kind, number, _), date in self._dates.items()
            if kind == "order" and date <= now
        )
        for _, order_id in due:
            account = self._ledger.owner(order_id)
            self.cancel(account, account.open_orders[order_id], Status.EXPIRED)

    def fit(self, account: Account, symbol: str, side: PositionSide) -> None:
        """Fit the reduce-only orders of a position to its quantity."""
        orders = [
            order
            for order in account.open_orders.values()
            if order.symbol == symbol
            and order.position_side is side
            and order.time_in_force not in NEVER_RESTS
        ]
        if not any(order.reduce_only for order in orders):
            return
        position = account.position(symbol, side)
        orders.sort(key=lambda order: (-order.side.sign * order.price, order.reduce_only, order.id))
        room = {way: position.reducible(way) for way in Side}
        gone = {way for way in Side if not room[way]}
        for order in orders:
            if not order.reduce_only:
                room[order.side] = max(ZERO, room[order.side] - order.remaining)
            elif order.side in gone:
                self.remove(order)
                self._ledger.end(account, order, Status.EXPIRED, Expiry.REDUCE_ONLY)
            else:
                offered = min(order.remaining, room[order.side])
                room[order.side] -= offered
                self._offer(order, offered)

    def _note_date(self, order: Order) -> None:
        if order.good_till_ms:
            self._dates["order", order.id, ""] = order.good_till_ms

    def _offer(self, order: Order, quantity: Decimal) -> None:
        offered = self._offered.get(order.id)
        if offered == quantity or (offered is None and not quantity):
            return
        market = self._ledger.market
        if offered is not None and 0 < quantity < offered:
            market.reduce(order.id, offered - quantity)
        else:
            if offered is not None:
                market.unrest(order.id)
                del self._offered[order.id]
            if not quantity:
                return
            market.rest(order.id, order.account, order.symbol, order.side, order.price, quantity)
        self._offered[order.id] = quantity
