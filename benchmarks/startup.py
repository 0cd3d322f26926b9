"""How long until a daemon works, also after a kill, until the command line answers; what memory they hold.

The first mark that a fund has taken in shows in the log: the fund then starts its opening rebalance.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.market import end_ms, write_replay
from benchmarks.measure import REPOSITORY, main, report
from benchmarks.processes import AFTER_A_KILL, Daemon, settings, stand_alone_exchange

FIRST_MARK_LIMIT_S = 2.0
RECOVERY_LIMIT_S = 3.0
HELP_LIMIT_S = 0.4
_MARKET_SPEED = "240"
_ORDERS_BETWEEN_KILLS = 4
ALONE_LIMIT_MB = 170.0
EMBEDDED_LIMIT_MB = 220.0


def measure(*, tiny: bool = False) -> None:
    """Start daemons and the command line, and look at them from outside."""
    bars, samples = (2, 1) if tiny else (5_000, 7)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        replay = write_replay(folder / "replay.csv", bars)
        _measure_help(samples)
        _measure_first_mark(folder, replay, samples)
        _measure_recovery(folder, samples)
        _measure_memory(folder, replay, bars, samples=1 if tiny else 3)


def _measure_help(samples: int) -> None:
    """`--help` from the interpreter of this environment, and, as a user types it, from the one below it."""
    python = [sys.executable, "-c", "pass"]
    bare = min(_seconds(python) for _ in range(samples))
    command = [sys.executable, "-m", "bot", "--help"]
    _seconds(command)
    found = [_seconds(command) for _ in range(samples)]
    report("startup", "--help", found, "s", limit=HELP_LIMIT_S, baseline=bare, imports_ccxt=_imports_ccxt())
    outside = getattr(sys, "_base_executable", sys.executable)
    if (REPOSITORY / ".venv" / ".lock-sha").exists() and outside != sys.executable:
        command = [outside, "-m", "bot", "--help"]
        _seconds(command)
        found = [_seconds(command) for _ in range(samples)]
        report("startup", "--help by way of .venv", found, "s", limit=HELP_LIMIT_S, baseline=bare)


def _imports_ccxt() -> bool:
    command = [sys.executable, "-X", "importtime", "-m", "bot", "--help"]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)  # noqa: S603 - our own command line
    modules = [line.rpartition("|")[2].strip() for line in result.stderr.splitlines()]
    assert "typer" in modules
    return any(module.split(".")[0] == "ccxt" for module in modules)


def _seconds(command: Sequence[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command line
    return time.perf_counter() - begun


def _measure_first_mark(folder: Path, replay: Path, samples: int) -> None:
    """From the start of the process to the opening rebalance of a fund, exchange embedded."""
    running, found = [], []
    for number in range(samples + 1):
        data = folder / f"start {number}"
        with Daemon(["run"], settings(data, paper__replay=replay, paper__speed="max")) as daemon:
            running.append(daemon.event("starting").after_s)
            found.append(daemon.event("rebalance_started").after_s)
    # The first one warms the disk's cache and Python's.
    baseline = min(_seconds([sys.executable, "-c", "import ccxt.pro"]) for _ in range(samples))
    report("startup", "exchange reached", running[1:], "s", baseline=baseline)
    report("startup", "first mark in a fund", found[1:], "s", limit=FIRST_MARK_LIMIT_S, baseline=baseline)


def _measure_recovery(folder: Path, samples: int) -> None:
    """From the start after a `kill -9` amid rebalances to the next order; the venue is another process."""
    replay = write_replay(folder / "recovery.csv", 5_000)
    running, sent, worked = [], [], []
    options = ("--replay", str(replay), "--speed", _MARKET_SPEED)
    with stand_alone_exchange(folder / "recovery exchange", *options) as url:
        environment = settings(folder / "recovery", paper__url=url)
        with Daemon(["run"], environment) as daemon:
            daemon.event("order_sent", _ORDERS_BETWEEN_KILLS)
            daemon.kill()
        for _ in range(samples):
            with Daemon(["run"], environment, AFTER_A_KILL) as daemon:
                running.append(daemon.event("running").after_s)
                sent.append(daemon.event("order_sent").after_s)
                worked.append(daemon.cpu_s())
                daemon.event("order_sent", _ORDERS_BETWEEN_KILLS)
                daemon.kill()
    baseline = min(_seconds([sys.executable, "-c", "import ccxt.pro"]) for _ in range(samples))
    report("startup", "recovery: all funds at work", running, "s", limit=RECOVERY_LIMIT_S, baseline=baseline)
    report("startup", "recovery: next order sent", sent, "s", limit=RECOVERY_LIMIT_S, baseline=baseline)
    report("startup", "recovery: CPU until then", worked, "s", baseline=baseline)


def _measure_memory(folder: Path, replay: Path, bars: int, samples: int) -> None:
    """Resident memory at the end of a replay, with the exchange in the daemon and without."""
    together, alone, libraries = [], [], []
    for number in range(samples):
        data = folder / f"memory {number}"
        with Daemon(["run"], settings(data, paper__replay=replay, paper__speed="max")) as daemon:
            daemon.await_market_end(end_ms(bars))
            together.append(daemon.resident_mb())
        options = ("--replay", str(replay), "--speed", "max")
        with (
            stand_alone_exchange(data / "exchange", *options) as url,
            Daemon(["run"], settings(data / "alone", paper__url=url)) as daemon,
        ):
            daemon.await_market_end(end_ms(bars))
            alone.append(daemon.resident_mb())
        libraries.append(_memory_of_libraries_mb())
    baseline = min(libraries)
    for figure, found, limit in (
        ("memory, exchange elsewhere", alone, ALONE_LIMIT_MB),
        ("memory, exchange embedded", together, EMBEDDED_LIMIT_MB),
    ):
        report("startup", figure, found, "MB", limit=limit, baseline=baseline, marks=bars)


def _memory_of_libraries_mb() -> float:
    """What ccxt and the HTTP client weigh alone."""
    program = "import ccxt.pro, resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - Python itself
    return int(result.stdout) * 1024 / 1e6


if __name__ == "__main__":
    main(measure)
