"""What can be learnt while a fund is taken up again, and of the disk that its journal is on."""

from typing import NamedTuple


class IdentityDrawn(NamedTuple):
    """Fresh secrets for a fund's life `number`, as in `events.Opened`."""

    time_ms: int
    wall_ms: int
    number: int
    key: str
    incarnation: str


class ListedOrder(NamedTuple):
    """An order of the account, anybody's, in the venue's own list."""

    cid: str
    time_ms: int
    is_open: bool


class OrdersSeen(NamedTuple):
    """The latest orders of the account on the contract, closed ones included."""

    time_ms: int
    wall_ms: int
    orders: tuple[ListedOrder, ...]


class StorageSeen(NamedTuple):
    """What is wrong with the disk that the journal is on, in words; None if nothing is."""

    time_ms: int
    wall_ms: int
    problem: str | None
