"""Many seeds, spread over processes; with a log file the swarm goes on where it was stopped."""

import gc
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bot.simulation.run import Outcome, simulate

_GARBAGE_AFTER = 100_000
"""A world makes many objects and few rings of them: to look for these less often saves a twentieth."""


@dataclass
class Tally:
    """What all runs so far add up to. `violations`: seed, code and text."""

    runs: int = 0
    simulated_s: float = 0.0
    orders: int = 0
    lives: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    transitions: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, line: dict[str, Any]) -> None:
        """Count one run, as `as_line` wrote it."""
        self.runs += 1
        self.simulated_s += line["simulated_s"]
        self.orders += line["orders"]
        self.lives += line["lives"]
        self.faults.update(line["faults"])
        self.transitions.update(line["transitions"])
        if line["violation"] is not None:
            self.violations.append((line["seed"], *line["violation"]))


def as_line(outcome: Outcome) -> dict[str, Any]:
    """A run as one line of the log."""
    return {
        "seed": outcome.seed,
        "seconds": outcome.seconds,
        "simulated_s": outcome.simulated_s,
        "digest": outcome.digest,
        "violation": outcome.violation,
        "orders": outcome.orders,
        "lives": outcome.lives,
        "faults": {fault.value: count for fault, count in outcome.struck.items()},
        "transitions": dict(outcome.transitions),
    }


def swarm(seeds: Iterable[int], seconds: float, jobs: int, log: Path | None = None) -> Iterator[Tally]:
    """Run every seed that is not in the log yet; yields the tally after each run, those of the log included.

    The log belongs to one state of the program: delete it when that has changed.
    """
    tally = Tally()
    known = set()
    for line in _logged(log, seconds):
        known.add(line["seed"])
        tally.add(line)
    left = iter([seed for seed in seeds if seed not in known])
    yield tally
    for outcome in _outcomes(left, seconds, jobs):
        line = json.loads(json.dumps(as_line(outcome)))
        if log is not None:
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        tally.add(line)
        yield tally


def _logged(log: Path | None, seconds: float) -> Iterator[dict[str, Any]]:
    if log is None or not log.exists():
        return
    for text in log.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if line["seconds"] == seconds:
            yield line


def _outcomes(seeds: Iterator[int], seconds: float, jobs: int) -> Iterator[Outcome]:
    if jobs <= 1:
        for seed in seeds:
            yield simulate(seed, seconds)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), gc.set_threshold, (_GARBAGE_AFTER,)) as pool:
        running: set[Future[Outcome]] = {
            pool.submit(simulate, seed, seconds) for seed in islice(seeds, 2 * jobs)
        }
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(simulate, seed, seconds) for seed in islice(seeds, len(done))}
            for future in done:
                yield future.result()
