"""New settings for funds that run: judged whole, taken over whole, or not at all."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.core.history import RebalanceHistory
from bot.core.process_records import Configured
from bot.daemon.operations import Operations
from bot.daemon.reload import Reloader, reload_on_hangup
from bot.daemon.runner import Runner
from bot.errors import RefusedError
from bot.settings import Settings, SettingsError, load_settings
from tests.daemon.conftest import Logged
from tests.support.desk import Desk


class Files:
    """Settings as a user edits them."""

    def __init__(self, folder: Path) -> None:
        """The shipped ones, with one fund."""
        self.folder = folder
        self.variables = {"INBAND_FUNDS__BTCDOWN__ENABLED": "false"}

    def __call__(self) -> Settings:
        """Read and judge them."""
        return load_settings(self.variables, self.folder)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Shipped settings."""
    return Files(tmp_path)


def reloader(runner: Runner, files: Files, taken: Callable[[Settings], None]) -> Operations:
    """One fund at work by these settings."""
    operations = Operations("paper")
    operations.add(runner, RebalanceHistory(runner.name))
    operations.reloader = Reloader(files(), files, operations, taken)
    return operations


async def test_a_changed_band_is_taken_over_and_on_record(desk: Desk, files: Files) -> None:
    """With author and reason; the names that changed are the answer, and the values show from then on."""
    runner = await desk.opened()
    await desk.until_flat_out(runner)
    taken: list[Settings] = []
    operations = reloader(runner, files, taken.append)
    files.variables["INBAND_FUNDS__BTCUP__BAND"] = "[1.7, 2.9]"
    told = operations.reload("ann", "narrower")
    assert told == {"changed": ["INBAND_FUNDS__BTCUP__BAND"], "waiting": []}
    assert [str(edge) for edge in runner.state.fund.band] == ["1.7", "2.9"]
    (record,) = [record for record in desk.records if isinstance(record, Configured)]
    assert (record.author, record.why, record.digest) == ("ann", "narrower", files().digest("BTCUP"))
    assert taken[0].funds[0].band == runner.state.fund.band
    shown = {entry["name"]: entry["value"] for entry in operations.configuration()}
    assert shown["INBAND_FUNDS__BTCUP__BAND"] == "[1.7, 2.9]"
    assert operations.reload("ann", "again") == {"changed": [], "waiting": []}


async def test_routes_and_the_heartbeat_are_taken_over(desk: Desk, files: Files) -> None:
    """A new route is told from then on, and its address is a secret like those of the start."""
    runner = await desk.opened()
    await desk.until_flat_out(runner)
    operations = reloader(runner, files, lambda _: None)
    files.variables |= {
        "INBAND_ROUTES__PHONE__URL": "json://127.0.0.1:9/a-new-address",
        "INBAND_ALERTS__HEARTBEAT_URL": "http://127.0.0.1:9/a-new-heart",
    }
    told = operations.reload("ann", "a new phone")
    assert {"INBAND_ROUTES__PHONE__URL", "INBAND_ALERTS__HEARTBEAT_URL"} <= set(told["changed"])
    secrets = operations.unpublished()
    assert {"json://127.0.0.1:9/a-new-address", "http://127.0.0.1:9/a-new-heart"} <= set(secrets)


async def test_a_fund_that_rebalances_takes_it_over_later(desk: Desk, files: Files) -> None:
    """The answer names it."""
    runner = await desk.opened()
    operations = reloader(runner, files, lambda _: None)
    files.variables["INBAND_FUNDS__BTCUP__BAND"] = "[1.7, 2.9]"
    assert operations.reload("ann", "narrower")["waiting"] == ["BTCUP"]
    assert str(runner.state.fund.band[0]) == "1.5"
    await desk.until_flat_out(runner)
    assert str(runner.state.fund.band[0]) == "1.7"


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("FUNDS__BTCUP__BAND", "[3, 1]", "reversed"),
        ("FUNDS__BTCUP__CAPITAL", "5", "CAPITAL: takes a restart"),
        ("FUNDS__BTCDOWN__ENABLED", "true", "takes a restart"),
        ("WEB__PORT", "9", "WEB__PORT: takes a restart"),
        ("WEB__TOKEN", "a-token-that-is-new", "takes a restart"),
        ("ACCOUNTS__UP__SECRET", "another", "a key or token"),
        ("FUNDS__BTCUP__EMERGENCY", "4.5", "needs venue leverage 7"),
    ],
)
async def test_what_cannot_be_taken_over_changes_nothing(
    desk: Desk, files: Files, name: str, value: str, problem: str
) -> None:
    """Neither a mistake nor what takes a restart, and nothing beside it either."""
    runner = await desk.opened()
    await desk.until_flat_out(runner)
    operations = reloader(runner, files, lambda _: None)
    before = runner.state.fund
    files.variables |= {"INBAND_FUNDS__BTCUP__TARGET": "[2, 2.1]", f"INBAND_{name}": value}
    with pytest.raises((RefusedError, SettingsError), match=problem.replace("[", r"\[")):
        operations.reload("ann", "why")
    assert runner.state.fund is before
    assert "another" not in str(operations.configuration())


async def test_a_fund_that_stopped_must_be_restarted(desk: Desk, files: Files) -> None:
    """Whatever the settings say."""
    runner = await desk.opened()
    operations = reloader(runner, files, lambda _: None)
    runner.failure = "OSError"
    with pytest.raises(RefusedError, match="BTCUP has stopped"):
        operations.reload("ann", "why")


def test_a_daemon_that_starts_cannot_reload(logged: Logged) -> None:
    """It says so, also in the log, and shows no settings yet."""
    operations = Operations("paper")
    with pytest.raises(RefusedError, match="still starting"):
        operations.reload("ann", "why")
    assert operations.configuration() == []
    (line,) = logged()
    assert (line["event"], line["author"], line["why"]) == ("reload_refused", "ann", "why")
    operations.stand_by("standby: host:7 (UP) sends for the accounts")
    with pytest.raises(RefusedError, match=r"standby: host:7 .*; restart this process, and it reads"):
        operations.reload("ann", "why")


async def test_a_hangup_reloads(desk: Desk, files: Files, logged: Logged) -> None:
    """As `systemctl reload` asks; what is wrong is told by the log."""
    runner = await desk.opened()
    await desk.until_flat_out(runner)
    operations = reloader(runner, files, lambda _: None)
    reload_on_hangup(operations)
    for band, ending in (("[1.7, 2.9]", "reloaded"), ("[3, 1]", "reload_refused")):
        files.variables["INBAND_FUNDS__BTCUP__BAND"] = band
        os.kill(os.getpid(), signal.SIGHUP)
        async with asyncio.timeout(60):
            while logged()[-1]["event"] != ending:  # noqa: ASYNC110 - the log has no event
                await asyncio.sleep(0.01)
    asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
    events = [line["event"] for line in logged()]
    assert events[-3:] == ["settings_changed", "reloaded", "reload_refused"]
    assert [line["author"] for line in logged()[-2:]] == ["signal", "signal"]
    assert str(runner.state.fund.band[0]) == "1.7"
