"""One life of the daemon's process: from its start until it is killed, stopped, or fails."""

import asyncio
from collections.abc import Coroutine, Generator
from contextvars import ContextVar
from typing import Any


class Killed(BaseException):
    """The process ended at this very instant; it is no error, and nothing may catch it as one."""


class Life:
    """What a process holds that dies with it: its tasks, and its power to do anything at all."""

    def __init__(self, number: int) -> None:
        """Alive."""
        self.number = number
        self.alive = True
        self.tasks: dict[asyncio.Task[Any], None] = {}  # in order: a set's is that of addresses in memory

    def check(self) -> None:
        """The dead do nothing: every port asks first."""
        if not self.alive:
            raise Killed

    def end(self) -> None:
        """Take every task along. What is on its way to the venue already stays on its way."""
        self.alive = False
        for task in tuple(self.tasks):
            task.cancel()


LIFE: ContextVar[Life | None] = ContextVar("life", default=None)
"""The process in which the running code runs; None for the world around it."""


def own_tasks(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    **options: Any,
) -> asyncio.Task[Any]:
    """A task factory: each task belongs to the process that makes it."""
    task = asyncio.Task(coroutine, loop=loop, **options)
    life = LIFE.get()
    if life is not None:
        life.tasks[task] = None
        task.add_done_callback(life.tasks.pop)
    return task
