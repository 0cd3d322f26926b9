"""Finished runs that several tests look at, each made once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.inband import Inband
from tests.support.replay import write_replay

REPEATABLE = {"PAPER__SEED": "7", "PAPER__SPEED": "max", "PAPER__EXIT_AT_END": "true"}
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


def finished(folder: Path, **settings: str) -> Inband:
    """Run to the end of the replay."""
    inband = Inband(folder, **{**REPEATABLE, **settings})
    with inband.start() as process:
        assert process.wait() == 0, process.stderr
        assert process.stderr == ""
    return inband


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory, prices: Path) -> Inband:
    """Both funds as shipped."""
    return finished(tmp_path_factory.mktemp("wide"), PAPER__REPLAY=str(prices))


@pytest.fixture(scope="session")
def narrow(tmp_path_factory: pytest.TempPathFactory, calm_prices: Path) -> Inband:
    """Both funds with a band of 1.9 to 2.2."""
    return finished(tmp_path_factory.mktemp("narrow"), PAPER__REPLAY=str(calm_prices), **NARROW_BAND)
