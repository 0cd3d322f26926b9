"""What the holders' money and units add up to, by the judge's own account of the journal's claims.

A unit is a basket: the same share of cash and of position, whatever is dealt. From that alone follows what
each fill of a flow's trade moves between the holders who come or go and the fund; what the daemon then says
that each of them got must be just that, and the money must be the venue's.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, TypeAlias

from bot.core import flow_records as flows
from bot.core import records as rec

ZERO = Decimal(0)
_GRID = Decimal("1e-8")
_DUST = Decimal("1e-6")
"""Each flow of a dealing is rounded to 8 decimals, in the fund's favour: more than this is no rounding."""
_SAME_NAV = Decimal("1e-12")

Faulted: TypeAlias = Iterator[tuple[str, str]]


@dataclass(slots=True)
class Asked:
    """One flow that is not over; `payable` once it is owed. `since_ms`: since when it can be dealt."""

    kind: flows.FlowKind
    amount: Decimal
    since_ms: int
    funded: bool = False
    priced: bool = False
    fee: Decimal = ZERO
    payable: Decimal | None = None


@dataclass(slots=True)
class Holders:
    """Cash, position and units of the fund, and what the account holds `beside` it.

    `bringing`, `issued`: money of subscribers that a dealing has still to invest, and units made for them;
    `leaving`, `received`: units of redeemers that are still to go, and cash taken out for them. `paid` and
    `funded` are all money that was recognised as paid out, and as brought in; `owed` counts all amounts that
    were ever to be paid out.
    """

    cash: Decimal = ZERO
    position: Decimal = ZERO
    units: Decimal = ZERO
    beside: Decimal = ZERO
    bringing: Decimal = ZERO
    issued: Decimal = ZERO
    leaving: Decimal = ZERO
    received: Decimal = ZERO
    paid: Decimal = ZERO
    funded: Decimal = ZERO
    mark: Decimal | None = None
    dealing_ms: int = 0
    kinds: list[rec.Kind] = field(default_factory=list)
    open: dict[str, Asked] = field(default_factory=dict)
    requests: set[str] = field(default_factory=set)
    references: set[str] = field(default_factory=set)
    owed: Counter[Decimal] = field(default_factory=Counter)

    def take(self, record: rec.Record) -> Faulted:
        """Take one record in; yields what contradicts what was claimed before."""
        act = _TAKE.get(type(record))
        return iter(()) if act is None else iter(list(act(self, record) or ()))

    @property
    def trades_for_a_flow(self) -> bool:
        """Whether the rebalance under way is a flow's."""
        return bool(self.kinds) and self.kinds[-1] is rec.Kind.FLOW

    def value(self, mark: Decimal) -> Decimal:
        """What all units are worth together."""
        return self.cash + self.position * mark


def _down(amount: Decimal) -> Decimal:
    return amount.quantize(_GRID, ROUND_FLOOR)


def _up(amount: Decimal) -> Decimal:
    return amount.quantize(_GRID, ROUND_CEILING)


def _created(holders: Holders, record: rec.FundCreated) -> None:
    holders.cash = holders.units = record.capital
    holders.beside = record.unallocated


def _income(holders: Holders, record: rec.IncomeBooked) -> None:
    if record.kind == "TRANSFER":
        holders.beside += record.amount
    else:
        holders.cash += record.amount


def _filled(holders: Holders, record: rec.Filled) -> None:
    before, quantity = holders.position, record.quantity
    paid = holders.cash - quantity * record.price - record.fee
    holders.position += quantity
    if record.cid is None or not holders.trades_for_a_flow or ZERO in (before, holders.units):
        holders.cash = paid
        return
    growth = quantity / before
    moved = _down(paid - holders.cash * (1 + growth))
    holders.cash = paid - moved
    holders.beside += moved
    if growth > ZERO:
        made = _down(holders.units * growth)
        holders.units += made
        holders.issued += made
        holders.bringing += moved
    else:
        gone = min(holders.leaving, _up(-holders.units * growth))
        holders.units -= gone
        holders.leaving -= gone
        holders.received += moved


def _began(holders: Holders, record: rec.RebalanceStarted) -> None:
    holders.kinds.append(record.kind)


def _finished(holders: Holders, _: rec.RebalanceFinished) -> None:
    if holders.kinds:
        holders.kinds.pop()


def _requested(holders: Holders, record: flows.FlowRequested) -> Faulted:
    if record.request_id in holders.requests or record.reference in holders.references:
        yield "I7", f"a flow is taken twice: {record.reference}"
    holders.requests.add(record.request_id)
    holders.references.add(record.reference)
    holders.open[record.reference] = Asked(record.kind, record.amount, record.time_ms)


def _named(holders: Holders, reference: str, kind: flows.FlowKind | None = None) -> Faulted:
    asked = holders.open.get(reference)
    if asked is None or (kind is not None and asked.kind is not kind):
        yield "I7", f"flow {reference} is not open, or of another kind"


def _funded(holders: Holders, record: flows.FlowFunded) -> Faulted:
    yield from _named(holders, record.reference, flows.FlowKind.SUBSCRIBE)
    asked = holders.open[record.reference]
    if asked.funded:
        yield "I7", f"flow {record.reference} is funded twice"
    asked.funded, asked.since_ms = True, record.time_ms
    holders.funded += asked.amount


def _cancelled(holders: Holders, record: flows.FlowCancelled) -> Faulted:
    yield from _named(holders, record.reference)
    asked = holders.open.pop(record.reference)
    if asked.priced:
        yield "I7", f"flow {record.reference} is cancelled after it was priced"
    if asked.funded:
        holders.funded -= asked.amount


def _struck(holders: Holders, record: flows.DealingStruck) -> None:
    holders.mark, holders.dealing_ms = record.mark, record.dealing_ms


def _priced(holders: Holders, record: flows.FlowPriced) -> Faulted:
    yield from _named(holders, record.reference)
    asked, mark = holders.open[record.reference], holders.mark
    if asked.priced or mark is None or (asked.kind is flows.FlowKind.SUBSCRIBE and not asked.funded):
        yield "I7", f"flow {record.reference} is priced twice, without a dealing, or without its money"
        return
    if asked.since_ms >= holders.dealing_ms:
        yield "I7", f"flow {record.reference} gets a price that was known before it came"
    if abs(record.nav * holders.units - holders.value(mark)) > _SAME_NAV * abs(holders.value(mark)):
        yield "I3", f"flow {record.reference}: units x NAV is not the fund's value at the dealing's mark"
    asked.priced, asked.fee = True, record.fee
    if asked.kind is flows.FlowKind.SUBSCRIBE:
        holders.bringing += asked.amount - record.fee
    else:
        holders.leaving += asked.amount


def _crossed(holders: Holders, record: flows.FlowsCrossed) -> Faulted:
    if abs(record.paid - record.received) > _DUST:
        yield "I3", "who came did not pay what who left received"
    holders.cash += record.paid - record.received
    holders.beside -= record.paid - record.received
    holders.bringing -= record.paid
    holders.issued += record.units
    holders.leaving -= record.units
    holders.received += record.received


def _in_cash(holders: Holders, record: flows.FlowsInCash) -> Faulted:
    nav = holders.value(record.mark) / holders.units
    fair = record.units * nav
    if record.kind is flows.FlowKind.SUBSCRIBE:
        if fair > record.amount + _DUST:
            yield "I3", "units were made for less than they are worth"
        holders.cash += record.amount
        holders.beside -= record.amount
        holders.units += record.units
        holders.bringing -= record.amount
        holders.issued += record.units
        return
    if record.amount > fair + _DUST:
        yield "I3", "units were paid more than they are worth"
    holders.cash -= record.amount
    holders.beside += record.amount
    holders.units -= record.units
    holders.leaving -= record.units
    holders.received += record.amount


def _settled(holders: Holders, record: flows.FlowSettled) -> Faulted:
    yield from _named(holders, record.reference)
    asked = holders.open[record.reference]
    if not asked.priced or asked.payable is not None:
        yield "I7", f"flow {record.reference} is settled twice, or before it was priced"
    if asked.kind is flows.FlowKind.SUBSCRIBE:
        holders.bringing -= record.returned
        holders.issued -= record.units
        holders.funded -= record.returned
        del holders.open[record.reference]
        return
    holders.received -= record.amount + record.fee
    asked.payable = record.amount
    holders.owed[record.amount] += 1
    if record.amount == ZERO:
        del holders.open[record.reference]


def _dealt(holders: Holders, _: flows.DealingClosed) -> Faulted:
    """What is left is rounding, and is the fund's: nobody brought, got or lost anything unseen.

    A fund that lost all while it dealt, as by a liquidation, has no units to settle the last cents in.
    """
    ruined = holders.position == ZERO and holders.cash <= ZERO
    if not ruined and max(abs(holders.bringing), abs(holders.received), abs(holders.issued)) > _DUST:
        left = f"{holders.bringing} brought, {holders.received} received, {holders.issued} units"
        yield "I3", f"a dealing ends, and leaves over {left}"
    holders.cash += holders.bringing + holders.received
    holders.beside -= holders.bringing + holders.received
    holders.units -= holders.issued + holders.leaving
    holders.bringing = holders.received = holders.issued = holders.leaving = ZERO
    holders.mark = None


def _paid(holders: Holders, record: flows.FlowPaid) -> Faulted:
    yield from _named(holders, record.reference, flows.FlowKind.REDEEM)
    if holders.open.pop(record.reference).payable != record.amount:
        yield "I7", f"flow {record.reference} is paid something else than it is owed"
    holders.paid += record.amount


def _charged(holders: Holders, record: flows.FeeCharged) -> None:
    holders.cash -= record.amount
    holders.beside += record.amount


def _fees_paid(holders: Holders, record: flows.FeesPaid) -> None:
    holders.paid += record.amount


_TAKE: dict[type, Callable[[Holders, Any], Faulted | None]] = {
    rec.FundCreated: _created,
    rec.IncomeBooked: _income,
    rec.Filled: _filled,
    rec.RebalanceStarted: _began,
    rec.RebalanceFinished: _finished,
    flows.FlowRequested: _requested,
    flows.FlowFunded: _funded,
    flows.FlowCancelled: _cancelled,
    flows.DealingStruck: _struck,
    flows.FlowPriced: _priced,
    flows.FlowsCrossed: _crossed,
    flows.FlowsInCash: _in_cash,
    flows.FlowSettled: _settled,
    flows.DealingClosed: _dealt,
    flows.FlowPaid: _paid,
    flows.FeeCharged: _charged,
    flows.FeesPaid: _fees_paid,
}
