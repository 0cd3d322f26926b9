"""Backtests over 1,000,000 one-minute bars: one pass (W1), 1,000 parameter sets (W2), and a cold command.

W1 and W2 are those of docs/performance.md: band 1.5 to 3, start 2, target 2.25, 4 bps. Each time is compared
with a plain bar-by-bar loop compiled by numba, which is what a user would write, measured in the same run.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from os import sched_getaffinity
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks.measure import REPOSITORY, main, report, seconds_per_call
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
DECISION_US = 60.0


def measure(*, tiny: bool = False) -> None:
    """Time every way to the same answer; each checks that it is the same."""
    bars, sets, samples = (20_000, 20, 2) if tiny else (1_000_000, 1_000, 15)
    prices = _random_walk(bars)
    funding = _eight_hourly(prices)
    plain, plain_final = _plain_loops()
    out = np.empty(bars)
    expected = plain_final(prices.close, *W1, FEE_BPS / 1e4)
    plain(prices.close, *W1, FEE_BPS / 1e4, out)
    stretches = stretches_of(prices)
    found = nav_series(stretches, W1, fee_bps=FEE_BPS)
    assert abs(found.nav[-1] / expected[0] - 1) < 1e-9
    assert found.rebalances == final_nav(stretches, W1, fee_bps=FEE_BPS)[1] == expected[1]
    # In turns, for the machine is faster at one time than at another.
    ways = (
        lambda: plain(prices.close, *W1, FEE_BPS / 1e4, np.empty(bars)),
        lambda: nav_series(stretches, W1, fee_bps=FEE_BPS),
        lambda: final_nav(stretches, W1, fee_bps=FEE_BPS),
    )
    turns = [[_seconds(way, 1)[0] for way in ways] for _ in range(samples * 4)]
    loop, series, final = (list(times) for times in zip(*turns, strict=True))
    w1 = report("study", "W1 plain numba loop, NAV series", loop, "s")
    report("study", "W1 kernel, NAV series", series, "s", limit=w1, baseline=w1)
    report("study", "W1 kernel, final only, index built", final, "s", limit=0.03 * w1, baseline=w1)
    report("study", "index build", _seconds(lambda: PriceIndex(prices.close), samples), "s", baseline=w1)
    _measure_engine(prices, funding, w1, samples, expected)
    _measure_sets(prices, funding, plain_final, sets, samples)
    _measure_cold(prices, samples=1 if tiny else 5)


def _measure_engine(
    prices: Prices, funding: Funding, w1: float, samples: int, expected: tuple[float, int]
) -> None:
    """The live core's decisions, from the arrays on: the index and the NAV of each bar included."""
    fund = FundSpec(band=(W1.lower, W1.upper), target_range=(W1.target, W1.target), start_leverage=2.0)
    costs = Costs(fee_bps=FEE_BPS)

    def strategic() -> int:
        fresh = Prices(prices.times_ms, prices.close, prices.bar_ms)
        result = backtest(fresh, fund, costs=costs)
        assert abs(result.nav[-1] / expected[0] - 1) < 1e-9
        return result.decisions

    times = _seconds(strategic, samples)
    report("study", "W1 live core, strategic", times, "s", limit=5 * w1, baseline=w1)
    for name, parameters, paid in (
        ("interval", {}, None),
        ("strategic, 8-hour funding", {}, funding),
        ("recenter", {}, None),
        ("corridor", {}, None),
    ):
        found = backtest(
            prices, fund, name.partition(",")[0], funding=paid, costs=costs, parameters=parameters
        )

        def run(name: str = name, paid: Funding | None = paid) -> Floats:
            return backtest(prices, fund, name.partition(",")[0], funding=paid, costs=costs).nav

        times = _seconds(run, max(2, samples // 3))
        limit = 5 * w1 + DECISION_US * 1e-6 * found.decisions
        a_decision = max(0.0, min(times) - 5 * w1) / found.decisions * 1e6
        report(
            "study",
            f"W1 live core, {name}",
            times,
            "s",
            limit=limit,
            baseline=w1,
            decisions=found.decisions,
            us_per_decision=round(a_decision, 1),
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

    whole = min(_wall(plain, 3)) * sets / share
    report("study", "W2 plain numba loop, all cores", [whole], "s", measured_sets=share)
    for name, paid, factor in (("W2 kernel", None, 0.05), ("W2 kernel, 8-hour funding", funding, 0.10)):

        def run(paid: Funding | None = paid) -> None:
            fresh = Prices(prices.times_ms, prices.close, prices.bar_ms)
            final_navs(stretches_of(fresh, paid), policies, fee_bps=FEE_BPS)

        times = _wall(run, max(2, samples // 2))
        limit = factor * whole
        report("study", name, times, "s", limit=limit, baseline=whole, sets=sets)
    found = final_navs(stretches_of(prices), policies, fee_bps=FEE_BPS)
    for i in range(0, sets, max(1, sets // 10)):
        nav, count = plain_final(prices.close, *policies[i], FEE_BPS / 1e4)
        assert abs(found.nav[i] / nav - 1) < 1e-9
        assert found.rebalances[i] == count


def _measure_cold(prices: Prices, samples: int) -> None:
    """The command in a process of its own, from start to end, and the most memory that it had."""
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
    with tempfile.TemporaryDirectory() as folder:
        parquet, csv = Path(folder) / "bars.parquet", Path(folder) / "bars.csv.gz"
        frame.write_parquet(parquet)
        import gzip

        csv.write_bytes(gzip.compress(frame.write_csv().encode(), 6))
        for file, limit in ((parquet, 1.5), (csv, 3.0)):
            runs = [_command(file) for _ in range(samples + 1)][1:]
            kind = file.name.partition(".")[2]
            seconds = [run["seconds"] for run in runs]
            unused = {"numba", "plotly", "dask", "distributed", "ccxt"}
            modules = _imported(file) & unused
            report(
                "study",
                f"cold backtest from {kind}",
                seconds,
                "s",
                limit=limit,
                unused_imports=sorted(modules),
            )
            report(
                "study", f"cold backtest from {kind}, memory", [run["mb"] for run in runs], "MB", limit=200.0
            )


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
    # Python may keep what it has compiled, as it does for a user.
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(whole, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    wall, cpu, mb, status = map(float, done.stdout.split())
    assert status == 0, done.stderr
    return {"seconds": min(wall, cpu), "mb": mb}


def _imported(file: Path) -> set[str]:
    command = [sys.executable, "-X", "importtime", "-m", "bot", "backtest", "--data", str(file), "--json"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)  # noqa: S603
    names = (line.rpartition("|")[2].strip() for line in done.stderr.splitlines())
    return {name.partition(".")[0] for name in names}


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


def _seconds(function: Callable[[], object], samples: int) -> list[float]:
    """Seconds of one call, the lesser of wall and CPU time each."""

    def loop(calls: int) -> None:
        for _ in range(calls):
            function()

    return seconds_per_call(loop, 1, samples)


def _wall(function: Callable[[], object], samples: int) -> list[float]:
    """Seconds of one call that uses several cores: wall time only."""
    import time

    found = []
    function()
    for _ in range(samples):
        began = time.perf_counter()
        function()
        found.append(time.perf_counter() - began)
    return found


if __name__ == "__main__":
    main(measure)
