"""What was sent within an hour of the latest: each order with its time, until it is as old as that.

Adding to it takes the same short time however much it holds: the oldest leave one by one as new ones come,
and are each looked at once; tuples are copied, so what grows is a short one (as in `recent`).
"""

from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple

from bot.core.units import ZERO

HOUR_MS = 3_600_000

_PART = 50
_GRID = Decimal("1e-12")
"""Amounts are counted on it, never too small, so that adding and taking away again is exact."""


class Sent(NamedTuple):
    """One order: when it was decided, and its notional in fund values of then."""

    time_ms: int
    amount: Decimal


class Window(NamedTuple):
    """Orders, the oldest first: `older` without its first `gone`, then `newer`; `total` is their sum.

    The first `known` of them, together `known_total`, were sent before an operator last looked into it.
    """

    older: tuple[Sent, ...] = ()
    gone: int = 0
    newer: tuple[Sent, ...] = ()
    total: Decimal = ZERO
    known: int = 0
    known_total: Decimal = ZERO

    def plus(self, time_ms: int, amount: Decimal) -> "Window":
        """With one more order, and without what is an hour older than that."""
        older, gone, newer, total, known, known_total = self.at(time_ms)
        sent = Sent(time_ms, counted(amount))
        if len(newer) < _PART:
            newer = (*newer, sent)
        else:
            older, gone, newer = (*older[gone:], *newer), 0, (sent,)
        return Window(older, gone, newer, total + sent.amount, known, known_total)

    def at(self, time_ms: int) -> "Window":
        """What is less than an hour old."""
        older, gone, newer, total, known, known_total = self
        left_ms = time_ms - HOUR_MS
        while True:
            if gone == len(older):
                older, gone, newer = newer, 0, ()
            if not older:
                return _NOTHING
            sent_ms, amount = older[gone]
            if sent_ms > left_ms:
                return Window(older, gone, newer, total, known, known_total)
            gone, total = gone + 1, total - amount
            if known:
                known, known_total = known - 1, known_total - amount

    def looked_into(self) -> "Window":
        """The same orders, all of them known."""
        return self._replace(known=self.size, known_total=self.total)

    @property
    def size(self) -> int:
        """How many orders there are."""
        return len(self.older) - self.gone + len(self.newer)

    @property
    def fresh(self) -> int:
        """How many of them nobody has looked into."""
        return self.size - self.known

    @property
    def fresh_total(self) -> Decimal:
        """What those amount to."""
        return self.total - self.known_total

    def latest(self, nth: int) -> Sent | None:
        """The `nth` order (1: the last), counted from the end; None where there are fewer."""
        if nth > self.size:
            return None
        if nth <= len(self.newer):
            return self.newer[-nth]
        return self.older[len(self.newer) - nth]

    def less_ms(self, amount: Decimal) -> int:
        """When the oldest orders that amount to at least so much, which are held, will have left."""
        for sent in (*self.older[self.gone :], *self.newer):
            amount -= sent.amount
            if amount <= ZERO:
                return sent.time_ms + HOUR_MS
        raise ValueError("more is to leave than is there")


def counted(amount: Decimal) -> Decimal:
    """An amount as it is counted."""
    return amount.quantize(_GRID, ROUND_CEILING)


_NOTHING = Window()
