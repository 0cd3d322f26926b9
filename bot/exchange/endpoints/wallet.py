"""Endpoints of the spot wallet, as far as clients of futures ask for them: coins, and margin pairs."""

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


ROUTES: dict[Key, PrivateRoute] = {
    # On the venue these are on another host, which counts its own weight.
    ("GET", "/sapi/v1/capital/config/getall"): PrivateRoute(0, _coins),
    ("GET", "/sapi/v1/margin/allPairs"): PrivateRoute(0, _margin_pairs, Security.KEY),
}
