import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot import cli
from tests.support.patience import PATIENCE_S

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str


Invoke = Callable[..., Answer]


@pytest.fixture
def inband(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    """Run a command in this process, in an empty folder, with these variables (without the prefix)."""

    def inband(*arguments: str, **variables: str) -> Answer:
        monkeypatch.chdir(tmp_path)
        for name, value in variables.items():
            monkeypatch.setenv(f"INBAND_{name}", value)
        code = cli.invoke(list(arguments))
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return inband


def command_line(*arguments: str) -> list[str]:
    """The command as a process of its own, with this Python."""
    return [sys.executable, "-m", "bot", *arguments]


def environment(**variables: str) -> dict[str, str]:
    """Variables for a process: ours, without set-up, and these (without the prefix)."""
    base = {**os.environ, "BOT_NO_BOOTSTRAP": "1", "PYTHONPATH": str(REPOSITORY)}
    return base | {f"INBAND_{name}": value for name, value in variables.items()}


@pytest.fixture
def process(tmp_path: Path) -> Invoke:
    """Run a command as a process of its own, in an empty folder."""

    def process(*arguments: str, **variables: str) -> Answer:
        done = subprocess.run(
            command_line(*arguments),
            cwd=tmp_path,
            env=environment(**variables),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    return process
