"""The venue's books: every change of an account goes through here, is noted for the store, and is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.exchange.account import IDS_PER_ROUND, Account
from bot.exchange.algo import AlgoStatus
from bot.exchange.entities import (
    ZERO,
    Amendment,
    Cause,
    Expiry,
    Income,
    IncomeType,
    MarginChange,
    Order,
    PositionSide,
    Side,
    Status,
    Trade,
)
from bot.exchange.events import AccountEvent, Event, OrderEvent, PositionChange

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from bot.exchange.account import Position
    from bot.exchange.algo import AlgoOrder
    from bot.exchange.market import Market


@dataclass(slots=True)
class Changes:
    """What has changed since the store last looked. Orders are kept in their latest version.

    A conditional order that only follows the price is noted without touching its account: it need not be
    saved by itself, for the market's time is not either, and both are walked again after a restart.
    """

    orders: dict[int, Order] = field(default_factory=dict)
    algos: dict[int, AlgoOrder] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    incomes: list[Income] = field(default_factory=list)
    amendments: list[Amendment] = field(default_factory=list)
    margin_changes: list[MarginChange] = field(default_factory=list)
    holdings: dict[tuple[str, str], None] = field(default_factory=dict)
    accounts: dict[str, None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.accounts)


class Ledger:
    """All accounts on one market, with what has changed and what is to be told.

    `fund` is the insurance fund's balance in USDT. `ended` are orders that conditional orders had
    become, and `traded` the accounts with conditional orders that have traded, to be followed up.
    `deadlines` has when orders run out: by date, under "order" or "algo" and their id, or by countdown, under
    "countdown", the slot of their account and the symbol. Unless it `is_heard`, only liquidations are told.
    """

    def __init__(self, market: Market, accounts: Iterable[Account], fund: Decimal) -> None:
        self.market = market
        self.fund = fund
        self.accounts: dict[str, Account] = {}
        self._by_slot: dict[int, Account] = {}
        self.events: list[Event] = []
        self.is_heard = True
        self.ended: list[Order] = []
        self.traded: dict[str, None] = {}
        self.deadlines: dict[tuple[str, int, str], int] = {}
        self.changes = Changes()
        for account in accounts:
            self.add(account)

    def add(self, account: Account) -> None:
        """Take an account in, with what it has open."""
        self.accounts[account.name] = account
        self._by_slot[account.slot] = account
        account.order_ids.clear()
        for holding in account.holdings.values():
            for position in holding.positions.values():
                position.bids = position.asks = ZERO
        for order in account.open_orders.values():
            account.order_ids[order.client_id] = order.id
            self._count_notional(account, order, 1)
        for algo in account.open_algos.values():
            self.note_algo(account, algo)
        for symbol, end_ms in account.countdowns.items():
            self.deadlines["countdown", account.slot, symbol] = end_ms

    def owner(self, order_id: int) -> Account:
        """Return the account of an order."""
        return self._by_slot[order_id % IDS_PER_ROUND]

    # --- orders ---------------------------------------------------------------------------------------

    def keep(self, account: Account, order: Order) -> None:
        """Note the present version of an order, in the account and for the store."""
        known = account.open_orders.get(order.id)
        if known is not None:
            self._count_notional(account, known, -1)
        if order.status.is_open:
            account.open_orders[order.id] = order
            account.order_ids[order.client_id] = order.id
            self._count_notional(account, order, 1)
        elif known is not None:
            del account.open_orders[order.id]
            del account.order_ids[order.client_id]
            if order.id in account.triggered:
                self.ended.append(order)
        self.changes.orders[order.id] = order
        self.changes.accounts[account.name] = None

    def _count_notional(self, account: Account, order: Order, sign: int) -> None:
        if order.reduce_only:
            return
        position = account.position(order.symbol, order.position_side)
        if order.side is Side.BUY:
            position.bids += sign * order.remaining * order.price
        else:
            position.asks += sign * order.remaining * order.price

    def tell_order(
        self, account: Account, order: Order, execution: str, trade: Trade | None = None, modify_id: int = 0
    ) -> None:
        """Tell of a change of an order."""
        if not self.is_heard and order.cause is not Cause.LIQUIDATION:
            return
        position = account.position(order.symbol, order.position_side)
        self.events.append(OrderEvent(order, execution, trade, modify_id, position.bids, position.asks))

    def tell_new(self, account: Account, order: Order) -> None:
        """Tell of a new order; the notional of open orders counts it already, as on the venue."""
        if not self.is_heard:
            return
        position = account.position(order.symbol, order.position_side)
        bids, asks = position.bids, position.asks
        if not order.reduce_only and order.price:
            if order.side is Side.BUY:
                bids += order.remaining * order.price
            else:
                asks += order.remaining * order.price
        self.events.append(OrderEvent(order, "NEW", None, 0, bids, asks))

    def end(self, account: Account, order: Order, status: Status, expiry: Expiry = Expiry.NONE) -> Order:
        """End an order and tell of it."""
        order = order._replace(status=status, expiry=expiry, update_ms=self.market.now)
        self.keep(account, order)
        self.tell_order(account, order, "CANCELED" if status is Status.CANCELED else "EXPIRED")
        return order

    def note_algo(self, account: Account, order: AlgoOrder) -> None:
        """Note the present version of a conditional order in the account; the store is told elsewhere."""
        if order.status is AlgoStatus.NEW:
            account.open_algos[order.id] = order
            if order.good_till_ms:
                self.deadlines["algo", order.id, ""] = order.good_till_ms
        else:
            account.open_algos.pop(order.id, None)
            self.deadlines.pop(("algo", order.id, ""), None)

    def count_down(self, account: Account, symbol: str, end_ms: int) -> None:
        """Note when the orders of a symbol are to be cancelled; 0: not at all."""
        key = "countdown", account.slot, symbol
        if end_ms:
            account.countdowns[symbol] = self.deadlines[key] = end_ms
        else:
            account.countdowns.pop(symbol, None)
            self.deadlines.pop(key, None)
        self.changes.accounts[account.name] = None

    # --- money ----------------------------------------------------------------------------------------

    def pay(
        self,
        account: Account,
        kind: IncomeType,
        symbol: str,
        amount: Decimal,
        time_ms: int,
        trade_id: int = 0,
    ) -> Income:
        """Change a wallet and enter the reason in the income history."""
        account.wallet += amount
        income = Income(account.next_id("income"), account.name, kind, symbol, amount, trade_id, time_ms)
        self.changes.incomes.append(income)
        self.changes.accounts[account.name] = None
        return income

    def shift_margin(
        self, account: Account, symbol: str, side: PositionSide, amount: Decimal, *, by_trade: bool
    ) -> None:
        """Move part of the wallet into (or out of) an isolated position."""
        if not amount:
            return
        self.add_isolated(account, symbol, side, amount)
        self.changes.margin_changes.append(
            MarginChange(
                account.next_id("margin"), account.name, symbol, side, amount, by_trade, self.market.now
            )
        )

    def add_isolated(self, account: Account, symbol: str, side: PositionSide, amount: Decimal) -> None:
        """Change what an isolated position has to itself, without an entry in its history."""
        account.position(symbol, side).isolated_wallet += amount
        account.isolated += amount
        self.note_holding(account, symbol)

    def note_holding(self, account: Account, symbol: str) -> None:
        """Note that a position or a setting of a symbol has changed."""
        if account.open_algos:
            self.traded[account.name] = None
        self.changes.holdings[account.name, symbol] = None
        self.changes.accounts[account.name] = None

    def tell_account(
        self,
        account: Account,
        reason: str,
        positions: Iterable[tuple[str, PositionSide]] = (),
        balance_change: Decimal = ZERO,
        funded: str = "",
    ) -> None:
        """Tell of a change of wallet and positions; `funded` is the symbol of a funding payment."""
        if not self.is_heard:
            return
        changed = tuple(self._position_change(account, symbol, side) for symbol, side in positions)
        self.events.append(
            AccountEvent(
                account.name, reason, account.wallet, account.cross_wallet, balance_change, changed, funded
            )
        )

    def _position_change(self, account: Account, symbol: str, side: PositionSide) -> PositionChange:
        holding = account.holding(symbol)
        position: Position = holding.position(side)
        return PositionChange(
            symbol,
            position.quantity,
            position.entry_price,
            position.unrealised(self.market.marks[symbol]),
            position.realised_total,
            side,
            holding.margin_type,
            position.isolated_wallet,
            position.break_even_price,
        )
