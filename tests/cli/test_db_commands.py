"""`db` as its user runs it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit

import pytest

from bot.core.records import Sampled
from bot.journal.journal import Identity
from bot.journal.keys import KEY_FILE
from bot.journal.nav_store import NAV_FILE, NavStore, Row
from bot.journal.sqlite import open_journal, open_reader
from tests.cli.conftest import Invoke
from tests.cli.test_commands import journal_with_one_rebalance
from tests.journal.test_upgrading import first_version

COMMANDS = ("upgrade", "verify", "backup", "restore", "export")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(inband: Invoke, command: str) -> None:
    """`--help` says what the command does, and shows a call."""
    answer = inband("db", command, "--help")
    assert answer.code == 0
    assert f"Example: python3 -m bot db {command}" in answer.out


@pytest.mark.parametrize("command", ["upgrade", "verify", "export"])
def test_without_a_journal_there_is_nothing_to_do(inband: Invoke, tmp_path: Path, command: str) -> None:
    """Exit code 1, one line, and nothing is made."""
    answer = inband("db", command)
    assert answer.code == 1
    assert answer.err.startswith("error: no journal")
    assert answer.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_is_not_there_is_named(inband: Invoke, tmp_path: Path) -> None:
    """Exit code 2, one line, and nothing is made."""
    answer = inband("db", "restore", "monday.sqlite")
    assert answer.code == 2
    assert answer.err == "error: monday.sqlite: no such file; name a copy that `db backup` made\n"
    assert list(tmp_path.iterdir()) == []


def test_a_sound_journal_is_verified(inband: Invoke, tmp_path: Path) -> None:
    """Store, records and projections of each fund are looked at; without a venue the exit code is 0."""
    journal_with_one_rebalance(tmp_path / "data" / "paper")
    answer = inband("db", "verify", "--no-venue", "--json")
    said = json.loads(answer.out)
    assert answer.code == 0
    assert said["verified"] is True
    assert [(check["what"], check["fund"]) for check in said["checks"]] == [
        ("store", None),
        ("records", "BTCUP"),
        ("projections", "BTCUP"),
    ]


def test_what_cannot_be_told_is_not_verified(inband: Invoke, tmp_path: Path) -> None:
    """The exchange's store knows no account: exit code 1, and the line says so."""
    journal_with_one_rebalance(tmp_path / "data" / "paper")
    answer = inband("db", "verify")
    assert answer.code == 1
    assert "unknown  venue" in answer.out


def test_a_damaged_record_is_named(inband: Invoke, tmp_path: Path) -> None:
    """One changed digit: the command says which record, and ends with 1."""
    folder = tmp_path / "data" / "paper"
    journal_with_one_rebalance(folder)
    file = folder / "journal.sqlite"
    file.write_bytes(file.read_bytes().replace(b'"trade_ms":2100', b'"trade_ms":2101'))
    answer = inband("db", "verify", "--no-venue")
    assert answer.code == 1
    assert "WRONG    records" in answer.out
    assert "record 4 fails its checksum" in answer.out
    copy = inband("db", "backup", "copy.sqlite")
    assert copy.code == 1
    assert f"error: {file} is corrupt (record 4" in copy.err


def test_backup_and_restore_say_what_they_did(inband: Invoke, tmp_path: Path) -> None:
    """Each says how many records of each fund; what was there is kept aside."""
    journal_with_one_rebalance(tmp_path / "data" / "paper")
    copied = inband("db", "backup", "monday.sqlite", "--json")
    assert json.loads(copied.out) == {
        "file": "monday.sqlite",
        "records": {"BTCUP": 6},
        "archived": None,
    }
    put_back = inband("db", "restore", "monday.sqlite")
    assert put_back.code == 0
    assert "BTCUP: 6 records" in put_back.out
    assert "archive" in put_back.out


def large_journal(folder: Path) -> None:
    """One that takes up more than `no_room` leaves."""
    journal_with_one_rebalance(folder)
    with open_journal(folder, Identity("paper", "binanceusdm@paper"), None, 1) as journal:
        journal.append("BTCUP", [Sampled(time_ms, Decimal(1), None) for time_ms in range(10_000, 11_000)], 1)


@contextmanager
def no_room() -> Iterator[None]:
    """No file of this process grows beyond what SQLite needs to read, as on a disk that is full."""
    soft, hard = getrlimit(RLIMIT_FSIZE)
    setrlimit(RLIMIT_FSIZE, (32_768, hard))
    try:
        yield
    finally:
        setrlimit(RLIMIT_FSIZE, (soft, hard))


def test_without_room_each_says_so_and_leaves_nothing_half_done(inband: Invoke, tmp_path: Path) -> None:
    """One line with the remedy; the journal is as it was, and nothing takes up room."""
    folder = tmp_path / "data" / "paper"
    large_journal(folder)
    assert inband("db", "backup", "copy.sqlite").code == 0
    before = sorted(file.name for file in folder.iterdir())
    with no_room():
        copied = inband("db", "backup", "other.sqlite")
        put_back = inband("db", "restore", "copy.sqlite")
    assert (copied.code, copied.err.count("\n")) == (2, 1)
    assert "other.sqlite: cannot be written" in copied.err
    assert "make room there, or name another place" in copied.err
    assert (put_back.code, put_back.err.count("\n")) == (1, 1)
    assert "make room there, and restore again" in put_back.err
    assert sorted(file.name for file in folder.iterdir()) == before
    assert not (tmp_path / "other.sqlite").exists()
    assert inband("db", "verify", "--no-venue").code == 0


def test_an_export_without_room_leaves_no_file(inband: Invoke, tmp_path: Path) -> None:
    """It can be tried again under the same name."""
    large_journal(tmp_path / "data" / "paper")
    with no_room():
        answer = inband("db", "export", "--out", "all.jsonl")
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "--out all.jsonl: cannot be written (File too large); make room there" in answer.err
    assert not (tmp_path / "all.jsonl").exists()


def test_a_file_that_is_no_copy_is_refused(inband: Invoke, tmp_path: Path) -> None:
    """A wrong file is one line, and the journal stays."""
    journal_with_one_rebalance(tmp_path / "data" / "paper")
    (tmp_path / "letter.txt").write_text("dear sir\n" * 400)
    answer = inband("db", "restore", "letter.txt")
    assert answer.code == 1
    assert answer.err.count("\n") == 1
    assert "letter.txt is corrupt (file is not a database): name another copy" in answer.err
    assert inband("db", "verify", "--no-venue").code == 0
    (tmp_path / "letter.txt").write_text("")
    assert "letter.txt: holds no journal; name a copy" in inband("db", "restore", "letter.txt").err


def test_a_copy_that_an_older_version_made_is_put_back(inband: Invoke, tmp_path: Path) -> None:
    """It stays as it is, and what is put back is up to date; nothing else is left behind."""
    folder = tmp_path / "data" / "paper"
    journal_with_one_rebalance(folder)
    with open_reader(folder, None) as journal:
        key = (folder / KEY_FILE).read_text().strip()
        first_version(tmp_path / "older", tuple(journal.read("BTCUP")), key)
    copy = tmp_path / "older" / "journal.sqlite"
    before = copy.read_bytes()
    put_back = inband("db", "restore", str(copy), "--json")
    assert json.loads(put_back.out)["file"] == str(copy)
    assert json.loads(put_back.out)["records"] == {"BTCUP": 6}
    assert copy.read_bytes() == before
    assert inband("db", "verify", "--no-venue").code == 0
    assert list(folder.glob("older*")) == []


def test_a_copy_over_a_file_is_wrong_usage(inband: Invoke, tmp_path: Path) -> None:
    """Exit code 2: name a new file."""
    journal_with_one_rebalance(tmp_path / "data" / "paper")
    (tmp_path / "there").write_text("")
    answer = inband("db", "backup", "there")
    assert answer.code == 2
    assert "exists already" in answer.err


def test_the_export_is_one_line_of_json_per_record(inband: Invoke, tmp_path: Path) -> None:
    """To a file that must be new, or to standard output; an unknown fund is named with the known ones."""
    journal_with_one_rebalance(tmp_path / "data" / "paper")
    assert inband("db", "export", "btcup", "--out", "x.jsonl").code == 0
    told = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [line["record"] for line in told][:2] == ["FundCreated", "RebalanceStarted"]
    assert "key" not in told[0]
    again = inband("db", "export", "--out", "x.jsonl")
    assert (again.code, "--out x.jsonl" in again.err) == (2, True)
    unknown = inband("db", "export", "BTCUPP")
    assert (unknown.code, "did you mean BTCUP?" in unknown.err) == (1, True)


def test_the_export_may_hold_the_history_of_nav(inband: Invoke, tmp_path: Path) -> None:
    """A line for each bar after the records of its fund, if it is wished."""
    folder = tmp_path / "data" / "paper"
    journal_with_one_rebalance(folder)
    nav = NavStore(folder / NAV_FILE)
    nav.write([Row("BTCUP", "1h", 0, '[0,"1","1","1","1",7]', "[0]")], {"1h": 3_600_000}, {})
    nav.close()
    told = [json.loads(line) for line in inband("db", "export", "--nav").out.splitlines()]
    assert told[-1] == {"fund": "BTCUP", "nav": "1h", "row": [0, "1", "1", "1", "1", 7]}
    assert all("record" in line for line in told[:-1])
