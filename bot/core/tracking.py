"""How a fund follows its underlying: sums over the hours and days since it opened.

Returns are simple ones of NAV; statistics are floats. *Drag* is what leverage costs by compounding alone: the
sum of (L - L^2) r^2 / 2 over the hours, L the signed leverage and r the hourly log return (Avellaneda and
Zhang 2010).
"""

from collections.abc import Iterable
from math import log
from typing import NamedTuple, TypeAlias

from bot.core.units import DAY_MS

_KEPT_DAYS = 400

Hour: TypeAlias = tuple[int, float, float, float]
"""Time, mark, NAV, and the signed leverage that holds from then on."""


class Day(NamedTuple):
    """One UTC day: returns of NAV and underlying, as fractions."""

    start_ms: int
    nav_return: float
    underlying_return: float


class Tracking(NamedTuple):
    """Sums over the hours, and over the days that are over, since the fund opened."""

    since_ms: int
    start_mark: float
    start_nav: float
    last_ms: int
    last_mark: float
    last_nav: float
    last_leverage: float
    day_ms: int
    day_mark: float
    day_nav: float
    hours: float = 0.0
    leverage_hours: float = 0.0
    drag: float = 0.0
    days: tuple[Day, ...] = ()

    def after(self, hours: Iterable[Hour]) -> "Tracking":
        """After more hours, one by one: sums are floats, and depend on their order."""
        began = self[:3]
        last_ms, last_mark, nav, held = self[3:7]
        day_ms, day_mark, day_nav, total, leverage_hours, drag, days = self[7:]
        for time_ms, mark, nav, leverage in hours:
            more = (time_ms - last_ms) / 3_600_000
            change = log(mark / last_mark)
            total += more
            leverage_hours += abs(held) * more
            drag += (held - held * held) * change * change / 2
            if not day_ms <= time_ms < day_ms + DAY_MS:
                days = (*days, Day(day_ms, nav / day_nav - 1, mark / day_mark - 1))[-_KEPT_DAYS:]
                day_ms, day_mark, day_nav = time_ms // DAY_MS * DAY_MS, mark, nav
            last_ms, last_mark, held = time_ms, mark, leverage
        now = (last_ms, last_mark, nav, held, day_ms, day_mark, day_nav)
        return Tracking._make((*began, *now, total, leverage_hours, drag, days))


class DailyFit(NamedTuple):
    """Daily returns of NAV (y) against those of side x underlying (x): y = beta x + difference."""

    days: int
    beta: float | None
    correlation: float | None
    mean_difference: float
    tracking_error: float | None


def daily_fit(tracking: Tracking, sign: int) -> DailyFit | None:
    """Least squares over the days on record; None before the first is over."""
    xs = [sign * day.underlying_return for day in tracking.days]
    ys = [day.nav_return for day in tracking.days]
    count = len(xs)
    if not count:
        return None
    differences = [y - x for x, y in zip(xs, ys, strict=True)]
    mean = sum(differences) / count
    if count < 3:
        return DailyFit(count, None, None, mean, None)
    mean_x, mean_y = sum(xs) / count, sum(ys) / count
    var_x = sum((x - mean_x) ** 2 for x in xs)
    var_y = sum((y - mean_y) ** 2 for y in ys)
    both = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    error = (sum((d - mean) ** 2 for d in differences) / (count - 1)) ** 0.5
    beta = both / var_x if var_x else None
    correlation = both / (var_x * var_y) ** 0.5 if var_x and var_y else None
    return DailyFit(count, beta, correlation, mean, error)
