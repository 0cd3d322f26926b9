"""Feeds: the frames of one stream, computed only while somebody listens."""

from __future__ import annotations

from typing import Protocol

UM = 1  # "st": the market of USD-M contracts, in most frames since the venue merged its two futures markets


class Feed(Protocol):
    """The payloads of one stream, without the frame around them."""

    def present(self) -> list[bytes]:
        """Return what a new subscriber gets at once."""

    def news(self) -> list[bytes]:
        """Return what has changed since this was last asked."""
