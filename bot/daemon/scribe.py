"""Writing in a thread of its own: that whoever reads the log hangs never holds up who trades."""

import threading
from queue import SimpleQueue

from bot.daemon.log_sinks import LastingSink

MOST_WAITING = 10_000
"""Lines that wait for their reader, a few megabytes; further ones are dropped."""

LAST_WAIT_S = 2.0
"""How long the end of the process waits for a reader that hangs."""


class Scribe:
    """Writes what it is handed, in that order. None of its methods but `close` waits for anything.

    Once `most` lines wait, further ones are dropped until those have been written; how many is told in their
    place. `last_words` are written behind everything else.
    """

    def __init__(self, sink: LastingSink, most: int = MOST_WAITING) -> None:
        """Begin: the thread waits for the first line."""
        self.last_words = ""
        self._sink = sink
        self._most = most
        self._waiting: SimpleQueue[str | None] = SimpleQueue()  # None: lines are missing here, or the end
        self._full = False
        self._dropped = 0
        self._told = 0
        self._writing = False
        self._closing = False
        self._ended = False
        self._thread = threading.Thread(target=self._write_all, name="scribe", daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Whether all that was handed over has been written."""
        return self._waiting.empty() and not self._writing

    def write(self, text: str, /) -> None:
        """Hand a line over, or drop it. Once the thread has ended, it is written here and now."""
        if self._ended:
            self._sink.write(text)
        elif self._full:
            self._dropped += 1
        elif self._waiting.qsize() < self._most:
            self._waiting.put(text)
        else:
            self._dropped += 1
            self._full = True
            self._waiting.put(None)

    def flush(self) -> None:
        """The thread is awake already."""

    def close(self, within_s: float = LAST_WAIT_S) -> None:
        """Wait until all is written and end the thread, or give up after `within_s`: what is left is lost."""
        self._closing = True
        self._waiting.put(None)
        self._thread.join(within_s)

    def _write_all(self) -> None:
        while not (self._closing and self._waiting.empty()):
            text = self._waiting.get()
            self._writing = True
            if text is None:
                self._tell_dropped()
            else:
                self._sink.write(text)
            self._writing = False
        if self.last_words:
            self._sink.write(self.last_words)
        self._ended = True

    def _tell_dropped(self) -> None:
        self._full = False
        dropped = self._dropped - self._told
        self._told += dropped
        if dropped:
            self._sink.lose(dropped)
