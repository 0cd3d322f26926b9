"""The loop of the kernel for fixed bands, compiled by numba where that is installed.

Arguments are arrays and numbers, for numba's sake. Importing this module costs what numba costs: half a
second, and some seconds the first time, for the machine code is kept.
"""

from typing import Any

import numpy as np

from bot.study.index import BLOCK, next_outside
from bot.study.prices import Times
from bot.study.tables import Floats

try:
    from numba import njit
except ImportError:
    njit = None

INWARD = 1e-12
"""The interval of prices is drawn in by this much; a bar in between is judged by its leverage."""


def _compiled(function: Any) -> Any:
    """Compile, and keep the machine code where that can be written."""
    if njit is None:
        return function
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # there is no folder to write it to
        return njit(nogil=True)(function)


def _seek_bars(
    close: Floats, lows: Floats, highs: Floats, start: int, stop: int, low: float, high: float
) -> int:
    """What `next_outside` does, bar by bar."""
    i = start
    edge = min(stop, (start + BLOCK - 1) // BLOCK * BLOCK)
    last = (stop - 1) // BLOCK
    while i < stop:
        while i < edge:
            if close[i] < low or close[i] > high:
                return i
            i += 1
        if i >= stop:
            break
        block = i // BLOCK
        while block <= last and lows[block] >= low and highs[block] <= high:
            block += 1
        i = block * BLOCK
        edge = min(stop, i + BLOCK)
    return stop


def _fill_bars(nav: Floats, close: Floats, start: int, stop: int, cash: float, position: float) -> None:
    """NAV of the bars in [start, stop), which have the same books."""
    for i in range(start, stop):
        nav[i] = cash + position * close[i]


def _fill_slice(nav: Floats, close: Floats, start: int, stop: int, cash: float, position: float) -> None:
    """As `_fill_bars`."""
    nav[start:stop] = cash + position * close[start:stop]


def _size(
    position: float, price: float, value: float, sign: float, fee: float, lot: float, target: float
) -> float:
    """The signed quantity that leads to the target after its fee (as bot.core.ledger.target_position)."""
    exposure = sign * position * price
    if target * value >= exposure:
        wanted = target * (value + fee * exposure) / (1.0 + target * fee)
    elif fee * exposure >= value:
        wanted = 0.0
    else:
        wanted = target * (value - fee * exposure) / (1.0 - target * fee)
    quantity = -position if wanted == 0.0 else sign * (wanted - exposure) / price
    if lot > 0.0:
        quantity = np.floor(abs(quantity) / lot) * lot * (1.0 if quantity > 0.0 else -1.0)
    return quantity


_seek = next_outside if njit is None else _compiled(_seek_bars)
_fill = _fill_slice if njit is None else _compiled(_fill_bars)
_size = _compiled(_size)


@_compiled
def run(
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
            ratio = cash / position if position != 0.0 else 0.0
            low, high = ratio * at_upper, ratio * at_lower
            if low > high:
                low, high = high, low
            low, high = low * (1.0 + INWARD), high * (1.0 - INWARD)
            if ratio < 0.0 and lows[k] >= low and highs[k] <= high:
                bar = stop
            elif ratio < 0.0:
                bar = _seek(close, block_lows, block_highs, bar, stop, low, high)
            due = bar == stop
            if due and bar == bars:
                break
            price = close[bar]
            if keep:
                _fill(nav, close, written, bar, cash, position)
            if due:
                cash -= position * price * rates[k]
            value = cash + position * price
            if value <= 0.0:
                if keep:
                    nav[bar:] = value
                return value, count, bar
            leverage = sign * position * price / value
            if leverage < lower or leverage > upper:
                quantity = _size(position, price, value, sign, fee, lot, target)
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
        _fill(nav, close, written, bars, cash, position)
    value = cash + position * close[-1]
    return value, count, -1 if value > 0.0 else bars - 1


@_compiled
def run_many(
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
        navs[i], counts[i], dead[i] = run(
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
