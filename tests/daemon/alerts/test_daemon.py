"""The alerts of a real daemon: delivered over a kill, tried by hand, shown while they wait."""

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from bot.daemon.kill_switch import HALT_FILE
from bot.journal.outbox import OUTBOX_FILE
from tests.support.inband import Inband
from tests.support.receiver import Receiver


def alerting(folder: Path, receiver: Receiver, **more: str) -> Inband:
    """A daemon that tells everything to the receiver, and the reveals to everybody."""
    return Inband(
        folder,
        PAPER__SPEED="600",
        PAPER__SCENARIO="calm",
        PAPER__SEED="7",
        FUNDS__BTCDOWN__ENABLED="false",
        ROUTES__PHONE__URL=receiver.url,
        ROUTES__PHONE__SEVERITY="info",
        ROUTES__WORLD__URL=receiver.url,
        ROUTES__WORLD__FEED="public",
        **more,
    )


def test_a_kill_loses_no_alert_and_doubles_none(tmp_path: Path) -> None:
    """What happened before `kill -9`, undelivered, arrives after it, once; reveals go to the public feed.

    Meanwhile `status` names the routes that take nothing.
    """
    with Receiver() as receiver:
        run = alerting(tmp_path, receiver)
        receiver.fail = True
        with run.start() as process:
            process.until_said("running")
            process.until_said("alert_not_delivered")
            named = "daemon: alerts not delivered: PHONE since"
            process.until(lambda: named in run.run("status").stdout, what="its status named the route")
            told = run.run("status").stdout
            process.signal(signal.SIGKILL)
        (fund,) = json.loads(run.run("status", "--json").stdout)
        (incident,) = [i for i in fund["daemon_incidents"] if i["code"] == "alerts not delivered: PHONE"]
        assert "alert test PHONE" in incident["remedy"]
        assert receiver.address not in told + json.dumps(incident)
        waiting = json.loads(run.run("alert", "list", "--json").stdout)
        assert waiting
        receiver.fail = False
        with run.start() as process:
            process.until(lambda: "BTCUP: rebalance 1 began" in receiver.titles, what="its start was told")
            process.until(lambda: "BTCUP: rebalance over" in receiver.titles, what="the end was told")
            process.until(lambda: "BTCUP: rebalance 1 revealed" in receiver.titles, what="it was revealed")
            process.until(
                lambda: run.run("alert", "list").stdout == "nothing waits\n", what="nothing waits any more"
            )
            assert process.signal(signal.SIGTERM) == 0
    for title in ("BTCUP: rebalance 1 began", "BTCUP: rebalance over", "BTCUP: rebalance 1 revealed"):
        assert receiver.titles.count(title) == 1
    assert "BTCUP: taken up" in receiver.titles


def test_what_happens_as_a_new_fund_is_taken_up_is_told(tmp_path: Path) -> None:
    """It is halted before there is anybody who could tell: people hear of it all the same.

    A route that nothing can be sent to is named at once, by its setting and not by its address.
    """
    with Receiver() as receiver:
        run = alerting(tmp_path, receiver, ROUTES__TYPO__URL="tgrm://bot-token")
        run.data_dir.mkdir()
        (run.data_dir / HALT_FILE).touch()
        with run.start() as process:
            process.until(lambda: "BTCUP: halted" in receiver.titles, what="the halt was told")
            told = process.until_said("setting_questionable")
            assert told["warning"].startswith("INBAND_ROUTES__TYPO__URL: the address has no form")
            assert "bot-token" not in str(told)
            assert process.signal(signal.SIGTERM) == 0


def test_a_store_of_alerts_that_is_not_to_be_had_holds_no_trading_up(tmp_path: Path) -> None:
    """Somebody else holds the file: the fund opens meanwhile, and people hear of all of it afterwards."""
    with Receiver() as receiver:
        run = alerting(tmp_path, receiver)
        run.data_dir.mkdir()
        with closing(sqlite3.connect(run.data_dir / OUTBOX_FILE, isolation_level=None)) as holder:
            holder.execute("CREATE TABLE theirs (x)")
            holder.execute("BEGIN EXCLUSIVE")
            with run.start() as process:
                process.until_said("task_restarted")
                process.until_said("slice_settled", times=3)
                assert process.lines("running")
                assert receiver.titles == []
                holder.execute("ROLLBACK")
                process.until(lambda: "BTCUP: rebalance over" in receiver.titles, what="the end was told")
                assert process.signal(signal.SIGTERM) == 0


def test_routes_can_be_tried_without_a_daemon(tmp_path: Path) -> None:
    """All or one; exit code 1 where one does not take it, 2 where there is none of this name."""
    with Receiver() as receiver:
        run = alerting(tmp_path, receiver)
        done = run.run("alert", "test")
        assert (done.returncode, done.stdout) == (0, "PHONE: delivered\nWORLD: delivered\n")
        assert receiver.titles == ["Inband paper: test"] * 2
        receiver.fail = True
        done = run.run("alert", "test", "phone", "--json")
        assert done.returncode == 1
        (told,) = json.loads(done.stdout)
        assert (told["route"], told["delivered"]) == ("PHONE", False)
        assert receiver.address not in done.stdout + done.stderr
        assert run.run("alert", "test", "PHNOE").returncode == 2
        assert "did you mean PHONE?" in run.run("alert", "test", "PHNOE").stderr
    assert Inband(tmp_path).run("alert", "test").returncode == 2
