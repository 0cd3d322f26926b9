"""All benchmarks, one after another: `python -m benchmarks [--tiny]`."""

from benchmarks import (
    core,
    exchange,
    funds,
    journal,
    matching,
    page,
    readers,
    replay,
    simulation,
    startup,
    streams,
    study,
    sweep,
    wire,
)
from benchmarks.measure import main

ALL = (
    *(core, wire, journal, startup, funds, replay),
    *(exchange, streams, readers, page, matching, study, simulation, sweep),
)


def measure(*, tiny: bool = False) -> None:
    """Run every benchmark; each figure is one JSON line."""
    for benchmark in ALL:
        benchmark.measure(tiny=tiny)


main(measure)
