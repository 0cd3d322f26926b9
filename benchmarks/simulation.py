"""Simulated seconds per CPU second: one fund with faults on, against the bare loop with a mark a second."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import main, report
from bot.simulation.chance import Chance
from bot.simulation.loop import VirtualLoop
from bot.simulation.market import MarketPath
from bot.simulation.run import simulate

AT_LEAST = 10_000.0


def measure(*, tiny: bool = False) -> None:
    """Time a handful of seeds, each as a swarm runs it, on one core."""
    seeds, seconds = (range(2), 600.0) if tiny else (range(24), 7_200.0)
    simulate(0, 60)
    speeds, orders, simulated_s, spent_s = [], 0, 0.0, 0.0
    for seed in seeds:
        began_s = time.process_time()
        outcome = simulate(seed, seconds)
        used_s = time.process_time() - began_s
        assert outcome.violation is None, outcome.violation
        speeds.append(outcome.simulated_s / used_s)
        orders += outcome.orders
        simulated_s += outcome.simulated_s
        spent_s += used_s
    report(
        "simulation",
        "one fund, faults on: simulated seconds per CPU second",
        speeds,
        "s/s",
        limit=AT_LEAST,
        at_least=True,
        baseline=_bare(seconds * 5),
        overall=round(simulated_s / spent_s),
        orders=orders,
    )


def _bare(seconds: float) -> float:
    """A loop that only draws prices."""
    loop = VirtualLoop()
    path = MarketPath(Chance(0, "bare"), 60_000.0, 5.0)

    def tick(later: Callable[..., object]) -> None:
        path.next()
        later(1.0, tick, later)

    tick(loop.call_later)
    loop.call_later(seconds, loop.stop)
    began_s = time.process_time()
    loop.run_forever()
    used_s = time.process_time() - began_s
    loop.close()
    return seconds / used_s


if __name__ == "__main__":
    main(measure)
