"""One run of a simulation: from a seed to a verdict."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import structlog

from bot.simulation.chance import Chance
from bot.simulation.faults import Fault, Faults, Script, ScriptedFaults
from bot.simulation.judge import Violation
from bot.simulation.life import Killed, own_tasks
from bot.simulation.loop import SpinningError, VirtualLoop
from bot.simulation.scenario import Scenario, scenario_of
from bot.simulation.trace import Trace
from bot.simulation.world import World


class Outcome(NamedTuple):
    """What came of a run. `digest`: the hash of its trace; `simulated_s`: with the quiet at the end."""

    seed: int
    seconds: float
    simulated_s: float
    digest: str
    violation: Violation | None
    struck: Counter[Fault]
    transitions: Counter[str]
    lives: int
    orders: int
    opportunities: Counter[tuple[Fault, str]]
    last_lines: tuple[str, ...]


def simulate(
    seed: int,
    seconds: float,
    *,
    tell: Callable[[str], None] | None = None,
    scenario: Scenario | None = None,
    script: Script | None = None,
    strikes: Mapping[Fault, Sequence[float]] | None = None,
    look: Callable[[World], None] | None = None,
) -> Outcome:
    """Run the world of `seed` for so many seconds, and then until it is at rest.

    `tell` hears each line of the trace. `scenario` replaces the one that the seed draws. `script` replaces
    its faults by the strikes that it names, and `strikes` gives those that have times of their own, in
    seconds. `look` is shown the world as it is at the end.
    """
    scenario = scenario if scenario is not None else scenario_of(seed)
    if script is not None:
        scenario = replace(scenario, rates={})
    faults = Faults(scenario.chances, Chance(seed, "faults")) if script is None else ScriptedFaults(script)
    loop = VirtualLoop(Chance(seed, "order"))
    loop.set_task_factory(own_tasks)
    trace = Trace(loop, tell)
    try:
        world = World(seed, scenario, faults, trace, loop)
        with _logs_to(world.judge.logged):
            for fault, times_s in (strikes or {}).items():
                for time_s in times_s:
                    loop.call_at(time_s, world.strike, fault)
            try:
                loop.run_until_complete(world.run(seconds))
            except SpinningError as spin:
                world.judge.accuse("X", str(spin))
        for context in loop.escaped:
            error = context.get("exception")
            if not isinstance(error, Killed):
                world.judge.accuse("X", f"{context.get('message')}: {error!r}")
    finally:
        loop.close()
    if look is not None:
        look(world)
    trace.note("end", world.judge.claims.position, world.venue.wallet)
    return Outcome(
        seed,
        seconds,
        loop.time(),
        trace.digest,
        world.judge.violation,
        faults.struck,
        world.transitions.counts,
        world.lives,
        len(world.judge.sends),
        faults.opportunities,
        trace.last,
    )


@contextmanager
def _logs_to(take: Callable[[MutableMapping[str, Any]], None]) -> Iterator[None]:
    """Have the log's lines, and put the log back as it was."""

    def processor(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        take(fields)
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[processor], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)
