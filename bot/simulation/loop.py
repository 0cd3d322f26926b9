"""An event loop in virtual time: nothing waits, and what is ready at one instant runs in a drawn order.

Time starts at 0, where a float still tells nanoseconds apart; it jumps to the next timer as soon as nothing
else is to be done. There are no sockets: whatever would wait for one would wait for ever, and is an error.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from heapq import heappop, heappush
from typing import Any, TypeVarTuple

from bot.simulation.chance import Chance

_Ts = TypeVarTuple("_Ts")


class NothingLeftError(RuntimeError):
    """Everybody waits, and no timer is set: the simulated world has come to a standstill."""


class SpinningError(RuntimeError):
    """Something is done again and again, and time stands still."""


_TURNS_AT_ONE_INSTANT = 100_000
"""No work of one instant takes as many; a program that never waits takes more."""


class VirtualLoop(asyncio.BaseEventLoop):
    """`order` draws the order of what is ready at once; without it that is first come, first served."""

    _ready: deque[asyncio.Handle]

    def __init__(self, order: Chance | None = None) -> None:
        """Nothing runs yet."""
        super().__init__()
        self._now_s = 0.0
        self._order = order
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = 0
        self._turns = 0
        self.escaped: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.escaped.append(context))

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now_s

    def call_later(
        self, delay: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call `callback` after so many virtual seconds."""
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call `callback` at a virtual time. Tuples are compared without a call into Python."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._numbers += 1
        heappush(self._timers, (when, self._numbers, timer))
        return timer

    def _run_once(self) -> None:
        """Move to the next instant at which something is to be done, and do all of it."""
        ready, timers = self._ready, self._timers
        while timers and timers[0][2].cancelled():
            heappop(timers)
        if not ready:
            if not timers:
                raise NothingLeftError("nothing is left to happen")
            if timers[0][0] > self._now_s:
                self._now_s = timers[0][0]
                self._turns = 0
        now_s = self._now_s
        self._turns += 1
        if self._turns > _TURNS_AT_ONE_INSTANT:
            raise SpinningError(f"time stands still at {now_s:.3f} s: {ready or timers[0][2]}")
        while timers and timers[0][0] <= now_s:
            ready.append(heappop(timers)[2])
        order = self._order
        for left in range(len(ready), 0, -1):
            if order is not None and left > 1:
                ready.rotate(-int(order.unit() * left))
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()  # noqa: SLF001 - what a loop is for

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled timer is dropped when its time comes."""

    def _write_to_self(self) -> None:
        """There is no other thread to be woken by."""

    def _process_events(self, _: object) -> None:
        """There are no sockets."""

    def run_in_executor(  # type: ignore[override] # typeshed ties the function's arguments together
        self, _: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """There are no threads either: done at once."""
        done = self.create_future()
        done.set_result(func(*args))
        return done
