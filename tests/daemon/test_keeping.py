"""Projections are kept while funds are at work, by a real process beside the one that writes."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from bot.core.records import Record, Sampled
from bot.core.units import ONE
from bot.daemon.keeping import ProjectionKeeper, keep_at_stop
from bot.journal import projections
from bot.journal.journal import Identity
from bot.journal.keeping import Task
from bot.journal.sqlite import SqliteJournal, open_journal
from bot.settings import Settings, load_settings
from bot.testing import Lab
from tests.support.desk import Desk

from .conftest import Logged

MANY = projections.WORTH_KEEPING


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The default ones, in a folder of the test's own."""
    return load_settings({}, tmp_path)


@pytest.fixture
def journal(settings: Settings) -> Iterator[SqliteJournal]:
    """The journal of a fund that has opened, held by its writer."""
    lab = Lab()
    lab.settle()
    with open_journal(settings.data_dir, Identity("paper", "binanceusdm@paper"), None, 0) as journal:
        journal.append("BTCUP", lab.records, 1)
        yield journal


def hours(count: int, after: int = 10**9) -> tuple[Record, ...]:
    """So many samples."""
    return tuple(Sampled(after + n, ONE, None) for n in range(count))


async def test_a_long_run_leaves_a_short_tail(settings: Settings, journal: SqliteJournal, desk: Desk) -> None:
    """After many records what they fold to is there, and a start folds only the few that came later."""
    keeper, runner = ProjectionKeeper(settings, every=MANY), desk.runner()
    for start in range(0, MANY, 500):
        records = hours(500, 10**9 + start)
        journal.append("BTCUP", records, 1)
        keeper.heard(runner, records)
    await keeper.look()
    journal.append("BTCUP", hours(9, 2 * 10**9), 1)

    assert projections.load(journal, "BTCUP").tail == 9
    assert projections.differences(journal, "BTCUP") == []


async def test_few_records_are_not_worth_a_process(
    settings: Settings, journal: SqliteJournal, desk: Desk
) -> None:
    """Nothing is kept until there is enough of it."""
    keeper = ProjectionKeeper(settings, every=MANY)
    journal.append("BTCUP", hours(MANY), 1)
    keeper.heard(desk.runner(), hours(MANY - 1))
    await keeper.look()
    assert journal.projection("BTCUP", "book") is None


async def test_what_cannot_be_kept_is_told(tmp_path: Path, desk: Desk, logged: Logged) -> None:
    """Without a journal to read, the log says why; the fund goes on, and it is tried again later."""
    keeper = ProjectionKeeper(load_settings({}, tmp_path), every=1)
    keeper.heard(desk.runner(), hours(1))
    await keeper.look()
    (line,) = [line for line in logged() if line["event"] == "projections_not_kept"]
    assert "no journal" in line["reason"]
    await keeper.look()
    assert len(logged()) == 1


def test_a_stop_keeps_what_a_run_wrote(journal: SqliteJournal) -> None:
    """The next start has nothing to fold."""
    journal.append("BTCUP", hours(MANY), 1)
    keep_at_stop(journal, ["BTCUP"])
    assert projections.load(journal, "BTCUP").tail == 0


def test_a_stop_does_not_fail_by_what_it_cannot_keep(journal: SqliteJournal, logged: Logged) -> None:
    """It says so instead."""
    journal.append("BTCUP", hours(MANY), 1)
    journal.connection.execute("DROP TABLE projection")
    keep_at_stop(journal, ["BTCUP"])
    assert [line["event"] for line in logged()] == ["projections_not_kept"]


@pytest.mark.parametrize("after_s", [0.0, 0.2, 0.5, 0.8])
def test_a_keeper_may_die_at_any_time(settings: Settings, journal: SqliteJournal, after_s: float) -> None:
    """Killed, it leaves a journal that takes records on, and projections that are whole or absent."""
    journal.append("BTCUP", hours(MANY), 1)
    task = Task(str(settings.data_dir), None, None, ["BTCUP"])
    with subprocess.Popen([sys.executable, "-m", "bot.journal.keeping"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(orjson.dumps([*task]))
        process.stdin.close()
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            process.kill()
    journal.append("BTCUP", hours(1, 2 * 10**9), 1)
    assert projections.load(journal, "BTCUP").tail in {1, journal.position("BTCUP")}
    assert projections.differences(journal, "BTCUP") == []
