"""The holders: they ask to come and to go, ask again until somebody answers, and move their money."""

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from bot.core.flow_records import FlowKind
from bot.simulation.chance import Chance
from bot.simulation.holders import Holders
from bot.simulation.venue import Venue

if TYPE_CHECKING:
    from bot.simulation.process import Process

ZERO = Decimal(0)
_CENT = Decimal("0.01")
_UNIT = Decimal("0.00000001")
_LATEST_S = 200.0
_MAKES_UP_AFTER_S = 900.0


class _Request(NamedTuple):
    kind: FlowKind
    amount: Decimal
    request_id: str


class People:
    """Everybody who is not the daemon, as far as money of flows goes."""

    def __init__(
        self,
        venue: Venue,
        holders: Holders,
        capital: Decimal,
        chance: Chance,
        per_hour: float,
        *,
        by_hand: bool,
    ) -> None:
        """`per_hour`: how often somebody asks for something. `by_hand`: they move the cash themselves."""
        self._venue = venue
        self._holders = holders
        self._capital = capital
        self._chance = chance
        self._per_hour = per_hour
        self._by_hand = by_hand
        self._next_s = chance.waits(per_hour) if per_hour else float("inf")
        self._unanswered: list[_Request] = []
        self._asked = 0
        self._when_s: dict[str, float] = {}
        self._moved: set[str] = set()
        self._owed: dict[str, Decimal] = {}

    @property
    def wait(self) -> bool:
        """Whether somebody still waits for an answer or for money."""
        return bool(self._unanswered or self._holders.open)

    def cease(self) -> None:
        """Nobody asks for anything new."""
        self._next_s = float("inf")

    def look(self, now_s: float, process: "Process") -> None:
        """Ask for what is wanted now, again for what was not answered, and see to the money."""
        if now_s >= self._next_s and self._holders.units:
            self._next_s = now_s + self._chance.waits(self._per_hour)
            self._unanswered.append(self._wish())
        still = [asked for asked in self._unanswered if not process.ask_for_flow(*asked)]
        self._unanswered = still
        self._see_twins()
        for reference, asked in tuple(self._holders.open.items()):
            if asked.kind is FlowKind.SUBSCRIBE and not asked.funded and self._by_hand:
                self._bring(reference, now_s, asked.amount)
            elif asked.payable is not None:
                self._pay(reference, now_s, asked.payable)

    def _wish(self) -> _Request:
        self._asked += 1
        name = f"wish {self._asked}"
        if self._chance.happens(0.55):
            amount = self._capital * Decimal(round(self._chance.between(0.005, 0.2), 4))
            return _Request(FlowKind.SUBSCRIBE, amount.quantize(_CENT), name)
        share = Decimal(round(self._chance.between(0.005, 0.4), 4))
        if self._chance.happens(0.03):
            share = Decimal(1)
        return _Request(FlowKind.REDEEM, (self._holders.units * share).quantize(_UNIT), name)

    def _bring(self, reference: str, now_s: float, amount: Decimal) -> None:
        """Bring the money, once; where somebody took it off the account again, its owner makes up for it."""
        name, once_more = f"in {reference}", f"more {reference}"
        if name not in self._moved:
            self._move(name, now_s, amount)
            self._when_s[once_more] = now_s + _MAKES_UP_AFTER_S
        elif self._due(once_more, now_s):
            self._venue.transfer(amount)
            self._moved.discard(once_more)
            self._when_s[once_more] = now_s + _MAKES_UP_AFTER_S

    def _see_twins(self) -> None:
        """Of two that are owed the same the elder counts as paid first: the other's is still to come."""
        open_ = self._holders.open
        for reference in [name for name in self._owed if name not in open_]:
            amount = self._owed.pop(reference)
            twins = (f"out {name}" for name, asked in open_.items() if asked.payable == amount)
            if f"out {reference}" not in self._moved:
                self._moved.difference_update([name for name in twins if name in self._moved][:1])

    def _pay(self, reference: str, now_s: float, amount: Decimal) -> None:
        """What is owed is fetched; where the account has less than that, its owner brings the rest first."""
        name, owner = f"out {reference}", f"owner {reference}"
        self._owed[reference] = amount
        if self._venue.wallet < amount and self._due(owner, now_s):
            self._venue.transfer(amount - self._venue.wallet)
            self._moved.discard(owner)  # it may go to somebody else, or be taken
            self._when_s[owner] = now_s + _MAKES_UP_AFTER_S
        if self._by_hand and self._venue.wallet >= amount:
            self._move(name, now_s, -amount)

    def _move(self, name: str, now_s: float, amount: Decimal) -> None:
        if self._due(name, now_s):
            self._venue.transfer(amount)

    def _due(self, name: str, now_s: float) -> bool:
        """Once for each, a while after it was first wanted."""
        when_s = self._when_s.setdefault(name, now_s + self._chance.between(1.0, _LATEST_S))
        if now_s < when_s or name in self._moved:
            return False
        self._moved.add(name)
        return True
