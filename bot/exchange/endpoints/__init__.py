"""All REST endpoints: what each method and path answers, by subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.exchange.endpoints import (
    account,
    batch,
    candles,
    history,
    indicators,
    listen_keys,
    market,
    orders,
    trades,
)

if TYPE_CHECKING:
    from bot.exchange.routes import Key, PrivateRoute, PublicRoute

PUBLIC_ROUTES: dict[Key, PublicRoute] = {
    **market.ROUTES,
    **candles.ROUTES,
    **trades.ROUTES,
    **indicators.ROUTES,
}
PRIVATE_ROUTES: dict[Key, PrivateRoute] = {
    **account.ROUTES,
    **orders.ROUTES,
    **batch.ROUTES,
    **history.ROUTES,
    **listen_keys.ROUTES,
}
