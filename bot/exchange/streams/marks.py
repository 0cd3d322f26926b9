"""Mark prices: a frame at every instant, changed or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.exchange.streams.feeds import UM

if TYPE_CHECKING:
    from bot.exchange.market import Market


class MarkFeed:
    """`<symbol>@markPrice`, or with an empty symbol all of them in one array."""

    def __init__(self, market: Market, symbol: str) -> None:
        self._market = market
        self._symbol = symbol

    def present(self) -> list[bytes]:
        """Return the present mark."""
        return self.news()

    def news(self) -> list[bytes]:
        """Return the present mark."""
        if self._symbol:
            return [self._frame(self._symbol)]
        return [b"[%s]" % b",".join(map(self._frame, self._market.symbols))]

    def _frame(self, symbol: str) -> bytes:
        market = self._market
        mark = format(market.marks[symbol], "f")
        index = format(market.index(symbol), "f")
        due_ms, rate = market.next_funding[symbol] or (0, 0)
        return (
            f'{{"e":"markPriceUpdate","E":{market.now},"s":"{symbol}","p":"{mark}","ap":"{mark}","P":"{mark}",'
            f'"i":"{index}","r":"{rate:.8f}","T":{due_ms},"st":{UM}}}'
        ).encode()
