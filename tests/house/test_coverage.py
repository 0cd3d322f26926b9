"""The heart is covered whole: every line and every branch, by its own tests alone, and none of it by luck."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
WALKS = ("tests/core/test_promises.py", "tests/core/test_flow_promises.py")


def test_the_core_and_the_strategies_are_covered_to_the_last_branch(tmp_path: Path) -> None:
    """What no test of these rooms reaches is not specified. Random walks reach much, and specify little."""
    assert all((REPOSITORY / file).is_file() for file in WALKS)
    data = f"--data-file={tmp_path / 'coverage'}"
    cover = ["run", data, "--branch", "--source=bot/core,strategies", "-m", "pytest", "-q", "-p", "no:cov"]
    runs = (
        [*cover, "tests/core", "tests/strategies", *(f"--ignore={file}" for file in WALKS)],
        ["report", data, "--show-missing", "--fail-under=100"],
    )
    for arguments in runs:
        result = subprocess.run(
            [sys.executable, "-m", "coverage", *arguments],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr
