"""Having the journal to oneself: at once in SQLite; in PostgreSQL when no other host sends for the accounts.

A process that finds them owned stands by, asks again twice a second, and takes over when the owner resigns,
dies, stalls or loses the database. One that loses them sends nothing more, and begins again as a standby:
everything that it knew is read back before it may send anew.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import structlog

from bot.daemon.supervision import Supervisor
from bot.journal.errors import JournalUnavailable
from bot.journal.journal import Identity, Journal
from bot.journal.nav_store import NAV_FILE, Bars, NavStore
from bot.journal.sqlite import open_journal
from bot.settings import Settings
from bot.venue.clock import Clock

if TYPE_CHECKING:
    from bot.journal.postgres import PostgresJournal

UNREACHED = "the database is not reached"
"""Why a process waits that asks a database which does not answer."""

_ASK_EVERY_S = 0.5
_RECONNECT_EVERY_S = 1.0
_RESIGNED_S = 1e9
"""Whoever resigns shows as silent since the beginning of time."""


class _Watched:
    """A socket that tells when there is something to read, until `close`.

    The event loop watches a double of it: the driver closes its own whenever it finds the session ended, and
    the number may then be another file's.
    """

    def __init__(self, descriptor: int, readable: Callable[[], None]) -> None:
        self._double = os.dup(descriptor)
        asyncio.get_running_loop().add_reader(self._double, readable)

    def close(self) -> None:
        if self._double >= 0:
            asyncio.get_running_loop().remove_reader(self._double)
            os.close(self._double)
            self._double = -1


class Ownership:
    """The journal of one life of the daemon: from taking the accounts until they are lost or given back."""

    def __init__(self, stack: AsyncExitStack, settings: Settings, identity: Identity, clock: Clock) -> None:
        """Nothing is opened yet; the stack closes what will be."""
        self.lost = asyncio.Event()
        self.taken_from: str | None = None
        self.journal: Journal | None = None
        self._epochs: Mapping[str, int] | None = None
        self._stack = stack
        self._settings = settings
        self._identity = identity
        self._clock = clock
        self._log = structlog.get_logger()

    def open(self) -> Journal:
        """The journal, open for writing: the one that was taken, or the file, which is made if need be."""
        if self.journal is None:
            settings, now_ms = self._settings, self._clock.wall_ms()
            self.journal = open_journal(settings.data_dir, self._identity, settings.journal_key, now_ms)
            self._stack.callback(self.journal.close)
        return self.journal

    def nav_store(self) -> Bars:
        """Where the history of NAV is kept: where the journal is, so that a successor has it."""
        if self._epochs is None or self._settings.database_url is None:
            return NavStore(self._settings.data_dir / NAV_FILE)
        from bot.journal.pg_nav import PostgresNavStore  # noqa: PLC0415 - the driver, where it is used

        return PostgresNavStore(self._settings.database_url, self._epochs)

    async def take(self, url: str, supervisor: Supervisor, standing_by: Callable[[str | None], None]) -> None:
        """Wait until the accounts are ours, in PostgreSQL at `url`.

        `standing_by` hears for whom this process waits, and None once it need not. Raises what is wrong with
        settings or journal; a server that cannot be reached is tried again.
        """
        standing_by("starting: the database has not answered yet")
        while self.journal is None:
            try:
                await self._take(url, supervisor, standing_by)
            except JournalUnavailable as error:
                standing_by(UNREACHED)
                self._log.warning("database_unreachable", reason=str(error), retry_in_s=_RECONNECT_EVERY_S)
                await asyncio.sleep(_RECONNECT_EVERY_S)
        standing_by(None)

    async def _take(
        self, url: str, supervisor: Supervisor, standing_by: Callable[[str | None], None]
    ) -> None:
        # The driver weighs as much as the whole journal; SQLite does without.
        from bot.journal.pg_database import key_of  # noqa: PLC0415
        from bot.journal.pg_owner import BEAT_EVERY_S  # noqa: PLC0415
        from bot.journal.postgres import Waiting  # noqa: PLC0415
        from bot.journal.sealing import Sealer  # noqa: PLC0415

        settings = self._settings
        accounts = {fund.name: fund.account for fund in settings.funds}
        sealer = Sealer(key_of(settings.journal_key))
        waiting = await asyncio.to_thread(Waiting, url, settings.data_dir, sealer, accounts)
        async with AsyncExitStack() as undo:
            undo.callback(waiting.close)
            await asyncio.to_thread(waiting.prepare, self._identity, self._clock.wall_ms())
            journal, waits_for = None, ""
            while (journal := await asyncio.to_thread(waiting.claim)) is None:
                holders = ", ".join(sorted({f"{owner.holder} ({owner.account})" for owner in waiting.before}))
                if holders != waits_for:
                    waits_for = holders
                    self._log.info("standing_by", owned_by=holders)
                    standing_by(f"standby: {holders} sends for the accounts")
                await asyncio.sleep(_ASK_EVERY_S)
            undo.pop_all()
        self._stack.callback(journal.close)
        watched = self._stack.enter_context(contextlib.closing(_Watched(journal.fileno(), journal.look)))

        def lost(why: str) -> None:
            watched.close()
            self._log.error("ownership_lost", reason=why, trading="nothing is sent until it is ours again")
            self.lost.set()

        journal.on_lost = lost
        supervisor.every(BEAT_EVERY_S, journal.beat)
        self._tell(journal)
        self.journal, self._epochs = journal, journal.epochs

    def _tell(self, journal: "PostgresJournal") -> None:
        """Who was the owner before; one that did not resign, nor was this process itself, was taken over."""
        process = journal.holder.rpartition(":")[0] + ":"
        others = (owner for owner in journal.taken_from if not owner.holder.startswith(process))
        dead = [owner for owner in others if owner.silent_s < _RESIGNED_S]
        if dead:
            self.taken_from = ", ".join(sorted({owner.holder for owner in dead}))
            silent_s = round(max(owner.silent_s for owner in dead), 1)
            self._log.warning(
                "takeover",
                accounts=[owner.account for owner in dead],
                taken_from=self.taken_from,
                silent_s=silent_s,
            )
