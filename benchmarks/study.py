"""Backtests over 1,000,000 one-minute bars: one pass (W1), 1,000 parameter sets (W2), and a cold command.

W1 and W2 are those of docs/performance.md: band 1.5 to 3, start 2, target 2.25, 4 bps. Each time is compared
with a plain bar-by-bar loop compiled by numba, which is what a user would write, measured turn about with it.
"""

import gzip
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2b
from os import sched_getaffinity
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks.measure import REPOSITORY, main, report
from bot.study import Costs, Funding, FundSpec, backtest, from_arrays
from bot.study.index import PriceIndex
from bot.study.kernels import FixedBand, final_nav, final_navs, nav_series, stretches_of
from bot.study.prices import Prices
from bot.study.tables import Floats

START_MS = 1_600_000_000_000
MINUTE_MS, EIGHT_HOURS_MS = 60_000, 28_800_000
VOLATILITY = 0.8
W1 = FixedBand(1.5, 3.0, 2.25, 2.0)
FEE_BPS = 4.0
USED = {
    "numpy",
    "typer",
    *("annotated_doc", "shellingham"),  # of typer
    "pydantic",  # a strategy's parameters are judged by their types
    *("pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"),  # of pydantic
    "_distutils_hack",  # of the environment, not ours
}
"""What a backtest from CSV has a use for; one from Parquet also reads by polars."""
POLARS = {"polars", "_polars_runtime_32"}

Way: TypeAlias = Callable[[], object]


def measure(*, tiny: bool = False) -> None:
    """Time every way to the same answer; each checks that it is the same."""
    bars, sets, samples = (20_000, 20, 2) if tiny else (1_000_000, 1_000, 15)
    prices = _random_walk(bars)
    funding = _eight_hourly(prices)
    plain, plain_final = _plain_loops()
    expected = plain_final(prices.close, *W1, FEE_BPS / 1e4)
    baseline = partial(_plain_series, plain, prices)
    _measure_kernel(prices, baseline, samples * 4, expected)
    _measure_engine(prices, funding, baseline, samples, expected)
    _measure_sets(prices, funding, plain_final, sets, samples)
    _measure_cold(prices, samples=1 if tiny else 7)


def _measure_kernel(prices: Prices, baseline: Way, turns: int, expected: tuple[float, int]) -> None:
    stretches = stretches_of(prices)
    found = nav_series(stretches, W1, fee_bps=FEE_BPS)
    assert abs(found.nav[-1] / expected[0] - 1) < 1e-9
    assert found.rebalances == final_nav(stretches, W1, fee_bps=FEE_BPS)[1] == expected[1]
    # What takes microseconds is called some times in a turn: a sweep does not begin anew with cold caches.
    ways: tuple[tuple[str, Way, int, float | None], ...] = (
        ("W1 kernel, NAV series", lambda: nav_series(stretches, W1, fee_bps=FEE_BPS), 1, 1.0),
        ("W1 kernel, final only, index built", lambda: final_nav(stretches, W1, fee_bps=FEE_BPS), 20, 0.03),
        ("index build", lambda: PriceIndex(prices.close), 1, None),
    )
    for name, way, calls, limit in ways:
        _report_ratio(name, _in_turns(baseline, way, turns, calls=calls), limit, calls=calls)


def _measure_engine(
    prices: Prices, funding: Funding, baseline: Way, samples: int, expected: tuple[float, int]
) -> None:
    """The live core's decisions, from the arrays on: the index and the NAV of each bar included."""
    fund = FundSpec(band=(W1.lower, W1.upper), target_range=(W1.target, W1.target), start_leverage=2.0)
    costs = Costs(fee_bps=FEE_BPS)

    def run(name: str, paid: Funding | None = None) -> int:
        fresh = Prices(prices.times_ms, prices.close, prices.bar_ms)
        result = backtest(fresh, fund, name, funding=paid, costs=costs)
        assert len(result.nav) == len(prices)
        assert name != "strategic" or paid or abs(result.nav[-1] / expected[0] - 1) < 1e-9
        return result.decisions

    _report_ratio("W1 live core, strategic", _in_turns(baseline, lambda: run("strategic"), samples), 5.0)
    for name, paid in (("strategic", funding), ("interval", None), ("recenter", None), ("corridor", None)):
        decisions = run(name, paid)
        turns = _in_turns(baseline, partial(run, name, paid), max(2, samples // 2))
        report(
            "study",
            f"W1 live core, {name}{', 8-hour funding' if paid else ''}: a decision, beyond 5 plain loops",
            [max(1e-3, (own - 5 * plain) / decisions * 1e6) for plain, own in turns],
            "us",
            limit=60.0,
            decisions=decisions,
            seconds=round(median(own for _, own in turns), 4),
            plain_loops=round(median(own / plain for plain, own in turns), 2),
        )


def _measure_sets(
    prices: Prices, funding: Funding, plain_final: Callable[..., Any], sets: int, samples: int
) -> None:
    """W2: every set through the plain loop on all cores, and the kernel with its index built each time."""
    policies = _policies(sets)
    cores = len(sched_getaffinity(0))
    share = max(1, sets // 25)  # the plain loop is measured on a part, and takes as long for every other

    def plain() -> None:
        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(lambda row: plain_final(prices.close, *row, FEE_BPS / 1e4), policies[:share]))

    def run(paid: Funding | None) -> None:
        fresh = Prices(prices.times_ms, prices.close, prices.bar_ms)
        final_navs(stretches_of(fresh, paid), policies, fee_bps=FEE_BPS)

    for name, paid, factor in (("W2 kernel", None, 0.05), ("W2 kernel, 8-hour funding", funding, 0.10)):
        turns = _in_turns(plain, partial(run, paid), samples, several_cores=True)
        whole = [(loop * sets / share, own) for loop, own in turns]
        _report_ratio(name, whole, factor, sets=sets, plain_measured_on=share)
    found = final_navs(stretches_of(prices), policies, fee_bps=FEE_BPS)
    for i in range(0, sets, max(1, sets // 10)):
        nav, count = plain_final(prices.close, *policies[i], FEE_BPS / 1e4)
        assert abs(found.nav[i] / nav - 1) < 1e-9
        assert found.rebalances[i] == count


def _report_ratio(name: str, turns: list[tuple[float, float]], limit: float | None, **notes: object) -> None:
    """The median of (seconds of the plain loop, own seconds) of each turn, as a ratio."""
    plain, own = (median(column) for column in zip(*turns, strict=True))
    report(
        "study",
        name,
        [theirs / loop for loop, theirs in turns],
        "x plain loop",
        limit=limit,
        **{"seconds": float(f"{own:.4g}"), "plain_seconds": float(f"{plain:.4g}"), **notes},  # type: ignore[arg-type] # notes only
    )


def _in_turns(
    baseline: Way, way: Way, turns: int, *, calls: int = 1, several_cores: bool = False
) -> list[tuple[float, float]]:
    """Seconds of the baseline, and of one of so many `calls` of the way, turn about: a neighbour meets both.

    The lesser of wall and CPU time; wall time alone for what uses several cores.
    """
    for warm in (baseline, way):
        warm()
    found = []
    for _ in range(turns):
        pair = []
        for function, count in ((baseline, 1), (way, calls)):
            wall, spent = time.perf_counter(), time.process_time()
            for _ in range(count):
                function()
            wall, spent = time.perf_counter() - wall, time.process_time() - spent
            pair.append((wall if several_cores else min(wall, spent)) / count)
        found.append((pair[0], pair[1]))
    return found


def _measure_cold(prices: Prices, samples: int) -> None:
    """The command in a process of its own, from start to end, and the most memory that it had."""
    with tempfile.TemporaryDirectory() as folder:
        files = _files(prices, Path(folder))
        runs = {file: [_command(file) for _ in range(samples + 1)][1:] for file in files}
        for (file, found), limit in zip(runs.items(), (1.5, 3.0), strict=True):
            kind = file.name.partition(".")[2]
            seconds, most = [run["seconds"] for run in found], [run["mb"] for run in found]
            wall = round(median(run["wall"] for run in found), 3)
            report("study", f"cold backtest from {kind}", seconds, "s", limit=limit, wall_seconds=wall)
            report("study", f"cold backtest from {kind}, memory", most, "MB", limit=200.0)
            imported = _imported(file)
            unused = imported - USED - (POLARS if kind == "parquet" else set())
            report(
                "study",
                f"cold backtest from {kind}, libraries that it does not use",
                [len(unused)],
                "libraries",
                limit=0.0,
                unused=sorted(unused),
                used=sorted(imported - unused),
            )


def _files(prices: Prices, folder: Path) -> tuple[Path, Path]:
    """The same bars, with high, low and volume, as Parquet and as CSV.gz."""
    import polars as pl

    opens = np.append(prices.close[0], prices.close[:-1])
    frame = pl.DataFrame(
        {
            "timestamp": prices.times_ms - prices.bar_ms,
            "open": opens,
            "high": np.maximum(opens, prices.close) * 1.0001,
            "low": np.minimum(opens, prices.close) * 0.9999,
            "close": prices.close,
            "volume": np.full(len(prices), 12.5),
        }
    ).with_columns(pl.col("open", "high", "low", "close").round(2))
    parquet, csv = folder / "bars.parquet", folder / "bars.csv.gz"
    frame.write_parquet(parquet)
    csv.write_bytes(gzip.compress(frame.write_csv().encode(), 6))
    return parquet, csv


_CHILD = """
import os, subprocess, sys, time
began = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, status)
"""


def _command(file: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "bot", "backtest", "--data", str(file), "--json"]
    whole = [sys.executable, "-c", _CHILD, *command]
    # Python may keep what it has compiled, as it does for a user. What polars has told its allocator here,
    # where it wrote the files, is not for that process.
    ours = {"PYTHONDONTWRITEBYTECODE", "_RJEM_MALLOC_CONF"}
    environment = {name: text for name, text in os.environ.items() if name not in ours}
    done = subprocess.run(whole, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    wall, cpu, mb, status = map(float, done.stdout.split())
    assert status == 0, done.stderr
    return {"seconds": min(wall, cpu), "wall": wall, "mb": mb}


_LIST = """
import atexit, runpy, sys
def tell():
    files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
    found = {name.partition(".")[0] for name, file in files.items() if "site-packages" in file}
    sys.stderr.write(" ".join(sorted(found)))
atexit.register(tell)
sys.argv = ["bot", *sys.argv[1:]]
runpy.run_module("bot", run_name="__main__", alter_sys=True)
"""


def _imported(file: Path) -> set[str]:
    """The libraries that the command has imported when it ends."""
    command = [sys.executable, "-c", _LIST, "backtest", "--data", str(file), "--json"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)  # noqa: S603
    return set(done.stderr.split())


def _plain_series(plain: Callable[..., Any], prices: Prices) -> object:
    return plain(prices.close, *W1, FEE_BPS / 1e4, np.empty(len(prices)))


def _random_walk(bars: int) -> Prices:
    """Geometric Brownian motion without drift of the price, from a hash."""
    numbers = np.frombuffer(
        b"".join(blake2b(b"%d" % i).digest() for i in range(-(-bars // 4))), dtype=np.uint32
    )
    uniform = (numbers[: 4 * bars].astype(np.float64).reshape(-1, 4)[:bars] + 0.5) / 2**32
    normal = np.sqrt(-2 * np.log(uniform[:, 0])) * np.cos(2 * np.pi * uniform[:, 1])
    step = VOLATILITY / np.sqrt(525_600)
    close = 60_000 * np.exp(np.cumsum(step * normal - step**2 / 2))
    return from_arrays(START_MS + MINUTE_MS * np.arange(bars, dtype=np.int64), close)


def _eight_hourly(prices: Prices) -> Funding:
    first = -(-int(prices.times_ms[0]) // EIGHT_HOURS_MS) * EIGHT_HOURS_MS
    times = np.arange(first, int(prices.times_ms[-1]), EIGHT_HOURS_MS, dtype=np.int64)
    return Funding(times, np.full(len(times), 1e-4))


def _policies(sets: int) -> Floats:
    """Bands and targets around the usual ones, on a grid."""
    number = np.arange(sets)
    lower = 1.3 + 0.04 * (number % 10)
    upper = 2.6 + 0.08 * (number // 10 % 10)
    target = 1.9 + 0.05 * (number // 100 % 10)
    return np.stack((lower, upper, target, np.full(sets, 2.0)), axis=1)


def _plain_loops() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """What a user would write: one bar after another, with the NAV of each and without."""
    from numba import njit

    @njit(nogil=True)
    def traded(q, p, v, target, fee):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        e = q * p
        if target * v >= e:
            w = target * (v + fee * e) / (1 + target * fee)
        else:
            w = target * (v - fee * e) / (1 - target * fee)
        return (w - e) / p

    @njit(nogil=True)
    def series(close, lower, upper, target, start, fee, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        q = start / close[0]
        cash, count = 1 - q * close[0], 0
        for i in range(len(close)):
            p = close[i]
            v = cash + q * p
            leverage = q * p / v
            if leverage < lower or leverage > upper:
                d = traded(q, p, v, target, fee)
                cash -= d * p + abs(d) * p * fee
                q += d
                count += 1
                v = cash + q * p
            out[i] = v
        return out, count

    @njit(nogil=True)
    def final(close, lower, upper, target, start, fee):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        q = start / close[0]
        cash, count = 1 - q * close[0], 0
        for i in range(len(close)):
            p = close[i]
            v = cash + q * p
            leverage = q * p / v
            if leverage < lower or leverage > upper:
                d = traded(q, p, v, target, fee)
                cash -= d * p + abs(d) * p * fee
                q += d
                count += 1
        return cash + q * close[-1], count

    return series, final


if __name__ == "__main__":
    main(measure)
