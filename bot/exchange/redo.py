"""A log that makes changes durable in one write, until the database has them.

A reply waits for this write and not for a transaction: a line in a file outlives the death of the process as
surely as a committed row, and costs a tenth of it. The database follows in transactions of many changes, for
which facts are made rows only then; the log is emptied after each. What a killed exchange left in the log is
applied again at the next start, which is harmless for what the database has already: rows are replaced by
themselves, in the order they were written.
"""

from __future__ import annotations

import errno
import fcntl
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Entry = tuple[str, "Sequence[Sequence[Any]]"]
"""The name of a table, and rows of it; Decimals, members of enumerations and JSON values are as they are."""


class RedoLog:
    """The log beside one database; holds it for this process alone. Raises OSError if it cannot."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise
        self._length = 0

    def left(self) -> list[list[Entry]]:
        """Return what a killed process left behind; the line it was writing when it died was never told."""
        text = os.pread(self._file, os.fstat(self._file).st_size, 0)
        lines = text.split(b"\n")[:-1]
        return [[(name, rows) for name, rows in orjson.loads(line)] for line in lines]

    def append(self, entries: Sequence[Entry]) -> None:
        """Make changes durable; raises OSError, and then nothing of them is kept."""
        line = orjson.dumps(entries, default=_plain) + b"\n"
        written = os.pwrite(self._file, line, self._length)
        if written < len(line):
            os.ftruncate(self._file, self._length)
            raise OSError(errno.ENOSPC, "no space left for the redo log")
        self._length += written

    def clear(self) -> None:
        """Forget everything: the database has it."""
        os.ftruncate(self._file, 0)
        self._length = 0

    def close(self) -> None:
        """Close the file, which frees the store for another process."""
        os.close(self._file)


def _plain(value: Any) -> Any:
    """Return what JSON has no words for, a Decimal or a named tuple, as a text or a list."""
    return str(value) if isinstance(value, Decimal) else tuple(value)
