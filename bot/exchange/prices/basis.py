"""The basis: how far the mark lies from the index, as a function of time and seed alone.

A constant plus a slow part that always comes back to it: independent normal draws every four hours, joined
smoothly. The index is the mark / (1 + basis).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from statistics import NormalDist
from typing import Protocol

KNOT_MS = 14_400_000
_NORMAL = NormalDist()


class BasisSource(Protocol):
    """How far the mark lies from the index over market time."""

    def at(self, time_ms: int) -> float:
        """Return the basis at `time_ms` as a fraction of the index."""


@dataclass(frozen=True, slots=True)
class Basis:
    """`constant_bps` of the index, and a seeded part with a standard deviation of about `swing_bps`."""

    constant_bps: float = 0.0
    swing_bps: float = 0.0
    key: str = ""

    def at(self, time_ms: int) -> float:
        """Return the basis at `time_ms` as a fraction of the index."""
        if not self.swing_bps:
            return self.constant_bps * 1e-4
        knot, passed = divmod(time_ms, KNOT_MS)
        share = passed / KNOT_MS
        share = share * share * (3 - 2 * share)
        slow = (1 - share) * _draw(self.key, knot) + share * _draw(self.key, knot + 1)
        return (self.constant_bps + self.swing_bps * slow) * 1e-4


@lru_cache(maxsize=1_024)
def _draw(key: str, knot: int) -> float:
    """Return a standard normal draw, within three standard deviations."""
    digest = blake2b(f"{key}|basis {knot}".encode(), digest_size=8).digest()
    share = (int.from_bytes(digest) + 0.5) / 2**64
    return min(max(_NORMAL.inv_cdf(share), -3.0), 3.0)
