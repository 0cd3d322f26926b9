"""The life of an order: placed, matched, amended, cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.exchange import order_checks
from bot.exchange.entities import (
    NEVER_RESTS,
    ZERO,
    Amendment,
    Expiry,
    Order,
    OrderRequest,
    OrderType,
    PriceMatch,
    SelfTradePrevention,
    Status,
    TimeInForce,
)
from bot.exchange.errors import RequestError, no_such_order, unknown_order
from bot.exchange.filters import check_order
from bot.exchange.settlement import Execution

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from bot.exchange.account import Account
    from bot.exchange.book import Fill
    from bot.exchange.entities import Side
    from bot.exchange.ledger import Ledger
    from bot.exchange.open_orders import OpenOrders
    from bot.exchange.settlement import Settlement

MAX_AMENDMENTS = 10_000


class Orders:
    """Takes the orders of accounts."""

    def __init__(self, ledger: Ledger, settlement: Settlement, waiting: OpenOrders) -> None:
        self._ledger = ledger
        self._market = ledger.market
        self._settlement = settlement
        self._waiting = waiting

    # --- placing --------------------------------------------------------------------------------------

    def check(self, account: Account, request: OrderRequest) -> OrderRequest:
        """Return the request as it would be placed; raises RequestError if it would be refused."""
        market = self._market
        symbol = market.symbol(request.symbol)
        order_checks.check_mode(account, request)
        order_checks.check_date(request, market.now)
        request = order_checks.within_position(account, request)
        if request.price_match is not PriceMatch.NONE:
            if request.type is not OrderType.LIMIT:
                raise RequestError(-5038, "Price match only supports order type: LIMIT, STOP AND TAKE_PROFIT")
            book = market.book(symbol.name, account.name)
            price = order_checks.matched_price(book, request.side, request.price_match)
            request = request._replace(price=price)
        check_order(symbol, request, market.marks[symbol.name])
        request = request.at(request.quantity.quantize(symbol.step), request.price.quantize(symbol.tick))
        if request.client_id in account.order_ids:
            raise RequestError(-4116, "ClientOrderId is duplicated.")
        order_checks.check_room(account, symbol.name)
        self._check_time_in_force(account, request)
        if not request.reduce_only:
            order_checks.check_margin(market, account, request)
        return request

    def place(self, account: Account, request: OrderRequest) -> Order:
        """Place an order and match it; return it as it stands then. Raises RequestError if refused."""
        request = self.check(account, request)
        market, now = self._market, self._market.now
        order = Order(
            account.next_id("order"),
            account.name,
            request.client_id,
            request.symbol,
            request.side,
            request.type,
            request.time_in_force,
            request.reduce_only,
            request.quantity,
            request.price,
            Status.NEW,
            ZERO,
            ZERO,
            now,
            now,
            request.position_side,
            request.price_match,
            request.self_trade,
            request.good_till_ms,
        )
        limit = order.price
        if order.type is OrderType.MARKET:
            symbol = market.symbols[order.symbol]
            limit = order_checks.market_limit(symbol, order.side, market.marks[order.symbol])
        return self._match(account, order, limit)

    def _check_time_in_force(self, account: Account, request: OrderRequest) -> None:
        force = request.time_in_force
        if force is TimeInForce.FOK:
            fills = self._preview(account, request, request.price, request.quantity)
            if total(fills) < request.quantity:
                raise order_checks.not_filled()
        elif force is TimeInForce.GTX:
            step = self._market.symbols[request.symbol].step
            if self._preview(account, request, request.price, step):
                raise order_checks.not_maker()

    def _preview(
        self, account: Account, order: Order | OrderRequest, limit: Decimal, quantity: Decimal
    ) -> Sequence[Fill]:
        return self._market.preview(order.symbol, account.name, order.side, limit, quantity)

    # --- matching -------------------------------------------------------------------------------------

    def _match(self, account: Account, order: Order, limit: Decimal) -> Order:
        """Trade what the book gives up to `limit`, then let the rest wait or expire."""
        ledger, wanted, stopped = self._ledger, order.remaining, False
        if account.open_orders:
            wanted, stopped = self._prevent_self_trade(account, order, limit)
        fills = self._market.take(order.symbol, account.name, order.side, limit, wanted) if wanted else ()
        is_market = order.type is OrderType.MARKET
        if is_market and not fills and not stopped:
            raise order_checks.no_price_in_band()
        if not order.amendments:
            ledger.tell_new(account, order)
        if fills:
            order = self.settle(account, order, fills)
            if not order.status.is_open:
                return order
        immediate = order.time_in_force in NEVER_RESTS
        if stopped:
            expiry = Expiry.IOC_SELF_TRADE if immediate else Expiry.SELF_TRADE
            return ledger.end(account, order, Status.EXPIRED_IN_MATCH, expiry)
        if immediate:
            return ledger.end(account, order, Status.EXPIRED, Expiry.MARKET if is_market else Expiry.IOC)
        ledger.keep(account, order)
        self._waiting.add(account, order)
        return order

    def settle(self, account: Account, order: Order, fills: Sequence[Fill]) -> Order:
        """Book the fills of an order that took them from the book, and those of the makers."""
        taken = [Execution(fill.price, fill.quantity) for fill in fills]
        order = self._settlement.fill(account, order, taken)
        for fill in fills:
            if fill.maker_order_id is not None:
                self._fill_maker(fill.maker_order_id, fill.price, fill.quantity, fill.quantity)
        self._waiting.fit(account, order.symbol, order.position_side)
        return order

    def fill_passive(self, order_id: int, price: Decimal, quantity: Decimal) -> None:
        """Book a fill by the background market of an order that waited in the book."""
        owner = self._ledger.owner(order_id)
        order = owner.open_orders.get(order_id)
        if order is None:  # it has expired with its position, at this very instant
            return
        booked = quantity
        if order.reduce_only:
            booked = min(quantity, owner.position(order.symbol, order.position_side).reducible(order.side))
            if booked < quantity:
                self._market.give_back(order.symbol, order.side, quantity - booked)
        self._fill_maker(order_id, price, booked, quantity)

    def _fill_maker(self, order_id: int, price: Decimal, quantity: Decimal, taken: Decimal) -> None:
        owner = self._ledger.owner(order_id)
        order = owner.open_orders[order_id]
        if quantity:
            order = self._settlement.fill(owner, order, [Execution(price, quantity)], maker=True)
        self._waiting.filled(owner, order, taken)

    def _prevent_self_trade(self, account: Account, order: Order, limit: Decimal) -> tuple[Decimal, bool]:
        """Return how much of an order may trade, and whether it must stop there.

        Where it would meet an order of its own account in the book, that one expires, or it does, or both.
        """
        wanted, sign, mode = order.remaining, order.side.sign, order.self_trade
        own = [
            other
            for other in account.open_orders.values()
            if other.side is not order.side
            and other.symbol == order.symbol
            and sign * (limit - other.price) >= 0
        ]
        for other in sorted(own, key=lambda item: (sign * item.price, item.id)):
            before = total(self._preview(account, order, other.price, wanted))
            if before >= wanted:
                break
            if mode is not SelfTradePrevention.EXPIRE_TAKER:
                self._waiting.cancel(account, other, Status.EXPIRED_IN_MATCH, Expiry.SELF_TRADE)
            if mode in {SelfTradePrevention.EXPIRE_TAKER, SelfTradePrevention.EXPIRE_BOTH}:
                return before, True
        return wanted, False

    # --- changing and cancelling ----------------------------------------------------------------------

    def find(self, account: Account, order_id: int, missing: RequestError) -> Order:
        """Return an open order; raises `missing` if there is none of that id."""
        order = account.open_orders.get(order_id)
        if order is None:
            raise missing
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
        """Change quantity and price of an open limit order, which goes to the end of the queue.

        Raises RequestError -2013, -5025, -5026, -5027, -5047 and what placing raises; the order then stays as
        it is. It is cancelled if it has been filled that far, or if it is post-only and would trade.
        """
        order = self.find(account, order_id, no_such_order())
        symbol = self._market.symbol(order.symbol)
        if order.side is not side:
            raise RequestError(-1117, "Invalid side.")
        if order.type is not OrderType.LIMIT:
            raise RequestError(-5025, "Only limit order is supported.")
        if order.amendments >= MAX_AMENDMENTS:
            raise RequestError(-5026, "Exceed maximum modify order limit.")
        if reduce_only and not order.reduce_only:
            raise RequestError(-5047, "The original order is not a reduce-only order")
        if price_match is not PriceMatch.NONE:
            book = self._market.book(order.symbol, account.name)
            price = order_checks.matched_price(book, order.side, price_match)
        if (quantity, price) == (order.quantity, order.price):
            raise RequestError(-5027, "No need to modify the order.")
        request = OrderRequest(
            order.symbol,
            order.side,
            order.type,
            quantity,
            price,
            order.time_in_force,
            reduce_only,
            order.client_id,
            order.position_side,
        )
        check_order(symbol, request, self._market.marks[symbol.name])
        if quantity <= order.filled:
            return self._waiting.cancel(account, order, Status.CANCELED)
        crossing = order.time_in_force is TimeInForce.GTX and self._preview(
            account, order, price, symbol.step
        )
        if crossing:
            return self._waiting.cancel(account, order, Status.CANCELED)
        if not order.reduce_only:
            left = request._replace(quantity=quantity - order.filled)
            order_checks.check_margin(self._market, account, left, replaced=order)
        return self._amended(account, order, quantity.quantize(symbol.step), price, modify_id)

    def _amended(
        self, account: Account, order: Order, quantity: Decimal, price: Decimal, modify_id: int
    ) -> Order:
        ledger, now = self._ledger, self._market.now
        price = price.quantize(self._market.symbols[order.symbol].tick)
        self._waiting.remove(order)
        changed = order._replace(
            quantity=quantity, price=price, amendments=order.amendments + 1, update_ms=now
        )
        ledger.changes.amendments.append(
            Amendment(
                id=account.next_id("amendment"),
                account=account.name,
                order_id=order.id,
                client_id=order.client_id,
                symbol=order.symbol,
                price_before=order.price,
                price_after=price,
                quantity_before=order.quantity,
                quantity_after=quantity,
                number=changed.amendments,
                modify_id=modify_id,
                time_ms=now,
            )
        )
        ledger.keep(account, changed)
        ledger.tell_order(account, changed, "AMENDMENT", None, modify_id)
        return self._match(account, changed, price)

    def cancel(self, account: Account, order_id: int) -> Order:
        """Cancel an open order; raises RequestError -2011."""
        order = self.find(account, order_id, unknown_order())
        return self._waiting.cancel(account, order, Status.CANCELED)

    def cancel_all(self, account: Account, symbol: str | None) -> list[Order]:
        """Cancel all open orders, or those of one symbol."""
        found = [order for order in account.open_orders.values() if symbol in {None, order.symbol}]
        return [
            self._waiting.cancel(account, order, Status.CANCELED)
            for order in found
            if order.id in account.open_orders
        ]


def total(fills: Sequence[Fill]) -> Decimal:
    """Return the quantity of some fills."""
    return sum((fill.quantity for fill in fills), ZERO)
