"""The shape of the background book: what everybody else offers, as a function of price, calm and seed.

One side is a ladder of price levels. At its best price there is a touch of random size; behind it the
notional within x bps grows as `depth_usd * x ** DEPTH_POWER`, and linearly beyond `FAR_BPS`. Turmoil (see
`volatility`) stretches the ladder away from the touch and widens the spread, so the same order costs more.
Each level's size is drawn anew every `BUCKET_MS` from a hash of seed, symbol, side and time.

Everything is in whole ticks and lots, so that matching neither rounds nor uses Decimal for a level.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bot.exchange.catalog import Symbol

BUCKET_MS = 1_000

# Fitted to the recorded book by `calibration` (docs/exchange.md, "The background market").
DEPTH_POWER = 1.35
TOUCH_SHARE = 0.4  # median notional at the touch, in units of `depth_usd`
TOUCH_SPREAD = 1.1  # standard deviation of its logarithm
LEVEL_SPREAD = 0.5  # the same of the other levels
HALF_SPREAD_BPS = 0.03  # at normal volatility; never below half a tick
SPREAD_POWER = 1.5
STRETCH_POWER = 0.5
FAR_BPS = 20.0

_OFFSETS_BPS = (
    *(0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.4, 2.0, 2.7, 3.5, 4.5, 6.0, 8.0, 10.0, 12.5),
    *(16.0, 20.0, 25.0, 32.0, 40.0, 50.0, 65.0, 80.0, 100.0, 130.0, 160.0, 200.0, 250.0, 300.0, 400.0, 500.0),
)
LEVELS = len(_OFFSETS_BPS)
_FAR_SLOPE = DEPTH_POWER * math.pow(FAR_BPS, DEPTH_POWER - 1)


class Ladder(NamedTuple):
    """One side of the book: prices in ticks, best first, and the lots up to and including each."""

    ticks: tuple[int, ...]
    cumulative: tuple[int, ...]


def depth_within(offset_bps: float) -> float:
    """Return the notional up to `offset_bps` behind the touch, itself left out, in units of `depth_usd`."""
    if offset_bps <= FAR_BPS:
        return math.pow(offset_bps, DEPTH_POWER)
    return math.pow(FAR_BPS, DEPTH_POWER) + (offset_bps - FAR_BPS) * _FAR_SLOPE


def _draws(spread: float) -> tuple[float, ...]:
    """Return 256 equally likely lognormal factors of mean 1, one for each byte."""
    normal = NormalDist()
    values = [math.exp(spread * normal.inv_cdf((byte + 0.5) / 256)) for byte in range(256)]
    mean = sum(values) / len(values)
    return tuple(value / mean for value in values)


_TOUCH_DRAWS = tuple(math.exp(TOUCH_SPREAD * NormalDist().inv_cdf((byte + 0.5) / 256)) for byte in range(256))
_LEVEL_DRAWS = _draws(LEVEL_SPREAD)


def half_spread_bps(turmoil: float) -> float:
    """Return half the spread at this turmoil, in bps of the mid, before rounding to ticks."""
    return HALF_SPREAD_BPS * math.pow(turmoil, SPREAD_POWER)


def touch_ticks(mid_ticks: float, turmoil: float, sign: int) -> int:
    """Return the best ask (`sign` 1) or bid (-1) in ticks; the mid is never one of them."""
    away = mid_ticks * half_spread_bps(turmoil) * 1e-4
    if sign > 0:
        return max(math.ceil(mid_ticks + away), math.floor(mid_ticks) + 1)
    return min(math.floor(mid_ticks - away), math.ceil(mid_ticks) - 1)


def noise(key: str, time_ms: int) -> bytes:
    """Return the bytes from which all sizes around `time_ms` are drawn: bids first, then asks."""
    return blake2b(f"{key}|{time_ms // BUCKET_MS}".encode(), digest_size=2 * LEVELS).digest()


def build_ladder(symbol: Symbol, mid: float, turmoil: float, sign: int, draws: bytes) -> Ladder:
    """Return the asks (`sign` 1) or bids (-1) around `mid` in USDT, sizes from LEVELS bytes of `draws`."""
    mid_ticks = mid / symbol.tick_size
    first = touch_ticks(mid_ticks, turmoil, sign)
    stretch = turmoil**STRETCH_POWER
    ticks_per_bps = mid_ticks * 1e-4 * stretch
    lots_per_unit = symbol.depth_usd / (mid * symbol.step_size)
    touch = lots_per_unit * TOUCH_SHARE * _TOUCH_DRAWS[draws[0]] / stretch
    total = max(1, int(touch))
    ticks, cumulative = [first], [total]
    behind, reached = 0, depth_within(0.5 / ticks_per_bps)
    for offset_bps, draw in zip(_OFFSETS_BPS[1:], draws[1:], strict=True):
        behind = max(behind + 1, round(offset_bps * ticks_per_bps))
        price = first + sign * behind
        if price <= 0:
            break
        reach = depth_within((behind + 0.5) / ticks_per_bps)
        total += max(1, int(lots_per_unit * (reach - reached) * _LEVEL_DRAWS[draw]))
        reached = reach
        ticks.append(price)
        cumulative.append(total)
    return Ladder(tuple(ticks), tuple(cumulative))
