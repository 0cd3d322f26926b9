"""Endpoints of the market: time, symbols, prices, depth, funding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.exchange import wire, wire_candles, wire_market
from bot.exchange.desk import wall_ms
from bot.exchange.errors import RequestError, invalid
from bot.exchange.limits import RateLimits
from bot.exchange.prices.funding_model import EIGHT_HOURS_MS
from bot.exchange.routes import Key, PublicRoute, by_limit, by_symbol

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.exchange.book import Level
    from bot.exchange.desk import Desk
    from bot.exchange.market import Market
    from bot.exchange.params import Params

Json = dict[str, Any]
DEPTH_LIMITS = (5, 10, 20, 50, 100, 500, 1000)


def _ping(_desk: Desk, _params: Params) -> Json:
    return {}


def _time(_desk: Desk, _params: Params) -> Json:
    return {"serverTime": wall_ms()}


def _status(_desk: Desk, _params: Params) -> Json:
    return {"status": 0, "msg": "normal"}


def _exchange_info(desk: Desk, _params: Params) -> Json:
    limits = RateLimits()
    return {
        "exchangeFilters": [],
        "rateLimits": [
            _rate_limit("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_1m),
            _rate_limit("ORDERS", "MINUTE", 1, limits.orders_1m),
            _rate_limit("ORDERS", "SECOND", 10, limits.orders_10s),
        ],
        "serverTime": wall_ms(),
        "assets": [{"asset": wire.ASSET, "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [wire_market.symbol_info(symbol) for symbol in desk.venue.market.symbols.values()],
        "timezone": "UTC",
        "futuresType": "U_MARGINED",
    }


def _rate_limit(kind: str, interval: str, number: int, limit: int) -> Json:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


def _one_or_all(row: Callable[[Desk, str], Json]) -> Callable[[Desk, Params], Any]:
    """Answer for the symbol asked for, or for all of them."""

    def answer(desk: Desk, params: Params) -> Any:
        if "symbol" in params:
            return row(desk, desk.venue.market.symbol(params.symbol()).name)
        return [row(desk, name) for name in desk.venue.market.symbols]

    return answer


def _premium_index(desk: Desk, name: str) -> Json:
    return wire_market.premium_index(desk.venue.market, name)


def _touch(levels: tuple[Level, ...]) -> tuple[str, str]:
    return (wire.plain(levels[0].price), wire.plain(levels[0].quantity)) if levels else ("0", "0")


def _book_ticker(desk: Desk, name: str) -> Json:
    version = desk.book_versions.look(name)
    (bid, bid_size), (ask, ask_size) = _touch(version.book.bids), _touch(version.book.asks)
    return {
        "symbol": name,
        "bidPrice": bid,
        "bidQty": bid_size,
        "askPrice": ask,
        "askQty": ask_size,
        "time": desk.venue.market.now,
        "lastUpdateId": version.snapshot_id,
    }


def _price(desk: Desk, name: str) -> Json:
    market = desk.venue.market
    return {"symbol": name, "price": wire.plain(market.last(name)), "time": market.now}


def _day(desk: Desk, name: str) -> Json:
    return wire_candles.last_day(desk.venue.market, name)


def _depth(desk: Desk, params: Params) -> Json:
    name = desk.venue.market.symbol(params.symbol()).name
    limit = params.integer("limit", 500)
    if limit > DEPTH_LIMITS[-1]:
        raise invalid("limit")
    if limit not in DEPTH_LIMITS:
        raise RequestError(-4021, f"{limit} is not valid depth limit")
    version, now = desk.book_versions.snapshot(name), desk.venue.market.now
    book = version.book
    return {
        "lastUpdateId": version.snapshot_id,
        "E": now,
        "T": now,
        "bids": [[wire.plain(price), wire.plain(size)] for price, size in book.bids[:limit]],
        "asks": [[wire.plain(price), wire.plain(size)] for price, size in book.asks[:limit]],
    }


def _funding_rates(desk: Desk, params: Params) -> list[Json]:
    market = desk.venue.market
    names = [market.symbol(params.symbol()).name] if "symbol" in params else list(market.symbols)
    limit = params.limit(100, 1000)
    end_ms = min(params.integer("endTime", market.now), market.now)
    start_ms = params.integer("startTime", 0)
    rows = [row for name in names for row in _funding_of(market, name, start_ms, end_ms)]
    rows.sort(key=lambda row: (row["fundingTime"], row["symbol"]))
    return rows[:limit] if start_ms else rows[-limit:]


def _funding_of(market: Market, name: str, start_ms: int, end_ms: int) -> list[Json]:
    traded, rows = market.traded[name], []
    due = traded.funding.next_after(max(start_ms, traded.path.start_ms) - 1)
    while due and due[0] <= end_ms:
        time_ms, rate = due
        rows.append(
            {
                "symbol": name,
                "fundingTime": time_ms,
                "fundingRate": wire.money(rate),
                "markPrice": wire.money(market.mark_at(name, time_ms)),
                "rateType": "Regular",
            }
        )
        due = traded.funding.next_after(time_ms)
    return rows


def _funding_info(desk: Desk, _params: Params) -> list[Json]:
    """Return interval and cap of the symbols whose interval is not the usual one."""
    return [
        wire_market.funding_info(traded)
        for traded in desk.venue.market.traded.values()
        if traded.funding.interval_ms != EIGHT_HOURS_MS
    ]


DEPTH_WEIGHT = by_limit(500, (50, 2), (100, 5), (500, 10), (1000, 20))

ROUTES: dict[Key, PublicRoute] = {
    ("GET", "/fapi/v1/ping"): PublicRoute(1, _ping),
    ("GET", "/fapi/v1/time"): PublicRoute(1, _time),
    ("GET", "/sapi/v1/system/status"): PublicRoute(1, _status),
    ("GET", "/fapi/v1/exchangeInfo"): PublicRoute(1, _exchange_info),
    ("GET", "/fapi/v1/premiumIndex"): PublicRoute(by_symbol(1, 10), _one_or_all(_premium_index)),
    ("GET", "/fapi/v1/ticker/bookTicker"): PublicRoute(by_symbol(2, 5), _one_or_all(_book_ticker)),
    ("GET", "/fapi/v1/ticker/price"): PublicRoute(by_symbol(1, 2), _one_or_all(_price)),
    ("GET", "/fapi/v2/ticker/price"): PublicRoute(by_symbol(1, 2), _one_or_all(_price)),
    ("GET", "/fapi/v1/ticker/24hr"): PublicRoute(by_symbol(1, 40), _one_or_all(_day)),
    ("GET", "/fapi/v1/depth"): PublicRoute(DEPTH_WEIGHT, _depth),
    ("GET", "/fapi/v1/rpiDepth"): PublicRoute(20, _depth),
    ("GET", "/fapi/v1/fundingRate"): PublicRoute(0, _funding_rates, is_funding=True),
    ("GET", "/fapi/v1/fundingInfo"): PublicRoute(0, _funding_info, is_funding=True),
}
