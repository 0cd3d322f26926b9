"""What every feed is: the frames of one stream, computed only while somebody listens."""

from __future__ import annotations

from typing import Protocol

UM = 1  # "st": the market of USD-M contracts, in every frame since the venue merged its two futures markets


class Feed(Protocol):
    """The payloads of one stream, without the frame around them."""

    def present(self) -> list[bytes]:
        """Return what a new subscriber gets at once."""

    def news(self) -> list[bytes]:
        """Return what has changed since this was last asked."""


class Repeating(Feed, Protocol):
    """A feed that also speaks when nothing has changed, as the venue's mark prices do."""

    def again(self) -> list[bytes]:
        """Return the present state once more."""
