"""Trades: each by itself, and aggregated. Those of the background are drawn only while somebody listens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from bot.exchange import wire, wire_candles
from bot.exchange.streams.feeds import UM

if TYPE_CHECKING:
    from bot.exchange.market import Market
    from bot.exchange.tape import Print


class _Prints:
    """The prints of one symbol that have come since it was last asked."""

    def __init__(self, market: Market, symbol: str) -> None:
        self._market = market
        self._symbol = symbol
        now = market.now
        self._last = max((row.rank for row in market.prints(symbol, now, now)), default=(now, -1))

    def new(self) -> list[Print]:
        found = self._market.prints(self._symbol, self._last[0], self._market.now)
        found = [row for row in found if row.rank > self._last]
        if found:
            self._last = found[-1].rank
        return found


class TradeFeed:
    """`<symbol>@trade`."""

    def __init__(self, market: Market, symbol: str) -> None:
        self._market = market
        self._symbol = symbol
        self._prints = _Prints(market, symbol)

    def present(self) -> list[bytes]:
        """Return nothing: a trade is told once."""
        return []

    def news(self) -> list[bytes]:
        """Return the trades since the last frame."""
        return [self._frame(row) for row in self._prints.new()]

    def _frame(self, row: Print) -> bytes:
        return orjson.dumps(
            {
                "e": "trade",
                "E": self._market.now,
                "T": row.time_ms,
                "s": self._symbol,
                "t": row.id,
                "p": wire.plain(row.price),
                "q": wire.plain(row.quantity),
                "X": "MARKET",
                "m": row.buyer_is_maker,
                "st": UM,
            }
        )


class AggregateTradeFeed:
    """`<symbol>@aggTrade`."""

    def __init__(self, market: Market, symbol: str) -> None:
        self._market = market
        self._symbol = symbol
        self._prints = _Prints(market, symbol)

    def present(self) -> list[bytes]:
        """Return nothing: a trade is told once."""
        return []

    def news(self) -> list[bytes]:
        """Return the aggregate trades since the last frame."""
        head = {"e": "aggTrade", "E": self._market.now, "s": self._symbol}
        rows = wire_candles.aggregated(self._prints.new())
        return [orjson.dumps(head | row | {"st": UM}) for row in rows]
