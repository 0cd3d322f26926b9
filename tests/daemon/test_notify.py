"""systemd is told how it goes, by datagrams on a real socket; the unit is one that it takes."""

import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.core.engine import MOST_STARTS
from bot.daemon.notify import ServiceManager
from tests.daemon.conftest import Logged
from tests.support.inband import Inband
from tests.support.patience import PATIENCE_S

UNIT = Path(__file__).resolve().parents[2] / "config" / "inband.service"


class Listener:
    """systemd's end of the socket."""

    def __init__(self, address: str) -> None:
        """Bound from now on."""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(60)

    def said(self) -> dict[str, str]:
        """The next datagram's assignments."""
        lines = self.socket.recv(4096).decode().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def until_said(self, word: str) -> None:
        """Wait for a datagram with this assignment; it is told that the daemon lives meanwhile."""
        end_s = time.monotonic() + PATIENCE_S
        while word not in self.said():
            assert time.monotonic() < end_s, f"never {word}"

    def emptied(self) -> bool:
        """Take what lies there: the queue holds ten datagrams, and what finds it full is lost."""
        while select.select([self.socket], [], [], 0)[0]:
            self.said()
        return True


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    """Listening in a folder."""
    listener = Listener(str(tmp_path / "notify"))
    yield listener
    listener.socket.close()


def test_a_service_tells_its_life(tmp_path: Path, listener: Listener) -> None:
    """Ready with its process, alive, reloading with a time, stopping."""
    manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "4000000"})
    manager.ready("mode paper")
    assert listener.said() == {"READY": "1", "MAINPID": str(os.getpid()), "STATUS": "mode paper"}
    manager.status("waiting")
    assert listener.said() == {"STATUS": "waiting"}
    manager.alive()
    assert listener.said() == {"WATCHDOG": "1"}
    manager.reloading()
    assert int(listener.said()["MONOTONIC_USEC"]) > 0
    manager.stopping()
    assert listener.said()["STOPPING"] == "1"
    assert manager.watchdog_s == 4


def test_the_abstract_namespace_is_spoken_to() -> None:
    """An address with an @ in front."""
    name = f"inband-test-{os.getpid()}"
    listener = Listener(f"\0{name}")
    ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).alive()
    assert listener.said() == {"WATCHDOG": "1"}
    listener.socket.close()


def test_long_work_is_told_in_time_and_not_more(tmp_path: Path, listener: Listener) -> None:
    """Folding a long journal at a start is no hang: systemd hears of it as it goes on, not of each step."""
    manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000000"})
    for _ in range(100):
        manager.working()
    manager.stopping()
    assert listener.said() == {"WATCHDOG": "1"}
    assert "STOPPING" in listener.said()


def test_long_work_is_not_told_where_nobody_watches(tmp_path: Path, listener: Listener) -> None:
    """Without a watchdog there is nothing to say."""
    manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    manager.working()
    manager.stopping()
    assert "STOPPING" in listener.said()


@pytest.mark.parametrize(
    "environment",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}],
)
def test_nobody_is_told_where_nobody_listens(environment: dict[str, str]) -> None:
    """Without a socket nothing is said, and a watchdog of another process is none of ours."""
    manager = ServiceManager(environment)
    manager.alive()
    assert manager.watchdog_s is None


def test_a_socket_that_is_gone_stops_nobody(tmp_path: Path, logged: Logged) -> None:
    """It is told once, and the daemon goes on."""
    manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    manager.alive()
    manager.alive()
    assert [line["event"] for line in logged()] == ["service_manager_unreachable"]


def test_a_service_manager_that_comes_back_hears_of_us_again(tmp_path: Path, logged: Logged) -> None:
    """It starts anew, or its queue was full: a daemon that had fallen silent for that would be killed."""
    manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    manager.alive()
    listener = Listener(str(tmp_path / "notify"))
    manager.alive()
    assert listener.said() == {"WATCHDOG": "1"}
    listener.socket.close()
    manager.alive()
    assert [line["event"] for line in logged()] == ["service_manager_unreachable"] * 2


def test_a_real_daemon_is_ready_alive_and_stops(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its start to SIGTERM, with a reload in between."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    with Inband(tmp_path, PAPER__SPEED="1").start() as process:
        ready = listener.said()
        assert (ready["READY"], ready["MAINPID"]) == ("1", str(process.pid))
        assert ready["STATUS"].startswith("mode paper, serving http://127.0.0.1:")
        assert listener.said() == {"WATCHDOG": "1"}
        process.until(lambda: listener.emptied() and process.lines("running"), what="it said running")
        os.kill(process.pid, signal.SIGHUP)
        listener.until_said("RELOADING")
        listener.until_said("READY")
        os.kill(process.pid, signal.SIGTERM)
        listener.until_said("STOPPING")
        assert process.wait() == 0


@pytest.mark.needs("systemd")
def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify`, with the program where it would be installed."""
    unit = tmp_path / "inband.service"
    unit.write_text(
        UNIT.read_text().replace("/opt/inband/.venv/bin/python", "/usr/bin/env").replace("User=inband\n", "")
    )
    command = [
        shutil.which("systemd-analyze") or "",
        "verify",
        "--man=no",
        "--recursive-errors=no",
        str(unit),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "inband.service" in line] == []
    assert done.returncode == 0, done.stderr


def test_systemd_does_not_give_up_before_the_daemon_has_stopped_increases() -> None:
    """A crash loop is a breach at the eleventh start; systemd refuses starts beyond its burst."""
    burst = next(line for line in UNIT.read_text().splitlines() if line.startswith("StartLimitBurst="))
    assert int(burst.removeprefix("StartLimitBurst=")) > MOST_STARTS + 1


def test_the_unit_waits_for_the_daemon_and_watches_it() -> None:
    """Notify, watchdog, reload by SIGHUP, time to park, and only what it needs."""
    lines = UNIT.read_text().splitlines()
    for line in (
        "Type=notify",
        "WatchdogSec=30",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "TimeoutStopSec=30",
        "ProtectSystem=strict",
        "NoNewPrivileges=true",
    ):
        assert line in lines
