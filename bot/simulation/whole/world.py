"""Time and randomness of the process, taken over before anything else is imported.

Whoever asks the `time` or `os` module gets the virtual loop's time and the seed's bytes: ccxt, aiohttp and
our own adapters alike.
"""

import os
import random
import secrets
import time
import uuid
from random import Random
from typing import Any

from bot.simulation.clock import EPOCH_MS
from bot.simulation.whole.loop import WholeLoop


def take_over(seed: int, began_ms: int) -> WholeLoop:
    """Make the loop whose time everybody gets from now on; UTC begins at `began_ms` after the epoch's."""
    loop = WholeLoop(Random(f"inband-network|{seed}"))  # noqa: S311 - it must repeat
    bytes_ = Random(f"inband-bytes|{seed}|{began_ms}")  # noqa: S311 - as above
    start_ns = (EPOCH_MS + began_ms) * 1_000_000

    def wall_ns() -> int:
        return start_ns + round(loop.time() * 1e9)

    time.time_ns = wall_ns
    time.time = lambda: wall_ns() / 1e9
    time.monotonic = time.perf_counter = loop.time
    time.monotonic_ns = time.perf_counter_ns = lambda: round(loop.time() * 1e9)
    time.clock_gettime_ns = lambda _: round(loop.time() * 1e9)
    os.urandom = bytes_.randbytes
    random._urandom = bytes_.randbytes  # type: ignore[attr-defined] # noqa: SLF001 - what `secrets` draws from
    random.seed(seed)

    class Repeating(Random):
        """What would be seeded by the operating system is seeded by us: websocket masks, for one."""

        def __init__(self, x: Any = None) -> None:
            super().__init__(bytes_.getrandbits(64) if x is None else x)

    random.Random = Repeating  # type: ignore[misc]
    secrets.token_bytes = lambda nbytes=None: bytes_.randbytes(32 if nbytes is None else nbytes)
    uuid.uuid4 = lambda: uuid.UUID(bytes=bytes_.randbytes(16), version=4)
    return loop
