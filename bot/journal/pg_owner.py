"""Who sends for which account: one process among all that share a PostgreSQL journal.

An account belongs to the session that holds its advisory lock, and to the `epoch` in its row of `owner`. The
server drops the lock with the session. The owner shows once a second that it lives (its *beat*); a process
that has stopped, while its session stands, falls silent, and whoever waits ends that session. What such an
owner does when it wakes is harmless: an append names its epoch and fails, an order that it had signed before
is refused by the venue (its receive window is over) or is looked up by the successor, and right before each
send it asks `Lease.valid`.
"""

import os
import socket
from collections.abc import Sequence
from typing import NamedTuple

from bot.journal.journal import Owner
from bot.journal.pg_session import Session, boot_s

BEAT_EVERY_S = 1.0
LEASE_S = 3.0
"""How long after its last beat an owner may send. Shorter than `SILENT_S`, so that none is surprised."""
SILENT_S = 4.5
"""How long after its last beat an owner's session is ended by whoever waits."""

_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('inband ' || %s, 0))"
_UNLOCK = "SELECT pg_advisory_unlock_all()"
_OWNERS = """SELECT account, holder, (extract(epoch FROM since) * 1000)::bigint,
             extract(epoch FROM clock_timestamp() - beat_at)::float8 FROM owner ORDER BY account"""
_END_SILENT = """SELECT pg_terminate_backend(a.pid) FROM owner o
                 JOIN pg_stat_activity a ON a.pid = o.backend_pid AND a.backend_start = o.backend_start
                 WHERE o.account = ANY(%s) AND o.beat_at < clock_timestamp() - make_interval(secs => %s)"""
_TAKE = """INSERT INTO owner AS o (account, epoch, holder, backend_pid, backend_start, since, beat_at)
           SELECT %s, 1, %s, pid, backend_start, clock_timestamp(), clock_timestamp()
           FROM pg_stat_activity WHERE pid = pg_backend_pid()
           ON CONFLICT (account) DO UPDATE SET epoch = o.epoch + 1, holder = excluded.holder,
               backend_pid = excluded.backend_pid, backend_start = excluded.backend_start,
               since = excluded.since, beat_at = excluded.beat_at RETURNING o.epoch"""
# A beat proves life and needs no disk: what a power cut takes of it, it takes together with the owner.
_BEAT = """WITH quick AS (SELECT set_config('synchronous_commit', 'off', true))
           UPDATE owner SET beat_at = clock_timestamp() FROM quick WHERE holder = %s"""
_RESIGN = "UPDATE owner SET beat_at = to_timestamp(0) WHERE holder = %s"


def new_holder() -> str:
    """How a process signs, never the same twice: host, process, and a random mark."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{os.urandom(4).hex()}"


class Claim(NamedTuple):
    """What came of asking for accounts: their epochs, or None; and who had them before, or has one now."""

    epochs: dict[str, int] | None
    before: tuple[Owner, ...]


def claim(session: Session, accounts: Sequence[str], holder: str, funds: Sequence[str] = ()) -> Claim:
    """Take all of `accounts`, or none. An owner that has fallen silent is ended on the way.

    Call it again and again until it succeeds: the end of a session takes its moment. `funds`: each has one
    sender too, also where another host calls its account otherwise.
    """
    wanted = tuple(sorted(accounts))
    known = owners(session)
    before = tuple(owner for owner in known if owner.account in wanted)
    for name in (*wanted, *(f"fund {fund}" for fund in sorted(funds))):
        if session.row(_LOCK, (name,)) != (True,):
            session.row(_UNLOCK)
            session.rows(_END_SILENT, (list(wanted), SILENT_S))
            return Claim(None, before or tuple(owner for owner in known if owner.silent_s < SILENT_S))
    epochs = {}
    with session.transaction():
        for account in wanted:
            (epochs[account],) = session.row(_TAKE, (account, holder))
    return Claim(epochs, before)


def owners(session: Session) -> tuple[Owner, ...]:
    """Every account that has ever been owned, and by whom last."""
    return tuple(Owner(*row) for row in session.rows(_OWNERS))


class Lease:
    """The right to send, renewed by beats and appends; it runs out by this machine's own clock."""

    def __init__(self, session: Session, holder: str, epochs: dict[str, int]) -> None:
        self._session = session
        self.holder = holder
        self.epochs = epochs
        self._until_s = 0.0
        self.renewed(boot_s())

    def renewed(self, asked_s: float) -> None:
        """The server has answered a question that was asked at `asked_s`: so long the lease counts from."""
        self._until_s = max(self._until_s, asked_s + LEASE_S)

    def valid(self) -> bool:
        """Whether nobody can have taken an account over yet."""
        return boot_s() < self._until_s and not self._session.closed

    def beat(self) -> bool:
        """Show that this process lives; False if an account is no longer its own."""
        asked_s = boot_s()
        if self._session.count(_BEAT, (self.holder,)) != len(self.epochs):
            return False
        self.renewed(asked_s)
        return True

    def resign(self) -> None:
        """Leave at once to whoever waits, who need not wait for the server to see that this session ends."""
        self._until_s = 0.0
        self._session.count(_RESIGN, (self.holder,))
        self._session.row(_UNLOCK)
