"""The exchange's own durable store: one SQLite file (WAL, synchronous=NORMAL).

Everything a reply or an event shows is in a file before it is sent, so the death of the process (kill -9)
loses none of it: `save` writes it to the redo log, and the database follows in larger transactions, before
it is next read at the latest. Neither is flushed to the disk each time (synchronous=NORMAL): a power cut may
lose the last moments of a play market, never its consistency. What an account has is small and kept in
memory too; orders, trades and income only grow, and are read back by index (see `history`).
"""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from bot.exchange.account import Account, Holding, Position
from bot.exchange.algo import AlgoStatus
from bot.exchange.entities import MarginType, PositionSide
from bot.exchange.errors import StartError, StoreMismatchError
from bot.exchange.history import History
from bot.exchange.redo import RedoLog
from bot.exchange.tables import ALGOS, AMENDMENTS, INCOMES, MARGIN_CHANGES, ORDERS, TABLES, TRADES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from bot.exchange.market import Market
    from bot.exchange.redo import Entry
    from bot.exchange.venue import Venue

FORMAT = "3"
FILE_NAME = "exchange.sqlite"
MAX_PENDING = 1_024  # saves that the database may be behind at most
MARKET = "market "  # and the symbol: its impact and queues
FUND = "insurance_fund"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holdings (
    account TEXT NOT NULL, symbol TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (account, symbol)
) WITHOUT ROWID;
"""
FACTS, ACCOUNTS, HOLDINGS = "facts", "accounts", "holdings"
_PUT_STATE = {  # states replace each other; the last column is what changes
    FACTS: "INSERT OR REPLACE INTO facts VALUES (?, ?)",
    ACCOUNTS: "INSERT OR REPLACE INTO accounts VALUES (?, ?)",
    HOLDINGS: "INSERT OR REPLACE INTO holdings VALUES (?, ?, ?)",
}
_TABLES = {table.name: table for table in TABLES}


class Store(History):
    """The open store of one exchange. `directory` is made if need be; raises StartError if it cannot be."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        self._pending: list[list[Entry]] = []
        self._fund: Decimal | None = None
        try:
            directory.mkdir(parents=True, exist_ok=True)
            is_new = not self._path.exists()
            self._db = sqlite3.connect(self._path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._check_format()
            self._db.executescript(_SCHEMA + "".join(table.schema for table in TABLES))
            self._redo = RedoLog(self._path.with_name(f"{FILE_NAME}-redo"))
            if not is_new:  # beside a new store lies, if anything, the log of one that was archived
                self._pending = [[_decoded(entry) for entry in line] for line in self._redo.left()]
            self.flush()
            self._redo.clear()
        except BlockingIOError as error:
            raise StartError(
                f"the exchange's store {self._path} is in use by another process; stop that one,"
                " or give another directory"
            ) from error
        except (OSError, sqlite3.Error) as error:
            raise StartError(
                f"cannot open the exchange's store {self._path}: {error};"
                " give a writable directory that holds no other file of that name"
            ) from error

    def close(self) -> None:
        """Close the files."""
        self.flush()
        self._db.close()
        self._redo.close()

    # --- identity and resumption ----------------------------------------------------------------------

    def claim(self, identity: str) -> bool:
        """Bind a new store to this market and return False; return True for a store of the same market.

        Raises StoreMismatchError for a store of another one.
        """
        known = self.fact("identity")
        if known is None:
            self._write((FACTS, [("format", FORMAT), ("identity", identity)]))
            self.flush()
            return False
        if known != identity:
            raise StoreMismatchError(
                f"{self._path} holds another market (prices, symbols or seed differ);"
                " use --fresh to archive it, or the settings it was made with"
            )
        return True

    def _check_format(self) -> None:
        """Raise StoreMismatchError for a store of another version, before anything is changed in it."""
        if self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone() is None:
            return
        found = self._db.execute("SELECT value FROM facts WHERE name = 'format'").fetchone()
        if found is not None and found[0] != FORMAT:
            raise StoreMismatchError(
                f"{self._path} is of another version; use --fresh to archive it, or another directory"
            )

    def fact(self, name: str) -> str | None:
        """Return a stored fact."""
        self.flush()
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def market_time_ms(self) -> int | None:
        """Return the market time of the last save, UTC ms."""
        value = self.fact("market_time_ms")
        return int(value) if value else None

    def load_market(self, market: Market) -> None:
        """Give a new market the impact and the queues it had at the last save."""
        for name in market.symbols:
            if (state := self.fact(MARKET + name)) is not None:
                market.restore(name, orjson.loads(state))

    def load_fund(self) -> Decimal | None:
        """Return the insurance fund's balance of the last save, in USDT."""
        value = self.fact(FUND)
        return Decimal(value) if value else None

    def load_accounts(self) -> list[Account]:
        """Return all accounts with what they have open, by slot."""
        self.flush()
        rows = self._db.execute("SELECT name, state FROM accounts")
        accounts = {name: _decode_account(name, orjson.loads(state)) for name, state in rows}
        for name, symbol, state in self._db.execute("SELECT account, symbol, state FROM holdings"):
            holding = accounts[name].holdings[symbol] = _decode_holding(orjson.loads(state))
            accounts[name].isolated += sum(item.isolated_wallet for item in holding.positions.values())
        for order in self._find(ORDERS, "open = 1", ()):
            accounts[order.account].open_orders[order.id] = order
        for algo in self._find(ALGOS, "open = 1", ()):
            account = accounts[algo.account]
            if algo.status is AlgoStatus.NEW:
                account.open_algos[algo.id] = algo
            else:
                account.triggered[algo.order_id] = algo
        return sorted(accounts.values(), key=lambda account: account.slot)

    def save(self, venue: Venue, facts: Iterable[tuple[str, str]] = ()) -> None:
        """Make the venue's changes and its market time durable, and clear the changes.

        Raises OSError if the disk takes nothing more; the changes are kept then.
        """
        changes, market, accounts = venue.changes, venue.market, venue.accounts
        noted: list[tuple[str, Any]] = [("market_time_ms", str(market.now)), *facts]
        noted += [(MARKET + name, market.state(name)) for name in market.changed()]
        if venue.fund != self._fund:
            self._fund = venue.fund
            noted.append((FUND, str(venue.fund)))
        self._write(
            (FACTS, noted),
            (ORDERS.name, [*changes.orders.values()]),
            (TRADES.name, changes.trades),
            (INCOMES.name, changes.incomes),
            (ALGOS.name, [*changes.algos.values()]),
            (AMENDMENTS.name, changes.amendments),
            (MARGIN_CHANGES.name, changes.margin_changes),
            (
                HOLDINGS,
                [
                    (name, symbol, _holding_state(accounts[name].holdings[symbol]))
                    for name, symbol in changes.holdings
                ],
            ),
            (ACCOUNTS, [(name, _account_state(accounts[name])) for name in changes.accounts]),
        )
        market.mark_saved()
        venue.changes = type(changes)()

    def _write(self, *entries: Entry) -> None:
        changed = [entry for entry in entries if entry[1]]
        self._redo.append(changed)
        self._pending.append(changed)
        if len(self._pending) >= MAX_PENDING:
            self.flush()

    def _merged(self) -> Iterator[tuple[str, Iterable[Sequence[Any]]]]:
        """Give what waits by statement; of states, which replace each other, the last of each name alone."""
        merged: dict[str, list[Sequence[Any]]] = {}
        for entries in self._pending:
            for name, rows in entries:
                merged.setdefault(name, []).extend(rows)
        for name, rows in merged.items():
            if name in _PUT_STATE:
                latest = {tuple(row[:-1]): row[-1] for row in rows}
                yield _PUT_STATE[name], [(*key, _text(state)) for key, state in latest.items()]
            else:
                yield _TABLES[name].write(rows)

    @property
    def behind(self) -> int:
        """How many saves the database has not seen yet."""
        return len(self._pending)

    def flush(self) -> None:
        """Bring the database up to date. Raises sqlite3.Error; nothing is lost then."""
        if not self._pending:
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for statement, rows in self._merged():
                self._db.executemany(statement, rows)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._pending.clear()
        self._redo.clear()


def _decoded(entry: Entry) -> Entry:
    """Return an entry of the redo log as it was written."""
    name, rows = entry
    table = _TABLES.get(name)
    return (name, [table.read(tuple(row)) for row in rows]) if table is not None else entry


def _text(state: Any) -> str:
    """Return a state as the database keeps it."""
    return state if isinstance(state, str) else orjson.dumps(state).decode()


def _account_state(account: Account) -> dict[str, Any]:
    return {
        "slot": account.slot,
        "wallet": str(account.wallet),
        "hedge": account.hedge,
        "counters": account.counters.copy(),
        "countdowns": account.countdowns.copy(),
        "called": sorted(account.called),
    }


def _decode_account(name: str, state: dict[str, Any]) -> Account:
    return Account(
        name=name,
        slot=state["slot"],
        wallet=Decimal(state["wallet"]),
        hedge=state["hedge"],
        counters=state["counters"],
        countdowns=state["countdowns"],
        called=set(state["called"]),
    )


def _holding_state(holding: Holding) -> dict[str, Any]:
    return {
        "leverage": holding.leverage,
        "margin_type": holding.margin_type,
        "positions": {
            side._value_: [
                str(item.quantity),
                str(item.cost),
                str(item.realised_total),
                str(item.isolated_wallet),
                str(item.earned),
                item.update_ms,
            ]
            for side, item in holding.positions.items()
        },
    }


def _decode_holding(state: dict[str, Any]) -> Holding:
    positions = {}
    for side, (*amounts, update_ms) in state["positions"].items():
        quantity, cost, realised, isolated, earned = map(Decimal, amounts)
        positions[PositionSide(side)] = Position(quantity, cost, realised, isolated, earned, update_ms)
    return Holding(state["leverage"], MarginType(state["margin_type"]), positions)
