"""The core alone: what a mark costs when it changes nothing, and when it starts a rebalance."""

import sys
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import main, report, seconds_per_call
from bot.core.caps import USUAL_CAPS
from bot.core.commands import Command, FetchTouch, FetchVolume
from bot.core.engine import step
from bot.core.events import Event, Mark, TouchSeen, VolumeSeen
from bot.core.limits import SubmitOrder
from bot.core.records import RebalanceStarted, Record
from bot.core.traffic import Traffic
from bot.core.turn import State
from bot.daemon.garbage import settle_garbage
from bot.testing import Lab, a_fund

HOLD_LIMIT_US = 2.0
DECISION_LIMIT_US = 50.0


def measure(*, tiny: bool = False) -> None:
    """Time `step`, the construction of its mark included."""
    calls, samples = (2_000, 3) if tiny else (100_000, 15)
    lab = Lab(a_fund())
    lab.settle()
    lab.mark("60000")
    inside = [f"{60_000 + i * 0.37:.8f}" for i in range(1_000)]
    _see_that_it_holds(lab, inside)
    _measure_marks("mark inside the hold region", lab, inside, calls, samples, HOLD_LIMIT_US)
    calls //= 40
    low = [f"{44_000 + i * 0.37:.8f}" for i in range(1_000)]
    high = [f"{90_100 + i * 0.37:.8f}" for i in range(1_000)]
    _see_that_it_trades(lab, low[0])
    _see_that_it_asks(lab, high[0])
    settle_garbage()
    _measure_marks("decision and first slice, above the band", lab, low, calls, samples, DECISION_LIMIT_US)
    _measure_marks("decision below the band, best prices asked", lab, high, calls, samples, DECISION_LIMIT_US)
    _measure_posting(lab, high[0], calls, samples)
    _measure_caps(calls, samples)


def _measure_marks(
    figure: str, lab: Lab, texts: list[str], calls: int, samples: int, limit_us: float
) -> None:
    """Give the same state one mark after another, each at a price of its own."""
    state, time_ms, wall_ms = lab.state, lab.time_ms + 1, lab.wall_ms
    prices = [Decimal(text) for text in texts]
    due, rate, count = lab.time_ms + 28_800_000, Decimal("0.0001"), len(prices)

    def loop(calls: int) -> None:
        for i in range(calls):
            step(state, Mark(time_ms, wall_ms, prices[i % count], due, rate))

    def empty(calls: int) -> None:
        for i in range(calls):
            _nothing(state, Mark(time_ms, wall_ms, prices[i % count], due, rate))

    baseline = min(seconds_per_call(empty, calls, samples)) * 1e6
    found = [s * 1e6 for s in seconds_per_call(loop, calls, samples)]
    report("core", figure, found, "us", limit=limit_us, baseline=baseline, best=round(min(found), 2))


def _measure_posting(lab: Lab, price: str, calls: int, samples: int) -> None:
    """A patient slice waits for best bid and ask: the step from that answer to its post-only order."""
    asking = step(lab.state, Mark(lab.time_ms + 1, lab.wall_ms, Decimal(price)))[0]
    waiting = step(asking, VolumeSeen(lab.time_ms + 1, lab.wall_ms, Decimal(9_000), 900_000))[0]
    bid = Decimal(price).quantize(Decimal("0.1"))
    touch = TouchSeen(lab.time_ms + 1, lab.wall_ms, bid, bid + 1)
    assert any(isinstance(command, SubmitOrder) for command in step(waiting, touch)[2])

    def loop(calls: int) -> None:
        for _ in range(calls):
            step(waiting, touch)

    found = [s * 1e6 for s in seconds_per_call(loop, calls, samples)]
    figure = "first slice below the band, from best prices"
    report("core", figure, found, "us", best=round(min(found), 2))


def _measure_caps(calls: int, samples: int) -> None:
    """Judge and count one more order by the caps, where an hour holds as many as it may, and where none."""
    caps, one = USUAL_CAPS, Decimal("0.001")
    full = Traffic()
    for i in range(60 * caps.orders_per_minute):
        full = full.after(i * 1_000, one)
    time_ms = 60 * caps.orders_per_minute * 1_000

    def loop(calls: int, of: Traffic = full) -> None:
        for _ in range(calls):
            of.problem(time_ms, one, one * 1_000, caps)
            of.after(time_ms, one)

    empty = min(seconds_per_call(lambda calls: loop(calls, Traffic()), calls, samples)) * 1e6
    found = [s * 1e6 for s in seconds_per_call(loop, calls, samples)]
    figure = "caps judged and an order counted, 3,600 orders in the hour"
    report("core", figure, found, "us", baseline=empty, best=round(min(found), 2))


def _nothing(state: State, _: Event) -> tuple[State, tuple[Record, ...], tuple[Command, ...]]:
    return state, (), ()


def _see_that_it_holds(lab: Lab, prices: list[str]) -> None:
    for price in prices[0], prices[-1]:
        _, records, commands = step(lab.state, Mark(lab.time_ms + 1, lab.wall_ms, Decimal(price)))
        assert (records, commands) == ((), ())


def _see_that_it_trades(lab: Lab, price: str) -> None:
    _, records, commands = step(lab.state, Mark(lab.time_ms + 1, lab.wall_ms, Decimal(price)))
    assert any(isinstance(record, RebalanceStarted) for record in records)
    assert any(isinstance(command, SubmitOrder) for command in commands)


def _see_that_it_asks(lab: Lab, price: str) -> None:
    commands = step(lab.state, Mark(lab.time_ms + 1, lab.wall_ms, Decimal(price)))[2]
    assert [type(command) for command in commands] == [FetchVolume, FetchTouch]


if __name__ == "__main__":
    main(measure)
