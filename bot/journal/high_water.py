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
_RESTORED = "restored"
"""In the place of a fund's name, which is upper-case: when the journal of this mark was put back."""


Marks = dict[str, tuple[int, int]]
"""Each fund's last position, and the checksum of the record there."""


def read_marks(data_dir: Path) -> Marks:
    """What the mark of a data directory says; nothing where there is none."""
    path = data_dir / MARK_FILE
    return _parse(path.read_bytes()) if path.exists() else {}


def refuse_rolled_back(
    known: Marks, crc_at: Callable[[str, int], int | None], name: str, restored_ms: int = 0
) -> None:
    """Raise `JournalRolledBack` unless the journal holds what it held when the mark was last written.

    `crc_at` gives the checksum of a fund's record at a position, None where there is none; `name` is what the
    error calls the journal. `restored_ms`: when another host put a copy in its place; of one from before that
    the mark tells nothing any more.
    """
    if _restored_since(known, restored_ms):
        return
    for fund, (position, crc) in known.items():
        if fund != _RESTORED and crc_at(fund, position) != crc:
            raise JournalRolledBack(
                f"{name} lacks records of {fund} that were durable here before: it was rolled back, lost "
                "its end, or is gone; put its newest backup back with `python3 -m bot db restore FILE`. "
                "To go on with what is left: `db backup FILE`, then `db restore FILE`; where nothing is "
                "left, start with --fresh, or with a new database and a new INBAND_DATA_DIR"
            )


def _restored_since(known: Marks, restored_ms: int) -> bool:
    return restored_ms > known.get(_RESTORED, (0, 0))[0]


def _parse(content: bytes) -> Marks:
    known: Marks = {}
    for line in content.splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
            known[parts[0].decode(errors="replace")] = (int(parts[1]), int(parts[2]))
    return known


class HighWaterMark:
    """The file, open for writing until `close`; the caller holds the data directory."""

    def __init__(self, data_dir: Path) -> None:
        try:
            self._descriptor = os.open(data_dir / MARK_FILE, os.O_RDWR | os.O_CREAT, PRIVATE)
        except OSError as error:
            raise DataDirUnusable(
                f"INBAND_DATA_DIR: cannot write to {data_dir / MARK_FILE} ({error.strerror})"
            ) from error
        self.known = _parse(os.pread(self._descriptor, 1 << 20, 0))
        self._places = {fund: place for place, fund in enumerate(self.known)}

    def refuse_rolled_back(
        self, crc_at: Callable[[str, int], int | None], name: str, restored_ms: int = 0
    ) -> None:
        """See the function of this name."""
        refuse_rolled_back(self.known, crc_at, name, restored_ms)
        if _restored_since(self.known, restored_ms):
            self.forget()
            self.rise(_RESTORED, restored_ms, 0)

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
        self.known.clear()

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
