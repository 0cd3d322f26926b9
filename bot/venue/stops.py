"""Commands about protective stops: carried out, and answered with an event, as those about orders are."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from bot.core.commands import CancelStop, FetchStops
from bot.core.stop_events import StopMissing, StopRefused, StopReport, StopsSeen, StopUnknown
from bot.venue.errors import RequestFailed

if TYPE_CHECKING:
    from bot.core.commands import QueryStop
    from bot.core.events import Event
    from bot.venue.profile import Profile, StopAnswer
    from bot.venue.requests import Requests

Now = Callable[[], tuple[int, int]]
"""Market and wall time."""


async def place(
    profile: "Profile", send: "Callable[[], Awaitable[StopAnswer]]", cid: str, now: Now
) -> "Event":
    """Send a stop, exactly once."""
    try:
        return report(await send(), now)
    except RequestFailed as error:
        if error.code in profile.definite_rejects:
            return StopRefused(*now(), cid, error.code, error.reason, error.code in profile.by_rules)
        return StopUnknown(*now(), cid, str(error))


async def look(
    profile: "Profile",
    requests: "Requests",
    symbol: str,
    command: "QueryStop | CancelStop | FetchStops",
    now: Now,
) -> "Event":
    """Look stops up, or take one back; whatever a cancel that failed says, it is looked up then."""
    if isinstance(command, FetchStops):
        found = await profile.resting_stops(requests, symbol)
        return StopsSeen(*now(), found)
    if isinstance(command, CancelStop):
        try:
            return report(await profile.cancel_stop(requests, command.cid), now)
        except RequestFailed:
            pass  # the look that follows says more
    return await _query(profile, requests, command.cid, now)


async def _query(profile: "Profile", requests: "Requests", cid: str, now: Now) -> "Event":
    try:
        return report(await profile.query_stop(requests, cid), now)
    except RequestFailed as error:
        if error.code in profile.missing_order:
            return StopMissing(*now(), cid)
        raise


def report(state: "StopAnswer", now: Now) -> StopReport:
    """What the venue says of a stop, as an event."""
    return StopReport(*now(), state.cid, state.venue_id, state.status, state.order_id)
