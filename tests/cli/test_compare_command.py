"""`compare` as it is typed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke

REPOSITORY = Path(__file__).resolve().parents[2]
LITTLE = ["--target-seeds", "2", "--starts", "2", "--resamples", "2"]


def compare(*arguments: str, where: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    command = [sys.executable, "-m", "bot", "compare", *arguments]
    environment = {"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin", "HOME": str(where)}
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six days of hours."""
    rows = [f"{1_600_000_000_000 + 3_600_000 * hour},{100 + hour % 17}" for hour in range(150)]
    file = tmp_path / "prices.csv"
    file.write_text("timestamp,close\n" + "\n".join(rows) + "\n")
    return file


def test_it_writes_a_report_and_prints_both_tables(data: Path) -> None:
    """To data/compare.html unless told otherwise."""
    result = compare("--data", "prices.csv", *LITTLE, where=data.parent)
    assert result.returncode == 0, result.stderr
    assert (data.parent / "data" / "compare.html").stat().st_size > 1_000_000
    for words in ("UP", "DOWN", "strategic", "corridor about 2.2x", "data/compare.html"):
        assert words in result.stdout


def test_json_is_for_programs(data: Path) -> None:
    """Standard output is one object, and nothing else."""
    result = compare("--data", "prices.csv", "--json", "--report", "r.html", *LITTLE, where=data.parent)
    found = json.loads(result.stdout)
    assert found["report"] == "r.html"
    assert set(found["sides"]) == {"long", "short"}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--data", "absent.csv"], "absent.csv"),
        (["--data", "prices.csv", "--band", "3", "1.5"], "--band"),
        (["--data", "prices.csv", "--target", "1", "2"], "--target"),
        (["--data", "prices.csv", "--resamples", "0"], "--resamples"),
        (["--data", "prices.csv", "--report", "prices.csv/x.html", *LITTLE], "prices.csv/x.html"),
    ],
)
@pytest.mark.usefixtures("data")
def test_a_mistake_is_one_line_and_two(inband: Invoke, arguments: list[str], named: str) -> None:
    """Exit code 2, and the option or the file is named."""
    result = inband("compare", *arguments)
    assert result.code == 2
    assert named in result.err
    assert len(result.err.strip().splitlines()) == 1
