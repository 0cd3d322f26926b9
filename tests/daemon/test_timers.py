import asyncio

from bot.core.records import OrderIntended
from bot.daemon.runner import Runner
from bot.daemon.timers import WallTimers, earliest
from tests.support.desk import Desk


async def almost_there(desk: Desk) -> tuple[Runner, asyncio.Event]:
    """A runner 20 ms before its next slice, and what is set when that slice is decided."""
    runner = await desk.opened()
    desk.mark(runner, (runner.state.wake_ms or 0) - 20)
    sliced = asyncio.Event()
    desk.listen = lambda _, records: (
        sliced.set() if any(isinstance(record, OrderIntended) for record in records) else None
    )
    return runner, sliced


async def test_a_fund_is_woken_when_its_time_has_come(desk: Desk) -> None:
    """Without any mark the fund goes on with its rebalance at its wake time."""
    runner, sliced = await almost_there(desk)
    timers = WallTimers()
    timers.changed(runner)
    assert not sliced.is_set()
    desk.clock.market += 20
    async with asyncio.timeout(60):
        await sliced.wait()
    await runner.wait_quiet()


async def test_a_time_that_has_passed_rings_at_once(desk: Desk) -> None:
    """A wake time that lies in the past, after a long step, is not lost."""
    runner, sliced = await almost_there(desk)
    desk.clock.market += 5_000
    WallTimers().changed(runner)
    async with asyncio.timeout(60):
        await sliced.wait()
    await runner.wait_quiet()


async def test_a_new_time_replaces_the_old_one(desk: Desk) -> None:
    """There is one timer a fund: told of the same time twice it keeps it, told of none it drops it."""
    runner = await desk.opened()
    timers = WallTimers()
    timers.changed(runner)
    first = timers._timers["BTCUP"][1]
    timers.changed(runner)
    assert timers._timers["BTCUP"][1] is first

    await desk.until_flat_out(runner)
    desk.mark(runner, runner.state.wake_ms or 0)  # the reveal was all that it still waited for
    assert runner.state.wake_ms is None
    timers.changed(runner)
    assert first.cancelled()
    assert timers._timers == {}


async def test_the_earliest_wake_is_the_least_that_is_wanted(desk: Desk) -> None:
    """Funds that want nothing do not count; of none, there is none."""
    runner = await desk.opened()
    assert earliest([Desk().runner()]) is None
    assert earliest([Desk().runner(), runner]) == runner.state.wake_ms


async def test_a_fund_that_has_stopped_is_not_woken_any_more(desk: Desk) -> None:
    """It does nothing when woken, so its time would be past for ever, and its alarm ring without end."""
    runner = await desk.opened()
    assert runner.state.wake_ms is not None
    timers = WallTimers()
    timers.changed(runner)
    runner.failure = "the disk is full"
    timers.changed(runner)
    assert timers._timers == {}
    assert earliest([runner]) is None
