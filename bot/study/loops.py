"""The loop of the kernel for fixed bands, and its helpers by numpy; bot/study/compiled.py compiles it.

Arguments are arrays and numbers, for numba's sake, and the helpers are arguments so that one source serves
both.
"""

from collections.abc import Callable
from math import floor
from typing import TypeAlias

import numpy as np

from bot.study.prices import Times
from bot.study.tables import Floats

INWARD = 1e-12
"""The interval of prices is drawn in by this much; a bar in between is judged by its leverage."""

Seek: TypeAlias = Callable[[Floats, Floats, Floats, int, int, float, float], int]
Size: TypeAlias = Callable[[float, float, float, float, float, float, float], float]
Fill: TypeAlias = Callable[[Floats, Floats, int, int, float, float], None]
Run: TypeAlias = Callable[..., tuple[float, int, int]]


def run(
    seek: Seek,
    size: Size,
    fill: Fill,
    close: Floats,
    block_lows: Floats,
    block_highs: Floats,
    stops: Times,
    rates: Floats,
    lows: Floats,
    highs: Floats,
    sign: float,
    fee: float,
    lot: float,
    lower: float,
    upper: float,
    target: float,
    start_leverage: float,
    nav: Floats,
) -> tuple[float, int, int]:
    """Run one parameter set with capital 1: final NAV, rebalances, bar of death or -1.

    NAV after each bar goes to `nav`, unless that is empty.
    """
    position = sign * start_leverage / close[0]
    cash = 1.0 - position * close[0]
    at_upper, at_lower = sign * upper / (1.0 - sign * upper), sign * lower / (1.0 - sign * lower)
    bars = len(close)
    keep = len(nav) > 0
    count, written, bar = 0, 0, 0
    for k in range(len(stops)):
        stop = stops[k]
        while True:
            # With r = cash / position, leverage is L at the price s L r / (1 - s L).
            ratio = cash / position
            low, high = ratio * at_upper, ratio * at_lower
            if low > high:
                low, high = high, low
            low *= 1.0 + INWARD
            high *= 1.0 - INWARD
            if ratio < 0.0 and lows[k] >= low and highs[k] <= high:
                bar = stop
            elif ratio < 0.0:
                bar = seek(close, block_lows, block_highs, bar, stop, low, high)
            due = bar == stop
            if due and bar == bars:
                break
            price = close[bar]
            if keep:
                fill(nav, close, written, bar, cash, position)
            if due:
                cash -= position * price * rates[k]
            value = cash + position * price
            if value <= 0.0:
                if keep:
                    nav[bar:] = value
                return value, count, bar
            leverage = sign * position * price / value
            if leverage < lower or leverage > upper:
                quantity = size(position, price, value, sign, fee, lot, target)
                if quantity != 0.0:
                    cash -= quantity * price + abs(quantity) * price * fee
                    position += quantity
                    count += 1
            if keep:
                nav[bar] = cash + position * price
            bar += 1
            written = bar
            if due:
                break
    if keep:
        fill(nav, close, written, bars, cash, position)
    return cash + position * close[bars - 1], count, -1


def run_many(
    run_one: Run,
    seek: Seek,
    size: Size,
    fill: Fill,
    close: Floats,
    block_lows: Floats,
    block_highs: Floats,
    stops: Times,
    rates: Floats,
    lows: Floats,
    highs: Floats,
    sign: float,
    fee: float,
    lot: float,
    policies: Floats,
    navs: Floats,
    counts: Times,
    dead: Times,
) -> None:
    """Run every row (lower, upper, target, start leverage) of `policies`; answers go to the last three."""
    nothing = np.empty(0)
    for i in range(len(policies)):
        row = policies[i]
        navs[i], counts[i], dead[i] = run_one(
            seek,
            size,
            fill,
            close,
            block_lows,
            block_highs,
            stops,
            rates,
            lows,
            highs,
            sign,
            fee,
            lot,
            row[0],
            row[1],
            row[2],
            row[3],
            nothing,
        )


def size(
    position: float, price: float, value: float, sign: float, fee: float, lot: float, target: float
) -> float:
    """The signed quantity that leads to the target after its fee (as bot.core.ledger.target_position)."""
    exposure = sign * position * price
    if target * value >= exposure:
        wanted = target * (value + fee * exposure) / (1.0 + target * fee)
    else:
        wanted = target * (value - fee * exposure) / (1.0 - target * fee)
    quantity = sign * (wanted - exposure) / price
    if lot > 0.0:
        return floor(abs(quantity) / lot) * lot * (1.0 if quantity > 0.0 else -1.0)
    return quantity


def fill(nav: Floats, close: Floats, start: int, stop: int, cash: float, position: float) -> None:
    """NAV of the bars in [start, stop), which have the same books."""
    nav[start:stop] = cash + position * close[start:stop]
