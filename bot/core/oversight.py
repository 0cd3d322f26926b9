"""How incidents, and the word of an operator, change a fund's durable state."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bot.core import records as rec
from bot.core.breaches import REARM
from bot.core.process_records import Configured, ContractChanged, PutDown, TakenUp

if TYPE_CHECKING:
    from bot.core.book import Book

_CRASHES_APART_MS = 300_000
"""A process that lasts longer, by the clock on the wall, does not belong to a crash loop."""

_KEPT_REQUESTS = 1_000
"""Requests by whose idempotency keys repeats are recognised."""


def _incident_opened(book: "Book", record: rec.IncidentOpened) -> None:
    book.incidents[record.code] = record


def _incident_closed(book: "Book", record: rec.IncidentClosed) -> None:
    book.incidents.pop(record.code, None)
    book.acknowledged.pop(record.code, None)
    if record.code in REARM:
        REARM[record.code](book)


def _taken_up(book: "Book", record: TakenUp) -> None:
    soon = record.wall_ms - book.taken_up_wall_ms < _CRASHES_APART_MS
    book.starts = book.starts + 1 if soon else 1
    book.taken_up_wall_ms = record.wall_ms


def _put_down(book: "Book", _: PutDown) -> None:
    book.starts = 0


def _control_changed(book: "Book", record: rec.ControlChanged) -> None:
    book.controlled = record


def _operator_asked(book: "Book", record: rec.OperatorAsked) -> None:
    book.asked = (*book.asked, record)[-_KEPT_REQUESTS:]


def _incident_acknowledged(book: "Book", record: rec.IncidentAcknowledged) -> None:
    book.acknowledged[record.code] = record


def _configured(book: "Book", record: Configured) -> None:
    book.settings_digest = record.digest


def _contract_changed(book: "Book", _: ContractChanged) -> None:
    """What was refused by the rules of before says nothing about orders that keep the new ones."""
    book.failures = 0


OVERSIGHT: dict[type, Callable[["Book", Any], None]] = {
    rec.IncidentOpened: _incident_opened,
    rec.IncidentClosed: _incident_closed,
    rec.IncidentAcknowledged: _incident_acknowledged,
    TakenUp: _taken_up,
    PutDown: _put_down,
    rec.ControlChanged: _control_changed,
    rec.OperatorAsked: _operator_asked,
    Configured: _configured,
    ContractChanged: _contract_changed,
}
