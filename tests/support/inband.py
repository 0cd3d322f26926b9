"""The real command in a process of its own, as a user starts it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from bot.core.records import Record
from bot.journal.errors import JournalError
from bot.journal.stores import open_reader
from tests.support.patience import PATIENCE_S

REPOSITORY = Path(__file__).resolve().parents[2]


class Inband:
    """One set of settings on one data directory; `start` and `run` may be called again and again."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """`settings` without their prefix, e.g. `PAPER__SPEED="max"`; the data directory is `folder`/data."""
        self.folder = folder
        self.data_dir = folder / "data"
        self.settings = {"DATA_DIR": str(self.data_dir), "WEB__PORT": "0", **settings}
        self.patience_s = PATIENCE_S

    def with_settings(self, **changes: str) -> "Inband":
        """The same folder and data, other settings."""
        return Inband(self.folder, **{**self.settings, **changes})

    def copied(self, folder: Path) -> "Inband":
        """The same settings on a copy of the data: for who starts again what other tests read."""
        shutil.copytree(self.data_dir, folder / "data")
        return Inband(folder, **{**self.settings, "DATA_DIR": str(folder / "data")})

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            self._command(arguments),
            env=self._environment(),
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def start(self, *arguments: str) -> "Process":
        """Start a command, by default `run`, and let it run."""
        command = self._command(arguments or ("run",))
        return Process(command, self._environment(), self.folder, self.patience_s)

    def history(self) -> list[dict[str, Any]]:
        """What `history --json` prints."""
        done = self.run("history", "--json")
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))

    def facts(self) -> list[dict[str, Any]]:
        """What `history` says, but how many orders it took: one that a kill cut short is posted anew."""
        entries = self.history()
        for entry in entries:
            for count in ("orders", "repriced"):
                entry["execution"].pop(count)
        return entries

    def records(self, fund: str, after: int = 0) -> tuple[Record, ...]:
        """The fund's records so far, or what follows the first `after`; none while there is no journal."""
        try:
            with open_reader(self.data_dir, self.settings.get("DATABASE_URL"), self._key) as journal:
                return tuple(journal.read(fund, after))
        except JournalError:
            return ()

    @property
    def _key(self) -> str | None:
        return self.settings.get("JOURNAL_KEY")

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "bot", *arguments]

    def _environment(self) -> Mapping[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.upper().startswith("INBAND_")}
        ours = {f"INBAND_{name}": value for name, value in self.settings.items()}
        return {**clean, "PYTHONFAULTHANDLER": "1", **ours}


def cpu_s(pid: int) -> float:
    """CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_wait_s(pid: int) -> float:
    """For how long a process (its first thread) would have run so far, and was given no CPU."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


class Process:
    """A command that runs; its output goes to files, so that no pipe can fill up. Leaving it kills it."""

    def __init__(
        self, command: list[str], environment: Mapping[str, str], folder: Path, patience_s: float = PATIENCE_S
    ) -> None:
        """Start it. `patience_s`: how long to wait for what must happen."""
        self._patience_s = patience_s
        number = len(list(folder.glob("out-*.log")))
        self._out, self._err = folder / f"out-{number}.log", folder / f"err-{number}.log"
        self._lines: list[dict[str, Any]] = []
        self._read = 0
        with self._out.open("w") as out, self._err.open("w") as err:
            self._process = subprocess.Popen(command, env=environment, cwd=REPOSITORY, stdout=out, stderr=err)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def stdout(self) -> str:
        """What it has said so far."""
        return self._out.read_text()

    @property
    def stderr(self) -> str:
        """What it has said on standard error so far."""
        return self._err.read_text()

    @property
    def running(self) -> bool:
        """Whether it is alive."""
        return self._process.poll() is None

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """Its log lines so far, all or those of one event; asked again, only what is new is read."""
        with self._out.open("rb") as out:
            out.seek(self._read)
            new = out.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._lines += [json.loads(line) for line in whole.splitlines()]
        self._read += len(whole)
        return [line for line in self._lines if event is None or line.get("event") == event]

    def until(self, happened: Callable[[], object], *, what: str) -> None:
        """Wait for it, as long as the process lives."""
        end_s = time.monotonic() + self._patience_s
        while not happened():
            # It may have happened since, and the process ended after it.
            assert self.running or happened(), f"it ended before {what}: {self.stderr}{self.stdout[-2000:]}"
            assert time.monotonic() < end_s, f"never {what}: {self.stdout[-2000:]}"
            time.sleep(0.01)

    def until_said(self, event: str, *, times: int = 1) -> dict[str, Any]:
        """Wait for a log line that many times, and give the last of them."""
        self.until(lambda: len(self.lines(event)) >= times, what=f"it said {event}")
        return self.lines(event)[times - 1]

    def signal(self, number: signal.Signals) -> int:
        """Send a signal, wait for the end, and give the exit code (negative: died of a signal)."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end, and give the exit code; what does not end says where it is, and is an error."""
        try:
            return self._process.wait(timeout=self._patience_s)
        except subprocess.TimeoutExpired:
            used_s = cpu_s(self.pid)
            self._process.send_signal(signal.SIGABRT)  # Python's fault handler writes where each thread is
            self._process.wait()
            raise AssertionError(
                f"it did not end within {self._patience_s:g} s, in which it used {used_s:.1f} s of CPU time: "
                f"{self.stderr[-3000:]}{self.stdout[-2000:]}"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.running:
            self._process.kill()
            self._process.wait()
