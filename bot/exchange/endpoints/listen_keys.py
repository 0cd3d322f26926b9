"""Endpoints of listen keys, which open user data streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.exchange.desk import wall_ms
from bot.exchange.routes import Key, PrivateAnswer, PrivateRoute, Security

if TYPE_CHECKING:
    from bot.exchange.account import Account
    from bot.exchange.desk import Desk
    from bot.exchange.params import Params

Json = dict[str, Any]


def _start_listen_key(desk: Desk, _params: Params, account: Account) -> Json:
    key = desk.listen_keys.start(account.name, wall_ms())
    desk.save_listen_keys()
    return {"listenKey": key}


def _prolong_listen_key(desk: Desk, _params: Params, account: Account) -> Json:
    key = desk.listen_keys.prolong(account.name, wall_ms())
    desk.save_listen_keys()
    return {"listenKey": key}


def _end_listen_key(desk: Desk, _params: Params, account: Account) -> Json:
    desk.listen_keys.end(account.name)
    desk.save_listen_keys()
    return {}


def _listen_key_route(answer: PrivateAnswer) -> PrivateRoute:
    return PrivateRoute(1, answer, Security.KEY)


ROUTES: dict[Key, PrivateRoute] = {
    ("POST", "/fapi/v1/listenKey"): _listen_key_route(_start_listen_key),
    ("PUT", "/fapi/v1/listenKey"): _listen_key_route(_prolong_listen_key),
    ("DELETE", "/fapi/v1/listenKey"): _listen_key_route(_end_listen_key),
}
