"""What the benchmarks share: timing, figures as JSON lines, and child processes looked at through /proc.

A figure is one number with its unit, its limit where the project has set one, and the baseline it is to be
compared with, measured in the same run. Nothing here fails because a machine is slow.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


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
    return value


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


def settings(folder: Path, **values: object) -> dict[str, str]:
    """The environment of a daemon in `folder` that takes no other setting of ours than `values`."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("INBAND_")}
    ours = {"data_dir": folder / "data", "web__port": 0, **values}
    return kept | {f"INBAND_{name.upper()}": str(value) for name, value in ours.items()}


@contextmanager
def started(
    arguments: Sequence[str], folder: Path, environment: dict[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """Run `python -m bot ...`; its errors go to a file in `folder`. It is stopped at the end."""
    with (folder / "errors.txt").open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "bot", *arguments],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def events(process: subprocess.Popen[str]) -> Iterator[dict[str, object]]:
    """The lines of its log, as they come; raises when it ends."""
    assert process.stdout is not None
    for line in process.stdout:
        yield json.loads(line)
    raise RuntimeError(f"the process ended with exit code {process.wait()}; see errors.txt in its folder")


def await_event(process: subprocess.Popen[str], name: str, times: int = 1) -> dict[str, object]:
    """The log line that says `name` for the `times`-th time from now on."""
    for line in events(process):
        if line.get("event") == name:
            times -= 1
            if times == 0:
                return line
    raise AssertionError


def resident_mb(process: subprocess.Popen[str]) -> float:
    """Resident memory in MB (10**6 bytes)."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("no VmRSS")


def cpu_s(process: subprocess.Popen[str]) -> float:
    """User and system time that a process has used so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(measure: Callable[..., None]) -> None:
    """Run one benchmark as a script: `measure(tiny=...)`."""
    parser = argparse.ArgumentParser(description=measure.__doc__)
    parser.add_argument("--tiny", action="store_true", help="a second or so, to see that it works")
    measure(tiny=parser.parse_args().tiny)
