"""Which market data streams there are: names, the address each is served under, how often each is sent.

Since 23 April 2026 the venue serves a stream under one address only: order books and single trades under
/public, everything else about the market under /market, accounts under /private. At another address a
subscription is acknowledged and stays silent; the old addresses without prefix carry what /public carries.
Source: Binance, "Important WebSocket Change Notice", and its stream pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, StrEnum

from bot.exchange.prices.intervals import INTERVALS


class Route(StrEnum):
    """The first part of a stream address."""

    PUBLIC = "public"
    MARKET = "market"
    PRIVATE = "private"
    LEGACY = ""

    def serves(self, route: Route) -> bool:
        """Whether a socket at this address carries streams of `route`."""
        return self is route or (self is Route.LEGACY and route is Route.PUBLIC)


class Kind(Enum):
    """What a stream tells."""

    MARK = "markPrice"
    BOOK_TICKER = "bookTicker"
    DEPTH = "depth"
    PARTIAL_DEPTH = "depth levels"
    AGGREGATE_TRADE = "aggTrade"
    TRADE = "trade"
    KLINE = "kline"
    CONTINUOUS_KLINE = "continuousKline"
    TICKER = "ticker"
    MINI_TICKER = "miniTicker"
    LIQUIDATION = "forceOrder"
    ASSET_INDEX = "assetIndex"
    CONTRACT_INFO = "contractInfo"


@dataclass(frozen=True, slots=True)
class Topic:
    """One stream of market data.

    `symbol` is empty for all symbols in one stream. `every_ms` is the least time between two frames; 0: as it
    happens. The fast mark streams come at every instant, because clients that pace the market wait for them.
    `detail` is the interval of a bar, the number of levels of a partial book, or tells one
    asset from an array.
    """

    kind: Kind
    symbol: str
    every_ms: int
    detail: str = ""

    @property
    def route(self) -> Route:
        """Where it is served."""
        return Route.PUBLIC if self.kind in _PUBLIC else Route.MARKET


_PUBLIC = {Kind.BOOK_TICKER, Kind.DEPTH, Kind.PARTIAL_DEPTH, Kind.TRADE}
_ALL_SYMBOLS = {
    "!markPrice@arr": Topic(Kind.MARK, "", 3_000),
    "!markPrice@arr@3s": Topic(Kind.MARK, "", 3_000),
    "!markPrice@arr@1s": Topic(Kind.MARK, "", 0),
    "!bookTicker": Topic(Kind.BOOK_TICKER, "", 5_000),
    "!ticker@arr": Topic(Kind.TICKER, "", 1_000),
    "!miniTicker@arr": Topic(Kind.MINI_TICKER, "", 1_000),
    "!forceOrder@arr": Topic(Kind.LIQUIDATION, "", 1_000),
    "!assetIndex@arr": Topic(Kind.ASSET_INDEX, "", 1_000),
    "!contractInfo": Topic(Kind.CONTRACT_INFO, "", 0),
    "usdtusd@assetIndex": Topic(Kind.ASSET_INDEX, "", 1_000, "one"),
}
_ONE_SYMBOL = {
    "markPrice": (Kind.MARK, 3_000),
    "markPrice@3s": (Kind.MARK, 3_000),
    "markPrice@1s": (Kind.MARK, 0),
    "bookTicker": (Kind.BOOK_TICKER, 0),
    "aggTrade": (Kind.AGGREGATE_TRADE, 100),
    "trade": (Kind.TRADE, 0),
    "ticker": (Kind.TICKER, 2_000),
    "miniTicker": (Kind.MINI_TICKER, 2_000),
    "forceOrder": (Kind.LIQUIDATION, 1_000),
    "rpiDepth@500ms": (Kind.DEPTH, 500),
}
_DEPTH = re.compile(r"depth(5|10|20)?(?:@(0|100|250|500)ms)?")
_KLINE = re.compile(r"(kline|continuousKline)_(\w+)")
DEFAULT_DEPTH_MS = 250
KLINE_MS = 250


def topic_of(name: str) -> Topic | None:
    """Return what a stream name stands for; None when there is no such stream here."""
    if name in _ALL_SYMBOLS:
        return _ALL_SYMBOLS[name]
    symbol, _, what = name.partition("@")
    if not symbol or symbol != symbol.lower():
        return None
    if what in _ONE_SYMBOL:
        kind, every_ms = _ONE_SYMBOL[what]
        return Topic(kind, symbol.upper(), every_ms)
    return _depth(symbol.upper(), what) or _bars(symbol.upper(), what)


def _depth(symbol: str, what: str) -> Topic | None:
    found = _DEPTH.fullmatch(what)
    if found is None:
        return None
    levels, speed = found.groups()
    kind = Kind.PARTIAL_DEPTH if levels else Kind.DEPTH
    return Topic(kind, symbol, int(speed or DEFAULT_DEPTH_MS), levels or "")


def _bars(symbol: str, what: str) -> Topic | None:
    found = _KLINE.fullmatch(what)
    if found is None or found[2] not in INTERVALS:
        return None
    if found[1] == "kline":
        return Topic(Kind.KLINE, symbol, KLINE_MS, found[2])
    pair, _, contract = symbol.partition("_")
    return Topic(Kind.CONTINUOUS_KLINE, pair, KLINE_MS, found[2]) if contract == "PERPETUAL" else None
