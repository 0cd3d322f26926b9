import importlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.cli_errors import EXIT_CODES, explain
from bot.core import records as rec
from bot.core.units import Side, Urgency
from bot.journal.journal import Identity
from bot.journal.sqlite import open_journal
from tests.cli.conftest import Invoke

COMMANDS = ("run", "status", "history", "config", "exchange", "exchanges", "test")


def journal_with_one_rebalance(data_dir: Path) -> None:
    """A paper journal in which BTCUP has opened."""
    records: list[rec.Record] = [
        rec.FundCreated(1000, "BTCUP", "BTCUSDT", Side.LONG, Decimal(1000), Decimal(0), "i", "k"),
        rec.RebalanceStarted(
            2000,
            1,
            rec.Kind.OPEN,
            "opening",
            Urgency.PATIENT,
            None,
            Decimal(2),
            Decimal("0.01"),
            Decimal(50000),
            Decimal(0),
            Decimal(0),
        ),
        rec.OrderIntended(2000, "c1", Decimal("0.04"), Decimal(50010), False, Decimal(50000), 99),  # noqa: FBT003
        rec.Filled(2100, "c1", "t1", 2100, Decimal("0.04"), Decimal(50005), Decimal("1.00")),
        rec.SliceSettled(2100, "c1", Decimal("0.04"), 3000),
        rec.RebalanceFinished(2200, rec.Ending.DONE, Decimal(50000), Decimal("0.04"), Decimal("2.0024")),
    ]
    with open_journal(data_dir, Identity("paper", "binanceusdm@paper"), None, 1) as journal:
        journal.append("BTCUP", records, 1)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(inband: Invoke, command: str) -> None:
    """`--help` says what the command does, and shows a call."""
    answer = inband(command, "--help")
    assert answer.code == 0
    assert "Example: " in answer.out
    assert command in answer.out


def test_help_lists_every_command(inband: Invoke) -> None:
    """The overview names them all."""
    answer = inband("--help")
    assert answer.code == 0
    assert all(command in answer.out for command in COMMANDS)


def test_the_version_is_the_projects(inband: Invoke) -> None:
    """`--version` prints one line."""
    answer = inband("--version")
    assert (answer.code, len(answer.out.split())) == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["runn"], ("runn", "--help")),
        (["run", "--frsh"], ("--frsh", "--fresh")),
        (["status", "extra"], ("extra",)),
        (["exchange", "--port", "99999"], ("--port", "65535")),
        (["exchange", "--port", "x"], ("--port",)),
        (["exchange", "--speed", "fast"], ("--speed fast", "max")),
        (["exchange", "--scenario", "crsh"], ("--scenario crsh", "crash")),
        (["exchange", "--symbol", "NOPE"], ("--symbol NOPE", "BTCUSDT")),
        (["exchange", "--replay", "no.csv"], ("--replay no.csv",)),
        (["exchange", "--funding", "no.csv"], ("--funding no.csv",)),
        (["exchange", "--replay", "x", "--symbol", "BTCUSDT", "--symbol", "ETHUSDT"], ("--symbol",)),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    inband: Invoke, tmp_path: Path, arguments: list[str], words: tuple[str, ...]
) -> None:
    """The line is on standard error, names the flag, and nothing was written."""
    answer = inband(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    for word in words:
        assert word in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["run", "status", "history", "config"])
def test_a_wrong_setting_ends_every_command_that_reads_settings(
    inband: Invoke, tmp_path: Path, command: str
) -> None:
    """One line, exit code 2, nothing written."""
    answer = inband(command, FUNDS__BTCUP__BAND="[3, 1.5]")
    assert answer.code == 2
    assert answer.err.startswith("error: INBAND_FUNDS__BTCUP__BAND: [3, 1.5] is reversed")
    assert answer.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_no_command_is_run(inband: Invoke) -> None:
    """Without a command the settings of `run` are judged."""
    assert inband(WEB__PORT="x").err.startswith("error: INBAND_WEB__PORT")


def test_config_shows_each_value_with_its_origin(inband: Invoke) -> None:
    """As JSON, an object by the setting's name; warnings go to standard error."""
    answer = inband("config", "--json", FUNDS__BTCUP__TARGET="[1.6, 2]", WEB__TOKEN="canary-canary-canary")
    values = json.loads(answer.out)
    assert answer.code == 0
    assert values["INBAND_FUNDS__BTCUP__TARGET"] == {"value": "[1.6, 2]", "origin": "environment"}
    assert values["INBAND_FUNDS__BTCUP__BAND"]["origin"] == "config/paper.toml, funds.BTCUP.band"
    assert values["INBAND_FUNDS__BTCDOWN__EMERGENCY"] == {"value": "4", "origin": "default"}
    assert values["INBAND_WEB__TOKEN"]["value"] == "********"
    assert "canary" not in answer.out
    assert answer.err.startswith("warning: INBAND_FUNDS__BTCUP__TARGET")


def test_config_is_readable_by_people(inband: Invoke) -> None:
    """The table names every setting and where it was set."""
    answer = inband("config", WEB__PORT="9000")
    (line,) = [line for line in answer.out.splitlines() if "INBAND_WEB__PORT" in line]
    assert line.split() == ["INBAND_WEB__PORT", "9000", "environment"]


@pytest.mark.parametrize("command", ["status", "history"])
def test_without_a_journal_there_is_nothing_to_read(inband: Invoke, tmp_path: Path, command: str) -> None:
    """Exit code 1, one line with the remedy, and no journal is made by asking for it."""
    answer = inband(command, "--json")
    assert (answer.code, answer.out) == (1, "")
    assert "INBAND_DATA_DIR" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_history_reads_the_journal_without_a_daemon(inband: Invoke, tmp_path: Path) -> None:
    """As JSON, the API's rebalance objects, oldest first."""
    journal_with_one_rebalance(tmp_path / "d")
    answer = inband("history", "--json", DATA_DIR="d")
    (entry,) = json.loads(answer.out)
    assert answer.code == 0
    assert (entry["id"], entry["kind"], entry["state"]) == ("BTCUP-1", "open", "done")
    assert (entry["position_after"], entry["slices"], entry["fees"]) == ("0.04", 1, "1")


def test_history_is_readable_by_people(inband: Invoke, tmp_path: Path) -> None:
    """One row for each rebalance."""
    journal_with_one_rebalance(tmp_path / "d")
    out = inband("history", DATA_DIR="d").out
    assert "BTCUP" in out
    assert "0.000 > 2.002" in out


def test_status_reads_the_journal_without_a_daemon(inband: Invoke, tmp_path: Path) -> None:
    """As JSON, the API's fund objects with true figures; a fund that never ran is there, too."""
    journal_with_one_rebalance(tmp_path / "d")
    up, down = json.loads(inband("status", "--json", DATA_DIR="d").out)
    assert (up["fund"], up["position"], up["units"]) == ("BTCUP", "0.04", "1000")
    assert (down["fund"], down["state"], down["real_leverage"]) == ("BTCDOWN", "new", None)
    shown = inband("status", DATA_DIR="d").out
    assert "BTCDOWN" in shown
    assert "No daemon that drives the funds answers here: so the journal says at 1970-01-01 00:0" in shown


def test_every_error_with_an_exit_code_exists() -> None:
    """The table names classes by text, so that no room is imported only to be asked."""
    for name in EXIT_CODES:
        module, _, kind = name.rpartition(".")
        found: Any = getattr(importlib.import_module(module), kind)
        assert issubclass(found, Exception)


def test_an_unexpected_error_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """A fault of ours is exit code 1, and can be reported."""
    with pytest.raises(ZeroDivisionError) as fault:
        _ = 1 // 0
    line, code = explain(fault.value)
    assert code == 1
    assert line.startswith("unexpected ZeroDivisionError")
    assert "Traceback" in capsys.readouterr().err


def test_status_tells_what_an_operator_said_and_what_is_wrong(inband: Invoke, tmp_path: Path) -> None:
    """Without a daemon too: since when, by whom, why, and what to do."""
    journal_with_one_rebalance(tmp_path / "data" / "paper")
    records: list[rec.Record] = [
        rec.ControlChanged(60_000, rec.Control.PAUSED, "ann", "maintenance"),
        rec.IncidentOpened(120_000, "late fill", "it came late", "look at it", stops_increases=True),
    ]
    seen = rec.IncidentAcknowledged(180_000, "late fill", "bob", "on it")
    with open_journal(
        tmp_path / "data" / "paper", Identity("paper", "binanceusdm@paper"), None, 1
    ) as journal:
        journal.append("BTCUP", records, 1)
        told = inband("status").out
        journal.append("BTCUP", [seen], 1)
    assert "BTCUP: paused since 1970-01-01 00:01 by ann: maintenance" in told
    assert "BTCUP: late fill since 1970-01-01 00:02: it came late\n" in told
    assert "BTCUP:   remedy: look at it" in told
    assert "it came late (bob looks after it: on it)" in inband("status").out


def test_the_exchanges_that_funds_can_trade_on_are_listed(inband: Invoke) -> None:
    """For people a line each, for programs a list."""
    assert inband("exchanges").out == "binanceusdm: paper, testnet, live\n"
    (found,) = json.loads(inband("exchanges", "--json").out)
    assert found == {"exchange": "binanceusdm", "modes": ["paper", "testnet", "live"]}


@pytest.mark.parametrize("group", ["data", "db", "alert"])
def test_a_group_without_its_command_says_so(inband: Invoke, group: str) -> None:
    """One line, exit code 2."""
    answer = inband(group)
    assert (answer.code, answer.err) == (2, "error: Missing command; see --help\n")
