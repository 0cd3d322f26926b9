"""The history of NAV in the journal's PostgreSQL, so that whoever takes the accounts over has it.

It has a session of its own, and is used from a thread of its own: an append never waits for it. One that was
lost is made anew at the next call. Whoever is no longer the owner of an account writes nothing of its funds.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from bot.journal.errors import JournalLost
from bot.journal.nav_store import Bars, Values
from bot.journal.pg_session import Session, translated

_OWNED = """SELECT count(*) FROM owner JOIN unnest(%s::text[], %s::bigint[]) AS mine(name, number)
            ON account = name AND epoch = number"""


class PostgresNavStore(Bars):
    """The tables `bar` and `chunk` beside the journal's own."""

    def __init__(self, url: str, epochs: Mapping[str, int]) -> None:
        """Connect at the first call. `epochs`: of each account that this process owns."""
        super().__init__()
        self._url = url
        self._epochs = epochs
        self._open: Session | None = None

    def close(self) -> None:
        """Let go of the session; may be called twice."""
        if self._open is not None:
            self._open.close()

    def _session(self) -> Session:
        if self._open is None or self._open.closed:
            self._open = Session.open(self._url, "inband nav")
        return self._open

    def _ask(self, query: str, values: Values) -> list[Values]:
        with translated(self._url):
            return self._session().rows(query.replace("?", "%s"), values)

    def _put(self, statement: str, rows: Sequence[Values]) -> None:
        with self._session().cursor() as cursor:
            cursor.executemany(statement.replace("?", "%s").encode(), rows)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Only what it writes may take long: a server that says nothing at its beginning is lost at once."""
        with translated(self._url), self._session().transaction():
            accounts, epochs = list(self._epochs), list(self._epochs.values())
            if self._session().row(_OWNED, (accounts, epochs)) != (len(accounts),):
                raise JournalLost("another process keeps the history of NAV by now")
            with self._session().unhurried():
                yield
