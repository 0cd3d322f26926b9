"""The whole daemon, with unmodified ccxt and the paper exchange, in virtual time (`bot.simulation.whole`)."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.simulation.claims import Claims
from tests.support.audit import differences
from tests.support.inband import Inband
from tests.support.kills import decided
from tests.support.replay import write_replay

KILLED = 137
ACCOUNTS = {"BTCUP": "UP", "BTCDOWN": "DOWN"}


class Whole:
    """One data directory, run again and again."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        prices = write_replay(folder / "prices.csv", 60_000, 52_000, 66_000, 60_000, hours=3)
        self.inband = Inband(
            folder,
            PAPER__SEED="7",
            PAPER__SPEED="max",
            PAPER__EXIT_AT_END="true",
            PAPER__REPLAY=str(prices),
            FUNDS__BTCUP__BAND="[1.9, 2.2]",
            FUNDS__BTCUP__TARGET="[2.0, 2.1]",
        )
        self._began_ms = 0

    def run(self, seed: int, *, resets: float = 0.0, die_after_s: float = 0.0) -> dict[str, Any]:
        """Run it to its end, or until it is killed; what it said of itself."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "bot.simulation.whole", "--seed", str(seed)),
                *("--resets", str(resets), "--die-after", str(die_after_s)),
                *("--began-ms", str(self._began_ms)),
            ],
            env={**self.inband._environment(), "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        self._began_ms += 60_000
        if done.returncode == KILLED:
            return {"code": KILLED}
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return said

    def problems(self) -> list[str]:
        """What the judge's own reading of the journals, and the exchange's store, say against them."""
        found = differences(self.inband, ACCOUNTS)
        for fund in ACCOUNTS:
            claims = Claims()
            for record in self.inband.records(fund):
                found += [f"{fund} {code}: {text}" for code, text in claims.take(record)]
        return found


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Whole, dict[str, Any]]:
    """A run without faults, and what it said of itself."""
    whole = Whole(tmp_path_factory.mktemp("whole") / "untouched")
    return whole, whole.run(1)


def test_every_byte_repeats(untouched: tuple[Whole, dict[str, Any]], tmp_path: Path) -> None:
    """Another process, another folder, the same seed: the same bytes at the same times, ccxt's included."""
    first, said = untouched
    second = Whole(tmp_path / "again")
    assert second.run(1) == said
    assert said["chunks"] > 1_000
    assert second.inband.history() == first.inband.history()


def test_the_ledgers_arithmetic_stays_as_it_was(untouched: tuple[Whole, dict[str, Any]]) -> None:
    """After orders by ccxt as before them: what a restart folds is rounded as what was traded on."""
    _, said = untouched
    assert said["arithmetic"] == [28, "ROUND_HALF_EVEN", "DivisionByZero", "InvalidOperation", "Overflow"]


def test_killed_it_goes_on_to_the_same_record(
    untouched: tuple[Whole, dict[str, Any]], tmp_path: Path, *, soak: bool
) -> None:
    """Killed at instants of virtual time, in the middle of whatever it is at, stores and all."""
    whole, _ = untouched
    killed = Whole(tmp_path / "killed")
    times_s = [0.1 + 0.17 * i for i in range(12 if soak else 2)]
    codes = [killed.run(1, die_after_s=seconds)["code"] for seconds in times_s]
    assert codes.count(KILLED) >= 2
    killed.run(1)
    assert killed.problems() == []
    assert decided(killed.inband.history()) == decided(whole.inband.history())


def test_connections_that_break_cost_nothing_but_time(tmp_path: Path, *, soak: bool) -> None:
    """Orders, streams and pacing alike lose theirs again and again; the books stay those of the exchange."""
    for seed in range(20 if soak else 1):
        whole = Whole(tmp_path / f"resets-{seed}")
        assert whole.run(seed, resets=4.0)["resets"] > 5
        assert whole.problems() == []
        assert len(whole.inband.history()) >= 4
