"""What the public side makes of marks."""

import json
from pathlib import Path

from bot.core.history import RebalanceHistory
from bot.daemon.nav import NavRecorder, Stretch
from bot.daemon.operations import Operations
from bot.journal.nav_store import NavStore, Part
from tests.support.desk import Desk


class OnlyOurs:
    """A pacer that takes every instant off a whole second for ours."""

    def __init__(self, desk: Desk) -> None:
        self.clock = desk.clock

    def watch(self, *_: object) -> None:
        """Nothing to wait for."""

    def saw(self, *_: object) -> None:
        """Nothing is said."""

    def stopped_for_us(self, time_ms: int) -> bool:
        """Whether a fund asked for it."""
        return time_ms % 1000 != 0


async def test_marks_that_came_because_a_fund_woke_are_not_the_publics(tmp_path: Path, desk: Desk) -> None:
    """Neither the latest time, nor the number of updates, nor a price tells that a slice was due.

    A reveal is seen at such a mark all the same, in the figures and in the bars.
    """
    operations = Operations("paper")
    operations.attach(desk, OnlyOurs(desk))  # type: ignore[arg-type]
    runner = await desk.opened()
    operations.add(runner, RebalanceHistory(runner.name))
    side, store = operations.public, NavStore(tmp_path / "nav.sqlite")
    side.recorder = NavRecorder(store)

    async def marked(time_ms: int, price: str) -> None:
        desk.mark(runner, time_ms, price)
        await runner.wait_quiet()
        mark = runner.state.mark
        assert mark is not None
        operations.marked("BTCUSDT", mark)
        await runner.wait_quiet()

    await marked(2_001, "60100")
    assert side.funds()[0]["mark"] is None
    await marked(30_000, "60000")
    seen, promised = side.funds()[0], side.performance(runner.name)
    for wake_ms in range(31_001, 50_000, 1_001):
        await marked(wake_ms, "60500")
    assert side.funds()[0] | {"condition": None} == seen | {"condition": None}
    assert side.performance(runner.name) == promised
    stretch = Stretch(Part("1m", "nav"), 0, 10**14, 100)
    (row,) = json.loads(await side.recorder.rows(runner.name, stretch))
    assert row[5] == 1
    while runner.state.book.public.hidden:
        await marked(desk.clock.market_ms() // 1000 * 1000 + 61_001, "60500")
    told = side.funds()[0]
    assert (told["mark"], told["updated_at"]) == (seen["mark"], seen["updated_at"])
    assert told["position"] != seen["position"]
    assert json.loads(await side.recorder.rows(runner.name, stretch))[0][4] != "1"
    operations.forget()
    assert side._marks == {}
    side.recorder.close()
    store.close()
    runner.cancel()
