"""Request weights: one token bucket for all accounts that share a host, with orders ahead of reads."""

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from bot.venue.errors import RequestFailed

_SOONEST_S = 0.001
"""So little may be missing that its wait does not change the time, which is a float: that would be a spin."""


class BackOff(Protocol):
    """Where it is kept for how long the venue told us to wait."""

    def left_s(self) -> float:
        """How much of it is left; 0 when it is over, or was never said."""
        ...

    def keep(self, seconds: float) -> None:
        """Nothing may be sent for so long, from now on."""
        ...


@dataclass(slots=True, eq=False)
class _Waiter:
    weight: float
    granted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Limiter:
    """Grants `rate_per_s` units of weight a second, at most `burst` at once.

    The last fifth of the bucket is kept for orders, so that a flood of reads never delays one. Without a
    rate, nothing waits (the paper exchange).
    """

    def __init__(
        self, rate_per_s: float = math.inf, burst: float = math.inf, back_off: "BackOff | None" = None
    ) -> None:
        """`back_off` remembers from one process to the next for how long the venue is to be left alone."""
        self._rate = rate_per_s
        self._burst = burst
        self._reserve = 0.0 if math.isinf(burst) else burst / 5
        self._tokens = burst
        self._refilled_s: float | None = None
        self._held_until_s = 0.0
        self._orders: deque[_Waiter] = deque()
        self._reads: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._back_off = back_off
        if back_off is not None:
            self._hold(back_off.left_s())

    @property
    def held_s(self) -> float:
        """For how long nothing may be sent, because the venue said so."""
        return max(0.0, self._held_until_s - asyncio.get_running_loop().time())

    @property
    def budget(self) -> float:
        """The share of the bucket that is left: 0 while the venue holds us back, 1 without a limit."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._held_until_s:
            return 0.0
        if math.isinf(self._burst):
            return 1.0
        self._refill(now_s)
        return self._tokens / self._burst

    def hold(self, seconds: float) -> None:
        """The venue told us to back off: grant nothing for `seconds`, in the next process either."""
        self._hold(seconds)
        if self._back_off is not None:
            self._back_off.keep(self.held_s)

    async def until_free(self) -> None:
        """Wait until the venue lets us send again."""
        while self.held_s > 0:  # noqa: ASYNC110 - time is what is waited for, and it may become longer
            await asyncio.sleep(self.held_s)

    def _hold(self, seconds: float) -> None:
        until_s = asyncio.get_running_loop().time() + seconds
        self._held_until_s = max(self._held_until_s, until_s)

    def take(self, weight: float) -> bool:
        """Grant an order's weight if it is there at once; False if the order has to wait its turn."""
        now_s = asyncio.get_running_loop().time()
        if self._orders or now_s < self._held_until_s:
            return False
        self._refill(now_s)
        if self._tokens < weight:
            return False
        self._tokens -= weight
        return True

    async def acquire(self, weight: float, *, order: bool = False, patience_s: float) -> None:
        """Wait for `weight`; raise `RequestFailed` (code `rate_limit`) when that would take `patience_s`."""
        loop = asyncio.get_running_loop()
        if loop.time() + patience_s < self._held_until_s:
            raise RequestFailed(
                "rate_limit", "held back by the venue; not sent", transient=False, wait_s=self.held_s
            )
        waiter = _Waiter(weight)
        queue = self._orders if order else self._reads
        queue.append(waiter)
        self._grant()
        if waiter.granted.done():
            return
        try:
            async with asyncio.timeout(patience_s):
                await waiter.granted
        except TimeoutError:
            raise RequestFailed("rate_limit", "our own rate limit; not sent", transient=False) from None
        finally:
            if waiter in queue:
                queue.remove(waiter)

    def _grant(self) -> None:
        """Serve whoever can be served now, orders first, and come back when the next one can be."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        if now_s < self._held_until_s:
            self._timer = loop.call_at(self._held_until_s, self._grant)
            return
        self._refill(now_s)
        for queue, floor in ((self._orders, 0.0), (self._reads, self._reserve)):
            while queue:
                missing = min(queue[0].weight + floor, self._burst) - self._tokens
                if missing > 0:
                    self._timer = loop.call_at(now_s + max(missing / self._rate, _SOONEST_S), self._grant)
                    return
                waiter = queue.popleft()
                self._tokens -= waiter.weight
                if not waiter.granted.done():
                    waiter.granted.set_result(None)

    def _refill(self, now_s: float) -> None:
        if self._refilled_s is not None and not math.isinf(self._rate):
            self._tokens = min(self._burst, self._tokens + (now_s - self._refilled_s) * self._rate)
        self._refilled_s = now_s
