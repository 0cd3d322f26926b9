"""The tape of one symbol: the background's market orders as trades, drawn when asked for, and accounts'."""

from __future__ import annotations

from collections import deque
from copy import copy
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from bot.exchange.flow import SECOND_MS

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.exchange.matching import LotFill, Matching
    from bot.exchange.prices import PricePath

IDS_PER_MS = 1_000  # an id tells its time; the background's come first
FIRST_OWN_ID = 500
OWN_KEPT = 2_000
FARTHEST_BACK_S = 3_600


class Print(NamedTuple):
    """One trade as the public sees it: time in UTC ms, price in USDT, quantity in base coin.

    `taker` is the id of the first trade of the order that took it.
    """

    id: int
    time_ms: int
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool
    taker: int

    @property
    def rank(self) -> tuple[int, int]:
        """What trades are told in the order of."""
        return self.time_ms, self.id


_rank = attrgetter("rank")


class Tape:
    """The public trades of one symbol."""

    def __init__(self, matching: Matching, path: PricePath) -> None:
        self._matching = matching
        self._path = copy(path)  # its own place in the path
        self._start_ms = path.start_ms
        # Time, id of the first fill, sign and fills of each order.
        self._own: deque[tuple[int, int, int, list[LotFill]]] = deque(maxlen=OWN_KEPT)
        self._next_own_id = 0

    def add(self, fills: list[LotFill], sign: int) -> None:
        """Print what an account took just now."""
        now = self._matching.now
        first_id = max(self._next_own_id, now * IDS_PER_MS + FIRST_OWN_ID)
        self._next_own_id = first_id + len(fills)
        self._own.append((now, first_id, sign, fills))

    def _of_accounts(self, start_ms: int, end_ms: int) -> list[Print]:
        tick, step = self._matching.symbol.tick, self._matching.symbol.step
        return [
            Print(first_id + place, time_ms, ticks * tick, lots * step, sign < 0, first_id)
            for time_ms, first_id, sign, fills in self._own
            if start_ms <= time_ms <= end_ms
            for place, (ticks, lots, _) in enumerate(fills)
        ]

    def between(self, start_ms: int, end_ms: int, limit: int) -> list[Print]:
        """Return the last `limit` prints from `start_ms` to `end_ms`, both included, oldest first."""
        end_ms = min(end_ms, self._matching.now)
        start_ms = max(start_ms, self._start_ms)
        found: list[Print] = []
        second = end_ms // SECOND_MS
        oldest = max(start_ms // SECOND_MS, second - FARTHEST_BACK_S)
        while second >= oldest and len(found) < limit:
            rows = [row for row in self._background(second) if start_ms <= row.time_ms <= end_ms]
            found[:0] = rows
            second -= 1
        since_ms = found[0].time_ms if len(found) >= limit else start_ms
        return sorted(found + self._of_accounts(since_ms, end_ms), key=_rank)[-limit:]

    def last(self) -> Decimal | None:
        """Return the price of the latest print, of this second or the one before; None if there was none."""
        now = self._matching.now
        found = self.between(now // SECOND_MS * SECOND_MS - SECOND_MS, now, 1)
        return found[0].price if found else None

    def _background(self, second: int) -> list[Print]:
        symbol = self._matching.symbol
        rows: list[Print] = []
        for time_ms, sign, usd in self._matching.orders_in(second):
            mark = float(self._path.price_at(time_ms))
            ticks = self._matching.touch_at(time_ms, mark, sign)
            number = rows[-1].id % IDS_PER_MS + 1 if rows and rows[-1].time_ms == time_ms else 0
            trade_id = time_ms * IDS_PER_MS + min(number, FIRST_OWN_ID - 1)
            rows.append(
                Print(
                    trade_id,
                    time_ms,
                    ticks * symbol.tick,
                    max(1, int(usd / (mark * symbol.step_size))) * symbol.step,
                    sign < 0,
                    trade_id,
                )
            )
        return rows
