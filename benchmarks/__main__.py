"""All benchmarks, one after another: `python -m benchmarks [--tiny]`."""

from benchmarks import core, exchange, funds, matching, replay, startup, streams, study, sweep, wire
from benchmarks.measure import main


def measure(*, tiny: bool = False) -> None:
    """Run every benchmark; each figure is one JSON line."""
    for benchmark in (core, wire, startup, funds, replay, exchange, streams, matching, study, sweep):
        benchmark.measure(tiny=tiny)


main(measure)
