"""How far the journal had come, kept beside it: what shows that it has lost its end, or was rolled back.

A small file of the data directory holds each fund's last position and checksum. It is written after each
append and not flushed: so it may fall behind the journal, and then proves less, but it is never ahead.
"""

import os
from collections.abc import Callable
from pathlib import Path

from bot.journal.errors import DataDirUnusable, JournalRolledBack
from bot.journal.files import PRIVATE

MARK_FILE = "journal.mark"

_LINE_BYTES = 64


class HighWaterMark:
    """The file, open for writing until `close`; the caller holds the data directory."""

    def __init__(self, data_dir: Path) -> None:
        try:
            self._descriptor = os.open(data_dir / MARK_FILE, os.O_RDWR | os.O_CREAT, PRIVATE)
        except OSError as error:
            raise DataDirUnusable(
                f"INBAND_DATA_DIR: cannot write to {data_dir / MARK_FILE} ({error.strerror})"
            ) from error
        self._places: dict[str, int] = {}
        self._known: dict[str, tuple[int, int]] = {}
        content = os.pread(self._descriptor, 1 << 20, 0)
        for place in range(len(content) // _LINE_BYTES):
            parts = content[place * _LINE_BYTES : (place + 1) * _LINE_BYTES].split()
            if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
                fund = parts[0].decode(errors="replace")
                self._places[fund] = place
                self._known[fund] = (int(parts[1]), int(parts[2]))

    def refuse_rolled_back(self, crc_at: Callable[[str, int], int | None], name: str) -> None:
        """Raise `JournalRolledBack` unless the journal holds what it held when this was last written.

        `crc_at` gives the checksum of a fund's record at a position, None where there is none; `name` is what
        the error calls the journal.
        """
        for fund, (position, crc) in self._known.items():
            if crc_at(fund, position) != crc:
                raise JournalRolledBack(
                    f"{name} lacks records of {fund} that were durable here before: it was rolled back, lost "
                    "its end, or is gone; put its newest backup back with `python3 -m bot db restore FILE`. "
                    "To go on with what is left: `db backup FILE`, then `db restore FILE`; where nothing is "
                    "left, start with --fresh"
                )

    def rise(self, fund: str, position: int, crc: int) -> None:
        """The fund's journal is durable up to `position`, whose record has this checksum."""
        place = self._places.setdefault(fund, len(self._places))
        line = b"%-33b %15d %13d\n" % (fund.encode(), position, crc)
        os.pwrite(self._descriptor, line, place * _LINE_BYTES)

    def forget(self) -> None:
        """Another journal is put in this one's place."""
        os.ftruncate(self._descriptor, 0)
        os.fsync(self._descriptor)
        self._places.clear()
        self._known.clear()

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
