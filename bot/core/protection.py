"""The protective stop: what reduces the position when the daemon cannot.

It rests at the venue, reduce-only, triggered by the mark midway between the prices of emergency leverage and
of liquidation, and is sized to bring leverage back to the top of the target range. It is placed anew after
each change of position, and never while a rebalance runs: what rests then stays. Like any order it is durable
before it is sent, sent once, and looked up when nobody knows what became of it.
"""

from typing import NamedTuple

from bot.core import contract_rules, draws, limits, plan, publication
from bot.core import events as ev
from bot.core.breaches import STOPPED_OUT
from bot.core.commands import CancelStop, FetchStops, FetchTrades, QueryStop
from bot.core.events import Mark
from bot.core.ledger import target_position
from bot.core.margin import liquidation_price, price_at
from bot.core.orders import ORDER_LIFETIME_MS, News, OrderState
from bot.core.records import ExternalChange, Filled, FundState, Kind
from bot.core.stop_events import (
    StopMissing,
    StopRefused,
    StopReport,
    StopsSeen,
    StopStatus,
    StopUnknown,
)
from bot.core.stop_fold import Stop
from bot.core.stop_records import (
    StopCancelAsked,
    StopEnded,
    StopEnding,
    StopIntended,
    StopLost,
    StopPlaced,
    StopRejected,
)
from bot.core.turn import TRIES_IN_TWO_MINUTES, Turn
from bot.core.units import ZERO, Contracts, Price, not_above, not_below

UNPROTECTED = "no protective stop"

_CLOSE = 200
"""A trigger price that moves by less than a 200th is left where it is; so is a size, which settings move."""

_NOT_FOUNDS_NEEDED = 2
_NOT_FOUNDS_OF_A_RESTING_STOP = 5
_LOOKS_UNMOVED = 5
"""Looks for its trades, in eight seconds, after which a stop that triggered has filled nothing."""

_TRIGGERS_WITHIN_MS = 3_000
"""Market time after which a stop whose price is reached is not waited for any more."""

_PAUSE_MS = 30_000
"""After a refusal, and where it cannot be placed, it is tried again so much later."""


class Wanted(NamedTuple):
    """A stop as it should rest; `quantity` is signed, and reduces the position."""

    quantity: Contracts
    trigger_price: Price


def wanted(turn: Turn, mark: Mark) -> Wanted | None:
    """The stop for the position as it is; None where none is wanted, or where there can be none."""
    fund, contract, ledger = turn.fund, turn.contract, turn.book.ledger
    # The venue liquidates by what is on the account: what somebody took of the holders' money is not.
    there = ledger.with_cash(min(ZERO, turn.book.wallet - ledger.wallet))
    emergency = price_at(there, fund.emergency)
    end = liquidation_price(there, contract.maintenance)
    if emergency is None or end is None:
        return None
    midway = (emergency + end) / 2
    trigger = not_below(midway, contract.tick) if fund.sign > 0 else not_above(midway, contract.tick)
    if (mark.price - trigger) * fund.sign <= ZERO:
        return None  # too late for a stop: the emergency is being traded
    goal = target_position(ledger, trigger, fund.target_range[1], fund.sign, contract.taker_fee)
    quantity = plan.lots_to(goal, ledger, contract)
    size = min(abs(quantity), contract.max_market_quantity)
    if quantity * ledger.position >= ZERO or size < contract.min_decrease(trigger):
        return None
    return Wanted(size if quantity > ZERO else -size, trigger)


def attend(turn: Turn, mark: Mark) -> None:
    """Place, re-place or take back the stop. While the position may be changing nothing is touched."""
    stop = turn.book.protection.resting
    if stop is not None and stop.state is not OrderState.LIVE:
        return  # the venue has the word
    if turn.book.rebalance is not None or turn.book.dealing is not None:
        return
    protects = turn.fund.protective_stop and turn.book.position != ZERO
    wish = wanted(turn, mark) if protects else None
    if stop is not None:
        if not protects or not _still_good(turn, stop, wish):
            turn.record(StopCancelAsked(turn.now_ms, stop.cid))
            turn.commands.append(CancelStop(stop.cid))
    elif wish is not None:
        _place(turn, wish)
    elif protects and turn.book.state is FundState.ACTIVE and not turn.contract.maintenance:
        _unprotected(turn, "the venue does not say at which margin it liquidates")
    else:
        turn.close_incident(UNPROTECTED, "nothing to protect")


def is_reached(turn: Turn, mark: Mark) -> bool:
    """Whether the mark is where the stop that rests triggers: then the venue sells, and we not as well.

    It is asked at once what became of it. One that does not trigger is waited for no longer than a moment.
    """
    stop, since_ms = turn.book.protection.resting, turn.live.stop_reached_ms
    if stop is None or stop.state is not OrderState.LIVE:
        return False
    if (mark.price - stop.trigger_price) * stop.quantity < ZERO:
        turn.live = turn.live._replace(stop_reached_ms=None)
        return False
    if since_ms is None:
        since_ms = turn.now_ms
        turn.live = turn.live._replace(stop_reached_ms=since_ms)
        turn.commands.append(QueryStop(stop.cid))
    if turn.now_ms >= since_ms + _TRIGGERS_WITHIN_MS:
        return False
    turn.wake_at(since_ms + _TRIGGERS_WITHIN_MS)
    return True


def _still_good(turn: Turn, stop: Stop, wish: Wanted | None) -> bool:
    """A stop that is about to trigger stays, although it could not be placed any more."""
    if stop.position != turn.book.position:
        return False
    if wish is None:
        return True
    size, off = abs(stop.quantity), abs(wish.quantity - stop.quantity)
    near = abs(wish.trigger_price - stop.trigger_price) * _CLOSE <= stop.trigger_price
    return near and (off * _CLOSE <= size or off <= turn.contract.lot)


def _place(turn: Turn, wish: Wanted) -> None:
    if turn.now_ms < turn.live.stop_after_ms:
        turn.wake_at(turn.live.stop_after_ms)
        return
    book = turn.book
    cid = draws.client_order_id(book.incarnation, "stop", book.protection.made + 1)
    order = limits.approve_stop(cid, wish.quantity, wish.trigger_price, turn.contract, book.ledger)
    if isinstance(order, limits.Refusal):
        _unprotected(turn, order.reason)
        return
    expires_ms = turn.wall_ms + ORDER_LIFETIME_MS
    turn.record(StopIntended(turn.now_ms, cid, *wish, book.position, expires_ms))
    turn.commands.append(order)


def _unprotected(turn: Turn, reason: str) -> None:
    turn.live = turn.live._replace(stop_after_ms=turn.now_ms + _PAUSE_MS)
    turn.wake_at(turn.live.stop_after_ms)
    turn.open_incident(
        UNPROTECTED,
        f"no stop rests at the venue: {reason}",
        "nothing protects the position while the daemon is away; it is tried again, so look at the reason",
        stops_increases=False,
    )


def resumed(turn: Turn) -> None:
    """After a restart: the stop may have triggered meanwhile, or have never been sent.

    Others may rest that a journal from a copy does not know.
    """
    stop = turn.book.protection.resting
    if stop is not None:
        turn.commands.append(QueryStop(stop.cid))
    if turn.fund.protective_stop or turn.book.protection.made:
        turn.commands.append(FetchStops())


def verify(turn: Turn) -> None:
    """Whoever takes a stop back behind our back need not say so: one that rests is looked for regularly."""
    stop = turn.book.protection.resting
    if stop is not None and stop.state is OrderState.LIVE:
        turn.commands.append(QueryStop(stop.cid))


def listed(turn: Turn, event: StopsSeen) -> None:
    """A stop of ours that the journal does not know must not rest unseen beside the one that it places.

    It is taken back, and looked for until it is gone.
    """
    stop = turn.book.protection.resting
    known = "" if stop is None else stop.cid
    strangers = [cid for cid in event.cids if cid.startswith(draws.ID_PREFIX) and cid != known]
    turn.commands += [CancelStop(cid) for cid in strangers]
    if strangers:
        turn.commands.append(FetchStops(delay_s=2.0))


def reported(turn: Turn, event: StopReport) -> None:
    """Take in the venue's word on a stop."""
    stop = _named(turn, event.cid)
    if event.status is StopStatus.TRIGGERED and event.order_id is not None:
        _triggered(turn, event.cid, event.order_id)
    elif stop is None:
        if event.status is StopStatus.RESTING and event.cid in turn.book.protection.dead:
            turn.commands.append(CancelStop(event.cid))  # it arrived after all: it must not rest unseen
    elif event.status is StopStatus.RESTING:
        _rests(turn, stop, event.venue_id)
    elif event.status is StopStatus.GONE:
        turn.record(StopEnded(turn.now_ms, stop.cid, StopEnding.TAKEN_BACK))
        _clear(turn)
    else:
        turn.commands.append(QueryStop(stop.cid, delay_s=0.5))  # it triggers: what it became comes next


def _rests(turn: Turn, stop: Stop, venue_id: str) -> None:
    if stop.told(News.ACCEPTED) != stop:
        turn.record(StopPlaced(turn.now_ms, stop.cid, venue_id))
        turn.close_incident(UNPROTECTED, "a stop rests at the venue")
    elif stop.state is OrderState.CANCELLING:
        turn.commands.append(CancelStop(stop.cid, delay_s=1.0))
    if turn.live.stop_suspected:
        turn.live = turn.live._replace(stop_suspected=False, stop_cleared=True)
        turn.commands.append(FetchTrades(None, turn.book.trades_cursor_ms))


def _triggered(turn: Turn, cid: str, order_id: str) -> None:
    if order_id not in turn.book.protection.orders:
        turn.record(StopEnded(turn.now_ms, cid, StopEnding.TRIGGERED, order_id))
        turn.live = turn.live._replace(stop_order=order_id, stop_tries=0)
        _hold(turn)
    _clear(turn)
    turn.commands.append(FetchTrades(order_id, turn.book.trades_cursor_ms))


def _hold(turn: Turn) -> None:
    """A stop may have moved the position: nothing is traded until ledger and venue are compared."""
    turn.live = turn.live._replace(reconciled=False)
    turn.reconcile()


def trades_awaited(turn: Turn, position: Contracts) -> bool:
    """Whether the trades of a stop that triggered are still to come; `position` is the account's.

    They are asked for again, for a while: in the crash that triggered it the venue's answers lag behind, and
    whoever trades by the old position sells what the stop has sold already.
    """
    live = turn.live
    if live.stop_order is None:
        return False
    if live.stop_tries >= (_LOOKS_UNMOVED if position == turn.book.position else TRIES_IN_TWO_MINUTES):
        turn.live = live._replace(stop_order=None)
        return False
    turn.live = live._replace(stop_tries=live.stop_tries + 1)
    turn.commands.append(FetchTrades(live.stop_order, turn.book.trades_cursor_ms))
    turn.reconcile_again(live.stop_tries)
    return True


def refused(turn: Turn, event: StopRefused) -> None:
    """The venue said no: it is tried again later, and told meanwhile."""
    stop = _named(turn, event.cid)
    if stop is None or stop.state not in (OrderState.INTENT, OrderState.UNKNOWN):
        return
    turn.record(StopRejected(turn.now_ms, event.cid, event.code, event.reason))
    if event.by_rules:
        contract_rules.look(turn)
    _clear(turn)
    _unprotected(turn, f"refused: {event.code} {event.reason}")


def lost(turn: Turn, event: StopUnknown) -> None:
    """Nobody knows whether the stop arrived: look it up."""
    stop = _named(turn, event.cid)
    if stop is None:
        return
    if stop.state is OrderState.INTENT:
        turn.record(StopLost(turn.now_ms, event.cid, event.reason))
    turn.commands.append(QueryStop(event.cid, delay_s=0.2))


def missing(turn: Turn, event: StopMissing) -> None:
    """The venue knows no such stop: it never arrived, once it no longer can; or it is long gone."""
    stop = _named(turn, event.cid)
    if stop is None:
        return
    known = stop.state in (OrderState.LIVE, OrderState.CANCELLING)
    if not known and event.wall_ms <= stop.expires_wall_ms:
        turn.commands.append(QueryStop(event.cid, delay_s=1.0))
        return
    count = turn.live.stop_missing + 1
    turn.live = turn.live._replace(stop_missing=count)
    if count < (_NOT_FOUNDS_OF_A_RESTING_STOP if known else _NOT_FOUNDS_NEEDED):
        turn.commands.append(QueryStop(event.cid, delay_s=1.0))
        return
    ending = StopEnding.TAKEN_BACK if known else StopEnding.NEVER_ARRIVED
    turn.record(StopEnded(turn.now_ms, stop.cid, ending))
    _clear(turn)
    turn.reconcile()
    if not known:
        _unprotected(turn, "the last one never arrived")


def unread(turn: Turn) -> None:
    """A look at a stop, or its cancel, gave nothing: it is looked for again while it may rest."""
    stop = turn.book.protection.resting
    if stop is not None:
        turn.commands.append(QueryStop(stop.cid, delay_s=2.0))


def list_unread(turn: Turn) -> None:
    """The stops that rest could not be listed: again."""
    turn.commands.append(FetchStops(delay_s=2.0))


def take_trades(turn: Turn, trades: list[ev.Trade], *, complete: bool) -> list[ev.Trade]:
    """Book those that are the stop's; give back those that are somebody else's.

    While a stop rests, trades that nobody knows may be its own: then it is asked first, and none is given
    back. A stream tells of trades one by one: the answer to a read is waited for, to book them as one.
    """
    orders = turn.book.protection.orders
    own = [trade for trade in trades if trade.venue_order_id in orders]
    others = [trade for trade in trades if trade.venue_order_id not in orders]
    if own and complete:
        _book(turn, own)
    elif own:
        turn.commands.append(FetchTrades(own[0].venue_order_id, turn.book.trades_cursor_ms, delay_s=0.5))
    stop = turn.book.protection.resting
    if others and stop is not None and not turn.live.stop_cleared:
        if not turn.live.stop_suspected:
            turn.live = turn.live._replace(stop_suspected=True)
            turn.commands.append(QueryStop(stop.cid))
            _hold(turn)
        return []
    turn.live = turn.live._replace(stop_cleared=False)
    return others


def _book(turn: Turn, trades: list[ev.Trade]) -> None:
    before = turn.book.position
    for trade in trades:
        fill = (trade.trade_id, trade.time_ms, trade.quantity, trade.price, trade.fee)
        turn.record(Filled(turn.now_ms, None, *fill))
    mark = turn.mark.price if turn.mark is not None else None
    number = turn.book.rebalances + 1
    turn.record(ExternalChange(turn.now_ms, number, mark, before, turn.book.position, Kind.STOP))
    publication.schedule(turn, number)
    turn.breach(STOPPED_OUT, "the protective stop at the venue triggered and reduced the position")
    turn.live = turn.live._replace(stop_order=None)
    turn.reconcile()


def _named(turn: Turn, cid: str) -> Stop | None:
    stop = turn.book.protection.resting
    return stop if stop is not None and stop.cid == cid else None


def _clear(turn: Turn) -> None:
    """A stop is over: trades that were held back because they might be its own are read again."""
    held_back = turn.live.stop_suspected
    if held_back:
        turn.commands.append(FetchTrades(None, turn.book.trades_cursor_ms))
    turn.live = turn.live._replace(
        stop_missing=0, stop_suspected=False, stop_cleared=held_back, stop_reached_ms=None
    )
