"""A journal in memory, through the real codec, on a disk that may fail."""

from collections.abc import Callable, Iterator, Sequence

from bot.core.book import Book
from bot.core.history import RebalanceHistory
from bot.core.records import Record
from bot.journal.codec import Encoded, decode, encode
from bot.journal.errors import JournalUnavailable
from bot.journal.journal import Identity
from bot.simulation.faults import Fault, Faults
from bot.simulation.life import Life


class Disk:
    """What outlives a process: the records of one fund, step by step."""

    def __init__(self, fund: str) -> None:
        """Nothing is written yet."""
        self.steps: list[list[Encoded]] = []
        self._unfolded: list[Record] = []
        self._book = Book()
        self._history = RebalanceHistory(fund)

    def write(self, step: list[Encoded]) -> list[Record]:
        """Add a step; what it says, read back."""
        self.steps.append(step)
        back = [decode(stored) for stored in step]
        self._unfolded += back
        return back

    def fold(self) -> tuple[Book, RebalanceHistory]:
        """What a process that starts makes of everything that is there.

        Each record is folded once for all processes, in the order in which each of them would.
        """
        for record in self._unfolded:
            self._book.apply(record)
            self._history.apply(record)
        self._unfolded.clear()
        return self._book.copy(), self._history.copy()

    def records(self) -> Iterator[Record]:
        """Everything that is there, read anew."""
        for step in self.steps:
            for stored in step:
                yield decode(stored)


class MemoryJournal:
    """One process's hold on the disk. See `bot.journal.journal.Journal`."""

    def __init__(
        self,
        disk: Disk,
        life: Life,
        faults: Faults,
        kill: Callable[[Fault], None],
        written: Callable[[list[Record]], None],
    ) -> None:
        """`written` hears of each step that is durable, whether or not the process lives to know it."""
        self._disk = disk
        self._life = life
        self._faults = faults
        self._kill = kill
        self._written = written
        self._failure: str | None = None

    @property
    def identity(self) -> Identity:
        """It belongs to the simulation."""
        return Identity("simulated", "simulated")

    def funds(self) -> tuple[str, ...]:
        """No command asks a simulated journal for its funds; the one fund is known."""
        return ()

    def read(self, fund: str) -> Iterator[Record]:  # noqa: ARG002 - there is one fund
        """The records on the disk."""
        return self._disk.records()

    def owned(self) -> bool:
        """No other process is simulated."""
        return True

    def append(self, fund: str, records: Sequence[Record], wall_ms: int) -> None:  # noqa: ARG002 - as above
        """Append the records of one step, all or none."""
        self._life.check()
        if self._failure is not None:
            raise JournalUnavailable(self._failure)
        if not records:
            return
        if self._faults.strikes(Fault.KILLED_BEFORE_WRITE):
            self._kill(Fault.KILLED_BEFORE_WRITE)
        step = [encode(record) for record in records]
        if self._faults.strikes(Fault.COMMIT_FAILED):
            self._fail("input/output error")
        if self._faults.strikes(Fault.DISK_FULL):
            self._fail("database or disk is full")
        self._written(self._disk.write(step))
        if self._faults.strikes(Fault.COMMIT_UNSURE):
            self._fail("input/output error after the commit")
        if self._faults.strikes(Fault.KILLED_AFTER_WRITE):
            self._kill(Fault.KILLED_AFTER_WRITE)

    def close(self) -> None:
        """There is nothing to let go of."""

    def _fail(self, reason: str) -> None:
        self._failure = f"the simulated disk cannot be used ({reason})"
        raise JournalUnavailable(self._failure)
