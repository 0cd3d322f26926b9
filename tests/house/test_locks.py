"""The locks: complete, hashed, in step with pyproject.toml, and without the name of a host."""

import re
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
RUNTIME = REPOSITORY / "config" / "runtime.lock"
STUDY = REPOSITORY / "config" / "study.lock"
REQUIREMENTS = REPOSITORY / "config" / "requirements.lock"


def pins(lock: Path) -> dict[str, str]:
    """Each locked package with its version."""
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", lock.read_text(), flags=re.MULTILINE))


def names(requirements: list[str]) -> set[str]:
    """The names of packages, without versions and extras."""
    return {re.split(r"[\[<>=!~; ]", requirement)[0] for requirement in requirements}


@pytest.mark.parametrize("lock", sorted((REPOSITORY / "config").glob("*.lock")), ids=lambda path: path.name)
def test_a_lock_names_no_host(lock: Path) -> None:
    """Where packages come from is the business of the machine that installs them."""
    assert "://" not in lock.read_text()


@pytest.mark.parametrize("lock", sorted((REPOSITORY / "config").glob("*.lock")), ids=lambda path: path.name)
def test_every_package_is_hashed(lock: Path) -> None:
    """Without a hash pip would refuse the whole lock."""
    entries = re.split(r"\n(?=\S)", lock.read_text().strip())
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_locks_hold_what_the_project_asks_for() -> None:
    """A dependency that is named in pyproject.toml and not locked would be missing after the set-up."""
    runtime = names(PROJECT["project"]["dependencies"])
    assert runtime - pins(RUNTIME).keys() == set()
    study = runtime | names(PROJECT["project"]["optional-dependencies"]["study"])
    assert study - pins(STUDY).keys() == set()
    assert (study | names(PROJECT["dependency-groups"]["test"])) - pins(REQUIREMENTS).keys() == set()


def test_the_image_runs_what_was_tested() -> None:
    """The runtime lock is a part of the study's, and that of the full one, version by version."""
    assert pins(RUNTIME).items() <= pins(STUDY).items()
    assert pins(STUDY).items() <= pins(REQUIREMENTS).items()


def test_ccxt_is_locked_to_the_version_the_project_names() -> None:
    """Our knowledge of the protocol is knowledge of one ccxt version."""
    assert f"ccxt=={pins(RUNTIME)['ccxt']}" in PROJECT["project"]["dependencies"]
