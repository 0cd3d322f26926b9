"""What a protective stop is for: the market falls through everything while no daemon is there."""

from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL, SIGTERM

import aiohttp

from bot.core.breaches import STOPPED_OUT
from bot.core.records import ControlChanged, IncidentOpened
from bot.core.recovery import LOST_RECORDS
from bot.core.stop_records import StopEnded, StopEnding, StopPlaced
from tests.support.audit import differences
from tests.support.inband import Inband
from tests.support.market_leash import Leash
from tests.support.replay import write_replay


async def mark(url: str) -> float:
    """The mark price."""
    path = f"{url}/fapi/v1/premiumIndex?symbol=BTCUSDT"
    async with aiohttp.ClientSession() as session, session.get(path) as answer:
        return float((await answer.json())["markPrice"])


async def test_a_fund_whose_daemon_died_is_reduced_by_its_stop(
    tmp_path: Path, inband: Callable[..., Inband]
) -> None:
    """Killed at 60,000 and started again at 34,000: the long fund lives, and its books say why."""
    prices = write_replay(tmp_path / "fall.csv", 60_000, 60_000, 34_000, 34_000, 34_500, hours=24)
    words = ["--replay", str(prices), "--seed", "7", "--speed", "20000", "--port", "0", "--json"]
    store = tmp_path / "elsewhere"
    with Inband(tmp_path).start("exchange", "--data-dir", str(store), *words) as exchange:
        exchange.until(exchange.lines, what="it announced itself")
        url = exchange.lines()[0]["url"]
        run = inband(PAPER__URL=url, FUNDS__BTCUP__PROTECTIVE_STOP="true", FUNDS__BTCDOWN__ENABLED="false")
        del run.settings["PAPER__REPLAY"]
        with Leash(url) as leash:
            with run.start() as daemon:
                daemon.until_said("running")
                leash.let(3_600)  # not into the fall, however long the start took
                daemon.until_said("stop_placed")
                daemon.signal(SIGKILL)
            leash.let(12 * 3_600)
            exchange.until(leash.arrived, what="the market fell")
            assert await mark(url) < 34_100
            with run.start() as daemon:
                daemon.until_said("running")
                leash.let(24 * 3_600)
                assert daemon.wait() == 0, daemon.stderr
        assert exchange.signal(SIGTERM) == 0
    stops = [entry for entry in run.history() if entry["kind"] == "stop"]
    assert len(stops) == 1
    assert float(stops[0]["position_after"]) < float(stops[0]["position_before"]) / 2
    endings = [r.ending for r in run.records("BTCUP") if isinstance(r, StopEnded)]
    assert StopEnding.TRIGGERED in endings
    assert len([r for r in run.records("BTCUP") if isinstance(r, StopPlaced)]) > len(endings) - 1
    assert [entry["kind"] for entry in run.history() if entry["kind"] == "external"] == []
    assert differences(run, {"BTCUP": "UP"}, store=store) == []
    told = [r.code for r in run.records("BTCUP") if isinstance(r, IncidentOpened)]
    assert STOPPED_OUT in told
    assert LOST_RECORDS not in told
    assert [r for r in run.records("BTCUP") if isinstance(r, ControlChanged)] == []
