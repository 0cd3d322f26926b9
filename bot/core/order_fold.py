"""What each record of an order does to a fund's book: the order itself, and all that is counted by orders."""

from typing import TYPE_CHECKING, Any

from bot.core import flow_fold
from bot.core import records as rec
from bot.core.episode import OpenRebalance, open_rebalance
from bot.core.ledger import venue_fill
from bot.core.orders import News, Order, OrderState
from bot.core.traffic import in_values
from bot.core.units import ZERO, Contracts, Urgency

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.core.book import Book

_REMEMBERED = 1_000
"""Orders that never arrived and are recognised should they turn up."""

_RECENT = 100
"""Orders by whose ids those of the last minutes are recognised in the venue's list; no fund sends more.

Protective stops are among them: the order that one becomes has its id.
"""


def remember(book: "Book", cid: str) -> None:
    """An order of this client id is ours, should the venue list it."""
    book.recent_orders = (*book.recent_orders, cid)[-_RECENT:]


def _order(book: "Book", cid: str) -> Order | None:
    order = book.rebalance.order if book.rebalance else None
    return order if order and order.cid == cid else None


def _order_intended(book: "Book", record: rec.OrderIntended) -> None:
    open_ = open_rebalance(book)
    order = Order(
        record.cid,
        record.quantity,
        record.limit_price,
        record.reduce_only,
        record.expires_wall_ms,
        sent_ms=record.time_ms,
        rests_until_ms=record.rests_until_ms,
        mark=record.mark,
    )
    if not record.reduce_only:
        content = (record.quantity, record.limit_price, book.ledger.position)
        sent = in_values(abs(record.quantity) * record.mark, book.backed.value(record.mark))
        book.traffic = book.traffic.after(record.time_ms, sent, content)
    remember(book, record.cid)
    book.last_order_ms = record.time_ms
    counts = (open_.orders + 1, open_.slices, open_.misses, open_.rejects)
    # By place, as mypy checks: `_replace` takes nearly twice as long, and an order is told of several times.
    book.rebalance = OpenRebalance(*open_[:12], *counts, order, open_.parked)


def _told(book: "Book", cid: str, news: News, filled: Contracts = ZERO, venue_id: str | None = None) -> None:
    order = _order(book, cid)
    if order is not None:
        open_ = open_rebalance(book)
        book.rebalance = OpenRebalance(*open_[:16], order.told(news, filled, venue_id), *open_[17:])


def _order_advanced(book: "Book", record: rec.OrderAdvanced) -> None:
    news = News.COMPLETED if record.closed else News.ACCEPTED
    _told(book, record.cid, news, record.filled, record.venue_id)


def _order_cancel_asked(book: "Book", record: rec.OrderCancelAsked) -> None:
    _told(book, record.cid, News.CANCEL_ASKED)


def _order_rejected(book: "Book", record: rec.OrderRejected) -> None:
    _told(book, record.cid, News.REFUSED)
    if not record.would_take:
        open_ = open_rebalance(book)
        book.rebalance = open_._replace(rejects=open_.rejects + 1)
        book.failures += 1


def _order_lost(book: "Book", record: rec.OrderLost) -> None:
    _told(book, record.cid, News.LOST)


def _order_dead(book: "Book", record: rec.OrderDead) -> None:
    _told(book, record.cid, News.NEVER_ARRIVED)
    book.dead_orders = (*book.dead_orders, record.cid)[-_REMEMBERED:]
    book.failures += 1


def _filled(book: "Book", record: rec.Filled) -> None:
    order = _order(book, record.cid) if record.cid else None
    value = ZERO if order is None else book.backed.value(order.mark)
    if order is not None and open_rebalance(book).kind is rec.Kind.FLOW:
        flow_fold.filled(book, record)
    else:
        book.ledger = book.ledger.after_trade(record.quantity, record.price, record.fee)
    book.recent_trades += (record.trade_id,)
    fill = venue_fill(record.trade_id, record.trade_ms, record.quantity, record.price)
    book.basis, book.ledger = book.basis.with_trade(fill, book.ledger)
    if order is not None:
        size = abs(record.quantity)
        open_, notional = open_rebalance(book), size * record.price
        order_booked = order._replace(booked=order.booked + size)
        traded = open_.traded + notional
        book.rebalance = OpenRebalance(*open_[:11], traded, *open_[12:16], order_booked, *open_[17:])
        day = book.day.on(record.time_ms)
        costs = record.fee + record.quantity * (record.price - order.mark)
        book.day = day._replace(
            turnover=day.turnover + in_values(notional, value), costs=day.costs + in_values(costs, value)
        )
        book.failures = 0


def _slice_settled(book: "Book", record: rec.SliceSettled) -> None:
    open_ = open_rebalance(book)
    order = open_.order
    book.starts = 0  # a process that settles a slice does not crash in vain
    settled = open_._replace(order=None, next_slice_ms=record.next_slice_ms)
    if order is not None and order.state is not OrderState.DEAD:
        # A patient slice that crossed is over: the next one is posted again.
        crossed = order.rests_until_ms is None and open_.urgency is Urgency.PATIENT
        settled = settled._replace(
            slices=open_.slices + 1,
            misses=open_.misses + 1 if order.missed and not crossed else 0,
            rejects=open_.rejects if order.state is OrderState.REJECTED else 0,
        )
    book.rebalance = settled


APPLY: "dict[type, Callable[[Book, Any], None]]" = {
    rec.OrderIntended: _order_intended,
    rec.OrderAdvanced: _order_advanced,
    rec.OrderCancelAsked: _order_cancel_asked,
    rec.OrderRejected: _order_rejected,
    rec.OrderLost: _order_lost,
    rec.OrderDead: _order_dead,
    rec.Filled: _filled,
    rec.SliceSettled: _slice_settled,
}
