"""A lean venue: one account, one perpetual, a book of a few levels around the mark.

It keeps its own ledger, in its own way (wallet, position and average entry, as a venue does), and shares
nothing with the daemon's bookkeeping; so it can be the judge's witness. The paper exchange, which matches
against a whole market, is what the daemon as a whole is simulated with; this one is a hundred times as fast.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import NamedTuple

from bot.core.fund import Contract
from bot.simulation.chance import Chance
from bot.simulation.faults import Fault, Faults
from bot.simulation.refusal import Refusal
from bot.simulation.stops import ConditionalOrders

ZERO = Decimal(0)
MAKER_FEE = Decimal("0.0002")
RECEIVE_WINDOW_MS = 5_000
_AHEAD_MS = 1_000
_HALF_SPREAD = Decimal("0.0001")
_LEVEL = Decimal("0.0001")
_LEVELS = 25
_MAINTENANCE = Decimal("0.005")
_LONGEST_LAG_MS = 1_500
"""What the venue knows shows in its answers this much later, at most: less than the daemon waits."""


class OrderRequest(NamedTuple):
    """An order as it comes over the wire; `quantity` is signed."""

    cid: str
    quantity: Decimal
    limit_price: Decimal
    reduce_only: bool
    rests: bool
    signed_ms: int


@dataclass(slots=True)
class VenueOrder:
    """An order that the venue accepted; `filled` is unsigned."""

    number: str
    request: OrderRequest
    arrived_ms: int
    visible_ms: int
    filled: Decimal = ZERO
    is_open: bool = True


class VenueTrade(NamedTuple):
    """One fill. `order` is the venue's number of it; `cid` is None where the order was not the daemon's."""

    number: str
    order: str
    cid: str | None
    time_ms: int
    quantity: Decimal
    price: Decimal
    fee: Decimal
    visible_ms: int


class VenueIncome(NamedTuple):
    """A change of the wallet that no trade explains."""

    number: str
    time_ms: int
    kind: str
    amount: Decimal


OnNews = Callable[[VenueOrder, VenueTrade | None], None]


class Venue:
    """The account and its market. All of it is synchronous: a request is done within its arrival."""

    def __init__(self, contract: Contract, wallet: Decimal, depth: Decimal, chance: Chance) -> None:
        """`depth`: the notional of each level of the book."""
        self.contract = contract
        self.wallet = wallet
        self.position = ZERO
        self.cost = ZERO
        self.mark = ZERO
        self.now_ms = 0
        self.orders: dict[str, list[VenueOrder]] = {}
        self.trades: list[VenueTrade] = []
        self.income: list[VenueIncome] = []
        self.version = 0
        self.unfound: set[str] = set()
        """Client ids of orders that the last look at them did not find."""
        self.faults = Faults({}, chance)
        self.on_news: OnNews = lambda _order, _trade: None
        self._chance = chance
        self._depth = depth
        self._resting: list[VenueOrder] = []
        self._made: list[VenueOrder] = []
        self._trades_of: dict[str, list[VenueTrade]] = {}
        self._numbers = 0
        self.stops = ConditionalOrders(self)

    @property
    def equity(self) -> Decimal:
        """Wallet and unrealised profit."""
        return self.wallet + self.position * self.mark - self.cost

    def moved(self, now_ms: int, mark: Decimal) -> None:
        """The market is here now: what rests may fill, and what is under water is liquidated."""
        self.now_ms, self.mark = now_ms, mark
        if self._resting:
            self._fill_resting()
        if self.stops.resting:
            self.stops.moved()
        if self.position and self.equity <= _MAINTENANCE * abs(self.position) * mark:
            self.stops.expire()
            self._close_out("autoclose", -self.position)
            if self.wallet < ZERO:
                self.book_income("INSURANCE_CLEAR", -self.wallet)

    def place(self, request: OrderRequest, now_ms: int) -> VenueOrder:
        """Accept and match an order, or raise `Refusal`."""
        self.now_ms = now_ms
        self.refuse_untimely(request.signed_ms, now_ms)
        if self._open_order(request.cid) is not None:
            raise Refusal("-4116", "ClientOrderId is duplicated.")
        self._refuse_unfit(request)
        lag_ms = 0
        if self.faults.strikes(Fault.NOT_FOUND_YET):
            lag_ms = self._chance.whole(1, _LONGEST_LAG_MS)
        if self.faults.strikes(Fault.UNSEEN):
            # Longer than the daemon believes to be possible: only the position tells.
            lag_ms = self._chance.whole(8_000, 60_000)
        order = VenueOrder(self.number(), request, now_ms, now_ms + lag_ms)
        self.orders.setdefault(request.cid, []).append(order)
        self.version += 1
        if request.rests:
            self._resting.append(order)
            self.on_news(order, None)
        else:
            self._cross(order)
            if order.is_open:
                self._end(order)
        return order

    def cancel(self, cid: str) -> VenueOrder:
        """Take an open order off the book."""
        order = self._open_order(cid)
        if order is None:
            raise Refusal("-2011", "Unknown order sent.")
        self._end(order)
        return order

    def find(self, cid: str, now_ms: int) -> VenueOrder:
        """The latest order with this client id, once it shows."""
        known = self.orders.get(cid)
        if known is None or now_ms < known[-1].visible_ms:
            self.unfound.add(cid)
            raise Refusal("-2013", "Order does not exist.")
        self.unfound.discard(cid)
        return known[-1]

    def listed(self, now_ms: int) -> list[VenueOrder]:
        """The latest thousand orders that show."""
        known = chain(self._made, *self.orders.values())
        showing = [order for order in known if now_ms >= order.visible_ms]
        return sorted(showing, key=lambda order: order.arrived_ms)[-1_000:]

    def trades_of(self, order: str | None, since_ms: int, now_ms: int) -> list[VenueTrade]:
        """The trades of one order, or all since a time, as far as they show."""
        if order is not None:
            return [trade for trade in self._trades_of.get(order, ()) if now_ms >= trade.visible_ms]
        return [trade for trade in self.trades if trade.time_ms >= since_ms and now_ms >= trade.visible_ms]

    def touch(self) -> tuple[Decimal, Decimal]:
        """Best bid and ask."""
        return self._price(-1, 0), self._price(1, 0)

    def trade_by_hand(self, quantity: Decimal) -> None:
        """Somebody else trades on the account."""
        self._close_out("by-hand", quantity)

    def book_income(self, kind: str, amount: Decimal) -> None:
        """Funding, a transfer or the like."""
        self.wallet += amount
        self.income.append(VenueIncome(self.number(), self.now_ms, kind, amount))
        self.version += 1

    def pay_funding(self, rate: Decimal) -> None:
        """Longs pay shorts, where the rate is positive."""
        if self.position and rate:
            self.book_income("FUNDING_FEE", -self.position * self.mark * rate)

    def transfer(self, amount: Decimal) -> str:
        """The account's owner moves cash in or out; what is not there cannot go out."""
        if self.wallet + amount < ZERO:
            raise Refusal("-5013", "Asset transfer failed: insufficient balance.")
        self.book_income("TRANSFER", amount)
        return f"TRANSFER:{self.income[-1].number}"

    def trade_at_market(self, order: str, cid: str, quantity: Decimal) -> None:
        """An order of the venue's own making trades as far as the book goes: what a stop becomes."""
        request = OrderRequest(cid, quantity, ZERO, reduce_only=True, rests=False, signed_ms=self.now_ms)
        made = VenueOrder(order, request, self.now_ms, self.now_ms)
        self._made.append(made)
        self._cross(made, at_any_price=True)
        if made.is_open:
            self._end(made)

    def refuse_untimely(self, signed_ms: int, now_ms: int) -> None:
        """What arrives outside of its window is refused."""
        if not signed_ms - _AHEAD_MS <= now_ms <= signed_ms + RECEIVE_WINDOW_MS:
            raise Refusal("-1021", "Timestamp for this request is outside of the recvWindow.")

    def refuse_by_chance(self) -> None:
        """Refuse what is in order, now and then."""
        if self.faults.strikes(Fault.REFUSED):
            raise Refusal("-2019", "Margin is insufficient.")

    def _refuse_unfit(self, request: OrderRequest) -> None:
        contract, quantity, price = self.contract, request.quantity, request.limit_price
        size = abs(quantity)
        if size % contract.lot or not contract.min_quantity <= size <= contract.max_quantity:
            raise Refusal("-1111", "Precision is over the maximum defined for this asset.")
        if price % contract.tick:
            raise Refusal("-4014", "Price not increased by tick size.")
        over = price > self.mark * (1 + contract.price_limit) if quantity > ZERO else False
        under = price < self.mark * (1 - contract.price_limit) if quantity < ZERO else False
        if over or under:
            raise Refusal("-4016", "Limit price is beyond the price limit.")
        if request.reduce_only:
            if self.position * quantity >= ZERO:
                raise Refusal("-2022", "ReduceOnly Order is rejected.")
        elif size * self.mark < contract.min_notional:
            raise Refusal("-4164", "Order's notional must be no smaller than the minimum.")
        elif abs(self.position + quantity) * self.mark > self.equity * contract.venue_leverage:
            raise Refusal("-2019", "Margin is insufficient.")
        if request.rests and self._crosses(request):
            raise Refusal("-5022", "Post Only order will be rejected.")
        self.refuse_by_chance()

    def _crosses(self, request: OrderRequest) -> bool:
        bid, ask = self.touch()
        return request.limit_price >= ask if request.quantity > ZERO else request.limit_price <= bid

    def _open_order(self, cid: str) -> VenueOrder | None:
        known = self.orders.get(cid)
        return known[-1] if known is not None and known[-1].is_open else None

    def _price(self, side: int, level: int) -> Decimal:
        """A price of the book, away from the mark and onto the grid: 1 asks, -1 bids."""
        tick = self.contract.tick
        raw = self.mark * (1 + side * (_HALF_SPREAD + level * _LEVEL))
        return raw // tick * tick + (tick if side > 0 else ZERO)

    def _cross(self, order: VenueOrder, *, at_any_price: bool = False) -> None:
        """Trade against the book as far as the limit goes."""
        request = order.request
        side = 1 if request.quantity > ZERO else -1
        depth = self._depth / self.mark
        if self.faults.strikes(Fault.THIN_BOOK):
            depth *= Decimal("0.02")
        lot = self.contract.lot
        for level in range(_LEVELS):
            price = self._price(side, level)
            left = self._left(order)
            if not left or (not at_any_price and (price - request.limit_price) * side > ZERO):
                return
            here = depth * Decimal(round(self._chance.between(0.3, 1.5), 3)) // lot * lot
            if here:
                self._fill(order, min(left, here) * side, price, self.contract.taker_fee)

    def _left(self, order: VenueOrder) -> Decimal:
        """What the order may still trade; a reduction never more than the position."""
        left = abs(order.request.quantity) - order.filled
        if not order.request.reduce_only:
            return left
        return min(left, abs(self.position)) if self.position * order.request.quantity < ZERO else ZERO

    def _fill_resting(self) -> None:
        for order in tuple(self._resting):
            request, left = order.request, self._left(order)
            side = 1 if request.quantity > ZERO else -1
            lot = self.contract.lot
            if self._crosses(request):
                size = left
            elif self._chance.happens(0.1):
                size = left * Decimal(round(self._chance.between(0.1, 1.1), 3)) // lot * lot
            else:
                continue
            size = min(size, left)
            if size:
                self._fill(order, size * side, request.limit_price, MAKER_FEE)

    def _fill(self, order: VenueOrder, quantity: Decimal, price: Decimal, fee_rate: Decimal) -> None:
        order.filled += abs(quantity)
        if order.filled == abs(order.request.quantity):
            order.is_open = False
            if order in self._resting:
                self._resting.remove(order)
        trade = self._trade(order.number, order.request.cid, quantity, price, fee_rate)
        self.on_news(order, trade)

    def _end(self, order: VenueOrder) -> None:
        order.is_open = False
        if order in self._resting:
            self._resting.remove(order)
        self.version += 1
        self.on_news(order, None)

    def _close_out(self, name: str, quantity: Decimal) -> None:
        """A trade at the mark that no order of the daemon's asked for."""
        self._trade(f"{name}-{self.number()}", None, quantity, self.mark, self.contract.taker_fee)

    def _trade(
        self, order: str, cid: str | None, quantity: Decimal, price: Decimal, fee_rate: Decimal
    ) -> VenueTrade:
        """Book a trade: profit is realised on what is reduced, at average entry."""
        fee = abs(quantity) * price * fee_rate
        after = self.position + quantity
        closing = min(abs(quantity), abs(self.position)) if self.position * quantity < ZERO else ZERO
        if closing:
            share = closing / abs(self.position)
            released = self.cost * share
            proceeds = closing * price * (1 if self.position > ZERO else -1)
            self.wallet += proceeds - released
            self.cost -= released
        opening = abs(quantity) - closing
        if opening:
            self.cost += opening * price * (1 if quantity > ZERO else -1)
        if not after:
            self.cost = ZERO
        self.wallet -= fee
        self.position = after
        lag_ms = self._chance.whole(1, _LONGEST_LAG_MS) if self.faults.strikes(Fault.TRADES_LATE) else 0
        trade = VenueTrade(self.number(), order, cid, self.now_ms, quantity, price, fee, self.now_ms + lag_ms)
        self.trades.append(trade)
        self._trades_of.setdefault(order, []).append(trade)
        self.version += 1
        return trade

    def number(self) -> str:
        """A new number; the venue numbers everything upward."""
        self._numbers += 1
        return str(self._numbers)
