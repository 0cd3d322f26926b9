"""What happened in a run, line by line, with a hash over it: two runs of one seed must give the same."""

import asyncio
from collections import deque
from collections.abc import Callable
from hashlib import blake2b

_KEPT = 60


class Trace:
    """Lines of one run. The last ones are kept for a report; `tell` hears of each, where it is given."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tell: Callable[[str], None] | None = None) -> None:
        """Nothing has happened yet."""
        self._loop = loop
        self._tell = tell
        self._hash = blake2b(digest_size=16)
        self._last: deque[str] = deque(maxlen=_KEPT)

    def note(self, *what: object) -> None:
        """Note that this happened now."""
        line = f"{self._loop.time():11.3f} {' '.join(map(str, what))}"
        self._hash.update(line.encode())
        self._last.append(line)
        if self._tell is not None:
            self._tell(line)

    @property
    def digest(self) -> str:
        """The hash over all lines so far."""
        return self._hash.hexdigest()

    @property
    def last(self) -> tuple[str, ...]:
        """The last lines."""
        return tuple(self._last)
