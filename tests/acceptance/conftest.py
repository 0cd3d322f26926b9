"""Finished runs that several tests look at, each made once."""

import fcntl
import os
import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.support.inband import Inband
from tests.support.replay import write_replay

REPEATABLE = {"PAPER__SEED": "7", "PAPER__SPEED": "max", "PAPER__EXIT_AT_END": "true"}
WHOLE_RUN_S = 600.0
"""Up to a quarter of a minute of CPU time, of which a busy machine may give it little."""

NARROW_BAND = {
    f"FUNDS__{fund}__{name}": value
    for fund in ("BTCUP", "BTCDOWN")
    for name, value in (("BAND", "[1.9, 2.2]"), ("TARGET", "[2.0, 2.1]"))
}


@pytest.fixture(scope="session")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a day in which both funds leave the band of 1.5 to 3 on both sides."""
    folder = tmp_path_factory.mktemp("prices")
    return write_replay(folder / "prices.csv", 60_000, 41_000, 80_000, 66_000, hours=9)


@pytest.fixture(scope="session")
def calm_prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day that leaves a narrow band only."""
    folder = tmp_path_factory.mktemp("calm")
    return write_replay(folder / "calm.csv", 60_000, 54_300, 60_500, hours=16)


@pytest.fixture
def inband(tmp_path: Path, prices: Path) -> Callable[..., Inband]:
    """Makes the command with settings that repeat exactly, on its own data directory."""

    def make(name: str = "run", **settings: str) -> Inband:
        folder = tmp_path / name
        folder.mkdir()
        return Inband(folder, **{**REPEATABLE, "PAPER__REPLAY": str(prices), **settings})

    return make


class Finished(Inband):
    """A run that is over: its history is asked for once."""

    _history: list[dict[str, Any]] | None = None

    def history(self) -> list[dict[str, Any]]:
        """What `history --json` printed when it was first asked for."""
        if self._history is None:
            self._history = super().history()
        return deepcopy(self._history)


def finished(folder: Path, **settings: str) -> Inband:
    """Run to the end of the replay."""
    inband = Finished(folder, **{**REPEATABLE, **settings})
    inband.patience_s = WHOLE_RUN_S
    with inband.start() as process:
        assert process.wait() == 0, process.stderr
        assert process.stderr == ""
    return inband


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Inband]:
    """As `finished`, run by the first process of pytest-xdist that asks; each has a copy of its own."""
    own = tmp_path_factory.mktemp("finished")
    common = own.parent.parent if "PYTEST_XDIST_WORKER" in os.environ else own.parent

    def run_once(name: str, **settings: str) -> Inband:
        made = common / name
        with (common / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (made / "whole").exists():
                shutil.rmtree(made, ignore_errors=True)
                made.mkdir()
                finished(made, **settings)
                (made / "whole").touch()
            shutil.copytree(made, own / name)
        return Finished(own / name, **{**REPEATABLE, **settings})

    return run_once


@pytest.fixture(scope="session")
def wide(once: Callable[..., Inband], prices: Path) -> Inband:
    """Both funds as shipped."""
    return once("wide", PAPER__REPLAY=str(prices))


@pytest.fixture(scope="session")
def narrow(once: Callable[..., Inband], calm_prices: Path) -> Inband:
    """Both funds with a band of 1.9 to 2.2."""
    return once("narrow", PAPER__REPLAY=str(calm_prices), **NARROW_BAND)
