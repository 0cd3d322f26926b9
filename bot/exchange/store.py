"""The exchange's own durable store: one SQLite file (WAL, synchronous=NORMAL).

Everything a reply or an event shows is in a file before it is sent, so the death of the process (kill -9)
loses none of it: `save` writes it to the redo log, and the database follows in larger transactions, before
it is next read at the latest. Neither is flushed to the disk each time (synchronous=NORMAL): a power cut may
lose the last moments of a play market, never its consistency. Accounts are small and written whole; orders,
trades and income only grow, and are read back by index, so that memory does not grow with them.
"""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from bot.exchange.account import Account, Position
from bot.exchange.entities import Income, IncomeType, Order, OrderType, Side, Status, TimeInForce, Trade
from bot.exchange.errors import StartError, StoreMismatchError
from bot.exchange.redo import RedoLog, Write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from bot.exchange.market import Market
    from bot.exchange.venue import Venue

FORMAT = "1"
FILE_NAME = "exchange.sqlite"
MAX_PENDING = 64  # saves that the database may be behind: some milliseconds of its time
MARKET = "market "  # and the symbol: impact and queues

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, symbol TEXT NOT NULL, client_id TEXT NOT NULL,
    side TEXT NOT NULL, type TEXT NOT NULL, time_in_force TEXT NOT NULL, reduce_only INTEGER NOT NULL,
    quantity TEXT NOT NULL, price TEXT NOT NULL, status TEXT NOT NULL, filled TEXT NOT NULL,
    quote TEXT NOT NULL, time_ms INTEGER NOT NULL, update_ms INTEGER NOT NULL, open INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS orders_by_symbol ON orders (account, symbol, id);
CREATE INDEX IF NOT EXISTS orders_by_client_id ON orders (account, symbol, client_id, id);
CREATE INDEX IF NOT EXISTS orders_open ON orders (id) WHERE open = 1;
CREATE TABLE IF NOT EXISTS trades (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, order_id INTEGER NOT NULL, symbol TEXT NOT NULL,
    side TEXT NOT NULL, price TEXT NOT NULL, quantity TEXT NOT NULL, realised TEXT NOT NULL,
    commission TEXT NOT NULL, maker INTEGER NOT NULL, time_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS trades_by_symbol ON trades (account, symbol, id);
CREATE INDEX IF NOT EXISTS trades_by_order ON trades (account, order_id, id);
CREATE TABLE IF NOT EXISTS incomes (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, type TEXT NOT NULL, symbol TEXT NOT NULL,
    amount TEXT NOT NULL, trade_id INTEGER NOT NULL, time_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS incomes_by_time ON incomes (account, time_ms, id);
"""
_ORDER_COLUMNS = (
    "id, account, client_id, symbol, side, type, time_in_force, reduce_only, quantity, price, status, filled,"
    " quote, time_ms, update_ms"
)
_TRADE_COLUMNS = "id, account, order_id, symbol, side, price, quantity, realised, commission, maker, time_ms"
_INCOME_COLUMNS = "id, account, type, symbol, amount, trade_id, time_ms"


def _insert(table: str, columns: str) -> str:
    marks = ", ".join("?" for _ in columns.split(","))
    return f"INSERT OR REPLACE INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608


_PUT_FACT = _insert("facts", "name, value")
_PUT_ACCOUNT = _insert("accounts", "name, state")
_PUT_ORDER = _insert("orders", _ORDER_COLUMNS + ", open")
_PUT_TRADE = _insert("trades", _TRADE_COLUMNS)
_PUT_INCOME = _insert("incomes", _INCOME_COLUMNS)


class Store:
    """The open store of one exchange. `directory` is made if need be; raises StartError if it cannot be."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        self._pending: list[list[Write]] = []
        try:
            directory.mkdir(parents=True, exist_ok=True)
            is_new = not self._path.exists()
            self._db = sqlite3.connect(self._path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)
            self._redo = RedoLog(self._path.with_name(f"{FILE_NAME}-redo"))
            if not is_new:  # beside a new store lies, if anything, the log of one that was archived
                self._pending = self._redo.left()
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
            self._write([("format", FORMAT), ("identity", identity)])
            self.flush()
            return False
        if self.fact("format") != FORMAT:
            raise StoreMismatchError(f"{self._path} is of another version; use --fresh to archive it")
        if known != identity:
            raise StoreMismatchError(
                f"{self._path} holds another market (prices, symbols or seed differ);"
                " use --fresh to archive it, or the settings it was made with"
            )
        return True

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

    def load_accounts(self) -> list[Account]:
        """Return all accounts with their open orders, by slot."""
        rows = self._db.execute("SELECT name, state FROM accounts")
        accounts = {name: _decode_account(name, orjson.loads(state)) for name, state in rows}
        for order in self._orders("open = 1", (), "id", -1):
            accounts[order.account].open_orders[order.id] = order
        return sorted(accounts.values(), key=lambda account: account.slot)

    def save(self, venue: Venue, facts: Iterable[tuple[str, str]] = ()) -> None:
        """Make the venue's changes and its market time durable, and clear the changes.

        Raises OSError if the disk takes nothing more; the changes are kept then.
        """
        changes, market = venue.changes, venue.market
        states = [(MARKET + name, orjson.dumps(market.state(name)).decode()) for name in market.changed()]
        self._write(
            [("market_time_ms", str(market.now)), *states, *facts],
            (_PUT_ORDER, list(map(_order_row, changes.orders.values()))),
            (_PUT_TRADE, list(map(_trade_row, changes.trades))),
            (_PUT_INCOME, list(map(_income_row, changes.incomes))),
            (_PUT_ACCOUNT, [(name, _account_state(venue.accounts[name])) for name in changes.accounts]),
        )
        market.mark_saved()
        venue.changes = type(changes)()

    def _write(self, facts: Sequence[tuple[str, str]], *writes: Write) -> None:
        written = [(_PUT_FACT, facts), *(write for write in writes if write[1])]
        self._redo.append(written)
        self._pending.append(written)
        if len(self._pending) >= MAX_PENDING:
            self.flush()

    def flush(self) -> None:
        """Bring the database up to date. Raises sqlite3.Error; nothing is lost then."""
        if not self._pending:
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for writes in self._pending:
                for statement, rows in writes:
                    self._db.executemany(statement, rows)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._pending.clear()
        self._redo.clear()

    # --- history --------------------------------------------------------------------------------------

    def order(self, account: str, symbol: str, order_id: int) -> Order | None:
        """Return an order by its id."""
        found = self._orders("account = ? AND symbol = ? AND id = ?", (account, symbol, order_id), "id", 1)
        return found[0] if found else None

    def order_by_client_id(self, account: str, symbol: str, client_id: str) -> Order | None:
        """Return the latest order with this client id."""
        where = "account = ? AND symbol = ? AND client_id = ?"
        found = self._orders(where, (account, symbol, client_id), "id DESC", 1)
        return found[0] if found else None

    def orders(
        self, account: str, symbol: str, *, from_id: int, start_ms: int, end_ms: int, limit: int
    ) -> list[Order]:
        """Return orders in order of id: from `from_id` on, or else the latest within the times."""
        where = "account = ? AND symbol = ? AND id >= ? AND time_ms BETWEEN ? AND ?"
        order = "id" if from_id else "id DESC"
        found = self._orders(where, (account, symbol, from_id, start_ms, end_ms), order, limit)
        return sorted(found, key=lambda item: item.id)

    def _rows(self, query: str, values: tuple[object, ...]) -> Iterator[tuple[Any, ...]]:
        self.flush()
        return self._db.execute(query, values)

    def _orders(self, where: str, values: tuple[object, ...], order: str, limit: int) -> list[Order]:
        query = f"SELECT {_ORDER_COLUMNS} FROM orders WHERE {where} ORDER BY {order} LIMIT ?"  # noqa: S608
        return [_decode_order(row) for row in self._rows(query, (*values, limit))]

    def trades(
        self,
        account: str,
        symbol: str,
        *,
        order_id: int | None,
        from_id: int,
        start_ms: int,
        end_ms: int,
        limit: int,
        oldest_first: bool,
    ) -> list[Trade]:
        """Return trades in order of id: the oldest matches, or the latest."""
        where = "account = ? AND symbol = ? AND id >= ? AND time_ms BETWEEN ? AND ?"
        values: tuple[object, ...] = (account, symbol, from_id, start_ms, end_ms)
        if order_id is not None:
            where += " AND order_id = ?"
            values += (order_id,)
        direction = "" if oldest_first else "DESC"
        query = f"SELECT {_TRADE_COLUMNS} FROM trades WHERE {where} ORDER BY id {direction} LIMIT ?"  # noqa: S608
        found = [_decode_trade(row) for row in self._rows(query, (*values, limit))]
        return sorted(found, key=lambda item: item.id)

    def incomes(
        self,
        account: str,
        *,
        kind: str,
        symbol: str,
        start_ms: int,
        end_ms: int,
        limit: int,
        offset: int,
        oldest_first: bool,
    ) -> list[Income]:
        """Return income in order of time; empty `kind` or `symbol` means any."""
        where = "account = ? AND time_ms BETWEEN ? AND ?"
        values: tuple[object, ...] = (account, start_ms, end_ms)
        if kind:
            where += " AND type = ?"
            values += (kind,)
        if symbol:
            where += " AND symbol = ?"
            values += (symbol,)
        by = "time_ms, id" if oldest_first else "time_ms DESC, id DESC"
        query = f"SELECT {_INCOME_COLUMNS} FROM incomes WHERE {where} ORDER BY {by} LIMIT ? OFFSET ?"  # noqa: S608
        found = [_decode_income(row) for row in self._rows(query, (*values, limit, offset))]
        return sorted(found, key=lambda item: (item.time_ms, item.id))


def _text(value: Decimal) -> str:
    return format(value, "f")


def _order_row(order: Order) -> tuple[object, ...]:
    return (
        order.id,
        order.account,
        order.client_id,
        order.symbol,
        order.side.value,
        order.type.value,
        order.time_in_force.value,
        int(order.reduce_only),
        _text(order.quantity),
        _text(order.price),
        order.status.value,
        _text(order.filled),
        _text(order.quote),
        order.time_ms,
        order.update_ms,
        int(order.status.is_open),
    )


def _decode_order(row: tuple[Any, ...]) -> Order:
    order_id, account, client_id, symbol, side, kind, force, reduce_only, quantity, price, status, *rest = row
    filled, quote, time_ms, update_ms = rest
    return Order(
        id=order_id,
        account=account,
        client_id=client_id,
        symbol=symbol,
        side=Side(side),
        type=OrderType(kind),
        time_in_force=TimeInForce(force),
        reduce_only=bool(reduce_only),
        quantity=Decimal(quantity),
        price=Decimal(price),
        status=Status(status),
        filled=Decimal(filled),
        quote=Decimal(quote),
        time_ms=time_ms,
        update_ms=update_ms,
    )


def _trade_row(trade: Trade) -> tuple[object, ...]:
    return (
        trade.id,
        trade.account,
        trade.order_id,
        trade.symbol,
        trade.side.value,
        _text(trade.price),
        _text(trade.quantity),
        _text(trade.realised),
        _text(trade.commission),
        int(trade.maker),
        trade.time_ms,
    )


def _decode_trade(row: tuple[Any, ...]) -> Trade:
    trade_id, account, order_id, symbol, side, price, quantity, realised, commission, maker, time_ms = row
    return Trade(
        id=trade_id,
        account=account,
        order_id=order_id,
        symbol=symbol,
        side=Side(side),
        price=Decimal(price),
        quantity=Decimal(quantity),
        realised=Decimal(realised),
        commission=Decimal(commission),
        maker=bool(maker),
        time_ms=time_ms,
    )


def _income_row(income: Income) -> tuple[object, ...]:
    return (
        income.id,
        income.account,
        income.type.value,
        income.symbol,
        _text(income.amount),
        income.trade_id,
        income.time_ms,
    )


def _decode_income(row: tuple[Any, ...]) -> Income:
    income_id, account, kind, symbol, amount, trade_id, time_ms = row
    return Income(income_id, account, IncomeType(kind), symbol, Decimal(amount), trade_id, time_ms)


def _account_state(account: Account) -> str:
    state = {
        "slot": account.slot,
        "wallet": _text(account.wallet),
        "positions": {
            name: [_text(item.quantity), _text(item.cost), _text(item.realised_total), item.update_ms]
            for name, item in account.positions.items()
        },
        "leverage": account.leverage,
        "counters": account.counters,
    }
    return orjson.dumps(state).decode()


def _decode_account(name: str, state: dict[str, Any]) -> Account:
    return Account(
        name=name,
        slot=state["slot"],
        wallet=Decimal(state["wallet"]),
        positions={
            symbol: Position(Decimal(quantity), Decimal(cost), Decimal(realised), update_ms)
            for symbol, (quantity, cost, realised, update_ms) in state["positions"].items()
        },
        leverage=state["leverage"],
        counters=state["counters"],
    )
