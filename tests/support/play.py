"""One fund in the simulation of `bot.simulation`, with faults where a test wants them and nowhere else."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from bot.core.records import OrderIntended, Record
from bot.simulation.faults import Fault, Script
from bot.simulation.run import Outcome, simulate
from bot.simulation.scenario import Scenario
from bot.simulation.world import World
from bot.testing import a_contract, a_fund

ALWAYS = range(100_000)
"""Strike at every opportunity."""

_R = TypeVar("_R", bound=Record)

_PLAIN = Scenario(
    fund=a_fund(capital="20000", band=("1.9", "2.3"), target=("2.0", "2.2"), start_leverage="2.1"),
    contract=a_contract(),
    sigma_bps=3.0,
    depth=Decimal(5_000),
    funding_every_s=3_600,
    funding_rate=0.0001,
    clock_off_ms=0,
    restart_s=(0.0, 0.1),
    chances={},
    rates={},
)


class Played(NamedTuple):
    """What came of it: the verdict, the world at its end, and the fund's records."""

    outcome: Outcome
    world: World
    written: tuple[Record, ...]

    def records(self, kind: type[_R]) -> list[_R]:
        """The records of a kind."""
        return [record for record in self.written if isinstance(record, kind)]

    def about(self, cid: str) -> list[str]:
        """What happened to an order, by the names of the records."""
        return [type(record).__name__ for record in self.written if getattr(record, "cid", None) == cid]

    @property
    def first(self) -> OrderIntended:
        """The first order."""
        return self.records(OrderIntended)[0]


def play(
    script: Script,
    *,
    strikes: Mapping[Fault, Sequence[float]] | None = None,
    seconds: float = 900,
    seed: int = 3,
    **changes: Any,
) -> Played:
    """Run it; the judge, who compares with the venue's own ledger all the time and at the end, is content.

    Each fault that is scripted or given a time must have struck.
    """
    seen: list[World] = []
    scenario = replace(_PLAIN, **changes)
    outcome = simulate(seed, seconds, scenario=scenario, script=script, strikes=strikes, look=seen.append)
    assert outcome.violation is None, (outcome.violation, outcome.last_lines)
    wanted = {fault for fault, _ in script} | (strikes or {}).keys()
    assert wanted - outcome.struck.keys() == set()
    return Played(outcome, seen[0], tuple(seen[0].disk.records()))
