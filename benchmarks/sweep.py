"""Monte Carlo against the time of generating its paths, its memory, and a cluster of two workers against one.

The paths are a year of one-minute bars. Ratios come from turns taken in the same run.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import REPOSITORY, main, report
from bot.core.strategy import Strategy
from bot.study import Costs, FundSpec
from bot.study.grid import Axis, Base
from bot.study.montecarlo import simulate
from bot.study.simulate import Garch, Gbm, Jumps, Model, paths
from bot.study.spec import Side
from bot.study.sweep import Generated, Sweep, run_sweep
from strategies.corridor import Corridor
from strategies.interval import Interval
from strategies.recenter import Recenter
from strategies.strategic import Strategic

MINUTE_MS = 60_000
MODELS: dict[str, Model] = {"gbm": Gbm(), "garch": Garch(), "jumps": Jumps()}
STRATEGIC, EVERY_DAY, CORRIDOR, RECENTER = Strategic(confirmation_s=0.0), Interval(), Corridor(), Recenter()
FUNDS: dict[str, tuple[Side, Strategy, float]] = {
    "strategic UP": ("long", STRATEGIC, 2.0),
    "strategic DOWN": ("short", STRATEGIC, 2.0),
    "interval UP": ("long", EVERY_DAY, 3.0),
    "recenter UP": ("long", RECENTER, 2.0),
    "corridor UP": ("long", CORRIDOR, 2.2),
    "corridor DOWN": ("short", CORRIDOR, 2.2),
}


def measure(*, tiny: bool = False) -> None:
    """Monte Carlo, memory, cluster."""
    bars, count, turns = (20_000, 4, 2) if tiny else (525_600, 20, 7)
    for name, model in MODELS.items():
        for label in FUNDS:
            _monte_carlo(name, model, label, (bars, count, turns))
    _memory(tiny=tiny)
    _cluster(tiny=tiny)


def _monte_carlo(name: str, model: Model, label: str, size: tuple[int, int, int]) -> None:
    """The time of simulating as a multiple of that of generating the same paths, turn about."""
    bars, count, turns = size
    side, strategy, start = FUNDS[label]
    fund = (FundSpec(side=side, start_leverage=start), strategy, Costs(fee_bps=5))
    tally = simulate(model, [fund], bars, MINUTE_MS, range(1))[0]
    ratios, generating = [], []
    for turn in range(turns):
        numbers = range(turn * count, (turn + 1) * count)
        began = time.process_time()
        for _ in paths(model, bars, MINUTE_MS, numbers):
            pass
        between = time.process_time()
        simulate(model, [fund], bars, MINUTE_MS, numbers)
        generating.append((between - began) / count / bars * 1e9)
        ratios.append((time.process_time() - between) / (between - began))
    report(
        "sweep",
        f"Monte Carlo, {name}, {label}",
        ratios,
        "x generating",
        limit=1.2,
        generating_ns_per_bar=round(median(generating), 1),
        trades_a_year=round(tally.rebalances),
    )


def _memory(*, tiny: bool) -> None:
    """The peak of a process that simulates few paths, and of one that simulates ten times as many."""
    few = 5 if tiny else 40
    peaks = [_peak_mb(count) for count in (few, 10 * few)]
    report("sweep", "memory, ten times the paths", [peaks[1]], "MB", limit=1.05 * peaks[0], baseline=peaks[0])


def _peak_mb(count: int) -> float:
    script = f"from benchmarks.sweep import peak_of; print(peak_of({count}))"
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)  # noqa: S603 - ourselves
    return float(result.stdout)


def peak_of(count: int) -> float:
    """The largest memory of this process after so many paths [MB]."""
    fund = (FundSpec(), Strategic(confirmation_s=0.0), Costs(fee_bps=5))
    simulate(Gbm(), [fund], 100_000, MINUTE_MS, range(count))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _cluster(*, tiny: bool) -> None:
    """The same sweep on a dask cluster of one worker process and of two."""
    generated = Generated(
        "gbm", paths=32 if tiny else 1_000, bars=2_000 if tiny else 100_000, bar_ms=MINUTE_MS
    )
    axes = [Axis("model.volatility", tuple(0.4 + 0.05 * step for step in range(8)))]
    sweep = Sweep(Base(), axes, generated=generated)
    with TemporaryDirectory() as folder, _workers(1) as alone, _workers(2) as both:
        places = {"one": alone, "two": both}
        warm = Sweep(sweep.base, sweep.axes, generated=Generated("gbm", paths=4, bars=500))
        for name, address in places.items():
            run_sweep(warm, Path(folder) / f"warm-{name}", scheduler=address)
        speedups, plain = [], []
        for turn in range(1 if tiny else 5):
            seconds = {}
            for name, address in places.items():
                began = time.perf_counter()
                run_sweep(sweep, Path(folder) / f"{name}-{turn}", scheduler=address)
                seconds[name] = time.perf_counter() - began
            speedups.append(seconds["one"] / seconds["two"])
            plain.append(_spin_s(1, tiny=tiny) / _spin_s(2, tiny=tiny))
    report(
        "sweep",
        "cluster of two workers",
        speedups,
        "x one worker",
        limit=1.7,
        at_least=True,
        two_plain_processes=round(median(plain), 2),
    )


def _spin_s(processes: int, *, tiny: bool) -> float:
    """Seconds that a loop of Python takes in so many processes: what the machine has to give just now."""
    turns = (1_000_000 if tiny else 40_000_000) // processes
    began = time.perf_counter()
    running = [
        subprocess.Popen([sys.executable, "-c", f"for _ in range({turns}): pass"])  # noqa: S603 - ourselves
        for _ in range(processes)
    ]
    for process in running:
        process.wait()
    return time.perf_counter() - began


@contextmanager
def _workers(count: int) -> Iterator[str]:
    """A cluster of so many worker processes of one thread each: its address."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=count, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1"
    ) as cluster:
        yield str(cluster.scheduler_address)


if __name__ == "__main__":
    main(measure)
