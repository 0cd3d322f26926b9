"""What can go wrong, each by its name, and the plan that says when it does.

A fault strikes at an opportunity ("an order's reply is on its way") or at a time of its own ("the process is
killed"). A swarm seed draws which faults are on, and how often each strikes; a script names each strike.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import TypeAlias

from bot.simulation.chance import Chance


class Fault(StrEnum):
    """Each fault; its value is what traces, counters and scripts call it."""

    REQUEST_LOST = "request lost"
    REQUEST_LATE = "request late"
    REQUEST_TOO_LATE = "request too late"
    REPLY_LOST = "reply lost"
    REPLY_LATE = "reply late"
    UNREACHABLE = "unreachable"
    UNAVAILABLE = "unavailable"
    AMBIGUOUS = "ambiguous answer"
    GARBLED = "garbled answer"
    RATE_LIMITED = "rate limited"
    BANNED = "banned"
    REFUSED = "refused"
    NOT_FOUND_YET = "not found yet"
    TRADES_LATE = "trades late"
    UNSEEN = "not found for long"
    THIN_BOOK = "thin book"
    NEWS_LOST = "news lost"
    NEWS_TWICE = "news twice"
    NEWS_LATE = "news late"
    STREAM_BROKEN = "order stream broken"
    COMMIT_FAILED = "commit failed"
    COMMIT_UNSURE = "commit failed yet durable"
    DISK_FULL = "disk full"
    KILLED_BEFORE_WRITE = "killed before a write"
    KILLED_AFTER_WRITE = "killed after a write"
    KILLED_BEFORE_SEND = "killed before a send"
    KILLED_AFTER_SEND = "killed after a send"
    KILLED = "killed"
    STOPPED = "stopped"
    MANUAL_TRADE = "manual trade"
    TRANSFER = "transfer"
    DELEVERAGED = "deleveraged by the venue"
    FEED_GAP = "feed gap"
    FROZEN_PRICE = "frozen price"
    FLASH_SPIKE = "flash spike"
    APART = "mark and index apart"
    CRASH = "crash"
    GAP = "price gap"
    MAINTENANCE = "maintenance"
    PAUSED = "paused"
    HALTED = "halted"


CHANCES: dict[Fault, float] = {
    Fault.REQUEST_LOST: 0.03,
    Fault.REQUEST_LATE: 0.05,
    Fault.REQUEST_TOO_LATE: 0.02,
    Fault.REPLY_LOST: 0.05,
    Fault.REPLY_LATE: 0.03,
    Fault.UNREACHABLE: 0.02,
    Fault.UNAVAILABLE: 0.02,
    Fault.AMBIGUOUS: 0.03,
    Fault.GARBLED: 0.02,
    Fault.RATE_LIMITED: 0.004,
    Fault.BANNED: 0.001,
    Fault.REFUSED: 0.04,
    Fault.NOT_FOUND_YET: 0.15,
    Fault.TRADES_LATE: 0.1,
    Fault.UNSEEN: 0.05,
    Fault.THIN_BOOK: 0.1,
    Fault.NEWS_LOST: 0.1,
    Fault.NEWS_TWICE: 0.1,
    Fault.NEWS_LATE: 0.1,
    Fault.STREAM_BROKEN: 0.02,
    Fault.COMMIT_FAILED: 0.004,
    Fault.COMMIT_UNSURE: 0.004,
    Fault.DISK_FULL: 0.002,
    Fault.KILLED_BEFORE_WRITE: 0.005,
    Fault.KILLED_AFTER_WRITE: 0.005,
    Fault.KILLED_BEFORE_SEND: 0.02,
    Fault.KILLED_AFTER_SEND: 0.02,
}
"""At each opportunity, on average over the seeds where it is on."""

PER_HOUR: dict[Fault, float] = {
    Fault.KILLED: 3.0,
    Fault.STOPPED: 1.5,
    Fault.MANUAL_TRADE: 0.7,
    Fault.TRANSFER: 0.7,
    Fault.DELEVERAGED: 0.3,
    Fault.FEED_GAP: 2.0,
    Fault.FROZEN_PRICE: 1.0,
    Fault.FLASH_SPIKE: 1.5,
    Fault.APART: 1.0,
    Fault.CRASH: 0.4,
    Fault.GAP: 0.4,
    Fault.MAINTENANCE: 0.5,
    Fault.PAUSED: 2.0,
    Fault.HALTED: 2.0,
}
"""At times of their own."""

_SHARE_ON = 0.5
"""Each seed leaves half of the faults out, so that none hides behind the others."""


class Faults:
    """Decides at each opportunity whether a fault strikes, and counts those that did."""

    def __init__(self, chances: Mapping[Fault, float], chance: Chance) -> None:
        """Strike with these probabilities."""
        self.chances = dict(chances)
        self.struck: Counter[Fault] = Counter()
        self.opportunities: Counter[tuple[Fault, str]] = Counter()
        self._chance = chance

    def strikes(self, fault: Fault, on: str = "") -> bool:  # noqa: ARG002 - a script tells them apart
        """Whether the fault strikes at this opportunity; `on` says what it would strike, such as a query."""
        if not self._chance.happens(self.chances.get(fault, 0.0)):
            return False
        self.struck[fault] += 1
        return True

    def struck_at_its_time(self, fault: Fault) -> None:
        """Count a fault that has times of its own."""
        self.struck[fault] += 1

    def cease(self) -> None:
        """No more faults from here on."""
        self.chances.clear()


Script: TypeAlias = Mapping[tuple[Fault, str], Collection[int]]
"""For a fault, and what it strikes ("order", "query", ...), the opportunities at which it does, from 0."""


class ScriptedFaults(Faults):
    """Strikes at the opportunities that a script names, and at no other."""

    def __init__(self, script: Script) -> None:
        """Strike at these opportunities."""
        super().__init__({}, Chance(0, "nothing"))
        self._script = dict(script)
        self._ceased = False

    def strikes(self, fault: Fault, on: str = "") -> bool:
        """Whether this is an opportunity that the script names."""
        if self._ceased:
            return False
        number = self.opportunities[fault, on]
        self.opportunities[fault, on] += 1
        if number not in self._script.get((fault, on), ()):
            return False
        self.struck[fault] += 1
        return True

    def cease(self) -> None:
        """The rest of the script is not played, nor are opportunities counted any more."""
        self._ceased = True


def drawn_faults(chance: Chance) -> tuple[dict[Fault, float], dict[Fault, float]]:
    """What a seed has on: probabilities at opportunities, and rates per hour."""
    strength = chance.between(0.2, 1.8)
    chances = {fault: share * strength for fault, share in CHANCES.items() if chance.happens(_SHARE_ON)}
    rates = {fault: rate * strength for fault, rate in PER_HOUR.items() if chance.happens(_SHARE_ON)}
    return chances, rates
