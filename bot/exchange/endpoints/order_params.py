"""What a client asks for, read from its parameters: orders, conditional orders, changes of orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.exchange.algo import AlgoRequest, AlgoType, WorkingType
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
from bot.exchange.errors import RequestError, invalid, unwanted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from bot.exchange.account import Account
    from bot.exchange.params import Params

ALGO_ONLY = ("stopPrice", "closePosition", "activationPrice", "callbackRate")
NOT_OF_MARKET = (*ALGO_ONLY, "price", "timeInForce")
ORDER_TYPES = {kind.value: kind for kind in OrderType}
ALGO_TYPES = frozenset(kind.value for kind in AlgoType)


def order_request(params: Params, account: Account) -> OrderRequest:
    """Return the order that is asked for; raises RequestError for what cannot be read, or does not belong."""
    symbol, side, kind = params.symbol(), side_of(params), _order_type(params.text("type"))
    if params.text("newOrderRespType", "ACK") not in {"ACK", "RESULT"}:
        raise invalid("newOrderRespType")
    _refuse(params, NOT_OF_MARKET if kind is OrderType.MARKET else ALGO_ONLY)
    force = TimeInForce.IOC  # what the book cannot fill of a market order expires
    if kind is OrderType.LIMIT:
        force = params.member("timeInForce", TimeInForce, _bad_force)
        if force is TimeInForce.GTE_GTC:
            raise _bad_force()
    match = price_match_of(params)
    priced = kind is OrderType.LIMIT and match is PriceMatch.NONE
    return OrderRequest(
        symbol=symbol,
        side=side,
        type=kind,
        quantity=params.number("quantity"),
        price=params.number("price") if priced else ZERO,
        time_in_force=force,
        reduce_only=params.flag("reduceOnly", default=False),
        client_id=_client_id(params, account, "newClientOrderId"),
        position_side=position_side_of(params),
        price_match=match,
        self_trade=_self_trade(params),
        good_till_ms=_good_till_ms(params, force),
    )


def algo_request(params: Params, account: Account) -> AlgoRequest:
    """Return the conditional order that is asked for."""
    if params.text("algoType") != "CONDITIONAL":
        raise invalid("algoType")
    symbol, side = params.symbol(), side_of(params)
    kind = params.member("type", AlgoType, _bad_type)
    trails = kind is AlgoType.TRAILING_STOP_MARKET
    closing = params.flag("closePosition", default=False)
    match = price_match_of(params)
    unwanted = ["triggerPrice"] if trails else ["activatePrice", "callbackRate"]
    if not kind.has_price:
        unwanted += ["price"]
    if closing:
        unwanted += ["quantity", "reduceOnly"]
    _refuse(params, unwanted)
    force = TimeInForce.GTC
    if "timeInForce" in params:
        force = params.member("timeInForce", TimeInForce, _bad_force)
    priced = kind.has_price and match is PriceMatch.NONE
    return AlgoRequest(
        symbol=symbol,
        side=side,
        type=kind,
        client_id=_client_id(params, account, "clientAlgoId"),
        quantity=ZERO if closing else params.number("quantity"),
        price=params.number("price") if priced else ZERO,
        trigger_price=ZERO if trails else params.number("triggerPrice"),
        position_side=position_side_of(params),
        time_in_force=force,
        working_type=_member(params, "workingType", WorkingType.CONTRACT_PRICE),
        price_match=match,
        self_trade=_self_trade(params),
        reduce_only=params.flag("reduceOnly", default=False),
        close_position=closing,
        price_protect=params.flag("priceProtect", default=False),
        activation_price=_optional(params, "activatePrice"),
        callback_rate=params.number("callbackRate") if trails else ZERO,
        good_till_ms=_good_till_ms(params, force),
    )


def side_of(params: Params) -> Side:
    """Return the mandatory side."""
    return params.member("side", Side, lambda: RequestError(-1117, "Invalid side."))


def position_side_of(params: Params) -> PositionSide:
    """Return the position side; BOTH unless it is given."""
    if "positionSide" not in params:
        return PositionSide.BOTH
    return params.member("positionSide", PositionSide, lambda: RequestError(-4060, "Invalid position side."))


def price_match_of(params: Params) -> PriceMatch:
    """Return how the price is to be taken from the book; a price beside it does not belong."""
    if "priceMatch" not in params:
        return PriceMatch.NONE
    match = params.member("priceMatch", PriceMatch, lambda: RequestError(-5037, "Invalid price match."))
    if match is not PriceMatch.NONE:
        _refuse(params, ["price"])
    return match


def _order_type(text: str) -> OrderType:
    kind = ORDER_TYPES.get(text)
    if kind is not None:
        return kind
    if text in ALGO_TYPES:
        raise RequestError(
            -4120,
            "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
        )
    raise _bad_type()


def _self_trade(params: Params) -> SelfTradePrevention:
    if "selfTradePreventionMode" not in params:
        return SelfTradePrevention.EXPIRE_MAKER
    # Mandatory since 10 December 2024. The announcement has these words and no code; -4402 is the documented
    # one whose words come nearest.
    if params.text("selfTradePreventionMode") == "NONE":
        raise RequestError(
            -4402,
            "Dear user, as per our Terms of Use and compliance regulations, this feature is not available.",
        )
    return params.member(
        "selfTradePreventionMode",
        SelfTradePrevention,
        lambda: RequestError(-5039, "Invalid self trade prevention mode."),
    )


def _member(params: Params, name: str, default: WorkingType) -> WorkingType:
    return params.member(name, type(default), lambda: invalid(name)) if name in params else default


def _optional(params: Params, name: str) -> Decimal:
    return params.number(name) if name in params else ZERO


def _client_id(params: Params, account: Account, name: str) -> str:
    return params.client_id(name) if name in params else f"auto-{account.next_id('client')}"


def _good_till_ms(params: Params, force: TimeInForce) -> int:
    """Return until when an order is good, 0 for ever; the venue counts in whole seconds."""
    return params.integer("goodTillDate", 0) // 1_000 * 1_000 if force is TimeInForce.GTD else 0


def _refuse(params: Params, names: Sequence[str]) -> None:
    if params.has_none_of(names):
        return
    for name in names:
        if name in params and params.text(name) != "false":
            raise unwanted(name)


def _bad_type() -> RequestError:
    return RequestError(-1116, "Invalid orderType.")


def _bad_force() -> RequestError:
    return RequestError(-1115, "Invalid timeInForce.")
