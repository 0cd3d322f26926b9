"""Which fault fires when: pure, and the same for the same history. What a fault then does is not known here.

A fault has a kind, a scene it acts in, what it matches, and when. Faults of requests and of frames are asked
about each occasion (a request, a frame for one connection); faults of the world happen at a market time.

Chance is drawn from a hash of seed, kind, account and the number of the occasion, each account counting for
itself: so the order in which the requests of two accounts arrive within one instant changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Scene(StrEnum):
    """Where a fault acts."""

    REQUEST = "request"
    FRAME = "frame"
    WORLD = "world"


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """When a fault may fire. Times are market time in UTC ms; the window's end is outside.

    `after`: so many matching occasions pass first (for a fault of the world, requests). `probability` of each
    occasion, drawn from `seed`. `every_ms`: a fault of the world at random times, so far apart on average.
    `times`: at most so often; None: for as long as the window is open.
    """

    from_ms: int | None = None
    until_ms: int | None = None
    after: int | None = None
    probability: float = 1.0
    every_ms: int | None = None
    seed: str = "0"
    times: int | None = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One scripted fault. `match` has patterns with * by name (method, path, symbol, account, stream, event).

    `given` are the parameters of its kind; `kinds` says which there are. `only`: method and path of the
    requests that it can do anything to; none: all. Others are no occasion for it.
    """

    kind: str
    scenes: frozenset[Scene]
    when: When = When()
    match: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    only: tuple[tuple[str, str], ...] = ()

    def matches(self, occasion: Mapping[str, str]) -> bool:
        """Return whether a request or a frame is one that it can act on, and is meant to."""
        if self.only and (occasion.get("method"), occasion.get("path")) not in self.only:
            return False
        return all(fnmatchcase(occasion.get(name, ""), pattern) for name, pattern in self.match.items())


class Scheduled:
    """A fault of a plan, and what has become of it.

    `seen` counts occasions, `fired` how often it acted; `problem` is why it could not, the last time.
    """

    def __init__(self, number: int, fault: Fault, now_ms: int) -> None:
        self.id = number
        self.fault = fault
        self.fired = 0
        self.seen = 0
        self.problem = ""
        self._counts: dict[str, int] = {}
        self._draws = 0
        self.due_ms = self._first(now_ms)

    @property
    def is_over(self) -> bool:
        """Whether it has fired as often as it may."""
        times = self.fault.when.times
        return times is not None and self.fired >= times

    def acts_at(self, scene: Scene) -> bool:
        """Whether it is to be asked at requests, or at frames."""
        scenes = self.fault.scenes
        return scene in scenes or (
            scene is Scene.REQUEST and Scene.WORLD in scenes and self.fault.when.after is not None
        )

    def meets(self, occasion: Mapping[str, str], now_ms: int) -> bool:
        """Count an occasion, and return whether the fault fires at it."""
        when = self.fault.when
        if self.is_over or not _within(when, now_ms) or not self.fault.matches(occasion):
            return False
        account = occasion.get("account", "")
        count = self._counts[account] = self._counts.get(account, 0) + 1
        self.seen += 1
        if self.seen <= (when.after or 0):
            return False
        if when.probability < 1 and self._chance(account, count) >= when.probability:
            return False
        self.fired += 1
        return True

    def take_back(self) -> None:
        """Undo a firing that came to nothing."""
        self.fired -= 1

    def holds(self, now_ms: int) -> bool:
        """Whether it is in force at a time, as far as its window and its number of times go."""
        return not self.is_over and _within(self.fault.when, now_ms)

    def happens(self, now_ms: int) -> bool:
        """Return whether a fault of the world is due by `now_ms`, once for each time it is."""
        when = self.fault.when
        if self.due_ms is None or self.due_ms > now_ms or self.is_over:
            return False
        self.fired += 1
        self.due_ms = None if when.every_ms is None or self.is_over else self._next(self.due_ms)
        return True

    def _first(self, now_ms: int) -> int | None:
        when = self.fault.when
        if Scene.WORLD not in self.fault.scenes or when.after is not None:
            return None
        start_ms = max(now_ms, when.from_ms or now_ms)
        return start_ms if when.every_ms is None else self._next(start_ms)

    def _next(self, time_ms: int) -> int | None:
        """Return the next of the random times: gaps are exponential, a millisecond at least."""
        when = self.fault.when
        self._draws += 1
        gap = -math.log(1 - self._chance("gap", self._draws)) * (when.every_ms or 0)
        following = time_ms + max(1, round(gap))
        return following if when.until_ms is None or following < when.until_ms else None

    def _chance(self, account: str, count: int) -> float:
        """Return a number in [0, 1)."""
        when = self.fault.when
        text = f"{when.seed}|{self.fault.kind}|{account}|{count}"
        return int.from_bytes(blake2b(text.encode(), digest_size=6).digest(), "big") / 2**48


class Plan:
    """All faults of an exchange, in the order in which they were given."""

    def __init__(self) -> None:
        self._scheduled: dict[int, Scheduled] = {}
        self._number = 0

    @property
    def faults(self) -> list[Scheduled]:
        """All faults, those that are over included."""
        return list(self._scheduled.values())

    def add(self, fault: Fault, now_ms: int) -> Scheduled:
        """Take a fault up from `now_ms` on."""
        self._number += 1
        scheduled = self._scheduled[self._number] = Scheduled(self._number, fault, now_ms)
        return scheduled

    def remove(self, number: int) -> Scheduled | None:
        """Drop a fault and return it; None when there is none of that number."""
        return self._scheduled.pop(number, None)

    def fired(self, kind: str) -> int:
        """Return how often faults of a kind have acted."""
        return sum(item.fired for item in self._scheduled.values() if item.fault.kind == kind)

    def at(self, scene: Scene, occasion: Mapping[str, str], now_ms: int) -> list[Scheduled]:
        """Return the faults that fire at a request or a frame; at a request those of the world, too."""
        return [
            item for item in self._scheduled.values() if item.acts_at(scene) and item.meets(occasion, now_ms)
        ]

    def in_force(self, kind: str, now_ms: int) -> list[Fault]:
        """Return the faults of a kind that are in force."""
        return [
            item.fault for item in self._scheduled.values() if item.fault.kind == kind and item.holds(now_ms)
        ]

    def due(self, now_ms: int) -> list[Scheduled]:
        """Return the faults of the world that have come due, as often as they have."""
        found = []
        for item in self._scheduled.values():
            while item.happens(now_ms):
                found.append(item)
        return found

    def next_due(self) -> int | None:
        """Return the market time at which the next fault of the world is due."""
        times = [item.due_ms for item in self._scheduled.values() if item.due_ms is not None]
        return min(times, default=None)


def _within(when: When, now_ms: int) -> bool:
    return (when.from_ms is None or now_ms >= when.from_ms) and (
        when.until_ms is None or now_ms < when.until_ms
    )
