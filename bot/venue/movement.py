"""For how long a mark has stood still: a price that never moves is one that nobody makes any more."""

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bot.core.units import Price
    from bot.venue.profile import MarkFrame

_MOVED = Decimal("0.001")
"""An index that moved by this fraction while the mark did not shows that the mark is stuck."""


class _Since(NamedTuple):
    """When the mark came to its price, and what the index was then."""

    time_ms: int
    price: "Price"
    index_price: "Price | None"


class Movement:
    """One venue's marks, by stream and by REST."""

    def __init__(self) -> None:
        self._since: dict[str, _Since] = {}

    def still_ms(self, symbol: str, frame: "MarkFrame") -> int:
        """Since when the mark of `symbol` has not moved, in market time.

        While the index moves a little, it is the market that is calm: nothing is held against the mark then.
        """
        since = self._since.get(symbol)
        if since is None or since.price != frame.price:
            self._since[symbol] = _Since(frame.time_ms, frame.price, frame.index_price)
            return 0
        index, then = frame.index_price, since.index_price
        calm = index is not None and then is not None and 0 < abs(index - then) < _MOVED * then
        return 0 if calm else max(0, frame.time_ms - since.time_ms)
