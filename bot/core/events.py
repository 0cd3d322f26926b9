"""What can happen to a fund. Every event carries both clocks; nothing else tells core the time.

`time_ms` is market time (marks, funding, confirmations, gaps), `wall_ms` is wall time (receive windows), both
milliseconds UTC. Events are named tuples: they are made once a second per fund for months.
"""

from decimal import Decimal
from typing import NamedTuple, TypeAlias

from bot.core.flow_records import FlowKind
from bot.core.fund import Fund
from bot.core.records import Control
from bot.core.recovery_events import IdentityDrawn, OrdersSeen, StorageSeen
from bot.core.stop_events import StopEvent
from bot.core.units import Contracts, Leverage, Price, Usd
from bot.core.watch_events import WatchEvent


class Mark(NamedTuple):
    """A mark price. `funding_rate` applies at `next_funding_ms`, where the venue says so.

    `index_price` is that of the underlying at other venues, where the venue states it. `lag_ms`: how late it
    came by our clock of the market (negative: from the future). `still_ms`: for how long it has not moved.
    """

    time_ms: int
    wall_ms: int
    price: Price
    next_funding_ms: int | None = None
    funding_rate: Decimal | None = None
    index_price: Price | None = None
    lag_ms: int = 0
    still_ms: int = 0


class Wake(NamedTuple):
    """The time that `State.wake_ms` asked for has come."""

    time_ms: int
    wall_ms: int


class Opened(NamedTuple):
    """The fund starts for the first time, on an account that holds `wallet` and no position.

    `key` (hex) keys its timing and slice draws; `incarnation` makes its order ids differ from those of any
    earlier journal on the same account. `known_income`: ids of recent income that `wallet` contains.
    """

    time_ms: int
    wall_ms: int
    key: str
    incarnation: str
    wallet: Usd
    known_income: tuple[str, ...] | None = None


class Resumed(NamedTuple):
    """A process has taken the fund up. `adopt`: the operator accepts what happened outside, and rearms it.

    `taken_from`: the process that had the account before and did not leave it by itself.
    """

    time_ms: int
    wall_ms: int
    adopt: bool = False
    taken_from: str | None = None


class Drawn(NamedTuple):
    """Fresh secrets for the `sequence`-th band rebalance: `u` a decimal string in [0, 1), `salt` hex."""

    time_ms: int
    wall_ms: int
    sequence: int
    u: str
    salt: str


class OrderReport(NamedTuple):
    """What the venue says of one of our orders; `filled` is cumulative and unsigned."""

    time_ms: int
    wall_ms: int
    cid: str
    venue_id: str
    filled: Contracts
    closed: bool


class OrderRefused(NamedTuple):
    """The venue definitely did not accept the order; `would_take`: post-only, it would have crossed.

    `wait_ms`: it takes none before that. `by_rules`: it is not as the contract demands by now.
    """

    time_ms: int
    wall_ms: int
    cid: str
    code: str
    reason: str
    would_take: bool = False
    wait_ms: int = 0
    by_rules: bool = False


class OrderUnknown(NamedTuple):
    """Nobody can tell whether the order reached the venue."""

    time_ms: int
    wall_ms: int
    cid: str
    reason: str


class OrderMissing(NamedTuple):
    """The venue answered authoritatively that it knows no order with this client id.

    `off_book`: it was asked to cancel it, and its book has none; what answers questions may lag behind that.
    """

    time_ms: int
    wall_ms: int
    cid: str
    off_book: bool = False


class Trade(NamedTuple):
    """One fill: signed quantity (positive: bought), fee in USDT (positive: paid)."""

    trade_id: str
    venue_order_id: str
    time_ms: int
    quantity: Contracts
    price: Price
    fee: Usd


class TradesSeen(NamedTuple):
    """Trades of the account that the venue lists, any of which may be known already.

    `complete`: the answer to a read. A stream tells of one trade at a time: the others are on their way.
    """

    time_ms: int
    wall_ms: int
    trades: tuple[Trade, ...]
    complete: bool = True


class Income(NamedTuple):
    """A change of wallet balance that no trade explains: `kind` as the venue names it, e.g. FUNDING_FEE."""

    income_id: str
    time_ms: int
    kind: str
    amount: Usd


class IncomeSeen(NamedTuple):
    """Income of the account that the venue lists, any of which may be known already."""

    time_ms: int
    wall_ms: int
    items: tuple[Income, ...]


class AccountSeen(NamedTuple):
    """The account at one cursor: wallet balance, signed position, and the income up to it.

    `available`: the margin that new orders may use, where the venue states it.
    """

    time_ms: int
    wall_ms: int
    wallet: Usd
    position: Contracts
    income: tuple[Income, ...]
    available: Usd | None = None


class TouchSeen(NamedTuple):
    """Best bid and ask."""

    time_ms: int
    wall_ms: int
    bid: Price
    ask: Price


class VolumeSeen(NamedTuple):
    """What the market traded in the last `span_ms`; None where the venue does not say."""

    time_ms: int
    wall_ms: int
    volume: Contracts | None
    span_ms: int = 0


class Guarded(NamedTuple):
    """The venue knows when to cancel what rests, should we die; or has no such thing."""

    time_ms: int
    wall_ms: int


class ReadFailed(NamedTuple):
    """A read gave nothing after its retries; it is evidence of nothing. `what` names the command.

    `refused`: the venue does not take our key.
    """

    time_ms: int
    wall_ms: int
    what: str
    reason: str
    refused: bool = False


class FeedLost(NamedTuple):
    """Marks can no longer be trusted to be current; the next mark restores trust."""

    time_ms: int
    wall_ms: int
    reason: str


class ReconcileDue(NamedTuple):
    """Time to compare ledger and venue."""

    time_ms: int
    wall_ms: int


class Controlled(NamedTuple):
    """The operator's word: `author` and `why` go on record. Running also rearms what a breach stopped.

    In every request of an operator `request_id` is its idempotency key and `content` a digest of what it
    asks: one that is on record already changes nothing (`bot.core.operator_requests`).
    """

    time_ms: int
    wall_ms: int
    control: Control
    author: str
    why: str
    request_id: str = ""
    content: str = ""


class RebalanceAsked(NamedTuple):
    """The operator wants a rebalance now: to `leverage`, or to a target drawn from the target range."""

    time_ms: int
    wall_ms: int
    leverage: Leverage | None
    author: str
    why: str
    request_id: str = ""
    content: str = ""


class FlattenAsked(NamedTuple):
    """The operator wants the fund to hold nothing, until `Controlled` says running."""

    time_ms: int
    wall_ms: int
    author: str
    why: str
    request_id: str = ""
    content: str = ""


class Acknowledged(NamedTuple):
    """The operator has seen the open incident with this code."""

    time_ms: int
    wall_ms: int
    code: str
    author: str
    why: str
    request_id: str = ""
    content: str = ""


class Reconfigured(NamedTuple):
    """The fund's settings are now these, with the fingerprint `digest`; a rebalance under way ends first."""

    time_ms: int
    wall_ms: int
    fund: Fund
    digest: str
    author: str
    why: str


class FlowAsked(NamedTuple):
    """Someone wants to subscribe `amount` USDT, or to redeem `amount` units.

    `request_id` is the request's idempotency key: one that is known already changes nothing. Empty: none.
    """

    time_ms: int
    wall_ms: int
    kind: FlowKind
    amount: Decimal
    request_id: str


class RescaleAsked(NamedTuple):
    """The operator wants `denominator` old units to become `numerator` new ones."""

    time_ms: int
    wall_ms: int
    numerator: int
    denominator: int
    author: str
    why: str
    request_id: str = ""
    content: str = ""


class CashMoved(NamedTuple):
    """What came of `MoveCash`: the id under which the venue's income will show the transfer.

    None: here people make transfers, and the venue tells of them.
    """

    time_ms: int
    wall_ms: int
    amount: Usd
    income_id: str | None


class DayMarkSeen(NamedTuple):
    """The mark at a 00:00 UTC that is past, as the venue keeps it; None where it keeps none."""

    time_ms: int
    wall_ms: int
    day_ms: int
    price: Price | None


class Park(NamedTuple):
    """The process is about to stop: send nothing more; what is under way waits for the next start.

    `market_waits`: so does the market (a paper exchange), and what rests on its book may stay there.
    """

    time_ms: int
    wall_ms: int
    market_waits: bool = False


Event: TypeAlias = (
    Mark
    | Wake
    | Opened
    | Resumed
    | IdentityDrawn
    | OrdersSeen
    | StorageSeen
    | Drawn
    | OrderReport
    | OrderRefused
    | OrderUnknown
    | OrderMissing
    | TradesSeen
    | StopEvent
    | IncomeSeen
    | AccountSeen
    | TouchSeen
    | VolumeSeen
    | Guarded
    | WatchEvent
    | ReadFailed
    | FeedLost
    | ReconcileDue
    | Controlled
    | RebalanceAsked
    | FlattenAsked
    | Acknowledged
    | Reconfigured
    | FlowAsked
    | RescaleAsked
    | CashMoved
    | DayMarkSeen
    | Park
)
