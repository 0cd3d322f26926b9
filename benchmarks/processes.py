"""Child processes of a benchmark: the command line as users start it, watched from outside."""

import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import orjson

from benchmarks.measure import REPOSITORY

_PATIENCE_S = 300.0


def settings(folder: Path, **values: object) -> dict[str, str]:
    """The environment of a daemon that keeps its data in `folder`; no other setting of ours reaches it."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("INBAND_")}
    ours = {"data_dir": folder / "data", "web__port": 0, **values}
    return kept | {f"INBAND_{name.upper()}": str(value) for name, value in ours.items()}


class Line(NamedTuple):
    """A line of a process's log, and how long after its start it came."""

    after_s: float
    fields: dict[str, Any]


_TROUBLE = frozenset({"warning", "error", "critical"})
_ORDINARY = frozenset({"urgency_raised", "stopped_with_unknown_outcome"})
"""Warnings that markets and stops bring along."""
AFTER_A_KILL = frozenset({"order_outcome_unknown", "order_never_arrived"})
"""Warnings of a daemon that is started after a `kill -9`: the kill may have caught an order on its way."""


class Daemon:
    """`python -m bot ...` while it runs. Everything it says on standard output is JSON lines.

    What goes wrong in it (a question that is asked again and again, say) is measured with everything else. So
    warnings that are not expected, and whatever is said on standard error, are an error of the benchmark.
    """

    def __init__(
        self, arguments: Sequence[str], environment: dict[str, str], expected: frozenset[str] = frozenset()
    ) -> None:
        """Start it. `expected`: events that it may warn of."""
        self._expected = _ORDINARY | expected
        self._errors = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115 - closed with the process
        self._lines: queue.SimpleQueue[Line | None] = queue.SimpleQueue()
        self._begun = time.perf_counter()
        self._process = subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, "-m", "bot", *arguments],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._host = ""
        self._trouble: list[bytes] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def next_line(self) -> Line:
        """The next line it says; raises with its last words when it has ended instead."""
        line = self._lines.get(timeout=_PATIENCE_S)
        if line is None:
            code = self._process.wait()
            self._errors.seek(0)
            raise RuntimeError(f"it ended with exit code {code}: {self._errors.read()[-500:]}")
        return line

    def event(self, name: str, times: int = 1) -> Line:
        """The line of its log that says `name` for the `times`-th time from now on."""
        while True:
            line = self.next_line()
            if line.fields.get("event") == "starting":
                self._host = line.fields["hosts"][0]
            if line.fields.get("event") == name:
                times -= 1
                if times == 0:
                    return line

    def await_market_end(self, end_ms: int) -> None:
        """Wait until the market that it is attached to has come to `end_ms`, and a moment more."""
        if not self._host:
            self.event("starting")
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            if self.market_ms() >= end_ms:
                time.sleep(0.2)
                return
            time.sleep(0.1)
        raise TimeoutError("the market did not come to its end")

    def market_ms(self) -> int:
        """How far the market has come that it is attached to; it must have said where that is."""
        url = f"http://{self._host}/fapi/v1/premiumIndex?symbol=BTCUSDT"
        with urllib.request.urlopen(url) as answer:
            return int(orjson.loads(answer.read())["time"])

    def pin(self, core: int) -> None:
        """Let it run on one core only."""
        for thread in Path(f"/proc/{self._process.pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})

    def resident_mb(self) -> float:
        """Resident memory in MB (10**6 bytes)."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise RuntimeError("no VmRSS")

    def cpu_s(self) -> float:
        """User and system time that it has used so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def share_of_a_core(self, seconds: float) -> float:
        """What it uses while so many seconds pass, %."""
        wall, spent = time.perf_counter(), self.cpu_s()
        time.sleep(seconds)
        return (self.cpu_s() - spent) / (time.perf_counter() - wall) * 100

    def kill(self) -> None:
        """`kill -9`, and wait until it is dead."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """Stop it, and wait until it has. Raises RuntimeError if it warned of something."""
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        with self._errors as errors:
            errors.seek(0)
            said = errors.read()
        if error is None and (self._trouble or said):
            raise RuntimeError(f"what was measured went wrong: {self._trouble[:3]} {said[-500:]}")

    def _listen(self) -> None:
        """Take every line at once, so that a full pipe never holds the process up."""
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for text in stdout:
                line = Line(time.perf_counter() - self._begun, orjson.loads(text))
                if line.fields.get("level") in _TROUBLE and line.fields["event"] not in self._expected:
                    self._trouble.append(text)
                self._lines.put(line)
        self._lines.put(None)


@contextmanager
def stand_alone_exchange(folder: Path, *options: str) -> Iterator[str]:
    """A paper exchange in a process of its own; gives its URL."""
    arguments = ["exchange", "--port", "0", "--json", "--data-dir", str(folder), *options]
    with Daemon(arguments, settings(folder)) as exchange:
        yield exchange.next_line().fields["url"]
