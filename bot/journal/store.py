"""What both stores do alike: who reads and writes a journal, whatever keeps its rows."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Self

from bot.core.records import Record
from bot.journal.errors import JournalUnavailable
from bot.journal.journal import Identity, StoredProjection
from bot.journal.rows import Row, to_row
from bot.journal.sealing import Sealer, SealError


class StoreReader(ABC):
    """A key, an identity, and the form in which projections are stored. See `JournalReader`."""

    def __init__(self, sealer: Sealer, identity: Identity) -> None:
        self._sealer = sealer
        self._identity = identity

    @property
    def identity(self) -> Identity:
        """The mode and venue the journal belongs to."""
        return self._identity

    @abstractmethod
    def close(self) -> None:
        """Let go of the store; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def row_of(self, fund: str, record: Record, wall_ms: int, position: int = 0) -> Row:
        """How this journal would store a record."""
        return to_row(self._sealer, fund, record, wall_ms, position)

    def restored_ms(self) -> int:
        """When a copy was put in its place that marks in other data directories know nothing of; else 0."""
        return 0

    def _sealed(self, fund: str, kept: Mapping[str, StoredProjection]) -> list[tuple[Any, ...]]:
        """Rows of the table `projection`: fund, name, version, position, sealed content."""
        return [
            (fund, name, version, position, self._sealer.seal(content, fund, f"projection {name}", position))
            for name, (version, position, content) in kept.items()
        ]

    def _unsealed(
        self, fund: str, name: str, version: str, position: int, sealed: bytes
    ) -> StoredProjection | None:
        """What such a row holds; None if it is no longer sound."""
        try:
            content = self._sealer.unseal(sealed, fund, f"projection {name}", position)
        except SealError:
            return None
        return StoredProjection(version, position, content)


class StoreAppender(StoreReader):
    """One writer. After a failure nobody knows what is durable, so it takes nothing any more."""

    _REFUSES: ClassVar[type[JournalUnavailable]] = JournalUnavailable
    _failure: str | None = None

    def append(self, fund: str, records: Sequence[Record], wall_ms: int) -> None:
        """Append the records of one step, durably and all or none; see `Journal.append`."""
        if self._failure is not None:
            raise self._REFUSES(self._failure)
        if records:
            first = self._next(fund)
            self._write(
                fund, [self.row_of(fund, record, wall_ms, first + i) for i, record in enumerate(records)]
            )

    @abstractmethod
    def _next(self, fund: str) -> int:
        """The position of the fund's next record, where the store does not give it itself."""

    @abstractmethod
    def _write(self, fund: str, rows: Sequence[Row]) -> None:
        """Make the rows durable, all or none; on failure set `_failure` and raise."""
