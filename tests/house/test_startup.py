"""What the first moment of a command costs."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = {
    "ccxt",
    "aiohttp",
    "cryptography",
    "uvloop",
    "sqlite3",
    "numpy",
    "bot.venue",
    "bot.exchange",
    "bot.journal",
}


def imported(*arguments: str) -> set[str]:
    """Every module that a command imports, by the interpreter's own account."""
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bot", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    lines = [line for line in result.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["status", "--help"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """Help is quick: a command imports its room when it runs."""
    modules = imported(*arguments)
    assert "bot" in modules
    assert modules & HEAVY == set()


def test_every_command_shows_an_example() -> None:
    """The help of each command ends with a line one can copy."""
    from bot.cli import app

    commands = [command.callback for command in app.registered_commands]
    assert commands
    for command in app.registered_commands:
        assert "Example: " in (command.epilog or ""), command
