"""Rules of the whole suite: the system parts a test may need, and an environment without settings.

`@pytest.mark.needs("shared")` skips a test where that part is absent, and the summary names each absent part.
With `INBAND_TEST_ALLOW_SKIPS=0` a skip of any kind is a failure; with `INBAND_TEST_SOAK=1` soaks are long.
"""

import os
import shutil
from asyncio import AbstractEventLoop
from collections import Counter
from collections.abc import Callable, Generator
from decimal import Context, setcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.examples import SOAK, USUAL
from tests.support.patient_loop import PatientLoop

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"

PARTS: dict[str, Callable[[], bool]] = {
    "chromium": lambda: shutil.which("chromium") is not None,
    "git": lambda: shutil.which("git") is not None,
    "prometheus": lambda: shutil.which("promtool") is not None,
    "postgresql": lambda: any(Path("/usr/lib/postgresql").glob("*/bin/postgres")),
    "systemd": lambda: shutil.which("systemd-analyze") is not None,
    "shared": SHARED_DATA.is_dir,
}
"""System parts by name, each with what finds it."""

_SKIPS_ALLOWED = pytest.StashKey[bool]()
_SOAK = pytest.StashKey[bool]()
_ABSENT = pytest.StashKey[Counter[str]]()

# The machine is shared: how long one example takes, or is made, says nothing.
for name, most in (("usual", USUAL), ("soak", SOAK)):
    settings.register_profile(
        name, deadline=None, max_examples=most, suppress_health_check=[HealthCheck.too_slow]
    )


def pytest_configure(config: pytest.Config) -> None:
    """Take every INBAND_ variable out of the environment, so that no test depends on the user's settings."""
    # A worker of pytest-xdist inherits an environment that was cleaned already: it is told.
    wishes = getattr(config, "workerinput", os.environ)
    config.stash[_SKIPS_ALLOWED] = wishes.get("INBAND_TEST_ALLOW_SKIPS", "1") != "0"
    config.stash[_SOAK] = wishes.get("INBAND_TEST_SOAK", "0") == "1"
    config.stash[_ABSENT] = Counter()
    settings.load_profile("soak" if config.stash[_SOAK] else "usual")
    for name in [name for name in os.environ if name.upper().startswith("INBAND_")]:
        del os.environ[name]


@pytest.fixture(autouse=True)
def arithmetic() -> None:
    """Each test rounds as a fresh process does: a bare ccxt client in one before it changed the context."""
    setcontext(Context())


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories() -> dict[str, Callable[[], AbstractEventLoop]]:
    """No timeout of a test is over because the machine did something else."""
    return {"patient": PatientLoop}


SLOW_FIRST = (
    *("soak", "acceptance", "mutants", "house", "page", "faults", "benchmarks", "conformance"),
    *("cli", "simulation", "exchange"),
)
"""Rooms whose tests take long or start processes, and wait: begun last they would run alone at the end."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow rooms first, each in the order that chance gave it."""
    rooms = {room: place for place, room in enumerate(SLOW_FIRST)}
    items.sort(key=lambda item: rooms.get(item.path.parent.name, len(rooms)))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the wishes that came by the environment on to a worker of pytest-xdist."""
    node.workerinput["INBAND_TEST_ALLOW_SKIPS"] = "1" if node.config.stash[_SKIPS_ALLOWED] else "0"
    node.workerinput["INBAND_TEST_SOAK"] = "1" if node.config.stash[_SOAK] else "0"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs a part of the system which is absent."""
    for mark in item.iter_markers("needs"):
        for part in mark.args:
            if part not in PARTS:
                pytest.fail(
                    f"unknown system part {part!r}: add it to PARTS in tests/conftest.py", pytrace=False
                )
            _need(item.config, part)


def _need(config: pytest.Config, part: str) -> None:
    if not PARTS[part]():
        config.stash[_ABSENT][part] += 1
        pytest.skip(f"needs {part}, which is not installed")


@pytest.fixture(scope="session")
def soak(pytestconfig: pytest.Config) -> bool:
    """Whether this run takes its time (`INBAND_TEST_SOAK=1`, as in .ci/run): more seeds, more kills."""
    return pytestconfig.stash[_SOAK]


@pytest.fixture(scope="session")
def shared_data(request: pytest.FixtureRequest) -> Path:
    """The folder of real market data beside the checkout; skips the test where it is absent."""
    _need(request.config, "shared")
    return SHARED_DATA


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where nothing may skip, make a failure of a skip."""
    report = yield
    _forbid_skip(item.config, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Where nothing may skip, make a failure of a module that skips as a whole."""
    report = yield
    _forbid_skip(collector.config, report)
    return report


def _forbid_skip(config: pytest.Config, report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and not config.stash[_SKIPS_ALLOWED]:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        report.outcome = "failed"
        report.longrepr = f"INBAND_TEST_ALLOW_SKIPS=0 forbids: {reason}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the system parts that were absent, with the number of tests each has cost."""
    absent = config.stash[_ABSENT]
    if absent:
        terminalreporter.section("absent system parts")
        for part, count in sorted(absent.items()):
            terminalreporter.line(f"{part}: {count} {'test' if count == 1 else 'tests'} not run")
