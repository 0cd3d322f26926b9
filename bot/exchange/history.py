"""Reading the store: orders, trades, income and the like of one account, by index."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from bot.exchange.tables import ALGOS, AMENDMENTS, INCOMES, MARGIN_CHANGES, ORDERS, TRADES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bot.exchange.algo import AlgoOrder
    from bot.exchange.entities import Amendment, Cause, Income, MarginChange, Order, Trade
    from bot.exchange.tables import Table

Row = TypeVar("Row", bound="tuple[Any, ...]")
NEWEST_FIRST = "id DESC"


class History(ABC):
    """What has happened; the latest `limit` matches unless said otherwise, in order of id."""

    _db: sqlite3.Connection

    @abstractmethod
    def flush(self) -> None:
        """Bring the database up to date."""

    def _find(
        self, table: Table[Row], where: str, values: Sequence[object], *, by: str = "id", limit: int = -1
    ) -> list[Row]:
        self.flush()
        query = f"SELECT {table.columns} FROM {table.name} WHERE {where} ORDER BY {by} LIMIT ?"  # noqa: S608
        return [table.read(row) for row in self._db.execute(query, (*values, limit))]

    def _last(self, table: Table[Row], where: str, values: Sequence[object]) -> Row | None:
        found = self._find(table, where, values, by=NEWEST_FIRST, limit=1)
        return found[0] if found else None

    # --- orders ---------------------------------------------------------------------------------------

    def order(self, account: str, symbol: str, order_id: int) -> Order | None:
        """Return an order by its id."""
        return self._last(ORDERS, "account = ? AND symbol = ? AND id = ?", (account, symbol, order_id))

    def order_by_client_id(self, account: str, symbol: str, client_id: str) -> Order | None:
        """Return the latest order with this client id."""
        return self._last(
            ORDERS, "account = ? AND symbol = ? AND client_id = ?", (account, symbol, client_id)
        )

    def orders(
        self, account: str, symbol: str, *, from_id: int, start_ms: int, end_ms: int, limit: int
    ) -> list[Order]:
        """Return orders in order of id: from `from_id` on, or else the latest within the times."""
        where = "account = ? AND symbol = ? AND id >= ? AND time_ms BETWEEN ? AND ?"
        by = "id" if from_id else NEWEST_FIRST
        found = self._find(ORDERS, where, (account, symbol, from_id, start_ms, end_ms), by=by, limit=limit)
        return sorted(found)

    def forced_orders(
        self, account: str, *, symbol: str, cause: Cause | None, start_ms: int, end_ms: int, limit: int
    ) -> list[Order]:
        """Return liquidations and deleveragings; empty `symbol` or `cause` None means any."""
        where = "account = ? AND forced = 1 AND time_ms BETWEEN ? AND ?"
        values: list[object] = [account, start_ms, end_ms]
        if symbol:
            where += " AND symbol = ?"
            values.append(symbol)
        if cause is not None:
            where += " AND cause = ?"
            values.append(cause.value)
        return sorted(self._find(ORDERS, where, values, by=NEWEST_FIRST, limit=limit))

    def amendments(
        self, account: str, symbol: str, *, order_id: int | None, start_ms: int, end_ms: int, limit: int
    ) -> list[Amendment]:
        """Return the changes of one order, or of all orders of a symbol."""
        where = "account = ? AND symbol = ? AND time_ms BETWEEN ? AND ?"
        values: list[object] = [account, symbol, start_ms, end_ms]
        if order_id is not None:
            where += " AND order_id = ?"
            values.append(order_id)
        return sorted(self._find(AMENDMENTS, where, values, by=NEWEST_FIRST, limit=limit))

    # --- conditional orders ---------------------------------------------------------------------------

    def algo(self, account: str, algo_id: int) -> AlgoOrder | None:
        """Return a conditional order by its id."""
        return self._last(ALGOS, "account = ? AND id = ?", (account, algo_id))

    def algo_by_client_id(self, account: str, client_id: str) -> AlgoOrder | None:
        """Return the latest conditional order with this client id."""
        return self._last(ALGOS, "account = ? AND client_id = ?", (account, client_id))

    def algos(
        self,
        account: str,
        symbol: str,
        *,
        from_id: int,
        start_ms: int,
        end_ms: int,
        limit: int,
        page: int = 0,
    ) -> list[AlgoOrder]:
        """Return conditional orders: from `from_id` on, or else the latest within the times, by pages."""
        where = "account = ? AND symbol = ? AND id >= ? AND time_ms BETWEEN ? AND ?"
        by = "id" if from_id else NEWEST_FIRST
        values = (account, symbol, from_id, start_ms, end_ms)
        found = self._find(ALGOS, where, values, by=by, limit=limit * (page + 1))
        return sorted(found[limit * page :])

    # --- money ----------------------------------------------------------------------------------------

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
        values: list[object] = [account, symbol, from_id, start_ms, end_ms]
        if order_id is not None:
            where += " AND order_id = ?"
            values.append(order_id)
        by = "id" if oldest_first else NEWEST_FIRST
        return sorted(self._find(TRADES, where, values, by=by, limit=limit))

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
        values: list[object] = [account, start_ms, end_ms]
        if kind:
            where += " AND type = ?"
            values.append(kind)
        if symbol:
            where += " AND symbol = ?"
            values.append(symbol)
        by = "time_ms, id" if oldest_first else "time_ms DESC, id DESC"
        found = self._find(INCOMES, where, values, by=by, limit=offset + limit)
        return sorted(found[offset:], key=lambda item: (item.time_ms, item.id))

    def margin_changes(
        self, account: str, symbol: str, *, added: bool | None, start_ms: int, end_ms: int, limit: int
    ) -> list[MarginChange]:
        """Return what entered or left isolated positions; `added` None means both."""
        where = "account = ? AND symbol = ? AND time_ms BETWEEN ? AND ?"
        if added is not None:
            where += f" AND amount {'NOT LIKE' if added else 'LIKE'} '-%'"
        values = (account, symbol, start_ms, end_ms)
        return sorted(self._find(MARGIN_CHANGES, where, values, by=NEWEST_FIRST, limit=limit))
