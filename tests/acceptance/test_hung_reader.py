"""A log that nobody reads: `run | less`, Ctrl-S in a terminal, a journald that is stuck."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bot.core.records import FundCreated, Record
from tests.support.inband import REPOSITORY, Inband
from tests.support.patience import PATIENCE_S

FUNDS = ("BTCUP", "BTCDOWN")


class Listener:
    """A daemon of which standard output ends in our hands: it is read when we want to."""

    def __init__(self, inband: Inband, read: int, process: "subprocess.Popen[bytes]") -> None:
        """Nothing is read yet."""
        self._inband = inband
        self.read = read
        self.process = process
        self.said = b""

    def listen_until(self, event: str) -> None:
        """Read up to a line, and not much further."""
        while f'"event":"{event}"'.encode() not in self.said.rpartition(b"\n")[0]:
            self.said += os.read(self.read, 256)

    def listen_to_the_end(self) -> threading.Thread:
        """Read in a thread until the daemon has ended; from now on it waits for no reader."""
        fcntl.fcntl(self.read, fcntl.F_SETPIPE_SZ, 1 << 20)

        def listen() -> None:
            with suppress(OSError):  # a terminal ends by an error
                while piece := os.read(self.read, 65536):
                    self.said += piece

        thread = threading.Thread(target=listen)
        thread.start()
        return thread

    def records(self) -> list[Record]:
        """What the journal has so far."""
        return [record for fund in FUNDS for record in self._inband.records(fund)]

    def until_records(self, count: int) -> None:
        """Wait until the journal holds so many records."""
        end_s = time.monotonic() + PATIENCE_S
        while (found := len(self.records())) < count:
            assert self.process.poll() is None, "it ended"
            assert time.monotonic() < end_s, f"trading stands still at {found} records"
            time.sleep(0.1)

    def until_answered(self, path: str) -> None:
        """Wait until a path answers that all is well."""
        (serving,) = (json.loads(line) for line in self.said.splitlines() if b'"serving"' in line)
        url, end_s = serving["url"] + path, time.monotonic() + PATIENCE_S
        while True:
            try:
                with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:  # noqa: S310 - our own
                    assert answer.status == 200
                    return
            except urllib.error.HTTPError:  # for a moment it may be busy with something
                assert time.monotonic() < end_s, f"{path} says that something is wrong"
                time.sleep(0.1)

    def signal(self, number: signal.Signals) -> tuple[int, float]:
        """Exit code, and the seconds until then."""
        began_s = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S), time.monotonic() - began_s


@contextmanager
def started(inband: Inband, read: int, write: int) -> Iterator[Listener]:
    """`run`, saying what it says into `write`."""
    with (inband.folder / "err.log").open("w") as errors:
        process = subprocess.Popen(
            inband._command(("run",)),
            env=inband._environment(),
            cwd=REPOSITORY,
            stdin=write if os.isatty(write) else None,
            stdout=write,
            stderr=errors,
        )
    os.close(write)
    try:
        yield Listener(inband, read, process)
    finally:
        process.kill()
        process.wait()
        os.close(read)


@pytest.fixture
def hanging(inband: Callable[..., Inband]) -> Iterator[Listener]:
    """A daemon that has begun to trade, and whose log nobody reads from its first lines on."""
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    with started(inband(PAPER__EXIT_AT_END="false"), read, write) as listener:
        listener.listen_until("serving")
        yield listener


def test_trading_goes_on_and_every_line_comes_when_it_is_read_again(hanging: Listener) -> None:
    """Orders go out, health and readiness answer, and what was said meanwhile comes whole and in order."""
    hanging.until_records(500)
    for path in ("/healthz", "/readyz"):
        hanging.until_answered(path)
    assert hanging.said.count(b"order_sent") == 0
    reader = hanging.listen_to_the_end()
    code, _ = hanging.signal(signal.SIGTERM)
    reader.join()
    assert code == 0
    lines = [json.loads(line) for line in hanging.said.splitlines()]
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert [line for line in lines if line["event"] == "log_lines_lost"] == []
    created = sum(isinstance(record, FundCreated) for record in hanging.records())
    assert sum(line["event"] == "fund_created" for line in lines) == created == len(FUNDS)
    assert sum(line["event"] == "order_sent" for line in lines) > 50
    assert "stopping" in {line["event"] for line in lines}


def test_nobody_has_to_read_for_a_stop(hanging: Listener) -> None:
    """SIGTERM ends it with exit code 0 within seconds, without a word on standard error."""
    hanging.until_records(400)
    code, took_s = hanging.signal(signal.SIGTERM)
    assert code == 0
    assert took_s < 20, "parking, and two seconds for the reader"
    assert (hanging._inband.folder / "err.log").read_text() == ""


def test_a_terminal_that_is_held_holds_up_nothing(inband: Callable[..., Inband]) -> None:
    """The table stands still; funds trade, and their log is written to its file."""
    run = inband(PAPER__EXIT_AT_END="false", PAPER__SPEED="max")
    read, write = pty.openpty()
    with started(run, read, write) as listener:
        while b"inband" not in listener.said:
            listener.said += os.read(read, 4096)
        listener.until_records(500)
        code, took_s = listener.signal(signal.SIGTERM)
    assert code == 0
    assert took_s < 20
    lines = [json.loads(line) for line in Path(run.data_dir / "inband.log").read_text().splitlines()]
    assert sum(line["event"] == "order_sent" for line in lines) > 50
    assert "stopping" in {line["event"] for line in lines}
