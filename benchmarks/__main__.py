"""All benchmarks, one after another: `python -m benchmarks [--tiny]`."""

from benchmarks import core, exchange, funds, journal, matching, replay, startup, streams, study, sweep, wire
from benchmarks.measure import main


def measure(*, tiny: bool = False) -> None:
    """Run every benchmark; each figure is one JSON line."""
    for benchmark in (core, wire, journal, startup, funds, replay, exchange, streams, matching, study, sweep):
        benchmark.measure(tiny=tiny)


main(measure)
