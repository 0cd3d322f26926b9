"""A fund hears of a clock that is off, once, and of its being right again."""

import asyncio
from contextlib import suppress

from bot.core.book import fold
from bot.core.engine import SKEW
from bot.core.units import ZERO
from bot.core.watch_events import ClockSeen
from bot.daemon.clock_watch import ClockWatch
from bot.venue.errors import RequestFailed
from tests.support.desk import Desk


async def heard(desk: Desk, *skews: int | None) -> list[int]:
    """What a fund is told while these comparisons come in; None is one that fails."""
    runner = await desk.opened()
    told: list[int] = []
    left, through = list(skews), asyncio.Event()
    handle = runner.handle

    def listen(event: object) -> None:
        if isinstance(event, ClockSeen):
            told.append(event.skew_ms)
            handle(event)

    runner.handle = listen  # type: ignore[method-assign]

    async def compare() -> int:
        if not left:
            through.set()
            await asyncio.Event().wait()
        skew = left.pop(0)
        if skew is None:
            raise RequestFailed("timeout", "no answer", transient=True)
        return skew

    watching = asyncio.create_task(ClockWatch(runner, compare, every_s=0.0).run())
    await through.wait()
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    return told


async def test_only_what_changes_is_told() -> None:
    """Jitter is not; a comparison that fails says nothing. The first one is told whatever it says."""
    assert await heard(Desk(), None, 3, -40, None, 2_600, 2_700, 2_390, 5) == [3, 2_600, 5]


async def test_a_start_with_a_clock_that_was_set_meanwhile_ends_the_incident(desk: Desk) -> None:
    """That the clocks agree is no change to the process that finds it, and is told all the same."""
    await heard(desk, 9_000)
    assert SKEW in fold(desk.records).incidents
    runner = desk.runner(fold(desk.records))
    runner.begin(ZERO, adopt=False)
    looked = asyncio.Event()

    async def compare() -> int:
        looked.set()
        return 12

    watching = asyncio.create_task(ClockWatch(runner, compare).run())
    await looked.wait()
    await asyncio.sleep(0)
    watching.cancel()
    assert SKEW not in fold(desk.records).incidents


async def test_a_clock_that_is_off_is_an_incident_of_the_fund() -> None:
    """In its journal, with a remedy."""
    desk = Desk()
    await heard(desk, 9_000, None)
    assert "IncidentOpened" in {type(record).__name__ for record in desk.records}
