"""Rows 1 to 11 and 16 to 19 of the fault catalogue: the network, and what the venue answers.

`play` has the simulation's judge compare all the time with the venue's own ledger; `Ordeal.end` compares with
the exchange's store. Both demand that the faults fired.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bot.core import records as rec
from bot.core.breaches import REJECTED
from bot.core.orders import ORDER_LIFETIME_MS
from bot.exchange.faults import When
from bot.simulation.clock import EPOCH_MS
from bot.simulation.faults import Fault
from tests.support.ordeal import ORDERS, Ordeal
from tests.support.play import ALWAYS, play

LONG_AWAY = 4
"""A seed whose venue is away for ten minutes."""

UNKNOWN = ("unknown", "unavailable", "-1000", "-1001", "-1006", "-1007", "bad_gateway", "gateway_timeout")
"""Answers that say nothing of the order. Those with -1008 do: by them the venue did not carry it out."""


def test_row_01_timeout_of_an_order_that_was_executed() -> None:
    """The answer is lost: the outcome is unknown until the order is found by its id; nothing is resent."""
    played = play({(Fault.REPLY_LOST, "order"): {0}})
    cid = played.first.cid
    assert played.world.venue.orders[cid][0].filled == abs(played.first.quantity)
    assert "OrderDead" not in played.about(cid)
    assert [fill.cid for fill in played.records(rec.Filled)].count(cid) >= 1
    assert played.about(cid)[-1] == "SliceSettled"


def test_row_02_timeout_of_an_order_that_never_arrived() -> None:
    """It is dead only once it can no longer arrive; what follows has an id of its own."""
    played = play({(Fault.REQUEST_LOST, "order"): {0}})
    (dead,) = played.records(rec.OrderDead)
    assert dead.cid == played.first.cid
    assert dead.time_ms - played.first.time_ms >= ORDER_LIFETIME_MS
    assert dead.cid not in played.world.venue.orders
    assert played.about(dead.cid) == ["OrderIntended", "OrderLost", "OrderDead", "SliceSettled"]


@pytest.mark.parametrize("also", [(Fault.KILLED_AFTER_SEND, ""), (Fault.REPLY_LOST, "order")], ids=str)
def test_row_03_late_arrival_before_it_expires(also: tuple[Fault, str]) -> None:
    """Looked up before it has arrived, by a process that follows or by the same: found, counted once."""
    played = play({(Fault.REQUEST_LATE, "order"): {0}, also: {0}})
    cid = played.first.cid
    (order,) = played.world.venue.orders[cid]
    assert order.arrived_ms - played.first.time_ms >= 500
    booked = [fill.trade_id for fill in played.records(rec.Filled) if fill.cid == cid]
    assert sorted(booked) == sorted(t.number for t in played.world.venue.trades if t.cid == cid)
    assert "OrderDead" not in played.about(cid)


def test_row_04_late_arrival_after_it_expired() -> None:
    """The venue refuses it; where that is not heard of either, it is dead."""
    heard = play({(Fault.REQUEST_TOO_LATE, "order"): {0}})
    (refused, *_) = heard.records(rec.OrderRejected)
    assert (refused.cid, refused.code) == (heard.first.cid, "-1021")
    unheard = play({(Fault.REQUEST_TOO_LATE, "order"): {0}, (Fault.REPLY_LOST, "order"): {0}})
    assert [dead.cid for dead in unheard.records(rec.OrderDead)] == [unheard.first.cid]
    assert not {heard.first.cid} & heard.world.venue.orders.keys()
    assert not {unheard.first.cid} & unheard.world.venue.orders.keys()


def test_row_05_a_query_that_does_not_find_it_yet() -> None:
    """Not found is no evidence while the order may still show: it is asked again, and found."""
    played = play({(Fault.AMBIGUOUS, "order"): {0}, (Fault.NOT_FOUND_YET, ""): {0}})
    (order,) = played.world.venue.orders[played.first.cid]
    assert order.visible_ms > order.arrived_ms
    told = played.about(played.first.cid)
    assert told[:3] == ["OrderIntended", "OrderLost", "OrderAdvanced"]
    assert "OrderDead" not in told


async def test_row_06_ambiguous_errors_of_an_order_that_was_executed(tmp_path: Path) -> None:
    """Each body and status that says nothing: unknown, then found; each order is there once."""
    async with Ordeal(tmp_path) as ordeal:
        for place, name in enumerate(UNKNOWN):
            ordeal.script("error", When(after=place), ORDERS, name=name, executed=True)
        ordeal.start()
        await ordeal.until_recorded(rec.SliceSettled, len(UNKNOWN) + 1)
        await ordeal.end()
        assert len(ordeal.records(rec.OrderLost)) == len(UNKNOWN)
        assert ordeal.records(rec.OrderDead) == []
        assert ordeal.incidents() == []


def test_row_06_an_ambiguous_error_of_an_order_that_was_not_executed() -> None:
    """The same answer, and nothing behind it: dead after its deadline, not before."""
    played = play({(Fault.UNAVAILABLE, "order"): {0}})
    (dead,) = played.records(rec.OrderDead)
    assert dead.time_ms - played.first.time_ms >= ORDER_LIFETIME_MS
    assert dead.cid not in played.world.venue.orders


def test_row_07_definite_refusals() -> None:
    """Refused again and again: longer pauses, then a breach that stops increases until an operator rearms."""
    played = play({(Fault.REFUSED, ""): range(7)})
    refused = played.records(rec.OrderRejected)[:5]
    gaps = [later.time_ms - sooner.time_ms for sooner, later in pairwise(refused)]
    assert gaps == sorted(gaps)
    assert gaps[-1] > 4 * gaps[0]
    (opened, *_) = [one for one in played.records(rec.IncidentOpened) if one.code == REJECTED]
    assert opened.stops_increases
    assert opened.time_ms == refused[-1].time_ms
    closed = next(one for one in played.records(rec.IncidentClosed) if one.code == REJECTED)
    sent = [order.time_ms for order in played.records(rec.OrderIntended)]
    assert not [time_ms for time_ms in sent if opened.time_ms < time_ms < closed.time_ms]
    assert "operator" in closed.how
    assert not {one.cid for one in refused} & played.world.venue.orders.keys()


async def test_row_07_a_definite_refusal_over_the_wire(tmp_path: Path) -> None:
    """Binance's code for too little margin is final: no look-up, no second life, and the next order goes."""
    async with Ordeal(tmp_path) as ordeal:
        ordeal.script("rejected", match=ORDERS)
        ordeal.start()
        await ordeal.until_recorded(rec.SliceSettled, 3)
        await ordeal.end()
        (refused,) = ordeal.records(rec.OrderRejected)
        assert refused.code == "-2019"
        assert ordeal.records(rec.OrderLost) == []


@pytest.mark.parametrize(
    ("kind", "given"), [("rate_limited", {"retry_after_s": 2}), ("banned", {"for_s": 2.0})]
)
async def test_row_08_bans_with_retry_after(tmp_path: Path, kind: str, given: dict[str, Any]) -> None:
    """The venue takes nothing before its time is over: not from this process, and not from the next one."""
    async with Ordeal(tmp_path) as ordeal:
        ordeal.script(kind, match=ORDERS, **given)
        ordeal.start()
        await ordeal.until_recorded(rec.OrderRejected)
        await ordeal.stop()
        ordeal.start()
        await ordeal.until_recorded(rec.OrderAdvanced)
        assert ordeal.written_ms(rec.OrderAdvanced) - ordeal.written_ms(rec.OrderRejected) > 1_900
        await ordeal.until_recorded(rec.SliceSettled, 3)
        await ordeal.end()
        (refused,) = ordeal.records(rec.OrderRejected)
        assert refused.cid == ordeal.records(rec.OrderIntended)[0].cid


def test_row_09_maintenance() -> None:
    """The venue is away for ten minutes: the rebalance waits, and goes on from where it was."""
    played = play({}, strikes={Fault.MAINTENANCE: [30]}, seed=LONG_AWAY)
    arrived = sorted(order.arrived_ms for orders in played.world.venue.orders.values() for order in orders)
    before = [time_ms for time_ms in arrived if time_ms < EPOCH_MS + 30_000]
    assert before
    assert arrived[len(before)] - before[-1] >= 600_000
    assert len(played.records(rec.RebalanceStarted)) == 1
    assert [done.ending for done in played.records(rec.RebalanceFinished)] == [rec.Ending.DONE]


def test_row_10_partial_fills() -> None:
    """In a thin book prompt orders fill in part: what is left is worked out anew, to the very target."""
    played = play({(Fault.THIN_BOOK, ""): ALWAYS}, strikes={Fault.CRASH: [2_000]}, seconds=3_600)
    sizes = {order.cid: abs(order.quantity) for order in played.records(rec.OrderIntended)}
    settled = {one.cid: abs(one.filled) for one in played.records(rec.SliceSettled)}
    assert [cid for cid in settled if 0 < settled[cid] < sizes[cid]]
    assert {done.ending for done in played.records(rec.RebalanceFinished)} == {rec.Ending.DONE}


async def test_row_11_a_fill_before_the_cancel(tmp_path: Path) -> None:
    """The cancel comes too late: what the venue then says of the order counts, and all of it is booked."""
    async with Ordeal(tmp_path) as ordeal:
        ordeal.script("filled_before_cancel")
        ordeal.start()
        await ordeal.until_recorded(rec.SliceSettled, 2)
        await ordeal.end()
        asked = ordeal.records(rec.OrderCancelAsked)[0].cid
        (order,) = [one for one in ordeal.records(rec.OrderIntended) if one.cid == asked]
        (settled,) = [one for one in ordeal.records(rec.SliceSettled) if one.cid == asked]
        assert settled.filled == abs(order.quantity)


def test_row_16_no_connection() -> None:
    """No name, no handshake, no connection: that the order is not there must still be proved."""
    played = play({(Fault.UNREACHABLE, "order"): {0}, (Fault.UNREACHABLE, "query"): range(4)})
    told = played.about(played.first.cid)
    assert told == ["OrderIntended", "OrderLost", "OrderDead", "SliceSettled"]
    (dead,) = played.records(rec.OrderDead)
    assert dead.time_ms - played.first.time_ms >= ORDER_LIFETIME_MS


@pytest.mark.parametrize("kind", ["reply_reset", "reply_cut"])
async def test_row_17_reset_in_the_middle(tmp_path: Path, kind: str) -> None:
    """The connection ends within an exchange of order and answer: unknown, then found."""
    async with Ordeal(tmp_path) as ordeal:
        ordeal.script(kind, match=ORDERS)
        ordeal.start()
        await ordeal.until_recorded(rec.SliceSettled, 2)
        await ordeal.end()
        lost, *_ = ordeal.records(rec.OrderLost)
        assert lost.cid == ordeal.records(rec.OrderIntended)[0].cid
        assert ordeal.records(rec.OrderDead) == []


async def test_row_18_answers_that_make_no_sense(tmp_path: Path) -> None:
    """HTML, half a text, NaN, nothing: of an order that means unknown, and it is found."""
    async with Ordeal(tmp_path) as ordeal:
        kinds = ("html", "cut", "nan", "empty")
        for place, into in enumerate(kinds):
            ordeal.script("reply_malformed", When(after=place), ORDERS, into=into)
        ordeal.start()
        await ordeal.until_recorded(rec.SliceSettled, len(kinds) + 1)
        await ordeal.end()
        assert len(ordeal.records(rec.OrderLost)) == len(kinds)
        assert ordeal.records(rec.OrderDead) == []
