"""Monte Carlo against the time of generating its paths, its memory, and a cluster of two workers against one.

The paths are a year of one-minute bars. Ratios come from turns taken in the same run.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import REPOSITORY, main, report
from bot.core.strategy import Strategy
from bot.study import Costs, FundSpec
from bot.study.grid import Axis, Base
from bot.study.montecarlo import simulate
from bot.study.simulate import Garch, Gbm, Jumps, Model, paths
from bot.study.spec import Side
from bot.study.sweep import Generated, Sweep, run_sweep
from strategies.interval import Interval
from strategies.strategic import Strategic

MINUTE_MS = 60_000
MODELS: dict[str, Model] = {"gbm": Gbm(), "garch": Garch(), "jumps": Jumps()}
FUNDS: dict[str, tuple[Side, Strategy, float]] = {
    "strategic UP": ("long", Strategic(confirmation_s=0.0), 2.0),
    "strategic DOWN": ("short", Strategic(confirmation_s=0.0), 2.0),
    "interval UP": ("long", Interval(), 3.0),
}


def measure(*, tiny: bool = False) -> None:
    """Monte Carlo, memory, cluster."""
    bars, count, turns = (20_000, 4, 2) if tiny else (525_600, 20, 7)
    for name, model in MODELS.items():
        _monte_carlo(name, model, bars, count, turns)
    _memory(tiny=tiny)
    _cluster(tiny=tiny)


def _monte_carlo(name: str, model: Model, bars: int, count: int, turns: int) -> None:
    """The time of simulating as a multiple of that of generating the same paths."""
    for label, (side, strategy, start) in FUNDS.items():
        fund = (FundSpec(side=side, start_leverage=start), strategy, Costs(fee_bps=5))
        simulate(model, [fund], bars, MINUTE_MS, range(1))
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
    seconds = {}
    for workers in (1, 2):
        seconds[workers] = _on_cluster(sweep, workers, 1 if tiny else 3)
    speedups = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    report("sweep", "cluster of two workers", speedups, "x one worker", limit=1.7, at_least=True)


def _on_cluster(sweep: Sweep, workers: int, times: int) -> list[float]:
    from distributed import LocalCluster

    warm = Sweep(sweep.base, sweep.axes, generated=Generated("gbm", paths=2 * workers, bars=500))
    options = {"threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    found = []
    with LocalCluster(n_workers=workers, **options) as cluster, tempfile.TemporaryDirectory() as folder:
        address = cluster.scheduler_address
        run_sweep(warm, Path(folder) / "warm", scheduler=address)
        for turn in range(times):
            began = time.perf_counter()
            run_sweep(sweep, Path(folder) / str(turn), scheduler=address)
            found.append(time.perf_counter() - began)
    return found


if __name__ == "__main__":
    main(measure)
