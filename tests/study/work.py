"""Work for worker processes that imports next to nothing, so that they start quickly."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]


def double(shared: int, task: Mapping[str, Any]) -> Rows:
    """Work that needs what all tasks share."""
    return [{"id": task["id"], "value": 2 * shared}]


def die_once(shared: str, task: Mapping[str, Any]) -> Rows:
    """Work that kills its process the first time that one task is tried."""
    mark = Path(shared) / str(task["id"])
    if task["id"] == "t3" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return [{"id": task["id"]}]


def die_always(shared: str, task: Mapping[str, Any]) -> Rows:  # noqa: ARG001 - the signature of work
    """Work whose one task kills every process that tries it."""
    if task["id"] == "t3":
        os.kill(os.getpid(), signal.SIGKILL)
    return [{"id": task["id"]}]
