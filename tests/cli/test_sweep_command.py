"""`sweep` as it is typed."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

from tests.cli.conftest import Invoke
from tests.support.patience import PATIENCE_S

REPOSITORY = Path(__file__).resolve().parents[2]


def sweep(*arguments: str, where: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    command = [sys.executable, "-m", "bot", "sweep", *arguments]
    environment = {"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin", "HOME": str(where)}
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six days of hours."""
    rows = [f"{1_600_000_000_000 + 3_600_000 * hour},{100 + hour % 17}" for hour in range(150)]
    (tmp_path / "prices.csv").write_text("timestamp,close\n" + "\n".join(rows) + "\n")
    return tmp_path


def test_it_leaves_parquet_and_a_report(data: Path) -> None:
    """In its folder; what it says is JSON where that is asked for."""
    result = sweep("--data", "prices.csv", "--grid", "target=1.9,2.1", "--out", "s", "--json", where=data)
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["points"], told["rows"]) == (2, 4)
    assert (data / told["parquet"]).read_bytes().startswith(b"PAR1")
    assert (data / told["report"]).stat().st_size > 1_000_000


LONG = ["--model", "gbm", "--paths", "60", "--bars", "150000", "--bar-minutes", "1", "--workers", "2"]
POINTS = 12
LONG += ["--grid", f"model.volatility=0.3:1.4:{POINTS}"]


def test_killed_workers_and_a_killed_sweep_cost_only_what_was_under_way(tmp_path: Path) -> None:
    """A worker dies by `kill -9`, then the sweep itself: the same command again ends with the same rows."""
    assert sweep(*LONG, "--out", "whole", where=tmp_path).returncode == 0
    tries = (killed_amid(tmp_path, f"killed-{number}") for number in range(10))
    parts = next(parts for parts in tries if len(list(parts.glob("*.json"))) < POINTS)  # or it was too late
    done = {file.name: file.stat().st_mtime_ns for file in parts.glob("*.json")}
    assert 1 < len(done) < POINTS
    killed = parts.parent.name
    assert sweep(*LONG, "--out", killed, where=tmp_path).returncode == 0
    assert done.items() <= {file.name: file.stat().st_mtime_ns for file in parts.glob("*.json")}.items()
    whole, resumed = (pl.read_parquet(tmp_path / name / "sweep.parquet") for name in ("whole", killed))
    assert whole.height == 2 * POINTS
    assert whole.equals(resumed)


def killed_amid(folder: Path, out: str) -> Path:
    """Begin a sweep, kill one of its workers, go on a while, and kill it; where its finished parts are."""
    command = [sys.executable, "-m", "bot", "sweep", *LONG, "--out", out]
    environment = {"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    parts = folder / out / "parts"
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL) as running:
        first = wait_for(parts, 1)
        for worker in workers_of(running.pid)[-1:]:
            os.kill(worker, signal.SIGKILL)
        wait_for(parts, min(len(first) + 1, POINTS))  # others go on without it
        orphans = workers_of(running.pid)
        running.kill()
    deadline = time.monotonic() + PATIENCE_S
    while any(Path(f"/proc/{pid}").exists() for pid in orphans):  # they end with their parent
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return parts


def wait_for(parts: Path, count: int) -> list[Path]:
    """The finished parts, once there are so many."""
    deadline = time.monotonic() + PATIENCE_S
    while len(found := list(parts.glob("*.json"))) < count:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return found


def workers_of(pid: int) -> list[int]:
    """The child processes that do the work, oldest first (a watcher of shared resources is another child)."""
    found = []
    with suppress(FileNotFoundError, ProcessLookupError):  # a process may end while one looks
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with suppress(FileNotFoundError, ProcessLookupError):
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return sorted(found)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--data", "prices.csv", "--grid", "targte=1"], "--grid"),
        (["--data", "prices.csv", "--grid", "target="], "--grid"),
        (["--data", "prices.csv"], "--grid"),
        (["--data", "absent.csv", "--grid", "target=2"], "absent.csv"),
        (["--grid", "target=2"], "--data"),
        (["--model", "gmb", "--grid", "target=2"], "--model"),
        (["--data", "prices.csv", "--grid", "target=2", "--set", "speed=1"], "--set"),
        (["--data", "prices.csv", "--grid", "target=2", "--strategy", "startegic"], "startegic"),
        (["--data", "prices.csv", "--grid", "target=2", "--objective", "profit"], "--objective"),
    ],
)
@pytest.mark.usefixtures("data")
def test_a_mistake_is_one_line_and_two(inband: Invoke, arguments: list[str], named: str) -> None:
    """Exit code 2, and the option or the file is named."""
    result = inband("sweep", *arguments)
    assert result.code == 2
    assert named in result.err
    assert len(result.err.strip().splitlines()) == 1
