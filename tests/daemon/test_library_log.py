"""What libraries say by Python's own `logging`, and a reader that hangs: a real pipe that nobody reads."""

import fcntl
import logging
import os
import re
import threading
import time
from collections.abc import Iterator

import pytest

from bot.daemon.library_log import libraries_heard, lines_lost

AT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
LIBRARY = logging.getLogger("some.library")


class Pipe:
    """A pipe that holds one page, and a thread that reads it when it is told to."""

    def __init__(self) -> None:
        """Nobody reads yet."""
        read, write = os.pipe()
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
        self.read, self.into = os.fdopen(read), os.fdopen(write, "w")
        self.said = ""
        self._reader = threading.Thread(target=self._read_all)

    def begin_to_read(self) -> None:
        """From now on somebody reads."""
        self._reader.start()

    def until_read(self, lines: int) -> None:
        """Wait until so many have been read: the end of a log waits for no reader that is slow."""
        end_s = time.monotonic() + 60
        while self.said.count("\n") < lines:
            assert time.monotonic() < end_s, self.said
            time.sleep(0.001)

    def lines(self) -> list[str]:
        """All that was written, once our end is closed."""
        self.into.close()
        self._reader.join()
        return self.said.splitlines()

    def _read_all(self) -> None:
        for line in self.read:
            self.said += line


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """An empty one."""
    pipe = Pipe()
    yield pipe
    pipe.into.close()
    pipe.read.close()


def test_a_line_has_its_time_and_level(pipe: Pipe) -> None:
    """And the error below it; what is of no importance is not told."""
    pipe.begin_to_read()
    with libraries_heard(pipe.into):
        LIBRARY.info("nothing")
        LIBRARY.warning("odd: %d", 7)
        LIBRARY.error("failed", exc_info=ValueError("wrong"))
        pipe.until_read(lines=3)
    odd, failed, error = pipe.lines()
    assert re.fullmatch(rf"{AT} WARNING odd: 7", odd)
    assert re.fullmatch(rf"{AT} ERROR failed", failed)
    assert error == "ValueError: wrong"


def test_who_says_something_waits_for_nobody(pipe: Pipe) -> None:
    """A hundred lines of which forty fill the pipe: they are taken, and come in order when they are read."""
    with libraries_heard(pipe.into):
        for number in range(100):
            LIBRARY.warning("%0100d", number)
        pipe.begin_to_read()
        pipe.until_read(lines=100)
    assert [int(line.rpartition(" ")[2]) for line in pipe.lines()] == list(range(100))


def test_afterwards_they_are_not_heard_any_more(pipe: Pipe) -> None:
    """The handler is ours alone, and goes with us, also when what it stood beside fails."""
    before = list(logging.getLogger().handlers)
    pipe.begin_to_read()
    with pytest.raises(ValueError, match="wrong"), libraries_heard(pipe.into):
        raise ValueError("wrong")
    LIBRARY.warning("too late")
    assert logging.getLogger().handlers == before
    assert pipe.lines() == []


def test_missing_lines_are_a_line() -> None:
    """The word of the log, and how many they are."""
    assert re.fullmatch(rf"{AT} WARNING log_lines_lost lines=7\n", lines_lost(7))
