"""Endless artificial markets, each a pure function of (seed, scenario, symbol, start time, start price).

Model. The logarithm of price over its start is noise plus a script.

The script says what the scenario is about: straight legs between (hour, log level) points, repeated in
cycles of whole days that end at level 0 again, so that prices stay sane over years. The hour of its onset
and its levels vary from cycle to cycle. All symbols of one seed share it, but for a lag and half of the
variation of each level, which are the symbol's own.

The noise is a geometric Brownian motion with a weak pull home. From day to day it is a first-order
autoregression X' = PULL X + s g, with s the script's daily volatility and g standard normal. Within a day it
is a Brownian bridge between the two, minute by minute, with the volatility the script has for that hour.
Each g is sqrt(SHARED) of a draw for the whole market and sqrt(1 - SHARED) of one for the symbol alone, so
noise returns of two symbols correlate by SHARED = 0.8; with a script in motion they correlate more.

Draws come from generators keyed by (seed, scenario, symbol or market, day), so any day can be built on its
own; only the closing levels of the days before it are summed, at some 20 us a day.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING

from bot.exchange.prices.path import Cell, KnotPath, steps_between

if TYPE_CHECKING:
    from decimal import Decimal

DAY_MS = 86_400_000
MINUTE_MS = 60_000
MINUTES = 1440
HOURS = 24
YEAR_DAYS = 365.25

PULL = 0.985  # per day: noise forgets half of its level in 46 days
SHARED = 0.8
MARKET_WEIGHT = math.sqrt(SHARED)
OWN_WEIGHT = math.sqrt(1 - SHARED)


@dataclass(frozen=True, slots=True)
class Script:
    """What happens in one cycle of a scenario.

    `points`: (hour in the cycle, log of price over its level at the start of the cycle), first and last at
    level 0. `turbulence`: (from hour on, annual volatility of the noise within the day). `volatility`:
    annual, of the noise from day to day. `onset_h`: points between the first and the last come up to this
    many hours later, and with one symbol up to `lag_h` more. `variation`: their levels are multiplied by
    1 -/+ up to this much.
    """

    cycle_days: int
    points: tuple[tuple[float, float], ...]
    turbulence: tuple[tuple[float, float], ...]
    volatility: float
    onset_h: float = 0.0
    lag_h: float = 0.0
    variation: float = 0.0


SCRIPTS = {
    # Sideways, as in a quiet summer.
    "calm": Script(1, ((0, 0), (24, 0)), ((0, 0.45),), 0.45),
    # Of the kind of March 2020: hours of calm, half the price lost within a day with rebounds of up to a
    # fifth, then a recovery of half the loss within days and of the rest until the next crash.
    "crash": Script(
        21,
        (
            *((0, 0), (8, 0), (9.5, -0.06), (12, -0.10), (12.5, -0.07), (14, -0.24), (15, -0.11)),
            *((18, -0.35), (18.7, -0.21), (21, -0.32), (22.5, -0.52), (23.5, -0.36), (26, -0.48)),
            *((28, -0.70), (28.7, -0.53), (30, -0.67), (32, -0.66), (36, -0.52), (44, -0.58)),
            *((56, -0.40), (72, -0.46), (96, -0.33), (200, -0.25), (504, 0)),
        ),
        ((0, 0.5), (8, 2.0), (40, 1.2), (100, 0.6)),
        0.5,
        onset_h=4,
        lag_h=0.3,
        variation=0.06,
    ),
    # A short squeeze: up four fifths within a day and a half with sharp pullbacks, then a slow return.
    "squeeze": Script(
        21,
        (
            *((0, 0), (6, 0), (8, 0.07), (9, 0.04), (12, 0.18), (13, 0.11), (17, 0.27), (18, 0.20)),
            *((22, 0.40), (23.5, 0.28), (28, 0.52), (29, 0.42), (34, 0.60), (37, 0.46), (44, 0.52)),
            *((60, 0.36), (80, 0.42), (120, 0.28), (220, 0.18), (504, 0)),
        ),
        ((0, 0.5), (6, 1.5), (60, 1.0), (120, 0.6)),
        0.5,
        onset_h=4,
        lag_h=0.3,
        variation=0.06,
    ),
    # Two swings up and two down a day, each doubling or halving the price: a 2x fund must lose a quarter or
    # gain a half before it leaves 1.5 to 3, so nothing smaller moves an UP fund several times a day.
    "whipsaw": Script(
        1,
        ((0, 0), (3, 0.40), (9, -0.40), (15, 0.40), (21, -0.40), (24, 0)),
        ((0, 1.0),),
        0.5,
        lag_h=1.5,
        variation=0.12,
    ),
}


class ScenarioPath(KnotPath):
    """The endless price path of one symbol in a scenario, with a knot each minute or for each 0.1 %."""

    def __init__(
        self, scenario: str, *, symbol: str, seed: int | str, start_ms: int, start_price: Decimal
    ) -> None:
        place = f"symbol {symbol} seed {seed} from {start_ms} at {start_price.normalize()}"
        super().__init__(start_ms, None, f"{scenario} {place}")
        self._script = SCRIPTS[scenario]
        self._start_price = float(start_price)
        self._market_key = f"{seed}|{scenario}|market|"
        self._own_key = f"{seed}|{scenario}|symbol {symbol}|"
        # Noise level at the start of each day reached so far: one float per day of market time.
        self._levels = [0.0]

    def _generators(self, stream: str) -> tuple[Random, Random]:
        """Return the generators of the whole market and of this symbol for one stream of draws."""
        return _generator(f"{self._market_key}{stream}"), _generator(f"{self._own_key}{stream}")

    def _level_before(self, day: int) -> float:
        """Return the noise level at the start of `day`."""
        daily = self._script.volatility / math.sqrt(YEAR_DAYS)
        while len(self._levels) <= day:
            market, own = self._generators(f"day {len(self._levels) - 1}")
            shock = MARKET_WEIGHT * market.gauss(0.0, 1.0) + OWN_WEIGHT * own.gauss(0.0, 1.0)
            self._levels.append(PULL * self._levels[-1] + daily * shock)
        return self._levels[day]

    def _cell_at(self, time_ms: int) -> Cell:
        """Build the knots of one day."""
        day = (time_ms - self.start_ms) // DAY_MS
        start_price = self._start_price
        levels = map(sum, zip(self._noise(day), self._script_levels(day), strict=True))
        minute_prices = [start_price * math.exp(level) for level in levels]
        minute_ms = self.start_ms + day * DAY_MS
        previous = minute_prices[0]
        times_ms, prices = [minute_ms], [previous]
        for price in minute_prices[1:]:
            steps = steps_between(previous, price)
            if steps > 1:
                move = price - previous
                times_ms += [minute_ms + MINUTE_MS * step // steps for step in range(1, steps)]
                prices += [previous + move * step / steps for step in range(1, steps)]
            minute_ms += MINUTE_MS
            times_ms.append(minute_ms)
            prices.append(price)
            previous = price
        return Cell(times_ms, prices)

    def _noise(self, day: int) -> list[float]:
        """Return the noise level at each minute of a day, both ends included."""
        before, after = self._level_before(day), self._level_before(day + 1)
        market, own = self._generators(f"day {day}")
        market.gauss(0.0, 1.0), own.gauss(0.0, 1.0)  # the shock of the day, already in `after`
        free, variances = [0.0], [0.0]
        level = variance = 0.0
        for volatility in self._hourly_volatility(day):
            scale = volatility / math.sqrt(YEAR_DAYS * MINUTES)
            for _ in range(MINUTES // HOURS):
                level += scale * (MARKET_WEIGHT * market.gauss(0.0, 1.0) + OWN_WEIGHT * own.gauss(0.0, 1.0))
                variance += scale * scale
                free.append(level)
                variances.append(variance)
        slope = (after - before - level) / variance
        bridge = [before + a + b * slope for a, b in zip(free, variances, strict=True)]
        bridge[-1] = after  # to the bit, so that the next day starts where this one ends
        return bridge

    def _cycle(self, day: int) -> tuple[float, float, Random, Random]:
        """Return the hour of the cycle at which a day starts, the onset, and the generators of variations."""
        cycle, day_of_cycle = divmod(day, self._script.cycle_days)
        market, own = self._generators(f"script {cycle}")
        return float(day_of_cycle * HOURS), market.uniform(0.0, self._script.onset_h), market, own

    def _hourly_volatility(self, day: int) -> list[float]:
        turbulence = self._script.turbulence
        first_hour, onset_h, _, _ = self._cycle(day)
        starts = [hour for hour, _ in turbulence]
        places = (max(bisect_right(starts, first_hour + hour - onset_h) - 1, 0) for hour in range(HOURS))
        return [turbulence[place][1] for place in places]

    def _script_levels(self, day: int) -> list[float]:
        """Return the level of the script at each minute of a day, both ends included."""
        script = self._script
        first_hour, onset_h, market, own = self._cycle(day)
        onset_h += own.uniform(0.0, script.lag_h)
        hours, levels = [0.0], [0.0]
        for hour, level in script.points[1:-1]:
            varied = (market.uniform(-1.0, 1.0) + own.uniform(-1.0, 1.0)) / 2
            hours.append(hour + onset_h)
            levels.append(level * (1 + script.variation * varied))
        hours.append(script.points[-1][0])
        levels.append(0.0)
        place, minutes = 0, []
        for minute in range(MINUTES + 1):
            hour = first_hour + minute / 60
            while place < len(hours) - 2 and hours[place + 1] <= hour:
                place += 1
            share = (hour - hours[place]) / (hours[place + 1] - hours[place])
            minutes.append(levels[place] * (1 - share) + levels[place + 1] * share)
        return minutes


def _generator(key: str) -> Random:
    return Random(int.from_bytes(blake2b(key.encode(), digest_size=16).digest()))  # noqa: S311 - no secrets here
