"""Requests for flows and for other units: whether one can be taken now, and taking it.

A request is taken whole or not at all, in the one step that records it. Asked again under the same
idempotency key, it changes nothing, after a restart as before it.

What is answered is answered identically always: limits in USDT are judged by the public NAV, and the fund's
state is the public one. Whoever tried amounts against the true NAV could read the position off the refusals.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from bot.core import draws
from bot.core.book import Book
from bot.core.commands import FetchIncome
from bot.core.events import FlowAsked, RescaleAsked
from bot.core.flow_records import FlowKind, FlowRequested, UnitsRescaled
from bot.core.flows import FlowState
from bot.core.operator_requests import RequestIdReusedError, note
from bot.core.public_view import shown_state
from bot.core.records import Control, FundState
from bot.core.shares import GRID, Shares
from bot.core.turn import State, Turn
from bot.core.units import DAY_MS, ZERO, Price

ABSURD = Decimal("1e15")
LARGEST_RATIO = 1_000_000_000
UNNAMED = "§"
"""Begins the id of a request without one; no idempotency key that comes over HTTP can."""


class Objection(NamedTuple):
    """Why a request is not taken; `of_amount`: another amount might be."""

    reason: str
    of_amount: bool = True


def refusal(state: State, event: FlowAsked | RescaleAsked) -> Objection | None:
    """Why `step` would not take this request at this moment; None where it would, or has taken it before.

    Raises `RequestIdReusedError` where its idempotency key belongs to another request.
    """
    turn = Turn(state, event)
    if isinstance(event, RescaleAsked):
        before = turn.book.request(event.request_id)
        if before is None:
            return next(_against_rescaling(turn, event), None)
        if before.content != event.content:
            raise RequestIdReusedError
        return None
    known = turn.book.receipts.get(event.request_id)
    if known is not None:
        if (known.kind, known.amount) != (event.kind, event.amount):
            raise RequestIdReusedError
        return None
    return next(_against(turn, event), None)


def asked(turn: Turn, event: FlowAsked) -> None:
    """Take a subscription or redemption on record; a subscription's money is looked for at once."""
    if event.request_id in turn.book.receipts or next(_against(turn, event), None) is not None:
        return
    number = len(turn.book.receipts) + 1
    request_id = event.request_id or f"{UNNAMED}{number}"
    reference = draws.reference(turn.book.key, number)
    dealing_ms = turn.fund.terms.dealing_after(turn.now_ms)
    turn.record(FlowRequested(turn.now_ms, reference, event.kind, event.amount, request_id, dealing_ms))
    if event.kind is FlowKind.SUBSCRIBE and turn.live.by_hand:
        turn.commands.append(FetchIncome(turn.book.income_cursor_ms))


def rescale_asked(turn: Turn, event: RescaleAsked) -> None:
    """Consolidate or split the units: everybody's alike, at one instant, so that nothing else changes."""
    if turn.book.request(event.request_id) is None and next(_against_rescaling(turn, event), None) is None:
        note(turn, f"{event.numerator} units for {event.denominator}", event)
        turn.record(UnitsRescaled(turn.now_ms, event.numerator, event.denominator, event.author, event.why))


def available_units(turn: Turn) -> Decimal:
    """Units that nobody has asked to redeem yet; those on their way to subscribers are not theirs yet."""
    book = turn.book
    pot = book.dealing.pot if book.dealing is not None else None
    wanted = sum(
        (f.amount for f in book.flows if f.kind is FlowKind.REDEEM and f.state is FlowState.REQUESTED), ZERO
    )
    return book.units - wanted - (ZERO if pot is None else pot.units + pot.issued)


def _against(turn: Turn, event: FlowAsked) -> Iterator[Objection]:
    """What speaks against a flow; each is looked at only where those before it do not hold."""
    amount, book, mark = event.amount, turn.book, turn.mark
    if not amount.is_finite() or amount <= ZERO:
        yield Objection("the amount must be a positive number")
    if amount >= ABSURD:
        yield Objection(f"the amount must be below {ABSURD:f}")
    if amount % GRID:
        yield Objection("the amount has more than 8 decimals")
    if book.control is Control.HALTED:
        yield Objection(
            "the fund is halted and takes no flows; ask again when it is resumed", of_amount=False
        )
    if book.created is None or mark is None:
        yield Objection("the fund has no mark yet; try again in a moment", of_amount=False)
    elif event.kind is FlowKind.SUBSCRIBE:
        yield from _against_subscription(turn, amount, _known_nav(book, mark.price) * book.units)
    else:
        yield from _against_redemption(turn, amount, _known_nav(book, mark.price))


def _known_nav(book: Book, mark: Price) -> Decimal:
    """The public NAV; the true one of a fund that everybody knows to be dead. Zero without units."""
    dead = shown_state(book) is FundState.DEAD
    nav = Shares(book.ledger, book.units).nav(mark) if dead else book.public.basket.nav(mark)
    return ZERO if nav is None else nav


def _against_subscription(turn: Turn, amount: Decimal, value: Decimal) -> Iterator[Objection]:
    terms, state = turn.fund.terms, shown_state(turn.book)
    if state is not FundState.ACTIVE:
        yield Objection(f"the fund is {state}: redemptions only", of_amount=False)
    if amount < terms.min_subscribe:
        yield Objection(f"the smallest subscription is {terms.min_subscribe:f} USDT")
    if terms.daily_subscribe is not None:
        left = terms.daily_subscribe - _today(turn, FlowKind.SUBSCRIBE)
        if amount > left:
            yield Objection(f"the day's limit leaves {max(left, ZERO):f} USDT until 00:00 UTC")
    if terms.capacity is not None:
        coming = sum((f.amount for f in turn.book.flows if f.kind is FlowKind.SUBSCRIBE), ZERO)
        if value + coming + amount > terms.capacity:
            yield Objection(f"it would take the fund beyond its capacity of {terms.capacity:f} USDT")


def _against_redemption(turn: Turn, units: Decimal, nav: Decimal) -> Iterator[Objection]:
    terms, available = turn.fund.terms, available_units(turn)
    if units > available:
        known = turn.book.public.basket.units
        yield Objection(
            f"there are no more: {known:f} units in all, less those whose redemption was asked for"
        )
    if nav <= ZERO:
        yield Objection("the fund has no value left", of_amount=False)
    if units * nav < terms.min_redeem and units < available:
        yield Objection(f"the smallest redemption is worth {terms.min_redeem:f} USDT, or is of all units")
    if terms.daily_redeem is not None:
        left = terms.daily_redeem - _today(turn, FlowKind.REDEEM) * nav
        if units * nav > left:
            yield Objection(f"the day's limit leaves units worth {max(left, ZERO):.2f} USDT until 00:00 UTC")


def _today(turn: Turn, kind: FlowKind) -> Decimal:
    """What was asked for since 00:00 UTC."""
    since_ms = turn.now_ms // DAY_MS * DAY_MS
    total = ZERO
    for receipt in reversed(turn.book.receipts.values()):
        if receipt.requested_ms < since_ms:
            break
        if receipt.kind is kind:
            total += receipt.counted
    return total


def _against_rescaling(turn: Turn, event: RescaleAsked) -> Iterator[Objection]:
    pair = (event.numerator, event.denominator)
    if min(pair) != 1 or not 1 < max(pair) <= LARGEST_RATIO:
        yield Objection(f"the ratio must be a whole number from 2 to {LARGEST_RATIO}")
    if turn.book.created is None:
        yield Objection("the fund has not begun yet", of_amount=False)
    if turn.book.dealing is not None:
        yield Objection("a dealing is under way; try again in a minute", of_amount=False)
    if turn.book.units * event.numerator < event.denominator:
        yield Objection("less than one unit would be left")
