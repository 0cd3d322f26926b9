"""Candles, the last day and public trades as Binance writes them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from bot.exchange.entities import ZERO
from bot.exchange.tape import IDS_PER_MS
from bot.exchange.wire import Json, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.exchange.candles import Candle
    from bot.exchange.catalog import Symbol
    from bot.exchange.market import Market
    from bot.exchange.tape import Print

Kind = Literal["last", "mark", "index", "premium"]
NO_VOLUME = "0"
IDLE_MS = 60_000  # a market without a trade for longer has no latest one


def row(symbol: Symbol, kind: Kind, candle: Candle) -> list[Any]:
    """Return a candle as a row of twelve columns; only candles of the last price have volumes."""
    prices = candle[2:6]
    if kind == "last":
        written = [on_grid(price, symbol.tick) for price in prices]
        volumes = [on_grid(candle.volume, symbol.step), on_grid(candle.buy_volume, symbol.step)]
        turnovers = [turnover(symbol, candle.turnover), turnover(symbol, candle.buy_turnover)]
    else:
        written = [f"{price:.8f}" for price in prices]
        volumes = turnovers = [NO_VOLUME, NO_VOLUME]
    return [
        candle.open_ms,
        *written,
        volumes[0],
        candle.close_ms,
        turnovers[0],
        candle.trades,
        volumes[1],
        turnovers[1],
        "0",
    ]


def nearest(value: float, unit: Decimal) -> Decimal:
    """Return the multiple of a tick or step that is nearest to a value."""
    return round(Decimal(value) / unit) * unit


def on_grid(value: float, unit: Decimal) -> str:
    """Return the nearest multiple of a tick or step, with the unit's digits."""
    return plain(nearest(value, unit))


def turnover(symbol: Symbol, value: float) -> str:
    """Return an amount of quote asset, with the digits of price and quantity together."""
    digits = -int(symbol.tick.as_tuple().exponent) - int(symbol.step.as_tuple().exponent)
    return f"{value:.{digits}f}"


def last_day(market: Market, name: str) -> Json:
    """Return the last 24 hours of a symbol as /ticker/24hr has them."""
    trades = market.prints(name, market.now - IDLE_MS, market.now, 1)
    last = trades[-1] if trades else None
    return day(market.symbols[name], market.day(name), market.last(name), last)


def day(symbol: Symbol, candle: Candle, price: Decimal, last: Print | None) -> Json:
    """Return the last 24 hours as /ticker/24hr has them; `last` is the latest trade, if there is any."""
    average = candle.turnover / candle.volume if candle.volume else candle.close
    first_id = candle.open_ms * IDS_PER_MS
    return {
        "symbol": symbol.name,
        "priceChange": on_grid(float(price) - candle.open, symbol.tick),
        "priceChangePercent": f"{(float(price) / candle.open - 1) * 100:.3f}",
        "weightedAvgPrice": on_grid(average, symbol.tick),
        "lastPrice": plain(price),
        "lastQty": plain(last.quantity if last else ZERO.quantize(symbol.step)),
        "openPrice": on_grid(candle.open, symbol.tick),
        "highPrice": plain(max(price, nearest(candle.high, symbol.tick))),
        "lowPrice": plain(min(price, nearest(candle.low, symbol.tick))),
        "volume": on_grid(candle.volume, symbol.step),
        "quoteVolume": f"{candle.turnover:.2f}",
        "openTime": candle.open_ms,
        "closeTime": candle.close_ms,
        "firstId": first_id,
        "lastId": last.id if last else first_id,
        "count": candle.trades,
    }


def trade(item: Print) -> Json:
    """Return one public trade."""
    return {
        "id": item.id,
        "price": plain(item.price),
        "qty": plain(item.quantity),
        "quoteQty": f"{item.price * item.quantity:.2f}",
        "time": item.time_ms,
        "isBuyerMaker": item.buyer_is_maker,
        "isRPITrade": False,
    }


def aggregated(trades: Iterable[Print]) -> list[Json]:
    """Return the trades of one order at one price as one; its id is that of the first of them."""
    rows: list[tuple[tuple[int, Decimal], list[Print]]] = []
    for item in trades:
        key = (item.taker, item.price)
        if not rows or rows[-1][0] != key:
            rows.append((key, []))
        rows[-1][1].append(item)
    return [
        {
            "a": items[0].id,
            "p": plain(price),
            "q": plain(sum((item.quantity for item in items), ZERO)),
            "nq": plain(sum((item.quantity for item in items), ZERO)),
            "f": items[0].id,
            "l": items[-1].id,
            "T": items[0].time_ms,
            "m": items[0].buyer_is_maker,
        }
        for (_, price), items in rows
    ]
