"""The venue: a deterministic state machine over all accounts and symbols, without I/O and without a clock.

Its inputs are `advance(time)` and the requests of accounts; its outputs are answers, `events` (for user
streams) and `changes` (for the store). Same market and inputs, same outputs.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from bot.exchange.account import Account
from bot.exchange.account_settings import AccountSettings
from bot.exchange.algo_orders import AlgoOrders
from bot.exchange.deleveraging import Deleveraging
from bot.exchange.entities import IncomeType, PositionSide, PriceMatch
from bot.exchange.ledger import Changes, Ledger
from bot.exchange.liquidation import Liquidation
from bot.exchange.margin import AccountMargin, liquidation_price
from bot.exchange.open_orders import OpenOrders
from bot.exchange.orders import Orders
from bot.exchange.settlement import MAKER_FEE, TAKER_FEE, Settlement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.exchange.algo import AlgoOrder, AlgoRequest
    from bot.exchange.entities import Income, MarginType, Order, OrderRequest, Side
    from bot.exchange.events import Event
    from bot.exchange.market import Market

__all__ = ["MAKER_FEE", "TAKER_FEE", "Venue"]

DEFAULT_INSURANCE_FUND = Decimal(1_000_000_000)


class Venue:
    """All accounts on one market; methods raise RequestError for what is refused."""

    def __init__(
        self, market: Market, accounts: Iterable[Account] = (), *, fund: Decimal = DEFAULT_INSURANCE_FUND
    ) -> None:
        self.market = market
        self._ledger = ledger = Ledger(market, accounts, fund)
        self._settlement = Settlement(ledger)
        self._waiting = OpenOrders(ledger)
        self._orders = Orders(ledger, self._settlement, self._waiting)
        self._algos = AlgoOrders(ledger, self._orders)
        self._adl = Deleveraging(ledger, self._settlement, self._waiting)
        self._liquidation = Liquidation(
            ledger, self._settlement, self._waiting, self._orders, self._algos, self._adl
        )
        self._settings = AccountSettings(ledger)
        self.accounts = ledger.accounts

    # --- what others take from here -------------------------------------------------------------------

    @property
    def events(self) -> list[Event]:
        """What the user streams have not been told yet."""
        return self._ledger.events

    @events.setter
    def events(self, events: list[Event]) -> None:
        self._ledger.events = events

    def be_heard(self, *, heard: bool) -> None:
        """Make events from now on, or none but those of liquidations: nobody would be told of them."""
        self._ledger.is_heard = heard

    @property
    def changes(self) -> Changes:
        """What the store does not have yet."""
        return self._ledger.changes

    @changes.setter
    def changes(self, changes: Changes) -> None:
        self._ledger.changes = changes

    @property
    def fund(self) -> Decimal:
        """The insurance fund's balance, in USDT."""
        return self._ledger.fund

    # --- time -----------------------------------------------------------------------------------------

    def next_deadline(self) -> int | None:
        """Return when the next countdown or date of an order runs out, UTC ms; None if there is none."""
        return min(self._ledger.deadlines.values(), default=None)

    def advance(self, time_ms: int) -> None:
        """Move market time on to `time_ms`; countdowns and dates of orders run out at their own time."""
        while (due_ms := self.next_deadline()) is not None and self.market.now < due_ms < time_ms:
            self._advance(due_ms)
        self._advance(time_ms)

    def _advance(self, time_ms: int) -> None:
        """Move on in one step.

        In this order: funding due by then, marks, orders whose countdown or date has run out, fills of
        waiting orders, conditional orders, liquidations.
        """
        market, accounts = self.market, self.accounts.values()
        for due in market.funding_due(time_ms):
            for account in accounts:
                self._settlement.pay_funding(account, due)
        market.move_to(time_ms)
        for account in accounts:
            if account.countdowns:
                self._count_down(account)
        self._waiting.expire_dated()
        for order_id, price, quantity in market.passive_fills():
            self._orders.fill_passive(order_id, price, quantity)
        self._algos.sweep()
        for account in accounts:
            if account.open_algos:
                self._algos.watch(account)
                self._algos.sweep()
        for account in accounts:
            if account.holdings:
                self._liquidation.watch(account)
        self._algos.sweep()

    def _count_down(self, account: Account) -> None:
        """Cancel what should have been asked to stay."""
        for name, end_ms in list(account.countdowns.items()):
            if end_ms <= self.market.now:
                self._settings.countdown(account, name, 0)
                self._orders.cancel_all(account, name)

    # --- accounts -------------------------------------------------------------------------------------

    def open_account(self, name: str, deposit: Decimal) -> Account:
        """Add an account with a first deposit in USDT."""
        account = Account(name, slot=len(self.accounts))
        self._ledger.add(account)
        self._ledger.pay(account, IncomeType.TRANSFER, "", deposit, self.market.now)
        return account

    def margin(self, account: Account) -> AccountMargin:
        """Return the margin of an account at the present marks."""
        return self._settings.margin(account)

    def liquidation_price(
        self, account: Account, name: str, side: PositionSide = PositionSide.BOTH
    ) -> Decimal:
        """Return the mark at which a position would be liquidated, other marks unchanged; 0 if none."""
        return liquidation_price(account, name, side, self.market.symbols, self.market.marks)

    def adl_quantile(self, account: Account, name: str, side: PositionSide = PositionSide.BOTH) -> int:
        """Return a position's place in the queue for deleveraging, 0 (last) to 4."""
        return self._adl.quantile(account, name, side)

    def set_leverage(self, account: Account, name: str, leverage: int) -> None:
        """Change the leverage of a symbol; raises RequestError -4028, -4161, -2027 or -2028."""
        self._settings.set_leverage(account, name, leverage)

    def set_margin_type(self, account: Account, name: str, margin_type: MarginType) -> None:
        """Change the margin type of a symbol; raises RequestError -4046, -4047 or -4048."""
        self._settings.set_margin_type(account, name, margin_type)

    def change_position_margin(
        self, account: Account, name: str, side: PositionSide, amount: Decimal
    ) -> None:
        """Add USDT to an isolated position, or take it out (< 0); raises RequestError -4049 to -4055."""
        self._settings.change_position_margin(account, name, side, amount)

    def set_position_mode(self, account: Account, *, hedge: bool) -> None:
        """Change between one-way and hedge mode; raises RequestError -4059, -4067 or -4068."""
        self._settings.set_position_mode(account, hedge=hedge)

    def transfer(self, account: Account, amount: Decimal) -> Income:
        """Pay USDT in, or out (< 0); raises RequestError -4055 or -5013."""
        return self._settings.transfer(account, amount)

    # --- orders ---------------------------------------------------------------------------------------

    def check(self, account: Account, request: OrderRequest) -> None:
        """Raise RequestError if `place` would refuse the order."""
        self._orders.check(account, request)

    def place(self, account: Account, request: OrderRequest) -> Order:
        """Place an order and match it; return it as it stands then."""
        order = self._orders.place(account, request)
        self._algos.sweep()
        return order

    def amend(
        self,
        account: Account,
        order_id: int,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        *,
        price_match: PriceMatch = PriceMatch.NONE,
        modify_id: int = 0,
        reduce_only: bool = False,
    ) -> Order:
        """Change quantity and price of an open limit order; see `Orders.amend`."""
        order = self._orders.amend(
            account,
            order_id,
            side,
            quantity,
            price,
            price_match=price_match,
            modify_id=modify_id,
            reduce_only=reduce_only,
        )
        self._algos.sweep()
        return order

    def cancel(self, account: Account, order_id: int) -> Order:
        """Cancel an open order; raises RequestError -2011."""
        order = self._orders.cancel(account, order_id)
        self._algos.sweep()
        return order

    def cancel_all(self, account: Account, symbol: str | None) -> list[Order]:
        """Cancel all open orders, or those of one symbol."""
        orders = self._orders.cancel_all(account, symbol)
        self._algos.sweep()
        return orders

    def countdown(self, account: Account, name: str, time_ms: int) -> None:
        """Let a symbol's open orders be cancelled after `time_ms` of market time; 0 ends a countdown."""
        self._settings.countdown(account, name, time_ms)

    def place_algo(self, account: Account, request: AlgoRequest) -> AlgoOrder:
        """Place a conditional order."""
        return self._algos.place(account, request)

    def cancel_algo(self, account: Account, algo_id: int) -> AlgoOrder:
        """Cancel a conditional order that has not triggered; raises RequestError -2011."""
        return self._algos.cancel(account, algo_id)

    def cancel_all_algos(self, account: Account, symbol: str | None) -> list[AlgoOrder]:
        """Cancel all conditional orders, or those of one symbol."""
        return self._algos.cancel_all(account, symbol)

    # --- the venue's own hand -------------------------------------------------------------------------

    def fill_waiting(self, account: Account, order_id: int) -> None:
        """Fill what is left of a waiting order at its price, as if the market had come to it."""
        order = account.open_orders[order_id]
        self.market.unrest(order_id)
        self._orders.fill_passive(order_id, order.price, order.remaining)
        self._algos.sweep()

    def liquidate(self, account: Account) -> None:
        """Liquidate all positions of an account, whatever its margin."""
        self._liquidation.liquidate_all(account)
        self._algos.sweep()

    def deleverage(self, account: Account, name: str, side: PositionSide, quantity: Decimal) -> Decimal:
        """Close up to `quantity` of a position at the mark, as auto-deleveraging would; return how much."""
        symbol = self.market.symbol(name)
        price = round(self.market.marks[name] / symbol.tick) * symbol.tick
        closed = self._adl.deleverage(account, name, side, quantity, price)
        self._algos.sweep()
        return closed
