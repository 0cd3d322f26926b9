"""Public REST endpoints: time, symbols, prices, depth, funding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.exchange import wire
from bot.exchange.desk import wall_ms
from bot.exchange.errors import RequestError
from bot.exchange.limits import RateLimits
from bot.exchange.routes import Key, PublicRoute

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.exchange.book import Level
    from bot.exchange.desk import Desk
    from bot.exchange.params import Params
    from bot.exchange.venue import Venue

Json = dict[str, Any]
DAY_MS = 86_400_000
DEPTH_LIMITS = (5, 10, 20, 50, 100, 500, 1000)


def _ping(_desk: Desk, _params: Params) -> Json:
    return {}


def _time(_desk: Desk, _params: Params) -> Json:
    return {"serverTime": wall_ms()}


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
        "symbols": [wire.symbol_info(symbol) for symbol in desk.venue.symbols.values()],
        "timezone": "UTC",
        "futuresType": "U_MARGINED",
    }


def _rate_limit(kind: str, interval: str, number: int, limit: int) -> Json:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


def _one_or_all(row: Callable[[Venue, str], Json]) -> Callable[[Desk, Params], Any]:
    """Answer for the symbol asked for, or for all of them."""

    def answer(desk: Desk, params: Params) -> Any:
        if "symbol" in params:
            return row(desk.venue, desk.venue.symbol(params.symbol()).name)
        return [row(desk.venue, name) for name in desk.venue.symbols]

    return answer


def _touch(levels: tuple[Level, ...]) -> tuple[str, str]:
    return (wire.plain(levels[0].price), wire.plain(levels[0].quantity)) if levels else ("0", "0")


def _book_ticker(venue: Venue, name: str) -> Json:
    book = venue.book(name)
    (bid, bid_size), (ask, ask_size) = _touch(book.bids), _touch(book.asks)
    return {
        "symbol": name,
        "bidPrice": bid,
        "bidQty": bid_size,
        "askPrice": ask,
        "askQty": ask_size,
        "time": venue.now,
        "lastUpdateId": venue.now,
    }


def _price(venue: Venue, name: str) -> Json:
    return {"symbol": name, "price": _last(venue, name), "time": venue.now}


def _last(venue: Venue, name: str) -> str:
    """Return the mark on the grid of ticks: the background market trades there."""
    return wire.plain(venue.marks[name].quantize(venue.symbols[name].tick))


def _day(venue: Venue, name: str) -> Json:
    """Return the change over the last 24 hours; the background market has no volume of its own."""
    before, last = venue.mark_at(name, venue.now - DAY_MS), venue.marks[name]
    high, low = max(before, last), min(before, last)
    tick = venue.symbols[name].tick
    return {
        "symbol": name,
        "priceChange": wire.plain((last - before).quantize(tick)),
        "priceChangePercent": f"{(last / before - 1) * 100:.3f}",
        "weightedAvgPrice": wire.plain(((last + before) / 2).quantize(tick)),
        "lastPrice": _last(venue, name),
        "lastQty": "0",
        "openPrice": wire.plain(before.quantize(tick)),
        "highPrice": wire.plain(high.quantize(tick)),
        "lowPrice": wire.plain(low.quantize(tick)),
        "volume": "0",
        "quoteVolume": "0",
        "openTime": venue.now - DAY_MS,
        "closeTime": venue.now,
        "firstId": 0,
        "lastId": 0,
        "count": 0,
    }


def _depth(desk: Desk, params: Params) -> Json:
    name = desk.venue.symbol(params.symbol()).name
    limit = params.integer("limit", 500)
    if limit not in DEPTH_LIMITS:
        raise RequestError(-4021, f"{limit} is not valid depth limit.")
    book, now = desk.venue.book(name), desk.venue.now
    return {
        "lastUpdateId": now,
        "E": now,
        "T": now,
        "bids": [[wire.plain(price), wire.plain(size)] for price, size in book.bids[:limit]],
        "asks": [[wire.plain(price), wire.plain(size)] for price, size in book.asks[:limit]],
    }


def _funding_rates(desk: Desk, params: Params) -> list[Json]:
    venue = desk.venue
    names = [venue.symbol(params.symbol()).name] if "symbol" in params else list(venue.symbols)
    limit = params.limit(100, 1000)
    end_ms = min(params.integer("endTime", venue.now), venue.now)
    start_ms = params.integer("startTime", 0)
    rows = [row for name in names for row in _funding_of(venue, name, start_ms, end_ms)]
    rows.sort(key=lambda row: (row["fundingTime"], row["symbol"]))
    return rows[:limit] if start_ms else rows[-limit:]


def _funding_of(venue: Venue, name: str, start_ms: int, end_ms: int) -> list[Json]:
    traded, rows = venue.traded[name], []
    due = traded.funding.next_after(max(start_ms, traded.path.start_ms) - 1)
    while due and due[0] <= end_ms:
        time_ms, rate = due
        rows.append(
            {
                "symbol": name,
                "fundingTime": time_ms,
                "fundingRate": wire.money(rate),
                "markPrice": wire.money(venue.mark_at(name, time_ms)),
            }
        )
        due = traded.funding.next_after(time_ms)
    return rows


def _no_adjusted_funding(_desk: Desk, _params: Params) -> list[Json]:
    """Return the symbols whose funding interval or cap differs from 8 hours: none."""
    return []


PUBLIC_ROUTES: dict[Key, PublicRoute] = {
    ("GET", "/fapi/v1/ping"): PublicRoute(1, _ping),
    ("GET", "/fapi/v1/time"): PublicRoute(1, _time),
    ("GET", "/fapi/v1/exchangeInfo"): PublicRoute(1, _exchange_info),
    ("GET", "/fapi/v1/premiumIndex"): PublicRoute(1, _one_or_all(wire.premium_index)),
    ("GET", "/fapi/v1/ticker/bookTicker"): PublicRoute(2, _one_or_all(_book_ticker)),
    ("GET", "/fapi/v1/ticker/price"): PublicRoute(1, _one_or_all(_price)),
    ("GET", "/fapi/v2/ticker/price"): PublicRoute(1, _one_or_all(_price)),
    ("GET", "/fapi/v1/ticker/24hr"): PublicRoute(1, _one_or_all(_day)),
    ("GET", "/fapi/v1/depth"): PublicRoute(10, _depth),
    ("GET", "/fapi/v1/fundingRate"): PublicRoute(1, _funding_rates),
    ("GET", "/fapi/v1/fundingInfo"): PublicRoute(1, _no_adjusted_funding),
}
