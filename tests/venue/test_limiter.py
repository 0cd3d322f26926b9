"""One budget of request weight per host, orders first."""

import asyncio

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.simulation.loop import VirtualLoop
from bot.venue.errors import RequestFailed
from bot.venue.limiter import Limiter


async def test_without_a_rate_nothing_waits() -> None:
    """The paper exchange is not limited."""
    limiter = Limiter()
    for _ in range(10_000):
        await limiter.acquire(30, patience_s=0)


async def test_a_burst_passes_and_then_the_rate_holds() -> None:
    """Reads get four fifths of the bucket at once, and then wait for the refill."""
    loop = asyncio.get_running_loop()
    limiter = Limiter(rate_per_s=100, burst=50)
    began_s = loop.time()
    await asyncio.gather(*(limiter.acquire(5, patience_s=5) for _ in range(8)))
    burst_s = loop.time() - began_s
    await asyncio.gather(*(limiter.acquire(5, patience_s=5) for _ in range(4)))

    assert loop.time() - began_s - burst_s >= 0.19


@given(st.lists(st.floats(0.1, 7), min_size=2, max_size=20))
@example([0.1] * 20)
def test_a_wait_that_is_too_short_for_a_float_is_no_spin(weights: list[float]) -> None:
    """What rounding leaves missing is asked for a moment later, not at the same instant again and again."""

    async def much() -> None:
        await asyncio.sleep(100_000)
        limiter = Limiter(rate_per_s=40, burst=10)
        for weight in weights:
            await limiter.acquire(weight, patience_s=60)

    loop = VirtualLoop()
    loop.run_until_complete(much())
    loop.close()


async def test_orders_pass_waiting_reads() -> None:
    """An order that comes after a queue of reads goes out before them, from the reserve."""
    limiter = Limiter(rate_per_s=50, burst=10)
    done: list[str] = []

    async def want(name: str, weight: float, *, order: bool) -> None:
        await limiter.acquire(weight, order=order, patience_s=5)
        done.append(name)

    reads = [asyncio.create_task(want(f"read {number}", 8, order=False)) for number in range(3)]
    await asyncio.sleep(0)
    await want("order", 1, order=True)
    await asyncio.gather(*reads)

    assert done == ["read 0", "order", "read 1", "read 2"]


async def test_an_order_is_granted_at_once_where_nothing_stands_before_it() -> None:
    """From the reserve too, and until the bucket is empty; a read that waits does not count."""
    limiter = Limiter(rate_per_s=1, burst=5)
    await limiter.acquire(4, patience_s=1)
    read = asyncio.create_task(limiter.acquire(4, patience_s=10))
    await asyncio.sleep(0)

    assert limiter.take(1)
    assert not limiter.take(1)
    read.cancel()


async def test_an_order_behind_a_waiting_order_or_a_hold_is_not_granted_at_once() -> None:
    """Orders keep their order, and what the venue said is obeyed."""
    limiter = Limiter(rate_per_s=100, burst=5)
    await limiter.acquire(4, patience_s=1)
    first = asyncio.create_task(limiter.acquire(3, order=True, patience_s=10))
    await asyncio.sleep(0)
    assert not limiter.take(1)
    await first

    held = Limiter()
    held.hold(10)
    assert not held.take(1)


async def test_patience_ends_in_a_failure_that_says_nothing_was_sent() -> None:
    """Who cannot be served in time is told so, and leaves the queue to the others."""
    limiter = Limiter(rate_per_s=1, burst=5)
    await limiter.acquire(4, patience_s=1)

    with pytest.raises(RequestFailed, match="not sent") as caught:
        await limiter.acquire(4, patience_s=0.02)
    assert caught.value.code == "rate_limit"
    await limiter.acquire(1, order=True, patience_s=0.1)


async def test_a_hold_stops_everything_for_its_time() -> None:
    """When the venue says back off, orders wait too, and fail at once if that takes too long."""
    limiter = Limiter()
    limiter.hold(0.1)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    with pytest.raises(RequestFailed, match="held back"):
        await limiter.acquire(1, order=True, patience_s=0.01)
    await limiter.acquire(1, order=True, patience_s=1)

    assert loop.time() - began_s >= 0.09


async def test_a_cancelled_wait_leaves_the_queue() -> None:
    """Cancellation does not block those behind."""
    limiter = Limiter(rate_per_s=20, burst=5)
    await limiter.acquire(4, patience_s=1)
    stuck = asyncio.create_task(limiter.acquire(5, patience_s=10))
    await asyncio.sleep(0)
    stuck.cancel()
    await asyncio.gather(stuck, return_exceptions=True)

    await limiter.acquire(1, patience_s=1)


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=20))
def test_nobody_waits_for_ever(requests: list[tuple[int, bool]]) -> None:
    """Whatever is asked for, and in whatever order, everybody is served."""

    async def ask() -> None:
        limiter = Limiter(rate_per_s=20_000, burst=50)
        await asyncio.gather(
            *(limiter.acquire(weight, order=order, patience_s=5) for weight, order in requests)
        )

    loop = VirtualLoop()
    loop.run_until_complete(ask())
    loop.close()


class Kept:
    """What is kept of a hold, in memory."""

    def __init__(self, seconds: float = 0.0) -> None:
        """So much is left from the process before."""
        self.seconds = seconds

    def left_s(self) -> float:
        """What is left."""
        return self.seconds

    def keep(self, seconds: float) -> None:
        """Keep it."""
        self.seconds = seconds


async def test_a_hold_of_the_process_before_holds_this_one() -> None:
    """An order that would have to wait longer than it may is refused, with the time that is left."""
    limiter = Limiter(back_off=Kept(30))
    assert not limiter.take(1)
    with pytest.raises(RequestFailed) as caught:
        await limiter.acquire(1, order=True, patience_s=1)
    assert caught.value.wait_s == pytest.approx(30, abs=1)


async def test_what_the_venue_says_is_kept_and_the_longer_hold_counts() -> None:
    """A short one after a long one ends nothing."""
    kept = Kept()
    limiter = Limiter(back_off=kept)
    limiter.hold(60)
    limiter.hold(1)
    assert kept.seconds == pytest.approx(60, abs=1)


async def test_one_can_wait_for_the_end_of_a_hold() -> None:
    """Also where it becomes longer meanwhile; without one there is nothing to wait for."""
    limiter = Limiter()
    await limiter.until_free()
    limiter.hold(0.05)
    asyncio.get_running_loop().call_later(0.02, limiter.hold, 0.1)
    began_s = asyncio.get_running_loop().time()
    await limiter.until_free()
    assert asyncio.get_running_loop().time() - began_s >= 0.11
