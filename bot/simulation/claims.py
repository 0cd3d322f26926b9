"""What the journal claims, added up independently of the daemon's own fold of it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

from bot.core import records as rec
from bot.core.public_records import Revealed
from bot.simulation.venue import VenueIncome

ZERO = Decimal(0)

Faulted: TypeAlias = Iterator[tuple[str, str]]
"""Codes and words of what the records contradict among themselves."""


class Episode(NamedTuple):
    """The rebalance under way. `for_a_flow`: it moves no leverage, and comes in between."""

    number: int
    target: Decimal
    increasing: bool
    for_a_flow: bool = False


@dataclass(slots=True)
class Claimed:
    """One order; `end` says how it ended, by the daemon's word."""

    intent: rec.OrderIntended
    filled: Decimal = ZERO
    booked: Decimal = ZERO
    end: str | None = None
    settled: bool = False


@dataclass
class Claims:
    """Everything that was claimed so far."""

    orders: dict[str, Claimed] = field(default_factory=dict)
    unsettled: list[str] = field(default_factory=list)
    position: Decimal = ZERO
    trades: set[str] = field(default_factory=set)
    incomes: set[str] = field(default_factory=set)
    draws: dict[int, str] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    episode: Episode | None = None
    suspended: Episode | None = None
    control: rec.Control = rec.Control.RUNNING
    breaches: set[str] = field(default_factory=set)
    incidents: set[str] = field(default_factory=set)
    state: rec.FundState = rec.FundState.ACTIVE
    hidden: dict[str, str] = field(default_factory=dict)

    def take(self, record: rec.Record) -> Faulted:
        """Take one record in; yields what contradicts what was claimed before."""
        act = _TAKE.get(type(record))
        return iter(()) if act is None else iter(list(act(self, record)))

    def secrets(self) -> Iterator[str]:
        """What nobody may read anywhere yet: the fund's key, draws and targets that are not revealed."""
        yield from self.hidden.values()

    def is_final(self, cid: str) -> bool:
        """Whether the daemon holds that the order is over."""
        claimed = self.orders.get(cid)
        return claimed is not None and claimed.end is not None

    def unbooked_income(self, income: Iterable[VenueIncome]) -> bool:
        """Whether the venue changed the wallet by something that is not booked yet."""
        return any(f"{item.kind}:{item.number}" not in self.incomes for item in income)


def _intended(claims: Claims, record: rec.OrderIntended) -> Faulted:
    if record.cid in claims.orders:
        yield "I4", f"order {record.cid} is intended twice"
    for cid in claims.unsettled:
        yield "I6", f"order {record.cid} is intended while {cid} is not settled"
    claims.orders[record.cid] = Claimed(record)
    claims.unsettled.append(record.cid)


def _advanced(claims: Claims, record: rec.OrderAdvanced) -> Faulted:
    claimed = claims.orders.get(record.cid)
    if claimed is None:
        yield "I5", f"news of order {record.cid}, which was never intended"
        return
    if claimed.end is not None:
        yield "I13", f"order {record.cid} goes on after it was {claimed.end}"
    if record.filled < claimed.filled:
        yield "I7", f"the cumulative fill of {record.cid} went back from {claimed.filled} to {record.filled}"
    claimed.filled = record.filled
    if record.closed:
        claimed.end = "closed"


def _ended(claims: Claims, record: rec.OrderRejected | rec.OrderDead) -> Faulted:
    claimed = claims.orders.get(record.cid)
    if claimed is None:
        yield "I5", f"the end of order {record.cid}, which was never intended"
        return
    if claimed.end is not None:
        yield "I13", f"order {record.cid} ends again after it was {claimed.end}"
    claimed.end = "refused" if isinstance(record, rec.OrderRejected) else "dead"


def _filled(claims: Claims, record: rec.Filled) -> Faulted:
    if record.trade_id in claims.trades:
        yield "I7", f"trade {record.trade_id} is booked twice"
    claims.trades.add(record.trade_id)
    claims.position += record.quantity
    claimed = claims.orders.get(record.cid) if record.cid is not None else None
    if claimed is not None:
        claimed.booked += abs(record.quantity)


def _settled(claims: Claims, record: rec.SliceSettled) -> Faulted:
    claimed = claims.orders.get(record.cid)
    if claimed is None or claimed.end is None or claimed.settled:
        yield "I13", f"order {record.cid} is settled, and was not over or was settled before"
    if claimed is not None:
        claimed.settled = True
        claims.unsettled = [cid for cid in claims.unsettled if cid != record.cid]


def _income(claims: Claims, record: rec.IncomeBooked) -> Faulted:
    if record.income_id in claims.incomes:
        yield "I7", f"income {record.income_id} is booked twice"
    claims.incomes.add(record.income_id)


def _created(claims: Claims, record: rec.FundCreated) -> Faulted:
    claims.hidden["key"] = record.key
    return iter(())


def _revealed(claims: Claims, record: Revealed) -> Faulted:
    for what in ("u", "salt"):
        claims.hidden.pop(f"{what} {record.sequence}", None)
    claims.hidden.pop(f"target {record.number}", None)
    return iter(())


def _queued(claims: Claims, record: rec.DrawQueued) -> Faulted:
    if record.sequence != len(claims.draws) + 1:
        yield "I14", f"draw {record.sequence} is out of order, or drawn again"
    claims.draws[record.sequence] = record.u
    claims.hidden[f"u {record.sequence}"] = record.u
    claims.hidden[f"salt {record.sequence}"] = record.salt


def _started(claims: Claims, record: rec.RebalanceStarted) -> Faulted:
    for_a_flow = record.kind is rec.Kind.FLOW
    if claims.episode is not None and (claims.episode.for_a_flow or not for_a_flow):
        yield "I11", f"rebalance {record.number} begins within rebalance {claims.episode.number}"
    if record.sequence is not None:
        if record.sequence != len(claims.used) + 1:
            yield "I14", f"rebalance {record.number} uses draw {record.sequence} out of order"
        claims.used.add(record.sequence)
        claims.hidden[f"target {record.number}"] = str(record.target)
    leverage = record.leverage
    increasing = leverage is not None and record.target > leverage
    claims.suspended = claims.episode
    claims.episode = Episode(record.number, record.target, increasing, for_a_flow)


def _finished(claims: Claims, _: rec.RebalanceFinished) -> Faulted:
    if claims.episode is None:
        yield "I11", "a rebalance ends, and none is open"
    claims.episode, claims.suspended = claims.suspended, None


def _controlled(claims: Claims, record: rec.ControlChanged) -> Faulted:
    claims.control = record.control
    return iter(())


def _opened(claims: Claims, record: rec.IncidentOpened) -> Faulted:
    claims.incidents.add(record.code)
    if record.stops_increases:
        claims.breaches.add(record.code)
    return iter(())


def _closed(claims: Claims, record: rec.IncidentClosed) -> Faulted:
    claims.incidents.discard(record.code)
    claims.breaches.discard(record.code)
    return iter(())


def _changed(claims: Claims, record: rec.StateChanged) -> Faulted:
    claims.state = record.state
    return iter(())


_TAKE: dict[type, Callable[[Claims, Any], Faulted]] = {
    rec.FundCreated: _created,
    Revealed: _revealed,
    rec.OrderIntended: _intended,
    rec.OrderAdvanced: _advanced,
    rec.OrderRejected: _ended,
    rec.OrderDead: _ended,
    rec.Filled: _filled,
    rec.SliceSettled: _settled,
    rec.IncomeBooked: _income,
    rec.DrawQueued: _queued,
    rec.RebalanceStarted: _started,
    rec.RebalanceFinished: _finished,
    rec.ControlChanged: _controlled,
    rec.IncidentOpened: _opened,
    rec.IncidentClosed: _closed,
    rec.StateChanged: _changed,
}
