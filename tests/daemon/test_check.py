"""The preflight: what is wrong is found and named with its remedy, and nothing is changed by looking."""

import json
import os
import signal
import sys
from collections import namedtuple
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.core import events as ev
from bot.core.records import Sampled
from bot.daemon import check as preflight
from bot.daemon.check import Finding, Running, Unreadable, judge_account
from bot.daemon.ownership import UNREACHED
from bot.daemon.status import stopped_json
from bot.journal.errors import JournalUnavailable
from bot.journal.journal import Identity
from bot.journal.lock import DataDirLock
from bot.journal.pg_session import unavailable
from bot.journal.sqlite import open_journal
from bot.settings import load_settings
from bot.testing import Lab, a_fund
from bot.venue.inspection import AccountReport
from bot.venue.profile import Bracket, Permissions
from tests.support.inband import Inband, Process
from tests.support.ports import KeptPort

ALLOWED = Permissions(withdraw=False, trade_futures=True, bound_to_addresses=True)


def report(**changes: Any) -> AccountReport:
    """A flat account on which everything is as it must be."""
    good = AccountReport(
        skew_ms=12,
        answered_s=0.01,
        hedge_mode=False,
        multi_assets=False,
        isolated=False,
        leverage=6,
        brackets=(Bracket(50, Decimal(10_000_000)),),
        fees_in_usdt=True,
        wallet=Decimal(100_000),
        position=Decimal(0),
        bid=Decimal(60_000),
        ask=Decimal(60_000),
        permissions=ALLOWED,
    )
    return good._replace(**changes)


def judged(changes: dict[str, Any]) -> list[Finding]:
    """What is not ok about an account."""
    return [each for each in judge_account(a_fund(), "X", report(**changes), None) if each.verdict != "ok"]


def test_a_good_account_passes() -> None:
    """Each thing that is looked at is told."""
    assert judged({}) == []
    told = {each.what for each in judge_account(a_fund(), "X", report(), None)}
    assert told == {"clock", "key", "modes", "fee asset", "position", "balance"}
    assert judged({"permissions": None}) == []


@pytest.mark.parametrize(
    ("changes", "what", "verdict", "remedy"),
    [
        ({"skew_ms": -900}, "clock", "warning", "synchronise"),
        ({"skew_ms": 4_000}, "clock", "failed", "synchronise"),
        ({"permissions": ALLOWED._replace(withdraw=True)}, "key", "failed", "without that permission"),
        ({"permissions": ALLOWED._replace(trade_futures=False)}, "key", "failed", "UP__API_KEY"),
        ({"permissions": ALLOWED._replace(bound_to_addresses=False)}, "key", "warning", "bind it"),
        ({"hedge_mode": True}, "modes", "warning", "one-way"),
        ({"multi_assets": True}, "modes", "warning", "single-asset"),
        ({"isolated": True}, "modes", "warning", "cross"),
        ({"fees_in_usdt": False}, "fee asset", "failed", "BNB"),
        ({"position": Decimal("0.5")}, "position", "failed", "close the position"),
        ({"wallet": Decimal(99_999)}, "balance", "failed", "CAPITAL"),
    ],
)
def test_what_is_wrong_with_an_account_is_named(
    changes: dict[str, Any], what: str, verdict: str, remedy: str
) -> None:
    """One finding, with its remedy."""
    (found,) = judged(changes)
    assert (found.what, found.verdict) == (what, verdict)
    assert remedy in found.remedy


def test_a_fund_that_runs_must_find_its_position() -> None:
    """What the journal has, not flatness; and its balance is its ledger's affair."""
    lab = Lab()
    lab.settle()
    lab.mark("60000")
    book = lab.state.book
    same = list(judge_account(a_fund(), "X", report(position=book.position, wallet=Decimal(1)), book))
    assert [each.what for each in same if each.verdict != "ok"] == []
    (found,) = [e for e in judge_account(a_fund(), "X", report(), book) if e.verdict != "ok"]
    assert (found.what, found.verdict) == ("position", "failed")
    assert str(book.position) not in found.found + found.remedy


def test_a_position_is_not_compared_while_it_changes() -> None:
    """Journal and account are read moments apart: under a rebalance a difference means nothing yet."""
    lab = Lab()
    lab.mark("60000")
    book = lab.state.book
    assert book.rebalance is not None
    moved = report(position=book.position + 1)
    (found,) = [e for e in judge_account(a_fund(), "X", moved, book) if e.verdict != "ok"]
    assert (found.what, found.verdict) == ("position", "warning")


def findings(run: Inband) -> tuple[int, dict[str, list[dict[str, str]]]]:
    """Exit code, and findings by what they are about, of the real command."""
    done = run.run("check", "--json")
    told = json.loads(done.stdout)
    assert told["passed"] == (done.returncode == 0)
    found: dict[str, list[dict[str, str]]] = {}
    for each in told["findings"]:
        found.setdefault(each["what"], []).append(each)
    return done.returncode, found


def test_paper_mode_is_checked_against_an_exchange_of_its_own(tmp_path: Path) -> None:
    """Every part is looked at, and nothing is left behind."""
    code, found = findings(Inband(tmp_path, FUNDS__BTCDOWN__ENABLED="false"))
    assert code == 0, found
    assert set(found) == {
        "configuration", "data directory", "disk space", "operator's token", "daemon", "journal", "alerts",
        "venue",
        "clock", "key", "modes", "fee asset", "position", "balance", "leverage brackets", "minimum sizes",
    }  # fmt: skip
    assert "started for this check" in found["venue"][0]["found"]
    assert not (tmp_path / "data").exists()


def test_a_running_daemon_is_checked_on_its_own_exchange(tmp_path: Path) -> None:
    """Its positions are those of the journal; people get a table."""
    calm = {"FUNDS__BTCDOWN__ENABLED": "false", "PAPER__SPEED": "600", "PAPER__SCENARIO": "calm"}
    with KeptPort() as port:
        run = Inband(tmp_path, WEB__PORT=str(port.number), **calm)
        with run.start() as process:
            process.until_said("rebalance_finished")
            done = run.run("check")
    assert done.returncode == 0, done.stdout
    assert "the running daemon's exchange" in done.stdout
    assert "as the journal has it" in done.stdout
    assert "0 failed" in done.stdout


def test_without_a_network_it_says_so(tmp_path: Path) -> None:
    """Exit code 1, the host, and what to do; what can be looked at without a venue is."""
    with KeptPort() as closed:
        code, found = findings(Inband(tmp_path, PAPER__URL=closed.url))
    assert code == 1
    (venue,) = found["venue"]
    assert venue["verdict"] == "failed"
    assert closed.url.removeprefix("http://") in venue["found"]
    assert "network" in venue["remedy"]
    assert found["disk space"][0]["verdict"] == "ok"


def test_a_key_that_may_withdraw_fails_the_check_and_the_start(tmp_path: Path) -> None:
    """Both name the setting; neither changes anything."""
    accounts = tmp_path / "accounts.toml"
    accounts.write_text('[[account]]\nname = "UP"\nwithdraw = true\n')
    command = ["-m", "bot", "exchange", "--port", "0", "--json", "--accounts", str(accounts)]
    command += ["--data-dir", str(tmp_path / "exchange")]
    with Process([sys.executable, *command], Inband(tmp_path)._environment(), tmp_path) as exchange:
        exchange.until(lambda: exchange.stdout.count("\n"), what="it said where it listens")
        url = json.loads(exchange.stdout.splitlines()[0])["url"]
        run = Inband(tmp_path, PAPER__URL=url, FUNDS__BTCDOWN__ENABLED="false")
        code, found = findings(run)
        started = run.run("run")
    assert code == 1
    (key,) = found["key"]
    assert (key["verdict"], key["found"]) == ("failed", "it may withdraw")
    assert "INBAND_ACCOUNTS__UP__API_KEY" in key["remedy"]
    assert started.returncode == 2
    assert started.stderr.startswith("error: INBAND_ACCOUNTS__UP__API_KEY: the key may withdraw; make one")
    assert started.stderr.count("\n") == 1


def test_a_damaged_journal_fails_with_the_steps_to_restore(tmp_path: Path) -> None:
    """Whatever is damaged: bytes in the middle of the file."""
    run = Inband(tmp_path, FUNDS__BTCDOWN__ENABLED="false")
    with run.start() as process:
        process.until_said("running")
        process.signal(signal.SIGTERM)
    path = run.data_dir / "journal.sqlite"
    content = bytearray(path.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    path.write_bytes(content)
    code, found = findings(run)
    assert code == 1
    assert found["journal"][0]["verdict"] == "failed"
    assert "backup" in found["journal"][0]["remedy"]


@pytest.mark.parametrize("there", [True, False], ids=["rolled back", "gone"])
def test_a_journal_that_lost_its_end_fails_as_a_start_would(tmp_path: Path, *, there: bool) -> None:
    """Each record that is left is sound: what is missing shows by the mark beside it."""
    settings = replace(load_settings({}, tmp_path), data_dir=tmp_path)
    with open_journal(tmp_path, Identity("paper", "binanceusdm@paper"), None, 1) as journal:
        journal.append("BTCUP", [Sampled(60_000, Decimal(1), None)], 1)
    assert [each.verdict for each in preflight._journal(settings)[1]] == ["ok"]
    (tmp_path / "journal.mark").write_bytes(b"%-33b %15d %13d\n" % (b"BTCUP", 5, 7))
    if not there:
        (tmp_path / "journal.sqlite").unlink()
    books, (found,) = preflight._journal(settings)
    assert books is None
    assert (found.verdict, "lacks records of BTCUP" in found.found) == ("failed", True)
    assert "db restore FILE" in found.remedy


def test_nobody_is_told_to_close_a_position_whose_journal_cannot_be_read() -> None:
    """It may well be the fund's own: it is not compared, and neither is the wallet."""
    held = report(position=Decimal(3), wallet=Decimal(1))
    (found,) = [e for e in judge_account(a_fund(), "X", held, Unreadable.JOURNAL) if e.verdict != "ok"]
    assert (found.what, found.verdict, found.remedy) == ("position", "skipped", "")


def test_a_venue_that_cannot_be_reached_leaves_accounts_unjudged(tmp_path: Path) -> None:
    """It fails, and the table says what was not looked at for it."""
    with KeptPort() as closed:
        code, found = findings(Inband(tmp_path, PAPER__URL=closed.url, FUNDS__BTCDOWN__ENABLED="false"))
    assert code == 1
    (venue,), (account,) = found["venue"], found["account"]
    assert venue["verdict"] == "failed"
    assert "check the network" in venue["remedy"]
    assert (account["about"], account["verdict"]) == ("BTCUP on UP", "skipped")


def test_a_setting_that_is_wrong_is_a_wrong_setting(tmp_path: Path) -> None:
    """Exit code 2, with the one line of every command."""
    done = Inband(tmp_path, FUNDS__BTCUP__BAND="[3, 1]").run("check")
    assert done.returncode == 2
    assert done.stderr.startswith("error: INBAND_FUNDS__BTCUP__BAND")


Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - the shape of shutil's


@pytest.mark.parametrize(
    ("free", "least_mb", "verdict"),
    [
        (5_000_000_000, 512, "ok"),
        (5_000_000_000, 6_000, "failed"),
        (600_000_000, 512, "warning"),
        (500_000_000, 512, "failed"),
        (500_000_000, 0, "warning"),
        (50_000_000, 0, "failed"),
    ],
)
def test_disk_space_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, least_mb: int, verdict: str
) -> None:
    """A journal needs room; with less than the setting asks for no fund would raise its leverage."""
    monkeypatch.setattr(preflight, "disk_usage", lambda _: Usage(0, 0, free))
    settings = replace(load_settings({}, tmp_path), data_dir=tmp_path / "data", least_free_mb=least_mb)
    (found,) = [each for each in preflight._disk(settings) if each.what == "disk space"]
    assert found.verdict == verdict
    assert bool(found.remedy) == (verdict != "ok")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the exact command."""
    monkeypatch.setattr("os.access", lambda *_: False)
    (found,) = preflight._disk(replace(load_settings({}, tmp_path), data_dir=tmp_path / "data"))
    assert found.verdict == "failed"
    assert found.remedy == f"let this user write it: chown {os.getuid()} {tmp_path}"


def test_a_daemon_that_hangs_or_has_stopped_a_fund_fails(tmp_path: Path) -> None:
    """No journal says either: who runs is told by the lock, and what stopped by the daemon itself."""
    settings = replace(load_settings({}, tmp_path), data_dir=tmp_path)
    (tmp_path / "operator.token").write_text("0123456789abcdef\n")

    def found(running: Running | None) -> list[Finding]:
        return list(preflight._daemon(settings, running))

    assert [each.verdict for each in found(None)] == ["ok"]
    with DataDirLock(tmp_path):
        (hangs,) = found(None)
        (waits,) = preflight._daemon(settings, None, waits="standby: another sends for the accounts")
        (lost,) = preflight._daemon(settings, None, waits=UNREACHED)
        (tmp_path / "operator.token").unlink()
        (starts,) = found(None)
    assert (hangs.verdict, hangs.found) == ("failed", f"process {os.getpid()} does not answer")
    assert (waits.verdict, waits.found) == (
        "ok",
        f"process {os.getpid()} starts, or stands by (standby: another sends for the accounts)",
    )
    assert (lost.verdict, lost.found) == ("failed", f"process {os.getpid()}: the database is not reached")
    assert starts.verdict == "ok"
    assert starts.found == f"process {os.getpid()} starts, or stands by (its /readyz says why)"
    funds: list[dict[str, Any]] = [
        {"fund": "UP", "incidents": [stopped_json("disk full", 0)]},
        {"fund": "DOWN", "incidents": []},
    ]
    (stopped,) = found(Running(None, funds))
    assert (stopped.about, stopped.verdict, stopped.remedy) == (
        "UP",
        "failed",
        "repair the cause and restart",
    )
    assert stopped.found == "fund stopped: disk full"
    assert [each.verdict for each in found(Running(None, funds[1:]))] == ["ok"]


def test_a_token_that_others_can_read_fails(tmp_path: Path) -> None:
    """Mode 0600 passes, as does one that is set, or not made yet."""
    settings = replace(load_settings({}, tmp_path), data_dir=tmp_path)
    assert [each.verdict for each in preflight._token(settings)] == ["ok"]
    (tmp_path / "operator.token").write_text("x")
    (tmp_path / "operator.token").chmod(0o644)
    (found,) = preflight._token(settings)
    assert (found.verdict, found.remedy) == ("failed", f"chmod 600 {tmp_path / 'operator.token'}")
    (tmp_path / "operator.token").chmod(0o600)
    assert [each.verdict for each in preflight._token(settings)] == ["ok"]


def test_a_questionable_setting_is_told_with_its_remedy(tmp_path: Path) -> None:
    """It fails nothing, and says what to do."""
    code, found = findings(Inband(tmp_path, WEB__TOKEN="short", FUNDS__BTCDOWN__ENABLED="false"))
    assert code == 0, found
    (short,) = [each for each in found["configuration"] if each["verdict"] == "warning"]
    assert short["found"].endswith("can be guessed")
    assert "openssl" in short["remedy"]


def test_a_route_that_no_alert_can_take_fails(tmp_path: Path) -> None:
    """By the form of its address; nothing is sent anywhere."""
    routes = {"INBAND_ROUTES__BAD__URL": "zzz", "INBAND_ROUTES__GOOD__URL": "json://127.0.0.1/hook"}
    bad, rest = preflight._alerts(replace(load_settings(routes, tmp_path), data_dir=tmp_path))
    assert (bad.about, bad.verdict, bad.remedy) == ("BAD", "failed", "correct INBAND_ROUTES__BAD__URL")
    assert rest.verdict == "ok"


def test_a_database_that_does_not_answer_fails_with_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the driver says of it holds colons, too."""
    url = "postgresql://inband@127.0.0.1:5432/inband"
    text = unavailable(url, OSError("connection failed: connection to server: refused"))

    def refuse(*_: object) -> None:
        raise JournalUnavailable(text)

    monkeypatch.setattr(preflight, "open_reader", refuse)
    _, (found,) = preflight._journal(load_settings({}, tmp_path))
    assert found.found.endswith("(connection failed: connection to server: refused)")
    assert found.remedy == "check the server and INBAND_DATABASE_URL"


def test_open_incidents_are_told_with_their_remedies() -> None:
    """A breach fails the check: it would stop increases."""
    lab = Lab()
    lab.settle()
    lab.venue.trade(Decimal("-0.5"), lab.time_ms, lab.price)
    lab.send(ev.ReconcileDue(*lab.now))
    lab.send(ev.FeedLost(*lab.now, "silent"))
    told = preflight.incidents("BTCUP", lab.state.book)
    assert [(each.found, each.verdict) for each in told] == [
        ("external trade", "failed"),
        ("stale mark", "warning"),
    ]
    assert all(each.remedy for each in told)
