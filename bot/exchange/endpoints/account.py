"""Endpoints of an account: balances, positions, and its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.exchange import wire_account, wire_market
from bot.exchange.errors import RequestError, not_yet
from bot.exchange.limits import RateLimits
from bot.exchange.routes import Key, PrivateAnswer, PrivateRoute, by_symbol
from bot.exchange.venue import MAKER_FEE, TAKER_FEE

if TYPE_CHECKING:
    from bot.exchange.account import Account
    from bot.exchange.desk import Desk
    from bot.exchange.params import Params

Json = dict[str, Any]


def _account(version: int) -> PrivateAnswer:
    return lambda desk, _params, account: wire_account.account_info(desk.venue, account, version=version)


def _balance(desk: Desk, _params: Params, account: Account) -> list[Json]:
    return [wire_account.balance_row(desk.venue, account)]


def _position_risk(version: int) -> PrivateAnswer:
    def answer(desk: Desk, params: Params, account: Account) -> list[Json]:
        listed = wire_account.positions_listed(desk.venue, account, version=version)
        if "symbol" in params:
            asked = desk.venue.market.symbol(params.symbol()).name
            listed = [(name, side) for name, side in listed if name == asked]
        return [
            wire_account.position_risk(desk.venue, account, name, side, version=version)
            for name, side in listed
        ]

    return answer


def _leverage_brackets(desk: Desk, params: Params, _account: Account) -> Any:
    if "symbol" in params:
        return [wire_market.leverage_bracket(desk.venue.market.symbol(params.symbol()))]
    return [wire_market.leverage_bracket(symbol) for symbol in desk.venue.market.symbols.values()]


def _symbol_config(desk: Desk, params: Params, account: Account) -> list[Json]:
    venue = desk.venue
    symbols = [venue.market.symbol(params.symbol())] if "symbol" in params else venue.market.symbols.values()
    return [wire_account.symbol_config(account, symbol) for symbol in symbols]


def _account_config(_desk: Desk, _params: Params, _account: Account) -> Json:
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": False,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


def _commission_rate(desk: Desk, params: Params, _account: Account) -> Json:
    return {
        "symbol": desk.venue.market.symbol(params.symbol()).name,
        "makerCommissionRate": f"{MAKER_FEE:.6f}",
        "takerCommissionRate": f"{TAKER_FEE:.6f}",
        "rpiCommissionRate": f"{MAKER_FEE:.6f}",
    }


def _position_mode(_desk: Desk, _params: Params, _account: Account) -> Json:
    return {"dualSidePosition": False}


def _set_position_mode(_desk: Desk, params: Params, _account: Account) -> Json:
    if params.flag("dualSidePosition"):
        raise not_yet()
    raise RequestError(-4059, "No need to change position side.")


def _asset_mode(_desk: Desk, _params: Params, _account: Account) -> Json:
    return {"multiAssetsMargin": False}


def _set_asset_mode(_desk: Desk, params: Params, _account: Account) -> Json:
    if params.flag("multiAssetsMargin"):
        raise not_yet()
    raise RequestError(-4171, "No need to change multi-assets mode.")


def _set_margin_type(desk: Desk, params: Params, _account: Account) -> Json:
    desk.venue.market.symbol(params.symbol())
    wanted = params.text("marginType")
    if wanted == "ISOLATED":
        raise not_yet()
    if wanted not in {"CROSSED", "CROSS"}:
        raise RequestError(-1128, "Combination of optional parameters invalid.")
    raise RequestError(-4046, "No need to change margin type.")


def _set_leverage(desk: Desk, params: Params, account: Account) -> Json:
    symbol = desk.venue.market.symbol(params.symbol())
    desk.venue.set_leverage(account, symbol.name, params.integer("leverage"))
    config = wire_account.symbol_config(account, symbol)
    return {
        "symbol": symbol.name,
        "leverage": config["leverage"],
        "maxNotionalValue": config["maxNotionalValue"],
    }


def _order_limits(_desk: Desk, _params: Params, _account: Account) -> list[Json]:
    limits = RateLimits()
    return [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": limits.orders_10s},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": limits.orders_1m},
    ]


def _trading_status(desk: Desk, params: Params, _account: Account) -> Json:
    """Return the quantitative rules that the account has come near to: none, they are not enforced."""
    if "symbol" in params:
        desk.venue.market.symbol(params.symbol())
    return {"indicators": {}, "updateTime": desk.venue.market.now}


def _fee_burn(_desk: Desk, _params: Params, _account: Account) -> Json:
    return {"feeBurn": False}


def _set_fee_burn(_desk: Desk, params: Params, _account: Account) -> Json:
    if params.flag("feeBurn"):
        raise not_yet()  # there is no BNB to pay fees with
    return {"code": 200, "msg": "success"}


ROUTES: dict[Key, PrivateRoute] = {
    ("GET", "/fapi/v2/account"): PrivateRoute(5, _account(2)),
    ("GET", "/fapi/v3/account"): PrivateRoute(5, _account(3)),
    ("GET", "/fapi/v2/balance"): PrivateRoute(5, _balance),
    ("GET", "/fapi/v3/balance"): PrivateRoute(5, _balance),
    ("GET", "/fapi/v2/positionRisk"): PrivateRoute(5, _position_risk(2)),
    ("GET", "/fapi/v3/positionRisk"): PrivateRoute(5, _position_risk(3)),
    ("GET", "/fapi/v1/leverageBracket"): PrivateRoute(1, _leverage_brackets),
    ("GET", "/fapi/v1/symbolConfig"): PrivateRoute(5, _symbol_config),
    ("GET", "/fapi/v1/accountConfig"): PrivateRoute(5, _account_config),
    ("GET", "/fapi/v1/commissionRate"): PrivateRoute(20, _commission_rate),
    ("GET", "/fapi/v1/rateLimit/order"): PrivateRoute(1, _order_limits),
    ("GET", "/fapi/v1/apiTradingStatus"): PrivateRoute(by_symbol(1, 10), _trading_status),
    ("GET", "/fapi/v1/feeBurn"): PrivateRoute(30, _fee_burn),
    ("POST", "/fapi/v1/feeBurn"): PrivateRoute(1, _set_fee_burn),
    ("GET", "/fapi/v1/positionSide/dual"): PrivateRoute(30, _position_mode),
    ("POST", "/fapi/v1/positionSide/dual"): PrivateRoute(1, _set_position_mode),
    ("GET", "/fapi/v1/multiAssetsMargin"): PrivateRoute(30, _asset_mode),
    ("POST", "/fapi/v1/multiAssetsMargin"): PrivateRoute(1, _set_asset_mode),
    ("POST", "/fapi/v1/marginType"): PrivateRoute(1, _set_margin_type),
    ("POST", "/fapi/v1/leverage"): PrivateRoute(1, _set_leverage),
}
