"""What each record of flows and fees does to a fund's book."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.core import flow_records as rec
from bot.core.flow_records import FlowKind
from bot.core.flows import Dealing, Flow, FlowState, Receipt, find
from bot.core.midnight import still_later
from bot.core.shares import Pot, Shares, after_fill, down, up
from bot.core.units import ZERO, Usd

if TYPE_CHECKING:
    from bot.core.book import Book
    from bot.core.records import Filled

KEPT = 100
"""Flows that are over and still in the book; the journal has them all."""

RETRY_MS = 60_000
"""How long a flow's trade that had to make way waits, market time."""


def filled(book: "Book", fill: "Filled") -> None:
    """A fill of a flow's trade: the fund's basket is scaled, the flow's pot bears what it cost."""
    dealing = open_dealing(book)
    shares, pot = after_fill(
        Shares(book.ledger, book.units), dealing.pot, fill.quantity, fill.price, fill.fee
    )
    book.escrow += pot.cash - dealing.pot.cash
    book.payable += pot.received - dealing.pot.received
    book.ledger, book.units = shares
    side = FlowKind.SUBSCRIBE if pot.received == dealing.pot.received else FlowKind.REDEEM
    book.dealing = dealing._replace(pot=pot, trades=side, fees=dealing.fees + fill.fee)


def made_way(book: "Book", time_ms: int) -> None:
    """A flow's trade ended before its pot was empty: the rest waits."""
    book.dealing = open_dealing(book)._replace(retry_ms=time_ms + RETRY_MS)


def open_dealing(book: "Book") -> Dealing:
    """The dealing under way, where there must be one; ValueError if there is none."""
    if book.dealing is None:
        raise ValueError("a record speaks of a dealing, and none is open")
    return book.dealing


def _change(book: "Book", reference: str, **changes: Any) -> None:
    book.flows = tuple(
        flow._replace(**changes) if flow.reference == reference else flow for flow in book.flows
    )


def _close(book: "Book", reference: str, time_ms: int, **changes: Any) -> None:
    """The flow is over; the last ones are kept, for those who ask what became of theirs."""
    over = find(book.flows, reference)._replace(over_ms=time_ms, **changes)
    book.flows = tuple(flow for flow in book.flows if flow.reference != reference)
    book.closed_flows = (*book.closed_flows, over)[-KEPT:]


def _requested(book: "Book", record: rec.FlowRequested) -> None:
    ready_ms = record.time_ms if record.kind is FlowKind.REDEEM else None
    flow = Flow(record.reference, record.kind, record.amount, record.time_ms, ready_ms)
    answer = Receipt(record.reference, record.kind, record.amount, record.time_ms, record.dealing_ms)
    book.flows += (flow,)
    book.receipts = {**book.receipts, record.request_id: answer}


def _funded(book: "Book", record: rec.FlowFunded) -> None:
    amount = find(book.flows, record.reference).amount
    book.unallocated -= amount
    book.escrow += amount
    _change(book, record.reference, state=FlowState.FUNDED, ready_ms=record.time_ms)


def _cancelled(book: "Book", record: rec.FlowCancelled) -> None:
    flow = find(book.flows, record.reference)
    if flow.state is FlowState.FUNDED:
        book.escrow -= flow.amount
        book.unallocated += flow.amount
    _close(book, record.reference, record.time_ms, state=FlowState.CANCELLED, reason=record.reason)


def _struck(book: "Book", record: rec.DealingStruck) -> None:
    book.dealing = Dealing(record.dealing_ms, record.mark)


def _priced(book: "Book", record: rec.FlowPriced) -> None:
    dealing, flow = open_dealing(book), find(book.flows, record.reference)
    pot = dealing.pot
    if flow.kind is FlowKind.SUBSCRIBE:
        book.escrow -= record.fee
        book.fees_payable += record.fee
        pot = pot._replace(cash=pot.cash + flow.amount - record.fee)
    else:
        pot = pot._replace(units=pot.units + flow.amount)
    book.dealing = dealing._replace(nav=record.nav, pot=pot)
    priced: dict[str, Any] = {"nav": record.nav, "fee": record.fee, "dealing_ms": dealing.dealing_ms}
    _change(book, record.reference, state=FlowState.PRICED, **priced)


def _crossed(book: "Book", record: rec.FlowsCrossed) -> None:
    dealing = open_dealing(book)
    cash, units, issued, received = dealing.pot
    book.escrow -= record.paid
    book.payable += record.received
    book.ledger = book.ledger.with_cash(record.paid - record.received)
    left = Pot(cash - record.paid, units - record.units, issued + record.units, received + record.received)
    book.dealing = dealing._replace(pot=left, crossed=record.received)


def _in_cash(book: "Book", record: rec.FlowsInCash) -> None:
    dealing = open_dealing(book)
    cash, units, issued, received = dealing.pot
    worth = record.units * book.ledger.value(record.mark) / book.units
    levy = record.amount - worth if record.kind is FlowKind.SUBSCRIBE else worth - record.amount
    if record.kind is FlowKind.SUBSCRIBE:
        book.escrow -= record.amount
        book.ledger = book.ledger.with_cash(record.amount)
        book.units += record.units
        pot = Pot(cash - record.amount, units, issued + record.units, received)
    else:
        book.payable += record.amount
        book.ledger = book.ledger.with_cash(-record.amount)
        book.units -= record.units
        pot = Pot(cash, units - record.units, issued, received + record.amount)
    book.dealing = dealing._replace(pot=pot, trades=record.kind, fees=dealing.fees + up(levy))


def _shown(book: "Book", record: rec.FlowsShown) -> None:
    for reference in record.references.split(","):
        _change(book, reference, shown=True)


def _settled(book: "Book", record: rec.FlowSettled) -> None:
    dealing, flow = open_dealing(book), find(book.flows, record.reference)
    pot = dealing.pot
    borne = {"trading_fee": record.trading_fee, "fill_cost": record.fill_cost}
    _change(book, record.reference, settled_ms=record.time_ms, **borne)
    if flow.kind is FlowKind.SUBSCRIBE:
        book.escrow -= record.returned
        book.unallocated += record.returned
        pot = pot._replace(cash=pot.cash - record.returned, issued=pot.issued - record.units)
        got: dict[str, Any] = {"units": record.units, "returned": record.returned}
        _close(book, record.reference, record.time_ms, state=FlowState.SETTLED, **got)
    else:
        book.payable -= record.fee
        book.fees_payable += record.fee
        pot = pot._replace(received=pot.received - record.amount - record.fee)
        _change(book, record.reference, state=FlowState.PAYABLE, payable=record.amount, fee=record.fee)
        if record.amount == ZERO:
            _close(book, record.reference, record.time_ms, state=FlowState.PAID)
    book.dealing = dealing._replace(pot=pot)


def _closed(book: "Book", _: rec.DealingClosed) -> None:
    """What rounding left is the fund's: units that nobody got are burned, cash that nobody got is kept.

    So are units that were to be redeemed when the fund's value was gone.
    """
    pot = open_dealing(book).pot
    book.units -= pot.issued + pot.units
    book.escrow -= pot.cash
    book.payable -= pot.received
    book.ledger = book.ledger.with_cash(pot.cash + pot.received)
    book.dealing = None


def _paid(book: "Book", record: rec.FlowPaid) -> None:
    _withdrawn(book, record.amount)
    book.payable -= record.amount
    _close(book, record.reference, record.time_ms, state=FlowState.PAID)


def _rate_set(book: "Book", record: rec.FeeRateSet) -> None:
    book.fee_daily, book.fee_ms = record.daily, record.time_ms
    book.later = still_later(book)


def _charged(book: "Book", record: rec.FeeCharged) -> None:
    book.ledger = book.ledger.with_cash(-record.amount)
    book.fees_payable += record.amount
    book.fees_charged += record.amount
    book.fee_ms = record.until_ms
    book.later = still_later(book)


def _fees_paid(book: "Book", record: rec.FeesPaid) -> None:
    _withdrawn(book, record.amount)
    book.fees_payable -= record.amount


def _withdrawn(book: "Book", amount: Usd) -> None:
    """The withdrawal was booked against unallocated cash, until it was recognised."""
    book.unallocated += amount


def _rescaled(book: "Book", record: rec.UnitsRescaled) -> None:
    def rescaled(units: Decimal) -> Decimal:
        return down(units * record.numerator / record.denominator)

    book.units = rescaled(book.units)
    if book.day.nav is not None:
        book.day = book.day._replace(nav=book.day.nav * record.denominator / record.numerator)
    book.flows = tuple(
        flow if flow.kind is FlowKind.SUBSCRIBE else flow._replace(amount=rescaled(flow.amount))
        for flow in book.flows
    )
    book.receipts = {
        key: receipt
        if receipt.kind is FlowKind.SUBSCRIBE
        else receipt._replace(rescaled=rescaled(receipt.counted))
        for key, receipt in book.receipts.items()
    }


def _final(book: "Book", record: rec.FinalNav) -> None:
    book.final = record


APPLY: dict[type, Callable[["Book", Any], None]] = {
    rec.FlowRequested: _requested,
    rec.FlowFunded: _funded,
    rec.FlowCancelled: _cancelled,
    rec.DealingStruck: _struck,
    rec.FlowPriced: _priced,
    rec.FlowsCrossed: _crossed,
    rec.FlowsInCash: _in_cash,
    rec.FlowsShown: _shown,
    rec.FlowSettled: _settled,
    rec.DealingClosed: _closed,
    rec.FlowPaid: _paid,
    rec.FeeRateSet: _rate_set,
    rec.FeeCharged: _charged,
    rec.FeesPaid: _fees_paid,
    rec.UnitsRescaled: _rescaled,
    rec.FinalNav: _final,
}
