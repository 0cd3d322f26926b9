"""Durable facts about the protective stop: an order that rests at the venue in case the daemon cannot act."""

from enum import StrEnum
from typing import NamedTuple, TypeAlias

from bot.core.units import Contracts, Price


class StopEnding(StrEnum):
    """How a protective stop ended."""

    TRIGGERED = "triggered"
    TAKEN_BACK = "taken back"
    NEVER_ARRIVED = "never arrived"


class StopIntended(NamedTuple):
    """A stop may be sent from now on, exactly once; the venue can accept it until `expires_wall_ms`.

    It reduces `position` by the signed `quantity` once the mark reaches `trigger_price`.
    """

    time_ms: int
    cid: str
    quantity: Contracts
    trigger_price: Price
    position: Contracts
    expires_wall_ms: int


class StopPlaced(NamedTuple):
    """The stop rests at the venue."""

    time_ms: int
    cid: str
    venue_id: str


class StopRejected(NamedTuple):
    """The venue definitely refused the stop."""

    time_ms: int
    cid: str
    code: str
    reason: str


class StopLost(NamedTuple):
    """Nobody knows whether the stop arrived; it is being looked up."""

    time_ms: int
    cid: str
    reason: str


class StopCancelAsked(NamedTuple):
    """The stop is to be taken back; it may trigger until the venue says that it is gone."""

    time_ms: int
    cid: str


class StopEnded(NamedTuple):
    """The stop is over. One that triggered became the venue's order `order_id`, whose trades are ours."""

    time_ms: int
    cid: str
    ending: StopEnding
    order_id: str | None = None


StopRecord: TypeAlias = StopIntended | StopPlaced | StopRejected | StopLost | StopCancelAsked | StopEnded
