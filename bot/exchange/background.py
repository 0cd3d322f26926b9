"""The shape of the background book: what everybody else offers, as a function of price, turmoil and seed.

One side is a ladder of price levels. At its best price lies a touch of random (exponential) size; behind it
the notional within x bps grows as `depth_usd * x ** power`, and beyond a knee evenly. Turmoil (see
`volatility`) pushes levels away from the touch; from three times the normal volatility on, where the
recording says next to nothing, depth is taken to fall in inverse proportion to it, and the spread to widen.
Each size is drawn from a hash of seed, symbol, side and time, stays as long as sizes in the recording do,
and is then drawn anew, one after the other.

Everything is in whole ticks and lots, so that matching neither rounds nor uses Decimal for a level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from bot.exchange.impact import HALF_LIFE_MS

if TYPE_CHECKING:
    from bot.exchange.catalog import Symbol

BUCKET_MS = 1_000  # sizes change at whole seconds
SIZE_LIFE_MS = 2 * HALF_LIFE_MS  # so that after a half-life every second one is another
WILD = 3.0  # turmoil that the recording hardly reaches (3.13, for 12 s)
_OFFSETS_BPS = (
    *(0.0, 0.3, 0.6, 1.0, 1.5, 2.1, 2.8, 3.6, 4.6, 6.0, 8.0, 10.0, 12.5, 16.0, 20.0, 25.0, 32.0, 40.0, 50.0),
    *(65.0, 80.0, 100.0, 130.0, 160.0, 200.0, 250.0, 300.0, 400.0, 500.0),
)
_HALF_WAY_BPS = (*((a + b) / 2 for a, b in pairwise(_OFFSETS_BPS)), _OFFSETS_BPS[-1])
LEVELS = len(_OFFSETS_BPS)
_GOLDEN = (math.sqrt(5) - 1) / 2  # its multiples spread evenly, neighbours far apart
_TURNS_MS = tuple(int(SIZE_LIFE_MS * (place * _GOLDEN % 1)) + 1 for place in range(2 * LEVELS))


@dataclass(frozen=True, slots=True, eq=False)  # so that its hash, looked up for each ladder, is quick
class Shape:
    """The parameters of a background book, in units of a symbol's `depth_usd` where they are sizes.

    `touch`: mean size of the touch. `power`: how depth grows with distance, up to `knee_bps`; beyond it grows
    evenly. `noise`: standard deviation of the logarithm of a level's size next to the touch; half as much at
    `calm_bps` from it. `stretch_power`: how the distances of levels grow with turmoil.
    `half_spread_bps`: half the spread up to `WILD`, before it is rounded to ticks: no volatility that it was
    fitted to moved it.
    """

    touch: float
    power: float
    knee_bps: float
    noise: float
    calm_bps: float
    stretch_power: float
    half_spread_bps: float


# Fitted to the first half of the recorded book, BTCUSDT on 2024-08-08 23:54 to 23:57 UTC, by `calibration`.
RECORDED = Shape(
    touch=0.684,
    power=1.38,
    knee_bps=7.0,
    noise=2.1,
    calm_bps=1.0,
    stretch_power=0.173,
    half_spread_bps=0.0081,
)


class Ladder(NamedTuple):
    """One side of the book: prices in ticks, best first, and the lots up to and including each."""

    ticks: tuple[int, ...]
    cumulative: tuple[int, ...]


def stretched(offset_bps: float, turmoil: float, shape: Shape = RECORDED) -> float:
    """Return how far from the touch a level lies in turmoil that lies at `offset_bps` in normal times."""
    return offset_bps * math.pow(turmoil, shape.stretch_power) * max(1.0, turmoil / WILD)


def depth_within(offset_bps: float, shape: Shape = RECORDED) -> float:
    """Return the mean notional up to `offset_bps` behind the touch in normal times, the touch left out."""
    knee = min(offset_bps, shape.knee_bps)
    depth = math.pow(knee, shape.power)
    return depth + (offset_bps - knee) * shape.power * math.pow(shape.knee_bps, shape.power - 1)


def half_spread_bps(turmoil: float, shape: Shape = RECORDED) -> float:
    """Return half the spread at this turmoil, in bps of the mid, before rounding to ticks."""
    return shape.half_spread_bps * max(1.0, turmoil / WILD) ** 3


def touch_ticks(mid_ticks: float, turmoil: float, sign: int, shape: Shape = RECORDED) -> int:
    """Return the best ask (`sign` 1) or bid (-1) in ticks; the mid is never one of them."""
    mid_ticks = round(mid_ticks, 6)  # a mid that is a price is one, whatever its float says
    away = max(0.0, mid_ticks * half_spread_bps(turmoil, shape) * 1e-4 - 0.5)
    if sign > 0:
        return max(math.ceil(mid_ticks + away), math.floor(mid_ticks) + 1)
    return min(math.floor(mid_ticks - away), math.ceil(mid_ticks) - 1)


def noise(key: str, time_ms: int) -> bytes:
    """Return the bytes from which all sizes around `time_ms` are drawn: bids first, then asks.

    Every byte stays for `SIZE_LIFE_MS`; they change in turn, so that about five of the 58 do each second.
    """
    life, passed_ms = divmod(time_ms // BUCKET_MS * BUCKET_MS, SIZE_LIFE_MS)
    return bytes(
        [
            new if passed_ms >= turn_ms else old
            for old, new, turn_ms in zip(_drawn(key, life), _drawn(key, life + 1), _TURNS_MS, strict=True)
        ]
    )


def _drawn(key: str, life: int) -> bytes:
    return blake2b(f"{key}|{life}".encode(), digest_size=2 * LEVELS).digest()


def build_ladder(
    symbol: Symbol,
    mid: float,
    turmoil: float,
    sign: int,
    draws: bytes,
    shape: Shape = RECORDED,
    *,
    lots: float = math.inf,
) -> Ladder:
    """Return the asks (`sign` 1) or bids (-1) around `mid` in USDT, sizes from LEVELS bytes of `draws`.

    With `lots`, no more levels than hold so many: most orders meet the first alone.
    """
    mid_ticks = mid / symbol.tick_size
    first = touch_ticks(mid_ticks, turmoil, sign, shape)
    ticks_per_bps = mid_ticks * 1e-4
    unit = symbol.depth_usd / (mid * symbol.step_size)
    touch_draws, level_draws = _draws(shape)
    wild = max(1.0, turmoil / WILD)
    total = max(1, int(unit * shape.touch * touch_draws[draws[0]] / wild))
    ticks, cumulative = [first], [total]
    behind, reached = 0, 0.0
    # The loop is `stretched` and `depth_within`, with what is the same for all levels worked out once.
    growth, power, knee_bps = math.pow(turmoil, shape.stretch_power), shape.power, shape.knee_bps
    beyond = math.pow(knee_bps, power - 1)
    for place in range(1, LEVELS):
        if total >= lots:
            break
        distance = _OFFSETS_BPS[place] * growth * wild * ticks_per_bps
        behind = max(behind + 1, round(distance))
        price = first + sign * behind
        if price <= 0:
            break
        # A level holds what lies half way to its neighbours. Where ticks are coarse it lies farther out.
        reach_bps = _HALF_WAY_BPS[place] * max(1.0, behind / distance)
        knee = min(reach_bps, knee_bps)
        reach = math.pow(knee, power) + (reach_bps - knee) * power * beyond
        total += max(1, int(unit * (reach - reached) * level_draws[place][draws[place]]))
        reached = reach
        ticks.append(price)
        cumulative.append(total)
    return Ladder(tuple(ticks), tuple(cumulative))


@cache
def _draws(shape: Shape) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
    """Return for each byte an exponential factor, and for each level a lognormal one, all of mean 1."""
    shares = [(byte + 0.5) / 256 for byte in range(256)]
    normals = [NormalDist().inv_cdf(share) for share in shares]
    levels = []
    for offset_bps in _OFFSETS_BPS:
        spread = shape.noise / (1 + offset_bps / shape.calm_bps)
        levels.append(_of_mean_one([math.exp(spread * normal) for normal in normals]))
    return _of_mean_one([-math.log(1 - share) for share in shares]), tuple(levels)


def _of_mean_one(values: list[float]) -> tuple[float, ...]:
    mean = sum(values) / len(values)
    return tuple(value / mean for value in values)
