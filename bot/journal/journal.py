"""The port: what the daemon, `status` and `history` may ask of a journal, whatever it is stored in."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from bot.core.records import Record


class Identity(NamedTuple):
    """What a journal belongs to for ever: a mode (`paper`, `live`) and a venue (`binanceusdm@paper`)."""

    mode: str
    venue: str


class JournalReader(Protocol):
    """Records, as far as they were durable when asked."""

    @property
    def identity(self) -> Identity:
        """The mode and venue the journal belongs to."""

    def funds(self) -> tuple[str, ...]:
        """Names of the funds that have records, in alphabetical order."""

    def read(self, fund: str) -> Iterator[Record]:
        """The fund's records in the order they were appended.

        Raises:
            JournalCorrupt: a record is not what was written.
            JournalNewer: a record is of a kind that this version does not know.
            JournalUnavailable: the store cannot be read now.
        """

    def close(self) -> None:
        """Let go of the store; may be called twice."""


class Journal(JournalReader, Protocol):
    """The one writer."""

    def append(self, fund: str, records: Sequence[Record], wall_ms: int) -> None:
        """Append the records of one step, all or none, durable on return. No records: nothing happens.

        Synchronous, for nothing may happen between a step and its records. `wall_ms`: wall time, UTC.

        Raises:
            JournalUnavailable: they may not be durable: send nothing. Every later append is refused.
        """
