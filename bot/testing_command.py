"""`python3 -m bot test`: run the test suite with pytest."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import NoReturn

REPOSITORY = Path(__file__).resolve().parent.parent


def run(arguments: list[str]) -> NoReturn:
    """Become pytest, with `arguments` passed on, in the root of the checkout.

    The whole suite is spread over processes, two more than there are cores, for many tests wait; files go to
    them in the order of tests/conftest.py, which has the slow ones first.

    Exits 2 with one line where there is no checkout (an installed package carries no tests) or no pytest.
    """
    if not (REPOSITORY / "tests").is_dir():
        _refuse("the tests are not installed with the package: run `python3 -m bot test` in a clone")
    if importlib.util.find_spec("pytest") is None:
        _refuse(f"pytest is missing in {sys.prefix}: run `python3 -m bot test` with a Python outside it")
    os.chdir(REPOSITORY)
    # Hundreds of processes start from this checkout; what one of them compiles none shall compile again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    processes = str((os.cpu_count() or 1) + 2)
    spread = [] if arguments else ["-n", processes, "--dist", "loadscope", "--no-loadscope-reorder"]
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *spread, *arguments])  # noqa: S606 - no shell is wanted


def _refuse(message: str) -> NoReturn:
    sys.stderr.write(f"error: {message}\n")
    sys.exit(2)
