"""Margin calls: a warning when maintenance margin comes near to the margin, before liquidation does."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from bot.exchange.events import CalledPosition, MarginCallEvent
from bot.exchange.margin import Risk, isolated_risk

if TYPE_CHECKING:
    from bot.exchange.account import Account
    from bot.exchange.entities import PositionSide
    from bot.exchange.ledger import Ledger

MARGIN_CALL_RATIO = Decimal(
    "0.8"
)  # of maintenance margin to margin; observed (JKorf/Binance.Net issue 1293), not documented
CROSS = ""  # what stands for the cross margin among what has had a margin call


def isolated_key(name: str, side: PositionSide) -> str:
    """Return what stands for an isolated position among what has had a margin call."""
    return f"{name} {side}"


class MarginCalls:
    """Warns once, and again only after there has been margin enough in between."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def watch_cross(self, account: Account, risk: Risk) -> None:
        """Warn an account whose cross margin is near its end."""
        if self._is_due(account, CROSS, risk):
            positions = tuple(
                self._called(account, name, side)
                for name, side, _ in account.held()
                if not account.holdings[name].isolated
            )
            self._ledger.events.append(MarginCallEvent(account.name, account.cross_wallet, positions))

    def watch_isolated(self, account: Account, name: str, side: PositionSide, risk: Risk) -> None:
        """Warn an account whose isolated position is near its end."""
        if self._is_due(account, isolated_key(name, side), risk):
            called = self._called(account, name, side)
            self._ledger.events.append(MarginCallEvent(account.name, None, (called,)))

    def forget(self, account: Account, what: str) -> None:
        """Warn again next time: there has been a liquidation."""
        account.called.discard(what)

    def _is_due(self, account: Account, what: str, risk: Risk) -> bool:
        near = risk.maintenance > MARGIN_CALL_RATIO * risk.margin
        if near == (what in account.called):
            return False
        (account.called.add if near else account.called.discard)(what)
        self._ledger.changes.accounts[account.name] = None
        return near

    def _called(self, account: Account, name: str, side: PositionSide) -> CalledPosition:
        market, position = self._ledger.market, account.position(name, side)
        mark = market.marks[name]
        return CalledPosition(
            name,
            side,
            position.quantity,
            account.holdings[name].margin_type,
            position.isolated_wallet,
            mark,
            position.unrealised(mark),
            isolated_risk(position, market.symbols[name], mark).maintenance,
        )
