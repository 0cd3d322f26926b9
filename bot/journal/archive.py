"""Setting stores aside for a fresh start."""

import os
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bot.journal.errors import DataDirUnusable
from bot.journal.files import PRIVATE, sync_folder
from bot.journal.high_water import MARK_FILE
from bot.journal.lock import DataDirLock


def archive(data_dir: Path, names: Sequence[str], now: datetime) -> Path | None:
    """Move the named SQLite files of `data_dir` to `archive/<UTC time>/` there; the key file stays.

    Returns the new folder, or None if none of the files exists. Killed midway, it leaves each store either
    whole in its place or whole in the archive.

    Raises:
        JournalBusy: a process is running on them.
        DataDirUnusable: they cannot be moved.
    """
    with DataDirLock(data_dir):
        # The mark goes first: it must never stay behind without the journal that it speaks of.
        present = [data_dir / name for name in (MARK_FILE, *names) if (data_dir / name).exists()]
        if not present:
            return None
        folder = data_dir / "archive" / f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z"
        try:
            folder.mkdir(mode=0o700, parents=True)
            for path in present:
                _move_store(path, folder)
        except OSError as error:
            raise DataDirUnusable(
                f"INBAND_DATA_DIR: cannot archive to {folder} ({error.strerror})"
            ) from error
        return folder


def _move_store(path: Path, folder: Path) -> None:
    """The rename of the database decides; before it the copied logs are surplus, after it the originals."""
    log, redo, index = (path.with_name(path.name + suffix) for suffix in ("-wal", "-redo", "-shm"))
    for part in (log, redo):  # the second is the paper exchange's own
        if not part.exists():
            continue
        copy = folder / part.name
        shutil.copyfile(part, copy)
        copy.chmod(PRIVATE)
        with copy.open("rb") as file:
            os.fsync(file.fileno())
    sync_folder(folder)
    path.rename(folder / path.name)
    sync_folder(folder)
    sync_folder(path.parent)
    log.unlink(missing_ok=True)
    redo.unlink(missing_ok=True)
    index.unlink(missing_ok=True)
