"""Watching the disk: a fund stops increases before it is full, while delevering can still be recorded."""

import shutil
from collections.abc import Callable
from pathlib import Path

from bot.core.recovery_events import StorageSeen
from bot.daemon.operations import Operations
from bot.daemon.supervision import Supervisor

_LOOK_EVERY_S = 10.0
_MEGABYTE = 1_000_000


def free_mb(folder: Path) -> int:
    """Free space on the disk that `folder` is on, in MB, for who is not the superuser."""
    return shutil.disk_usage(folder).free // _MEGABYTE


class DiskWatch:
    """Tells every fund when free space falls below a limit, and when it is back."""

    def __init__(
        self, folder: Path, least_mb: int, operations: Operations, free: Callable[[Path], int] = free_mb
    ) -> None:
        """`least_mb` = 0: any space will do."""
        self._folder = folder
        self._least_mb = least_mb
        self._operations = operations
        self._free = free
        self.problem: str | None = None

    def watch(self, supervisor: Supervisor) -> None:
        """Look now, and every few seconds. What is found first is told in any case.

        The process before this one may have left an incident, and there may be space since.
        """
        if self._least_mb:
            self.look()
            supervisor.every(_LOOK_EVERY_S, self.look)
        if self.problem is None:
            self.tell()

    def look(self) -> None:
        """Compare once. Space must grow a tenth beyond the limit before it counts as back."""
        free = self._free(self._folder)
        least = self._least_mb if self.problem is None else self._least_mb * 11 // 10
        before, self.problem = self.problem, None
        if free < least:
            self.problem = (
                f"{free} MB are free where the journal is ({self._folder}), less than "
                f"INBAND_LEAST_FREE_MB={self._least_mb}"
            )
        if (before is None) is not (self.problem is None):
            self.tell()

    def tell(self) -> None:
        """Tell every fund what is wrong, or that nothing is."""
        for runner in self._operations.runners:
            runner.handle(StorageSeen(*runner.now(), self.problem))
