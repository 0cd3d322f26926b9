"""Statistics of the last 24 hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from bot.exchange.streams.feeds import UM
from bot.exchange.wire_candles import last_day

if TYPE_CHECKING:
    from bot.exchange.market import Market
    from bot.exchange.wire import Json

_TICKER = {
    "p": "priceChange",
    "P": "priceChangePercent",
    "w": "weightedAvgPrice",
    "c": "lastPrice",
    "Q": "lastQty",
    "o": "openPrice",
    "h": "highPrice",
    "l": "lowPrice",
    "v": "volume",
    "q": "quoteVolume",
    "O": "openTime",
    "C": "closeTime",
    "F": "firstId",
    "L": "lastId",
    "n": "count",
}
_MINI = {name: _TICKER[name] for name in ("c", "o", "h", "l", "v", "q")}


class TickerFeed:
    """`<symbol>@ticker` or `@miniTicker`, or with an empty symbol all that have changed in one array."""

    def __init__(self, market: Market, symbol: str, *, mini: bool) -> None:
        self._market = market
        self._symbol = symbol
        self._event = "24hrMiniTicker" if mini else "24hrTicker"
        self._fields = _MINI if mini else _TICKER
        self._told: dict[str, Json] = {}

    def present(self) -> list[bytes]:
        """Return the present statistics."""
        return self._frames({name: last_day(self._market, name) for name in self._names()})

    def news(self) -> list[bytes]:
        """Return the statistics that have changed since the last frame."""
        rows = {name: last_day(self._market, name) for name in self._names()}
        changed = {name: row for name, row in rows.items() if self._told.get(name) != row}
        self._told.update(changed)
        return self._frames(changed)

    def _names(self) -> list[str]:
        return [self._symbol] if self._symbol else list(self._market.symbols)

    def _frames(self, rows: dict[str, Json]) -> list[bytes]:
        bodies = [
            {"e": self._event, "E": self._market.now, "s": name}
            | {short: row[long] for short, long in self._fields.items()}
            | {"ps": name, "st": UM}
            for name, row in rows.items()
        ]
        if not bodies:
            return []
        return [orjson.dumps(bodies[0] if self._symbol else bodies)]
