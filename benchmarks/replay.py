"""How fast a replay runs: marks a second at SPEED=max, two funds, through real sockets and ccxt.

The baseline takes the same marks from the same exchange with an HTTP library alone: it reads no price,
decides nothing, and only says that the market may go on.
"""

import sys
import tempfile
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import aiohttp
import uvloop

from benchmarks.market import write_replay
from benchmarks.measure import main, report
from benchmarks.processes import Daemon, Line, settings
from bot.exchange import AccountConfig, ExchangeConfig, start_exchange
from bot.exchange.prices import open_path

LIMIT_PER_S = 1_000.0


def measure(*, tiny: bool = False) -> None:
    """Run the daemon as shipped on made-up minutes, to the end."""
    bars, samples = (3, 1) if tiny else (20_000, 5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        replay = write_replay(folder / "replay.csv", bars)
        marks = _knots(replay)
        found = [marks / _seconds_of_daemon(folder / f"run {n}", replay) for n in range(samples)]
        pacing = [
            marks / uvloop.run(_seconds_of_pacing(folder / f"pace {n}", replay)) for n in range(samples)
        ]
    report(
        "replay",
        "two funds at SPEED=max",
        found,
        "marks/s",
        limit=LIMIT_PER_S,
        at_least=True,
        baseline=max(pacing),
        marks=marks,
    )


def _knots(replay: Path) -> int:
    """How many marks the exchange makes of the file, were nobody to ask for a time in between."""
    path = open_path(replay=str(replay))
    time_ms, count = path.start_ms, 1
    while (following := path.next_knot_after(time_ms)) is not None:
        time_ms, count = following, count + 1
    return count


def _seconds_of_daemon(folder: Path, replay: Path) -> float:
    """From "running" to "stopping", by the daemon's own log; its start and its end are not the replay."""
    environment = settings(
        folder, paper__replay=replay, paper__speed="max", paper__seed=7, paper__exit_at_end="true"
    )
    with Daemon(["run"], environment) as daemon:
        begun = _at(daemon.event("running"))
        return _at(daemon.event("stopping")) - begun


def _at(line: Line) -> float:
    return datetime.fromisoformat(line.fields["at"]).timestamp()


async def _seconds_of_pacing(folder: Path, replay: Path) -> float:
    """A client of the mark stream and of the pacing endpoint, and nothing else."""
    config = ExchangeConfig(
        paths={"BTCUSDT": open_path(replay=str(replay))},
        accounts=(AccountConfig("UP", "key", "secret", Decimal(1)),),
        directory=folder,
        speed="max",
        wait_for_clients=True,
    )
    exchange = await start_exchange(config)
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{exchange.url}/market/ws/btcusdt@markPrice@1s") as marks,
            session.ws_connect(f"{exchange.url}/pacing") as pacing,
        ):
            await pacing.send_json({"op": "attach", "name": "pacer", "not_before": None})
            end_ms = (await pacing.receive_json())["end"]
            begun = time.perf_counter()
            async for message in marks:
                time_ms = message.json()["E"]
                await pacing.send_str(f'{{"op":"idle","seen":{time_ms},"until":null}}')
                if time_ms >= end_ms:
                    break
            return time.perf_counter() - begun
    finally:
        await exchange.close()


if __name__ == "__main__":
    main(measure)
