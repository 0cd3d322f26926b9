"""One stored row: the form that a record has in either database, and the way back."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from operator import itemgetter
from types import NoneType
from typing import Any, NamedTuple
from zlib import crc32

from bot.core.records import Record
from bot.journal.codec import (
    Encoded,
    MalformedRecordError,
    UnknownRecordError,
    decode,
    decode_alike,
    encode,
    seals,
)
from bot.journal.errors import JournalCorrupt, JournalError, JournalNewer
from bot.journal.sealing import Sealer, SealError

_KIND = itemgetter(1)


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
    return chain.from_iterable(_by_pages(sealer, fund, pages, wording))


def _by_pages(
    sealer: Sealer, fund: str, pages: Iterable[Sequence[tuple[Any, ...]]], wording: Wording
) -> Iterator[Iterator[Record]]:
    """What is alike is checked and decoded together, and then put back in order."""
    for page in pages:
        alike: defaultdict[Any, list[tuple[Any, ...]]] = defaultdict(list)
        for row in page:
            alike[row[1]].append(row)
        records = {
            kind: iter(
                _alike(sealer, fund, kind, rows)
                or (_carefully(sealer, fund, Row._make(row), wording) for row in rows)
            )
            for kind, rows in alike.items()
        }
        yield map(next, map(records.__getitem__, map(_KIND, page)))


def _alike(sealer: Sealer, fund: str, kind: bytes, rows: list[tuple[Any, ...]]) -> list[Record] | None:
    """The records of rows of one kind; None if any is not as today's program writes it."""
    sealed = seals(kind)
    if sealed is None:
        return None
    _, _, times_ms, walls_ms, bodies, ciphertexts, crcs = zip(*rows, strict=True)
    head = crc32(b"%b|%b|" % (fund.encode(), kind))
    try:
        places = map(b"%d|%d|".__mod__, zip(times_ms, walls_ms, strict=True))
        found: Iterable[int] = map(crc32, bodies, map(crc32, places, repeat(head)))
        if sealed:
            found = map(crc32, ciphertexts, found)
        elif ciphertexts.count(None) < len(ciphertexts):
            return None
        if tuple(found) != crcs:
            return None
        plains = None
        if sealed:
            unseal, name = sealer.unseal, kind.decode()
            each = zip(ciphertexts, times_ms, strict=True)
            plains = [unseal(ciphertext, fund, name, time_ms) for ciphertext, time_ms in each]
    except (TypeError, SealError):
        return None
    return decode_alike(kind, times_ms, bodies, plains)


def _carefully(sealer: Sealer, fund: str, row: Row, wording: Wording) -> Record:
    """The record of an older form, or what is wrong with it in words."""
    position, kind, time_ms, _, body, sealed, crc = row
    wrong = wording.corrupt(f"record {position} has a value of a wrong type")
    types = (type(kind), type(time_ms), type(body))
    if types != (bytes, int, bytes) or type(sealed) not in (bytes, NoneType):
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
