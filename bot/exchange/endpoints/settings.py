"""Endpoints of an account's settings: position mode, margin type, leverage, isolated margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.exchange import wire, wire_account
from bot.exchange.account import CENT_MILLIONTH
from bot.exchange.endpoints.order_params import position_side_of
from bot.exchange.entities import MarginType
from bot.exchange.errors import RequestError, invalid, not_yet
from bot.exchange.routes import Key, PrivateRoute

if TYPE_CHECKING:
    from bot.exchange.account import Account
    from bot.exchange.desk import Desk
    from bot.exchange.params import Params

Json = dict[str, Any]
DONE = {"code": 200, "msg": "success"}
ADD, REDUCE = 1, 2
MONTH_MS = 30 * 86_400_000


def _position_mode(_desk: Desk, _params: Params, account: Account) -> Json:
    return {"dualSidePosition": account.hedge}


def _set_position_mode(desk: Desk, params: Params, account: Account) -> Json:
    desk.venue.set_position_mode(account, hedge=params.flag("dualSidePosition"))
    return DONE


def _asset_mode(_desk: Desk, _params: Params, _account: Account) -> Json:
    return {"multiAssetsMargin": False}


def _set_asset_mode(_desk: Desk, params: Params, account: Account) -> Json:
    """Refuse: single-asset mode is what there is. What the venue would refuse anyway gets its own codes."""
    if not params.flag("multiAssetsMargin"):
        raise RequestError(
            -4171, "Adjusted asset mode is currently set and does not need to be adjusted repeatedly."
        )
    if any(holding.isolated for holding in account.holdings.values()):
        raise RequestError(
            -4167,
            "Unable to adjust to Multi-Assets mode with symbols of USDⓈ-M Futures"
            " under isolated-margin mode.",
        )
    if account.open_orders or account.open_algos:
        raise RequestError(-4170, "Unable to adjust Multi-Assets Mode with open orders in USDⓈ-M Futures.")
    raise not_yet()


def _fee_burn(_desk: Desk, _params: Params, _account: Account) -> Json:
    return {"feeBurn": False}


def _set_fee_burn(_desk: Desk, params: Params, _account: Account) -> Json:
    if params.flag("feeBurn"):
        raise not_yet()  # there is no BNB to pay fees with
    return DONE


def _set_margin_type(desk: Desk, params: Params, account: Account) -> Json:
    symbol = desk.venue.market.symbol(params.symbol())
    text = params.text("marginType")
    if text not in {"ISOLATED", "CROSSED", "CROSS"}:
        raise RequestError(-4178, "Invalid margin type.")
    wanted = MarginType.ISOLATED if text == "ISOLATED" else MarginType.CROSSED
    desk.venue.set_margin_type(account, symbol.name, wanted)
    return DONE


def _set_leverage(desk: Desk, params: Params, account: Account) -> Json:
    symbol = desk.venue.market.symbol(params.symbol())
    desk.venue.set_leverage(account, symbol.name, params.integer("leverage"))
    config = wire_account.symbol_config(account, symbol)
    return {
        "symbol": symbol.name,
        "leverage": config["leverage"],
        "maxNotionalValue": config["maxNotionalValue"],
    }


def _change_margin(desk: Desk, params: Params, account: Account) -> Json:
    """Add margin to an isolated position, or take some out."""
    kind, amount = params.integer("type"), params.number("amount")
    if kind not in {ADD, REDUCE}:
        raise invalid("type")
    if amount % CENT_MILLIONTH:
        raise RequestError(-1111, "Precision is over the maximum defined for this asset.")
    signed = amount if kind == ADD else -amount
    desk.venue.change_position_margin(account, params.symbol(), position_side_of(params), signed)
    return {
        "amount": float(amount),
        "code": 200,
        "msg": "Successfully modify position margin.",
        "type": kind,
    }


def _margin_changes(desk: Desk, params: Params, account: Account) -> list[Json]:
    symbol, now = desk.venue.market.symbol(params.symbol()).name, desk.venue.market.now
    kind = params.integer("type") if "type" in params else None
    if kind not in {None, ADD, REDUCE}:
        raise invalid("type")
    end_ms = params.integer("endTime", now)
    found = desk.store.margin_changes(
        account.name,
        symbol,
        added=None if kind is None else kind == ADD,
        start_ms=params.integer("startTime", max(0, end_ms - MONTH_MS)),
        end_ms=end_ms,
        limit=params.limit(500, 500),
    )
    return [
        {
            "symbol": symbol,
            "type": ADD if item.amount > 0 else REDUCE,
            "deltaType": "TRADE" if item.by_trade else "USER_ADJUST",
            "amount": wire.plain(item.amount),
            "asset": wire.ASSET,
            "time": item.time_ms,
            "positionSide": item.position_side.value,
        }
        for item in found
    ]


ROUTES: dict[Key, PrivateRoute] = {
    ("GET", "/fapi/v1/feeBurn"): PrivateRoute(30, _fee_burn),
    ("POST", "/fapi/v1/feeBurn"): PrivateRoute(1, _set_fee_burn),
    ("GET", "/fapi/v1/positionSide/dual"): PrivateRoute(30, _position_mode),
    ("POST", "/fapi/v1/positionSide/dual"): PrivateRoute(1, _set_position_mode),
    ("GET", "/fapi/v1/multiAssetsMargin"): PrivateRoute(30, _asset_mode),
    ("POST", "/fapi/v1/multiAssetsMargin"): PrivateRoute(1, _set_asset_mode),
    ("POST", "/fapi/v1/marginType"): PrivateRoute(1, _set_margin_type),
    ("POST", "/fapi/v1/leverage"): PrivateRoute(1, _set_leverage),
    ("POST", "/fapi/v1/positionMargin"): PrivateRoute(1, _change_margin),
    ("GET", "/fapi/v1/positionMargin/history"): PrivateRoute(1, _margin_changes),
}
