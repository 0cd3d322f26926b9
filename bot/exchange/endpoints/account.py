"""Endpoints of an account: balances, positions, brackets, fees, limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.exchange import wire_account, wire_market
from bot.exchange.entities import PositionSide
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


def _account_config(_desk: Desk, _params: Params, account: Account) -> Json:
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": account.hedge,
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


def _order_limits(_desk: Desk, _params: Params, _account: Account) -> list[Json]:
    limits = RateLimits()
    return [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": limits.orders_10s},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": limits.orders_1m},
    ]


def _adl_quantiles(desk: Desk, params: Params, account: Account) -> list[Json]:
    """Return the place of each position in the queue for auto-deleveraging, 0 (last) to 4."""
    venue = desk.venue
    asked = venue.market.symbol(params.symbol()).name if "symbol" in params else None
    rows = []
    for name in venue.market.symbols:
        if asked in {None, name} and any(held == name for held, _, _ in account.held()):
            places = {side: venue.adl_quantile(account, name, side) for side in PositionSide}
            last = "BOTH"
            if account.hedge and not account.holding(name).isolated:
                last, places[PositionSide.BOTH] = "HEDGE", 0
            quantiles = {"LONG": places[PositionSide.LONG], "SHORT": places[PositionSide.SHORT]}
            rows.append({"symbol": name, "adlQuantile": quantiles | {last: places[PositionSide.BOTH]}})
    return rows


def _trading_status(desk: Desk, params: Params, _account: Account) -> Json:
    """Return the quantitative rules that the account has come near to: none, they are not enforced."""
    if "symbol" in params:
        desk.venue.market.symbol(params.symbol())
    return {"indicators": {}, "updateTime": desk.venue.market.now}


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
    ("GET", "/fapi/v1/adlQuantile"): PrivateRoute(5, _adl_quantiles),
    ("GET", "/fapi/v1/rateLimit/order"): PrivateRoute(1, _order_limits),
    ("GET", "/fapi/v1/apiTradingStatus"): PrivateRoute(by_symbol(1, 10), _trading_status),
}
