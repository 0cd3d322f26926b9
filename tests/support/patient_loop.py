"""An event loop for tests whose clock stands still while the machine lets its process wait.

A test and the server that it talks to often share one loop, with timeouts of tenths of a second between them.
Where the process is not scheduled for seconds, such a timeout is over by the real clock before anybody has
looked at the answer, which lies there. By this clock it is not: time passes while the loop works and while it
waits, but no more than a glance between two looks at its sockets. Whatever is slow by it is slow by itself.
"""

import asyncio
import selectors
import time

GLANCE_S = 0.01


class _Glances(selectors.DefaultSelector):
    """Waits a glance at most, and adds up what it has waited."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As any selector, but that it may come back early with nothing."""
        most_s = GLANCE_S if timeout is None else min(timeout, GLANCE_S)
        began_s = time.monotonic()
        found = super().select(most_s)
        if most_s > 0:
            self.waited_s += min(time.monotonic() - began_s, most_s)
        return found


class PatientLoop(asyncio.SelectorEventLoop):
    """Never ahead of the real clock; behind it by as long as its thread wanted to go on and could not."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._glances = _Glances()
        super().__init__(self._glances)

    def time(self) -> float:
        """Seconds that its thread has worked, or waited for something to do."""
        return self._glances.waited_s + time.thread_time()
