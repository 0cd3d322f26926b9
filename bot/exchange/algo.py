"""Conditional orders: what they are, and when they trigger. Pure.

The venue keeps them apart from the order book ("algo service"): a conditional order has an id of its own, and
becomes an order in the book when its price is reached. Source: Binance, "New Algo Order".
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from bot.exchange.entities import (
    ZERO,
    OrderRequest,
    OrderType,
    PositionSide,
    PriceMatch,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

HUNDRED = Decimal(100)


class AlgoType(StrEnum):
    """The kinds of conditional order."""

    STOP = "STOP"
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    TRAILING_STOP_MARKET = "TRAILING_STOP_MARKET"

    @property
    def has_price(self) -> bool:
        """Whether it becomes a limit order."""
        return self in {AlgoType.STOP, AlgoType.TAKE_PROFIT}

    @property
    def is_take_profit(self) -> bool:
        """Whether it waits for a better price instead of a worse one."""
        return self in {AlgoType.TAKE_PROFIT, AlgoType.TAKE_PROFIT_MARKET}


class WorkingType(StrEnum):
    """Which price is watched: the last trade's or the mark."""

    CONTRACT_PRICE = "CONTRACT_PRICE"
    MARK_PRICE = "MARK_PRICE"


class AlgoStatus(StrEnum):
    """Where a conditional order is in its life."""

    NEW = "NEW"
    CANCELED = "CANCELED"
    TRIGGERING = "TRIGGERING"
    TRIGGERED = "TRIGGERED"
    FINISHED = "FINISHED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class AlgoRequest(NamedTuple):
    """What a client asks for. Prices and quantity are 0 where there is none; `callback_rate` in percent."""

    symbol: str
    side: Side
    type: AlgoType
    client_id: str
    quantity: Decimal = ZERO
    price: Decimal = ZERO
    trigger_price: Decimal = ZERO
    position_side: PositionSide = PositionSide.BOTH
    time_in_force: TimeInForce = TimeInForce.GTC
    working_type: WorkingType = WorkingType.CONTRACT_PRICE
    price_match: PriceMatch = PriceMatch.NONE
    self_trade: SelfTradePrevention = SelfTradePrevention.EXPIRE_MAKER
    reduce_only: bool = False
    close_position: bool = False
    price_protect: bool = False
    activation_price: Decimal = ZERO
    callback_rate: Decimal = ZERO
    good_till_ms: int = 0


class AlgoOrder(NamedTuple):
    """One conditional order of one account.

    `order_id` is the order that it has become, 0 before. `extreme` is the best price seen since a trailing
    stop was activated, 0 before that. `reason` says why it was rejected.
    """

    id: int
    account: str
    client_id: str
    symbol: str
    side: Side
    type: AlgoType
    quantity: Decimal
    price: Decimal
    trigger_price: Decimal
    position_side: PositionSide
    time_in_force: TimeInForce
    working_type: WorkingType
    price_match: PriceMatch
    self_trade: SelfTradePrevention
    reduce_only: bool
    close_position: bool
    price_protect: bool
    activation_price: Decimal
    callback_rate: Decimal
    good_till_ms: int
    status: AlgoStatus
    extreme: Decimal
    order_id: int
    average_price: Decimal
    filled: Decimal
    trigger_ms: int
    time_ms: int
    update_ms: int
    reason: str = ""


def opened(request: AlgoRequest, *, algo_id: int, account: str, now: int) -> AlgoOrder:
    """Return a new conditional order."""
    return AlgoOrder(
        id=algo_id,
        account=account,
        client_id=request.client_id,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        quantity=request.quantity,
        price=request.price,
        trigger_price=request.trigger_price,
        position_side=request.position_side,
        time_in_force=request.time_in_force,
        working_type=request.working_type,
        price_match=request.price_match,
        self_trade=request.self_trade,
        reduce_only=request.reduce_only,
        close_position=request.close_position,
        price_protect=request.price_protect,
        activation_price=request.activation_price,
        callback_rate=request.callback_rate,
        good_till_ms=request.good_till_ms,
        status=AlgoStatus.NEW,
        extreme=ZERO,
        order_id=0,
        average_price=ZERO,
        filled=ZERO,
        trigger_ms=0,
        time_ms=now,
        update_ms=now,
    )


def reached(order: AlgoOrder | AlgoRequest, price: Decimal) -> bool:
    """Return whether a stop or take-profit order triggers at `price`.

    A stop triggers when the price has moved against it (a BUY: up to the trigger price), a take-profit order
    when it has moved in its favour (a BUY: down to it).
    """
    upwards = (order.side is Side.BUY) is not order.type.is_take_profit
    return price >= order.trigger_price if upwards else price <= order.trigger_price


def trailed(order: AlgoOrder, price: Decimal) -> tuple[AlgoOrder, bool]:
    """Return a trailing stop after it has seen `price`, and whether it triggers.

    It is activated when the price reaches the activation price (a SELL: from below; at once without one),
    follows the best price from then on, and triggers when the price has come back by the callback rate.
    """
    extreme = order.extreme
    if not extreme:
        target = order.activation_price
        waits = price < target if order.side is Side.SELL else price > target
        if target and waits:
            return order, False
        extreme = price
    extreme = max(extreme, price) if order.side is Side.SELL else min(extreme, price)
    if extreme != order.extreme:
        order = order._replace(extreme=extreme)
    back = order.callback_rate / HUNDRED
    if order.side is Side.SELL:
        return order, price <= extreme * (1 - back)
    return order, price >= extreme * (1 + back)


def order_request(order: AlgoOrder, quantity: Decimal) -> OrderRequest:
    """Return the order that a conditional order becomes, for `quantity`."""
    limit = order.type.has_price
    force = TimeInForce.IOC
    if limit:
        force = TimeInForce.GTC if order.time_in_force is TimeInForce.GTE_GTC else order.time_in_force
    return OrderRequest(
        symbol=order.symbol,
        side=order.side,
        type=OrderType.LIMIT if limit else OrderType.MARKET,
        quantity=quantity,
        price=order.price if limit else ZERO,
        time_in_force=force,
        reduce_only=order.reduce_only or (order.close_position and order.position_side is PositionSide.BOTH),
        client_id=order.client_id,
        position_side=order.position_side,
        price_match=order.price_match if limit else PriceMatch.NONE,
        self_trade=order.self_trade,
        good_till_ms=order.good_till_ms,
    )
