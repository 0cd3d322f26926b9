"""Endpoints of the public tape: recent trades, older ones, aggregated ones. Nothing is older than an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.exchange import wire_candles
from bot.exchange.errors import RequestError, too_long
from bot.exchange.routes import Key, PrivateRoute, PublicRoute, Security
from bot.exchange.tape import IDS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.exchange.account import Account
    from bot.exchange.desk import Desk
    from bot.exchange.params import Params
    from bot.exchange.tape import Print

Json = dict[str, Any]
HOUR_MS = 3_600_000
TWO_DAYS_MS = 48 * HOUR_MS
STRIDE_MS = 60_000
MOST = 1_000
MOST_IN_STRIDE = 20_000


def _latest(desk: Desk, params: Params, default: int = 500) -> list[Print]:
    name = desk.venue.market.symbol(params.symbol()).name
    now = desk.venue.market.now
    return desk.venue.market.prints(name, now - HOUR_MS, now, params.limit(default, MOST))


def _minutes(desk: Desk, params: Params, start_ms: int, end_ms: int) -> Iterator[list[Print]]:
    """Give the trades from one time to another, a minute at a time."""
    market = desk.venue.market
    name = market.symbol(params.symbol()).name
    end_ms = min(end_ms, market.now)
    time_ms = max(start_ms, market.now - HOUR_MS)
    while time_ms <= end_ms:
        until_ms = min(time_ms + STRIDE_MS, end_ms)
        yield market.prints(name, time_ms, until_ms, MOST_IN_STRIDE)
        time_ms = until_ms + 1


def _recent(desk: Desk, params: Params) -> list[Json]:
    return [wire_candles.trade(item) for item in _latest(desk, params)]


def _older(desk: Desk, params: Params, _account: Account) -> list[Json]:
    if "fromId" not in params:
        return [wire_candles.trade(item) for item in _latest(desk, params, 100)]
    from_id, limit = params.integer("fromId"), params.limit(500, MOST)
    found: list[Print] = []
    for trades in _minutes(desk, params, from_id // IDS_PER_MS, desk.venue.market.now):
        found += [item for item in trades if item.id >= from_id]
        if len(found) >= limit:
            break
    return [wire_candles.trade(item) for item in found[:limit]]


def _aggregated(desk: Desk, params: Params) -> list[Json]:
    """Return aggregated trades from an id or a time on, or else the latest."""
    now, limit = desk.venue.market.now, params.limit(500, MOST)
    if "fromId" in params:
        from_id = params.integer("fromId")
        return _aggregated_from(desk, params, from_id // IDS_PER_MS, now, from_id)[:limit]
    if "startTime" not in params and "endTime" not in params:
        return _latest_aggregated(desk, params, limit)
    end_ms = params.integer("endTime", now)
    start_ms = params.integer("startTime", max(0, end_ms - HOUR_MS))
    if start_ms < now - TWO_DAYS_MS:
        raise RequestError(-4166, "Search window is restricted to recent 2 days only.")
    if "startTime" in params and "endTime" in params and end_ms - start_ms > HOUR_MS:
        raise too_long(1)
    return _aggregated_from(desk, params, start_ms, end_ms)[:limit]


def _aggregated_from(desk: Desk, params: Params, start_ms: int, end_ms: int, from_id: int = 0) -> list[Json]:
    """Return as many aggregated trades as are asked for, or more; those of an order lie in one minute."""
    limit = params.limit(500, MOST)
    found: list[Json] = []
    for trades in _minutes(desk, params, start_ms, end_ms):
        found += [row for row in wire_candles.aggregated(trades) if row["a"] >= from_id]
        if len(found) >= limit:
            break
    return found


def _latest_aggregated(desk: Desk, params: Params, limit: int) -> list[Json]:
    """Return the latest aggregated trades; the first is whole, however many trades that takes."""
    market = desk.venue.market
    name, count = market.symbol(params.symbol()).name, limit
    while True:
        count *= 2
        trades = market.prints(name, market.now - HOUR_MS, market.now, count)
        rows = wire_candles.aggregated(trades)
        if len(rows) > limit or len(trades) < count:
            return rows[-limit:]


ROUTES: dict[Key, PublicRoute] = {
    ("GET", "/fapi/v1/trades"): PublicRoute(5, _recent),
    ("GET", "/fapi/v1/aggTrades"): PublicRoute(20, _aggregated),
}
KEYED_ROUTES: dict[Key, PrivateRoute] = {
    ("GET", "/fapi/v1/historicalTrades"): PrivateRoute(200, _older, Security.KEY),
}
