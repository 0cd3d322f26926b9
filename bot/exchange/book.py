"""The background order book: what everybody else offers, as a function of price and seed alone.

Best bid and ask lie half a spread on either side of the mid, which is the path's price. Behind the touch,
the notional within x bps of it is `depth_usd * x ** 1.2` (a tenth of `depth_usd` at the touch itself), in 20
levels out to 300 bps; each level's size is scaled by 0.6 to 1.4, drawn from a hash of seed, symbol and mid.

What an account takes is missing from its own view of the book and refills exponentially in market time
(half-life 10 s). Accounts do not see each other's trades: so the order in which the requests of two accounts
arrive within one instant cannot change the fills of either, and runs repeat exactly.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from bot.exchange.entities import Side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.exchange.catalog import Symbol

OFFSETS_BPS = (0, 0.25, 0.5, 1, 1.5, 2.5, 4, 6, 8.5, 12, 16, 22, 30, 40, 55, 75, 100, 140, 200, 300)
DEPTH_POWER = 1.2
TOUCH_SHARE = 0.1
HALF_LIFE_MS = 10_000
_BPS = Decimal("0.0001")


class Level(NamedTuple):
    """One price level: price in USDT, quantity in base coin."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Book:
    """Both sides, best level first."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    def against(self, side: Side) -> tuple[Level, ...]:
        """Return the levels an order of this side trades against."""
        return self.asks if side is Side.BUY else self.bids


def _profile() -> tuple[float, ...]:
    cumulative = [TOUCH_SHARE * OFFSETS_BPS[1] ** DEPTH_POWER]
    cumulative += [offset**DEPTH_POWER for offset in OFFSETS_BPS[1:]]
    return (cumulative[0], *(b - a for a, b in itertools.pairwise(cumulative)))


_SHARES = _profile()


def build_book(symbol: Symbol, mid: Decimal, seed: str, half_spread_bps: Decimal) -> Book:
    """Return the background book around `mid`."""
    noise = blake2b(f"{seed}|{symbol.name}|{mid}".encode(), digest_size=2 * len(OFFSETS_BPS)).digest()
    half = len(OFFSETS_BPS)
    return Book(
        bids=_ladder(symbol, mid, half_spread_bps, -1, noise[:half]),
        asks=_ladder(symbol, mid, half_spread_bps, 1, noise[half:]),
    )


def _ladder(
    symbol: Symbol, mid: Decimal, half_spread_bps: Decimal, sign: int, noise: bytes
) -> tuple[Level, ...]:
    touch = mid * (1 + sign * half_spread_bps * _BPS) / symbol.tick
    rounding = ROUND_CEILING if sign > 0 else ROUND_FLOOR
    first = int(touch.to_integral_value(rounding))
    tick_bps = float(symbol.tick / mid) * 1e4
    unit = symbol.depth_usd / float(mid) / float(symbol.step)
    levels, behind = [], -1
    for offset_bps, share, draw in zip(OFFSETS_BPS, _SHARES, noise, strict=True):
        behind = max(behind + 1, round(offset_bps / tick_bps))
        ticks = first + sign * behind
        if ticks <= 0:
            break
        steps = max(1, int(unit * share * (0.6 + 0.8 * draw / 255)))
        levels.append(Level(ticks * symbol.tick, steps * symbol.step))
    return tuple(levels)


class Depletion(NamedTuple):
    """Notional in USDT that an account took from one side of the book, as of a market time in ms."""

    notional: float
    time_ms: int

    def at(self, time_ms: int) -> float:
        """Return what is still missing at `time_ms`, in USDT; below 1 USDT it is forgotten."""
        left = self.notional * 0.5 ** ((time_ms - self.time_ms) / HALF_LIFE_MS)
        return left if left >= 1 else 0.0

    def plus(self, notional: Decimal, time_ms: int) -> Depletion:
        """Return the depletion after taking more."""
        return Depletion(self.at(time_ms) + float(notional), time_ms)


def depleted(levels: Sequence[Level], missing: float, step: Decimal) -> Sequence[Level]:
    """Return the levels without the first `missing` USDT of them; quantities are rounded down."""
    if not missing:
        return levels
    view = []
    for level in levels:
        notional = float(level.price * level.quantity)
        if missing >= notional:
            missing -= notional
            continue
        quantity = level.quantity
        if missing:
            quantity = int((quantity - Decimal(missing / float(level.price))) / step) * step
            missing = 0.0
        if quantity > 0:
            view.append(Level(level.price, quantity))
    return view
