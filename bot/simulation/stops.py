"""The simulated venue's conditional orders, which it keeps apart from its book: reduce-only stops.

One that triggers becomes an order of its own at the market, with a number of its own; each names the other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from bot.core.stop_events import StopStatus
from bot.simulation.refusal import Refusal

if TYPE_CHECKING:
    from bot.simulation.venue import Venue

ZERO = Decimal(0)


class StopRequest(NamedTuple):
    """A stop as it comes over the wire; `quantity` is signed."""

    cid: str
    quantity: Decimal
    trigger_price: Decimal
    signed_ms: int


@dataclass(slots=True)
class VenueStop:
    """A stop that the venue accepted; `order` is the number of the order that it became."""

    number: str
    request: StopRequest
    status: StopStatus = StopStatus.RESTING
    order: str | None = None


OnStopNews = Callable[[VenueStop], None]


class ConditionalOrders:
    """All stops of the account, by client id."""

    def __init__(self, venue: "Venue") -> None:
        """None yet. What triggers trades on `venue`."""
        self.by_cid: dict[str, VenueStop] = {}
        self.resting: list[VenueStop] = []
        self.on_news: OnStopNews = lambda _: None
        self._venue = venue

    def place(self, request: StopRequest, now_ms: int) -> VenueStop:
        """Accept a stop, or raise `Refusal`."""
        venue = self._venue
        venue.now_ms = now_ms
        venue.refuse_untimely(request.signed_ms, now_ms)
        if any(stop.request.cid == request.cid for stop in self.resting):
            raise Refusal("-4116", "ClientOrderId is duplicated.")
        if self._reached(request):
            raise Refusal("-2021", "Order would immediately trigger.")
        venue.refuse_by_chance()
        stop = VenueStop(venue.number(), request)
        self.by_cid[request.cid] = stop
        self.resting.append(stop)
        self.on_news(stop)
        return stop

    def cancel(self, cid: str) -> VenueStop:
        """Take a resting stop back."""
        stop = self.by_cid.get(cid)
        if stop is None or stop not in self.resting:
            raise Refusal("-2011", "Unknown order sent.")
        self._end(stop, StopStatus.GONE)
        return stop

    def find(self, cid: str) -> VenueStop:
        """The stop with this client id."""
        stop = self.by_cid.get(cid)
        if stop is None:
            raise Refusal("-2013", "Order does not exist.")
        return stop

    def moved(self) -> None:
        """The mark is where it is: what it reached triggers."""
        for stop in tuple(self.resting):
            if self._reached(stop.request):
                self._trigger(stop)

    def expire(self) -> None:
        """A liquidation takes them all."""
        for stop in tuple(self.resting):
            self._end(stop, StopStatus.GONE)

    def _reached(self, request: StopRequest) -> bool:
        mark = self._venue.mark
        return mark <= request.trigger_price if request.quantity < ZERO else mark >= request.trigger_price

    def _trigger(self, stop: VenueStop) -> None:
        position, quantity = self._venue.position, stop.request.quantity
        if position * quantity >= ZERO:
            self._end(stop, StopStatus.GONE)  # reduce-only, and nothing is left to be reduced
            return
        stop.order = self._venue.number()
        self._end(stop, StopStatus.TRIGGERED)
        size = min(abs(quantity), abs(position))
        self._venue.trade_at_market(stop.order, stop.request.cid, size if quantity > ZERO else -size)

    def _end(self, stop: VenueStop, status: StopStatus) -> None:
        stop.status = status
        self.resting.remove(stop)
        self.on_news(stop)
