"""Rows 20, 21 and 26 of the fault catalogue: clocks that are wrong, and a process that stood still."""

from functools import partial
from pathlib import Path

import pytest

from bot.core import events as ev
from bot.core import records as rec
from bot.core.engine import SKEW
from bot.daemon import take_up
from bot.daemon.clock_watch import ClockWatch
from bot.exchange.faults import When
from bot.testing import a_fund
from tests.support.desk import Desk
from tests.support.ordeal import ORDERS, Ordeal

ASLEEP_MS = 600_000


@pytest.mark.parametrize("by_ms", [10_000, -10_000])
async def test_row_20_clocks_ten_seconds_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_ms: int
) -> None:
    """Either way it is an incident, and nothing is increased until the clocks agree again."""
    monkeypatch.setattr(take_up, "ClockWatch", partial(ClockWatch, every_s=0.05))
    async with Ordeal(tmp_path) as ordeal:
        ordeal.start()
        await ordeal.until_recorded(rec.Filled)
        ordeal.script("clock_skewed", When(times=None), by_ms=by_ms)
        await ordeal.until(lambda: SKEW in ordeal.incidents(), "it was noticed")
        ordeal.exchange.faults.clear()
        await ordeal.until_recorded(rec.IncidentClosed)
        sent = len(ordeal.records(rec.OrderIntended))
        await ordeal.until_recorded(rec.OrderIntended, sent + 2)
        await ordeal.end()
        opened, closed = ordeal.records(rec.IncidentOpened)[0], ordeal.records(rec.IncidentClosed)[0]
        sent_ms = [one.time_ms for one in ordeal.records(rec.OrderIntended)]
        assert not [time_ms for time_ms in sent_ms if opened.time_ms < time_ms < closed.time_ms]
        (ahead_ms,) = [int(word) for word in opened.detail.split() if word.lstrip("-").isdigit()]
        assert abs(ahead_ms + by_ms) < 4_000  # a comparison is as exact as the answer was quick


async def test_row_21_a_timestamp_outside_of_the_window(tmp_path: Path) -> None:
    """-1021 is final for that order; the offset is taken anew, and the next one has an id of its own."""
    async with Ordeal(tmp_path) as ordeal:
        ordeal.script("rejected", match=ORDERS, code=-1021)
        ordeal.start()
        await ordeal.until_recorded(rec.SliceSettled, 3)
        await ordeal.end()
        (refused,) = ordeal.records(rec.OrderRejected)
        assert refused.code == "-1021"
        cids = [one.cid for one in ordeal.records(rec.OrderIntended)]
        assert cids[0] == refused.cid
        assert len(cids) == len(set(cids))


async def test_row_26_a_process_that_stood_still() -> None:
    """Asleep for ten minutes: what waited for it is old, and is not traded by; then one order, no burst."""
    desk = Desk(a_fund(capital="2000000"))
    runner = await desk.opened()
    sent = len(desk.venue.sent)
    assert runner.state.book.rebalance is not None
    woken_ms = desk.clock.market + ASLEEP_MS
    desk.clock.wall += ASLEEP_MS
    for old_ms in range(desk.clock.market + 1_000, desk.clock.market + 60_000, 1_000):
        desk.clock.market = woken_ms
        runner.handle(ev.Mark(old_ms, woken_ms, desk.price))
        await runner.wait_quiet()
    assert len(desk.venue.sent) == sent
    desk.mark(runner, woken_ms + 1_000)
    await runner.wait_quiet()
    assert len(desk.venue.sent) == sent + 1
    assert desk.venue.ledger.position == runner.state.book.position
