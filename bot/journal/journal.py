"""The port: what the daemon, `status` and `history` may ask of a journal, whatever it is stored in."""

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from bot.core.records import Record

END = 2**63 - 1
"""After every position."""


class Identity(NamedTuple):
    """What a journal belongs to for ever: a mode (`paper`, `live`) and a venue (`binanceusdm@paper`)."""

    mode: str
    venue: str


class StoredProjection(NamedTuple):
    """What a fund's records up to `position` folded to, as bytes; `version`: by what, and of what."""

    version: str
    position: int
    content: bytes


class Owner(NamedTuple):
    """Who sends for an account; times are wall time, `silent_s` how long ago it last showed that it lives."""

    account: str
    holder: str
    since_ms: int
    silent_s: float


class JournalReader(Protocol):
    """Records, as far as they were durable when asked."""

    @property
    def identity(self) -> Identity:
        """The mode and venue the journal belongs to."""

    def funds(self) -> tuple[str, ...]:
        """Names of the funds that have records, in alphabetical order."""

    def read(self, fund: str, after: int = 0, until: int = END) -> Iterator[Record]:
        """The fund's records in the order they were appended, after position `after` and up to `until`.

        Raises:
            JournalCorrupt: a record is not what was written.
            JournalNewer: a record is of a kind that this version does not know.
            JournalUnavailable: the store cannot be read now.
        """

    def position(self, fund: str) -> int:
        """Where the fund's last record stands; positions grow, and 0 is before the first."""

    def crc_at(self, fund: str, position: int) -> int | None:
        """The checksum of the fund's record at a position; None where there is none."""

    def restored_ms(self) -> int:
        """When a copy was put in its place that marks in other data directories know nothing of; else 0."""

    def projection(self, fund: str, name: str) -> StoredProjection | None:
        """What `Keeper.keep` kept; None if it kept nothing, or what is no longer sound."""

    def owners(self) -> tuple[Owner, ...]:
        """Who sends for which account, where several hosts may share the journal."""

    def close(self) -> None:
        """Let go of the store; may be called twice. Leaving it as a context manager does it, too."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Appender(Protocol):
    """What a fund at work needs of its journal."""

    def append(self, fund: str, records: Sequence[Record], wall_ms: int) -> None:
        """Append the records of one step, all or none, durable on return. No records: nothing happens.

        Synchronous, for nothing may happen between a step and its records. `wall_ms`: wall time, UTC.

        Raises:
            JournalUnavailable: they may not be durable: send nothing. Every later append is refused.
        """

    def owned(self) -> bool:
        """Whether nobody else can have begun to send for the accounts: to be asked right before a send."""


class Keeper(JournalReader, Protocol):
    """A reader that may keep projections, also beside the one writer."""

    def keep(self, fund: str, kept: Mapping[str, StoredProjection]) -> None:
        """Keep projections by name in place of earlier ones, all or none; they can always be made again."""


class Journal(Keeper, Appender, Protocol):
    """The one writer."""
