"""The exchange's own store: what a reply has shown is there after any end, kill -9 included."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import pytest

from bot.exchange import StartError, StoreMismatchError, desk
from bot.exchange.store import FILE_NAME
from tests.exchange.builders import DOWN, START_MS, UP, Bench, Start, StepPath, flat
from tests.support.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.exchange import Exchange

REPOSITORY = Path(__file__).resolve().parents[2]
ENDPOINTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/fapi/v1/allOrders", {"symbol": "BTCUSDT"}),
    ("/fapi/v1/openOrders", {}),
    ("/fapi/v1/userTrades", {"symbol": "BTCUSDT"}),
    ("/fapi/v1/income", {"limit": 1000}),
    ("/fapi/v3/account", {}),
    ("/fapi/v2/positionRisk", {}),
    ("/fapi/v1/symbolConfig", {}),
)


async def everything(bench: Bench) -> list[Any]:
    """Return all that both accounts can see, but for the time of asking."""
    return [
        (await bench.call("GET", path, params, account))[1]
        for account in (UP, DOWN)
        for path, params in ENDPOINTS
    ]


async def trade(bench: Bench) -> None:
    """Leave traces of every kind."""
    await bench.call("POST", "/fapi/v1/leverage", {"symbol": "BTCUSDT", "leverage": "6"}, UP)
    await bench.order(quantity="3")
    await bench.order(DOWN, side="SELL", price="59900", quantity="2")
    await bench.order(timeInForce="GTC", price="58000")
    await bench.order(side="SELL", price="59900", quantity="1")


async def test_a_restart_resumes_where_it_was(start: Start) -> None:
    """Accounts, orders, trades, income, settings and market time are as they were."""
    async with start() as bench:
        await bench.pacer(not_before=START_MS + 5_500)
        await trade(bench)
        before = await everything(bench)
    async with start() as bench:
        assert bench.exchange.now_ms == START_MS + 5_500
        assert await everything(bench) == before


async def test_depletion_and_ids_go_on_after_a_restart(start: Start, tmp_path: Path) -> None:
    """With a restart between two orders everything is as without it."""
    seen = []
    for restart in (False, True):
        directory = tmp_path / str(restart)
        async with start(directory=directory) as bench:
            await bench.order(quantity="10")
            second = await bench.order(quantity="10")
            if not restart:
                seen.append(await everything(bench))
        if restart:
            async with start(directory=directory) as bench:
                assert (await bench.order(quantity="1"))["orderId"] > second["orderId"]
    async with start(directory=tmp_path / "c") as bench:
        await bench.order(quantity="10")
    async with start(directory=tmp_path / "c") as bench:
        await bench.order(quantity="10")
        assert await everything(bench) == seen[0]


async def test_listen_keys_survive(start: Start) -> None:
    """A user stream can be opened again after a restart with the key it had."""
    headers = {"X-MBX-APIKEY": UP.api_key}
    async with start() as bench:
        response = await bench.session.post(f"{bench.exchange.url}/fapi/v1/listenKey", headers=headers)
        key = (await response.json())["listenKey"]
    async with start() as bench:
        socket = await bench.session.ws_connect(f"{bench.ws_url}/private/ws?listenKey={key}")
        await bench.order(quantity="0.01")
        assert (await socket.receive_json(timeout=PATIENCE_S))["e"] == "TRADE_LITE"


@pytest.mark.parametrize(
    "changes",
    [{"seed": "another"}, {"paths": {"BTCUSDT": StepPath([1, 2])}}, {"paths": {"ETHUSDT": flat()}}],
)
async def test_a_store_of_another_market_is_refused(start: Start, changes: dict[str, Any]) -> None:
    """Other prices, symbols or seed: one line that names the store and the remedy."""
    async with start():
        pass
    with pytest.raises(StoreMismatchError, match=r"exchange\.sqlite holds another market .*--fresh"):
        async with start(**changes):
            pass


async def test_a_new_account_joins_an_old_store(start: Start) -> None:
    """An account added to the settings is opened with its deposit; the others keep theirs."""
    async with start(accounts=(UP,)) as bench:
        await bench.order()
    async with start() as bench:
        assert (await bench.call("GET", "/fapi/v3/balance", {}, DOWN))[1][0]["balance"] == "50000.00000000"
        assert (await bench.call("GET", "/fapi/v3/positionRisk", {}, UP))[1] != []


async def test_a_directory_that_cannot_be_written_is_one_line(start: Start, tmp_path: Path) -> None:
    """A file where the directory should be is named with the remedy."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"^cannot open the exchange's store .*; give a writable directory"):
        async with start(directory=tmp_path / "file"):
            pass


async def test_a_file_that_is_no_store_is_refused(start: Start, tmp_path: Path) -> None:
    """Somebody else's file is left alone."""
    (tmp_path / FILE_NAME).write_text("my diary " * 1_000)
    with pytest.raises(StartError, match="cannot open the exchange's store"):
        async with start(directory=tmp_path):
            pass
    assert (tmp_path / FILE_NAME).read_text().startswith("my diary")


PROGRAM = """
import asyncio, sys
from pathlib import Path
from bot.exchange import ExchangeConfig, start_exchange
from tests.exchange.builders import DOWN, UP, flat

async def main():
    exchange = await start_exchange(ExchangeConfig(
        paths={"BTCUSDT": flat()}, accounts=(UP, DOWN), directory=Path(sys.argv[1]), speed=1000.0))
    print(exchange.port, flush=True)
    await exchange.failed()

asyncio.run(main())
"""


class Elsewhere:
    """An exchange in another process, as far as Bench needs one."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"


@asynccontextmanager
async def in_another_process(directory: Path) -> AsyncIterator[Bench]:
    """Run an exchange in a process of its own, and kill it with SIGKILL at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        str(directory),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        port = int(await asyncio.wait_for(process.stdout.readline(), 3 * PATIENCE_S))
        async with aiohttp.ClientSession() as session:
            yield Bench(cast("Exchange", Elsewhere(port)), session)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()


async def test_killed_at_any_moment_it_has_what_it_told(tmp_path: Path) -> None:
    """Kill -9 amid trading: every order answered is there afterwards, and the books still balance."""
    told: list[Any] = []

    async def go_on_trading(bench: Bench) -> None:
        while True:
            side = "SELL" if len(told) % 2 else "BUY"
            price = "60100" if side == "BUY" else "59900"
            told.append(await bench.order(side=side, price=price, quantity="0.1"))

    for round_number in range(3):
        async with in_another_process(tmp_path) as bench:
            trading = asyncio.create_task(go_on_trading(bench))
            enough = 20 * (round_number + 1)
            async with asyncio.timeout(PATIENCE_S):
                while len(told) < enough:  # noqa: ASYNC110 - killed in the middle, not at an event
                    await asyncio.sleep(0.005)
        trading.cancel()
        await asyncio.gather(trading, return_exceptions=True)
    async with in_another_process(tmp_path) as bench:
        stored = {}
        for order in told:
            query = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
            stored[order["orderId"]] = (await bench.call("GET", "/fapi/v1/order", query, UP))[1]
        _, incomes = await bench.call("GET", "/fapi/v1/income", {"limit": 1000}, UP)
        _, (balance,) = await bench.call("GET", "/fapi/v3/balance", {}, UP)
    assert len(stored) == len(told)
    assert all(stored[order["orderId"]]["executedQty"] == order["executedQty"] == "0.100" for order in told)
    total = sum(round(float(row["income"]) * 1e8) for row in incomes)
    assert total == round(float(balance["balance"]) * 1e8)


async def test_a_kill_before_the_database_has_it_loses_nothing(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only the redo log holds when the process dies is in the database after the next start."""
    monkeypatch.setattr(desk, "IDLE_S", 3_600.0)
    async with start() as bench:
        store = bench.exchange._desk.store
        placed = await bench.order(quantity="0.5")
        assert store._pending
        copy = tmp_path / "as the kill left it"
        copy.mkdir()
        for file in (tmp_path / "exchange").iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        redo = copy / f"{FILE_NAME}-redo"
        redo.write_bytes(redo.read_bytes() + b'[["facts",[["market_')  # half a line: never told
    async with start(directory=copy) as bench:
        query = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
        assert (await bench.call("GET", "/fapi/v1/order", query, UP))[1]["executedQty"] == "0.500"


async def test_a_log_beside_no_store_is_not_used(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an archived store left behind does not come back in a new one."""
    monkeypatch.setattr(desk, "IDLE_S", 3_600.0)  # else the log is empty as soon as the database has it
    async with start() as bench:
        await bench.order()
        redo = (tmp_path / "exchange" / f"{FILE_NAME}-redo").read_bytes()
        assert redo
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / f"{FILE_NAME}-redo").write_bytes(redo)
    async with start(directory=tmp_path / "new") as bench:
        assert (await bench.call("GET", "/fapi/v1/allOrders", {"symbol": "BTCUSDT"}, UP))[1] == []


async def test_two_exchanges_do_not_share_a_store(start: Start) -> None:
    """The second is refused in one line, and the first goes on."""
    async with start() as bench:
        with pytest.raises(StartError, match=r"exchange\.sqlite is in use by another process; stop that one"):
            async with start():
                pass
        assert (await bench.order())["status"] == "FILLED"


async def test_a_store_of_another_version_is_refused(start: Start, tmp_path: Path) -> None:
    """In one line, and nothing in it is changed."""
    path = tmp_path / FILE_NAME
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT)")
        old.execute("CREATE TABLE orders (id INTEGER)")
        old.execute("INSERT INTO facts VALUES ('format', '1')")
    old.close()
    with pytest.raises(StoreMismatchError, match=r"is of another version; use --fresh to archive it"):
        async with start(directory=tmp_path):
            pass
    with sqlite3.connect(path) as old:
        assert old.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [
            ("facts",),
            ("orders",),
        ]
    old.close()
