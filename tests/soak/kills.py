"""Real `kill -9` cycles: `python -m tests.soak.kills --cycles 60 [--log kills.jsonl]`.

A session is one replay. It is killed again and again at random moments, started again each time, and then
runs to its end. What it decided must be what a run decides that nobody killed, its journal must not
contradict itself, and its ledger must be the exchange's to the cent. Three victims take turns: the daemon
with its embedded exchange, the daemon beside an exchange of its own, and that exchange. With a log the driver
goes on where it was stopped.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from signal import SIGKILL, SIGTERM
from statistics import median, quantiles
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

from bot.simulation.claims import Claims
from tests.support.audit import differences
from tests.support.inband import Inband, Process, cpu_s
from tests.support.kills import decided
from tests.support.market_leash import Leash
from tests.support.ports import free_port
from tests.support.replay import write_replay

VICTIMS = ("embedded", "daemon", "exchange")
KILLS_A_SESSION = 10
RECOVERED_WITHIN_S = 3.0
_ACCOUNTS = {"BTCUP": "UP", "BTCDOWN": "DOWN"}
_HOURS = 9.0
_SPEED = 2_000.0
_ALONE_S = 8.1
"""Of an exchange that waits for no daemon, the market is to outlast the kills: it takes so long for each."""
_GOES_ON_S = 1_200.0
"""Market time for one life of a daemon, and while none is there: no more, however slow a start is."""
_PATIENCE_S = 600.0
"""A run takes seconds of CPU time, of which a busy machine may give it little."""
_AT_LEAST = 3
"""Rebalances of a session: two openings and one that a move of the price demands."""
_ASK = build_opener(ProxyHandler({}))


@dataclass
class Tally:
    """What all cycles so far add up to.

    `recoveries_s`: from a start to `/readyz`, the venue reachable; `cpu_s`: the CPU time that this took.
    """

    kills: Counter[str] = field(default_factory=Counter)
    recoveries_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    sessions: int = 0

    def add(self, line: dict[str, Any]) -> None:
        """Count one session."""
        self.sessions += 1
        self.kills[line["victim"]] += line["kills"]
        self.recoveries_s += line["recoveries_s"]
        self.cpu_s += line["cpu_s"]
        self.violations += line["violations"]

    def text(self) -> str:
        """One line for people."""
        found = sorted(self.recoveries_s)
        high = quantiles(found, n=20)[-1] if len(found) > 1 else found[0]
        late = sum(seconds > RECOVERED_WITHIN_S for seconds in found)
        within = (
            f"95 % within {high:.2f} s, longest {found[-1]:.2f} s, {late} later than {RECOVERED_WITHIN_S:g} s"
        )
        return (
            f"{self.kills.total()} kills ({', '.join(f'{name} {n}' for name, n in self.kills.items())}), "
            f"{len(self.violations)} violations; ready after {median(found):.2f} s, "
            f"{within}, CPU time {median(self.cpu_s):.2f} s"
        )


class Session:
    """One replay that is killed `kills` times and then runs to its end."""

    def __init__(self, folder: Path, prices: Path, reference: list[dict[str, Any]], chance: Random) -> None:
        self.recoveries_s: list[float] = []
        self.cpu_s: list[float] = []
        self.kills = 0
        self._whole = True
        self._folder = folder
        self._prices = prices
        self._reference = reference
        self._chance = chance
        folder.mkdir(parents=True)

    def run(self, victim: str, kills: int) -> list[str]:
        """Kill, recover, finish, compare; what is wrong, in words."""
        if victim == "embedded":
            run = daemon(self._folder, self._prices)
            problems = self._kill_daemon(run, kills)
            return problems + self._finish(run) + self._compare(run, store=None)
        speed = _SPEED if victim == "exchange" else min(_SPEED, _HOURS * 3_600 / (_ALONE_S * kills))
        port = free_port()
        with self._exchange(port, speed) as exchange:
            url = exchange.lines()[0]["url"]
            run = daemon(self._folder, None, PAPER__URL=url)
            if victim == "exchange":
                return self._kill_exchange(run, exchange, port, kills)
            with ExitStack() as held:
                problems = self._kill_daemon(run, kills, held.enter_context(Leash(url)))
                problems += self._finish(run, held.close)
            exchange.signal(SIGTERM)
            return problems + self._compare(run, store=self._folder / "elsewhere")

    def _kill_daemon(self, run: Inband, kills: int, leash: Leash | None = None) -> list[str]:
        """Kill it at random moments, for as long as there is a market, which `leash` keeps from ending."""
        for _ in range(kills):
            with run.start() as process:
                self._await_ready(process)
                if leash is not None:
                    leash.let(_GOES_ON_S)
                time.sleep(self._chance.uniform(0, 0.6))
                if not process.running:
                    self._whole = False
                    return _problems(process)
                process.signal(SIGKILL)
                self.kills += 1
        return []

    def _kill_exchange(self, run: Inband, exchange: Process, port: int, kills: int) -> list[str]:
        """The daemon lives on, waits, and goes on with the exchange that comes back."""
        try:
            with run.start() as process:
                self._await_ready(process)
                for _ in range(kills):
                    time.sleep(self._chance.uniform(0, 0.6))
                    if not process.running:
                        break
                    exchange.signal(SIGKILL)
                    self.kills += 1
                    exchange = self._exchange(port, _SPEED)
                problems = _problems(process)
        finally:
            exchange.signal(SIGTERM)
        return problems + self._compare(run, store=self._folder / "elsewhere")

    def _await_ready(self, process: Process) -> None:
        """Until the daemon says that it can trade; how long that took counts."""
        began_s = time.monotonic()
        url = process.until_said("serving")["url"]
        process.until(lambda: not process.running or _ready(url), what="it was ready")
        if process.running:
            self.recoveries_s.append(time.monotonic() - began_s)
            self.cpu_s.append(cpu_s(process.pid))

    def _finish(self, run: Inband, release: Callable[[], None] = lambda: None) -> list[str]:
        with run.start() as process:
            process.until(lambda: not process.running or process.lines("running"), what="it was ready")
            release()
            return _problems(process)

    def _compare(self, run: Inband, store: Path | None) -> list[str]:
        """The books, against themselves and the exchange's; and, where the market waited, what was decided.

        An exchange of its own does not wait for a daemon that is away, as no exchange does.
        """
        problems = differences(run, _ACCOUNTS, store=store)
        for fund in _ACCOUNTS:
            claims = Claims()
            for record in run.records(fund):
                problems += [f"{fund} {code}: {text}" for code, text in claims.take(record)]
        history = decided(run.history())
        if len(history) < _AT_LEAST and self._whole:
            problems.append(f"{len(history)} rebalances: it hardly traded")
        if store is None and history != self._reference:
            wrong = [
                (mine.get("id"), [key for key in mine if mine[key] != other.get(key)])
                for mine, other in zip(history, self._reference, strict=False)
                if mine != other
            ]
            counts = f"{len(history)} rebalances, not {len(self._reference)}"
            problems.append(f"{counts}; first differences {wrong[:2]}")
        return problems

    def _exchange(self, port: int, speed: float) -> Process:
        options = {"--port": str(port), "--replay": str(self._prices), "--seed": "7", "--speed": f"{speed:g}"}
        options["--data-dir"] = str(self._folder / "elsewhere")
        words = [word for option in options.items() for word in option]
        process = _patient(Inband(self._folder)).start("exchange", "--json", *words)
        process.until(process.lines, what="it announced itself")
        return process


def daemon(folder: Path, prices: Path | None, **settings: str) -> Inband:
    """A daemon whose runs repeat exactly."""
    replay = {} if prices is None else {"PAPER__REPLAY": str(prices), "PAPER__SPEED": f"{_SPEED:g}"}
    return _patient(
        Inband(folder, **{"PAPER__SEED": "7", "PAPER__EXIT_AT_END": "true", **replay, **settings})
    )


def _patient(inband: Inband) -> Inband:
    inband.patience_s = _PATIENCE_S
    return inband


def _problems(process: Process) -> list[str]:
    """What the end of a run says against it."""
    code = process.wait()
    return [] if code == 0 else [f"exit code {code}: {process.stderr[-300:]}"]


def sessions(
    cycles: int, seed: int, folder: Path, known: Tally, each: int = KILLS_A_SESSION
) -> Iterator[dict[str, Any]]:
    """Run sessions, of `each` kills, until so many have been counted; each is one line of the log."""
    prices = write_replay(folder / "prices.csv", 60_000, 41_000, 80_000, 66_000, hours=_HOURS)
    untouched = daemon(folder / "untouched", prices, PAPER__SPEED="max")
    untouched.folder.mkdir()
    with untouched.start() as process:
        if process.wait() != 0:
            raise SystemExit(f"the run that nobody kills failed: {process.stderr}")
    reference = decided(untouched.history())
    number = known.sessions
    done = known.kills.total()
    while done < cycles:
        victim, chance = VICTIMS[number % len(VICTIMS)], Random(f"{seed}|{number}")  # noqa: S311 - it picks moments
        kills = min(each, cycles - done)
        session = Session(folder / f"session-{number}", prices, reference, chance)
        try:
            problems = session.run(victim, kills)
        except AssertionError as error:  # it did not come up, or did not end: a violation like any other
            problems = [str(error)]
            session.kills = max(session.kills, 1)
        yield {
            "victim": victim,
            "session": number,
            "kills": session.kills,
            "recoveries_s": [round(seconds, 3) for seconds in session.recoveries_s],
            "cpu_s": [round(seconds, 2) for seconds in session.cpu_s],
            "violations": [f"{victim} {number}: {problem}" for problem in problems],
        }
        done += session.kills
        number += 1


def _ready(url: str) -> bool:
    try:
        with _ASK.open(f"{url}/readyz", timeout=1.0) as answer:
            return bool(answer.status == 200)
    except (HTTPError, URLError, OSError):
        return False


def main(arguments: list[str]) -> int:
    """Run the driver; exit code 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.soak.kills")
    parser.add_argument("--cycles", type=int, default=30, help="kills altogether, those of the log included")
    parser.add_argument("--seed", type=int, default=0, help="picks the moments")
    parser.add_argument("--log", type=Path, help="file of finished sessions, to go on where it was stopped")
    options = parser.parse_args(arguments)
    tally = Tally()
    if options.log is not None and options.log.exists():
        for text in options.log.read_text().splitlines():
            tally.add(json.loads(text))
    with tempfile.TemporaryDirectory(prefix="inband-kills-") as folder:
        for line in sessions(options.cycles, options.seed, Path(folder), tally):
            tally.add(line)
            if options.log is not None:
                with options.log.open("a") as file:
                    file.write(json.dumps(line) + "\n")
            sys.stdout.write(tally.text() + "\n")
            sys.stdout.flush()
    for violation in tally.violations:
        sys.stdout.write(f"VIOLATION {violation}\n")
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
