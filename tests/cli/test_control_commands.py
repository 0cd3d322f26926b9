"""`pause`, `resume` and `halt` against a real daemon, over a restart."""

import json
import socket
from pathlib import Path

from bot.core.records import Control, ControlChanged
from tests.cli.conftest import Invoke
from tests.support.inband import Inband


def free_port() -> str:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def test_without_a_daemon_they_say_so(inband: Invoke) -> None:
    """Exit code 1, one line, and the remedy."""
    answer = inband("pause", "BTCUP", WEB__PORT=free_port())
    assert answer.code == 1
    assert answer.err.count("\n") == 1
    assert "no daemon answers" in answer.err


def test_a_pause_is_durable_and_a_resume_ends_it(tmp_path: Path) -> None:
    """Told to one fund, on record with its reason, still there after a restart, and over when resumed."""
    run = Inband(tmp_path, WEB__PORT=free_port(), PAPER__SPEED="1")
    with run.start() as process:
        process.until_said("running")
        done = run.run("pause", "BTCUP", "--reason", "maintenance", "--json")
        assert done.returncode == 0, done.stderr
        (fund,) = json.loads(done.stdout)
        assert (fund["control"]["state"], fund["control"]["why"]) == ("paused", "maintenance")
        assert run.run("pause", "NOSUCH").returncode == 1
    with run.start() as process:
        process.until_said("running")
        states = {f["fund"]: f["control"]["state"] for f in json.loads(run.run("status", "--json").stdout)}
        assert states == {"BTCUP": "paused", "BTCDOWN": "running"}
        assert run.run("halt").stdout == "BTCUP: halted\nBTCDOWN: halted\n"
        assert run.run("resume", "btcup").stdout == "BTCUP: running\n"
    said = [record.control for record in run.records("BTCUP") if isinstance(record, ControlChanged)]
    assert said == [Control.PAUSED, Control.HALTED, Control.RUNNING]
