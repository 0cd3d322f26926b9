"""What a fund promises, measured from its records: how it tracks, what it drags, and its shadow beside it.

The marks of the hourly sampling grid are on record, so all of this is a fold: durable, and the same after any
restart.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from bot.core import flow_records as flow
from bot.core import records as rec
from bot.core.basket import FINEST, Basket
from bot.core.disclosure import FUNDING
from bot.core.midnight import basket_fee
from bot.core.public_records import FundingImputed, ShadowTraded
from bot.core.tracking import Tracking
from bot.core.units import DAY_MS, ZERO, Contracts, Price, Usd

if TYPE_CHECKING:
    from bot.core.book import Book


class Shadow(NamedTuple):
    """The conventional token beside the fund: it started with the fund's capital at NAV 1."""

    basket: Basket
    started_ms: int
    last_mark: Price
    rebalances: int = 0
    fees: Usd = ZERO
    funding: Usd = ZERO

    def paid_funding(self, basket: Basket) -> "Shadow":
        """The shadow after funding that made its basket this."""
        return self._replace(basket=basket, funding=self.funding + basket.cash - self.basket.cash)


def _shadow_traded(book: "Book", record: ShadowTraded) -> None:
    shadow = book.shadow
    if shadow is None:
        capital = book.created.capital if book.created is not None else ZERO
        shadow = Shadow(Basket(record.time_ms, capital, ZERO, capital), record.time_ms, record.mark, -1)
    before = shadow.basket
    basket = before._replace(
        as_of_ms=record.time_ms,
        cash=before.cash - record.quantity * record.mark - record.fee,
        position=before.position + record.quantity,
    )
    book.shadow = shadow._replace(
        basket=basket,
        last_mark=record.mark,
        rebalances=shadow.rebalances + 1,
        fees=shadow.fees + record.fee,
    )


def _income_booked(book: "Book", record: rec.IncomeBooked) -> None:
    shadow = book.shadow
    if shadow is not None and record.kind == FUNDING:
        book.shadow = shadow.paid_funding(shadow.basket.after_funding(record.amount, book.position))


def _funding_imputed(book: "Book", record: FundingImputed) -> None:
    shadow = book.shadow
    if shadow is not None:
        amount = (-shadow.basket.position * record.mark * record.rate).quantize(FINEST)
        book.shadow = shadow.paid_funding(shadow.basket.paid(amount))


def _fee_charged(book: "Book", record: flow.FeeCharged) -> None:
    shadow = book.shadow
    if shadow is not None:
        book.shadow = shadow._replace(basket=shadow.basket.paid(-basket_fee(book, record, shadow.basket)))


def _rescaled(book: "Book", record: flow.UnitsRescaled) -> None:
    ratio = record.numerator / record.denominator
    if book.shadow is not None:
        basket = book.shadow.basket
        units = basket.units * record.numerator / record.denominator
        book.shadow = book.shadow._replace(basket=basket._replace(units=units))
    book.tracking = _divided(book.tracking, ratio)
    book.public = book.public._replace(tracking=_divided(book.public.tracking, ratio))


def _divided(old: Tracking | None, ratio: float) -> Tracking | None:
    if old is None:
        return None
    start, last, day = (nav / ratio for nav in (old.start_nav, old.last_nav, old.day_nav))
    return old._replace(start_nav=start, last_nav=last, day_nav=day)


def follow(book: "Book", samples: Sequence[rec.Sampled]) -> None:
    """Samples in a row, between which nothing moved the ledger.

    The public side is tracked by itself while something is hidden: that it stood still would tell that.
    """
    if not book.opened:
        return
    public, ledger = book.public, book.ledger
    book.tracking = tracking = _followed(book.tracking, ledger.cash, ledger.position, book.units, samples)
    if public.pending:
        _, cash, position, units = public.basket
        tracking = _followed(public.tracking, cash, position, units, samples)
    book.public = public.tracked(tracking)


def _followed(
    tracking: Tracking | None, cash: Usd, position: Contracts, units: Decimal, samples: Sequence[rec.Sampled]
) -> Tracking | None:
    """Short decimals become floats, and floats are divided: a long quotient takes as long as all the rest."""
    each = float(units)
    hours = [
        (time_ms, float(mark), (worth := float(value)) / each, float(exposure) / worth)
        for time_ms, mark, _ in samples
        if each and (value := cash + (exposure := position * mark)) > ZERO
    ]
    if not hours:
        return tracking
    if tracking is None:
        first_ms, mark, nav, leverage = hours.pop(0)
        day_ms = first_ms // DAY_MS * DAY_MS
        tracking = Tracking(first_ms, mark, nav, first_ms, mark, nav, leverage, day_ms, mark, nav)
    return tracking.after(hours)


PROMISE: dict[type, Callable[["Book", Any], None]] = {
    ShadowTraded: _shadow_traded,
    rec.IncomeBooked: _income_booked,
    FundingImputed: _funding_imputed,
    flow.FeeCharged: _fee_charged,
    flow.UnitsRescaled: _rescaled,
}
