"""Margin of an account, by the venue's formulas. Pure.

Initial margin of a position = max(|position + open buys|, |position - open sells|) / leverage, all as
notional (position at the mark, orders at their price; reduce-only orders need none). Available = cross wallet
+ cross unrealised - initial margin, where an isolated position's own initial margin lies in its isolated
wallet. Sources: Binance, "Trading Rules: cost required to open a position", "Margin and PnL", "Liquidation
Price of USD-M Futures".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bot.exchange.brackets import maintenance_margin
from bot.exchange.entities import ZERO, PositionSide

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from bot.exchange.account import Account, Position
    from bot.exchange.brackets import Bracket
    from bot.exchange.catalog import Symbol


class PositionMargin(NamedTuple):
    """Margin of one position, in USDT; `notional` is signed, the order notionals are not."""

    notional: Decimal
    unrealised: Decimal
    bids: Decimal
    asks: Decimal
    position_initial: Decimal
    initial: Decimal
    maintenance: Decimal


class AccountMargin(NamedTuple):
    """Margin of a whole account, in USDT. `reserved` is what cross positions and all open orders need."""

    wallet: Decimal
    cross_wallet: Decimal
    unrealised: Decimal
    cross_unrealised: Decimal
    position_initial: Decimal
    initial: Decimal
    maintenance: Decimal
    reserved: Decimal

    @property
    def balance(self) -> Decimal:
        """Margin balance, which is equity."""
        return self.wallet + self.unrealised

    @property
    def available(self) -> Decimal:
        """What new orders may use."""
        return max(ZERO, self.cross_wallet + self.cross_unrealised - self.reserved)

    @property
    def withdrawable(self) -> Decimal:
        """What may leave the account: no unrealised profit."""
        return max(ZERO, min(self.available, self.cross_wallet))


class Risk(NamedTuple):
    """What keeps a position, or all cross positions, alive: liquidated once margin <= maintenance."""

    margin: Decimal
    maintenance: Decimal

    @property
    def is_bankrupting(self) -> bool:
        """Whether it must be liquidated."""
        return self.margin <= self.maintenance


def initial_margin(notional: Decimal, bids: Decimal, asks: Decimal, leverage: int) -> Decimal:
    """Return the initial margin of a position and its open orders, in USDT."""
    return max(abs(notional + bids), abs(notional - asks)) / leverage


def position_margin(
    account: Account, symbol: Symbol, mark: Decimal, side: PositionSide = PositionSide.BOTH
) -> PositionMargin:
    """Return the margin of one position at `mark`."""
    holding = account.holdings.get(symbol.name)
    position = holding.positions.get(side) if holding else None
    if holding is None or position is None:
        return PositionMargin(ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO)
    notional = position.quantity * mark
    return PositionMargin(
        notional,
        notional - position.cost,
        position.bids,
        position.asks,
        abs(notional) / holding.leverage,
        initial_margin(notional, position.bids, position.asks, holding.leverage),
        maintenance_margin(symbol.brackets, abs(notional)) if notional else ZERO,
    )


def account_margin(
    account: Account, symbols: Mapping[str, Symbol], marks: Mapping[str, Decimal]
) -> AccountMargin:
    """Return the margin of the account at these marks."""
    unrealised = cross = position_initial = initial = maintenance = reserved = ZERO
    for name, holding in account.holdings.items():
        for side, position in holding.positions.items():
            if not (position.quantity or position.bids or position.asks):
                continue
            part = position_margin(account, symbols[name], marks[name], side)
            unrealised += part.unrealised
            position_initial += part.position_initial
            initial += part.initial
            maintenance += part.maintenance
            if holding.isolated:
                reserved += part.initial - part.position_initial
            else:
                reserved += part.initial
                cross += part.unrealised
    return AccountMargin(
        account.wallet,
        account.cross_wallet,
        unrealised,
        cross,
        position_initial,
        initial,
        maintenance,
        reserved,
    )


def cross_risk(account: Account, symbols: Mapping[str, Symbol], marks: Mapping[str, Decimal]) -> Risk | None:
    """Return the risk of all cross positions together; None if there are none."""
    margin, maintenance, exposed = account.cross_wallet, ZERO, False
    for name, holding in account.holdings.items():
        if holding.isolated:
            continue
        for position in holding.positions.values():
            if position.quantity:
                exposed = True
                notional = position.quantity * marks[name]
                margin += notional - position.cost
                maintenance += maintenance_margin(symbols[name].brackets, abs(notional))
    return Risk(margin, maintenance) if exposed else None


def isolated_risk(position: Position, symbol: Symbol, mark: Decimal) -> Risk:
    """Return the risk of an isolated position."""
    notional = position.quantity * mark
    margin = position.isolated_wallet + notional - position.cost
    return Risk(margin, maintenance_margin(symbol.brackets, abs(notional)))


def liquidation_price(
    account: Account,
    name: str,
    side: PositionSide,
    symbols: Mapping[str, Symbol],
    marks: Mapping[str, Decimal],
) -> Decimal:
    """Return the mark of a symbol at which a position is liquidated, other marks unchanged; 0 if none.

    Solves margin = maintenance margin for the mark p. In cross margin all positions of the symbol move with
    p together, and the account's other positions count with their unrealised profit and maintenance margin.
    """
    holding = account.holdings.get(name)
    position = holding.positions.get(side) if holding else None
    if holding is None or position is None or not position.quantity:
        return ZERO
    mark, brackets = marks[name], symbols[name].brackets
    if holding.isolated:
        return _solve([position], position.isolated_wallet, brackets, mark)
    moving = [item for item in holding.positions.values() if item.quantity]
    risk = cross_risk(account, symbols, marks)
    if risk is None:
        return ZERO
    others = risk.margin - risk.maintenance
    for item in moving:
        own = maintenance_margin(brackets, abs(item.quantity * mark))
        others -= item.unrealised(mark) - own
    return _solve(moving, others, brackets, mark)


def _solve(
    positions: Sequence[Position], others: Decimal, brackets: tuple[Bracket, ...], mark: Decimal
) -> Decimal:
    """Return the price where others + sum(q p - cost) = sum(|q| p rate - amount), in the losing direction.

    Between the prices at which a position changes its bracket the equation is linear, and the margin left is
    concave in the price: there is at most one answer below the mark and one above.
    """
    net = sum((item.quantity for item in positions), ZERO)
    edges = sorted({bracket.cap / abs(item.quantity) for item in positions for bracket in brackets[:-1]})
    roots = []
    for low, high in zip([ZERO, *edges], [*edges, None], strict=True):
        inside = (low + high) / 2 if high is not None else low + 1
        slope, level = net, others
        for item in positions:
            bracket = next(
                (entry for entry in brackets if abs(item.quantity) * inside <= entry.cap), brackets[-1]
            )
            slope -= abs(item.quantity) * bracket.rate
            level += bracket.amount - item.cost
        root = -level / slope if slope else ZERO
        if root > low and (high is None or root <= high):
            roots.append(root)
    below = [root for root in roots if root <= mark]
    above = [root for root in roots if root > mark]
    if net > 0:
        return max(below, default=ZERO)
    return min(above, default=ZERO) or max(below, default=ZERO)


def admits(symbol: Symbol, leverage: int, notional: Decimal) -> bool:
    """Return whether the leverage setting admits a position of this notional."""
    return any(bracket.leverage >= leverage and notional <= bracket.cap for bracket in symbol.brackets)
