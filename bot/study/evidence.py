"""How sure a difference between two strategies is: many target seeds, rolling start dates, resampled paths.

All comparisons are paired: both strategies see the same prices and the same funding.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bot.core.units import DAY_MS
from bot.study.contenders import STRATEGIC, Terms, run_all
from bot.study.funding import Funding
from bot.study.prices import Prices
from bot.study.runs import Series, series
from bot.study.simulate import START_PRICE, Blocks, paths
from bot.study.spec import Side

Row = Mapping[str, Mapping[str, float | None]]
"""The figures of every contender on one path, by key."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Paired differences (strategic minus the other): mean, the middle 95 %, and the share in favour.

    `undefined` paths, on which one of the two died or has no such figure, are left out of all of these.
    """

    runs: int
    undefined: int
    mean: float
    low: float
    high: float
    in_favour: float

    @property
    def verdict(self) -> str:
        """`for` where the middle 95 % lie on the claim's side, `against` on the other, else `undecided`."""
        if self.low > 0 or self.high < 0:
            return "for" if self.in_favour > 0.5 else "against"
        return "undecided"


def spread(rows: Sequence[Row], other: str, figure: str, *, more_is_better: bool) -> Spread | None:
    """Differences of a figure over many paths; None where it is nowhere defined for both."""
    differences = [
        own - theirs
        for row in rows
        if (own := row[STRATEGIC][figure]) is not None and (theirs := row[other][figure]) is not None
    ]
    if not differences:
        return None
    found = np.array(differences)
    low, high = np.percentile(found, [2.5, 97.5])
    favour = found > 0 if more_is_better else found < 0
    return Spread(
        len(found), len(rows) - len(found), float(found.mean()), float(low), float(high), float(favour.mean())
    )


def rolling(data: Series, terms: Terms, side: Side, starts: int, tell: Callable[[], None]) -> Sequence[Row]:
    """Every contender from `starts` dates at equal distances, each time for half of the data."""
    length = len(data) // 2
    begins = np.unique(np.linspace(0, len(data) - length, starts).astype(int))
    found = []
    for number, begin in enumerate(begins):
        found.append(run_all(data.part(int(begin), int(begin) + length), terms, side, number))
        tell()
    return found


def resampled(data: Series, blocks: Blocks, count: int, seed: int) -> Iterator[Series]:
    """Paths made of blocks of the data, returns and funding together, each as long as the data."""
    times = data.prices.times_ms[0] + np.arange(len(data), dtype=np.int64) * data.prices.bar_ms
    for path in paths(blocks, len(data), data.prices.bar_ms, range(count), seed):
        paid = np.flatnonzero(path.rates)
        funding = Funding(times[paid], path.rates[paid].copy())
        yield series(
            Prices(times, path.closes * (data.prices.close[0] / START_PRICE), data.prices.bar_ms), funding
        )


def blocks_of(data: Series, block_days: float, *, flat: bool) -> Blocks:
    """The data as blocks of `block_days` on average. `flat` takes the average return out of the prices.

    It is taken out so that the expected price does not change: what remains of growth is not owed to a rising
    market.
    """
    closes = data.prices.close
    returns = np.diff(np.log(closes))
    if flat:
        returns -= np.log(np.mean(np.exp(returns)))
    rates = np.zeros(len(closes))
    np.add.at(rates, data.funding_bars, data.funding_rates)
    return Blocks(returns, rates[1:], max(1.0, block_days * DAY_MS / data.prices.bar_ms))


def bootstrap(
    data: Series, blocks: Blocks, terms: Terms, side: Side, count: int, seed: int, tell: Callable[[], None]
) -> Sequence[Row]:
    """Every contender on each resampled path; the n-th path also has the n-th seed of secret targets."""
    found = []
    for number, path in enumerate(resampled(data, blocks, count, seed)):
        found.append(run_all(path, terms, side, number))
        tell()
    return found
