"""The venue: a deterministic state machine over all accounts and symbols, without I/O and without a clock.

Its inputs are `advance(time)` and the requests of accounts; its outputs are answers, `events` (for user
streams) and `changes` (for the store). Same market and inputs, same outputs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from bot.exchange.account import CENT_MILLIONTH, Account
from bot.exchange.book import Fill
from bot.exchange.entities import (
    ZERO,
    AccountEvent,
    Event,
    Income,
    IncomeType,
    LeverageEvent,
    Order,
    OrderEvent,
    OrderRequest,
    OrderType,
    Side,
    Status,
    TimeInForce,
    Trade,
)
from bot.exchange.errors import RequestError
from bot.exchange.filters import check_order
from bot.exchange.margin import (
    AccountMargin,
    account_margin,
    admits,
    initial_margin,
    is_bankrupting,
    symbol_margin,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.exchange.catalog import Symbol
    from bot.exchange.market import FundingDue, Market

TAKER_FEE = Decimal("0.0005")
MAKER_FEE = Decimal("0.0002")
MAX_OPEN_ORDERS = 200


@dataclass(slots=True)
class Changes:
    """What has changed since the store last looked. `orders` holds the latest version of each."""

    orders: dict[int, Order] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    incomes: list[Income] = field(default_factory=list)
    accounts: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.accounts)


class Venue:
    """All accounts on one market."""

    def __init__(self, market: Market, accounts: Iterable[Account] = ()) -> None:
        self.market = market
        self.accounts: dict[str, Account] = {account.name: account for account in accounts}
        self.events: list[Event] = []
        self.changes = Changes()

    def advance(self, time_ms: int) -> None:
        """Move market time on to `time_ms`: funding due by then, marks, resting orders, liquidations."""
        market = self.market
        for due in market.funding_due(time_ms):
            for account in self.accounts.values():
                self._book_funding(account, due)
        market.move_to(time_ms)
        self._fill_resting()
        for account in self.accounts.values():
            if account.positions and is_bankrupting(account, market.symbols, market.marks):
                self._liquidate(account)

    def _book_funding(self, account: Account, due: FundingDue) -> None:
        held = account.quantity(due.symbol)
        if not held or not due.rate:
            return
        amount = (-held * due.mark * due.rate).quantize(CENT_MILLIONTH, ROUND_FLOOR)
        self._pay(account, IncomeType.FUNDING_FEE, due.symbol, amount, due.time_ms)
        self._tell_account(account, "FUNDING_FEE", (), amount)

    # --- accounts -------------------------------------------------------------------------------------

    def open_account(self, name: str, deposit: Decimal) -> Account:
        """Add an account with a first deposit in USDT."""
        account = Account(name, slot=len(self.accounts))
        self.accounts[name] = account
        self._pay(account, IncomeType.TRANSFER, "", deposit, self.market.now)
        return account

    def margin(self, account: Account) -> AccountMargin:
        """Return the margin of an account at the present marks."""
        return account_margin(account, self.market.symbols, self.market.marks)

    def set_leverage(self, account: Account, name: str, leverage: int) -> None:
        """Change the leverage setting of a symbol; raises RequestError -4028, -2027 or -2028."""
        symbol = self.market.symbol(name)
        if not 1 <= leverage <= symbol.brackets[0].leverage:
            raise RequestError(-4028, f"Leverage {leverage} is not valid")
        part = symbol_margin(account, symbol, self.market.marks[name])
        largest = max(abs(part.notional + part.bids), abs(part.notional - part.asks))
        if largest and not admits(symbol, leverage, largest):
            raise RequestError(-2027, "Exceeded the maximum allowable position at current leverage.")
        extra = initial_margin(part.notional, part.bids, part.asks, leverage) - part.initial
        if extra > self.margin(account).available:
            raise RequestError(-2028, "Leverage is smaller than permitted: insufficient margin balance.")
        account.leverage[name] = leverage
        self.changes.accounts.add(account.name)
        self.events.append(LeverageEvent(account.name, name, leverage))

    # --- orders ---------------------------------------------------------------------------------------

    def place(self, account: Account, request: OrderRequest) -> Order:
        """Place an order and match it; return it as it stands then. Raises RequestError if refused."""
        symbol = self.market.symbol(request.symbol)
        mark = self.market.marks[symbol.name]
        request = self._within_reduce_only(account, request)
        check_order(symbol, request, mark)
        on_grid = request.quantity.quantize(symbol.step), request.price.quantize(symbol.tick)
        request = replace(request, quantity=on_grid[0], price=on_grid[1])
        if any(order.client_id == request.client_id for order in account.open_orders.values()):
            raise RequestError(-4116, "ClientOrderId is duplicated.")
        if len(account.open_orders) >= MAX_OPEN_ORDERS:
            raise RequestError(-2025, "Reach max open order limit.")
        limit = request.price if request.type is OrderType.LIMIT else None
        fills = self.market.preview(symbol.name, account.name, request.side, limit, request.quantity)
        self._check_time_in_force(request, fills)
        if not request.reduce_only:
            self._check_margin(account, symbol, request)
        order = Order(
            id=account.next_id("order"),
            account=account.name,
            client_id=request.client_id,
            symbol=symbol.name,
            side=request.side,
            type=request.type,
            time_in_force=request.time_in_force,
            reduce_only=request.reduce_only,
            quantity=request.quantity,
            price=request.price,
            status=Status.NEW,
            filled=ZERO,
            quote=ZERO,
            time_ms=self.market.now,
            update_ms=self.market.now,
        )
        self._record(account, order, "NEW")
        order = self._take(account, order, limit)
        if order.status.is_open and request.time_in_force in {TimeInForce.IOC, TimeInForce.FOK}:
            order = self._end(account, order, Status.EXPIRED)
        elif order.status.is_open:
            if order.type is OrderType.MARKET:
                return self._end(account, order, Status.EXPIRED)
            self.market.rest(order.id, account.name, order.symbol, order.side, order.price, order.remaining)
        return order

    def cancel(self, account: Account, order_id: int) -> Order:
        """Cancel an open order; raises RequestError -2011."""
        order = account.open_orders.get(order_id)
        if order is None:
            raise RequestError(-2011, "Unknown order sent.")
        return self._end(account, order, Status.CANCELED)

    def _within_reduce_only(self, account: Account, request: OrderRequest) -> OrderRequest:
        if not request.reduce_only:
            return request
        held = account.quantity(request.symbol)
        if held * request.side.sign >= 0:
            raise RequestError(-2022, "ReduceOnly Order is rejected.")
        return replace(request, quantity=min(request.quantity, abs(held)))

    def _check_time_in_force(self, request: OrderRequest, fills: list[Fill]) -> None:
        if request.time_in_force is TimeInForce.FOK and _quantity(fills) < request.quantity:
            raise RequestError(
                -5021,
                "Due to the order could not be filled immediately, the FOK order has been rejected."
                " The order will not be recorded in the order history",
            )
        if request.time_in_force is TimeInForce.GTX and fills:
            raise RequestError(
                -5022,
                "Due to the order could not be executed as maker, the Post Only order will be rejected."
                " The order will not be recorded in the order history",
            )

    def _check_margin(self, account: Account, symbol: Symbol, request: OrderRequest) -> None:
        """Raise -2027 or -2019 unless brackets and available balance bear the order in full.

        Cost = additional initial margin + open loss, at the order's price (a market order's: the mark, 5 bps
        worse; a sell's at least the mark). Source: Binance, "Cost required to open a position".
        """
        mark = self.market.marks[symbol.name]
        sign = request.side.sign
        price = request.price if request.type is OrderType.LIMIT else mark * (1 + sign * TAKER_FEE)
        part = symbol_margin(account, symbol, mark)
        notional = request.quantity * (price if sign > 0 else max(price, mark))
        bids = part.bids + (notional if sign > 0 else ZERO)
        asks = part.asks + (notional if sign < 0 else ZERO)
        leverage = account.leverage_of(symbol.name)
        increases = max(abs(part.notional + bids), abs(part.notional - asks))
        extra = initial_margin(part.notional, bids, asks, leverage) - part.initial
        if extra <= 0:
            return
        if not admits(symbol, leverage, increases):
            raise RequestError(-2027, "Exceeded the maximum allowable position at current leverage.")
        held = account.quantity(symbol.name)
        opening = request.quantity - (min(request.quantity, abs(held)) if held * sign < 0 else ZERO)
        open_loss = max(ZERO, sign * (price - mark)) * opening
        if extra + open_loss > self.margin(account).available:
            raise RequestError(-2019, "Margin is insufficient.")

    def _take(self, account: Account, order: Order, limit: Decimal | None) -> Order:
        """Execute an aggressive order, and tell the owners of the resting orders that it hit."""
        fills = self.market.take(order.symbol, account.name, order.side, limit, order.remaining)
        order = self._trade(account, order, fills, maker=False)
        for fill in fills:
            if fill.maker_order_id is not None:
                maker, resting = self._resting_order(fill.maker_order_id)
                self._trade(maker, resting, [fill], maker=True)
        return order

    def _resting_order(self, order_id: int) -> tuple[Account, Order]:
        for account in self.accounts.values():
            if order_id in account.open_orders:
                return account, account.open_orders[order_id]
        raise KeyError(order_id)

    def _trade(self, account: Account, order: Order, fills: list[Fill], *, maker: bool) -> Order:
        if not fills:
            return order
        position = account.position(order.symbol)
        wallet_before = account.wallet
        updates = []
        for fill in fills:
            trade = self._fill(account, order, fill, maker=maker)
            filled = order.filled + fill.quantity
            order = replace(
                order,
                filled=filled,
                quote=order.quote + fill.quantity * fill.price,
                status=Status.FILLED if filled == order.quantity else Status.PARTIALLY_FILLED,
                update_ms=self.market.now,
            )
            updates.append(OrderEvent(order, "TRADE", trade))
        position.update_ms = self.market.now
        self._keep(account, order)
        self._tell_account(account, "ORDER", (order.symbol,), account.wallet - wallet_before)
        self.events.extend(updates)
        return order

    def _fill(self, account: Account, order: Order, fill: Fill, *, maker: bool) -> Trade:
        realised = account.position(order.symbol).trade(order.side.sign * fill.quantity, fill.price)
        rate = MAKER_FEE if maker else TAKER_FEE
        commission = (fill.quantity * fill.price * rate).quantize(CENT_MILLIONTH, ROUND_CEILING)
        trade = Trade(
            id=account.next_id("trade"),
            account=account.name,
            order_id=order.id,
            symbol=order.symbol,
            side=order.side,
            price=fill.price,
            quantity=fill.quantity,
            realised=realised,
            commission=commission,
            maker=maker,
            time_ms=self.market.now,
        )
        self.changes.trades.append(trade)
        self._pay(account, IncomeType.COMMISSION, order.symbol, -commission, self.market.now, trade.id)
        if realised:
            self._pay(account, IncomeType.REALIZED_PNL, order.symbol, realised, self.market.now, trade.id)
        return trade

    def _fill_resting(self) -> None:
        for passive in self.market.passive_fills():
            account, order = self._resting_order(passive.order_id)
            quantity = passive.quantity
            if order.reduce_only:
                held = account.quantity(order.symbol)
                reducible = abs(held) if held * order.side.sign < 0 else ZERO
                quantity = min(quantity, reducible)
                self.market.give_back(order.symbol, order.side, passive.quantity - quantity)
            fill = Fill(passive.price, quantity)
            filled = self._trade(account, order, [fill], maker=True) if quantity else order
            if filled.status.is_open and quantity < passive.quantity:
                self._end(account, filled, Status.EXPIRED)

    def _liquidate(self, account: Account) -> None:
        """Cancel everything, close everything, take the liquidation fee, and let nobody owe money."""
        for order in list(account.open_orders.values()):
            self._end(account, order, Status.CANCELED)
        for name in sorted(account.positions):
            held = account.positions[name].quantity
            if held:
                self._close_by_force(account, self.market.symbols[name], held)
        if account.wallet < 0:
            owed = -account.wallet
            self._pay(account, IncomeType.INSURANCE_CLEAR, "", owed, self.market.now)
            self._tell_account(account, "INSURANCE_CLEAR", (), owed)

    def _close_by_force(self, account: Account, symbol: Symbol, held: Decimal) -> None:
        side = Side.SELL if held > 0 else Side.BUY
        quantity = abs(held)
        fills = self.market.take(symbol.name, account.name, side, None, quantity)
        missing = quantity - _quantity(fills)
        if missing:  # the insurance fund takes over what the book cannot, at its worst price
            mark = self.market.marks[symbol.name].quantize(symbol.tick, ROUND_FLOOR)
            fills.append(Fill(fills[-1].price if fills else mark, missing))
        order = Order(
            id=account.next_id("order"),
            account=account.name,
            client_id=f"autoclose-{self.market.now}",
            symbol=symbol.name,
            side=side,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.IOC,
            reduce_only=False,
            quantity=quantity,
            price=fills[-1].price,
            status=Status.NEW,
            filled=ZERO,
            quote=ZERO,
            time_ms=self.market.now,
            update_ms=self.market.now,
        )
        self._record(account, order, "NEW")
        order = self._trade(account, order, fills, maker=False)
        fee = (order.quote * symbol.liquidation_fee).quantize(CENT_MILLIONTH, ROUND_CEILING)
        fee = min(fee, max(account.wallet, ZERO))
        if fee:
            self._pay(account, IncomeType.INSURANCE_CLEAR, symbol.name, -fee, self.market.now)
            self._tell_account(account, "INSURANCE_CLEAR", (), -fee)

    # --- book-keeping ---------------------------------------------------------------------------------

    def _end(self, account: Account, order: Order, status: Status) -> Order:
        order = replace(order, status=status, update_ms=self.market.now)
        self._record(account, order, status.value)
        return order

    def _record(self, account: Account, order: Order, execution: str) -> None:
        self._keep(account, order)
        self.events.append(OrderEvent(order, execution, None))

    def _keep(self, account: Account, order: Order) -> None:
        self.changes.orders[order.id] = order
        self.changes.accounts.add(account.name)
        if order.status.is_open:
            account.open_orders[order.id] = order
        else:
            account.open_orders.pop(order.id, None)
            self.market.unrest(order.id)

    def _pay(
        self,
        account: Account,
        kind: IncomeType,
        symbol: str,
        amount: Decimal,
        time_ms: int,
        trade_id: int = 0,
    ) -> None:
        account.wallet += amount
        income_id = account.next_id("income")
        self.changes.incomes.append(Income(income_id, account.name, kind, symbol, amount, trade_id, time_ms))
        self.changes.accounts.add(account.name)

    def _tell_account(
        self, account: Account, reason: str, symbols: tuple[str, ...], balance_change: Decimal
    ) -> None:
        changed = tuple(account.position(name).change(name, self.market.marks[name]) for name in symbols)
        self.events.append(AccountEvent(account.name, reason, account.wallet, balance_change, changed))


def _quantity(fills: list[Fill]) -> Decimal:
    return sum((fill.quantity for fill in fills), ZERO)
