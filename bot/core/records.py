"""Durable facts. A fund's durable state is the fold of its records, in order, and of nothing else.

Each class names in `SEALED` the fields that the journal encrypts: what must stay secret until it is revealed.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, TypeAlias

from bot.core.units import Contracts, Leverage, Price, Side, Urgency, Usd

_PUBLIC: frozenset[str] = frozenset()


class Kind(StrEnum):
    """Why a rebalance trades."""

    OPEN = "open"
    BAND = "band"
    SCHEDULE = "schedule"
    FLATTEN = "flatten"
    EXTERNAL = "external"


class Ending(StrEnum):
    """How a rebalance ended."""

    DONE = "done"
    SUPERSEDED = "superseded"


class FundState(StrEnum):
    """Where a fund is in its life."""

    ACTIVE = "active"
    TOO_SMALL = "too_small"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class FundCreated:
    """A fund began, flat, at NAV 1. `unallocated`: what its account holds beyond the fund's capital."""

    SEALED: ClassVar = frozenset({"key"})
    time_ms: int
    fund: str
    underlying: str
    side: Side
    capital: Usd
    unallocated: Usd
    incarnation: str
    key: str


@dataclass(frozen=True, slots=True)
class DrawQueued:
    """A secret draw was fixed, and a commitment to it can be published."""

    SEALED: ClassVar = frozenset({"u", "salt"})
    time_ms: int
    sequence: int
    commitment: str
    u: str
    salt: str


@dataclass(frozen=True, slots=True)
class ConfirmationStarted:
    """Leverage fell below the band; it must stay there until the secret deadline before it is raised."""

    SEALED: ClassVar = frozenset({"deadline_ms"})
    time_ms: int
    mark: Price
    leverage: Leverage
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class ConfirmationCancelled:
    """The reason to trade went away during the confirmation."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    mark: Price
    leverage: Leverage


@dataclass(frozen=True, slots=True)
class RebalanceStarted:
    """A rebalance was decided; its target leverage is frozen here."""

    SEALED: ClassVar = frozenset({"target"})
    time_ms: int
    number: int
    kind: Kind
    reason: str
    urgency: Urgency
    sequence: int | None
    target: Leverage
    tolerance: Leverage
    mark: Price
    position: Contracts
    leverage: Leverage | None


@dataclass(frozen=True, slots=True)
class UrgencyRaised:
    """The rebalance under way became more urgent."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    urgency: Urgency
    mark: Price


@dataclass(frozen=True, slots=True)
class OrderIntended:
    """An order may be sent from now on, exactly once. The venue can accept it until `expires_wall_ms`."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    cid: str
    quantity: Contracts
    limit_price: Price
    reduce_only: bool
    mark: Price
    expires_wall_ms: int


@dataclass(frozen=True, slots=True)
class OrderAdvanced:
    """The venue's word on the order: accepted, or closed, with the cumulative fill."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    cid: str
    venue_id: str
    filled: Contracts
    closed: bool


@dataclass(frozen=True, slots=True)
class OrderRejected:
    """The venue definitely refused the order."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    cid: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class OrderLost:
    """The order's outcome is unknown, and is being looked up."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    cid: str
    reason: str


@dataclass(frozen=True, slots=True)
class OrderDead:
    """The order never reached the venue, and no longer can; `evidence` says how that is known."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    cid: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Filled:
    """A trade was booked; `cid` is None for one that was not ours."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    cid: str | None
    trade_id: str
    trade_ms: int
    quantity: Contracts
    price: Price
    fee: Usd


@dataclass(frozen=True, slots=True)
class SliceSettled:
    """The order is closed and all its trades are booked; the next slice is not before `next_slice_ms`."""

    SEALED: ClassVar = frozenset({"next_slice_ms"})
    time_ms: int
    cid: str
    filled: Contracts
    next_slice_ms: int


@dataclass(frozen=True, slots=True)
class SliceDeferred:
    """The limits refused the next slice for `reason`; it is tried again at `next_slice_ms`."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    reason: str
    next_slice_ms: int


@dataclass(frozen=True, slots=True)
class RebalanceParked:
    """The daemon stopped in the middle of a rebalance; it goes on at the next start."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int


@dataclass(frozen=True, slots=True)
class RebalanceResumed:
    """A parked or interrupted rebalance goes on."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int


@dataclass(frozen=True, slots=True)
class RebalanceFinished:
    """A rebalance is over."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    ending: Ending
    mark: Price
    position: Contracts
    leverage: Leverage | None


@dataclass(frozen=True, slots=True)
class RebalanceSkipped:
    """A strategy asked for a rebalance in which nothing can be traded."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    mark: Price
    reason: str


@dataclass(frozen=True, slots=True)
class ExternalChange:
    """Trades that were not ours (a liquidation, a manual order) changed the position; now booked."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    number: int
    mark: Price | None
    position_before: Contracts
    position: Contracts


@dataclass(frozen=True, slots=True)
class IncomeBooked:
    """Funding, or another change of wallet balance that no trade explains."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    income_id: str
    income_ms: int
    kind: str
    amount: Usd


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Ledger and venue agree, mark-free."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    wallet: Usd
    position: Contracts


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The fund entered a state of its life that it does not leave by itself."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    state: FundState
    mark: Price
    value: Usd


@dataclass(frozen=True, slots=True)
class IncidentOpened:
    """Something needs an operator's eye. An open incident with `stops_increases` is a breach."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    code: str
    detail: str
    remedy: str
    stops_increases: bool


@dataclass(frozen=True, slots=True)
class IncidentClosed:
    """What the incident was about is over."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    code: str
    how: str


@dataclass(frozen=True, slots=True)
class Sampled:
    """A mark on the fixed sampling grid; `variance` is the running estimate per second, None at first."""

    SEALED: ClassVar = _PUBLIC
    time_ms: int
    mark: Price
    variance: Decimal | None


Record: TypeAlias = (
    FundCreated
    | DrawQueued
    | ConfirmationStarted
    | ConfirmationCancelled
    | RebalanceStarted
    | UrgencyRaised
    | OrderIntended
    | OrderAdvanced
    | OrderRejected
    | OrderLost
    | OrderDead
    | Filled
    | SliceSettled
    | SliceDeferred
    | RebalanceParked
    | RebalanceResumed
    | RebalanceFinished
    | RebalanceSkipped
    | ExternalChange
    | IncomeBooked
    | Reconciled
    | StateChanged
    | IncidentOpened
    | IncidentClosed
    | Sampled
)
