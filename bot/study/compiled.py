"""The kernel for fixed bands, compiled by numba: the loop of bot/study/loops.py with helpers bar by bar."""

from typing import Any

from numba import njit

from bot.study import loops
from bot.study.index import BLOCK
from bot.study.tables import Floats


def _compiled(function: Any) -> Any:
    """Compile, and keep the machine code where that can be written."""
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # there is no folder to write it to
        return njit(nogil=True)(function)


def _seek(close: Floats, lows: Floats, highs: Floats, start: int, stop: int, low: float, high: float) -> int:
    """The first bar in [start, stop) whose close is outside [low, high]; `stop` if there is none."""
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


def _fill(nav: Floats, close: Floats, start: int, stop: int, cash: float, position: float) -> None:
    """NAV of the bars in [start, stop), which have the same books."""
    for i in range(start, stop):
        nav[i] = cash + position * close[i]


seek, size, fill = _compiled(_seek), _compiled(loops.size), _compiled(_fill)
run, run_many = _compiled(loops.run), _compiled(loops.run_many)
