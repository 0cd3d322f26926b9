"""The price of collateral in USD, once a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from bot.exchange.wire_market import asset_index

if TYPE_CHECKING:
    from bot.exchange.market import Market

_FIELDS = {
    "s": "symbol",
    "i": "index",
    "b": "bidBuffer",
    "a": "askBuffer",
    "B": "bidRate",
    "A": "askRate",
    "q": "autoExchangeBidBuffer",
    "g": "autoExchangeAskBuffer",
    "Q": "autoExchangeBidRate",
    "G": "autoExchangeAskRate",
}


class AssetIndexFeed:
    """`!assetIndex@arr`, or `usdtusd@assetIndex`."""

    def __init__(self, market: Market, *, as_array: bool) -> None:
        self._market = market
        self._as_array = as_array

    def present(self) -> list[bytes]:
        """Return the present price."""
        return self.news()

    def news(self) -> list[bytes]:
        """Return the present price, changed or not."""
        now = self._market.now
        row = asset_index(now)
        body = {"e": "assetIndexUpdate", "E": now} | {short: row[long] for short, long in _FIELDS.items()}
        return [orjson.dumps([body] if self._as_array else body)]
