"""The market: all symbols at one market time, with Decimals at its boundary. Pure, moved from outside.

Mark is the price path's price. The book lies around a mid that is the mark moved by what accounts trade
(`impact`), and the last price is the book's: so mark, index and last are three prices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from bot.exchange.account import CENT_MILLIONTH
from bot.exchange.book import Book, Fill, Level, PassiveFill
from bot.exchange.brackets import rescaled
from bot.exchange.candles import Candle, Candles, Span
from bot.exchange.entities import Side
from bot.exchange.errors import unknown_symbol
from bot.exchange.matching import LARGEST_DEPTH_USD, LotFill, Matching, Strain
from bot.exchange.prices.basis import Basis, BasisSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.exchange.catalog import Symbol
    from bot.exchange.prices import FundingSource, PricePath
    from bot.exchange.tape import Print


NO_BASIS = Basis()


@dataclass(frozen=True, slots=True)
class TradedSymbol:
    """A symbol with its price path, its funding rates, and how far mark and index lie apart."""

    symbol: Symbol
    path: PricePath
    funding: FundingSource
    basis: BasisSource = NO_BASIS


class FundingDue(NamedTuple):
    """One funding payment: when (UTC ms), of which symbol, at which mark and rate."""

    time_ms: int
    symbol: str
    mark: Decimal
    rate: Decimal


class Market:
    """All symbols at one market time `now` (UTC ms)."""

    def __init__(self, traded: Iterable[TradedSymbol], *, seed: str, start_ms: int) -> None:
        self.traded: dict[str, TradedSymbol] = {item.symbol.name: item for item in traded}
        self.symbols: dict[str, Symbol] = {name: item.symbol for name, item in self.traded.items()}
        self.now = start_ms
        self.marks: dict[str, Decimal] = {name: self.mark_at(name, start_ms) for name in self.traded}
        self.next_funding: dict[str, tuple[int, Decimal] | None] = {
            name: item.funding.next_after(start_ms) for name, item in self.traded.items()
        }
        self._matchings = {
            name: Matching(item.symbol, item.path, seed=seed, time_ms=start_ms, mark=self.marks[name])
            for name, item in self.traded.items()
        }
        self._candles = {
            name: Candles(item.path, item.basis, item.symbol.depth_usd / LARGEST_DEPTH_USD)
            for name, item in self.traded.items()
        }
        self._resting: dict[int, Matching] = {}
        self._next_knots: dict[str, int | None] = {}

    # --- time -----------------------------------------------------------------------------------------

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

    def forget_knots(self) -> None:
        """Look for the next knots again: a path has been changed by a fault."""
        self._next_knots.clear()

    def rescale_brackets(self, name: str, share: Decimal) -> None:
        """Let the caps of a symbol's brackets be `share` of what they are."""
        symbol = self.symbols[name]
        self.symbols[name] = replace(symbol, brackets=rescaled(symbol.brackets, share))

    def strain(self, name: str, strain: Strain) -> None:
        """Displace or thin the book of a symbol for a time."""
        self._matchings[name].strains.append(strain)

    def move_to(self, time_ms: int) -> None:
        """Move time and marks on; books follow when looked at. `passive_fills` has what this filled."""
        self.now = time_ms
        for name, matching in self._matchings.items():
            mark = self.marks[name] = self.mark_at(name, time_ms)
            matching.move_to(time_ms, mark)

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

    def mark_at(self, name: str, time_ms: int) -> Decimal:
        """Return the mark of a symbol at any time, to 8 decimals."""
        return self.traded[name].path.price_at(time_ms).quantize(CENT_MILLIONTH, ROUND_HALF_EVEN)

    # --- the book -------------------------------------------------------------------------------------

    def book(self, name: str, account: str | None = None) -> Book:
        """Return the book of a symbol: the background and the resting orders of all accounts.

        What `account` took at this instant is missing from its own view; the others see it from the next on.
        """
        matching, symbol = self._matchings[name], self.symbols[name]
        sides = [
            tuple(Level(ticks * symbol.tick, lots * symbol.step) for ticks, lots in levels)
            for levels in (matching.levels(1, account), matching.levels(-1, account))
        ]
        return Book(bids=sides[0], asks=sides[1])

    # --- what the public sees besides -----------------------------------------------------------------

    def index(self, name: str) -> Decimal:
        """Return the index price now: the mark less the basis, to 8 decimals."""
        basis = self.traded[name].basis.at(self.now)
        mark = self.marks[name]
        return (mark / (1 + Decimal(basis))).quantize(CENT_MILLIONTH, ROUND_HALF_EVEN) if basis else mark

    def last(self, name: str) -> Decimal:
        """Return the last price: that of the latest print, or the mid on the grid of ticks."""
        symbol, matching = self.symbols[name], self._matchings[name]
        printed = matching.tape.last()
        return round(matching.mid / symbol.tick_size) * symbol.tick if printed is None else printed

    def prints(self, name: str, start_ms: int, end_ms: int, limit: int = 1_000) -> list[Print]:
        """Return the last `limit` public trades from `start_ms` to `end_ms`, both included, oldest first.

        Market orders of the background are drawn for the asking (an hour back at most); ids rise with time.
        """
        return self._matchings[name].tape.between(start_ms, end_ms, limit)

    def klines(
        self,
        name: str,
        kind: Literal["last", "mark", "index", "premium"],
        interval: str,
        span: Span,
    ) -> list[Candle]:
        """Return the candles that opened within the span, oldest first; `interval` as in `INTERVALS`."""
        return self._candles[name].list(kind, interval, span, self.now)

    def day(self, name: str) -> Candle:
        """Return the last 24 hours as one candle."""
        return self._candles[name].day(self.now)

    def matching(self, name: str) -> Matching:
        """Return the matching core of a symbol, for use in process: in ticks and lots."""
        return self._matchings[name]

    # --- orders ---------------------------------------------------------------------------------------

    def preview(
        self, name: str, account: str, side: Side, limit: Decimal | None, quantity: Decimal
    ) -> list[Fill]:
        """Return the fills that `take` would give, and change nothing."""
        symbol = self.symbols[name]
        bound = None if limit is None else _to_ticks(limit, symbol, side)
        found = self._matchings[name].look(account, side.sign, bound, int(quantity / symbol.step))
        return _fills(found, symbol)

    def take(
        self, name: str, account: str, side: Side, limit: Decimal | None, quantity: Decimal
    ) -> list[Fill]:
        """Execute an aggressive order, at `limit` (None: any price) or better; best price first.

        The fills may add up to less than `quantity`.
        """
        symbol = self.symbols[name]
        bound = None if limit is None else _to_ticks(limit, symbol, side)
        found = self._matchings[name].take(account, side.sign, bound, int(quantity / symbol.step))
        return _fills(found, symbol)

    def rest(
        self, order_id: int, account: str, name: str, side: Side, price: Decimal, quantity: Decimal
    ) -> None:
        """Let an order (or what is left of it) rest at its price, behind what is there."""
        symbol, matching = self.symbols[name], self._matchings[name]
        ticks, lots = _to_ticks(price, symbol, side), int(quantity / symbol.step)
        matching.rest(order_id, account, side.sign, ticks, lots)
        self._resting[order_id] = matching

    def unrest(self, order_id: int) -> None:
        """Take a resting order out; nothing happens when it is not there."""
        matching = self._resting.pop(order_id, None)
        if matching is not None:
            matching.unrest(order_id)

    def reduce(self, order_id: int, quantity: Decimal) -> None:
        """Make a resting order smaller by `quantity`; it keeps its place."""
        matching = self._resting.get(order_id)
        if matching is not None:
            matching.reduce(order_id, int(quantity / matching.symbol.step))

    def offered(self, order_id: int) -> Decimal | None:
        """Return how much of an order rests in the book; None if it does not."""
        matching = self._resting.get(order_id)
        order = matching.resting.get(order_id) if matching else None
        return order.lots * matching.symbol.step if matching and order else None

    def passive_fills(self) -> list[PassiveFill]:
        """Hand out once what the background filled of resting orders, symbol by symbol in order of time."""
        found = []
        for matching in self._matchings.values():
            if matching.passive:
                tick, step = matching.symbol.tick, matching.symbol.step
                found += [
                    PassiveFill(order, ticks * tick, lots * step) for order, ticks, lots in matching.passive
                ]
                matching.passive.clear()
        return found

    def give_back(self, name: str, side: Side, quantity: Decimal) -> None:
        """Undo the impact of what `passive_fills` offered an order and its account could not take."""
        self._matchings[name].give_back(side.sign, int(quantity / self.symbols[name].step))

    # --- what is kept ---------------------------------------------------------------------------------

    def changed(self) -> list[str]:
        """Return the symbols whose state has changed since `mark_saved`."""
        return [name for name, matching in self._matchings.items() if matching.changed]

    def state(self, name: str) -> dict[str, Any]:
        """Return the state of a symbol (impact, resting orders, queues) as JSON-able values."""
        return self._matchings[name].stored()

    def mark_saved(self) -> None:
        """Take every state as saved."""
        for matching in self._matchings.values():
            matching.changed = False

    def restore(self, name: str, state: dict[str, Any]) -> None:
        """Take over what `state` gave, at the market time of that moment."""
        matching = self._matchings[name]
        matching.restore(state)
        self._resting.update((order.order_id, matching) for order in matching.resting)


def _to_ticks(price: Decimal, symbol: Symbol, side: Side) -> int:
    """Return a limit in ticks; between two, the one that is worse for the market and so within the limit."""
    rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
    return int((price / symbol.tick).to_integral_value(rounding))


def _fills(found: list[LotFill], symbol: Symbol) -> list[Fill]:
    tick, step = symbol.tick, symbol.step
    return [Fill(ticks * tick, lots * step, maker_id or None) for ticks, lots, maker_id in found]
