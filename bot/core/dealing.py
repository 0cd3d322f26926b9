"""A dealing: strike its mark, price what was ready, cross, trade the rest in proportion, settle.

    strike -> price -> cross -> trade (a rebalance of kind `flow`) -> in cash what cannot be traded -> settle

The mark is that of a fixed grid of time, whether a rebalance runs or not. The flow's trade comes between two
slices of a patient rebalance under way, which then goes on: a flow in proportion moves no leverage, so
neither has to know of the other. Delevering goes first. docs/funds.md has the rules in words.
"""

from decimal import Decimal

from bot.core import execution, fees, flow_fold, plan, shares, unseen
from bot.core.events import Mark
from bot.core.flow_records import (
    DealingClosed,
    DealingStruck,
    FlowCancelled,
    FlowKind,
    FlowPriced,
    FlowsCrossed,
    FlowSettled,
    FlowsInCash,
    FlowsShown,
)
from bot.core.flows import Dealing, Flow, FlowState, waiting
from bot.core.ledger import real_leverage
from bot.core.records import Ending, FundState, Kind, RebalanceStarted
from bot.core.trust import contradicts
from bot.core.turn import Region, Turn
from bot.core.units import ZERO, Contracts, Urgency
from bot.core.upkeep import emergency

STRIKE_WITHIN_MS = 60_000
"""A dealing whose first trusted mark comes later than this is one for redemptions only."""

STALLED_MS = 60_000
"""A flow's trade without a slice for this market time makes way, and is taken up again."""


def due_ms(turn: Turn) -> int | None:
    """When the next dealing is due for what is ready; None where nothing waits."""
    ready = [flow.ready_ms for flow in waiting(turn.book.flows) if flow.ready_ms is not None]
    return turn.fund.terms.dealing_after(min(ready)) if ready else None


def bounded(turn: Turn, region: Region) -> Region | None:
    """The hold region up to the next dealing; none while one is under way."""
    if turn.book.dealing is not None:
        return None
    due = due_ms(turn)
    return region if due is None else region._replace(until_ms=min(region.until_ms, due))


def attend(turn: Turn, mark: Mark) -> None:
    """Take a dealing as far as it goes at this mark; a flow's trade may be under way afterwards."""
    dealing = turn.book.dealing
    if (
        dealing is None
        or turn.live.funding_pending_ms is not None
        or not fees.charged(turn, dealing.dealing_ms)
    ):
        return
    if dealing.nav is None:
        _show(turn, mark, dealing)
    if _must_wait(turn, mark, dealing):
        return
    if dealing.nav is not None or _priced(turn, mark, dealing):
        _trade(turn, mark)


def progress(turn: Turn, mark: Mark) -> None:
    """Carry a flow's trade on; it ends when what is left is too small, or must make way."""
    open_ = turn.book.rebalance
    if open_ is None or open_.order is not None:
        return
    left = _left(turn, mark)
    if left == ZERO or _stopped(turn, mark):
        execution.finish(turn, mark, Ending.DONE)
        _settle(turn, mark)
    elif _blocked(turn, mark) or turn.now_ms - open_.next_slice_ms > STALLED_MS:
        execution.finish(turn, mark, Ending.SUPERSEDED)
    else:
        execution.carry_on(turn, mark, left)


def strike(turn: Turn, mark: Mark) -> bool:
    """The first trusted mark at or after a dealing is its price, for all that was ready before it."""
    due = due_ms(turn)
    if turn.book.dealing is not None or due is None or mark.time_ms < due:
        return False
    if not turn.live.feed_trusted or contradicts(mark.price, mark.index_price):
        return False
    dealing_ms = turn.fund.terms.dealing_at(mark.time_ms)
    if not any(_takes_part(turn, mark, flow, dealing_ms) for flow in turn.book.flows):
        return False
    turn.record(DealingStruck(turn.now_ms, dealing_ms, mark.price))
    return True


def _takes_part(turn: Turn, mark: Mark, flow: Flow, dealing_ms: int) -> bool:
    """Whether a flow is dealt now.

    A subscription waits for the next dealing where positions may not be increased, or where this one's first
    mark came late: it can wait, and who leaves need not.
    """
    if flow.nav is not None or flow.ready_ms is None or flow.ready_ms >= dealing_ms:
        return False
    if flow.kind is FlowKind.REDEEM:
        return True
    struck = turn.book.dealing
    in_time = struck is not None or mark.time_ms - dealing_ms <= STRIKE_WITHIN_MS
    return in_time and turn.increases_refused(mark) is None


def _must_wait(turn: Turn, mark: Mark, dealing: Dealing) -> bool:
    """An order that the dealing's mark found under way is booked first, and delevering goes first."""
    open_ = turn.book.rebalance
    return (
        (open_ is not None and (open_.order is not None or open_.urgency is not Urgency.PATIENT))
        or turn.now_ms < dealing.retry_ms
        or _must_delever(turn, mark)
    )


def _batch(turn: Turn, mark: Mark, dealing: Dealing) -> list[Flow]:
    return [flow for flow in turn.book.flows if _takes_part(turn, mark, flow, dealing.dealing_ms)]


def _show(turn: Turn, mark: Mark, dealing: Dealing) -> None:
    """Charge the management fee until now; where something is hidden, say what the public sees.

    Both at once, whatever the dealing has still to wait for: how long it does is nobody's business.
    """
    batch = _batch(turn, mark, dealing)
    if batch:
        fees.accrue(turn, dealing.mark, dealing.dealing_ms)
    public, news = turn.book.public, [flow for flow in batch if not flow.shown]
    if not news or not public.hidden:
        return
    marks = (dealing.mark, mark.price)
    after = unseen.dealt(public.basket, news, marks, turn.contract, turn.fund.terms.subscribe_fee)
    units, cash = after.units - public.basket.units, after.cash - public.basket.cash
    references = ",".join(flow.reference for flow in news)
    turn.record(FlowsShown(turn.now_ms, references, units, cash))


def _priced(turn: Turn, mark: Mark, dealing: Dealing) -> bool:
    """Give every flow that takes part the true NAV at the dealing's mark, and let both sides meet.

    False where there is nobody, or nothing, to deal with.
    """
    book = turn.book
    batch = _batch(turn, mark, dealing)
    nav = shares.Shares(book.ledger, book.units).nav(dealing.mark)
    if not batch or nav is None or nav <= ZERO:
        for flow in batch:
            turn.record(FlowCancelled(turn.now_ms, flow.reference, "the fund has no value left"))
        turn.record(DealingClosed(turn.now_ms))
        return False
    rate = turn.fund.terms.subscribe_fee
    for flow in batch:
        fee = shares.up(flow.amount * rate) if flow.kind is FlowKind.SUBSCRIBE else ZERO
        turn.record(FlowPriced(turn.now_ms, flow.reference, nav, fee))
    units, paid, received = shares.cross(flow_fold.open_dealing(turn.book).pot, nav)
    if units > ZERO:
        turn.record(FlowsCrossed(turn.now_ms, units, paid, received))
    return True


def _trade(turn: Turn, mark: Mark) -> None:
    """Begin the trade of what is left in the pot, or settle where nothing can be traded."""
    left = _left(turn, mark)
    if left == ZERO or _stopped(turn, mark):
        _settle(turn, mark)
        return
    if _blocked(turn, mark):
        return
    book = turn.book
    leverage = real_leverage(book.ledger, mark.price)
    turn.record(
        RebalanceStarted(
            turn.now_ms,
            book.rebalances + 1,
            Kind.FLOW,
            "redemptions" if flow_fold.open_dealing(turn.book).pot.units else "subscriptions",
            Urgency.PROMPT,
            None,
            leverage if leverage is not None else ZERO,
            plan.CLOSE_ENOUGH,
            mark.price,
            book.position,
            leverage,
        )
    )


def _left(turn: Turn, mark: Mark) -> Contracts:
    """The signed quantity that the pot still has to trade at this mark."""
    books = shares.Shares(turn.book.ledger, turn.book.units)
    return shares.quantity_to_trade(books, flow_fold.open_dealing(turn.book).pot, mark.price, turn.contract)


def _stopped(turn: Turn, mark: Mark) -> bool:
    """Whether subscriptions can go no further, so that the rest of their money is returned.

    The fund is no longer active; or positions may not be increased, and others wait for the next dealing.
    """
    dealing = flow_fold.open_dealing(turn.book)
    if dealing.pot.units or dealing.pot.cash <= ZERO:
        return False
    late = mark.time_ms >= turn.fund.terms.dealing_after(dealing.dealing_ms)
    refused = late and turn.increases_refused(mark) is not None
    return refused or turn.book.state is not FundState.ACTIVE


def _blocked(turn: Turn, mark: Mark) -> bool:
    """Whether the trade may not be made now: delevering goes first, and increases may be stopped."""
    redeems = flow_fold.open_dealing(turn.book).pot.units > ZERO
    return _must_delever(turn, mark) or (not redeems and turn.increases_refused(mark) is not None)


def _must_delever(turn: Turn, mark: Mark) -> bool:
    """Whether leverage is above its band or at the emergency level, or the position of the wrong sign.

    A stranger's trade may have left one that must be closed; a share of it is nothing to be added.
    """
    if turn.book.position * turn.fund.sign < ZERO:
        return True
    leverage = real_leverage(turn.book.ledger, mark.price)
    above = turn.fund.uses_band and leverage is not None and leverage > turn.fund.band[1]
    return above or emergency(turn, mark)


def _settle(turn: Turn, mark: Mark) -> None:
    """What could not be traded goes in or out as cash, at this mark; then every flow gets its portion."""
    book, pot = turn.book, flow_fold.open_dealing(turn.book).pot
    if (pot.units or pot.cash) and not _stopped(turn, mark) and book.ledger.value(mark.price) > ZERO:
        kind = FlowKind.REDEEM if pot.units else FlowKind.SUBSCRIBE
        books = shares.Shares(book.ledger, book.units)
        rate = turn.contract.taker_fee
        units, amount = shares.in_cash(books, pot, mark.price, rate)
        turn.record(FlowsInCash(turn.now_ms, kind, mark.price, units, amount, rate))
    _settle_flows(turn, flow_fold.open_dealing(turn.book))
    turn.record(DealingClosed(turn.now_ms))


def _settle_flows(turn: Turn, dealing: Dealing) -> None:
    """Every flow gets its portion, and bears its portion of what the trade cost beyond the dealing's NAV."""
    pot, nav = dealing.pot, dealing.nav or ZERO
    priced = [flow for flow in turn.book.flows if flow.state is FlowState.PRICED]
    for kind in FlowKind:
        side = [flow for flow in priced if flow.kind is kind]
        weights = sum((_weight(flow) for flow in side), ZERO)
        for flow in side:
            weight = _weight(flow)
            if kind is FlowKind.SUBSCRIBE:
                units = shares.portion(pot.issued, weight, weights)
                returned = shares.portion(max(pot.cash, ZERO), weight, weights)
                cost = flow.amount - flow.fee - returned - units * nav
                amounts = (units, ZERO, ZERO, returned)
            else:
                gross = shares.portion(pot.received, weight, weights)
                fee = shares.up(gross * turn.fund.terms.redeem_fee)
                cost = flow.amount * nav - gross
                amounts = (flow.amount, gross - fee, fee, ZERO)
            paid = shares.portion(dealing.fees, weight, weights) if kind is dealing.trades else ZERO
            turn.record(FlowSettled(turn.now_ms, flow.reference, *amounts, paid, shares.up(cost) - paid))


def _weight(flow: Flow) -> Decimal:
    """A flow's weight among those of its side: money that goes in, or units (priced without a fee)."""
    return flow.amount - flow.fee
