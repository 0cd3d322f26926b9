"""Liquidation orders: for each symbol the latest within a second, as the venue tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from bot.exchange import wire
from bot.exchange.entities import Cause
from bot.exchange.streams.feeds import UM

if TYPE_CHECKING:
    from bot.exchange.entities import Order
    from bot.exchange.market import Market


class Liquidations:
    """The latest liquidation order of each symbol."""

    def __init__(self) -> None:
        self.latest: dict[str, tuple[int, Order]] = {}
        self._count = 0

    def note(self, order: Order) -> None:
        """Take note of an order that traded, if it is a liquidation."""
        if order.cause is Cause.LIQUIDATION:
            self._count += 1
            self.latest[order.symbol] = self._count, order


class LiquidationFeed:
    """`<symbol>@forceOrder`, or with an empty symbol those of all symbols, a frame each."""

    def __init__(self, market: Market, liquidations: Liquidations, symbol: str) -> None:
        self._market = market
        self._liquidations = liquidations
        self._symbol = symbol
        self._told = {name: number for name, (number, _) in liquidations.latest.items()}

    def present(self) -> list[bytes]:
        """Return nothing: a liquidation is told once."""
        return []

    def news(self) -> list[bytes]:
        """Return what has been liquidated since the last frame."""
        frames = []
        for name, (number, order) in self._liquidations.latest.items():
            if self._symbol in {"", name} and self._told.get(name) != number:
                self._told[name] = number
                frames.append(self._frame(order))
        return frames

    def _frame(self, order: Order) -> bytes:
        body = {
            "s": order.symbol,
            "S": order.side.value,
            "o": "LIMIT",
            "f": "IOC",
            "q": wire.plain(order.quantity),
            "p": wire.plain(order.price),
            "ap": wire.short(order.average_price),
            "X": order.status.value,
            "l": wire.plain(order.filled),
            "z": wire.plain(order.filled),
            "T": order.update_ms,
        }
        head = {"e": "forceOrder", "E": self._market.now, "o": body}
        return orjson.dumps(head if self._symbol else head | {"ps": order.symbol, "st": UM})
