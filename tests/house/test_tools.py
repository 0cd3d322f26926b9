"""The tools that judge the whole tree."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["ruff", "check", "--quiet"], id="ruff-check"),
        pytest.param(["ruff", "format", "--check", "--quiet"], id="ruff-format"),
        pytest.param(["mypy", "--no-error-summary"], id="mypy"),
        pytest.param(["lint-imports", "--no-logo"], id="lint-imports"),
    ],
)
def test_finds_nothing(command: list[str]) -> None:
    """Style, format, types and the direction of imports are as pyproject.toml demands."""
    result = subprocess.run(
        [TOOLS / command[0], *command[1:]], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"\n{result.stdout}{result.stderr}"


def test_every_folder_of_the_product_is_a_package() -> None:
    """A folder without __init__.py is invisible to the import contracts."""
    folders = {file.parent for room in ("bot", "strategies") for file in (REPOSITORY / room).rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []
