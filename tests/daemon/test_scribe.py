"""A log whose reader hangs: real pipes, and one end that nobody reads for a while."""

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator

import pytest
import structlog

from bot.daemon import logs
from bot.daemon.log_sinks import LastingSink, StreamSink
from bot.daemon.redaction import Redactor
from bot.daemon.scribe import Scribe
from tests.support.patience import PATIENCE_S

PAGE = 4096


class Pipe:
    """A pipe that holds one page."""

    def __init__(self) -> None:
        """Nobody reads yet."""
        self._read, write = os.pipe()
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PAGE)
        self.into = os.fdopen(write, "w")
        self._content = b""
        self._reader = threading.Thread(target=self._read_all)

    def _read_all(self) -> None:
        while piece := os.read(self._read, PAGE):
            self._content += piece

    def begin_to_read(self) -> None:
        """From now on somebody reads."""
        self._reader.start()

    def read_to_the_end(self) -> str:
        """Close our end, and give everything that was written."""
        self.into.close()
        if self._reader.ident is None:
            self.begin_to_read()
        self._reader.join()
        return self._content.decode()

    def until_read(self, told: bytes) -> None:
        """Wait until this has been read, of what came since somebody reads."""
        end_s = time.monotonic() + PATIENCE_S
        while told not in self._content:
            assert time.monotonic() < end_s, f"never {told!r}"
            time.sleep(0.001)

    def read_until(self, told: bytes) -> None:
        """Read, here and now, until this has come."""
        content = b""
        while told not in content:
            content += os.read(self._read, PAGE)

    def break_off(self) -> None:
        """The reader goes away; whoever writes is set free."""
        if self._read >= 0:
            os.close(self._read)
            self._read = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """An empty one."""
    pipe = Pipe()
    yield pipe
    pipe.break_off()
    pipe.into.close()


def scribe_on(pipe: Pipe, most: int = 10_000) -> Scribe:
    """A scribe that writes into the pipe."""
    return Scribe(LastingSink(StreamSink(pipe.into), lambda lines: f"lost {lines}\n"), most)


def filled(scribe: Scribe) -> None:
    """Fill the pipe to the last byte, so that the thread hangs at whatever comes next."""
    scribe.write("x" * (PAGE - 1) + "\n")
    while not scribe.idle:
        time.sleep(0.001)
    scribe.write("the line at which it hangs\n")
    while scribe._waiting.qsize():
        time.sleep(0.001)


def test_lines_keep_their_order(pipe: Pipe) -> None:
    """However many there are, and however slowly they are read; closing writes all of them."""
    scribe = scribe_on(pipe)
    lines = [f"line {number}\n" for number in range(5000)]
    pipe.begin_to_read()
    for line in lines:
        scribe.write(line)
    scribe.close(PATIENCE_S)
    assert pipe.read_to_the_end() == "".join(lines)


def test_a_line_is_written_at_once(pipe: Pipe) -> None:
    """The thread is woken by it: nothing has to be flushed, and no further line must come."""
    scribe = scribe_on(pipe)
    pipe.begin_to_read()
    scribe.write("first\n")
    pipe.until_read(b"first\n")
    scribe.close(PATIENCE_S)
    assert pipe.read_to_the_end() == "first\n"


def test_what_is_dropped_is_counted_where_it_is_missing(pipe: Pipe) -> None:
    """While the reader hangs three lines wait; seven are lost, and told between those before and after."""
    scribe = scribe_on(pipe, most=3)
    filled(scribe)
    for number in range(10):
        scribe.write(f"line {number}\n")
    pipe.begin_to_read()
    pipe.until_read(b"lost 7\n")
    scribe.write("after\n")
    scribe.close(PATIENCE_S)
    told = pipe.read_to_the_end().splitlines()[2:]
    assert told == ["line 0", "line 1", "line 2", "lost 7", "after"]


def test_a_second_gap_is_counted_by_itself(pipe: Pipe) -> None:
    """What was told once is not told again."""
    scribe = scribe_on(pipe, most=1)
    filled(scribe)
    for number in range(3):
        scribe.write(f"line {number}\n")
    first = scribe._dropped
    pipe.read_until(b"lost 2\n")
    filled(scribe)
    for number in range(6):
        scribe.write(f"line {number}\n")
    pipe.begin_to_read()
    scribe.close(PATIENCE_S)
    assert first == 2
    assert pipe.read_to_the_end().splitlines()[2:] == ["line 0", "lost 5"]


def test_a_close_tells_what_was_dropped_before_the_last_words(pipe: Pipe) -> None:
    """Nothing comes behind the last words, whatever was handed over before."""
    scribe = scribe_on(pipe, most=1)
    filled(scribe)
    for number in range(4):
        scribe.write(f"line {number}\n")
    scribe.last_words = "that was all\n"
    pipe.begin_to_read()
    scribe.close(PATIENCE_S)
    assert pipe.read_to_the_end().splitlines()[2:] == ["line 0", "lost 3", "that was all"]


def test_neither_a_line_nor_the_end_waits_for_a_reader_that_hangs(pipe: Pipe) -> None:
    """A thousand lines are taken in no time, and closing gives up when it was told to."""
    scribe = scribe_on(pipe, most=100)
    filled(scribe)
    began_s = time.monotonic()
    for number in range(1000):
        scribe.write(f"line {number}\n")
    scribe.close(within_s=0.2)
    assert 0.2 <= time.monotonic() - began_s < PATIENCE_S
    assert not scribe.idle
    pipe.break_off()
    scribe.close(PATIENCE_S)
    assert not scribe._thread.is_alive()


def test_what_is_said_after_the_end_is_written_all_the_same(pipe: Pipe) -> None:
    """A task that dies while the loop is closed, for one."""
    scribe = scribe_on(pipe)
    scribe.write("first\n")
    scribe.close(PATIENCE_S)
    scribe.write("second\n")
    assert pipe.read_to_the_end() == "first\nsecond\n"


def test_a_line_is_judged_when_it_is_said(pipe: Pipe) -> None:
    """What is secret at that moment stays so, however late the line is written."""
    scribe = scribe_on(pipe)
    filled(scribe)
    secret = {"figure": "2.876543219"}
    redactor = Redactor()
    redactor.watch(lambda: list(secret.values()))
    logs.configure(redactor, scribe)
    structlog.get_logger().info("running", text="it is 2.876543219")
    secret.clear()
    pipe.begin_to_read()
    scribe.close(PATIENCE_S)
    assert json.loads(pipe.read_to_the_end().splitlines()[-1])["text"] == "it is ***"


def test_the_line_for_lost_ones_is_a_line_of_the_log() -> None:
    """In JSON with time and level, in words for a console, whatever is less important than the level."""
    line = json.loads(logs.lines_lost(console=False)(7))
    assert (line["event"], line["lines"], line["level"]) == ("log_lines_lost", 7, "warning")
    assert line["at"].endswith("Z")
    words = logs.lines_lost(console=True)(7)
    assert "log_lines_lost" in words
    assert "lines=7" in words
