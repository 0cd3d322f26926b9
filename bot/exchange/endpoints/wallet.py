"""Endpoints of the spot wallet that clients of futures ask for: coins, margin pairs, what a key may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.exchange import wire
from bot.exchange.routes import Key, PrivateRoute, Security

if TYPE_CHECKING:
    from bot.exchange.account import Account
    from bot.exchange.desk import Desk
    from bot.exchange.params import Params

Json = dict[str, Any]
_NOTHING = ("free", "locked", "freeze", "withdrawing", "ipoing", "ipoable", "storage")


def _coins(desk: Desk, _params: Params, _account: Account) -> list[Json]:
    """Return the coins: collateral, and what the contracts are on. None has a network here."""
    bases = [symbol.base for symbol in desk.venue.market.symbols.values()]
    return [_coin(name) for name in dict.fromkeys([wire.ASSET, *bases])]


def _coin(name: str) -> Json:
    return {
        "coin": name,
        "name": name,
        "depositAllEnable": False,
        "withdrawAllEnable": False,
        "isLegalMoney": False,
        "trading": True,
        "networkList": [],
    } | dict.fromkeys(_NOTHING, "0")


def _margin_pairs(_desk: Desk, _params: Params, _account: Account) -> list[Json]:
    """Return the pairs of margin trading, of which there are none."""
    return []


def _key_rights(_desk: Desk, _params: Params, account: Account) -> Json:
    """Return what a key may do. It is bound to the addresses that reach this exchange at all."""
    rights = {
        "ipRestrict": True,
        "createTime": 0,
        "enableReading": True,
        "enableFutures": True,
        "enableWithdrawals": account.may_withdraw,
        "permitsUniversalTransfer": True,
    }
    return rights | dict.fromkeys(_NEVER, False)


_NEVER = (
    "enableInternalTransfer",
    "enableMargin",
    "enableVanillaOptions",
    "enableSpotAndMarginTrading",
    "enablePortfolioMarginTrading",
)

ROUTES: dict[Key, PrivateRoute] = {
    # On the venue these are on another host, which counts its own weight.
    ("GET", "/sapi/v1/capital/config/getall"): PrivateRoute(0, _coins),
    ("GET", "/sapi/v1/account/apiRestrictions"): PrivateRoute(0, _key_rights),
    ("GET", "/sapi/v1/margin/allPairs"): PrivateRoute(0, _margin_pairs, Security.KEY),
}
