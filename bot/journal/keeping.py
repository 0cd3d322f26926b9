"""Keeping what a running fund's records fold to, in a process of its own: `python -m bot.journal.keeping`.

It does what a start does, from the records and not from the daemon's memory: read on from what is kept,
check, fold, keep. So no decision waits for it, and what it keeps is what the next start would have found.
Killed at any instant it has kept all or nothing. Its task comes on standard input, for a key is in it.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from bot.journal import projections
from bot.journal.errors import JournalError
from bot.journal.stores import open_keeper

_NICENESS = 10


class Task(NamedTuple):
    """Where the journal is, its key, and the funds that have written enough."""

    data_dir: str
    url: str | None
    key: str | None
    funds: Sequence[str]


def keep(task: Task) -> None:
    """Keep what the records of these funds fold to; raises as reading a journal does."""
    with open_keeper(Path(task.data_dir), task.url, task.key) as journal:
        for fund in task.funds:
            projections.refresh(journal, fund)


def main() -> int:
    """Carry out the task on standard input; what is wrong goes to standard error, in one line."""
    os.nice(_NICENESS)
    try:
        keep(Task(*orjson.loads(sys.stdin.buffer.read())))
    except JournalError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
