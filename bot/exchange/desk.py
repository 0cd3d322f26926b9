"""The venue with its store and its listeners: whatever changes is durable before anybody is told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.exchange.listen_keys import ListenKeys
    from bot.exchange.store import Store
    from bot.exchange.streams import Streams
    from bot.exchange.venue import Venue

LISTEN_KEYS = "listen_keys"


def wall_ms() -> int:
    """Return wall time as UTC ms."""
    return time.time_ns() // 1_000_000


class Desk:
    """What request handlers and the market clock share."""

    def __init__(self, venue: Venue, store: Store, streams: Streams, listen_keys: ListenKeys) -> None:
        self.venue = venue
        self.store = store
        self.streams = streams
        self.listen_keys = listen_keys
        self._saved_ms = venue.market.now

    async def settle(self) -> None:
        """Make changes durable, then tell the user streams."""
        venue = self.venue
        if venue.changes:
            self.store.save(venue)
            self._saved_ms = venue.market.now
        if venue.events:
            events, venue.events = venue.events, []
            await self.streams.send_user_events(events)

    def save_market_time(self) -> None:
        """Make the market time durable if it has moved."""
        if self._saved_ms != self.venue.market.now:
            self.store.save(self.venue)
            self._saved_ms = self.venue.market.now

    def save_listen_keys(self) -> None:
        """Make the listen keys durable."""
        self.store.save(self.venue, [(LISTEN_KEYS, self.listen_keys.stored())])
