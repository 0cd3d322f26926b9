"""Where lines of the log go. That they cannot be written must never reach who trades."""

from pathlib import Path
from typing import Protocol

LARGEST_FILE = 64_000_000
"""Bytes after which a log file is put aside, in place of the one that was put aside before."""


class Sink(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> object:
        """Take some text."""
        ...

    def flush(self) -> None:
        """Hand on what is held back."""
        ...


class FileSink:
    """A log file that comes into being only once its folder exists: a refused start leaves nothing behind.

    It and the one that was put aside, with `.1` behind its name, are `largest` bytes each at most.
    """

    def __init__(self, path: Path, largest: int = LARGEST_FILE) -> None:
        """Hold lines back until the folder of `path` exists."""
        self._path = path
        self._largest = largest
        self._held: list[str] = []

    def write(self, text: str, /) -> None:
        """Take some text."""
        self._held.append(text)

    def flush(self) -> None:
        """Write what is held back, if that is possible yet. Raises `OSError`; then it is gone."""
        if not self._held or not self._path.parent.is_dir():
            return
        text, self._held = "".join(self._held), []
        with self._path.open("a", encoding="utf-8") as file:
            file.write(text)
            length = file.tell()
        if length > self._largest:
            self._path.replace(f"{self._path}.1")


class LastingSink:
    """Hands lines on, and drops what cannot be written: a full disk, a pipe that nobody reads any more.

    A fund must not stop because nobody can hear of it. `lost`: how many lines are missing by now, at most,
    for the next one to tell; what could be written ends that.
    """

    def __init__(self, sink: Sink) -> None:
        """Nothing is lost yet."""
        self._sink = sink
        self.lost = 0

    def write(self, text: str, /) -> None:
        """Take a line, and hand it on at once; one that was broken off before is ended first."""
        try:
            self._sink.write(f"\n{text}" if self.lost else text)
            self._sink.flush()
        except (OSError, ValueError):  # a stream that was closed raises the latter
            self.lost += 1
        else:
            self.lost = 0

    def flush(self) -> None:
        """Nothing is held back."""
