"""Prices and time of the market: paths, marks, background books, funding due. Pure, moved from outside."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, NamedTuple

from bot.exchange.account import CENT_MILLIONTH
from bot.exchange.book import Book, build_book
from bot.exchange.errors import unknown_symbol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.exchange.catalog import Symbol
    from bot.exchange.prices import FundingSource, PricePath

DEFAULT_HALF_SPREAD_BPS = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class TradedSymbol:
    """A symbol with its price path and funding rates."""

    symbol: Symbol
    path: PricePath
    funding: FundingSource


class FundingDue(NamedTuple):
    """One funding payment: when (UTC ms), of which symbol, at which mark and rate."""

    time_ms: int
    symbol: str
    mark: Decimal
    rate: Decimal


class Market:
    """All symbols at one market time `now` (UTC ms)."""

    def __init__(
        self,
        traded: Iterable[TradedSymbol],
        *,
        seed: str,
        start_ms: int,
        half_spread_bps: Decimal = DEFAULT_HALF_SPREAD_BPS,
    ) -> None:
        self.traded: dict[str, TradedSymbol] = {item.symbol.name: item for item in traded}
        self.symbols: dict[str, Symbol] = {name: item.symbol for name, item in self.traded.items()}
        self.now = start_ms
        self.marks: dict[str, Decimal] = {}
        self.next_funding: dict[str, tuple[int, Decimal] | None] = {
            name: item.funding.next_after(start_ms) for name, item in self.traded.items()
        }
        self._seed = seed
        self._half_spread_bps = half_spread_bps
        self._books: dict[str, Book] = {}
        self._next_knots: dict[str, int | None] = {}
        self.move_to(start_ms)

    @property
    def end_ms(self) -> int | None:
        """The last instant at which any path moves; None when one never ends."""
        ends = [item.path.end_ms for item in self.traded.values()]
        return None if None in ends else max((end for end in ends if end is not None), default=self.now)

    def symbol(self, name: str) -> Symbol:
        """Return a traded symbol; raises RequestError -1121."""
        symbol = self.symbols.get(name)
        if symbol is None:
            raise unknown_symbol()
        return symbol

    def next_knot(self) -> int | None:
        """Return the next time at which a path has a knot; None when all paths have ended."""
        now, knots = self.now, self._next_knots
        for name, item in self.traded.items():
            known = knots.get(name, now)
            if known is not None and known <= now:
                knots[name] = item.path.next_knot_after(now)
        return min((knot for knot in knots.values() if knot is not None), default=None)

    def move_to(self, time_ms: int) -> None:
        """Move time and marks on; books follow when looked at."""
        self.now = time_ms
        self._books.clear()
        for name in self.traded:
            self.marks[name] = self.mark_at(name, time_ms)

    def funding_due(self, until_ms: int) -> Iterator[FundingDue]:
        """Hand out each payment due by then once, in order of time."""
        while True:
            upcoming = [(item[0], name) for name, item in self.next_funding.items() if item]
            due = [item for item in upcoming if item[0] <= until_ms]
            if not due:
                return
            time_ms, name = min(due)
            rate = self.traded[name].funding.rate_at(time_ms - 1)
            yield FundingDue(time_ms, name, self.mark_at(name, time_ms), rate)
            self.next_funding[name] = self.traded[name].funding.next_after(time_ms)

    def book(self, name: str) -> Book:
        """Return the background book of a symbol as it is now."""
        book = self._books.get(name)
        if book is None:
            book = build_book(self.symbols[name], self.marks[name], self._seed, self._half_spread_bps)
            self._books[name] = book
        return book

    def mark_at(self, name: str, time_ms: int) -> Decimal:
        """Return the mark of a symbol at any time, to 8 decimals."""
        return self.traded[name].path.price_at(time_ms).quantize(CENT_MILLIONTH, ROUND_HALF_EVEN)
