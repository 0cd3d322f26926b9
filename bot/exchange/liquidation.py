"""Liquidation as the venue does it: in steps, with an insurance fund and auto-deleveraging behind it.

When margin is at or below maintenance margin, open orders expire and positions are reduced: one in a higher
bracket first to the bracket below, until there is margin enough. Each step is an immediate-or-cancel limit
order at the bankruptcy price, where nothing would be left of the margin. What the book does not take at that
price or better, the insurance fund takes over at it; when the fund could not bear the loss, the opposite
positions of other accounts are closed against it, those first that have gained most with the highest
leverage. So nobody ever owes money. The fee for liquidation goes to the fund as far as there is margin.
Sources: Binance, "Liquidation Protocols", "Insurance Funds", "What Is Auto-Deleveraging (ADL)".
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from bot.exchange.account import CENT_MILLIONTH
from bot.exchange.brackets import bracket_of
from bot.exchange.entities import ZERO, Cause, Expiry, IncomeType, Order, PositionSide, Side, Status
from bot.exchange.margin import account_margin, cross_risk, isolated_risk
from bot.exchange.margin_calls import CROSS, MarginCalls, isolated_key
from bot.exchange.settlement import TAKER_FEE, Execution

if TYPE_CHECKING:
    from bot.exchange.account import Account, Position
    from bot.exchange.algo_orders import AlgoOrders
    from bot.exchange.catalog import Symbol
    from bot.exchange.deleveraging import Deleveraging
    from bot.exchange.ledger import Ledger
    from bot.exchange.open_orders import OpenOrders
    from bot.exchange.orders import Orders
    from bot.exchange.settlement import Settlement


class Liquidation:
    """Watches the margin of all accounts."""

    def __init__(
        self,
        ledger: Ledger,
        settlement: Settlement,
        waiting: OpenOrders,
        orders: Orders,
        algos: AlgoOrders,
        adl: Deleveraging,
    ) -> None:
        self._ledger = ledger
        self._market = ledger.market
        self._settlement = settlement
        self._waiting = waiting
        self._orders = orders
        self._algos = algos
        self._adl = adl
        self._calls = MarginCalls(ledger)

    # --- watching -------------------------------------------------------------------------------------

    def watch(self, account: Account) -> None:
        """Liquidate what must be, and call for margin where it is near."""
        market = self._market
        risk = cross_risk(account, market.symbols, market.marks)
        if risk is not None:
            if risk.is_bankrupting:
                self.liquidate_cross(account)
            else:
                self._calls.watch_cross(account, risk)
        for name, side, position in list(account.held()):
            if account.holdings[name].isolated:
                risk = isolated_risk(position, market.symbols[name], market.marks[name])
                if risk.is_bankrupting:
                    self.liquidate_isolated(account, name, side)
                else:
                    self._calls.watch_isolated(account, name, side, risk)

    def liquidate_all(self, account: Account) -> None:
        """Liquidate all positions, whatever their margin."""
        self.liquidate_cross(account, in_full=True)
        for name, side, _ in list(account.held()):
            self.liquidate_isolated(account, name, side, in_full=True)

    def liquidate_cross(self, account: Account, *, in_full: bool = False) -> None:
        """Reduce cross positions until there is margin enough, those with the largest loss first."""
        market = self._market
        for order in list(account.open_orders.values()):
            if order.id in account.open_orders:
                self._waiting.cancel(account, order, Status.EXPIRED, Expiry.LIQUIDATION)
        self._algos.expire_all(account, None)
        while True:
            risk = cross_risk(account, market.symbols, market.marks)
            if risk is None or not (in_full or risk.is_bankrupting):
                break
            held = [item for item in account.held() if not account.holdings[item[0]].isolated]
            held.sort(key=lambda item: (item[2].unrealised(market.marks[item[0]]), item[0], item[1]))
            name, side, position = held[0]
            order = self._force(account, name, side, self._step(name, position), min(risk))
            self._charge(account, name, order, self._cross_margin(account))
        if account.cross_wallet < 0 and risk is None:
            self._make_good(account, -account.cross_wallet)
        self._calls.forget(account, CROSS)

    def liquidate_isolated(
        self, account: Account, name: str, side: PositionSide, *, in_full: bool = False
    ) -> None:
        """Reduce an isolated position until it has margin enough."""
        market, symbol = self._market, self._market.symbols[name]
        for order in list(account.open_orders.values()):
            if order.symbol == name and order.id in account.open_orders:
                self._waiting.cancel(account, order, Status.EXPIRED, Expiry.LIQUIDATION)
        self._algos.expire_all(account, name)
        position = account.position(name, side)
        while position.quantity:
            risk = isolated_risk(position, symbol, market.marks[name])
            if not (in_full or risk.is_bankrupting):
                break
            cross = account.cross_wallet
            order = self._force(account, name, side, self._step(name, position), min(risk))
            gained = account.cross_wallet - cross
            if position.quantity:  # the margin stays with what is left of the position
                self._ledger.add_isolated(account, name, side, gained)
                left = isolated_risk(position, symbol, market.marks[name]).margin
                fee = self._charge(account, name, order, left)
                self._ledger.add_isolated(account, name, side, -fee)
            elif gained < 0:
                self._make_good(account, -gained)
            else:
                self._charge(account, name, order, gained)
        self._calls.forget(account, isolated_key(name, side))

    def _step(self, name: str, position: Position) -> Decimal:
        """Return how much to close next: down to the bracket below, or all in the lowest."""
        symbol, mark = self._market.symbols[name], self._market.marks[name]
        held = abs(position.quantity)
        bracket = bracket_of(symbol.brackets, held * mark)
        if bracket.number == 1:
            return held
        steps = ((held - bracket.floor / mark) / symbol.step).to_integral_value(ROUND_CEILING)
        return min(held, max(symbol.step, steps * symbol.step))

    # --- closing by force -----------------------------------------------------------------------------

    def _force(
        self, account: Account, name: str, side: PositionSide, quantity: Decimal, margin: Decimal
    ) -> Order:
        """Close `quantity` of a position that has `margin` left, in the book and outside of it."""
        symbol, mark = self._market.symbols[name], self._market.marks[name]
        position = account.position(name, side)
        way = Side.SELL if position.quantity > 0 else Side.BUY
        bankruptcy = mark - margin / position.quantity
        limit = _on_grid(bankruptcy / (1 - way.opposite.sign * TAKER_FEE), way, symbol)
        number = account.next_id("autoclose") % 1_000_000
        order = self._adl.forced_order(
            account,
            f"autoclose-{self._market.now}{number:06d}",
            (name, side),
            way,
            quantity,
            limit,
            Cause.LIQUIDATION,
        )
        fills = self._market.take(name, account.name, way, limit, quantity)
        if fills:
            order = self._orders.settle(account, order, fills)
        if order.remaining:
            order = self._take_over(account, order, _on_grid(bankruptcy, way, symbol))
        return order

    def _take_over(self, account: Account, order: Order, price: Decimal) -> Order:
        """Fill what is left of a liquidation at the bankruptcy price: by the fund, or by deleveraging."""
        mark, quantity = self._market.marks[order.symbol], order.remaining
        result = order.side.sign * (price - mark) * quantity
        if self._ledger.fund + result < 0:
            for other, side in self._adl.opposite(account, order):
                if quantity:
                    quantity -= self._adl.deleverage(other, order.symbol, side, quantity, price)
            result = order.side.sign * (price - mark) * quantity
        self._ledger.fund = max(ZERO, self._ledger.fund + result)
        order = self._settlement.fill(account, order, [Execution(price, order.remaining)], outside=True)
        self._waiting.fit(account, order.symbol, order.position_side)
        return order

    # --- fees and debts -------------------------------------------------------------------------------

    def _charge(self, account: Account, name: str, order: Order, margin: Decimal) -> Decimal:
        """Take the liquidation fee as far as there is margin, for the fund, and return it."""
        fee = order.quote * self._market.symbols[name].liquidation_fee
        fee = min(fee.quantize(CENT_MILLIONTH, ROUND_CEILING), margin.quantize(CENT_MILLIONTH, ROUND_FLOOR))
        if fee <= 0:
            return ZERO
        self._ledger.fund += fee
        self._ledger.pay(account, IncomeType.INSURANCE_CLEAR, name, -fee, self._market.now)
        self._ledger.tell_account(account, "INSURANCE_CLEAR", (), -fee)
        return fee

    def _cross_margin(self, account: Account) -> Decimal:
        margin = account_margin(account, self._market.symbols, self._market.marks)
        return margin.cross_wallet + margin.cross_unrealised

    def _make_good(self, account: Account, owed: Decimal) -> None:
        """Let the fund pay what an account would owe."""
        self._ledger.fund = max(ZERO, self._ledger.fund - owed)
        self._ledger.pay(account, IncomeType.INSURANCE_CLEAR, "", owed, self._market.now)
        self._ledger.tell_account(account, "INSURANCE_CLEAR", (), owed)


def _on_grid(price: Decimal, side: Side, symbol: Symbol) -> Decimal:
    """Return a price on the grid, rounded in favour of who is liquidated, at least one tick."""
    rounding = ROUND_CEILING if side is Side.SELL else ROUND_FLOOR
    ticks = (price / symbol.tick).to_integral_value(rounding)
    return max(Decimal(1), ticks) * symbol.tick
