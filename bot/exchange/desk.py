"""The venue with its store and its listeners: whatever changes is durable before anybody is told."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.exchange.book_versions import BookVersions
    from bot.exchange.listen_keys import ListenKeys
    from bot.exchange.store import Store
    from bot.exchange.streams import Streams
    from bot.exchange.venue import Venue

LISTEN_KEYS = "listen_keys"
IDLE_S = 0.02  # the database catches up with the redo log when nothing has been saved for so long,
MOST_BEHIND = 200  # or, amid traffic, when it is so many saves behind: once, and not between two replies


def wall_ms() -> int:
    """Return wall time as UTC ms."""
    return time.time_ns() // 1_000_000


def _stay() -> None:
    """Move nothing: the market waits for its clients."""


class Desk:
    """What request handlers and the market clock share.

    `catch_up` brings a market that runs by the wall clock to the present moment; whoever looks at the market
    or trades calls it first. `look_ahead` is called when an order will run out at another time than before.
    The market clock sets both.
    """

    def __init__(
        self,
        venue: Venue,
        store: Store,
        streams: Streams,
        listen_keys: ListenKeys,
        book_versions: BookVersions,
    ) -> None:
        self.venue = venue
        self.streams = streams
        self.listen_keys = listen_keys
        self.catch_up: Callable[[], None] = _stay
        self.look_ahead: Callable[[], None] = _stay
        self._deadline_ms = venue.next_deadline()
        self._store = store
        self.book_versions = book_versions
        self._saved_ms = venue.market.now
        self._saved_s = 0.0
        streams.bring_up_to_date = self.bring_up_to_date
        streams.note_listening = self._note_listening
        self._note_listening(is_listening=False)
        self._flushing: asyncio.TimerHandle | None = None

    @property
    def store(self) -> Store:
        """The store, with every change so far in it."""
        if self.venue.changes:
            self._save()
        return self._store

    def _note_listening(self, *, is_listening: bool) -> None:
        self.venue.be_heard(heard=is_listening)

    def bring_up_to_date(self) -> None:
        """Bring a market that runs by the wall clock to this moment, and tell what happened on the way."""
        self.catch_up()
        self.settle()

    def settle(self) -> None:
        """Make changes durable, then tell the user streams."""
        venue = self.venue
        if venue.changes:
            self._save()
        if venue.next_deadline() != self._deadline_ms:
            self._deadline_ms = venue.next_deadline()
            self.look_ahead()
        if venue.events:
            events, venue.events = venue.events, []
            self.streams.send_user_events(events)

    def save_market_time(self) -> None:
        """Make the market time durable if it has moved."""
        if self._saved_ms != self.venue.market.now:
            self._save()

    def save_listen_keys(self) -> None:
        """Make the listen keys durable."""
        self._store.save(self.venue, [(LISTEN_KEYS, self.listen_keys.stored())])

    def _save(self) -> None:
        self._store.save(self.venue)
        self._saved_ms = self.venue.market.now
        self._saved_s = time.monotonic()
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(IDLE_S, self._flush)

    def _flush(self) -> None:
        wait_s = self._saved_s + IDLE_S - time.monotonic()
        if wait_s > 0 and self._store.behind < MOST_BEHIND:
            self._flushing = asyncio.get_running_loop().call_later(wait_s, self._flush)
            return
        self._flushing = None
        self._store.flush()
