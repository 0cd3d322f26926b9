"""Tables of immutable facts: a named tuple is a row, its fields are the columns.

Decimals are kept as text, to the last digit; members of enumerations by value.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_type_hints

from bot.exchange.algo import AlgoOrder, AlgoStatus
from bot.exchange.entities import Amendment, Cause, Income, MarginChange, Order, Trade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Write = tuple[str, list[list[Any]]]  # an SQL statement, and the rows it is executed with

Row = TypeVar("Row", bound="tuple[Any, ...]")


def _same(value: Any) -> Any:
    return value


class Table(Generic[Row]):
    """One kind of fact; `flags` are columns that are computed from a row when it is written."""

    def __init__(
        self,
        name: str,
        kind: type[Row],
        indexes: Iterable[str],
        flags: dict[str, Callable[[Row], int]] | None = None,
    ) -> None:
        hints = get_type_hints(kind)
        self.name = name
        self._kind = kind
        self._flags = flags or {}
        kinds = list(enumerate(hints.values()))
        self._numbers = [place for place, hint in kinds if issubclass(hint, Decimal)]
        self._names = [place for place, hint in kinds if issubclass(hint, StrEnum)]
        self._decoders: list[Callable[[Any], Any]] = [
            hint if issubclass(hint, StrEnum | Decimal | bool) else _same for hint in hints.values()
        ]
        types = [
            f"{column} {'INTEGER' if issubclass(hint, int) else 'TEXT'} NOT NULL"
            for column, hint in hints.items()
            if column != "id"
        ]
        types += [f"{flag} INTEGER NOT NULL" for flag in self._flags]
        self.schema = f"CREATE TABLE IF NOT EXISTS {name} (id INTEGER PRIMARY KEY, {', '.join(types)});\n"
        for number, index in enumerate(indexes):
            self.schema += f"CREATE INDEX IF NOT EXISTS {name}_{number} ON {name} {index};\n"
        self.columns = ", ".join(hints)
        marks = ", ".join("?" * (len(hints) + len(self._flags)))
        columns = ", ".join((*hints, *self._flags))
        self._insert = f"INSERT OR REPLACE INTO {name} ({columns}) VALUES ({marks})"  # noqa: S608

    def write(self, facts: Iterable[Row]) -> Write:
        """Return what writes facts, new ones or later versions of known ones."""
        rows = []
        for fact in facts:
            row = list(fact)
            for place in self._numbers:
                row[place] = str(row[place])
            for place in self._names:
                row[place] = row[place]._value_
            row.extend([flag(fact) for flag in self._flags.values()])
            rows.append(row)
        return self._insert, rows

    def read(self, row: tuple[Any, ...]) -> Row:
        """Return the fact of a row of `columns`."""
        return self._kind(*[decode(value) for decode, value in zip(self._decoders, row, strict=True)])


ORDERS = Table(
    "orders",
    Order,
    (
        "(account, symbol, id)",
        "(account, symbol, client_id, id)",
        "(id) WHERE open = 1",
        "(account, time_ms) WHERE forced = 1",
    ),
    {
        "open": lambda order: int(order.status.is_open),
        "forced": lambda order: int(order.cause is not Cause.CLIENT),
    },
)
TRADES = Table("trades", Trade, ("(account, symbol, id)", "(account, order_id, id)"))
INCOMES = Table("incomes", Income, ("(account, time_ms, id)",))
ALGOS = Table(
    "algos",
    AlgoOrder,
    ("(account, symbol, id)", "(account, client_id, id)", "(id) WHERE open = 1"),
    {"open": lambda order: int(order.status in {AlgoStatus.NEW, AlgoStatus.TRIGGERED})},
)
AMENDMENTS = Table("amendments", Amendment, ("(account, symbol, id)",))
MARGIN_CHANGES = Table("margin_changes", MarginChange, ("(account, symbol, id)",))
TABLES: tuple[Table[Any], ...] = (ORDERS, TRADES, INCOMES, ALGOS, AMENDMENTS, MARGIN_CHANGES)
