"""How records change what the public knows of a fund. They are taken in before the book changes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

from bot.core import flow_records as flow
from bot.core import records as rec
from bot.core.basket import Basket
from bot.core.draws import genesis
from bot.core.midnight import basket_fee
from bot.core.public import Public, Shown
from bot.core.public_records import FundingImputed, PublicationScheduled, Revealed
from bot.core.units import ZERO

if TYPE_CHECKING:
    from bot.core.book import Book

FUNDING = "FUNDING_FEE"
TRANSFER = "TRANSFER"
"""Income of these kinds is funding, and a deposit or withdrawal; any other is the fund's own."""


def _created(book: "Book", record: rec.FundCreated) -> None:
    basket = Basket(record.time_ms, record.capital, ZERO, record.capital)
    book.public = Public(basket, head=genesis(record.fund))


def _draw_queued(book: "Book", record: rec.DrawQueued) -> None:
    book.public = book.public.committed(record)


def _rebalance_started(book: "Book", record: rec.RebalanceStarted) -> None:
    draw = book.draws[0] if record.sequence is not None and book.draws else None
    book.public = book.public.started(record, draw, _shown(book, record.time_ms))


def _told(book: "Book", record: rec.Record) -> None:
    book.public = book.public.told(record)


def _urgency_raised(book: "Book", record: rec.UrgencyRaised) -> None:
    book.public = book.public.urged(record)


def _filled(book: "Book", record: rec.Filled) -> None:
    if record.cid is None:
        book.public = book.public._replace(foreign=(*book.public.foreign, record))
    else:
        _told(book, record)


def _rebalance_finished(book: "Book", record: rec.RebalanceFinished) -> None:
    book.public = book.public.finished(record, book.basket(record.time_ms))


def _external_change(book: "Book", record: rec.ExternalChange) -> None:
    shown = _shown(book, record.time_ms)
    book.public = book.public.traded_by_others(record, book.basket(record.time_ms), shown)


def _publication_scheduled(book: "Book", record: PublicationScheduled) -> None:
    book.public = book.public.scheduled(record)


def _revealed(book: "Book", record: Revealed) -> None:
    public = book.public.after_reveal(record)
    if not public.hidden:
        basket = book.basket(public.basket.as_of_ms)
        public = public._replace(basket=basket, funding=book.ledger.funding, tracking=book.tracking)
    book.public = public


def _funding_imputed(book: "Book", record: FundingImputed) -> None:
    book.public = book.public.after_imputed(record)


def _income_booked(book: "Book", record: rec.IncomeBooked) -> None:
    if record.kind == FUNDING:
        book.public = book.public.after_funding(record.amount, book.position)
    elif record.kind != TRANSFER:
        book.public = book.public.after_other_income(record.amount)


def _fee_charged(book: "Book", record: flow.FeeCharged) -> None:
    book.public = book.public.after_fee(lambda basket: basket_fee(book, record, basket))


def _flows_in_cash(book: "Book", record: flow.FlowsInCash) -> None:
    units = record.units if record.kind is flow.FlowKind.SUBSCRIBE else -record.units
    book.public = book.public.after_flow(units, record.mark)


def _flows_shown(book: "Book", record: flow.FlowsShown) -> None:
    basket = book.public.basket
    changed = basket._replace(cash=basket.cash + record.cash, units=basket.units + record.units)
    book.public = book.public._replace(basket=changed)


def _rescaled(book: "Book", record: flow.UnitsRescaled) -> None:
    book.public = book.public.rescaled(record.numerator, record.denominator)


def _caught_up(book: "Book", _: rec.Record) -> None:
    """With nothing hidden the public basket is the true one, to the last digit."""
    public = book.public
    if not public.hidden:
        book.public = public._replace(basket=book.basket(public.basket.as_of_ms))


def _shown(book: "Book", time_ms: int) -> Shown:
    """What the public saw until now: a state that begins with a rebalance shows when that is revealed."""
    begins = book.changed is not None and book.changed.time_ms == time_ms
    state = rec.FundState.ACTIVE if begins else book.state
    known = tuple(i for i in book.incidents.values() if i.time_ms < time_ms)
    return Shown(state, known, book.ledger.fees)


DISCLOSURE: dict[type, Callable[["Book", Any], None]] = {
    rec.FundCreated: _created,
    rec.DrawQueued: _draw_queued,
    rec.RebalanceStarted: _rebalance_started,
    rec.UrgencyRaised: _urgency_raised,
    rec.OrderIntended: _told,
    rec.Filled: _filled,
    rec.SliceSettled: _told,
    rec.RebalanceFinished: _rebalance_finished,
    rec.ExternalChange: _external_change,
    PublicationScheduled: _publication_scheduled,
    Revealed: _revealed,
    FundingImputed: _funding_imputed,
    rec.IncomeBooked: _income_booked,
    flow.FeeCharged: _fee_charged,
    flow.FlowsInCash: _flows_in_cash,
    flow.FlowsShown: _flows_shown,
    flow.UnitsRescaled: _rescaled,
}

AFTERWARDS: dict[type, Callable[["Book", Any], None]] = dict.fromkeys(get_args(flow.FlowRecord), _caught_up)
"""What is taken in after the rest of the book has changed."""
