"""Endpoints of candles: of the last price, the mark, the index and the premium."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.exchange import wire_candles
from bot.exchange.candles import Span
from bot.exchange.errors import RequestError
from bot.exchange.prices.intervals import INTERVALS
from bot.exchange.routes import Key, PublicAnswer, PublicRoute, by_limit

if TYPE_CHECKING:
    from bot.exchange.desk import Desk
    from bot.exchange.params import Params
    from bot.exchange.wire_candles import Kind

MOST = 1_500
WEIGHT = by_limit(500, (99, 1), (499, 2), (1_000, 5), (MOST, 10))


def _candles(kind: Kind, name_of: str = "symbol") -> PublicAnswer:
    def answer(desk: Desk, params: Params) -> list[Any]:
        symbol = desk.venue.market.symbol(params.text(name_of).upper())
        if name_of == "pair" and params.text("contractType", "PERPETUAL") != "PERPETUAL":
            raise RequestError(-4104, "Invalid contract type.")
        interval = params.text("interval")
        if interval not in INTERVALS:
            raise RequestError(-1120, "Invalid interval.")
        span = Span(
            params.integer("startTime") if "startTime" in params else None,
            params.integer("endTime") if "endTime" in params else None,
            params.limit(500, MOST),
        )
        found = desk.venue.market.klines(symbol.name, kind, interval, span)
        return [wire_candles.row(symbol, kind, candle) for candle in found]

    return answer


ROUTES: dict[Key, PublicRoute] = {
    ("GET", "/fapi/v1/klines"): PublicRoute(WEIGHT, _candles("last")),
    ("GET", "/fapi/v1/continuousKlines"): PublicRoute(WEIGHT, _candles("last", "pair")),
    ("GET", "/fapi/v1/markPriceKlines"): PublicRoute(WEIGHT, _candles("mark")),
    ("GET", "/fapi/v1/indexPriceKlines"): PublicRoute(WEIGHT, _candles("index", "pair")),
    ("GET", "/fapi/v1/premiumIndexKlines"): PublicRoute(WEIGHT, _candles("premium")),
}
