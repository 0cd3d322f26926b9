"""The paper exchange in a process of its own: either side may die, and the record comes out the same."""

from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from tests.support.audit import differences
from tests.support.inband import Inband, Process
from tests.support.market_leash import Leash
from tests.support.ports import free_port


@pytest.fixture
def exchange(tmp_path: Path, prices: Path) -> Callable[[int], Process]:
    """Starts an exchange on its store, and starts it again where it stopped."""

    def start(port: int) -> Process:
        options = {"--port": str(port), "--replay": str(prices), "--seed": "7", "--speed": "max"}
        options["--data-dir"] = str(tmp_path / "elsewhere")
        words = [word for option in options.items() for word in option]
        process = Inband(tmp_path).start("exchange", "--json", *words)
        process.until(process.lines, what="it announced itself")
        return process

    return start


def test_a_daemon_and_its_exchange_survive_each_other(
    wide: Inband, inband: Callable[..., Inband], exchange: Callable[[int], Process], tmp_path: Path
) -> None:
    """The daemon killed while the exchange goes on, then the exchange while the daemon does: same record."""
    port = free_port()
    with exchange(port) as first, Leash(first.lines()[0]["url"]) as leash:
        run = inband(PAPER__URL=first.lines()[0]["url"])
        del run.settings["PAPER__REPLAY"]
        with run.start() as daemon:
            leash.walk_until_said(daemon, "slice_settled", times=10, step_s=600)
            leash.hold()
            daemon.signal(SIGKILL)
        with run.start() as daemon:
            leash.walk_until_said(daemon, "rebalance_finished", times=3, step_s=600)
            first.signal(SIGKILL)
            daemon.until_said("pacing_lost")
            daemon.until_said("venue_unreachable")
            with exchange(port) as second:
                assert daemon.wait() == 0, daemon.stderr
                assert second.signal(SIGTERM) == 0
    assert run.facts() == wide.facts()
    accounts = {"BTCUP": "UP", "BTCDOWN": "DOWN"}
    assert differences(run, accounts, store=tmp_path / "elsewhere") == []


def test_what_is_no_paper_exchange_is_named(tmp_path: Path, inband: Callable[..., Inband]) -> None:
    """A server that speaks something else at INBAND_PAPER__URL is a mistake, and is said to be one."""
    other = Inband(tmp_path, PAPER__SPEED="1")
    with other.start() as server:
        url = server.until_said("serving")["url"]
        run = inband(PAPER__URL=url)
        del run.settings["PAPER__REPLAY"]
        done = run.run("run")
        assert done.returncode == 2
        assert f"INBAND_PAPER__URL={url}" in done.stderr
        assert done.stderr.count("\n") == 1
        assert not run.data_dir.exists()


def test_an_exchange_that_is_not_there_yet_is_waited_for(inband: Callable[..., Inband]) -> None:
    """The daemon says that it cannot reach it, tries again, writes nothing, and stops on SIGTERM."""
    run = inband(PAPER__URL="http://127.0.0.1:9")
    del run.settings["PAPER__REPLAY"]
    with run.start() as daemon:
        daemon.until_said("venue_unreachable", times=2)
        assert daemon.signal(SIGTERM) == 0
        assert daemon.stderr == ""
    assert not run.data_dir.exists()
