"""Where lines of the log go. That they cannot be written must never reach who trades."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TextIO

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


class StreamSink:
    """A stream of the operating system, past the buffer that Python keeps for it.

    Python empties that buffer at the end of a process, which a reader that hangs would hold up for ever.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to what `stream` writes to, in its encoding."""
        stream.flush()
        self._descriptor = stream.fileno()
        self._encoding = stream.encoding

    def write(self, text: str, /) -> None:
        """Write some text; returns when it is written. Raises `OSError`, possibly in the middle."""
        rest = memoryview(text.encode(self._encoding, "backslashreplace"))
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def flush(self) -> None:
        """Nothing is held back."""


class LastingSink:
    """Hands lines on, and drops what cannot be written: a full disk, a pipe that nobody reads any more.

    A fund must not stop because nobody can hear of it. As soon as something can be written again, it says how
    many lines are missing, at most.
    """

    def __init__(self, sink: Sink, told: Callable[[int], str]) -> None:
        """`told` makes the line, with its end, that says how many are missing."""
        self._sink = sink
        self._told = told
        self._lost = 0
        self._broken_off = False

    def write(self, text: str, /) -> None:
        """Take a line, and hand it on at once."""
        try:
            self._tell_lost()
            self._hand_on(text)
        except (OSError, ValueError):  # a stream that was closed raises the latter
            self._lost += 1
            self._broken_off = True

    def lose(self, lines: int) -> None:
        """Count lines that were dropped before they came here."""
        self._lost += lines
        try:
            self._tell_lost()
        except (OSError, ValueError):
            self._broken_off = True

    def flush(self) -> None:
        """Nothing is held back."""

    def _tell_lost(self) -> None:
        if self._lost:
            told = self._told(self._lost)
            self._hand_on(f"\n{told}" if self._broken_off else told)
            self._lost = 0
            self._broken_off = False

    def _hand_on(self, text: str) -> None:
        self._sink.write(text)
        self._sink.flush()
