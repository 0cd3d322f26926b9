"""Several hosts on one PostgreSQL journal, trading on one paper exchange that is a process of its own."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from signal import SIGTERM
from typing import Self

from bot.core.book import fold
from bot.core.records import OrderIntended
from tests.support.inband import Inband, Process
from tests.support.market_leash import Leash
from tests.support.postgres import KEY
from tests.support.replay import write_replay

FUNDS = {"BTCUP": "UP", "BTCDOWN": "DOWN"}


class Hosts:
    """The exchange, and one data directory for each host; leaving it kills what still runs."""

    def __init__(self, folder: Path, database_url: str | None, *, speed: str = "240") -> None:
        """Start the exchange. Without a database the journals are SQLite files."""
        self.folder = folder
        self._settings: dict[str, str] = {}
        if database_url is not None:
            self._settings = {"DATABASE_URL": database_url, "JOURNAL_KEY": KEY}
        # Every minute of the test another rebalance is due: however late it comes, there is something to see.
        replay = write_replay(folder / "prices.csv", *[60_000, 44_000] * 8, hours=60)
        words = ["--port", "0", "--json", "--data-dir", str(folder / "elsewhere"), "--replay", str(replay)]
        self._exchange = Inband(folder).start("exchange", *words, "--seed", "7", "--speed", speed)
        self._exchange.until(self._exchange.lines, what="it said where it listens")
        self.venue = str(self._exchange.lines()[0]["url"])
        self._held = ExitStack()
        self._settings["PAPER__URL"] = self.venue

    def host(self, name: str, **changes: str) -> Inband:
        """A host's settings on a folder of its own."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return Inband(folder, **{**self._settings, **changes})

    def start(self, name: str, **changes: str) -> Process:
        """Start the daemon of a host."""
        return self.host(name, **changes).start()

    def stop(self, daemon: Process) -> None:
        """Stop a daemon in good order, and the market before it, for good: no funding passes it by."""
        self._held.enter_context(Leash(self.venue))
        assert daemon.signal(SIGTERM) == 0

    def orders(self) -> Counter[str]:
        """How often the exchange accepted each client order id of ours; it ends for good."""
        if self._exchange.running:
            self._exchange.signal(SIGTERM)
        self._held.close()
        return Counter(cid for cid in self._ids() if cid.startswith("ib"))

    def _ids(self) -> Sequence[str]:
        with closing(sqlite3.connect(self.folder / "elsewhere" / "exchange.sqlite")) as connection:
            return [cid for (cid,) in connection.execute("SELECT client_id FROM orders")]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._exchange.__exit__(None, None, None)
        self._held.close()


def intents(host: Inband) -> set[str]:
    """The ids of all orders that the journal says may have been sent."""
    return {r.cid for fund in FUNDS for r in host.records(fund) if isinstance(r, OrderIntended)}


def at_rest(host: Inband) -> dict[str, str]:
    """The funds that left no order on the exchange's book when they stopped, which could fill after that."""
    open_ = {fund: fold(host.records(fund)).rebalance for fund in FUNDS}
    return {fund: FUNDS[fund] for fund, under_way in open_.items() if not (under_way and under_way.order)}
