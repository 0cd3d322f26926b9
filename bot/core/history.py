"""What the records say of each rebalance: the facts behind `history` and the public list.

One rebalance's entry is a fold of its records, so one that was killed and resumed reads as one that was not.
Nothing here holds a target or a draw before its rebalance is over.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from bot.core import records as rec
from bot.core.flow_records import DealingClosed, FlowSettled
from bot.core.measures import MEASURED, Measures, completion
from bot.core.public_records import Revealed
from bot.core.texts import decimal_or_null, decimal_text, time_or_null, time_text
from bot.core.units import BPS, ZERO, Contracts, Leverage, Price, Urgency, Usd

Json: TypeAlias = dict[str, str | int | list[str] | None]


class EntryState(StrEnum):
    """How far a rebalance is."""

    RUNNING = "running"
    PARKED = "parked"
    DONE = "done"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class RebalanceEntry:
    """One rebalance, in the words of the API (docs/public.md).

    Quantities are signed; None is what is not known, or not yet. `position_change` is the sum of the
    rebalance's own fills, also while it runs. `shortfall_bps` is what they cost against the mark at decision,
    in bps of their notional at that mark, positive = worse than the mark (implementation shortfall, Perold
    1988, without fees and the unfilled part). `slices` counts the orders that filled something. `target`,
    `target_range`, `u` and `salt` are None until the rebalance is over. `public` is the public record as
    canonical JSON without its hash; it and both hashes come with the reveal. `flows` are those that were
    settled by a flow's trade.
    """

    fund: str
    number: int
    kind: rec.Kind
    reason: str
    urgency: Urgency | None
    sequence: int | None
    commitment: str | None
    started_ms: int
    finished_ms: int | None = None
    state: EntryState
    position_before: Contracts
    position_after: Contracts | None = None
    position_change: Contracts = ZERO
    leverage_before: Leverage | None
    leverage_after: Leverage | None = None
    tolerance: Leverage | None
    mark_at_decision: Price | None
    average_price: Price | None = None
    shortfall_bps: Decimal | None = None
    fees: Usd = ZERO
    slices: int = 0
    target: Leverage | None = None
    target_range: tuple[Leverage, Leverage] | None = None
    u: str | None = None
    salt: str | None = None
    revealed_ms: int | None = None
    previous_hash: str | None = None
    hash: str | None = None
    public: str | None = None
    measures: Measures | None = None
    completion: Decimal | None = None
    flows: tuple[FlowSettled, ...] = ()

    def to_json(self) -> Json:
        """The API's rebalance object, and its target range. Decimals and times are text, unknown is null."""
        return {
            "id": f"{self.fund}-{self.number}",
            "fund": self.fund,
            "kind": self.kind.value,
            "reason": self.reason,
            "urgency": None if self.urgency is None else self.urgency.value,
            "sequence": self.sequence,
            "commitment": self.commitment,
            "started_at": time_text(self.started_ms),
            "finished_at": time_or_null(self.finished_ms),
            "revealed_at": time_or_null(self.revealed_ms),
            "state": self.state.value,
            "position_before": decimal_text(self.position_before),
            "position_after": decimal_or_null(self.position_after),
            "position_change": decimal_text(self.position_change),
            "leverage_before": decimal_or_null(self.leverage_before),
            "leverage_after": decimal_or_null(self.leverage_after),
            "tolerance": decimal_or_null(self.tolerance),
            "mark_at_decision": decimal_or_null(self.mark_at_decision),
            "average_price": decimal_or_null(self.average_price),
            "shortfall_bps": decimal_or_null(self.shortfall_bps),
            "fees": decimal_text(self.fees),
            "slices": self.slices,
            "target": decimal_or_null(self.target),
            "target_range": None
            if self.target_range is None
            else [decimal_text(x) for x in self.target_range],
            "u": self.u,
            "salt": self.salt,
            "previous_hash": self.previous_hash,
            "hash": self.hash,
        }

    def public_text(self) -> str:
        """The public record without its hash, as canonical JSON: what the hash is of."""
        body = self.to_json()
        del body["hash"]
        return canonical(body)


def with_hash(text: str, digest: str) -> str:
    """A public record as it is published: its canonical JSON, and the hash of that."""
    return f'{text[:-1]},"hash":"{digest}"}}'


def canonical(body: Json) -> str:
    """JSON with sorted keys, no spaces, and all characters as they are."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _range(started: rec.RebalanceStarted) -> tuple[Leverage, Leverage] | None:
    low, high = started.low, started.high
    return None if low is None or high is None else (low, high)


class _Fills(NamedTuple):
    """Sums over trades; `bought` is net and signed, `paid` its notional, `traded` and `turnover` unsigned."""

    bought: Contracts = ZERO
    paid: Usd = ZERO
    traded: Contracts = ZERO
    turnover: Usd = ZERO
    fees: Usd = ZERO
    orders: frozenset[str] = frozenset()

    def plus(self, fill: rec.Filled) -> "_Fills":
        notional = fill.quantity * fill.price
        return _Fills(
            self.bought + fill.quantity,
            self.paid + notional,
            self.traded + abs(fill.quantity),
            self.turnover + abs(notional),
            self.fees + fill.fee,
            self.orders if fill.cid is None else self.orders | {fill.cid},
        )

    @property
    def average_price(self) -> Price | None:
        return _QUOTIENT.divide(self.turnover, self.traded) if self.traded else None

    def shortfall_bps(self, mark: Price) -> Decimal:
        return ((self.paid - self.bought * mark) / (self.traded * mark) * BPS).quantize(_SHORTFALL_GRID)


_OUTSIDE = {
    rec.Kind.EXTERNAL: "trades that were not ours",
    rec.Kind.STOP: "the protective stop triggered",
}
_BULK = frozenset({rec.Sampled, rec.IncomeBooked})
"""What most records of a journal are. None is a fact of a rebalance."""
_QUOTIENT = Context(prec=16)
_SHORTFALL_GRID = Decimal("0.0001")


class _Open(NamedTuple):
    """The rebalance under way: its place in the list, and what the list must not show yet."""

    place: int
    started: rec.RebalanceStarted
    draw: rec.DrawQueued | None
    fills: _Fills = _Fills()


class RebalanceHistory:
    """The rebalances of one fund, oldest first, as its records tell them."""

    _fund: str
    _entries: list[RebalanceEntry]
    _draws: dict[int, rec.DrawQueued]
    _open: _Open | None
    _suspended: _Open | None
    _foreign: _Fills
    _out_ms: int | None
    _dealt: int | None

    def __init__(self, fund: str) -> None:
        self._fund = fund
        self._entries = []
        self._draws = {}
        self._open = None
        self._suspended = None
        self._foreign = _Fills()
        self._out_ms = None
        self._dealt = None

    def copy(self) -> "RebalanceHistory":
        """An independent copy: every entry is immutable."""
        twin = RebalanceHistory(self._fund)
        vars(twin).update(vars(self))
        twin._entries = self._entries.copy()
        twin._draws = self._draws.copy()
        return twin

    def apply(self, record: rec.Record) -> None:
        """Take one record in.

        Raises:
            ValueError: it speaks of a rebalance where none is open; no journal of ours says that.
        """
        self.apply_all((record,))

    def apply_all(self, records: Iterable[rec.Record]) -> None:
        """Take records in, in their order; raises as `apply`."""
        for record in records:
            if type(record) not in _BULK:
                self._take(record)

    def _take(self, record: rec.Record) -> None:
        match record:
            case rec.DrawQueued():
                self._draws[record.sequence] = record
            case rec.RebalanceStarted():
                self._started(record)
            case rec.UrgencyRaised():
                self._change(urgency=record.urgency)
            case rec.Filled():
                self._filled(record)
            case rec.ConfirmationStarted() | rec.ConfirmationCancelled():
                self._out_ms = record.time_ms if isinstance(record, rec.ConfirmationStarted) else None
            case rec.RebalanceParked() | rec.RebalanceResumed():
                parked = isinstance(record, rec.RebalanceParked)
                self._change(state=EntryState.PARKED if parked else EntryState.RUNNING)
            case rec.RebalanceFinished():
                self._finished(record)
            case rec.ExternalChange():
                self._external(record)
            case Revealed():
                self._revealed(record)
            case FlowSettled() | DealingClosed():
                self._settled(record)
            case _:
                pass  # the other records are no facts of a rebalance
        self._measure(record)

    def entries(self) -> tuple[RebalanceEntry, ...]:
        """All rebalances so far, the one under way included, in the order in which they started."""
        return tuple(self._entries)

    def public_records(self, after: int = 0, limit: int = 1_000_000) -> list[bytes]:
        """Public records after the first `after`, oldest first, each as the JSON that is published."""
        public = [entry for entry in self._entries if entry.public is not None][after : after + limit]
        return [with_hash(entry.public or "", entry.hash or "").encode() for entry in public]

    def _measure(self, record: rec.Record) -> None:
        if type(record) not in MEASURED or self._open is None:
            return
        taken = self._entries[self._open.place].measures
        self._change(measures=None if taken is None else taken.after(record))

    def _started(self, record: rec.RebalanceStarted) -> None:
        draw = None if record.sequence is None else self._draws.pop(record.sequence, None)
        self._suspended = self._open  # by a flow's trade, which comes in between
        self._open = _Open(len(self._entries), record, draw)
        self._entries.append(
            RebalanceEntry(
                fund=self._fund,
                number=record.number,
                kind=record.kind,
                reason=record.reason,
                urgency=record.urgency,
                sequence=record.sequence,
                commitment=None if draw is None else draw.commitment,
                started_ms=record.time_ms,
                state=EntryState.RUNNING,
                position_before=record.position,
                leverage_before=record.leverage,
                tolerance=record.tolerance,
                mark_at_decision=record.mark,
                measures=Measures(record.mark, record.time_ms if self._out_ms is None else self._out_ms),
            )
        )
        self._out_ms = None
        if record.kind is rec.Kind.FLOW:
            self._dealt = self._open.place

    def _under_way(self) -> _Open:
        if self._open is None:
            raise ValueError("the journal holds a record of a rebalance where none is open")
        return self._open

    def _change(self, **changes: Any) -> None:
        place = self._under_way().place
        self._entries[place] = replace(self._entries[place], **changes)

    def _filled(self, record: rec.Filled) -> None:
        if record.cid is None:
            self._foreign = self._foreign.plus(record)
            return
        open_ = self._under_way()
        fills = open_.fills.plus(record)
        self._open = open_._replace(fills=fills)
        self._change(
            position_change=fills.bought,
            average_price=fills.average_price,
            shortfall_bps=fills.shortfall_bps(open_.started.mark),
            fees=fills.fees,
            slices=len(fills.orders),
        )

    def _finished(self, record: rec.RebalanceFinished) -> None:
        open_ = self._under_way()
        taken = self._entries[open_.place].measures
        done = None
        if taken is not None and open_.started.kind is not rec.Kind.FLOW:
            done = completion(taken, record, open_.started.target)
        self._change(
            completion=done,
            state=EntryState.DONE if record.ending is rec.Ending.DONE else EntryState.SUPERSEDED,
            finished_ms=record.time_ms,
            position_after=record.position,
            leverage_after=record.leverage,
            target=open_.started.target,
            target_range=_range(open_.started),
            u=None if open_.draw is None else open_.draw.u,
            salt=None if open_.draw is None else open_.draw.salt,
        )
        self._open, self._suspended = self._suspended, None

    def _revealed(self, record: Revealed) -> None:
        """The oldest entry that is not public yet is the one; the facts are the record's own from now on."""
        place = next(p for p in range(len(self._entries)) if self._entries[p].number == record.number)
        self._entries[place] = replace(
            self._entries[place],
            revealed_ms=record.time_ms,
            previous_hash=str(json.loads(record.text)["previous_hash"]),
            hash=record.hash,
            public=record.text,
        )

    def _settled(self, record: FlowSettled | DealingClosed) -> None:
        """A flow has what is its; it belongs to the last trade of its dealing, if there was one."""
        if isinstance(record, DealingClosed):
            self._dealt = None
        elif self._dealt is not None:
            entry = self._entries[self._dealt]
            self._entries[self._dealt] = replace(entry, flows=(*entry.flows, record))

    def _external(self, record: rec.ExternalChange) -> None:
        """Trades that were not ours come before the record that sums them up."""
        fills, self._foreign = self._foreign, _Fills()
        self._entries.append(
            RebalanceEntry(
                fund=self._fund,
                number=record.number,
                kind=record.kind,
                reason=_OUTSIDE[record.kind],
                urgency=None,
                sequence=None,
                commitment=None,
                started_ms=record.time_ms,
                finished_ms=record.time_ms,
                state=EntryState.DONE,
                position_before=record.position_before,
                position_after=record.position,
                position_change=record.position - record.position_before,
                leverage_before=None,
                tolerance=None,
                mark_at_decision=record.mark,
                average_price=fills.average_price,
                fees=fills.fees,
            )
        )
