"""What the venue says of protective stops."""

from enum import StrEnum
from typing import NamedTuple, TypeAlias


class StopStatus(StrEnum):
    """Where a protective stop is at the venue. `TRIGGERS`: it fires, and what it became is not known yet."""

    RESTING = "resting"
    TRIGGERS = "triggers"
    TRIGGERED = "triggered"
    GONE = "gone"


class StopReport(NamedTuple):
    """What the venue says of a stop; `order_id` names the order that a triggered one became."""

    time_ms: int
    wall_ms: int
    cid: str
    venue_id: str
    status: StopStatus
    order_id: str | None = None


class StopRefused(NamedTuple):
    """The venue definitely did not accept the stop; `by_rules` as for `events.OrderRefused`."""

    time_ms: int
    wall_ms: int
    cid: str
    code: str
    reason: str
    by_rules: bool = False


class StopUnknown(NamedTuple):
    """Nobody can tell whether the stop reached the venue."""

    time_ms: int
    wall_ms: int
    cid: str
    reason: str


class StopMissing(NamedTuple):
    """The venue answered authoritatively that it knows no stop with this client id."""

    time_ms: int
    wall_ms: int
    cid: str


class StopsSeen(NamedTuple):
    """The client ids of the stops that rest on the account, anybody's."""

    time_ms: int
    wall_ms: int
    cids: tuple[str, ...]


StopEvent: TypeAlias = StopReport | StopRefused | StopUnknown | StopMissing | StopsSeen
