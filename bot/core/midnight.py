"""What a fund was worth at a 00:00 UTC that is charged late, and the management fee on it.

A fee of a past 00:00 is on the value of then. What moved the ledger since (funding above all, which the venue
goes on paying while no process runs) is taken out again. Only what comes after a 00:00 that is still to be
charged is kept for that: in the ordinary course of things nothing is.
"""

from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from bot.core import flow_records as flow
from bot.core import records as rec
from bot.core.basket import FINEST, Basket
from bot.core.ledger import Ledger
from bot.core.public_records import FundingImputed
from bot.core.units import DAY_MS, ZERO, Contracts, Price, Usd

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.core.book import Book

_OF_THAT_INSTANT_MS = 60_000
"""Income that the venue stamps this soon after 00:00 is the funding of 00:00: it was there before the fee."""


class Movement(NamedTuple):
    """What the ledger gained at `time_ms`. `per_contract`: funding that each contract held was paid."""

    time_ms: int
    cash: Usd
    position: Contracts
    per_contract: Usd = ZERO


def management_fee(value: Usd, daily: Decimal, elapsed_ms: int = DAY_MS) -> Usd:
    """The fee on a fund value for a time; a fund without value pays none."""
    return max(value, ZERO) * daily * elapsed_ms / DAY_MS


def next_day(time_ms: int) -> int:
    """The first 00:00 UTC after a time."""
    return (time_ms // DAY_MS + 1) * DAY_MS


def value_at(book: "Book", mark: Price, time_ms: int) -> Usd:
    """Fund value at `mark` as cash and position were at `time_ms`, a time that is not charged yet."""
    since = (move.cash + move.position * mark for move in book.later if move.time_ms > time_ms)
    return book.ledger.value(mark) - sum(since, ZERO)


def basket_fee(book: "Book", record: flow.FeeCharged, basket: Basket) -> Usd:
    """What a basket pays where the fund is charged as `record` says: by its own value of then.

    Of the fund's own basket that is what the record says, to the last digit.
    """
    since = sum((move.per_contract for move in book.later if move.time_ms > record.until_ms), ZERO)
    value = basket.value(record.mark) - basket.position * since
    fee = management_fee(value, book.fee_daily, record.until_ms - record.from_ms)
    return fee.quantize(FINEST, ROUND_FLOOR)


def still_later(book: "Book") -> tuple[Movement, ...]:
    """What is to be remembered once `book.fee_ms` has moved on."""
    return tuple(move for move in book.later if move.time_ms > next_day(book.fee_ms))


def watched(change: "Callable[[Book, Any], None]") -> "Callable[[Book, Any], None]":
    """Apply a record, and keep what it did to the ledger if that came after a 00:00 still to be charged."""

    def changed(book: "Book", record: Any) -> None:
        before = book.ledger
        change(book, record)
        if book.fee_daily and (time_ms := _when(record)) > next_day(book.fee_ms):
            _keep(book, time_ms, before)

    return changed


def funding_imputed(book: "Book", record: FundingImputed) -> None:
    """The venue books no funding to a flat fund; what is compared with it is paid all the same."""
    if book.fee_daily and (time_ms := _when(record)) > next_day(book.fee_ms):
        book.later += (Movement(time_ms, ZERO, ZERO, -record.mark * record.rate),)


def _keep(book: "Book", time_ms: int, before: Ledger) -> None:
    cash, position = book.ledger.cash - before.cash, book.ledger.position - before.position
    if cash == position == ZERO:
        return
    funding = book.ledger.funding - before.funding
    each = funding / before.position if before.position else ZERO
    book.later += (Movement(time_ms, cash, position, each),)


def _when(record: Any) -> int:
    """When the venue, and not when we, moved the money."""
    if isinstance(record, rec.IncomeBooked):
        return record.income_ms - _OF_THAT_INSTANT_MS
    if isinstance(record, rec.Filled):
        return record.trade_ms
    late_ms = _OF_THAT_INSTANT_MS if isinstance(record, FundingImputed) else 0
    return int(record.time_ms) - late_ms


MOVING = frozenset({rec.Filled, rec.IncomeBooked, flow.FlowsCrossed, flow.FlowsInCash, flow.DealingClosed})
"""Records that move the ledger, fees themselves left out: each is on what the fee before it left."""
