"""Rows 12 to 15 and 18 of the fault catalogue: the streams of orders and marks."""

from pathlib import Path
from typing import Any

import pytest

from bot.core import records as rec
from bot.core.engine import STALE
from bot.exchange.faults import When
from bot.simulation.faults import Fault
from tests.support.ordeal import Ordeal
from tests.support.play import ALWAYS, Played, play

ALL = When(times=None)
NEWS = {"event": "ORDER_TRADE_UPDATE"}
MARKS = {"event": "markPriceUpdate"}


def booked_once(played: Played) -> None:
    """Each trade of the venue is booked, once, and the rebalance is done."""
    booked = [fill.trade_id for fill in played.records(rec.Filled)]
    assert sorted(booked) == sorted(trade.number for trade in played.world.venue.trades)
    assert rec.Ending.DONE in {done.ending for done in played.records(rec.RebalanceFinished)}
    assert played.records(rec.IncidentOpened) == []


def test_row_12_news_twice() -> None:
    """Every frame of the order stream comes again: each fill is booked once."""
    booked_once(play({(Fault.NEWS_TWICE, ""): ALWAYS}))


async def test_row_12_frames_twice_over_the_wire(tmp_path: Path) -> None:
    """The same with the venue's own frames, of orders and of marks."""
    async with Ordeal(tmp_path) as ordeal:
        for match in (NEWS, MARKS):
            ordeal.script("event_duplicated", ALL, match)
        ordeal.start()
        await ordeal.until_recorded(rec.Filled, 2)
        await ordeal.end()
        trades = [fill.trade_id for fill in ordeal.records(rec.Filled)]
        assert len(trades) == len(set(trades))
        assert ordeal.incidents() == []


def test_row_13_news_lost() -> None:
    """No frame of the order stream comes: what the venue answers when asked is enough."""
    booked_once(play({(Fault.NEWS_LOST, ""): ALWAYS}))


async def test_row_13_frames_lost_over_the_wire(tmp_path: Path) -> None:
    """The same with the venue's own stream."""
    async with Ordeal(tmp_path) as ordeal:
        ordeal.script("event_lost", ALL, NEWS)
        ordeal.start()
        await ordeal.until_recorded(rec.Filled, 2)
        await ordeal.end()
        assert ordeal.incidents() == []


def test_row_14_news_late_and_overtaken() -> None:
    """News that comes after newer news takes nothing back: the cumulative fill only grows."""
    booked_once(play({(Fault.NEWS_LATE, ""): ALWAYS}))


@pytest.mark.parametrize("kind", ["event_reordered", "event_stale"])
async def test_row_14_frames_out_of_order_over_the_wire(tmp_path: Path, kind: str) -> None:
    """The venue's own frames, each after the one that follows it, or each again after it."""
    async with Ordeal(tmp_path) as ordeal:
        for match in (NEWS, MARKS):
            ordeal.script(kind, ALL, match)
        ordeal.start()
        await ordeal.until_recorded(rec.Filled, 2)
        await ordeal.end()
        grown: dict[str, Any] = {}
        for one in ordeal.records(rec.OrderAdvanced):
            assert one.filled >= grown.get(one.cid, 0)
            grown[one.cid] = one.filled
        assert ordeal.incidents() == []


@pytest.mark.parametrize("kind", ["socket_silent", "socket_reset", "socket_closed"])
async def test_row_15_a_stream_that_says_nothing_any_more(tmp_path: Path, kind: str) -> None:
    """Silence is an incident, and nothing is increased in it; connected anew, the rebalance goes on."""
    async with Ordeal(tmp_path) as ordeal:
        ordeal.script(kind, When(after=20), MARKS)
        ordeal.start()
        await ordeal.until(lambda: STALE in ordeal.incidents(), "the silence was noticed")
        await ordeal.until_recorded(rec.IncidentClosed)
        sent = len(ordeal.records(rec.OrderIntended))
        await ordeal.until_recorded(rec.OrderIntended, sent + 2)
        await ordeal.end()
        (opened,), (closed,) = ordeal.records(rec.IncidentOpened), ordeal.records(rec.IncidentClosed)
        within = [
            one
            for one in ordeal.records(rec.OrderIntended)
            if opened.time_ms < one.time_ms < closed.time_ms and not one.reduce_only
        ]
        assert within == []


async def test_row_15_an_order_stream_that_says_nothing_any_more(tmp_path: Path) -> None:
    """Its key runs out, its socket falls silent: orders are asked after, and nothing is missed."""
    async with Ordeal(tmp_path) as ordeal:
        ordeal.script("socket_silent", When(after=1), NEWS)
        ordeal.start()
        await ordeal.until_recorded(rec.Filled)
        ordeal.script("listen_key_expired", account="UP")
        await ordeal.until_recorded(rec.Filled, 3)
        await ordeal.end()
        assert ordeal.incidents() == []


@pytest.mark.parametrize("match", [NEWS, MARKS], ids=["orders", "marks"])
async def test_row_18_frames_that_make_no_sense(tmp_path: Path, match: dict[str, str]) -> None:
    """Half a text, NaN, nothing: the frame is refused, never believed."""
    async with Ordeal(tmp_path) as ordeal:
        for place, into in enumerate(("nan", "cut", "empty")):
            ordeal.script("frame_malformed", When(after=4 + 3 * place), match, into=into)
        ordeal.start()
        await ordeal.until(lambda: all(one.fired for one in ordeal.scripted), "all of them came")
        filled = len(ordeal.records(rec.Filled))
        await ordeal.until_recorded(rec.Filled, filled + 2)
        await ordeal.end()
        assert set(ordeal.incidents()) <= {STALE}
