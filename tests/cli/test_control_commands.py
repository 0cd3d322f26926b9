"""`pause`, `resume` and `halt` against a real daemon, over a restart."""

import json
import os
import signal
import socket
from decimal import Decimal
from pathlib import Path

import pytest

from bot import cli_daemon
from bot.core.records import Control, ControlChanged, OperatorAsked, RebalanceFinished
from bot.journal.lock import DataDirLock
from tests.cli.conftest import Invoke
from tests.support.inband import Inband
from tests.support.ports import free_port


def test_without_a_daemon_they_say_so(inband: Invoke) -> None:
    """Exit code 1, one line, and the remedy."""
    answer = inband("pause", "BTCUP", WEB__PORT=str(free_port()))
    assert answer.code == 1
    assert answer.err.count("\n") == 1
    assert "no daemon answers" in answer.err


def test_a_daemon_that_hangs_is_named_with_what_halts_it_all_the_same(
    inband: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1, one line: which process it is, and the way that needs no answer."""
    monkeypatch.setattr(cli_daemon, "TIMEOUT_S", 1.0)
    folder = tmp_path / "data"
    with DataDirLock(folder), socket.create_server(("127.0.0.1", 0)) as mute:
        port = str(mute.getsockname()[1])
        answer = inband("halt", DATA_DIR=str(folder), WEB__PORT=port, WEB__TOKEN="0123456789abcdef")
    assert answer.code == 1
    assert answer.err.count("\n") == 1
    assert f"process {os.getpid()} runs on {folder} and does not answer" in answer.err
    assert f"`touch {folder}/halt`" in answer.err


def test_a_daemon_that_has_made_no_token_yet_still_starts(inband: Invoke, tmp_path: Path) -> None:
    """As a standby does that never ran a fund."""
    folder = tmp_path / "data"
    with DataDirLock(folder):
        answer = inband("halt", DATA_DIR=str(folder), WEB__PORT=str(free_port()))
    assert answer.code == 1
    assert f"process {os.getpid()} still starts on {folder}, or stands by" in answer.err
    assert f"`touch {folder}/halt`" in answer.err


def test_a_pause_is_durable_and_a_resume_ends_it(tmp_path: Path) -> None:
    """Told to one fund, on record with its reason, still there after a restart, and over when resumed."""
    run = Inband(tmp_path, WEB__PORT=str(free_port()), PAPER__SPEED="1")
    with run.start() as process:
        process.until_said("running")
        done = run.run("pause", "BTCUP", "--reason", "maintenance", "--json")
        assert done.returncode == 0, done.stderr
        (fund,) = json.loads(done.stdout)
        assert (fund["control"]["state"], fund["control"]["why"]) == ("paused", "maintenance")
        both = run.run("pause", "NOSUCH", "btcup")
        assert (both.returncode, both.stdout) == (1, "BTCUP: paused\n")
        assert both.stderr == "error: NOSUCH: the daemon refuses: no such fund runs here\n"
        stranger = run.with_settings(WEB__TOKEN="another-token-than-the-daemons").run("halt")
        assert stranger.returncode == 1
        assert "this is not the operator's token; set INBAND_WEB__TOKEN to the daemon's" in stranger.stderr
    with run.start() as process:
        process.until_said("running")
        states = {f["fund"]: f["control"]["state"] for f in json.loads(run.run("status", "--json").stdout)}
        assert states == {"BTCUP": "paused", "BTCDOWN": "running"}
        assert run.run("halt").stdout == "BTCUP: halted\nBTCDOWN: halted\n"
        assert run.run("resume", "btcup").stdout == "BTCUP: running\n"
    said = [record.control for record in run.records("BTCUP") if isinstance(record, ControlChanged)]
    assert said == [Control.PAUSED, Control.HALTED, Control.RUNNING]


def test_what_an_operator_asks_is_done_once_whatever_dies(tmp_path: Path) -> None:
    """A rebalance under a key is on record before it begins: after `kill -9` the key is still known."""
    market = {"PAPER__SPEED": "600", "PAPER__SCENARIO": "calm", "PAPER__SEED": "7"}
    run = Inband(tmp_path, WEB__PORT=str(free_port()), **market)
    rebalance = ("rebalance", "BTCUP", "--to", "2.4", "--key", "k1", "--reason", "test", "--json")

    def finished(count: int) -> bool:  # by the journal: it may be over before the kill, or after it
        return sum(isinstance(record, RebalanceFinished) for record in run.records("BTCUP")) >= count

    with run.start() as process:
        process.until(lambda: len(process.lines("rebalance_finished")) >= 2, what="both funds opened")
        first = run.run(*rebalance)
        assert first.returncode == 0, first.stderr
        process.signal(signal.SIGKILL)
    with run.start() as process:
        process.until_said("running")
        again = run.run(*rebalance)
        assert again.returncode == 0, again.stderr
        process.until(lambda: finished(2), what="it was done")
        other = run.run("rebalance", "BTCUP", "--to", "2.2", "--key", "k1")
        assert (other.returncode, "this key belongs to another request" in other.stderr) == (1, True)
        assert "--to" in run.run("rebalance", "BTCUP", "--to", "much").stderr
        (fund,) = json.loads(run.run("flatten", "BTCUP", "--json").stdout)
        assert [said["what"] for said in fund["requests"]] == ["rebalance", "flatten"]
        assert run.run("flatten", "BTCUP").returncode == 1
        reloaded = run.run("reload")
        assert reloaded.stdout == "nothing has changed\n"
        assert run.run("acknowledge", "BTCUP", "late fill").returncode == 1
        process.until(lambda: finished(3), what="it was flat")
        assert process.signal(signal.SIGTERM) == 0
    history = [entry for entry in run.history() if entry["fund"] == "BTCUP"]
    assert [entry["kind"] for entry in history] == ["open", "operator", "flatten"]
    assert history[-1]["position_after"] == "0"
    asked = [record for record in run.records("BTCUP") if isinstance(record, OperatorAsked)]
    assert [(record.what, record.leverage) for record in asked] == [
        ("rebalance", Decimal("2.4")),
        ("flatten", None),
    ]
