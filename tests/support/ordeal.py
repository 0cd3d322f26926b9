"""The whole daemon and an exchange with faults on demand, in one event loop; real sockets between them.

`async with Ordeal(folder, prices) as ordeal` starts both. A test scripts faults, waits for what it expects,
and calls `end`, which stops the daemon as SIGTERM does and has the ledgers compared.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from decimal import Decimal
from functools import partial
from pathlib import Path
from signal import SIGTERM, raise_signal
from typing import Any, Self, TypeVar

import structlog

from bot.core.events import Controlled
from bot.core.records import Control, IncidentOpened, OrderIntended, Record
from bot.daemon.main import run
from bot.daemon.operations import Operations
from bot.daemon.runner import Runner
from bot.exchange import AccountConfig, ExchangeConfig, start_exchange
from bot.exchange.faults import When, make_fault
from bot.exchange.faults.plan import Scheduled
from bot.exchange.prices import open_path
from bot.journal.sqlite import JOURNAL_FILE
from bot.settings import load_settings
from bot.simulation.claims import Claims
from tests.support.audit import differences
from tests.support.inband import Inband
from tests.support.patience import PATIENCE_S
from tests.support.replay import write_replay

ORDERS = {"method": "POST", "path": "/fapi/v1/order"}
_R = TypeVar("_R", bound=Record)


class Ordeal:
    """One fund, BTCUP, on a market of its own."""

    def __init__(
        self, folder: Path, *corners: float, hours: float = 24.0, speed: float = 600, **settings: str
    ) -> None:
        """The price goes from corner to corner in so many hours of market time."""
        prices = write_replay(folder / "prices.csv", *(corners or (60_000, 60_000)), hours=hours)
        self._store = folder / "exchange"
        self._config = ExchangeConfig(
            paths={"BTCUSDT": open_path(replay=str(prices))},
            accounts=(AccountConfig("UP", "paper-up-key", "paper-up-secret", Decimal(100_000)),),
            directory=self._store,
            speed=speed,
            wait_for_clients=True,
            faults=True,
        )
        self._words = {
            "FUNDS__BTCDOWN__ENABLED": "false",
            "ACCOUNTS__UP__API_KEY": "paper-up-key",
            "ACCOUNTS__UP__SECRET": "paper-up-secret",
            "FUNDS__BTCUP__CAPITAL": "10000",
            "PAPER__SEED": "7",
            **settings,
        }
        self.folder = folder
        self.inband = Inband(folder)
        self.operations: Operations | None = None
        self._closed = False
        self.scripted: list[Scheduled] = []
        self._read: list[Record] = []

    async def __aenter__(self) -> Self:
        """Start the exchange, and nothing else yet."""
        self.exchange = await start_exchange(self._config)
        self.inband = Inband(self.folder, **self._words, PAPER__URL=self.exchange.url)
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.stop()
        finally:
            await self._close()
            structlog.reset_defaults()  # the daemon logs to a standard output that the test owns

    def start(self, *, adopt: bool = False) -> None:
        """Start the daemon."""
        self.operations = None
        settings = load_settings(self.inband._environment(), self.folder)
        run(settings, fresh=False, adopt=adopt, serve=self._serve, drive=self._drive)

    def _drive(self, coroutine: Any) -> int:
        self.task = asyncio.ensure_future(coroutine)
        return 0

    @asynccontextmanager
    async def _serve(self, operations: Operations, _: object) -> AsyncIterator[None]:
        self.operations = operations
        yield

    async def stop(self) -> None:
        """SIGTERM, and wait for the end."""
        task = getattr(self, "task", None)
        if task is not None and not task.done():
            raise_signal(SIGTERM)
            async with asyncio.timeout(PATIENCE_S):
                await task

    async def _come_to_rest(self) -> None:
        """Let nothing new be sent, so that nothing is left on the book that could fill later."""
        for runner in self.operations.runners if self.operations is not None else ():
            runner.handle(Controlled(*runner.now(), Control.PAUSED, "test", "it ends"))
            await self.until(partial(_orderless, runner), "its last order was over")

    async def _close(self) -> None:
        if not self._closed:
            self._closed = True
            await self.exchange.close()

    def script(
        self, kind: str, when: When | None = None, match: dict[str, str] | None = None, **given: Any
    ) -> Scheduled:
        """Have a fault happen."""
        scheduled = self.exchange.faults.inject(
            make_fault(kind, when=when or When(), match=match or {}, **given)
        )
        self.scripted.append(scheduled)
        return scheduled

    def let_key_withdraw(self, *, may: bool) -> None:
        """Somebody changes, at the venue, what the account's key may do."""
        self.exchange._desk.venue.accounts["UP"].may_withdraw = may

    async def until(self, happened: Callable[[], object], what: str) -> None:
        """Wait for something, as long as the daemon lives."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not happened():
                    if self.task.done():
                        self.task.result()
                        raise AssertionError(f"it ended before {what}")
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"never: {what}; {self.told()}") from None

    def records(self, kind: type[_R]) -> list[_R]:
        """The fund's records of a kind so far; asked again, only what is new is read."""
        self._read += self.inband.records("BTCUP", after=len(self._read))
        return [record for record in self._read if isinstance(record, kind)]

    async def until_recorded(self, kind: type[Record], times: int = 1) -> None:
        """Wait for a record in the journal."""
        await self.until(lambda: len(self.records(kind)) >= times, f"{times} {kind.__name__}")

    def written_ms(self, kind: type[Record]) -> int:
        """The wall time, of which bans are made, at which the first record of a kind became durable."""
        with closing(sqlite3.connect(self.inband.data_dir / JOURNAL_FILE)) as connection:
            query = "SELECT min(wall_ms) FROM record WHERE kind = ?"
            (found,) = connection.execute(query, (kind.__name__,)).fetchone()
        return int(found)

    def incidents(self) -> list[str]:
        """The codes of all incidents so far."""
        return [record.code for record in self.records(IncidentOpened)]

    def told(self) -> Sequence[str]:
        """The last records, for whoever reads a failure."""
        return [str(record) for record in self.inband.records("BTCUP")[-8:]]

    async def end(self) -> None:
        """Stop both, and judge: each fault fired, nothing twice, nothing without intent, ledgers agree."""
        await self._come_to_rest()
        await self.stop()
        await self._close()
        assert [item.fault.kind for item in self.scripted if not item.fired] == []
        with closing(sqlite3.connect(self._store / "exchange.sqlite")) as connection:
            rows = connection.execute("SELECT client_id FROM orders").fetchall()
        sent = Counter(cid for (cid,) in rows if cid.startswith("ib"))
        assert set(sent.values()) <= {1}
        assert set(sent) <= {record.cid for record in self.records(OrderIntended)}
        claims = Claims()
        said = [found for record in self.inband.records("BTCUP") for found in claims.take(record)]
        assert said == []
        found = differences(self.inband, {"BTCUP": "UP"}, self._store)
        assert found == [], found


def _orderless(runner: Runner) -> bool:
    rebalance = runner.state.book.rebalance
    return rebalance is None or rebalance.order is None
