"""A fund's durable state: the fold of its records, and nothing else.

`Book.apply` changes the book in place, so that folding a long journal is fast; `step` works on a `copy`, so
that from outside it stays a pure function.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from math import sqrt
from operator import attrgetter
from typing import Any, get_args

from bot.core import flow_fold, order_fold, rebalance_fold, recovery_fold, stop_fold
from bot.core import records as rec
from bot.core.basket import Basket
from bot.core.disclosure import AFTERWARDS, DISCLOSURE, FUNDING, TRANSFER
from bot.core.draws import Draw
from bot.core.episode import Confirmation, OpenRebalance
from bot.core.flow_records import FinalNav
from bot.core.flows import Dealing, Flow, Receipt
from bot.core.ledger import Basis, Ledger
from bot.core.midnight import MOVING, Movement, funding_imputed, watched
from bot.core.oversight import OVERSIGHT
from bot.core.promise import PROMISE, Shadow, follow
from bot.core.public import Public
from bot.core.public_records import FundingImputed
from bot.core.recent import RecentIds
from bot.core.recovery_records import Reincarnated
from bot.core.stop_fold import Stops
from bot.core.tracking import Tracking
from bot.core.traffic import Day, Traffic
from bot.core.units import DAY_MS, ZERO, Contracts, Price, Usd

_TIME_MS = attrgetter("time_ms")
_FLOW = rec.Kind.FLOW
"""Python 3.11 takes as long to look a member up in its class as to divide."""


@dataclass
class Book:
    """The durable state of one fund. Read it freely; only `apply` changes it.

    A field whose type is a record holds the latest one of that class.
    """

    created: rec.FundCreated | None = None
    reincarnated: Reincarnated | None = None
    """The fund's latest identity, where it has got another one than at its creation."""
    restored: bool = False
    """The journal came from a copy, and no new identity has been drawn since."""
    state: rec.FundState = rec.FundState.ACTIVE
    changed: rec.StateChanged | None = None
    opened: bool = False
    """Whether a rebalance has ever come to its end."""
    final: FinalNav | None = None
    """What a unit is worth for good, once the fund is over."""

    ledger: Ledger = field(default=Ledger(ZERO))
    basis: Basis = field(default=Basis())
    units: Decimal = ZERO

    unallocated: Usd = ZERO
    """On the account beside the fund's own cash: deposits that are nobody's yet."""
    escrow: Usd = ZERO
    """Beside it too: money of subscriptions on its way into the fund."""
    payable: Usd = ZERO
    """Beside it too: what is owed to redeemers."""
    fees_payable: Usd = ZERO
    """Beside it too: fees that were charged and not paid out yet."""

    fees_charged: Usd = ZERO
    """Management fees, all of them."""
    fee_daily: Decimal = ZERO
    """The management fee's rate, a fraction of fund value per day."""
    fee_ms: int = 0
    """Up to when it was charged."""
    later: tuple[Movement, ...] = ()
    """What moved the ledger after a 00:00 UTC whose fee is still to be charged."""

    flows: tuple[Flow, ...] = ()
    """Those that are not over, in the order in which they were requested."""
    closed_flows: tuple[Flow, ...] = ()
    dealing: Dealing | None = None
    receipts: dict[str, Receipt] = field(default_factory=dict)
    """Answers to requests by idempotency key; replaced as a whole, never changed in place."""

    draws: tuple[Draw, ...] = ()
    """For the next band rebalances, in order."""
    next_sequence: int = 1
    """The number of the next draw to be queued."""
    confirmation: Confirmation | None = None
    confirmations: int = 0
    rebalance: OpenRebalance | None = None
    suspended: OpenRebalance | None = None
    """The rebalance that a flow's trade interrupted."""
    rebalances: int = 0
    """The number of the latest one."""
    last_rebalance_ms: int = 0
    last_rebalance_mark: Price | None = None
    skipped: rec.RebalanceSkipped | None = None
    protection: Stops = field(default=Stops())

    incidents: dict[str, rec.IncidentOpened] = field(default_factory=dict)
    """The open ones, by code."""
    acknowledged: dict[str, rec.IncidentAcknowledged] = field(default_factory=dict)
    """Who looks after them, by code."""
    controlled: rec.ControlChanged | None = None
    asked: tuple[rec.OperatorAsked, ...] = ()
    settings_digest: str = ""
    """The fingerprint of the settings that it runs by."""

    traffic: Traffic = field(default=Traffic())
    day: Day = field(default=Day())
    failures: int = 0
    """Orders in a row that came to nothing: refused for more than their price, or never arrived."""
    starts: int = 0
    """Processes in a row that took it up soon after another, and ended without a slice or a proper stop."""
    taken_up_wall_ms: int = 0
    """When the latest process did."""

    recent_orders: tuple[str, ...] = ()
    """Client ids of our latest orders and stops, to recognise them in the venue's list."""
    last_order_ms: int = 0
    dead_orders: tuple[str, ...] = ()
    """Client ids of orders that never arrived, should one turn up after all."""
    recent_trades: tuple[str, ...] = ()
    """Ids of trades that are booked, to recognise repeats; so with income."""
    recent_income: RecentIds = field(default=RecentIds())
    trades_cursor_ms: int = 0
    """Trades from here on are asked for; so with income."""
    income_cursor_ms: int = 0
    reconciled: rec.Reconciled | None = None

    sample: rec.Sampled | None = None
    variance: Decimal | None = None
    """Of the log return of one second; None until two samples exist."""
    public: Public = field(default=Public(Basket(0, ZERO, ZERO, ZERO)))
    shadow: Shadow | None = None
    tracking: Tracking | None = None
    last_time_ms: int = 0
    """Market time of the latest record; no later one is earlier."""

    def copy(self) -> "Book":
        """An independent copy: every value but the incidents, and who saw them, is immutable."""
        twin = object.__new__(Book)
        vars(twin).update(vars(self))
        twin.incidents = self.incidents.copy()
        twin.acknowledged = self.acknowledged.copy()
        return twin

    @property
    def key(self) -> str:
        """The fund's sealed key for timing and slice draws."""
        identity = self.reincarnated or self.created
        return "" if identity is None else identity.key

    @property
    def incarnation(self) -> str:
        """What makes the fund's order ids differ from those of any earlier life."""
        identity = self.reincarnated or self.created
        return "" if identity is None else identity.incarnation

    @property
    def lives(self) -> int:
        """How often the fund got a new identity after its first."""
        return 0 if self.reincarnated is None else self.reincarnated.number

    @property
    def volatility(self) -> float | None:
        """Annualised, as a fraction; None until two samples exist."""
        return None if self.variance is None else sqrt(float(self.variance) * _YEAR_S)

    @property
    def breaches(self) -> tuple[str, ...]:
        """Codes of the open incidents that stop increases."""
        if not self.incidents:
            return ()
        return tuple(code for code, incident in self.incidents.items() if incident.stops_increases)

    @property
    def control(self) -> rec.Control:
        """What the operator allows."""
        return rec.Control.RUNNING if self.controlled is None else self.controlled.control

    @property
    def stops(self) -> tuple[str, ...]:
        """Why increases are stopped: breaches, and the operator's pause, halt or flattening."""
        stops = self.breaches
        if self.controlled is not None and self.controlled.control is not rec.Control.RUNNING:
            stops = (*stops, f"{self.controlled.control} by the operator")
        if self.state is rec.FundState.FLATTENED:
            stops = (*stops, "flattened by the operator")
        return stops

    def request(self, request_id: str) -> rec.OperatorAsked | None:
        """The request on record under this idempotency key; there is none under an empty one."""
        return next((asked for asked in self.asked if request_id and asked.request_id == request_id), None)

    @property
    def wallet(self) -> Usd:
        """The wallet balance that the venue should show, mark-free: the fund's, and what is not."""
        return self.ledger.wallet + self.unallocated + self.escrow + self.payable + self.fees_payable

    @property
    def backed(self) -> Ledger:
        """The ledger with the money that a flow's trade brings in, or has taken out: what sizes its slices.

        So a slice is the same share of the fund at the end of the trade as at its beginning. What holders who
        leave were given by those who come has left it.
        """
        dealing = self.dealing
        if dealing is None or self.rebalance is None or self.rebalance.kind is not _FLOW:
            return self.ledger
        return self.ledger.with_cash(dealing.pot.cash + dealing.pot.received - dealing.crossed)

    @property
    def position(self) -> Contracts:
        """The signed position of the fund."""
        return self.ledger.position

    def basket(self, as_of_ms: int) -> Basket:
        """The true basket: what the public learns when it next may."""
        return Basket(as_of_ms, self.ledger.cash, self.ledger.position, self.units)

    def apply(self, record: rec.Record) -> None:
        """Take one record in."""
        for change in _CHANGES[type(record)]:
            change(self, record)
        self.last_time_ms = max(self.last_time_ms, record.time_ms)

    def apply_all(self, records: Iterable[rec.Record]) -> None:
        """Take records in, each as `apply` does; samples in a row, which most records are, in one go."""
        for kind, alike in groupby(records, type):
            if kind is rec.Sampled:
                samples: list[Any] = list(alike)
                _sampled(self, samples)
                self.last_time_ms = max(self.last_time_ms, *map(_TIME_MS, samples))
            else:
                changes = _CHANGES[kind]
                for record in alike:
                    for change in changes:
                        change(self, record)
                    self.last_time_ms = max(self.last_time_ms, record.time_ms)


def fold(records: Iterable[rec.Record]) -> Book:
    """The book after `records`, from nothing."""
    book = Book()
    book.apply_all(records)
    return book


def _created(book: Book, record: rec.FundCreated) -> None:
    book.created = record
    book.ledger = Ledger(record.capital)
    book.units = record.capital
    book.unallocated = record.unallocated
    book.last_rebalance_ms = record.time_ms
    book.trades_cursor_ms = record.time_ms
    book.income_cursor_ms = record.time_ms + 1  # what came before is in the wallet that it began with
    if record.known_income is not None:
        book.income_cursor_ms = record.time_ms - CLOCKS_APART_MS
        book.recent_income = RecentIds(tuple(filter(None, record.known_income.split(","))))


def _income_booked(book: Book, record: rec.IncomeBooked) -> None:
    if record.kind == FUNDING:
        book.ledger = book.ledger.after_funding(record.amount)
    elif record.kind == TRANSFER:
        book.unallocated += record.amount
    else:
        book.ledger = book.ledger.after_other_income(record.amount)
    book.recent_income = book.recent_income.plus(record.income_id)
    book.income_cursor_ms = max(book.income_cursor_ms, record.income_ms)


def _reconciled(book: Book, record: rec.Reconciled) -> None:
    """All trades up to here are known: only later ones are ever looked for."""
    book.reconciled = record
    book.trades_cursor_ms = max(book.trades_cursor_ms, record.time_ms - CLOCKS_APART_MS)
    book.recent_trades = book.recent_trades[-_REMEMBERED:]
    book.basis = Basis(book.ledger.position, book.ledger.cost)


def _state_changed(book: Book, record: rec.StateChanged) -> None:
    book.state, book.changed = record.state, record
    book.confirmation = book.final = None


def _sampled(book: Book, samples: Sequence[rec.Sampled]) -> None:
    """Samples in a row; a day's NAV is that at the first of its marks at which there are units."""
    follow(book, samples)
    book.sample = samples[-1]
    day = book.day
    for time_ms, mark, variance in samples:
        if time_ms // DAY_MS > day.number:
            day = Day(time_ms // DAY_MS)
        if day.nav is None and book.units:
            day = day._replace(nav=book.ledger.value(mark) / book.units)
        if variance is not None:
            book.variance = variance
    book.day = day


_YEAR_S = 365 * 86_400
_REMEMBERED = 1_000
"""Ids kept at least, to recognise repeats. Income is read back from its latest item on, trades from the last
time at which ledger and venue agreed (until the next such time their ids are all kept)."""

CLOCKS_APART_MS = 60_000
"""How far a venue's times of trades and orders may lie behind our market time."""

_APPLY: dict[type, Callable[[Book, Any], None]] = {
    rec.FundCreated: _created,
    rec.IncomeBooked: _income_booked,
    rec.Reconciled: _reconciled,
    rec.StateChanged: _state_changed,
    rec.Sampled: lambda book, sample: _sampled(book, (sample,)),
    **rebalance_fold.APPLY,
    **order_fold.APPLY,
    **OVERSIGHT,
    **flow_fold.APPLY,
    FundingImputed: funding_imputed,
    **recovery_fold.APPLY,
    **stop_fold.APPLY,
}

_APPLY |= {kind: watched(_APPLY[kind]) for kind in MOVING}

_CHANGES: dict[type, tuple[Callable[[Book, Any], None], ...]] = {
    kind: tuple(table[kind] for table in (DISCLOSURE, PROMISE, _APPLY, AFTERWARDS) if kind in table)
    for kind in get_args(rec.Record)
}
