"""README and the other pages: their commands run, and what they point to is there."""

import re
import shlex
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.inband import Process

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
LONG_RUNNING = ("run", "exchange")
AT_WORK = ('"event": "running"', '"event":"running"', "Paper exchange at http://")
"""What a command that ends only when it is stopped says once it is at work."""
PATIENCE_S = 900
SET_UP = ("git clone", "cd ", "docker ", "python3 -m bot test", ".ci/run")
"""Commands that fetch, build or test the whole: .ci/run and the tests of the container do those."""


class Command(NamedTuple):
    line: int
    text: str


def commands(page: Path) -> list[Command]:
    """Each line `$ ...` in a fenced block `console` or `sh`; a closing backslash joins the next line."""
    found = []
    fence = ""
    lines = page.read_text().splitlines()
    for number, line in enumerate(lines, start=1):
        if line.lstrip().startswith("```"):
            fence = "" if fence else line.strip().removeprefix("```") or "text"
        elif fence in {"console", "sh"} and line.startswith("$ "):
            text, following = line[2:], number
            while text.endswith("\\"):
                text = text[:-1] + lines[following].strip()
                following += 1
            found.append(Command(number, text))
    return found


def is_long_running(text: str) -> bool:
    """Whether the command ends only when it is stopped."""
    words = [word for word in shlex.split(text) if "=" not in word]
    after = words[words.index("bot") + 1 :] if "bot" in words else words[1:]
    return (
        (not after or after[0] in LONG_RUNNING) and "EXIT_AT_END=true" not in text and "--help" not in after
    )


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment whose `python3` is this one, with a data folder and a port of its own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("python3", "python"):
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        (folder / name).chmod(0o755)
    (folder / "inband").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m bot "$@"\n')
    (folder / "inband").chmod(0o755)
    return {
        "PATH": f"{folder}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "INBAND_DATA_DIR": str(tmp_path / "data"),
        "INBAND_WEB__PORT": "0",
    }


def run(text: str, environment: dict[str, str]) -> tuple[int, str]:
    """Run one command as a reader would, and give its exit code and output."""
    done = subprocess.run(
        ["/bin/sh", "-c", text],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout


def run_and_stop(text: str, environment: dict[str, str]) -> tuple[int, str]:
    """The same for one that runs for ever: it is stopped when it is at work."""
    command = ["/bin/sh", "-c", f"exec env {text}"]
    with Process(command, environment, Path(environment["HOME"])) as process:
        process.until(lambda: any(said in process.stdout for said in AT_WORK), what="it was at work")
        code = process.signal(signal.SIGTERM)
        return code, process.stdout + process.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_work(
    page: Path, home: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """In the order of the page each ends with 0; one that runs for ever does so when it is told to stop."""
    for command in commands(page):
        if command.text.startswith(SET_UP):
            continue
        if "../shared" in command.text:
            request.getfixturevalue("shared_data")
        code, output = (run_and_stop if is_long_running(command.text) else run)(command.text, home)
        assert code == 0, f"{page.name}:{command.line}: {command.text}\n{output[-2000:]}"


def test_the_readme_shows_the_two_commands() -> None:
    """What a newcomer types: one command runs the real thing, one runs the tests."""
    texts = [command.text for command in commands(REPOSITORY / "README.md")]
    assert "python3 -m bot" in texts
    assert "python3 -m bot test" in texts


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    """Links within the checkout, and paths in code marks, exist."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", text)
    paths = re.findall(r"`((?:bot|strategies|config|tests|docs|benchmarks|\.ci)/[\w./-]+)`", text)
    missing = [link for link in links if not (page.parent / link).exists()]
    missing += [path for path in paths if not (REPOSITORY / path).exists()]
    assert missing == []


def test_the_changelog_is_kept() -> None:
    """Unreleased stands first, then versions with dates, newest first; sections are the usual ones."""
    text = (REPOSITORY / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    dates = [re.fullmatch(r"\[\d+\.\d+\.\d+\] - (\d{4}-\d{2}-\d{2})", heading) for heading in headings[1:]]
    assert all(dates)
    assert [m[1] for m in dates if m] == sorted((m[1] for m in dates if m), reverse=True)
    usual = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, flags=re.MULTILINE)) <= usual


def test_the_licence_is_the_one_the_project_names() -> None:
    """pyproject.toml and LICENSE agree."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert (REPOSITORY / "LICENSE").read_text().startswith(f"{project['license']} License")
