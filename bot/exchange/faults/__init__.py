"""Faults on demand: what an exchange and a network can do to a client, scripted or at random, and counted.

Off unless `ExchangeConfig.faults` is set. Then in process: `exchange.faults.inject(make_fault("reply_lost",
match={"method": "POST"}))`; over HTTP: POST /faults with {"kind":"reply_lost","match":{"method":"POST"}}. A
script lives as long as the process; the store knows nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.exchange.faults.kinds import KINDS, FaultError, make_fault
from bot.exchange.faults.plan import Fault, Plan, Scene, Scheduled, When

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["KINDS", "Fault", "FaultError", "Faults", "Scene", "Scheduled", "When", "make_fault"]


class Faults:
    """The faults of one exchange. `act` lets happen what is due already."""

    def __init__(self, plan: Plan, now: Callable[[], int], act: Callable[[], None]) -> None:
        self._plan = plan
        self._now = now
        self._act = act

    @property
    def scripted(self) -> list[Scheduled]:
        """All faults with their counters, those that are over included."""
        return self._plan.faults

    def inject(self, fault: Fault) -> Scheduled:
        """Script a fault; `fired` of what this returns counts how often it has acted."""
        scheduled = self._plan.add(fault, self._now())
        self._act()
        return scheduled

    def fired(self, kind: str) -> int:
        """Return how often faults of a kind have acted."""
        return self._plan.fired(kind)

    def clear(self, number: int | None = None) -> list[Scheduled]:
        """Remove one fault, or all, and return what was removed. What has been done is not undone."""
        numbers = [item.id for item in self._plan.faults if number in {None, item.id}]
        return [item for item in map(self._plan.remove, numbers) if item is not None]
