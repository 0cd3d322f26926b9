"""The clock of testnet and live: nobody who sets the system's clock moves a deadline, a timer or an age."""

import asyncio
import time

import pytest

from bot.core.events import Mark
from bot.core.watch_events import ClockSeen
from bot.daemon.runner import Runner
from bot.daemon.timers import WallTimers
from bot.venue.clock import WallClock
from tests.support.desk import Desk
from tests.support.venue_stub import VenueStub, json_answer
from tests.venue.conftest import Account

HOUR_MS = 3_600_000


class Times:
    """The system's time, which somebody may set, and the steady one, which nobody can."""

    def __init__(self) -> None:
        """Any day, a while after the machine was started."""
        self.system_ms = 1_800_000_000_000
        self.steady_ms = 86_400_000
        self.clock = WallClock(lambda: self.system_ms, lambda: self.steady_ms)

    def passes(self, ms: int) -> None:
        """Both go on."""
        self.system_ms += ms
        self.steady_ms += ms


@pytest.mark.parametrize("jump_ms", [HOUR_MS, -HOUR_MS])
def test_a_system_clock_that_is_set_moves_nothing(jump_ms: int) -> None:
    """Neither time of the daemon jumps, and both go on at the pace of time."""
    times = Times()
    began_ms = times.clock.wall_ms()
    assert began_ms == times.system_ms
    times.system_ms += jump_ms
    times.passes(5_000)
    assert times.clock.wall_ms() == times.clock.market_ms() == began_ms + 5_000


@pytest.mark.parametrize("jump_ms", [HOUR_MS, -HOUR_MS])
def test_a_comparison_after_that_finds_nothing_to_correct(jump_ms: int) -> None:
    """The skew is the system's; what we go by was right all the time."""
    times = Times()
    venue_ms = times.system_ms
    times.clock.compared(0)
    times.system_ms += jump_ms
    times.clock.compared(times.system_ms - venue_ms)
    assert times.clock.market_ms() == venue_ms


@pytest.mark.parametrize("off_ms", [HOUR_MS, -HOUR_MS, 300])
def test_a_start_with_a_wrong_clock_goes_by_the_venues(off_ms: int) -> None:
    """From the first comparison on, which is before the first event of any fund."""
    times = Times()
    venue_ms = times.system_ms - off_ms
    times.clock.compared(off_ms)
    times.passes(1_000)
    assert times.clock.market_ms() == venue_ms + 1_000


def test_what_a_comparison_cannot_tell_is_left() -> None:
    """A slow answer moves no time back."""
    times = Times()
    times.clock.compared(200)
    assert times.clock.market_ms() == times.system_ms


def test_the_real_sources_agree_with_the_systems_clock() -> None:
    """And time does not stand still."""
    clock = WallClock()
    before_ms = time.time_ns() // 1_000_000
    told_ms = clock.wall_ms()
    assert before_ms - 1_000 < told_ms < time.time_ns() // 1_000_000 + 1_000
    assert clock.market_ms() >= told_ms


async def test_the_gateways_comparison_corrects_the_clock(stub: VenueStub, account: Account) -> None:
    """Of the system's clock and the venue's: what events are stamped by follows."""
    told: list[int] = []
    account.gateway._clock.compared = told.append  # type: ignore[assignment,method-assign]
    stub.answers["GET /fapi/v1/time"] = json_answer({"serverTime": WallClock().wall_ms() - 5_000})
    skew_ms = await account.gateway.skew_ms()
    assert told == [skew_ms]


@pytest.mark.parametrize("jump_ms", [HOUR_MS, -HOUR_MS])
async def test_a_rebalance_goes_on_at_its_pace_through_a_jump(jump_ms: int) -> None:
    """The next slice comes after its gap, not at once and not an hour later."""
    desk, times = Desk(), Times()
    times.system_ms, times.steady_ms = 1_000, 0
    times.clock = WallClock(lambda: times.system_ms, lambda: times.steady_ms)
    runner = await opened(desk, times)
    due_ms = runner.state.wake_ms
    assert due_ms is not None
    sent, gap_ms = len(desk.venue.sent), due_ms - times.clock.market_ms()
    times.system_ms += jump_ms
    runner.handle(ClockSeen(*runner.now(), 0))  # anything: the fund looks at the time
    assert (runner.state.wake_ms, len(desk.venue.sent)) == (due_ms, sent)
    timers = WallTimers()
    times.passes(gap_ms - 20)
    runner.handle(Mark(*runner.now(), desk.price))
    await runner.wait_quiet()
    assert len(desk.venue.sent) == sent
    timers.changed(runner)
    times.passes(20)
    async with asyncio.timeout(60):
        while len(desk.venue.sent) == sent:  # noqa: ASYNC110 - the loop's own timer is what is tested
            await asyncio.sleep(0.01)
    await runner.wait_quiet()


async def opened(desk: Desk, times: Times) -> Runner:
    """A fund in the middle of its first rebalance, by the clock that is tested; so is its venue."""
    runner = await desk.opened()
    runner._clock = times.clock
    desk.clock.market_ms = times.clock.market_ms  # type: ignore[method-assign]
    desk.clock.wall_ms = times.clock.wall_ms  # type: ignore[method-assign]
    return runner
