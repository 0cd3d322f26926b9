"""What libraries, and the paper exchange, say by Python's own `logging`: lines in words, for people."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TextIO

from bot.daemon.log_sinks import LastingSink, StreamSink
from bot.daemon.scribe import Scribe

_LINE = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
_LINE.converter = time.gmtime


@contextmanager
def libraries_heard(stream: TextIO) -> Iterator[None]:
    """Write what they say to `stream` for a while, from a thread of its own: who says it waits for nobody.

    By default Python writes it here and now, and a reader that hangs holds up who trades.
    """
    with closing(Scribe(LastingSink(StreamSink(stream), lines_lost))) as scribe:
        handler, root = logging.StreamHandler(scribe), logging.getLogger()
        handler.setFormatter(_LINE)
        root.addHandler(handler)
        try:
            yield
        finally:
            root.removeHandler(handler)


def lines_lost(lines: int) -> str:
    """The line that stands there for so many that are missing. Any thread may call it."""
    told = {"levelname": "WARNING", "msg": "log_lines_lost lines=%d", "args": (lines,)}
    return f"{_LINE.format(logging.makeLogRecord(told))}\n"
