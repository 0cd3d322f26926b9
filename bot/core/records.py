"""Durable facts. A fund's durable state is the fold of its records, in order, and of nothing else.

Records are named tuples, which are made in a quarter of the time of a frozen dataclass. Two of different
classes are equal when their values are: tell them apart by their class first.
"""

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from bot.core.flow_records import FlowRecord
from bot.core.process_records import ProcessRecord
from bot.core.public_records import PublicationScheduled, PublicRecord
from bot.core.recovery_records import RecoveryRecord, Reincarnated
from bot.core.stop_records import StopIntended, StopRecord
from bot.core.units import Contracts, Leverage, Price, Side, Urgency, Usd


class Kind(StrEnum):
    """Why a rebalance trades."""

    OPEN = "open"
    BAND = "band"
    SCHEDULE = "schedule"
    OPERATOR = "operator"
    FLOW = "flow"
    FLATTEN = "flatten"
    EXTERNAL = "external"
    STOP = "stop"


class Ending(StrEnum):
    """How a rebalance ended."""

    DONE = "done"
    SUPERSEDED = "superseded"


class FundState(StrEnum):
    """Where a fund is in its life."""

    ACTIVE = "active"
    FLATTENED = "flattened"
    TOO_SMALL = "too_small"
    DEAD = "dead"


class Control(StrEnum):
    """What the operator allows: everything, no increases, nothing at all."""

    RUNNING = "running"
    PAUSED = "paused"
    HALTED = "halted"


class FundCreated(NamedTuple):
    """A fund began, flat, at NAV 1. `unallocated`: what its account holds beyond the fund's capital.

    `known_income`: ids, comma-separated, of the income of the last minutes that its wallet contains already;
    any other is still to be booked. None: all of it up to this instant is in the wallet.
    """

    time_ms: int
    fund: str
    underlying: str
    side: Side
    capital: Usd
    unallocated: Usd
    incarnation: str
    key: str
    known_income: str | None = None


class DrawQueued(NamedTuple):
    """A secret draw was fixed, and a commitment to it can be published."""

    time_ms: int
    sequence: int
    commitment: str
    u: str
    salt: str


class ConfirmationStarted(NamedTuple):
    """Leverage fell below the band; it must stay there until the secret deadline before it is raised."""

    time_ms: int
    mark: Price
    leverage: Leverage
    deadline_ms: int


class ConfirmationCancelled(NamedTuple):
    """The reason to trade went away during the confirmation."""

    time_ms: int
    mark: Price
    leverage: Leverage


class RebalanceStarted(NamedTuple):
    """A rebalance was decided; its target leverage is frozen here.

    `low` and `high` are the range that the public law drew it from; None where nothing was drawn.
    """

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
    low: Leverage | None = None
    high: Leverage | None = None


class UrgencyRaised(NamedTuple):
    """The rebalance under way became more urgent."""

    time_ms: int
    urgency: Urgency
    mark: Price


class OrderIntended(NamedTuple):
    """An order may be sent from now on, exactly once. The venue can accept it until `expires_wall_ms`.

    With `rests_until_ms` it is post-only and rests until then; without, it fills at once or not at all.
    `market_per_s`: what the market traded a second, as far as is known.
    """

    time_ms: int
    cid: str
    quantity: Contracts
    limit_price: Price
    reduce_only: bool
    mark: Price
    expires_wall_ms: int
    rests_until_ms: int | None = None
    market_per_s: Contracts | None = None


class OrderCancelAsked(NamedTuple):
    """A resting order is to be taken back; it may fill until the venue says that it is over."""

    time_ms: int
    cid: str


class OrderAdvanced(NamedTuple):
    """The venue's word on the order: accepted, or closed, with the cumulative fill."""

    time_ms: int
    cid: str
    venue_id: str
    filled: Contracts
    closed: bool


class OrderRejected(NamedTuple):
    """The venue definitely refused the order; `would_take`: for it was post-only, and would have crossed."""

    time_ms: int
    cid: str
    code: str
    reason: str
    would_take: bool = False


class OrderLost(NamedTuple):
    """The order's outcome is unknown, and is being looked up."""

    time_ms: int
    cid: str
    reason: str


class OrderDead(NamedTuple):
    """The order never reached the venue, and no longer can; `evidence` says how that is known."""

    time_ms: int
    cid: str
    evidence: str


class Filled(NamedTuple):
    """A trade was booked; `cid` is None for one that was not ours."""

    time_ms: int
    cid: str | None
    trade_id: str
    trade_ms: int
    quantity: Contracts
    price: Price
    fee: Usd


class SliceSettled(NamedTuple):
    """The order is closed and all its trades are booked; the next slice is not before `next_slice_ms`.

    `out_of_band`: whether leverage is, at the latest mark; None where there is none.
    """

    time_ms: int
    cid: str
    filled: Contracts
    next_slice_ms: int
    out_of_band: bool | None = None


class SliceDeferred(NamedTuple):
    """The limits refused the next slice for `reason`; it is tried again at `next_slice_ms`."""

    time_ms: int
    reason: str
    next_slice_ms: int


class RebalanceParked(NamedTuple):
    """The daemon stopped in the middle of a rebalance; it goes on at the next start."""

    time_ms: int


class RebalanceResumed(NamedTuple):
    """A parked or interrupted rebalance goes on."""

    time_ms: int


class RebalanceFinished(NamedTuple):
    """A rebalance is over."""

    time_ms: int
    ending: Ending
    mark: Price
    position: Contracts
    leverage: Leverage | None


class RebalanceSkipped(NamedTuple):
    """A strategy asked for a rebalance in which nothing can be traded."""

    time_ms: int
    mark: Price
    reason: str


class ExternalChange(NamedTuple):
    """Trades that no slice made are booked: others' (external: a liquidation, a person), or our stop's."""

    time_ms: int
    number: int
    mark: Price | None
    position_before: Contracts
    position: Contracts
    kind: Kind = Kind.EXTERNAL


class IncomeBooked(NamedTuple):
    """Funding, or another change of wallet balance that no trade explains."""

    time_ms: int
    income_id: str
    income_ms: int
    kind: str
    amount: Usd


class Reconciled(NamedTuple):
    """Ledger and venue agree, mark-free."""

    time_ms: int
    wallet: Usd
    position: Contracts


class StateChanged(NamedTuple):
    """The fund entered a state of its life that it does not leave by itself."""

    time_ms: int
    state: FundState
    mark: Price
    value: Usd


class IncidentOpened(NamedTuple):
    """Something needs an operator's eye. An open incident with `stops_increases` is a breach."""

    time_ms: int
    code: str
    detail: str
    remedy: str
    stops_increases: bool


class IncidentClosed(NamedTuple):
    """What the incident was about is over."""

    time_ms: int
    code: str
    how: str


class ControlChanged(NamedTuple):
    """The operator paused, halted or resumed the fund; it stays so until the operator changes it."""

    time_ms: int
    control: Control
    author: str
    why: str


class OperatorAsked(NamedTuple):
    """An operator's request was taken: `what` they asked for, who, and why.

    `request_id` is the idempotency key, and `content` a digest of the request, by which a repeat is
    recognised. `leverage` is the one stated for a rebalance; None where it is drawn.
    """

    time_ms: int
    what: str
    author: str
    why: str
    request_id: str = ""
    content: str = ""
    leverage: Leverage | None = None


class IncidentAcknowledged(NamedTuple):
    """An operator has seen an open incident and looks after it; it stays open until its cause is gone."""

    time_ms: int
    code: str
    author: str
    why: str


class Sampled(NamedTuple):
    """A mark on the fixed sampling grid; `variance` is the running estimate per second, None at first."""

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
    | OrderCancelAsked
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
    | StopRecord
    | PublicRecord
    | IncomeBooked
    | Reconciled
    | StateChanged
    | IncidentOpened
    | IncidentClosed
    | ProcessRecord
    | ControlChanged
    | OperatorAsked
    | IncidentAcknowledged
    | Sampled
    | FlowRecord
    | RecoveryRecord
)

SEALED: dict[type[Record], frozenset[str]] = {
    FundCreated: frozenset({"key"}),
    DrawQueued: frozenset({"u", "salt"}),
    ConfirmationStarted: frozenset({"deadline_ms"}),
    RebalanceStarted: frozenset({"target", "low", "high"}),
    SliceSettled: frozenset({"next_slice_ms"}),
    OperatorAsked: frozenset({"content", "leverage"}),
    Reincarnated: frozenset({"key"}),
    PublicationScheduled: frozenset({"due_ms"}),
    StopIntended: frozenset({"quantity", "trigger_price", "position"}),
}
"""The fields that the journal encrypts: what must stay secret until it is revealed."""
