"""Margin of a cross-margined account, by the venue's formulas. Pure.

Initial margin of a symbol = max(|position + open buys|, |position - open sells|) / leverage, all as notional
(position at the mark, orders at their price; reduce-only orders need none). Available = wallet + unrealised
- initial margin. Source: Binance, "Trading Rules: cost required to open a position" and "Margin and PnL".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.exchange.brackets import bracket_of, maintenance_margin, max_notional
from bot.exchange.entities import ZERO, Side

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from bot.exchange.account import Account, Position
    from bot.exchange.catalog import Symbol


@dataclass(frozen=True, slots=True)
class SymbolMargin:
    """Margin of one symbol, in USDT; `notional` is signed, the order notionals are not."""

    notional: Decimal
    unrealised: Decimal
    bids: Decimal
    asks: Decimal
    position_initial: Decimal
    initial: Decimal
    maintenance: Decimal


@dataclass(frozen=True, slots=True)
class AccountMargin:
    """Margin of a whole account, in USDT."""

    wallet: Decimal
    unrealised: Decimal
    position_initial: Decimal
    initial: Decimal
    maintenance: Decimal

    @property
    def balance(self) -> Decimal:
        """Margin balance, which is equity."""
        return self.wallet + self.unrealised

    @property
    def available(self) -> Decimal:
        """What new orders may use."""
        return max(ZERO, self.balance - self.initial)


def symbol_margin(account: Account, symbol: Symbol, mark: Decimal) -> SymbolMargin:
    """Return the margin of one symbol at `mark`."""
    name = symbol.name
    position = account.positions.get(name)
    notional = position.quantity * mark if position else ZERO
    bids = asks = ZERO
    for order in account.open_orders.values():
        if order.symbol == name and not order.reduce_only:
            if order.side is Side.BUY:
                bids += order.remaining * order.price
            else:
                asks += order.remaining * order.price
    leverage = account.leverage_of(name)
    return SymbolMargin(
        notional=notional,
        unrealised=position.unrealised(mark) if position else ZERO,
        bids=bids,
        asks=asks,
        position_initial=abs(notional) / leverage,
        initial=initial_margin(notional, bids, asks, leverage),
        maintenance=maintenance_margin(symbol.brackets, abs(notional)) if notional else ZERO,
    )


def initial_margin(notional: Decimal, bids: Decimal, asks: Decimal, leverage: int) -> Decimal:
    """Return the initial margin of a position and its open orders, in USDT."""
    return max(abs(notional + bids), abs(notional - asks)) / leverage


def account_margin(
    account: Account, symbols: Mapping[str, Symbol], marks: Mapping[str, Decimal]
) -> AccountMargin:
    """Return the margin of the account at these marks."""
    names = {name for name, position in account.positions.items() if position.quantity}
    names.update(order.symbol for order in account.open_orders.values())
    parts = [symbol_margin(account, symbols[name], marks[name]) for name in sorted(names)]
    return AccountMargin(
        wallet=account.wallet,
        unrealised=sum((part.unrealised for part in parts), ZERO),
        position_initial=sum((part.position_initial for part in parts), ZERO),
        initial=sum((part.initial for part in parts), ZERO),
        maintenance=sum((part.maintenance for part in parts), ZERO),
    )


def is_bankrupting(account: Account, symbols: Mapping[str, Symbol], marks: Mapping[str, Decimal]) -> bool:
    """Return whether the account must be liquidated: margin balance at or below maintenance margin."""
    balance, maintenance, exposed = account.wallet, ZERO, False
    for name, position in account.positions.items():
        if position.quantity:
            exposed = True
            mark = marks[name]
            balance += position.unrealised(mark)
            maintenance += maintenance_margin(symbols[name].brackets, abs(position.quantity * mark))
    return exposed and balance <= maintenance


def liquidation_price(position: Position, symbol: Symbol, mark: Decimal, margin: AccountMargin) -> Decimal:
    """Return the mark of this symbol at which the account is liquidated, others unchanged; 0 if none.

    Solves wallet + other unrealised + q p - cost = other maintenance + |q| p rate - amount for p, in the
    bracket that holds the answer.
    """
    quantity = position.quantity
    if not quantity:
        return ZERO
    own = maintenance_margin(symbol.brackets, abs(quantity * mark))
    others = margin.balance - position.unrealised(mark) - (margin.maintenance - own)
    for bracket in symbol.brackets:
        slope = abs(quantity) * bracket.rate - quantity
        price = (others - position.cost + bracket.amount) / slope if slope else ZERO
        if price > 0 and bracket_of(symbol.brackets, abs(quantity) * price) is bracket:
            return price
    return ZERO


def admits(symbol: Symbol, leverage: int, notional: Decimal) -> bool:
    """Return whether the leverage setting admits a position of this notional."""
    return notional <= max_notional(symbol.brackets, leverage)
