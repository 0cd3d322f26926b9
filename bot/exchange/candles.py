"""Candles, day statistics and turnover of one symbol, from its price path.

Open, high, low and close are exact: from recorded bars where a candle holds whole ones, else from the knots
of the path. Volumes are recorded ones where the file has any; otherwise the volume of each quarter of an hour
is that of the background's market orders at the volatility that the range of the quarter before tells, spread
evenly: so it is known while it passes, and the volumes of short candles add up to those of long ones.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from bot.exchange.flow import mean_size_usd, turnover_usd_per_s
from bot.exchange.prices.intervals import DAY_MS, following, opening
from bot.exchange.volatility import CALMEST, NORMAL_BPS, WILDEST

if TYPE_CHECKING:
    from bot.exchange.prices import PricePath
    from bot.exchange.prices.basis import BasisSource

KEPT = 4_000
RANGE_OF_BROWNIAN = 1.596  # mean range of a Brownian motion over a unit of time: sqrt(8 / pi)
DAY_PART = "15m"  # day statistics move on by candles of this length
QUARTER_MS = 900_000  # over which volume is spread evenly


class Candle(NamedTuple):
    """One candle as floats: prices in USDT (premium: fractions), volumes in base coin, turnover in USDT."""

    open_ms: int
    close_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    turnover: float
    trades: int
    buy_volume: float
    buy_turnover: float


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time to be asked about; `limit` candles at most, the first ones if `start_ms` is given."""

    start_ms: int | None
    end_ms: int | None
    limit: int


class Candles:
    """The candles of one price path. `scale` is the size of the market beside the largest one."""

    def __init__(self, path: PricePath, basis: BasisSource, scale: float) -> None:
        self._path = copy(path)  # its own place in the path
        self._basis = basis
        self._scale = scale
        self._known: dict[tuple[str, str, int], Candle] = {}
        self._rates: dict[int, float] = {}

    def list(self, kind: str, interval: str, span: Span, now_ms: int) -> list[Candle]:
        """Return the candles of `kind` (last, mark, index or premium) that opened within the span.

        The one that holds `now_ms` is partial. Nothing is older than the path.
        """
        first_ms = opening(interval, self._path.start_ms)
        end_ms = now_ms if span.end_ms is None else min(span.end_ms, now_ms)
        if end_ms < first_ms:
            return []
        if span.start_ms is None:
            open_ms = following(interval, opening(interval, end_ms), 1 - span.limit)
        else:
            open_ms = opening(interval, max(span.start_ms, first_ms))
            if open_ms < span.start_ms:
                open_ms = following(interval, open_ms)
        open_ms = max(open_ms, first_ms)
        found: list[Candle] = []
        while open_ms <= end_ms and len(found) < span.limit:
            found.append(self.candle(kind, interval, open_ms, now_ms))
            open_ms = following(interval, open_ms)
        return found

    def candle(self, kind: str, interval: str, open_ms: int, now_ms: int) -> Candle:
        """Return the candle that opened at `open_ms`, partial if it holds `now_ms`."""
        key = (kind, interval, open_ms)
        candle = self._known.get(key)
        if candle is None:
            until_ms = following(interval, open_ms)
            plain = self._plain(open_ms, until_ms, min(now_ms, until_ms))
            candle = plain if kind in {"last", "mark"} else self._derived(kind, plain, min(now_ms, until_ms))
            if until_ms <= now_ms:
                if len(self._known) >= KEPT:
                    self._known.clear()
                self._known[key] = candle
        return candle

    def _plain(self, open_ms: int, until_ms: int, seen_ms: int) -> Candle:
        path = self._path
        start_ms = max(open_ms, path.start_ms)
        first, last = float(path.price_at(start_ms)), float(path.price_at(seen_ms))
        low, high = extremes(path, start_ms, seen_ms)
        low, high = min(low, first, last), max(high, first, last)
        middle = (first + last + high + low) / 4
        recorded = getattr(path, "volume_between", lambda _start, _end: None)(start_ms, seen_ms)
        volume = self._usual_volume(start_ms, seen_ms) if recorded is None else recorded
        turnover = volume * middle
        share = 0.5 + 0.2 * (last - first) / (high - low) if high > low else 0.5
        return Candle(
            open_ms,
            until_ms - 1,
            first,
            high,
            low,
            last,
            volume,
            turnover,
            math.ceil(turnover / mean_size_usd(self._scale)),
            volume * share,
            turnover * share,
        )

    def _usual_volume(self, start_ms: int, end_ms: int) -> float:
        """Return the volume from `start_ms` to `end_ms`, in base coin."""
        volume = 0.0
        for quarter_ms in range(start_ms // QUARTER_MS * QUARTER_MS, end_ms, QUARTER_MS):
            passed_ms = min(end_ms, quarter_ms + QUARTER_MS) - max(start_ms, quarter_ms)
            volume += self._volume_per_s(quarter_ms) * passed_ms / 1_000
        return volume

    def _volume_per_s(self, quarter_ms: int) -> float:
        rate = self._rates.get(quarter_ms)
        if rate is None:
            before_ms = quarter_ms - QUARTER_MS
            turmoil = 1.0
            if before_ms >= self._path.start_ms:
                low, high = extremes(self._path, before_ms, quarter_ms)
                normal = RANGE_OF_BROWNIAN * NORMAL_BPS * 1e-4 * math.sqrt(QUARTER_MS / 1_000)
                turmoil = min(max(math.log(high / low) / normal, CALMEST), WILDEST)
            rate = turnover_usd_per_s(turmoil, self._scale) / float(self._path.price_at(quarter_ms))
            if len(self._rates) >= KEPT:
                self._rates.clear()
            self._rates[quarter_ms] = rate
        return rate

    def _derived(self, kind: str, plain: Candle, seen_ms: int) -> Candle:
        """Return the candle of the index or the premium, whose basis moves slowly, from that of the mark."""
        times = [plain.open_ms + (seen_ms - plain.open_ms) * part // 8 for part in range(9)]
        bases = [self._basis.at(time_ms) for time_ms in times]
        if kind == "premium":
            prices = (bases[0], max(bases), min(bases), bases[-1])
        else:
            first, last = plain.open / (1 + bases[0]), plain.close / (1 + bases[-1])
            middle = 1 + sum(bases) / len(bases)
            prices = (
                first,
                max(plain.high / middle, first, last),
                min(plain.low / middle, first, last),
                last,
            )
        empty = Candle(plain.open_ms, plain.close_ms, *prices, 0.0, 0.0, 0, 0.0, 0.0)
        return empty._replace(trades=math.ceil((seen_ms - plain.open_ms) / 1_000))

    def day(self, now_ms: int) -> Candle:
        """Return the last 24 hours as one candle; its opening moves on every 15 minutes."""
        open_ms = max(opening(DAY_PART, now_ms) - DAY_MS, opening(DAY_PART, self._path.start_ms))
        parts, time_ms = [], open_ms
        while time_ms <= now_ms:
            parts.append(self.candle("last", DAY_PART, time_ms, now_ms))
            time_ms = following(DAY_PART, time_ms)
        return Candle(
            open_ms,
            now_ms,
            parts[0].open,
            max(part.high for part in parts),
            min(part.low for part in parts),
            parts[-1].close,
            sum(part.volume for part in parts),
            sum(part.turnover for part in parts),
            sum(part.trades for part in parts),
            sum(part.buy_volume for part in parts),
            sum(part.buy_turnover for part in parts),
        )


def extremes(path: PricePath, start_ms: int, end_ms: int) -> tuple[float, float]:
    """Return the lowest and the highest price from `start_ms` to `end_ms`, both included."""
    of_path = getattr(path, "extremes", None)
    if of_path is not None:
        low, high = of_path(start_ms, end_ms)
        return low, high
    prices, time_ms = [float(path.price_at(start_ms)), float(path.price_at(end_ms))], start_ms
    while True:
        knot = path.next_knot_after(time_ms)
        if knot is None or knot >= end_ms:
            return min(prices), max(prices)
        prices.append(float(path.price_at(knot)))
        time_ms = knot
