"""Settlement: what a fill, and a funding payment, do to wallet and positions.

An isolated position has its own wallet: what is opened moves its initial margin there, what is closed
releases its share, losses beyond that share come out of what is left in it, and funding is paid from it.
Commission is paid from the cross wallet as long as that has any.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, NamedTuple

from bot.exchange.account import CENT_MILLIONTH
from bot.exchange.entities import ZERO, IncomeType, Order, Side, Status, Trade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.exchange.account import Account, Holding, Position
    from bot.exchange.ledger import Ledger
    from bot.exchange.market import FundingDue

TAKER_FEE = Decimal("0.0005")
MAKER_FEE = Decimal("0.0002")


class Execution(NamedTuple):
    """A quantity at a price, in USDT."""

    price: Decimal
    quantity: Decimal


class Settlement:
    """Books fills and funding."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def fill(
        self,
        account: Account,
        order: Order,
        fills: Sequence[Execution],
        *,
        maker: bool = False,
        outside: bool = False,
    ) -> Order:
        """Book fills of an order, tell of them, and return the order.

        `outside` is a fill outside of the order book (insurance fund, deleveraging), which costs no fee.
        """
        if not fills:
            return order
        ledger, now = self._ledger, self._ledger.market.now
        rate = ZERO if outside else MAKER_FEE if maker else TAKER_FEE
        execution = "CALCULATED" if outside else "TRADE"
        told: list[tuple[Order, Trade]] = []
        filled, quote = order.filled, order.quote
        for price, quantity in fills:
            filled += quantity
            quote += quantity * price
            trade = self._fill_one(account, order, price, quantity, rate, maker=maker)
            status = Status.FILLED if filled == order.quantity else Status.PARTIALLY_FILLED
            order = order.traded(status, filled, quote, now)
            told.append((order, trade))
        account.position(order.symbol, order.position_side).update_ms = now
        ledger.keep(account, order)
        ledger.note_holding(account, order.symbol)
        ledger.tell_account(account, "ORDER", ((order.symbol, order.position_side),))
        for version, trade in told:
            ledger.tell_order(account, version, execution, trade)
        return order

    def _fill_one(
        self, account: Account, order: Order, price: Decimal, quantity: Decimal, rate: Decimal, *, maker: bool
    ) -> Trade:
        ledger, now, name = self._ledger, self._ledger.market.now, order.symbol
        holding = account.holding(name)
        position = holding.position(order.position_side)
        before = position.quantity
        realised = position.trade(quantity if order.side is Side.BUY else -quantity, price)
        notional = quantity * price
        commission = (notional * rate).quantize(CENT_MILLIONTH, ROUND_CEILING) if rate else ZERO
        trade = Trade(
            account.next_id("trade"),
            account.name,
            order.id,
            name,
            order.side,
            price,
            quantity,
            realised,
            commission,
            maker,
            now,
            order.position_side,
        )
        ledger.changes.trades.append(trade)
        if commission:
            ledger.pay(account, IncomeType.COMMISSION, name, -commission, now, trade.id)
        if realised:
            ledger.pay(account, IncomeType.REALIZED_PNL, name, realised, now, trade.id)
        position.earned = position.earned + realised - commission if position.quantity else ZERO
        if before * position.quantity < 0:
            position.earned = ZERO
        if holding.isolated:
            self._move_margin(account, order, holding, position, before, price, realised)
        return trade

    def _move_margin(
        self,
        account: Account,
        order: Order,
        holding: Holding,
        position: Position,
        before: Decimal,
        price: Decimal,
        realised: Decimal,
    ) -> None:
        """Move margin between the cross wallet and an isolated position that has just traded."""
        ledger, now_held = self._ledger, position.quantity
        turned = before * now_held < 0
        closed = abs(before) if turned else max(ZERO, abs(before) - abs(now_held))
        opened = abs(now_held) if turned else max(ZERO, abs(now_held) - abs(before))
        wallet = position.isolated_wallet
        released = ZERO
        if closed:
            share = wallet if closed == abs(before) else wallet * closed / abs(before)
            released = share.quantize(CENT_MILLIONTH, ROUND_FLOOR)
            short = -(released + realised)  # a loss beyond the share is borne by what is left
            released += min(max(short, ZERO), wallet - released)
        margin = (opened * price / holding.leverage).quantize(CENT_MILLIONTH, ROUND_CEILING)
        margin = min(margin, max(ZERO, account.cross_wallet + released))
        shift = margin - released
        cross = account.cross_wallet - shift
        if cross < 0 and wallet + shift > 0:  # commission that the cross wallet cannot pay
            shift -= min(-cross, wallet + shift)
        ledger.shift_margin(account, order.symbol, order.position_side, shift, by_trade=True)

    def pay_funding(self, account: Account, due: FundingDue) -> None:
        """Book one funding payment: -quantity x mark x rate, rounded against the account."""
        holding = account.holdings.get(due.symbol)
        if holding is None or not due.rate:
            return
        ledger = self._ledger
        for side, position in holding.positions.items():
            if not position.quantity:
                continue
            amount = (-position.quantity * due.mark * due.rate).quantize(CENT_MILLIONTH, ROUND_FLOOR)
            ledger.pay(account, IncomeType.FUNDING_FEE, due.symbol, amount, due.time_ms)
            if holding.isolated:
                ledger.add_isolated(account, due.symbol, side, amount)
            told = ((due.symbol, side),) if holding.isolated else ()  # as the venue: none of a cross margin
            ledger.tell_account(account, "FUNDING_FEE", told, amount, due.symbol)
