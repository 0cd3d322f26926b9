"""`sweep` as it is typed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
def test_a_mistake_is_one_line_and_two(data: Path, arguments: list[str], named: str) -> None:
    """Exit code 2, and the option or the file is named."""
    result = sweep(*arguments, where=data)
    assert result.returncode == 2
    assert named in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
