"""The one source of chance in a simulation. Each stream follows from the seed and from what it is for."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

_T = TypeVar("_T")


class Chance:
    """A stream of random numbers, the same in every process."""

    def __init__(self, seed: int, purpose: str) -> None:
        """Start the stream of `seed` for `purpose`."""
        self._random = Random(f"inband-simulation|{seed}|{purpose}")  # noqa: S311 - it must repeat
        self.unit = self._random.random

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens; what cannot happen draws nothing."""
        return probability > 0.0 and self.unit() < probability

    def between(self, low: float, high: float) -> float:
        """Uniform on [low, high)."""
        return low + (high - low) * self.unit()

    def whole(self, low: int, high: int) -> int:
        """A whole number in [low, high]."""
        return self._random.randint(low, high)

    def waits(self, per_hour: float) -> float:
        """Seconds until the next of something that happens so often, at random."""
        return self._random.expovariate(per_hour / 3600)

    def bell(self) -> float:
        """Normal, with mean 0 and deviation 1."""
        return self._random.gauss(0.0, 1.0)

    def pick(self, choices: Sequence[_T]) -> _T:
        """One of them."""
        return choices[int(self.unit() * len(choices))]
