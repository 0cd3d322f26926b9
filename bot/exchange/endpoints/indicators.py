"""Endpoints of figures about the market: open interest, index, collateral, risks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.exchange import wire, wire_market
from bot.exchange.entities import ZERO
from bot.exchange.errors import unknown_symbol
from bot.exchange.routes import Key, PublicRoute, by_symbol

if TYPE_CHECKING:
    from bot.exchange.desk import Desk
    from bot.exchange.params import Params

Json = dict[str, Any]
INDEX_SOURCE = "paper"


def _open_interest(desk: Desk, params: Params) -> Json:
    """Return what the accounts hold: of longs and shorts the larger, for the background holds the rest."""
    symbol = desk.venue.market.symbol(params.symbol())
    held = [
        position.quantity
        for account in desk.venue.accounts.values()
        if symbol.name in account.holdings
        for position in account.holdings[symbol.name].positions.values()
    ]
    longs = sum((item for item in held if item > 0), ZERO)
    shorts = -sum((item for item in held if item < 0), ZERO)
    return {
        "symbol": symbol.name,
        "openInterest": wire.plain(max(longs, shorts).quantize(symbol.step)),
        "time": desk.venue.market.now,
    }


def _constituents(desk: Desk, params: Params) -> Json:
    """Return what the index is made of: the price path alone."""
    name = desk.venue.market.symbol(params.symbol()).name
    price = wire.money(desk.venue.market.index(name))
    part = {"exchange": INDEX_SOURCE, "symbol": name, "price": price, "weight": "1.00000000"}
    return {"symbol": name, "time": desk.venue.market.now, "constituents": [part]}


def _asset_index(desk: Desk, params: Params) -> Any:
    """Return the price of the one asset that is collateral here, in USD."""
    if params.text("symbol", wire_market.COLLATERAL) != wire_market.COLLATERAL:
        raise unknown_symbol()
    row = wire_market.asset_index(desk.venue.market.now)
    return row if "symbol" in params else [row]


def _adl_risk(desk: Desk, params: Params) -> Any:
    """Return the risk of auto-deleveraging: low, for the background takes over what it must."""
    market = desk.venue.market
    names = [market.symbol(params.symbol()).name] if "symbol" in params else list(market.symbols)
    rows = [{"symbol": name, "adlRisk": "low", "updateTime": market.now} for name in names]
    return rows[0] if "symbol" in params else rows


def _insurance(desk: Desk, params: Params) -> Any:
    """Return the balance of the insurance fund, which is one for all symbols."""
    market = desk.venue.market
    asset = {
        "asset": wire.ASSET,
        "marginBalance": wire.money(desk.venue.fund),
        "updateTime": market.now,
    }
    row = {"symbols": list(market.symbols), "assets": [asset]}
    if "symbol" in params:
        market.symbol(params.symbol())
        return row
    return [row]


ROUTES: dict[Key, PublicRoute] = {
    ("GET", "/fapi/v1/openInterest"): PublicRoute(1, _open_interest),
    ("GET", "/fapi/v1/constituents"): PublicRoute(2, _constituents),
    ("GET", "/fapi/v1/assetIndex"): PublicRoute(by_symbol(1, 10), _asset_index),
    ("GET", "/fapi/v1/insuranceBalance"): PublicRoute(1, _insurance),
    ("GET", "/fapi/v1/symbolAdlRisk"): PublicRoute(1, _adl_risk),
}
