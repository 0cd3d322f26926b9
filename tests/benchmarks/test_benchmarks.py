import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from benchmarks.processes import Daemon, settings

REPOSITORY = Path(__file__).resolve().parents[2]

FIGURES = {
    "sweep": {
        "Monte Carlo, gbm, strategic UP",
        "memory, ten times the paths",
        "cluster of two workers",
    },
    "study": {"W1 kernel, NAV series", "W1 live core, strategic", "W2 kernel", "cold backtest from parquet"},
    "core": {"mark inside the hold region", "decision and first slice, above the band"},
    "simulation": {"one fund, faults on: simulated seconds per CPU second"},
    "wire": {"mark bytes in to signed order", "mark bytes in to order bytes out, records durable in between"},
    "journal": {
        "durable append, SQLite",
        "fold of a year",
        "year read from disk and folded",
        "open on a year with what is kept",
    },
    "startup": {
        "--help",
        "first mark in a fund",
        "recovery: all funds at work",
        "recovery: next order sent",
        "memory, exchange elsewhere",
        "memory, exchange embedded",
    },
    "funds": {"4 funds on 2 symbols, one mark a second each"},
    "replay": {"two funds at SPEED=max"},
    "matching": {"orders in ticks and lots, one level each", "orders as the venue calls it, one level each"},
    "readers": {
        "delay of a decision with 20 readers of the stream, p99",
        "query over 1 years of NAV, 1h",
    },
    "page": {"fund usable, second visit", "20 open dashboards, one mark a second"},
    "streams": {"mark frame to 50 sockets, 500 a second: delay"},
    "exchange": {"ccxt order round trip", "signed orders, server on one core", "memory after all orders"},
}


@cache
def _run(name: str) -> list[dict[str, Any]]:
    command = [sys.executable, f"benchmarks/{name}.py", "--tiny"]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=900)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.needs("chromium")) if name == "page" else name for name in FIGURES],
)
def test_a_benchmark_prints_its_figures_as_json_lines(name: str) -> None:
    """Each figure states value, unit, spread, limit, baseline and ratio, and what was measured where."""
    lines = _run(name)
    assert {line["figure"] for line in lines} >= FIGURES[name]
    for line in lines:
        assert line["benchmark"] == name
        assert line["value"] >= 0
        assert line["unit"]
        low, high = line["spread"]
        assert low <= line["value"] <= high
        assert line["samples"] > 0
        assert (line["limit"] is None) == (line["met"] is None)
        assert (line["baseline"] is None) == (line["ratio"] is None)
        assert line["commit"]
        assert line["python"]
        assert line["cpu"]


def test_every_script_is_run_by_the_runner() -> None:
    """`python -m benchmarks` leaves none out."""
    folder = REPOSITORY / "benchmarks"
    runner = (folder / "__main__.py").read_text()
    scripts = [file.stem for file in folder.glob("*.py") if "main(measure)" in file.read_text()]
    assert set(scripts) - {"__main__"} == set(FIGURES)
    assert all(name in runner for name in FIGURES)


def test_what_goes_wrong_is_not_measured_in_silence(tmp_path: Path) -> None:
    """A daemon that warns of something fails the benchmark, unless that is expected of it."""
    environment = settings(tmp_path, paper__speed="max", funds__btcup__target="[1.6, 2.6]")
    with (
        pytest.raises(RuntimeError, match=r"went wrong: .*setting_questionable"),
        Daemon(["run"], environment) as daemon,
    ):
        daemon.event("running")
    with Daemon(["run"], environment, frozenset({"setting_questionable"})) as daemon:
        daemon.event("running")


def test_help_does_not_import_ccxt() -> None:
    """The command line answers without the half second and the 100 MB that ccxt costs."""
    (line,) = [line for line in _run("startup") if line["figure"] == "--help"]
    assert line["imports_ccxt"] is False
