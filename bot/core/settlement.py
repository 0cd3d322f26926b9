"""What becomes of an order: reports, refusals, silence and trades, until its slice is settled.

An outcome that nobody knows is looked up by client id; it is never sent again. An order counts as dead only
when the venue can no longer accept it, has twice said that it knows nothing of it, and the position agrees.
"""

from bot.core import contract_rules, guarding, pausing, protection, publication, resting, unfound
from bot.core import events as ev
from bot.core import records as rec
from bot.core.breaches import REJECTED
from bot.core.commands import CancelOrder, FetchTrades, QueryOrder
from bot.core.episode import open_rebalance
from bot.core.ledger import real_leverage
from bot.core.orders import News, Order, OrderState
from bot.core.texts import how_many
from bot.core.turn import Turn
from bot.core.units import ZERO

_ACCEPTED = (OrderState.LIVE, OrderState.CANCELLING)
_NOT_FOUNDS_NEEDED = 2
_NOT_FOUNDS_OF_A_LIVE_ORDER = 5
_TRADES_MISSED = 24  # looks, in two minutes, after which the trades of an order are more than late
_FAILURES_IN_A_ROW = 5

LATE_FILL = "late fill"
VANISHED = "order vanished"
EXTERNAL = "external trade"
TRADES_MISSING = "trades missing"


def resumed(turn: Turn) -> bool:
    """After a restart: look up the order that may have been sent. False if there is none.

    One that is settled ends its slice with the first mark.
    """
    order = _outstanding(turn)
    if order is None:
        return False
    if order.state is not OrderState.CLOSED:
        turn.commands.append(QueryOrder(order.cid))
    elif not order.settled:
        _fetch_trades(turn, order)
    return True


def attend(turn: Turn) -> None:
    """A resting order is taken back when its time is over; one that is settled ends its slice then.

    Not before the first mark: without one nobody can say whether leverage came back into its band.
    """
    open_ = turn.book.rebalance
    order = open_.order if open_ is not None else None
    if open_ is None or order is None:
        return
    until_ms = order.rests_until_ms
    if until_ms is not None and not resting.is_over(turn, open_, order):
        turn.wake_at(until_ms)
    elif order.settled:
        if turn.mark is not None:
            settle(turn, order)
    elif until_ms is not None and order.state is OrderState.LIVE:
        turn.record(rec.OrderCancelAsked(turn.now_ms, order.cid))
        turn.commands.append(CancelOrder(order.cid))


def reported(turn: Turn, event: ev.OrderReport) -> None:
    """Take in the venue's word on an order; repeats change nothing, and a live order is looked up again."""
    order = _named(turn, event.cid)
    if order is None:
        _late(turn, event)
        return
    news = News.COMPLETED if event.closed else News.ACCEPTED
    turn.live = turn.live._replace(proving=None, missing=0)  # it is found
    turn.close_incident(VANISHED, "the venue finds it again")
    if order.told(news, event.filled, event.venue_id) == order:
        _watch(turn, order, delay_s=1.0)
        return
    turn.record(rec.OrderAdvanced(turn.now_ms, event.cid, event.venue_id, event.filled, event.closed))
    order = order.told(news, event.filled, event.venue_id)
    if order.state is not OrderState.CLOSED:
        _watch(turn, order, delay_s=0.5)
    elif not order.settled:
        _fetch_trades(turn, order)


def _watch(turn: Turn, order: Order, delay_s: float) -> None:
    """An order on the venue's books: one that rests needs no look, one that is cancelled must go.

    An immediate one has no business there, and is looked up until it has gone.
    """
    if order.state is OrderState.CANCELLING:
        turn.commands.append(CancelOrder(order.cid, delay_s))
    elif order.state is OrderState.LIVE and order.rests_until_ms is None:
        turn.commands.append(QueryOrder(order.cid, delay_s))


def refused(turn: Turn, event: ev.OrderRefused) -> None:
    """The venue said no: the slice is over, and the next one waits longer each time.

    A resting order that would have crossed although it must not is only priced anew.
    """
    order = _named(turn, event.cid)
    if order is None or order.told(News.REFUSED) == order:
        return
    would_take = event.would_take and order.rests_until_ms is not None
    turn.record(rec.OrderRejected(turn.now_ms, event.cid, event.code, event.reason, would_take))
    if event.by_rules:
        contract_rules.look(turn)
    _count_failures(turn, f"the last was refused: {event.code} {event.reason}")
    settle(turn, _outstanding(turn), not_before_ms=turn.now_ms + event.wait_ms)


def _count_failures(turn: Turn, last: str) -> None:
    if turn.book.failures >= _FAILURES_IN_A_ROW:
        turn.breach(REJECTED, f"{turn.book.failures} orders in a row came to nothing; {last}")


def lost(turn: Turn, event: ev.OrderUnknown) -> None:
    """Nobody knows whether the order arrived: look it up."""
    order = _named(turn, event.cid)
    if order is None or order.state is OrderState.CLOSED:
        return
    if order.state is not OrderState.UNKNOWN:
        turn.record(rec.OrderLost(turn.now_ms, event.cid, event.reason))
    turn.commands.append(QueryOrder(event.cid, delay_s=0.2))


def missing(turn: Turn, event: ev.OrderMissing) -> None:
    """An authoritative not-found: it proves nothing until the order can no longer arrive, and not alone."""
    order = _named(turn, event.cid)
    if order is None or order.state is OrderState.CLOSED:
        return
    if order.state in _ACCEPTED:
        _vanished(turn, order, event)
        return
    if event.wall_ms <= order.expires_wall_ms:
        until_dead_s = (order.expires_wall_ms - event.wall_ms) / 1000 + 0.1
        turn.commands.append(QueryOrder(event.cid, delay_s=min(1.0, max(0.5, until_dead_s))))
        return
    count = turn.live.missing + 1
    turn.live = turn.live._replace(missing=count)
    if count < _NOT_FOUNDS_NEEDED or unfound.may_rest(order, event):
        turn.commands.append(unfound.last_look(order, delay_s=0.5))
    else:
        turn.live = turn.live._replace(proving=event.cid)
        turn.reconcile()


def _vanished(turn: Turn, order: Order, event: ev.OrderMissing) -> None:
    """The venue had accepted the order, and now knows nothing of it: a person must say what became of it."""
    turn.live = turn.live._replace(missing=turn.live.missing + 1)
    delay_s = min(30.0, 0.5 * 2 ** min(turn.live.missing, 6))
    if turn.live.missing < _NOT_FOUNDS_OF_A_LIVE_ORDER:
        turn.commands.append(QueryOrder(order.cid, delay_s))
    elif not unfound.given_up(turn, order):
        turn.open_incident(
            VANISHED,
            f"the venue accepted order {order.cid} and no longer finds it",
            "look for it on the account, and cancel it if it is there; nothing is sent before the venue "
            "finds it, or you `resume` because it is not there: then it is over, if the position agrees",
            stops_increases=True,
        )
        turn.commands.append(QueryOrder(order.cid, delay_s))
    elif unfound.may_rest(order, event):
        turn.commands.append(unfound.last_look(order, delay_s))
    else:
        turn.live = turn.live._replace(proving=order.cid)
        turn.reconcile()


def looked_for(turn: Turn) -> None:
    """An operator ended the incident of an order that vanished: they have looked for it."""
    order = _outstanding(turn)
    if order is not None:
        turn.live = turn.live._replace(given_up=order.cid)


def buried(turn: Turn, order: Order) -> None:
    """The position confirms that the order never arrived, or that it ended long ago with what is booked."""
    if order.state in _ACCEPTED:
        turn.record(unfound.ended_as_booked(turn, order))
    else:
        evidence = f"expired, {turn.live.missing} times not found, position unchanged"
        turn.record(rec.OrderDead(turn.now_ms, order.cid, evidence))
        _count_failures(turn, "the last never arrived")
    settle(turn, _outstanding(turn))


def traded(turn: Turn, event: ev.TradesSeen) -> None:
    """Book trades that are not booked yet: our order's, and, with no order under way, anybody else's."""
    order = _outstanding(turn)
    foreign: list[ev.Trade] = []
    for trade in event.trades:
        if trade.trade_id in turn.book.recent_trades:
            continue
        if order is not None and trade.venue_order_id == order.venue_id:
            _book(turn, trade, order.cid)
        else:
            foreign.append(trade)
    foreign = protection.take_trades(turn, foreign, complete=event.complete)
    if order is not None and turn.live.proving == order.cid:
        if not turn.live.stop_suspected:  # else the stop is asked first whether the trades are its own
            _explain(turn, order, foreign)
        return
    if order is None:
        _book_foreign(turn, foreign)
        return
    if foreign:  # ours too, if they came before the answer that names our order
        seen = {trade.venue_order_id for trade in foreign}
        turn.live = turn.live._replace(strangers=turn.live.strangers | seen)
    order = _outstanding(turn)
    if order is not None and order.state is OrderState.CLOSED and not order.settled and event.complete:
        _await_trades(turn, order, event)


def _await_trades(turn: Turn, order: Order, event: ev.TradesSeen) -> None:
    """The order is over, and not all of it is booked as its own: what does the venue list of it?

    Trades of one that was not found were taken for a stranger's: they are in the ledger, and all there is.
    """
    own = (abs(trade.quantity) for trade in event.trades if trade.venue_order_id == order.venue_id)
    listed = sum(own, start=ZERO)
    if listed >= order.filled and turn.mark is not None:
        settle(turn, order)
        return
    turn.live = turn.live._replace(trade_tries=turn.live.trade_tries + 1)
    if turn.live.trade_tries > _TRADES_MISSED:
        turn.open_incident(
            TRADES_MISSING,
            f"order {order.cid} filled {order.filled}, and the venue lists trades of {listed} of it",
            "look at the account's trades; they are read until all are there, and nothing is sent before",
            stops_increases=True,
        )
    _fetch_trades(turn, order)


def settle(turn: Turn, order: Order | None, *, not_before_ms: int = 0) -> None:
    """The slice is over: draw the pause before the next one, which a venue may want to be longer.

    If others traded meanwhile, the account is compared before anything else is sent.
    """
    if order is None:
        return
    open_ = open_rebalance(turn.book)
    next_ms = max(turn.now_ms + pausing.pause_ms(turn, open_, order), not_before_ms)
    turn.record(rec.SliceSettled(turn.now_ms, order.cid, order.filled, next_ms, _out_of_band(turn)))
    turn.close_incident(TRADES_MISSING, "all of its trades are booked")
    turn.close_incident(VANISHED, "it is over")
    live = turn.live
    others, due = live.strangers - {order.venue_id}, live.compare_due
    agreed = live.reconciled and not others and not (due and open_.increasing)
    live = live._replace(missing=0, proving=None, trade_tries=0, touch=None, touch_asked=False)
    turn.live = live._replace(strangers=frozenset(), compare_due=False, reconciled=agreed)
    guarding.release(turn, pause_ms=next_ms - turn.now_ms)
    if due or not turn.live.reconciled:
        turn.reconcile()


def _out_of_band(turn: Turn) -> bool | None:
    if turn.mark is None:
        return None
    leverage = real_leverage(turn.book.ledger, turn.mark.price)
    return leverage is None or not turn.fund.band[0] <= leverage <= turn.fund.band[1]


def query_unread(turn: Turn) -> None:
    """An order could not be looked up: again, unless it is settled."""
    order = _outstanding(turn)
    if order is not None and not order.settled:
        turn.commands.append(QueryOrder(order.cid, delay_s=1.0))


def cancel_unread(turn: Turn) -> None:
    """Nobody knows what became of a cancel: again, unless the order is settled."""
    order = _outstanding(turn)
    if order is not None and not order.settled:
        turn.commands.append(CancelOrder(order.cid, delay_s=1.0))


def trades_unread(turn: Turn) -> None:
    """Trades could not be read: those of an order that is over are still wanted, and so is a lost order."""
    order = _outstanding(turn)
    if order is None:
        return
    if order.state is OrderState.CLOSED:
        turn.live = turn.live._replace(trade_tries=turn.live.trade_tries + 1)
        _fetch_trades(turn, order)
    elif turn.live.proving == order.cid:
        _look_up_again(turn, order)


def _outstanding(turn: Turn) -> Order | None:
    open_ = turn.book.rebalance
    return open_.order if open_ is not None else None


def _named(turn: Turn, cid: str) -> Order | None:
    order = _outstanding(turn)
    return order if order is not None and order.cid == cid else None


def _fetch_trades(turn: Turn, order: Order) -> None:
    tries = turn.live.trade_tries
    delay_s = 0.0 if tries == 0 else min(5.0, 0.1 * 2 ** min(tries, 6))
    turn.commands.append(FetchTrades(order.venue_id, turn.book.trades_cursor_ms, delay_s))


def _book(turn: Turn, trade: ev.Trade, cid: str | None) -> None:
    turn.record(
        rec.Filled(turn.now_ms, cid, trade.trade_id, trade.time_ms, trade.quantity, trade.price, trade.fee)
    )


def _book_foreign(turn: Turn, trades: list[ev.Trade], perhaps: Order | None = None) -> None:
    """Trades that are not ours are booked, so that the ledger stays true, and stop increases.

    `perhaps`: an order that nobody finds, whose own they may be; if it is found, that is told, too (`_late`).
    """
    if not trades:
        return
    before = turn.book.position
    for trade in trades:
        _book(turn, trade, None)
    mark = turn.mark.price if turn.mark is not None else None
    number = turn.book.rebalances + 1
    turn.record(rec.ExternalChange(turn.now_ms, number, mark, before, turn.book.position))
    publication.schedule(turn, number)
    strange = how_many(len(trades), "trade that is", "trades that are")
    doubt = "" if perhaps is None else f", unless of order {perhaps.cid}, which the venue does not find"
    turn.open_incident(
        EXTERNAL,
        f"{strange} not ours moved the position from {before} to {turn.book.position}{doubt}",
        "find out who traded (a liquidation, a person); then `resume`, or restart with --adopt",
        stops_increases=True,
    )
    turn.reconcile()  # a liquidation costs more than its trades


def _explain(turn: Turn, order: Order, foreign: list[ev.Trade]) -> None:
    """The position moved while an order that was never found was outstanding: somebody else may have traded.

    If so, the account is compared again, and then says whether the order is dead; else the order is looked up
    from the beginning. So it is for a while where the trades may be its own: they do not name its client id.
    """
    doubted = turn.wall_ms <= order.expires_wall_ms + unfound.DOUBTED_FOR_MS
    fits = any(order.could_fill(trade.quantity, trade.price) for trade in foreign)
    if foreign and not (doubted and fits):
        _book_foreign(turn, foreign, order if fits else None)
    else:
        _look_up_again(turn, order)


def _look_up_again(turn: Turn, order: Order) -> None:
    turn.live = turn.live._replace(proving=None, missing=0)
    turn.commands.append(QueryOrder(order.cid, delay_s=2.0))


def _late(turn: Turn, event: ev.OrderReport) -> None:
    """News of an order that is no longer under way matters only if it was declared dead and yet filled."""
    if event.cid in turn.book.dead_orders and event.filled:
        turn.open_incident(
            LATE_FILL,
            f"order {event.cid} filled {event.filled} after it was declared dead",
            "check clock and venue delays; once ledger and venue agree `resume`, or restart with --adopt",
            stops_increases=True,
        )
        turn.commands.append(FetchTrades(None, turn.book.trades_cursor_ms))
