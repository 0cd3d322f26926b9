"""What is measured on recorded and on modelled books. Prices in bps, sizes in USDT, times in seconds."""

from __future__ import annotations

import math
from functools import cache, partial
from hashlib import blake2b
from statistics import mean, pvariance
from typing import TYPE_CHECKING

from bot.exchange.background import LEVELS, Ladder, Shape, build_ladder, noise
from bot.exchange.calibration.recording import MILLION, SAMPLE_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bot.exchange.calibration.recording import Sample
    from bot.exchange.catalog import Symbol

SIZES_USD = (0.1 * MILLION, 0.3 * MILLION, 1.0 * MILLION, 3.0 * MILLION, 10.0 * MILLION, 20.0 * MILLION)
PER_SECOND = 1_000 // SAMPLE_MS
BACK_S = 30
LEAST_S = 8
MEMORY_S = 15  # beyond it the costs of two moments of the recording have nothing to do with each other
BYTES = 256
WATCHED_S = 1_200
LARGE_USD = 10.0 * MILLION
ENOUGH = 1.1  # times the lots of an order at the mid fill it on either side: no level lies 10 % from it


def cost_bps(levels: Iterable[tuple[float, float]], mid: float, sign: int, usd: float) -> float | None:
    """Return what a market order of `usd` pays beyond the mid, on average; None if the levels hold less."""
    return costs_bps(levels, mid, sign, (usd,))[0]


def costs_bps(
    levels: Iterable[tuple[float, float]], mid: float, sign: int, sizes: Sequence[float]
) -> list[float | None]:
    """Return the `cost_bps` of several sizes, given in rising order, in one walk over the levels."""
    costs: list[float | None] = []
    gone, base = 0.0, 0.0
    for price, size in levels:
        there = price * size
        while len(costs) < len(sizes) and sizes[len(costs)] <= gone + there:
            usd = sizes[len(costs)]
            costs.append(sign * (usd / (base + (usd - gone) / price) / mid - 1) * 1e4)
        if len(costs) == len(sizes):
            return costs
        gone += there
        base += size
    return costs + [None] * (len(sizes) - len(costs))


def depth_behind(levels: Sequence[tuple[float, float]], offset_bps: float) -> float:
    """Return the notional up to `offset_bps` behind the touch, the touch left out."""
    best = levels[0][0]
    return sum(price * size for price, size in levels[1:] if abs(price / best - 1) * 1e4 <= offset_bps)


def mean_cost(sample: Sample, usd: float) -> float | None:
    """Return the mean cost of buying and selling `usd`; None where the record does not reach."""
    found = [cost_bps(sample.side(sign), sample.mid, sign, usd) for sign in (1, -1)]
    costs = [cost for cost in found if cost is not None]
    return mean(costs) if len(costs) == len(found) else None


def volatility(samples: Sequence[Sample]) -> list[float]:
    """Return for each sample the volatility of the last 30 s, in bps per square root of a second.

    From returns over one second. In the first seconds, where less is known, that of the first eight.
    """
    logs = [math.log(sample.mid) for sample in samples]
    squares = [(after - before) ** 2 for before, after in zip(logs, logs[PER_SECOND:], strict=False)]
    found = []
    for place in range(len(samples)):
        end = max(place - PER_SECOND, LEAST_S * PER_SECOND)
        found.append(math.sqrt(mean(squares[max(0, end - BACK_S * PER_SECOND) : end])) * 1e4)
    return found


@cache
def even_draws(rounds: int) -> list[bytes]:
    """Return the draws of `BYTES` books a round; in a round each byte comes once at each place of the book.

    Such a Latin hypercube (McKay, Beckman and Conover, 1979) knows a mean several times better than as many
    books drawn one by one, so that a search over shapes fits the recording and not its own draws.
    """
    found = []
    for number in range(rounds):
        columns = [sorted(range(BYTES), key=partial(_hashed, number, place)) for place in range(2 * LEVELS)]
        found += [bytes(row) for row in zip(*columns, strict=True)]
    return found


def _hashed(number: int, place: int, byte: int) -> bytes:
    return blake2b(f"{number}|{place}|{byte}".encode(), digest_size=8).digest()


def model_costs(
    symbol: Symbol, shape: Shape, *, mid: float, turmoil: float, rounds: int = 1
) -> dict[float, list[float]]:
    """Return the costs of each size over `even_draws` of the model's books, bids and asks in turn."""
    costs: dict[float, list[float]] = {usd: [] for usd in SIZES_USD}
    for book, draws in enumerate(even_draws(rounds)):
        shifted = mid + (book % 10) * symbol.tick_size / 10  # the mid lies anywhere between two ticks
        lots = ENOUGH * SIZES_USD[-1] / shifted / symbol.step_size
        for sign, part in ((1, draws[:LEVELS]), (-1, draws[LEVELS:])):
            levels = _levels(symbol, build_ladder(symbol, shifted, turmoil, sign, part, shape, lots=lots))
            for usd, cost in zip(SIZES_USD, costs_bps(levels, shifted, sign, SIZES_USD), strict=True):
                if cost is not None:
                    costs[usd].append(cost)
    return costs


def model_half_life_s(symbol: Symbol, mid: float) -> float:
    """Return how fast the depth that a large order meets in the model comes back, over both sides."""
    ages = []
    for sign, part in ((1, slice(LEVELS)), (-1, slice(LEVELS, None))):
        costs: list[float] = []
        for second in range(WATCHED_S):
            draws = noise("calibration", second * 1_000)[part]
            cost = cost_bps(
                _levels(symbol, build_ladder(symbol, mid, 1.0, sign, draws)), mid, sign, LARGE_USD
            )
            assert cost is not None  # noqa: S101 - the model's book holds that much
            costs += [cost] * PER_SECOND
        ages.append(half_life_s(costs))
    return mean(ages)


def _levels(symbol: Symbol, ladder: Ladder) -> Iterator[tuple[float, float]]:
    before = 0
    for ticks, lots in zip(ladder.ticks, ladder.cumulative, strict=True):
        yield ticks * symbol.tick_size, (lots - before) * symbol.step_size
        before = lots


def standard_error(values: Sequence[float]) -> float:
    """Return the standard error of the mean of a series that remembers up to `MEMORY_S`.

    By Newey and West (1987): what a bootstrap of blocks of that length gives (Künsch, 1989), without draws.
    """
    count, centre, lags = len(values), mean(values), MEMORY_S * PER_SECOND
    variance = pvariance(values)
    for lag in range(1, min(lags, count)):
        pairs = zip(values, values[lag:], strict=False)
        variance += 2 * (1 - lag / lags) * sum((a - centre) * (b - centre) for a, b in pairs) / count
    return math.sqrt(max(variance, 0.0) / count)


def half_life_s(values: Sequence[float]) -> float:
    """Return after how many seconds half of a deviation from the mean is gone, by the autocorrelation."""
    centre, spread = mean(values), pvariance(values)
    before = 1.0
    for lag in range(1, len(values) // 2):
        pairs = zip(values, values[lag:], strict=False)
        now = sum((a - centre) * (b - centre) for a, b in pairs) / len(values) / spread
        if now <= 0.5:
            return (lag - 1 + (before - 0.5) / (before - now)) / PER_SECOND
        before = now
    return len(values) / 2 / PER_SECOND
