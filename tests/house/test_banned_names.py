"""Names that only their adapter may use; the table says what everybody else uses."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


class Ban(NamedTuple):
    names: tuple[str, ...]
    instead: str
    allowed_in: tuple[str, ...] = ()


BANS = (
    Ban(
        (
            "time.time",
            "time.time_ns",
            "datetime.datetime.now",
            "datetime.datetime.utcnow",
            "datetime.date.today",
        ),
        "the clock that wiring hands in: market time and wall time are two things",
        (
            "bot/venue/clock.py",
            "bot/simulation/whole/world.py",
            "bot/exchange/desk.py",
            "bot/daemon/main.py",
            "benchmarks/*",
            "tests/*",
        ),
    ),
    Ban(
        ("random.*", "numpy.random.*"),
        "bot.daemon.draws for secrets, a keyed hash for what must repeat",
        (
            "bot/exchange/flow.py",
            "bot/exchange/prices/scenarios.py",
            "bot/simulation/chance.py",
            "bot/simulation/whole/*.py",
            "bot/study/simulate.py",
            "tests/*",
        ),
    ),
    Ban(
        ("secrets.*", "os.urandom", "uuid.*"),
        "bot.daemon.draws, which may be told to repeat",
        (
            "bot/daemon/draws.py",
            "bot/daemon/token.py",
            "bot/exchange/listen_keys.py",
            "bot/journal/*.py",
            "bot/web/*.py",
            "bot/simulation/whole/world.py",
            "tests/*",
        ),
    ),
    Ban(("time.sleep",), "asyncio.sleep", ("benchmarks/*", "tests/*")),
    Ban(
        (
            "time.monotonic",
            "time.monotonic_ns",
            "time.perf_counter",
            "time.perf_counter_ns",
            "time.clock_gettime",
        ),
        "bot.venue.clock.monotonic_s, or the event loop's time: the simulation has its own",
        (
            "bot/daemon/metering.py",
            "bot/exchange/*",
            "bot/journal/pg_session.py",
            "bot/simulation/whole/world.py",
            "bot/venue/clock.py",
            "bot/web/access.py",
            "benchmarks/*",
            "tests/*",
        ),
    ),
    Ban(
        ("socket.socket", "socket.create_*", "asyncio.open_connection", "asyncio.start_server"),
        "what wiring hands in: a session of bot.venue.ccxt_client, or the listener of the daemon",
        (
            "bot/daemon/event_loop.py",
            "bot/daemon/main.py",
            "bot/daemon/notify.py",
            "bot/exchange/*",
            "bot/web/*",
            "benchmarks/*",
            "tests/*",
        ),
    ),
    Ban(
        ("os._exit", "os.kill", "os.abort", "sys.exit"),
        "an exit code that is returned, or an error: only the command line ends a process",
        (
            "bot/__main__.py",
            "bot/_*.py",
            "bot/cli.py",
            "bot/testing_command.py",
            "bot/simulation/whole/__main__.py",
            "bot/study/workers.py",
            "benchmarks/*",
            "tests/*",
        ),
    ),
    Ban(("unittest.mock", "unittest.mock.*", "mock.*"), "a builder, or a fake that ships with the product"),
    Ban(("pickle.*", "marshal.*", "shelve.*"), "JSON: what is stored must be readable in ten years"),
    Ban(("asyncio.get_event_loop",), "asyncio.get_running_loop"),
)


def used_names(source: str) -> Iterator[tuple[int, str]]:
    """Each imported or called name in full, with its line; aliases are resolved."""
    full: dict[str, str] = {}
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                full[alias.asname or top] = alias.name if alias.asname else top
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                full[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield node.lineno, f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            parts = [node.attr]
            value: ast.expr = node.value
            while isinstance(value, ast.Attribute):
                parts.append(value.attr)
                value = value.value
            if isinstance(value, ast.Name) and value.id in full:
                yield node.lineno, ".".join([full[value.id], *reversed(parts)])


def offences(file: str, source: str) -> list[str]:
    """Each use of a banned name in a file, with its line and what to use instead."""
    found = []
    for line, used in used_names(source):
        for ban in BANS:
            named = any(fnmatch(used, banned) for banned in ban.names)
            if named and not any(fnmatch(file, allowed) for allowed in ban.allowed_in):
                found.append(f"{file}:{line}: {used}: use {ban.instead}")
    return sorted(set(found))


def test_no_banned_name_is_used() -> None:
    """Clocks, randomness and the like enter through one door each."""
    rooms = ("bot", "strategies", "tests", "benchmarks")
    files = [file for room in rooms for file in (REPOSITORY / room).rglob("*.py")]
    found = [offence for f in files for offence in offences(str(f.relative_to(REPOSITORY)), f.read_text())]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "from time import time",
        "import datetime as d\nd.datetime.now()",
        "from datetime import datetime\ndatetime.now()",
        "import random\nrandom.random()",
        "from unittest import mock",
    ],
)
def test_the_check_sees_through_aliases(source: str) -> None:
    """However a banned name is imported, it is found."""
    assert offences("bot/core/fund.py", source)


def test_an_adapter_may_use_its_own() -> None:
    """The clock may read the clock."""
    assert offences("bot/venue/clock.py", "import time\ntime.time_ns()") == []
