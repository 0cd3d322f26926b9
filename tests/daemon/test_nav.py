import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from bot.core.bars import Bar, Closed
from bot.daemon.nav import NavRecorder, Stretch, row_of
from bot.daemon.runner import Runner
from bot.journal.errors import JournalUnavailable
from bot.journal.nav_store import NAV_FILE, NavStore, Part, Row
from bot.testing import a_fund
from strategies.interval import Interval
from tests.daemon.conftest import Logged
from tests.support.desk import Desk

ALL = 10**14


class Recorded:
    """A fund at work whose NAV is recorded."""

    def __init__(self, desk: Desk, runner: Runner, folder: Path) -> None:
        self.desk, self.runner, self.folder = desk, runner, folder
        self.begin()

    def begin(self) -> None:
        """A process begins to record."""
        self.store = NavStore(self.folder / NAV_FILE)
        self.recorder = NavRecorder(self.store)

    def end(self) -> None:
        """It stops."""
        self.recorder.close()
        self.store.close()

    async def mark(self, time_ms: int, price: str) -> None:
        """A mark comes, and is recorded."""
        self.desk.mark(self.runner, time_ms, price)
        await self.runner.wait_quiet()
        mark = self.runner.state.mark
        assert mark is not None
        self.recorder.take(self.runner, mark)

    async def rows(self, interval: str = "1m", start: int = 0, end: int = ALL, limit: int = 100) -> Any:
        """Bars as the public sees them."""
        wanted = Stretch(Part(interval, "nav"), start, end, limit)
        return json.loads(await self.recorder.rows("BTCUP", wanted))

    @property
    def true_nav(self) -> float:
        """What a unit is worth at the last mark."""
        book = self.runner.state.book
        return float(book.ledger.value(self.desk.price) / book.units)

    async def settled(self) -> None:
        """Let the rebalance under way end; what happens meanwhile is recorded."""
        while self.runner.state.book.rebalance is not None or not self.runner.state.book.opened:
            wake_ms = self.runner.state.wake_ms or self.desk.clock.market_ms() + 1_000
            await self.mark(wake_ms, str(self.desk.price))


@pytest.fixture
async def recorded(tmp_path: Path) -> AsyncIterator[Recorded]:
    """BTCUP, which is secretly opening."""
    desk = Desk()
    recorded = Recorded(desk, await desk.opened(), tmp_path)
    yield recorded
    recorded.end()
    recorded.runner.cancel()


async def test_while_it_opens_in_secret_the_public_sees_nav_one(recorded: Recorded) -> None:
    """And at the reveal the history is filled in with the truth, closed bars and those under way."""
    await recorded.mark(2_000, "60000")
    await recorded.settled()
    ended_ms = recorded.desk.clock.market_ms()
    await recorded.mark(ended_ms + 60_000, "63000")
    assert {row[4] for row in await recorded.rows()} == {"1"}
    assert {row[4] for row in await recorded.rows("1d")} == {"1"}
    hidden, true = await recorded.rows(), recorded.true_nav
    assert true > 1.05

    await recorded.mark(ended_ms + 3_600_000, "63000")
    rows = await recorded.rows()
    assert [row[0] for row in rows[:-1]] == [row[0] for row in hidden]
    assert float(rows[len(hidden) - 1][4]) == pytest.approx(true, rel=1e-9)
    (day,) = await recorded.rows("1d")
    assert float(day[2]) == pytest.approx(true, rel=1e-9)
    assert float(day[3]) < 1
    assert day[5] == sum(row[5] for row in rows)


async def test_a_new_process_goes_on_where_the_last_one_ended(recorded: Recorded) -> None:
    """Bars that are under way are continued, hidden ones stay hidden."""
    await recorded.mark(2_000, "60000")
    await recorded.settled()
    at_ms = recorded.desk.clock.market_ms() // 60_000 * 60_000 + 60_000
    await recorded.mark(at_ms + 1_000, "60600")
    before = await recorded.rows("1h")
    recorded.end()
    recorded.begin()
    await recorded.mark(at_ms + 2_000, "61000")
    (hour,) = await recorded.rows("1h")
    assert hour[5] == before[0][5] + 1
    assert {row[2] for row in await recorded.rows()} == {"1"}
    assert (await recorded.rows())[-1][5] == 2


async def test_the_shadows_nav_stands_beside_the_funds(tmp_path: Path) -> None:
    """With mark and leverage, at the end of each bar."""
    desk = Desk(fund=replace(a_fund(), shadow=Interval()))
    recorded = Recorded(desk, await desk.opened(), tmp_path)
    await recorded.mark(2_000, "60000")
    await recorded.mark(3_000, "60600")
    wanted = Stretch(Part("1m", "rest"), 0, ALL, 9)
    ((_, mark, leverage, shadow),) = json.loads(await recorded.recorder.rows("BTCUP", wanted))
    assert (mark, leverage) == ("60600", "0")
    assert float(shadow) == pytest.approx(1.03, abs=0.002)
    recorded.end()
    recorded.runner.cancel()


async def test_a_stretch_and_a_limit_choose_the_bars(recorded: Recorded) -> None:
    """`limit` gives the newest; a fund that was never seen has none; old marks are no updates."""
    for minute in range(1, 6):
        await recorded.mark(minute * 60_000, "60000")
    starts = [minute * 60_000 for minute in range(1, 6)]
    assert [row[0] for row in await recorded.rows()] == starts
    assert [row[0] for row in await recorded.rows(limit=2)] == starts[-2:]
    assert [row[0] for row in await recorded.rows(start=120_000, end=240_000)] == starts[1:3]
    assert [row[0] for row in await recorded.rows(end=240_000, limit=1)] == [180_000]
    assert await recorded.recorder.rows("NONE", Stretch(Part("1m", "rest"), 0, ALL, 9)) == b"[]"
    mark = recorded.runner.state.mark
    assert mark is not None
    recorded.recorder.take(recorded.runner, mark)
    assert (await recorded.rows())[-1][5] == 1


def test_numbers_are_decimal_strings_without_exponents() -> None:
    """A NAV that ran down to nearly nothing, too; what is undefined is null."""
    row = row_of("BTCDOWN", Closed("1m", Bar(0, 5e-05, 1e-12, 0.1, 1234567.891, 3, 6e4, None), None))
    assert row.nav == '[0,"0.00005","0.000000000001","0.1","1234567.891",3]'
    assert row.rest == '[0,"60000",null,null]'


class Stubborn(NavStore):
    """One that does not take what it is given until it is well again."""

    ill = True

    def write(self, rows: Sequence[Row], lengths_ms: dict[str, int], hidden_since: dict[str, int]) -> None:
        """Refuse, or write."""
        if self.ill:
            raise JournalUnavailable("the database is gone")
        super().write(rows, lengths_ms, hidden_since)


async def test_what_the_store_refused_is_stored_later(recorded: Recorded) -> None:
    """Bars that closed while the database was away are in the history once it is back."""
    recorded.end()
    store = Stubborn(recorded.folder / "other.sqlite")
    recorded.recorder = NavRecorder(store)
    for minute in range(1, 4):
        await recorded.mark(minute * 60_000, "60000")
        with pytest.raises(JournalUnavailable):
            await recorded.recorder.store()
    store.ill = False
    assert [row[0] for row in await recorded.rows()] == [60_000, 120_000, 180_000]
    store.ill = True
    recorded.recorder.close()  # and an end without the store is told, and no error
    store.close()
    recorded.begin()


async def test_a_full_disk_does_not_fail_the_stop(recorded: Recorded, logged: Logged) -> None:
    """The last moments cannot be stored: that is told, and everything after it is closed as ever."""
    await recorded.mark(60_000, "60000")
    pages = recorded.store._connection.execute("PRAGMA page_count").fetchone()[0]
    recorded.store._connection.execute(f"PRAGMA max_page_count = {pages}")
    for minute in range(2, 400):
        await recorded.mark(minute * 60_000, "60000")
    recorded.end()
    (told,) = [line["reason"] for line in logged() if line["event"] == "nav_not_stored"]
    assert "database or disk is full" in told
    recorded.begin()


async def test_whoever_lost_the_store_waits_for_nothing(recorded: Recorded) -> None:
    """A store that does not answer holds nobody up; the thread closes it when it is free again."""
    recorded.end()
    gate, closed = Event(), Event()

    class Silent(NavStore):
        def write(self, *_: object) -> None:
            """The server says nothing."""
            gate.wait(60)

    store = Silent(recorded.folder / "silent.sqlite")
    recorded.recorder = NavRecorder(store)
    await recorded.mark(60_000, "60000")
    writing = asyncio.create_task(recorded.recorder.store())
    await asyncio.sleep(0)
    recorded.recorder.abandon(closed.set)
    assert not closed.is_set()
    gate.set()
    await writing
    assert await asyncio.to_thread(closed.wait, 60)
    store.close()
    recorded.begin()
