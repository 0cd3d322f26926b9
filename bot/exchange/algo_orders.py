"""The life of a conditional order: placed, watched, triggered, cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.exchange import order_checks
from bot.exchange.algo import (
    AlgoOrder,
    AlgoRequest,
    AlgoStatus,
    AlgoType,
    WorkingType,
    opened,
    order_request,
    reached,
    trailed,
)
from bot.exchange.entities import ZERO, Order, PositionSide, PriceMatch, Side, TimeInForce
from bot.exchange.errors import RequestError, unknown_order
from bot.exchange.events import AlgoEvent
from bot.exchange.filters import check_price, check_price_digits, check_quantity

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.exchange.account import Account
    from bot.exchange.catalog import Symbol
    from bot.exchange.ledger import Ledger
    from bot.exchange.orders import Orders

MAX_OPEN_ALGOS = 200  # of an account, in all symbols together, since 29 December 2025
LEAST_CALLBACK, MOST_CALLBACK = 0.1, 10


class AlgoOrders:
    """Watches the conditional orders of all accounts."""

    def __init__(self, ledger: Ledger, orders: Orders) -> None:
        self._ledger = ledger
        self._market = ledger.market
        self._orders = orders

    # --- placing and cancelling -----------------------------------------------------------------------

    def place(self, account: Account, request: AlgoRequest) -> AlgoOrder:
        """Place a conditional order. Raises RequestError if refused; margin is looked at when it triggers."""
        symbol = self._market.symbol(request.symbol)
        order_checks.check_mode(account, request)
        order_checks.check_date(request, self._market.now)
        if any(order.client_id == request.client_id for order in account.open_algos.values()):
            raise RequestError(-4116, "ClientOrderId is duplicated.")
        if len(account.open_algos) >= MAX_OPEN_ALGOS:
            raise RequestError(-4045, "Reach max stop order limit.")
        self._check_prices(symbol, request)
        if request.close_position:
            request = self._closing(account, request)
        else:
            check_quantity(symbol, request.quantity, is_market=not request.type.has_price)
            request = request._replace(quantity=request.quantity.quantize(symbol.step))
        request = _in_digits(request, symbol)
        price = self._price(request.symbol, request.working_type)
        if request.type is AlgoType.TRAILING_STOP_MARKET:
            self._check_trailing(request, price)
        elif reached(request, price):
            raise _triggers_now()
        now = self._market.now
        order = opened(request, algo_id=account.next_id("algo"), account=account.name, now=now)
        if order.type is AlgoType.TRAILING_STOP_MARKET:
            order, _ = trailed(order, price)
        self._keep(account, order)
        return order

    def _check_prices(self, symbol: Symbol, request: AlgoRequest) -> None:
        """Raise RequestError for impossible prices; triggers may lie between ticks, as on the venue."""
        mark = self._market.marks[symbol.name]
        if request.type.has_price and request.price_match is PriceMatch.NONE:
            check_price(symbol, request.side, request.price, mark, band=False)
        if request.type is AlgoType.TRAILING_STOP_MARKET:
            if request.activation_price:
                check_price_digits(symbol, request.activation_price, mark)
            return
        if request.trigger_price <= 0:
            raise RequestError(-4006, "Stop price less than zero.")
        check_price_digits(symbol, request.trigger_price, mark)

    def _check_trailing(self, request: AlgoRequest, price: Decimal) -> None:
        if not LEAST_CALLBACK <= request.callback_rate <= MOST_CALLBACK:
            raise RequestError(-2007, "Invalid callBack rate.")
        if request.activation_price:
            behind = request.side.sign * (price - request.activation_price)
            if behind <= 0:
                raise _triggers_now()

    def _closing(self, account: Account, request: AlgoRequest) -> AlgoRequest:
        """Return a close-position request as it is kept: it lives as long as there is a position."""
        if request.type not in {AlgoType.STOP_MARKET, AlgoType.TAKE_PROFIT_MARKET}:
            raise RequestError(
                -4136, f"Target strategy invalid for orderType {request.type.value},closePosition true"
            )
        if request.quantity:
            raise RequestError(-4137, "Quantity must be zero with closePosition equals true.")
        if request.position_side is not PositionSide.BOTH and not order_checks.closes(
            request.side, request.position_side
        ):
            raise order_checks.nothing_to_reduce()
        for order in account.open_algos.values():
            same = (order.symbol, order.type, order.side, order.position_side)
            if order.close_position and same == request_key(request):
                raise RequestError(
                    -4130,
                    "An open stop or take profit order with GTE and closePosition in the direction"
                    " is existing.",
                )
        if not account.position(request.symbol, request.position_side).quantity:
            raise RequestError(
                -4509,
                "Time in Force (TIF) GTE can only be used with open positions."
                " Please ensure that positions are available.",
            )
        return request._replace(quantity=ZERO, time_in_force=TimeInForce.GTE_GTC)

    def cancel(self, account: Account, algo_id: int) -> AlgoOrder:
        """Cancel a conditional order that has not triggered; raises RequestError -2011."""
        order = account.open_algos.get(algo_id)
        if order is None:
            raise unknown_order()
        return self._end(account, order, AlgoStatus.CANCELED)

    def cancel_all(self, account: Account, symbol: str | None) -> list[AlgoOrder]:
        """Cancel all conditional orders, or those of one symbol."""
        found = [order for order in account.open_algos.values() if symbol in {None, order.symbol}]
        return [self._end(account, order, AlgoStatus.CANCELED) for order in found]

    def expire_all(self, account: Account, symbol: str | None) -> None:
        """Expire all conditional orders, or those of one symbol: there is a liquidation."""
        for order in list(account.open_algos.values()):
            if symbol in {None, order.symbol}:
                self._end(account, order, AlgoStatus.EXPIRED)

    # --- watching -------------------------------------------------------------------------------------

    def watch(self, account: Account) -> None:
        """Trigger what the present prices trigger, and expire what has lost its date or its position."""
        for order in list(account.open_algos.values()):
            if order.id not in account.open_algos:
                continue
            if order.good_till_ms and order.good_till_ms <= self._market.now:
                self._end(account, order, AlgoStatus.EXPIRED)
                continue
            price = self._price(order.symbol, order.working_type)
            if order.type is AlgoType.TRAILING_STOP_MARKET:
                followed, due = trailed(order, price)
                if followed is not order and not due:
                    (self._follow if order.extreme else self._keep)(account, followed)
            else:
                followed, due = order, reached(order, price)
            if due and self._is_protected(order):
                self._trigger(account, followed)

    def sweep(self) -> None:
        """Follow up what has happened to orders and positions since the last call.

        A conditional order is finished when the order that it has become has ended, and a close-position
        order expires when its position is gone.
        """
        ledger = self._ledger
        while ledger.ended or ledger.traded:
            ended, ledger.ended = ledger.ended, []
            traded, ledger.traded = ledger.traded, {}
            for placed in ended:
                account = ledger.owner(placed.id)
                order = account.triggered.pop(placed.id)
                self._end(account, _result(order, placed), AlgoStatus.FINISHED)
            for name in traded:
                self._expire_orphans(ledger.accounts[name])

    def _expire_orphans(self, account: Account) -> None:
        for order in list(account.open_algos.values()):
            position = account.position(order.symbol, order.position_side)
            if order.close_position and not position.reducible(order.side):
                self._end(account, order, AlgoStatus.EXPIRED)

    def _is_protected(self, order: AlgoOrder) -> bool:
        """Return whether price protection lets an order trigger: mark and last price are near enough."""
        if not order.price_protect:
            return True
        mark, last = self._market.marks[order.symbol], self._market.last(order.symbol)
        return abs(last - mark) <= self._market.symbols[order.symbol].price_band * mark

    def _trigger(self, account: Account, order: AlgoOrder) -> None:
        """Make an order in the book of it, and say how far that got."""
        now = self._market.now
        order = order._replace(status=AlgoStatus.TRIGGERING, trigger_ms=now, update_ms=now)
        self._keep(account, order)
        quantity = order.quantity
        if order.close_position:
            quantity = account.position(order.symbol, order.position_side).reducible(order.side)
        try:
            placed = self._orders.place(account, order_request(order, quantity))
        except RequestError as error:
            self._end(account, order._replace(reason=error.message), AlgoStatus.REJECTED)
            return
        order = _result(order, placed)._replace(status=AlgoStatus.TRIGGERED, order_id=placed.id)
        self._keep(account, order)
        if placed.status.is_open and placed.id in account.open_orders:
            account.triggered[placed.id] = order
        else:
            self._end(account, order, AlgoStatus.FINISHED)

    def _price(self, symbol: str, working_type: WorkingType) -> Decimal:
        if working_type is WorkingType.MARK_PRICE:
            return self._market.marks[symbol]
        return self._market.last(symbol)

    # --- book-keeping ---------------------------------------------------------------------------------

    def _end(self, account: Account, order: AlgoOrder, status: AlgoStatus) -> AlgoOrder:
        order = order._replace(status=status, update_ms=self._market.now)
        self._keep(account, order)
        return order

    def _keep(self, account: Account, order: AlgoOrder) -> None:
        self._follow(account, order)
        self._ledger.changes.accounts[account.name] = None
        self._ledger.events.append(AlgoEvent(order))

    def _follow(self, account: Account, order: AlgoOrder) -> None:
        self._ledger.changes.algos[order.id] = order
        self._ledger.note_algo(account, order)


def request_key(request: AlgoRequest) -> tuple[str, AlgoType, Side, PositionSide]:
    """Return what close-position orders must not have in common."""
    return request.symbol, request.type, request.side, request.position_side


def _in_digits(request: AlgoRequest, symbol: Symbol) -> AlgoRequest:
    """Return a request with its prices in the symbol's digits."""
    prices = request.price, request.trigger_price, request.activation_price
    price, trigger, activation = (item.quantize(symbol.tick) for item in prices)
    return request._replace(price=price, trigger_price=trigger, activation_price=activation)


def _triggers_now() -> RequestError:
    return RequestError(-2021, "Order would immediately trigger.")


def _result(order: AlgoOrder, placed: Order) -> AlgoOrder:
    """Return a conditional order with what the order that it became has traded."""
    return order._replace(average_price=placed.average_price, filled=placed.filled)
