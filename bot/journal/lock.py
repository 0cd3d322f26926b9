"""One writer per data directory. The kernel drops the lock with its process, however that ends."""

import errno
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.journal.errors import DataDirUnusable, JournalBusy
from bot.journal.files import PRIVATE

LOCK_FILE = "journal.lock"


class DataDirLock:
    """Holds the data directory, which it makes if need be, from construction until `release`.

    Raises:
        DataDirUnusable: the directory cannot be made or written to.
        JournalBusy: another process, or another holder in this one, has it.
    """

    def __init__(self, data_dir: Path) -> None:
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT, PRIVATE)
        except OSError as error:
            raise _unusable(data_dir, error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._busy(data_dir) from None
        except OSError as error:
            os.close(self._descriptor)
            raise _unusable(data_dir, error) from error
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            self.release()
            raise _unusable(data_dir, error) from error

    def _busy(self, data_dir: Path) -> JournalBusy:
        text = os.pread(self._descriptor, 32, 0).strip()
        os.close(self._descriptor)
        pid = int(text) if text.isdigit() else None
        who = "another process" if pid is None else f"process {pid}"
        return JournalBusy(
            f"{who} already runs on the journal in {data_dir}: stop it first, or set another INBAND_DATA_DIR",
            pid,
        )

    def release(self) -> None:
        """Let another process have it; may be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def holder(data_dir: Path) -> int | None:
    """The process that runs on `data_dir`; 0 if it did not leave its number, None if there is none."""
    try:
        descriptor = os.open(data_dir / LOCK_FILE, os.O_RDONLY)
    except OSError:
        return None  # never used, or not ours to read
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).strip()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(descriptor)
    return None


def refuse_unwritable(data_dir: Path) -> None:
    """Raise `DataDirUnusable` if the directory cannot be made or written to; makes and writes nothing."""
    nearest = data_dir.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir():
        raise _unusable(data_dir, OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise _unusable(data_dir, OSError(errno.EACCES, os.strerror(errno.EACCES)))


def _unusable(data_dir: Path, error: OSError) -> DataDirUnusable:
    return DataDirUnusable(
        f"INBAND_DATA_DIR: cannot write to {data_dir} ({error.strerror}): name a folder that user "
        f"{os.getuid()} may write to; in a container: chown -R {os.getuid()}:{os.getgid()} the mounted folder"
    )
