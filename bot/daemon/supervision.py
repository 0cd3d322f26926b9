"""Keeping tasks alive: a stream that dies is started again and told of; nothing dies silently."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class Supervisor:
    """Runs what must run until the end. Use as an async context; leaving it cancels everything."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()

    def keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run it; whenever it ends, say so and run it again after a growing pause."""
        self._tasks.add(asyncio.create_task(self._keep(name, run), name=name))

    def every(self, seconds: float, act: Callable[[], None]) -> None:
        """Call `act` every so many seconds of wall time."""

        async def loop() -> None:
            while True:
                await asyncio.sleep(seconds)
                act()

        self.keep(act.__qualname__, loop)

    async def stop(self) -> None:
        """Cancel everything, and wait until it is gone."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            began_s = asyncio.get_running_loop().time()
            try:
                await run()
                reason = "it ended by itself"
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the stream comes back
                reason = f"{type(error).__name__}: {error}"
            if asyncio.get_running_loop().time() - began_s > _LONGEST_PAUSE_S:
                pause_s = _FIRST_PAUSE_S
            self._log.error("task_restarted", task=name, reason=reason, pause_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
