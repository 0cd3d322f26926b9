"""One stored row: the form that a record has in either database, and the way back."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from types import NoneType
from typing import Any, NamedTuple
from zlib import crc32

from bot.core.records import Record
from bot.journal.codec import (
    Encoded,
    MalformedRecordError,
    QuickReader,
    UnknownRecordError,
    decode,
    encode,
    quick_reader,
)
from bot.journal.errors import JournalCorrupt, JournalError, JournalNewer
from bot.journal.sealing import Sealer, SealError


class Row(NamedTuple):
    """A record as it is stored. `position` grows within a fund; where it starts and steps is the store's."""

    position: int
    kind: bytes
    time_ms: int
    wall_ms: int
    body: bytes
    sealed: bytes | None
    crc: int


class Wording(NamedTuple):
    """How a store names itself in an error, and what puts it right."""

    name: str
    corrupt_remedy: str

    def corrupt(self, detail: str) -> JournalError:
        """The stored bytes are damaged."""
        return JournalCorrupt(f"{self.name} is corrupt ({' '.join(detail.split())}): {self.corrupt_remedy}")

    def newer(self, detail: str) -> JournalError:
        """A later program wrote it."""
        return JournalNewer(
            f"{self.name} was written by a newer version of Inband ({detail}): run that version"
        )


def checksum(fund: bytes, row: Row) -> int:
    """CRC-32 of everything that a row holds, but its place."""
    crc = crc32(row.body, crc32(b"%b|%b|%d|%d|" % (fund, row.kind, row.time_ms, row.wall_ms)))
    return crc if row.sealed is None else crc32(row.sealed, crc)


def to_row(sealer: Sealer, fund: str, record: Record, wall_ms: int, position: int) -> Row:
    """The stored form of a record, its secrets sealed."""
    kind, time_ms, body, plain = encode(record)
    sealed = None if plain is None else sealer.seal(plain, fund, kind, time_ms)
    row = Row(position, kind.encode(), time_ms, wall_ms, body, sealed, 0)
    return row._replace(crc=checksum(fund.encode(), row))


def to_records(
    sealer: Sealer, fund: str, pages: Iterable[Sequence[tuple[Any, ...]]], wording: Wording
) -> Iterator[Record]:
    """The records of rows (in the order of `Row`, any number to a page), each checked.

    Raises:
        JournalCorrupt: a row is not what was written.
        JournalNewer: a row is of a kind that this version does not know.
    """
    known: dict[bytes, tuple[int, QuickReader | None]] = {}
    name = fund.encode()
    for row in chain.from_iterable(pages):
        _, kind, time_ms, wall_ms, body, sealed, crc = row
        record = None
        try:
            head, read = known.get(kind) or known.setdefault(
                kind, (crc32(b"%b|%b|" % (name, kind)), quick_reader(kind))
            )
            found = crc32(body, crc32(b"%d|%d|" % (time_ms, wall_ms), head))
            if read is None:
                pass
            elif sealed is None:
                record = read(time_ms, body, None) if found == crc else None
            elif crc32(sealed, found) == crc:
                record = read(time_ms, body, sealer.unseal(sealed, fund, kind.decode(), time_ms))
        except (TypeError, ValueError, SealError):
            pass  # `_carefully` says what it is
        yield _carefully(sealer, fund, Row._make(row), wording) if record is None else record


def _carefully(sealer: Sealer, fund: str, row: Row, wording: Wording) -> Record:
    """The record of an older form, or what is wrong with it in words."""
    position, kind, time_ms, _, body, sealed, crc = row
    wrong = wording.corrupt(f"record {position} has a value of a wrong type")
    if type(body) is not bytes or type(kind) is not bytes or type(sealed) not in (bytes, NoneType):
        raise wrong
    try:
        if checksum(fund.encode(), row) != crc:
            raise wording.corrupt(f"record {position} fails its checksum")
        text = kind.decode()
        plain = None if sealed is None else sealer.unseal(sealed, fund, text, time_ms)
        return decode(Encoded(text, time_ms, body, plain))
    except UnknownRecordError as error:
        raise wording.newer(f"record {position}: {error}") from error
    except (MalformedRecordError, SealError) as error:
        raise wording.corrupt(f"record {position}: {error}") from error
    except (TypeError, UnicodeDecodeError):
        raise wrong from None
