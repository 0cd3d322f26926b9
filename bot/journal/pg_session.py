"""One session with a PostgreSQL server, whose every answer has a deadline.

It is used from the event loop's thread and blocks it, as an append must: nothing may happen between a step
and its records. So a server that does not answer within seconds counts as lost, and the loop goes on.
"""

import contextlib
from collections.abc import Iterator
from time import CLOCK_BOOTTIME, clock_gettime
from typing import Any, Self, TypeAlias, cast

import psycopg
from psycopg import conninfo, sql
from psycopg.abc import PQGen

from bot.journal.errors import JournalSettingError, JournalUnavailable

ANSWER_WITHIN_S = 2.0
_CONNECT_WITHIN_S = 3
_LONG_READ_S = 120.0
_OPTIONS = (
    "-c synchronous_commit=on -c lock_timeout=1500 -c client_encoding=UTF8"
    " -c idle_in_transaction_session_timeout=10000"
)
"""Behind those of the address, and stronger."""

Params: TypeAlias = tuple[Any, ...]


class Session(psycopg.Connection[tuple[Any, ...]]):
    """A connection that commits each statement by itself, durably."""

    answer_within_s: float = ANSWER_WITHIN_S

    @classmethod
    def open(cls, url: str, name: str) -> Self:
        """Connect; `name` is what the server's own lists call the session.

        Raises:
            JournalUnavailable: it cannot be reached, or refuses.
        """
        with translated(url):
            return cls.connect(
                url,
                autocommit=True,
                application_name=name,
                connect_timeout=_CONNECT_WITHIN_S,
                tcp_user_timeout=int(ANSWER_WITHIN_S * 1000),
                keepalives_idle=2,
                keepalives_interval=1,
                keepalives_count=2,
                options=f"{conninfo.conninfo_to_dict(url).get('options', '')} {_OPTIONS}",
            )

    @classmethod
    def for_tables(cls, url: str) -> Self:
        """A session in which alembic works: it begins and ends transactions, and may take its time."""
        session = cls.open(url, "inband tables")
        session.autocommit = False
        session.answer_within_s = _LONG_READ_S
        return session

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for an answer no longer than the deadline; after that the session is of no more use."""
        return super().wait(gen, interval, self.answer_within_s if timeout is None else timeout)

    def rows(self, query: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self._asked(query, params).fetchall()

    def row(self, query: str, params: Params = ()) -> tuple[Any, ...]:
        """The one row of a query."""
        found = self._asked(query, params).fetchone()
        return () if found is None else found

    def count(self, statement: str, params: Params = ()) -> int:
        """How many rows a statement changed."""
        return self._asked(statement, params).rowcount

    @contextlib.contextmanager
    def unhurried(self) -> Iterator[None]:
        """Reads of a whole journal may take their time."""
        self.answer_within_s = _LONG_READ_S
        try:
            yield
        finally:
            self.answer_within_s = ANSWER_WITHIN_S

    def _asked(self, query: str, params: Params) -> "psycopg.Cursor[tuple[Any, ...]]":
        text = cast("sql.SQL", query)  # every statement is a constant of ours; mypy wants a literal
        return self.execute(text, params, binary=True)


def boot_s() -> float:
    """Seconds since the machine started, those in which it slept included."""
    return clock_gettime(CLOCK_BOOTTIME)


def shown(url: str) -> str:
    """The address without what is secret in it."""
    try:
        parts = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "PostgreSQL"
    host, port = parts.get("host") or "localhost", parts.get("port") or 5432
    return f"database {parts.get('dbname') or parts.get('user') or 'postgres'} at {host}:{port}"


@contextlib.contextmanager
def translated(url: str) -> Iterator[None]:
    """PostgreSQL's errors become the journal's; none shows the password."""
    try:
        yield
    except psycopg.ProgrammingError as error:
        if error.sqlstate is None:
            raise JournalSettingError(
                "INBAND_DATABASE_URL: not an address of PostgreSQL; "
                "set for example postgresql://inband@127.0.0.1:5432/inband"
            ) from None
        raise JournalUnavailable(unavailable(url, error)) from error
    except psycopg.Error as error:
        raise JournalUnavailable(unavailable(url, error)) from error


def unavailable(url: str, error: Exception) -> str:
    """What a server that refuses, or does not answer, is called."""
    words = " ".join(str(error).split()) or type(error).__name__
    return f"{shown(url)} cannot be used ({words}): check the server and INBAND_DATABASE_URL"
