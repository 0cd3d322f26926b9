"""Known-bad variants of the product: each must be caught, by the check that is there for it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.mutants.hunts import HUNTS, hunt

REPOSITORY = Path(__file__).resolve().parents[2]
PATCHES = {file.stem: file for file in sorted(Path(__file__).parent.glob("*.patch"))}
BY_NAMED_TEST = {
    "retry-in-ccxt": (
        "tests/venue/test_account_orders.py",
        "not_proven",
        ("assert stub.count(ORDER) == 1",),
    ),
    "leaks": (
        "tests/acceptance/test_leaks.py",
        "gets_out",
        (
            "leak: target in log",
            "leak: target in alerts",
            "leak: target in GET /metrics",
            "leak: target in GET /api/v1/funds (None)",
            "leak: target in page's answers (None)",
            "leak: target in db export",
            "leak: target in file journal.sqlite",
            "leak: target in file alerts.sqlite",
            "leak: target in file backup.sqlite",
        ),
    ),
}
"""Mutants of what the simulation does without: a test file, which of its tests, and how they must fail."""


class Hunk(NamedTuple):
    """One place of a patch: the lines that are there, and those that replace them."""

    file: str
    before: str
    after: str


def hunks(patch: str) -> list[Hunk]:
    """The places of a unified diff; line numbers do not count, only the text does."""
    found: list[Hunk] = []
    file = ""
    for line in patch.splitlines(keepends=True):
        if line.startswith("+++ b/"):
            file = line.removeprefix("+++ b/").strip()
        elif line.startswith("@@"):
            found.append(Hunk(file, "", ""))
        elif found and file and not line.startswith("--- "):
            mark, text = line[0], line[1:]
            last = found[-1]
            found[-1] = last._replace(
                before=last.before + (text if mark in " -" else ""),
                after=last.after + (text if mark in " +" else ""),
            )
    return found


def mutate(tree: Path, patch: str) -> None:
    """Apply a patch; each of its places must be there exactly once."""
    for hunk in hunks(patch):
        file = tree / hunk.file
        text = file.read_text()
        assert text.count(hunk.before) == 1, (
            f"{hunk.file} has changed: bring the patch up to date\n{hunk.before}"
        )
        file.write_text(text.replace(hunk.before, hunk.after))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the product and its tests."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for room in ("bot", "strategies", "tests"):
        shutil.copytree(REPOSITORY / room, tmp_path / room, ignore=ignored)
    shutil.copytree(REPOSITORY / "config", tmp_path / "config", ignore=shutil.ignore_patterns("*.lock"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    return tmp_path


def run(tree: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python in the copy, and on it alone."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", HUNTS)
def test_the_judge_catches_the_mutant(tree: Path, name: str) -> None:
    """In worlds that bring the mistake out, it names the invariant that the mistake breaks."""
    mutate(tree, PATCHES[name].read_text())
    done = run(tree, "-m", "tests.mutants.hunts", name)
    assert done.returncode == 0, done.stderr
    caught = json.loads(done.stdout)
    assert caught is not None, "nobody noticed"
    assert caught[1] == HUNTS[name].code


@pytest.mark.parametrize("name", BY_NAMED_TEST)
def test_a_named_test_catches_the_mutant(tree: Path, name: str) -> None:
    """It fails for the reason that it is there for."""
    mutate(tree, PATCHES[name].read_text())
    file, which, failures = BY_NAMED_TEST[name]
    done = run(tree, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", file, "-k", which)
    assert done.returncode == 1, done.stdout + done.stderr
    assert [failure for failure in failures if failure not in done.stdout] == []


@pytest.mark.parametrize("name", [name for name, found in HUNTS.items() if found.script or found.strikes])
def test_the_product_itself_comes_through_the_hunt(name: str) -> None:
    """What catches a mutant is the mutation: in the same worlds the product breaks nothing."""
    assert hunt(name, range(3)) is None


def test_every_patch_has_its_test() -> None:
    """No mutant lies about, and none is tested that is not there."""
    assert PATCHES.keys() == HUNTS.keys() | BY_NAMED_TEST.keys()
    assert len(PATCHES) >= 10
    for name, wanted in HUNTS.items():
        assert f"Caught by: simulation, {wanted.code}." in PATCHES[name].read_text()


def test_a_patch_whose_place_is_gone_fails_loudly(tree: Path) -> None:
    """A mutant that no longer applies must not pass for one that was caught."""
    patch = PATCHES["id-used-again"].read_text().replace("orders", "commands")
    with pytest.raises(AssertionError, match="has changed"):
        mutate(tree, patch)
