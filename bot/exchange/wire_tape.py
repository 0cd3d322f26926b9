"""The tape and what is made of it, as Binance writes it: aggregate trades, candles, the last 24 hours."""

from __future__ import annotations

from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from bot.exchange.tape import IDS_PER_MS
from bot.exchange.wire import Json, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.exchange.candles import Candle
    from bot.exchange.catalog import Symbol
    from bot.exchange.market import Market
    from bot.exchange.tape import Print

AGGREGATED_MS = 100
LOOK_BACK_MS = 60_000


class Aggregate(NamedTuple):
    """Trades of one side at one price within 100 ms: the first and last id, and the time of the last."""

    first_id: int
    last_id: int
    time_ms: int
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool


def aggregated(prints: Iterable[Print]) -> list[Aggregate]:
    """Return trades as aggregate trades, in order; its first trade's id is the id of an aggregate."""
    found = []
    for (_, price, buyer_is_maker), group in groupby(prints, _what_aggregates):
        rows = list(group)
        quantity = sum((row.quantity for row in rows), Decimal(0))
        found.append(Aggregate(rows[0].id, rows[-1].id, rows[-1].time_ms, price, quantity, buyer_is_maker))
    return found


def _what_aggregates(row: Print) -> tuple[int, Decimal, bool]:
    return row.time_ms // AGGREGATED_MS, row.price, row.buyer_is_maker


class CandleTexts(NamedTuple):
    """The numbers of a candle as the venue writes them: prices on the grid of ticks, volumes of lots."""

    open: str
    high: str
    low: str
    close: str
    volume: str
    turnover: str
    buy_volume: str
    buy_turnover: str
    first_id: int
    last_id: int


def candle_texts(candle: Candle, symbol: Symbol, now_ms: int) -> CandleTexts:
    """Return the numbers of a candle. Trade ids tell their time; without trades they are -1."""
    digits = symbol.price_digits
    traded = candle.trades > 0
    return CandleTexts(
        f"{candle.open:.{digits}f}",
        f"{candle.high:.{digits}f}",
        f"{candle.low:.{digits}f}",
        f"{candle.close:.{digits}f}",
        f"{candle.volume:.{symbol.quantity_digits}f}",
        f"{candle.turnover:.5f}",
        f"{candle.buy_volume:.{symbol.quantity_digits}f}",
        f"{candle.buy_turnover:.5f}",
        candle.open_ms * IDS_PER_MS if traded else -1,
        min(candle.close_ms, now_ms) * IDS_PER_MS if traded else -1,
    )


def day_row(market: Market, name: str) -> Json:
    """Return the statistics of the last 24 hours, as in ticker/24hr."""
    symbol, day = market.symbols[name], market.day(name)
    texts = candle_texts(day, symbol, market.now)
    prints = market.prints(name, market.now - LOOK_BACK_MS, market.now, 1)
    change = day.close - day.open
    digits = symbol.price_digits
    average = day.turnover / day.volume if day.volume else day.close
    return {
        "symbol": name,
        "priceChange": f"{change:.{digits}f}",
        "priceChangePercent": f"{change / day.open * 100:.3f}",
        "weightedAvgPrice": f"{average:.{digits}f}",
        "lastPrice": plain(market.last(name)),
        "lastQty": plain(prints[0].quantity) if prints else "0",
        "openPrice": texts.open,
        "highPrice": texts.high,
        "lowPrice": texts.low,
        "volume": texts.volume,
        "quoteVolume": f"{day.turnover:.2f}",
        "openTime": day.open_ms,
        "closeTime": day.close_ms,
        "firstId": texts.first_id,
        "lastId": texts.last_id,
        "count": day.trades,
    }
