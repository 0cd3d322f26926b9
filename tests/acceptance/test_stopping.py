"""Stopping and starting by the user's hand: signals, second instances, fresh starts, the end of a replay."""

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM

import pytest

from bot.core.records import RebalanceStarted
from tests.support.inband import Inband
from tests.support.market_leash import leash_on

STORES = ("alerts.sqlite", "exchange.sqlite", "journal.sqlite", "nav.sqlite")


def ran_to_the_end(inband: Inband, *arguments: str) -> str:
    """Run to the end of the replay, and give standard output."""
    with inband.start(*(arguments or ("run",))) as process:
        assert process.wait() == 0, process.stderr
        return process.stdout


@pytest.mark.parametrize("number", [SIGTERM, SIGINT])
def test_a_signal_parks_the_rebalances(inband: Callable[..., Inband], number: signal.Signals) -> None:
    """Exit code 0, nothing on standard error, state `parked` in the history, and no target in it."""
    run = inband()
    with run.start() as process, leash_on(process) as leash:
        leash.walk_until_said(process, "slice_settled", times=4, step_s=60)
        assert process.signal(number) == 0
        assert process.stderr == ""
    stopped = run.history()
    assert [entry["state"] for entry in stopped] == ["parked", "parked"]
    assert [entry["target"] for entry in stopped] == [None, None]


def test_a_reload_ends_no_start(inband: Callable[..., Inband]) -> None:
    """The venue is not reached yet: `systemctl reload` is refused in the log, and the daemon tries on."""
    with inband(PAPER__URL="http://127.0.0.1:9").start() as process:
        process.until_said("venue_unreachable")
        os.kill(process.pid, signal.SIGHUP)
        assert "still starting" in process.until_said("reload_refused")["reason"]
        tried = len(process.lines("venue_unreachable"))
        process.until_said("venue_unreachable", times=tried + 1)
        assert process.signal(SIGTERM) == 0


def test_a_damaged_history_of_nav_is_named_before_anything_is_traded(inband: Callable[..., Inband]) -> None:
    """One line with the file and what helps; with the file moved away the funds go on."""
    run = inband()
    with run.start() as process, leash_on(process) as leash:
        leash.walk_until_said(process, "order_sent", times=1, step_s=60)
        assert process.signal(SIGTERM) == 0
    file = run.data_dir / "nav.sqlite"
    file.write_bytes(b"no database" * 1_000)
    refused = run.run("run")
    assert refused.returncode == 1
    assert f"{file}, the history of NAV, cannot be used (file is not a database)" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert "order_sent" not in refused.stdout
    file.rename(run.folder / "aside")
    with run.start() as process:
        process.until_said("order_sent")
        assert process.signal(SIGTERM) == 0


def test_a_restart_finishes_what_was_parked(wide: Inband, inband: Callable[..., Inband]) -> None:
    """Stopped in the middle of rebalances, the record comes out as if nothing had happened."""
    run = inband()
    for _ in range(3):
        with run.start() as process, leash_on(process) as leash:
            leash.walk_until_said(process, "slice_settled", times=20, step_s=600)
            leash.hold()
            assert process.signal(SIGTERM) == 0
    started = [r for r in run.records("BTCUP") if isinstance(r, RebalanceStarted)]

    ran_to_the_end(run)

    assert run.facts() == wide.facts()
    assert started == [r for r in run.records("BTCUP") if isinstance(r, RebalanceStarted)][: len(started)]


def test_a_second_instance_is_refused_by_the_pid_of_the_first(inband: Callable[..., Inband]) -> None:
    """It exits 1 with one line, and the first one goes on undisturbed."""
    run = inband(PAPER__SPEED="1", PAPER__EXIT_AT_END="false")
    with run.start() as first:
        first.until_said("running")
        second = run.run("run")
        assert second.returncode == 1
        assert second.stderr.count("\n") == 1
        assert f"process {first.pid} " in second.stderr
        assert first.signal(SIGTERM) == 0


def test_the_lock_dies_with_its_process(inband: Callable[..., Inband]) -> None:
    """After kill -9 nothing has to be cleaned up by hand."""
    run = inband(PAPER__SPEED="1", PAPER__EXIT_AT_END="false")
    for _ in range(2):
        with run.start() as process:
            process.until_said("running")
            process.signal(SIGKILL)


def test_a_fresh_start_archives_every_store(wide: Inband, inband: Callable[..., Inband]) -> None:
    """`run --fresh` moves the journal and what belongs to it aside, and begins from nothing."""
    run = inband()
    with run.start() as process:
        process.until_said("slice_settled")
        assert process.signal(SIGTERM) == 0
    before = run.records("BTCUP")

    ran_to_the_end(run, "run", "--fresh")

    (archive,) = (run.data_dir / "archive").iterdir()
    assert sorted(file.name for file in archive.rglob("*.sqlite")) == sorted(STORES)
    assert run.records("BTCUP")[0].time_ms == before[0].time_ms
    assert run.facts() == wide.facts()


def test_the_replay_ends_with_one_line_of_json(wide: Inband) -> None:
    """With EXIT_AT_END the last line of standard output holds the funds, the replay's end and incidents."""
    last = json.loads((wide.folder / "out-0.log").read_text().splitlines()[-1])
    assert list(last) == ["funds", "replay_end", "incidents"]
    assert [fund["fund"] for fund in last["funds"]] == ["BTCUP", "BTCDOWN"]
    assert last["replay_end"] == "2025-03-06T09:00:00.000Z"
    assert last["incidents"] == []


def test_a_run_after_the_end_changes_nothing(wide: Inband, tmp_path: Path) -> None:
    """Started again on a replay that is over, it ends at once with the same record."""
    again = wide.copied(tmp_path)
    ran_to_the_end(again)
    assert again.history() == wide.history()


def test_status_reads_the_journal_when_no_daemon_runs(wide: Inband) -> None:
    """`status --json` shows the figures that the run ended with."""
    done = wide.run("status", "--json")
    assert done.returncode == 0, done.stderr
    ended = json.loads((wide.folder / "out-0.log").read_text().splitlines()[-1])["funds"]
    shown = json.loads(done.stdout)
    for name in ("fund", "position", "units", "wallet_balance", "rebalances", "commitments"):
        assert [fund[name] for fund in shown] == [fund[name] for fund in ended]


def test_what_is_secret_is_readable_by_its_user_only(wide: Inband) -> None:
    """Journal, key and token are private to the user who runs the daemon."""
    names = ["journal.sqlite", "journal.key", "operator.token"]
    modes = {name: os.stat(Path(wide.data_dir) / name).st_mode & 0o777 for name in names}  # noqa: PTH116
    assert modes == dict.fromkeys(names, 0o600)


def test_the_log_tells_no_target_and_no_quantity(wide: Inband) -> None:
    """No target, draw, salt, leverage or position of the run is a number, or a word, in its log."""
    lines = (wide.folder / "out-0.log").read_text().splitlines()[:-1]
    words = {word for line in lines for word in re.findall(r"-?[\w.]+", line)}
    for entry in wide.history():
        for name in ("target", "u", "salt", "leverage_before", "leverage_after", "position_change"):
            assert entry[name] in (None, "0", "2") or entry[name] not in words, (entry["id"], name)
