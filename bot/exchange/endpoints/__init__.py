"""All REST endpoints: what each method and path answers, by subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.exchange.endpoints import (
    account,
    algo_orders,
    batch,
    candles,
    history,
    indicators,
    listen_keys,
    market,
    orders,
    settings,
    trades,
    transfers,
    wallet,
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
    **trades.KEYED_ROUTES,
    **account.ROUTES,
    **settings.ROUTES,
    **transfers.ROUTES,
    **wallet.ROUTES,
    **orders.ROUTES,
    **batch.ROUTES,
    **algo_orders.ROUTES,
    **history.ROUTES,
    **listen_keys.ROUTES,
}
