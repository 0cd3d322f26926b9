"""Candles: the present one whenever it has changed, and each once more when it has closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from bot.exchange import wire_candles
from bot.exchange.candles import Span
from bot.exchange.tape import IDS_PER_MS

if TYPE_CHECKING:
    from bot.exchange.candles import Candle
    from bot.exchange.market import Market

_COLUMNS = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")  # of a row of candles
MOST_CLOSED = 500  # candles that one jump of an accelerated market is told to have closed


class CandleFeed:
    """`<symbol>@kline_<interval>` or `<pair>_perpetual@continuousKline_<interval>`."""

    def __init__(self, market: Market, symbol: str, interval: str, *, continuous: bool) -> None:
        self._market = market
        self._symbol = symbol
        self._interval = interval
        self._continuous = continuous
        self._told: Candle | None = None

    def present(self) -> list[bytes]:
        """Return the present candle."""
        return [self._frame(candle, closed=False) for candle in self._candles(None, 1)]

    def news(self) -> list[bytes]:
        """Return what has closed since the last frame, and the present candle if it has changed."""
        told = self._told
        candles = self._candles(told.open_ms if told else None, MOST_CLOSED if told else 1)
        if not candles or candles[-1] == told:
            return []
        self._told = candles[-1]
        frames = [self._frame(candle, closed=True) for candle in candles[:-1]]
        return [*frames, self._frame(candles[-1], closed=False)]

    def _candles(self, start_ms: int | None, limit: int) -> list[Candle]:
        return self._market.klines(self._symbol, "last", self._interval, Span(start_ms, None, limit))

    def _frame(self, candle: Candle, *, closed: bool) -> bytes:
        now = self._market.now
        row = wire_candles.row(self._market.symbols[self._symbol], "last", candle)
        bar = dict(zip(_COLUMNS, row, strict=True)) | {
            "s": self._symbol,
            "i": self._interval,
            "f": candle.open_ms * IDS_PER_MS,  # an id tells its time
            "L": min(candle.close_ms, now) * IDS_PER_MS,
            "x": closed,
        }
        if not self._continuous:
            return orjson.dumps({"e": "kline", "E": now, "s": self._symbol, "k": bar})
        del bar["s"]
        head = {"e": "continuous_kline", "E": now, "ps": self._symbol, "ct": "PERPETUAL"}
        return orjson.dumps(head | {"k": bar})
