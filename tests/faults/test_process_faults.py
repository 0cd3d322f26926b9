"""Rows 22 to 24 of the fault catalogue: how a process ends. `tests/soak/kills.py` kills real ones."""

import asyncio
from pathlib import Path

import pytest

from bot.core import records as rec
from bot.core.breaches import CRASH_LOOP
from bot.simulation.faults import Fault
from tests.support.ordeal import ORDERS, Ordeal
from tests.support.play import play

KILLS = (
    Fault.KILLED_BEFORE_WRITE,
    Fault.KILLED_AFTER_WRITE,
    Fault.KILLED_BEFORE_SEND,
    Fault.KILLED_AFTER_SEND,
)


@pytest.mark.parametrize("kill", KILLS, ids=str)
def test_row_22_killed_anywhere(kill: Fault) -> None:
    """Around a write, around a send, at three instants: each life goes on where the last one ended."""
    played = play({(kill, ""): {3, 9, 14}}, strikes={Fault.KILLED: [60, 200, 450]})
    assert played.outcome.lives == 7
    cids = [order.cid for order in played.records(rec.OrderIntended)]
    assert len(cids) == len(set(cids))
    booked = [fill.trade_id for fill in played.records(rec.Filled)]
    assert sorted(booked) == sorted(trade.number for trade in played.world.venue.trades)
    assert len(played.records(rec.RebalanceStarted)) == 1


async def test_row_23_stopped_in_the_middle_of_a_slice(tmp_path: Path) -> None:
    """SIGTERM while an order's answer is out: it is awaited, booked, and only then the process ends."""
    async with Ordeal(tmp_path) as ordeal:
        late = ordeal.script("reply_delayed", match=ORDERS, by_s=0.5)
        ordeal.start()
        await ordeal.until(lambda: late.fired, "the order was carried out")
        assert ordeal.records(rec.OrderAdvanced) == []
        await ordeal.stop()
        assert await asyncio.wait_for(ordeal.task, 1) == 0
        first = ordeal.records(rec.OrderIntended)[0].cid
        told = [one for one in ordeal.records(rec.OrderAdvanced) if one.cid == first]
        assert told
        assert len(ordeal.records(rec.OrderIntended)) == 1
        assert ordeal.records(rec.RebalanceParked)
        ordeal.start()
        await ordeal.until_recorded(rec.SliceSettled, 3)
        await ordeal.end()


def test_row_24_a_crash_loop() -> None:
    """Eleven lives that come to nothing are a breach, which outlasts them all until an operator rearms it."""
    played = play({}, strikes={Fault.KILLED: [2 + 0.7 * number for number in range(20)]})
    (opened,) = [one for one in played.records(rec.IncidentOpened) if one.code == CRASH_LOOP]
    assert opened.stops_increases
    (closed,) = [one for one in played.records(rec.IncidentClosed) if one.code == CRASH_LOOP]
    assert "operator" in closed.how
    sent = [one.time_ms for one in played.records(rec.OrderIntended)]
    assert not [time_ms for time_ms in sent if opened.time_ms < time_ms < closed.time_ms]
