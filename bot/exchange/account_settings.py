"""What an account does besides trading: leverage, margin type, position mode, transfers, countdowns."""

from __future__ import annotations

from decimal import ROUND_DOWN
from typing import TYPE_CHECKING

from bot.exchange.account import CENT_MILLIONTH
from bot.exchange.entities import ZERO, IncomeType, MarginType, PositionSide
from bot.exchange.errors import RequestError
from bot.exchange.events import LeverageEvent
from bot.exchange.margin import account_margin, admits, initial_margin, position_margin

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.exchange.account import Account
    from bot.exchange.entities import Income
    from bot.exchange.ledger import Ledger
    from bot.exchange.margin import AccountMargin


class AccountSettings:
    """Changes the settings of accounts, and moves their money."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._market = ledger.market

    def margin(self, account: Account) -> AccountMargin:
        """Return the margin of an account at the present marks."""
        return account_margin(account, self._market.symbols, self._market.marks)

    def set_leverage(self, account: Account, name: str, leverage: int) -> None:
        """Change the leverage of a symbol; raises RequestError -4028, -4161, -2027 or -2028."""
        symbol = self._market.symbol(name)
        if not 1 <= leverage <= symbol.brackets[0].leverage:
            raise RequestError(-4028, f"Leverage {leverage} is not valid")
        holding = account.holding(name)
        extra = ZERO
        for side, position in holding.positions.items():
            part = position_margin(account, symbol, self._market.marks[name], side)
            largest = max(abs(part.notional + part.bids), abs(part.notional - part.asks))
            if largest and not admits(symbol, leverage, largest):
                raise RequestError(-2027, "Exceeded the maximum allowable position at current leverage.")
            if position.quantity and holding.isolated and leverage < holding.leverage:
                raise RequestError(
                    -4161, "Leverage reduction is not supported in Isolated Margin Mode with open positions."
                )
            extra += initial_margin(part.notional, part.bids, part.asks, leverage) - part.initial
        if extra > self.margin(account).available:
            raise RequestError(-2028, "Leverage is smaller than permitted: insufficient margin balance.")
        holding.leverage = leverage
        self._ledger.note_holding(account, name)
        self._ledger.events.append(LeverageEvent(account.name, name, leverage))

    def set_margin_type(self, account: Account, name: str, margin_type: MarginType) -> None:
        """Change the margin type of a symbol; raises RequestError -4046, -4047 or -4048."""
        self._market.symbol(name)
        holding = account.holding(name)
        if holding.margin_type is margin_type:
            raise RequestError(-4046, "No need to change margin type.")
        if any(order.symbol == name for order in account.open_orders.values()):
            raise RequestError(-4047, "Margin type cannot be changed if there exists open orders.")
        if any(position.quantity for position in holding.positions.values()):
            raise RequestError(-4048, "Margin type cannot be changed if there exists position.")
        holding.margin_type = margin_type
        self._ledger.note_holding(account, name)
        sides = [(name, side) for side in account.position_sides]
        self._ledger.tell_account(account, "MARGIN_TYPE_CHANGE", sides)

    def change_position_margin(
        self, account: Account, name: str, side: PositionSide, amount: Decimal
    ) -> None:
        """Add `amount` USDT to an isolated position, or take it out (< 0).

        Raises RequestError -4049, -4054, -4055, -4050 or -4051.
        """
        symbol = self._market.symbol(name)
        holding = account.holding(name)
        position = holding.position(side)
        amount = amount.quantize(CENT_MILLIONTH, ROUND_DOWN)
        if not amount:
            raise RequestError(-4055, "Amount must be positive.")
        if not holding.isolated:
            raise RequestError(-4049, "Add margin only support for isolated position.")
        if not position.quantity:
            raise RequestError(-4054, "Cannot add position margin: position is 0.")
        if amount > self.margin(account).withdrawable:
            raise RequestError(-4050, "Cross balance insufficient.")
        part = position_margin(account, symbol, self._market.marks[name], side)
        spare = position.isolated_wallet + min(ZERO, part.unrealised) - part.position_initial
        if amount < 0 and -amount > spare:
            raise RequestError(-4051, "Isolated balance insufficient.")
        self._ledger.shift_margin(account, name, side, amount, by_trade=False)
        self._ledger.tell_account(account, "MARGIN_TRANSFER", ((name, side),))

    def set_position_mode(self, account: Account, *, hedge: bool) -> None:
        """Change between one-way and hedge mode; raises RequestError -4059, -4067 or -4068."""
        if account.hedge is hedge:
            raise RequestError(-4059, "No need to change position side.")
        if account.open_orders or account.open_algos:
            raise RequestError(-4067, "Position side cannot be changed if there exists open orders.")
        if any(account.held()):
            raise RequestError(-4068, "Position side cannot be changed if there exists position.")
        account.hedge = hedge
        self._ledger.changes.accounts[account.name] = None

    def transfer(self, account: Account, amount: Decimal) -> Income:
        """Pay USDT in, or out (< 0); raises RequestError -4055 or -5013."""
        if not amount:
            raise RequestError(-4055, "Amount must be positive.")
        if -amount > self.margin(account).withdrawable:
            raise RequestError(-5013, "Asset transfer failed: insufficient balance")
        income = self._ledger.pay(account, IncomeType.TRANSFER, "", amount, self._market.now)
        reason = "DEPOSIT" if amount > 0 else "WITHDRAW"
        self._ledger.tell_account(account, reason, (), amount)
        return income

    def countdown(self, account: Account, name: str, time_ms: int) -> None:
        """Let a symbol's open orders be cancelled after `time_ms` of market time; 0 ends a countdown."""
        self._market.symbol(name)
        self._ledger.count_down(account, name, self._market.now + time_ms if time_ms else 0)
