"""Order books: best bid and ask, the first levels, and the changes from one version to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from bot.exchange import wire
from bot.exchange.book import Level
from bot.exchange.entities import ZERO
from bot.exchange.streams.feeds import UM

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet
    from decimal import Decimal

    from bot.exchange.book_versions import BookVersion, BookVersions
    from bot.exchange.market import Market

NOBODY = Level(ZERO, ZERO)


class BookTickerFeed:
    """`<symbol>@bookTicker`, or with an empty symbol a frame for each symbol whose touch has changed."""

    def __init__(self, market: Market, versions: BookVersions, symbol: str) -> None:
        self._market = market
        self._versions = versions
        self._symbols = [symbol] if symbol else list(market.symbols)
        self._told: dict[str, tuple[Level, Level]] = {}

    def present(self) -> list[bytes]:
        """Return the present best bid and ask."""
        self._told.clear()
        return self.news()

    def news(self) -> list[bytes]:
        """Return best bid and ask where they have changed."""
        frames = []
        for symbol in self._symbols:
            version = self._versions.look(symbol)
            touch = _touch(version.book.bids), _touch(version.book.asks)
            if self._told.get(symbol) != touch:
                self._told[symbol] = touch
                frames.append(self._frame(symbol, version.number, *touch))
        return frames

    def _frame(self, symbol: str, number: int, bid: Level, ask: Level) -> bytes:
        now = self._market.now
        return orjson.dumps(
            {
                "e": "bookTicker",
                "u": number,
                "s": symbol,
                "ps": symbol,
                "b": wire.plain(bid.price),
                "B": wire.plain(bid.quantity),
                "a": wire.plain(ask.price),
                "A": wire.plain(ask.quantity),
                "T": now,
                "E": now,
                "st": UM,
            }
        )


class PartialDepthFeed:
    """`<symbol>@depth5`, 10 or 20: the first levels, whenever the book has changed."""

    def __init__(self, market: Market, versions: BookVersions, symbol: str, levels: int) -> None:
        self._market = market
        self._versions = versions
        self._symbol = symbol
        self._levels = levels
        self._told = versions.look(symbol)

    def present(self) -> list[bytes]:
        """Return the first levels as they are."""
        return [self._frame(self._versions.look(self._symbol), self._told.number)]

    def news(self) -> list[bytes]:
        """Return the first levels if the book has changed."""
        version, before = self._versions.look(self._symbol), self._told
        if version.number == before.number:
            return []
        self._told = version
        return [self._frame(version, before.number)]

    def _frame(self, version: BookVersion, before: int) -> bytes:
        bids, asks = version.book.bids[: self._levels], version.book.asks[: self._levels]
        return _depth_update(self._market.now, self._symbol, (before, version.number), bids, asks)


class DepthFeed:
    """`<symbol>@depth`: the levels that have changed from one version of the book to the next."""

    def __init__(self, market: Market, versions: BookVersions, symbol: str) -> None:
        self._market = market
        self._versions = versions
        self._symbol = symbol
        self._told = versions.look(symbol)
        self._shown = versions.follow(symbol)

    def present(self) -> list[bytes]:
        """Return nothing: whoever starts here takes a snapshot."""
        return []

    def news(self) -> list[bytes]:
        """Return the changes since the last frame."""
        version, before = self._versions.look(self._symbol), self._told
        if version.number == before.number:
            return []
        self._told = version
        bids = changes(before.book.bids, version.book.bids, self._shown.bids)
        asks = changes(before.book.asks, version.book.asks, self._shown.asks)
        self._shown.clear()
        span = before.number, version.number
        return [_depth_update(self._market.now, self._symbol, span, bids, asks)]


def changes(
    before: Sequence[Level], after: Sequence[Level], shown: AbstractSet[Decimal] = frozenset()
) -> list[Level]:
    """Return the levels that lead from one side of a book to another; quantity 0 where one has gone.

    Levels at prices that were `shown` in between are told in any case.
    """
    known = dict(before)
    changed = [
        level
        for level in after
        if known.pop(level.price, None) != level.quantity or (shown and level.price in shown)
    ]
    gone = known.keys() | (shown - {level.price for level in after}) if shown else known
    return changed + [Level(price, ZERO) for price in sorted(gone)]


def _touch(levels: Sequence[Level]) -> Level:
    return levels[0] if levels else NOBODY


def _depth_update(
    now: int, symbol: str, span: tuple[int, int], bids: Sequence[Level], asks: Sequence[Level]
) -> bytes:
    before, number = span
    return orjson.dumps(
        {
            "e": "depthUpdate",
            "E": now,
            "T": now,
            "s": symbol,
            "ps": symbol,
            "U": min(before + 1, number),
            "u": number,
            "pu": before,
            "b": [[wire.plain(price), wire.plain(quantity)] for price, quantity in bids],
            "a": [[wire.plain(price), wire.plain(quantity)] for price, quantity in asks],
            "st": UM,
        }
    )
