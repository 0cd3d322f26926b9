"""Price paths for Monte Carlo: geometric Brownian motion, GARCH, jumps, and blocks of real returns.

A model fills buffers that the caller owns, one path at a time, so that memory does not grow with the number
of paths. Path number k of a seed is the same whoever generates it, in whatever order, on however many
machines. All randomness of the study comes from here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

Rng: TypeAlias = np.random.Generator

YEAR_MS = 365 * 86_400_000
START_PRICE = 100.0


def generator(seed: int, *stream: int) -> np.random.Generator:
    """A random generator of its own for each (seed, stream), independent of all others."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, *stream])))


class Model(Protocol):
    """How prices move. `volatility` and `drift` are per year, `drift` that of the expected price."""

    has_funding: ClassVar[bool]

    def fill(self, rng: np.random.Generator, closes: "Floats", rates: "Floats", bar_years: float) -> None:
        """Write one path.

        `closes` [bars] from START_PRICE on, and the funding rate of each bar to `rates`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Gbm:
    """Geometric Brownian motion: d ln S = (drift - volatility²/2) dt + volatility dW."""

    has_funding: ClassVar[bool] = False
    volatility: float = 0.8
    drift: float = 0.0

    def __post_init__(self) -> None:
        _positive("volatility", self.volatility)

    def fill(self, rng: np.random.Generator, closes: "Floats", rates: "Floats", bar_years: float) -> None:  # noqa: ARG002 - without funding
        """One path, without funding."""
        rng.standard_normal(out=closes)
        closes *= self.volatility * bar_years**0.5
        closes += (self.drift - self.volatility**2 / 2) * bar_years
        _accumulate(closes)


@dataclass(frozen=True, slots=True)
class Garch:
    """GARCH(1, 1) (Bollerslev 1986): variance = w + alpha x last shock squared + beta x last variance.

    `volatility` is the unconditional one, where each path starts; alpha + beta < 1.
    """

    has_funding: ClassVar[bool] = False
    volatility: float = 0.8
    drift: float = 0.0
    alpha: float = 0.05
    beta: float = 0.93

    def __post_init__(self) -> None:
        _positive("volatility", self.volatility)
        for name in ("alpha", "beta"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name):g}")
        if self.alpha + self.beta >= 1:
            raise ValueError(f"alpha + beta must lie below 1, got {self.alpha + self.beta:g}")

    def fill(self, rng: np.random.Generator, closes: "Floats", rates: "Floats", bar_years: float) -> None:  # noqa: ARG002 - without funding
        """One path, without funding."""
        from bot.study.recursions import garch_returns  # noqa: PLC0415 - numba, which other models do without

        rng.standard_normal(out=closes)
        variance = self.volatility**2 * bar_years
        garch_returns(closes, variance, self.alpha, self.beta, self.drift * bar_years)
        _accumulate(closes)


@dataclass(frozen=True, slots=True)
class Jumps:
    """Geometric Brownian motion with jumps (Merton 1976).

    `jumps_per_year` come at random; the logarithm of each is normal with mean `jump_mean` and deviation
    `jump_deviation`. `volatility` is that between jumps; `drift` includes them.
    """

    has_funding: ClassVar[bool] = False
    volatility: float = 0.6
    drift: float = 0.0
    jumps_per_year: float = 12.0
    jump_mean: float = -0.02
    jump_deviation: float = 0.08

    def __post_init__(self) -> None:
        _positive("volatility", self.volatility)
        for name in ("jumps_per_year", "jump_deviation"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name):g}")

    def fill(self, rng: np.random.Generator, closes: "Floats", rates: "Floats", bar_years: float) -> None:  # noqa: ARG002 - without funding
        """One path, without funding."""
        rng.standard_normal(out=closes)
        closes *= self.volatility * bar_years**0.5
        expected = np.exp(self.jump_mean + self.jump_deviation**2 / 2) - 1
        drift = self.drift - self.volatility**2 / 2 - self.jumps_per_year * float(expected)
        closes += drift * bar_years
        count = int(rng.poisson(self.jumps_per_year * bar_years * (len(closes) - 1)))
        where = rng.integers(1, len(closes), count)
        np.add.at(closes, where, rng.normal(self.jump_mean, self.jump_deviation, count))
        _accumulate(closes)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Stationary block bootstrap (Politis and Romano 1994) of real bars: returns and funding stay together.

    `log_returns` and `rates` [bars] are those of the source; a block has `mean_bars` on average, its length
    is geometric, and the source is taken as a circle.
    """

    has_funding: ClassVar[bool] = True
    log_returns: "Floats"
    rates: "Floats"
    mean_bars: float

    def __post_init__(self) -> None:
        if not self.mean_bars >= 1:
            raise ValueError(f"mean_bars must be at least 1, got {self.mean_bars:g}")

    def fill(self, rng: np.random.Generator, closes: "Floats", rates: "Floats", bar_years: float) -> None:  # noqa: ARG002 - real bars have their length
        """One path, with the funding of the bars that it is made of."""
        rows = self.rows(rng, len(closes))
        np.take(self.log_returns, rows, out=closes, mode="clip")
        np.take(self.rates, rows, out=rates, mode="clip")
        _accumulate(closes)
        rates[0] = 0.0

    def rows(self, rng: np.random.Generator, bars: int) -> "NDArray[np.int64]":
        """Which bars of the source a path is made of."""
        source = len(self.log_returns)
        wanted = int(bars / self.mean_bars * 1.2) + 16
        lengths = rng.geometric(1 / self.mean_bars, wanted)
        while lengths.sum() < bars:
            lengths = np.concatenate([lengths, rng.geometric(1 / self.mean_bars, wanted)])
        ends = np.cumsum(lengths)
        count = int(np.searchsorted(ends, bars)) + 1
        starts = rng.integers(0, source, count)
        begins = ends[:count] - lengths[:count]
        rows: NDArray[np.int64] = np.repeat(starts - begins, lengths[:count])[:bars] + np.arange(bars)
        rows %= source
        return rows


class Path(NamedTuple):
    """One path; the arrays are overwritten by the next. `rates` is empty for a model without funding."""

    number: int
    closes: "Floats"
    rates: "Floats"


def paths(model: Model, bars: int, bar_ms: int, numbers: range, seed: int = 0) -> Iterator[Path]:
    """Generate the paths of these numbers, one after another, in the same two arrays of `bars` values.

    The first close is START_PRICE. Raises ValueError for fewer than two bars.
    """
    if bars < 2:
        raise ValueError(f"bars must be at least 2, got {bars}")
    closes, rates = np.empty(bars), np.zeros(bars if model.has_funding else 0)
    for number in numbers:
        model.fill(generator(seed, number), closes, rates, bar_ms / YEAR_MS)
        yield Path(number, closes, rates)


def _accumulate(steps: "Floats") -> None:
    """Turn logarithmic steps into prices, in place; the first step is left out."""
    steps[0] = 0.0
    np.cumsum(steps, out=steps)
    np.exp(steps, out=steps)
    steps *= START_PRICE


def _positive(name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"{name} must be above 0, got {value:g}")
