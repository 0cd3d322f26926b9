"""Testnet and live where nothing can be reached, or where nobody said that it may trade."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.support.inband import REPOSITORY, Inband

OFFLINE = REPOSITORY / "tests" / "support" / "offline"
LIVE_HOSTS = {"fapi.binance.com", "fstream.binance.com"}


@pytest.fixture
def testnet(tmp_path: Path) -> Callable[..., Inband]:
    """Makes the command in testnet mode with one fund and made-up keys."""

    def make(**settings: str) -> Inband:
        fund = {
            "MODE": "testnet",
            "ACCOUNTS__UP__API_KEY": "canary-key-0123456789",
            "ACCOUNTS__UP__SECRET": "canary-secret-0123456789",
            "FUNDS__BTCUP__ENABLED": "true",
        }
        return Inband(tmp_path, **{**fund, **settings})

    return make


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that the test starts can resolve no name."""
    monkeypatch.setenv("PYTHONPATH", str(OFFLINE))


@pytest.mark.usefixtures("offline")
def test_testnet_says_what_it_cannot_reach_and_tries_again(testnet: Callable[..., Inband]) -> None:
    """It names host and reason, waits longer each time, trades and writes nothing, and stops on SIGTERM."""
    run = testnet()
    with run.start() as process:
        process.until_said("venue_unreachable", times=3)
        assert process.signal(SIGTERM) == 0
        assert process.stderr == ""
        warnings = process.lines("venue_unreachable")
        assert all(line["level"] == "warning" and "demo" in line["host"] for line in warnings)
        assert all(line["reason"] for line in warnings)
        pauses = [line["retry_in_s"] for line in warnings]
        assert all(later > earlier for earlier, later in pairwise(pauses))
        assert process.lines("order_sent") == []
        assert process.lines("running") == []
        assert "canary" not in process.stdout
    assert not run.data_dir.exists()


@pytest.mark.usefixtures("offline")
def test_testnet_names_mode_and_hosts_at_the_start(testnet: Callable[..., Inband]) -> None:
    """One line says in which mode it starts and whom it will talk to, and no live host is among them."""
    with testnet().start() as process:
        line = process.until_said("starting")
        assert process.signal(SIGTERM) == 0
    assert line["mode"] == "testnet"
    assert line["hosts"]
    assert LIVE_HOSTS.isdisjoint(line["hosts"])


@pytest.mark.parametrize("confirmed", [None, "", "DOWN", "NOBODY"])
def test_live_needs_the_second_key(testnet: Callable[..., Inband], confirmed: str | None) -> None:
    """Without INBAND_LIVE_CONFIRM naming the fund's account nothing starts, whatever else is set."""
    settings = {"MODE": "live"} if confirmed is None else {"MODE": "live", "LIVE_CONFIRM": confirmed}
    run = testnet(**settings)
    done = run.run("run")
    assert done.returncode == 2
    assert "INBAND_LIVE_CONFIRM" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "canary" not in done.stderr + done.stdout
    assert not run.data_dir.exists()
