"""Every crash of a run: it is killed before and after each write and each send, and again after that.

A flow is a world without other faults, or with a few that its script names. Its run without a kill says how
many moments there are; each of them is then a run of its own, judged like any other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from bot.simulation.faults import Fault, Script
from bot.simulation.market import Course
from bot.simulation.run import Outcome, simulate
from bot.simulation.scenario import Scenario
from bot.testing import a_contract, a_fund
from strategies.strategic import Strategic

KILLS = (
    Fault.KILLED_BEFORE_WRITE,
    Fault.KILLED_AFTER_WRITE,
    Fault.KILLED_BEFORE_SEND,
    Fault.KILLED_AFTER_SEND,
)
AGAIN_AFTER = (1, 4)
"""How many opportunities after the first kill the second one comes."""


class Moment(NamedTuple):
    """The `number`-th opportunity of a kill, from 0."""

    kill: Fault
    number: int


@dataclass(frozen=True, slots=True)
class Flow:
    """What is killed: from `from_s` to `until_s` of a world."""

    scenario: Scenario
    from_s: float
    until_s: float
    script: Script

    def run(self, kills: tuple[Moment, ...] = (), *, until_s: float | None = None) -> Outcome:
        """The world with these kills."""
        script = {key: frozenset(numbers) for key, numbers in self.script.items()}
        for kill, number in kills:
            script[kill, ""] = script.get((kill, ""), frozenset()) | {number}
        return simulate(
            0, self.until_s if until_s is None else until_s, scenario=self.scenario, script=script
        )

    def moments(self) -> list[Moment]:
        """All moments within the flow."""
        before = self.run(until_s=self.from_s).opportunities
        after = self.run().opportunities
        return [Moment(kill, number) for kill in KILLS for number in range(before[kill, ""], after[kill, ""])]

    def crashes(self, *, step: int = 1, again: bool = False) -> Iterator[tuple[tuple[Moment, ...], Outcome]]:
        """Kill at every `step`-th moment; `again`: and then at a later one."""
        for moment in self.moments()[::step]:
            yield (moment,), self.run((moment,))
            for later in AGAIN_AFTER if again else ():
                kills = moment, Moment(moment.kill, moment.number + later)
                yield kills, self.run(kills)


def _flow(
    course: Course, from_s: float, until_s: float, script: Script | None = None, depth: str = "0.02"
) -> Flow:
    """A short fund at low leverage, which opens within minutes; its leverage rises with the price."""
    fund = a_fund(
        side="short",
        band=("0.40", "0.60"),
        target=("0.45", "0.55"),
        start_leverage="0.5",
        emergency="0.75",
        strategy=Strategic(0),
    )
    scenario = Scenario(
        fund=fund,
        contract=a_contract(),
        sigma_bps=0.0,
        depth=fund.capital * Decimal(depth),
        funding_every_s=3_600,
        funding_rate=0.0001,
        clock_off_ms=0,
        restart_s=(0.5, 0.5),
        chances={},
        rates={},
        course=course,
    )
    return Flow(scenario, from_s, until_s, script or {})


_OPEN: Course = ((0, 60_000), (1_000, 60_000))
_UNKNOWN: Script = {
    (Fault.AMBIGUOUS, "order"): range(1, 100, 4),
    (Fault.REQUEST_LOST, "order"): range(2, 100, 4),
    (Fault.REPLY_LOST, "order"): range(3, 100, 5),
    (Fault.NEWS_LOST, ""): range(1, 100, 3),
}

FLOWS = {
    "open": _flow(_OPEN, 0, 700),
    "band up": _flow((*_OPEN, (1_010, 44_000)), 1_000, 1_500),
    "delever": _flow((*_OPEN, (1_010, 69_000)), 1_000, 1_120),
    "emergency": _flow((*_OPEN, (1_010, 82_000)), 1_000, 1_060, depth="0.005"),
    "unknown outcomes": _flow((*_OPEN, (1_010, 69_000)), 1_000, 1_200, _UNKNOWN),
}
"""Each way in which the daemon trades."""
