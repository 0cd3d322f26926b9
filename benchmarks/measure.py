"""What the benchmarks share: timing, and figures as JSON lines.

A figure is one number with its unit, its limit where the project has set one, and the baseline it is to be
compared with, measured in the same run. Nothing here fails because a machine is slow: at full size a
benchmark ends with a line for each figure that has a limit, which says whether it was met.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from statistics import median, quantiles

REPOSITORY = Path(__file__).resolve().parent.parent


@cache
def commit() -> str:
    """The commit that is measured, with a plus sign where files differ from it."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--", "bot", "strategies") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(REPOSITORY), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - git itself


@cache
def cpu() -> str:
    """The processor, and how many of it this process may use."""
    with Path("/proc/cpuinfo").open() as lines:
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "cpu")
    return f"{len(os.sched_getaffinity(0))} x {model}"


def report(
    benchmark: str,
    figure: str,
    samples: Sequence[float],
    unit: str,
    *,
    limit: float | None = None,
    at_least: bool = False,
    baseline: float | None = None,
    **notes: object,
) -> float:
    """Print the median of `samples` as one JSON line, and return it.

    `limit` is the highest allowed value, or with `at_least` the lowest; `baseline` is in the same unit.
    """
    value = median(samples)
    met = None if limit is None else (value >= limit if at_least else value <= limit)
    line = {
        "benchmark": benchmark,
        "figure": figure,
        "value": _rounded(value),
        "unit": unit,
        "limit": _rounded(limit),
        "met": met,
        "baseline": _rounded(baseline),
        "ratio": _rounded(value / baseline) if baseline else None,
        "spread": [_rounded(edge) for edge in _spread(samples)],
        "samples": len(samples),
        **notes,
        "commit": commit(),
        "python": platform.python_version(),
        "cpu": cpu(),
    }
    print(json.dumps(line), flush=True)
    if limit is not None:
        _VERDICTS.append((f"{benchmark}: {figure}", value, limit, unit, bool(met), at_least))
    return value


_VERDICTS: list[tuple[str, float, float, str, bool, bool]] = []


def _print_verdicts() -> None:
    """Say of each figure with a limit whether it was met: in the end, for people, on standard error."""
    width = max((len(name) for name, *_ in _VERDICTS), default=0)
    for name, value, limit, unit, met, at_least in _VERDICTS:
        kept = f"{'>=' if at_least else '<='} {limit:.4g} {unit}"
        sys.stderr.write(f"{'PASS' if met else 'MISS'}  {name:{width}}  {value:.4g}  {kept}\n")


def _spread(samples: Sequence[float]) -> tuple[float, float]:
    """The 10th and 90th percentile; with few samples the lowest and the highest."""
    if len(samples) < 10:
        return min(samples), max(samples)
    tenths = quantiles(samples, n=10)
    return tenths[0], tenths[-1]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def seconds_per_call(loop: Callable[[int], object], calls: int, samples: int) -> list[float]:
    """Time `loop(calls)` as often as asked: seconds per call, the lesser of wall and CPU time.

    CPU time leaves out what other programs took; wall time never counts twice.
    """
    found = []
    loop(max(1, calls // 10))
    for _ in range(samples):
        wall, spent = time.perf_counter(), time.process_time()
        loop(calls)
        found.append(min(time.perf_counter() - wall, time.process_time() - spent) / calls)
    return found


def main(measure: Callable[..., None]) -> None:
    """Run one benchmark as a script: `measure(tiny=...)`."""
    parser = argparse.ArgumentParser(description=measure.__doc__)
    parser.add_argument("--tiny", action="store_true", help="a second or so, to see that it works")
    tiny = parser.parse_args().tiny
    measure(tiny=tiny)
    if not tiny:
        _print_verdicts()
