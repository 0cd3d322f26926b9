"""Orders of accounts that rest in one symbol, in order of price, market time and id. In ticks and lots."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class RestingOrder:
    """One resting order: `sign` 1 for a bid; `ahead` are the background's lots before it in the queue."""

    order_id: int
    account: str
    sign: int
    ticks: int
    lots: int
    ahead: int
    since_ms: int

    @property
    def rank(self) -> tuple[int, int, int]:
        """What it is sorted by: the better price, then the earlier time, then the lower id."""
        return -self.sign * self.ticks, self.since_ms, self.order_id


_rank = attrgetter("rank")


class RestingOrders:
    """All resting orders of one symbol."""

    def __init__(self) -> None:
        self.bids: list[RestingOrder] = []
        self.asks: list[RestingOrder] = []
        self._by_id: dict[int, RestingOrder] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[RestingOrder]:
        yield from self.bids
        yield from self.asks

    def side(self, sign: int) -> list[RestingOrder]:
        """Return the bids (1) or the asks (-1), best first."""
        return self.bids if sign > 0 else self.asks

    def get(self, order_id: int) -> RestingOrder | None:
        """Return an order."""
        return self._by_id.get(order_id)

    def add(self, order: RestingOrder) -> None:
        """Add an order behind those of its price and time."""
        insort(self.side(order.sign), order, key=_rank)
        self._by_id[order.order_id] = order

    def remove(self, order_id: int) -> RestingOrder | None:
        """Take an order out, if it is there."""
        order = self._by_id.pop(order_id, None)
        if order is not None:
            side = self.side(order.sign)
            del side[bisect_left(side, order.rank, key=_rank)]
        return order

    def fill(self, order: RestingOrder, lots: int) -> None:
        """Take filled lots off an order; at none it leaves."""
        order.lots -= lots
        if order.lots <= 0:
            self.remove(order.order_id)

    def stored(self) -> list[list[Any]]:
        """Return the orders as JSON-able rows."""
        return [
            [order.order_id, order.account, order.sign, order.ticks, order.lots, order.ahead, order.since_ms]
            for order in self
        ]

    def restore(self, rows: list[list[Any]]) -> None:
        """Take the orders of `stored` over."""
        for row in rows:
            self.add(RestingOrder(*row))
