"""How long tests wait for what must happen."""

import asyncio
from collections.abc import Callable

PATIENCE_S = 240.0
"""A test passes as soon as it happens, however busy the machine is; how long it takes says nothing."""


async def until(happened: Callable[[], object]) -> None:
    """Wait for what has no event of its own."""
    async with asyncio.timeout(PATIENCE_S):
        while not happened():  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.005)
