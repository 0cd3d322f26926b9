"""What the log says of each record: one event name per fact, and only fields that give nothing away.

Quantities, positions, leverage and prices of a running rebalance would tell its target to whoever reads the
log, so they are not in this table (docs/reliability.md, I12); the journal has them.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from bot.core import flow_records as flows
from bot.core import records as rec
from bot.core import stop_records as stops
from bot.core.book import Book
from bot.core.process_records import Configured, ContractChanged, PutDown, TakenUp
from bot.core.public_records import Revealed


class Line(NamedTuple):
    """One log line: its level, its event name, and its fields."""

    level: str
    event: str
    fields: dict[str, Any]


_LINES: dict[type, tuple[str, str, tuple[str, ...]]] = {
    rec.FundCreated: ("info", "fund_created", ("underlying", "side", "capital")),
    rec.DrawQueued: ("info", "commitment_published", ("sequence", "commitment")),
    rec.ConfirmationStarted: ("info", "confirmation_started", ("mark",)),
    rec.ConfirmationCancelled: ("info", "confirmation_cancelled", ("mark",)),
    rec.RebalanceStarted: ("info", "rebalance_started", ("number", "kind", "reason", "urgency", "mark")),
    rec.UrgencyRaised: ("warning", "urgency_raised", ("urgency", "mark")),
    rec.OrderIntended: ("info", "order_sent", ("cid",)),
    rec.OrderCancelAsked: ("info", "order_cancel_asked", ("cid",)),
    rec.OrderRejected: ("warning", "order_rejected", ("cid", "code", "reason")),
    rec.OrderLost: ("warning", "order_outcome_unknown", ("cid", "reason")),
    rec.OrderDead: ("warning", "order_never_arrived", ("cid", "evidence")),
    rec.SliceSettled: ("info", "slice_settled", ("cid",)),
    rec.SliceDeferred: ("info", "slice_deferred", ("reason",)),
    rec.RebalanceParked: ("info", "rebalance_parked", ()),
    rec.RebalanceResumed: ("info", "rebalance_resumed", ()),
    rec.RebalanceFinished: ("info", "rebalance_finished", ("ending", "mark")),
    rec.RebalanceSkipped: ("info", "rebalance_skipped", ("reason",)),
    rec.ExternalChange: ("error", "external_change", ("number", "kind")),
    stops.StopIntended: ("info", "stop_sent", ("cid",)),
    stops.StopPlaced: ("info", "stop_placed", ("cid",)),
    stops.StopRejected: ("warning", "stop_rejected", ("cid", "code", "reason")),
    stops.StopLost: ("warning", "stop_outcome_unknown", ("cid", "reason")),
    stops.StopCancelAsked: ("info", "stop_cancel_asked", ("cid",)),
    stops.StopEnded: ("info", "stop_ended", ("cid", "ending")),
    Revealed: ("info", "rebalance_revealed", ("number", "hash")),
    rec.IncomeBooked: ("info", "income_booked", ("kind",)),
    rec.Reconciled: ("info", "reconciled", ()),
    flows.FlowRequested: ("info", "flow_requested", ("reference", "kind")),
    flows.FlowFunded: ("info", "flow_funded", ("reference",)),
    flows.FlowCancelled: ("warning", "flow_cancelled", ("reference", "reason")),
    flows.DealingStruck: ("info", "dealing_struck", ("dealing_ms", "mark")),
    flows.FlowSettled: ("info", "flow_settled", ("reference",)),
    flows.FlowPaid: ("info", "flow_paid", ("reference",)),
    flows.FeeRateSet: ("info", "management_fee_set", ("daily",)),
    flows.FeeCharged: ("info", "management_fee_charged", ("from_ms", "until_ms", "mark")),
    flows.FeesPaid: ("info", "fees_paid", ()),
    flows.UnitsRescaled: ("warning", "units_rescaled", ("numerator", "denominator", "author", "why")),
    flows.FinalNav: ("warning", "fund_is_flat", ()),
    rec.StateChanged: ("error", "fund_state_changed", ("state", "mark")),
    rec.IncidentOpened: ("error", "incident_opened", ("code", "remedy", "stops_increases")),
    TakenUp: ("info", "fund_taken_up", ()),
    PutDown: ("info", "fund_put_down", ()),
    rec.ControlChanged: ("warning", "control_changed", ("control", "author", "why")),
    rec.OperatorAsked: ("warning", "operator_asked", ("what", "author", "why")),
    rec.IncidentAcknowledged: ("info", "incident_acknowledged", ("code", "author", "why")),
    Configured: ("warning", "settings_changed", ("digest", "author", "why")),
    ContractChanged: ("warning", "contract_changed", ("tick", "lot", "min_quantity", "min_notional")),
    rec.IncidentClosed: ("info", "incident_closed", ("code", "how")),
}
"""Records that are absent (fills, order reports, samples) are routine and in the journal."""


class Narrator:
    """Tells of one fund's records; lines about a rebalance carry its id."""

    def __init__(self, fund: str, book: Book) -> None:
        """Begin with the rebalances of `book` that are under way: one may wait for another."""
        self._fund = fund
        self._has_settings = bool(book.settings_digest)
        self._open = [each.number for each in (book.suspended, book.rebalance) if each is not None]

    @property
    def context(self) -> dict[str, str]:
        """What every line about the fund carries at this moment: the rebalance, where one is under way."""
        return {"rebalance": f"{self._fund}-{self._open[-1]}"} if self._open else {}

    def lines(self, records: tuple[rec.Record, ...]) -> Iterator[Line]:
        """The log lines for the records of some steps."""
        for record in records:
            if isinstance(record, rec.RebalanceStarted):
                self._open.append(record.number)
            for line in lines((record,)):
                line.fields.update(self.context)
                yield line._replace(level="info") if self._is_given_its_first(record) else line
            if isinstance(record, rec.RebalanceFinished) and self._open:
                self._open.pop()

    def _is_given_its_first(self, record: rec.Record) -> bool:
        """Whether the fund gets settings and had none: that is no change to be warned of."""
        first = isinstance(record, Configured) and not self._has_settings
        self._has_settings |= first
        return first


def lines(records: tuple[rec.Record, ...]) -> Iterator[Line]:
    """The log lines for the records of one step; every line carries the market time."""
    for record in records:
        told = _LINES.get(type(record))
        if told is not None:
            level, event, names = told
            fields = {name: _plain(getattr(record, name)) for name in names}
            yield Line(level, event, {"market_ms": record.time_ms, **fields})


def _plain(value: object) -> object:
    return value if isinstance(value, int | bool) else str(value)
