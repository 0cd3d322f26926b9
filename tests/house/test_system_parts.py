"""What tests/conftest.py does with a part of the system that is absent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

# A suite whose one part of the system is nowhere.
SUITE = """
import os
import pytest
from tests import conftest

conftest.PARTS["a-part"] = lambda: False

@pytest.mark.needs("a-part")
def test_with_it():
    assert True

def test_without():
    assert [name for name in os.environ if name.startswith("INBAND_")] == []
"""


def run_suite(folder: Path, source: str = SUITE, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on a suite of its own, with the rules of this one."""
    (folder / "test_it.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = needs(part): as here\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        "-p",
        "no:randomly",
        "-p",
        "no:schemathesis",
        "-p",
        "no:anyio",
        "-q",
        "test_it.py",
    ]
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_absent_part_skips_and_is_named(tmp_path: Path) -> None:
    """The summary says which part was absent and how many tests that has cost."""
    result = run_suite(tmp_path)
    assert result.returncode == 0, result.stdout
    assert "a-part: 1 test not run" in result.stdout


def test_where_nothing_may_skip_an_absent_part_fails(tmp_path: Path) -> None:
    """INBAND_TEST_ALLOW_SKIPS=0 makes a failure of every skip."""
    result = run_suite(tmp_path, INBAND_TEST_ALLOW_SKIPS="0")
    assert result.returncode == 1
    assert "forbids: Skipped: needs a-part" in result.stdout


@pytest.mark.parametrize(
    "source",
    [
        "import pytest\ndef test_it(): pytest.skip('so')",
        "import pytest\npytest.skip('so', allow_module_level=True)",
    ],
)
def test_where_nothing_may_skip_no_other_skip_passes(tmp_path: Path, source: str) -> None:
    """A skip by hand, of a test or of a module, fails as well."""
    assert run_suite(tmp_path, source, INBAND_TEST_ALLOW_SKIPS="0").returncode != 0


def test_an_unknown_part_fails(tmp_path: Path) -> None:
    """A misspelt part would skip for ever."""
    result = run_suite(tmp_path, "import pytest\n@pytest.mark.needs('chromiun')\ndef test_it(): assert True")
    assert result.returncode == 1
    assert "unknown system part 'chromiun'" in result.stdout


def test_settings_of_the_user_do_not_reach_tests(tmp_path: Path) -> None:
    """INBAND_ variables are gone before the first test."""
    assert run_suite(tmp_path, INBAND_MODE="live").returncode == 0
