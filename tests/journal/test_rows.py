from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.records import RebalanceParked, Record
from bot.journal.codec import Encoded, MalformedRecordError, UnknownRecordError, decode, decode_alike, encode
from bot.journal.errors import JournalCorrupt
from bot.journal.rows import Row, Wording, checksum, to_records, to_row
from bot.journal.sealing import Sealer
from tests.journal.test_codec import CLASSES, any_of

SEALER = Sealer(bytes(32))
WORDING = Wording("the journal", "put a backup back")


def rows_of(records: Sequence[Record]) -> list[Row]:
    """The rows that a store would hold."""
    return [to_row(SEALER, "BTCUP", record, 7, place) for place, record in enumerate(records, 1)]


@given(records=st.lists(st.sampled_from(CLASSES).flatmap(any_of), max_size=12), data=st.data())
def test_pages_of_mixed_kinds_come_back_in_order(records: list[Record], data: st.DataObject) -> None:
    """What is alike is decoded together; every record is as it was, and where it was, however it is paged."""
    rows = rows_of(records)
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=3).map(sorted))
    pages = [rows[start:end] for start, end in pairwise([0, *cuts, len(rows)])]

    back = list(to_records(SEALER, "BTCUP", pages, WORDING))

    assert [(type(record), repr(record)) for record in back] == [(type(r), repr(r)) for r in records]


@given(records=st.lists(st.sampled_from(CLASSES).flatmap(any_of), min_size=1, max_size=8), data=st.data())
def test_what_comes_before_a_damaged_row_is_read(records: list[Record], data: st.DataObject) -> None:
    """The damaged record is named, whichever others are of its kind, and what is before it is no worse."""
    rows = rows_of(records)
    place = data.draw(st.integers(0, len(rows) - 1))
    rows[place] = rows[place]._replace(crc=rows[place].crc ^ 1)
    reader = to_records(SEALER, "BTCUP", [rows], WORDING)
    read: list[Record] = []

    with pytest.raises(JournalCorrupt, match=f"record {place + 1} fails its checksum"):
        read.extend(reader)

    assert list(map(repr, read)) == list(map(repr, records[:place]))


def test_a_time_that_is_no_whole_number_is_refused() -> None:
    """SQLite would keep one, and its checksum would be that of the whole number."""
    row = rows_of([RebalanceParked(5)])[0]._replace(time_ms=5.5)  # type: ignore[arg-type]
    with pytest.raises(JournalCorrupt, match="wrong type"):
        list(to_records(SEALER, "BTCUP", [[row._replace(crc=checksum(b"BTCUP", row))]], WORDING))


_SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["1", "x", "band", "1e3", " 1"])
_PIECES = st.sampled_from([b"{", b"}", b"[", b"]", b",", b":", b"0", b'"a"', b"\n", b" ", b'"', b"{}"])


@st.composite
def _texts(draw: st.DrawFn, cls: type[Record]) -> list[tuple[bytes, bytes | None]]:
    """Texts of records of a class; some with a value changed, a field gone, or cut, glued and filled in."""
    texts = []
    for record in draw(st.lists(any_of(cls), min_size=1, max_size=4)):
        _, _, body, sealed = encode(record)
        for _ in range(draw(st.integers(0, 2))):
            start, end = sorted(draw(st.tuples(*[st.integers(0, len(body))] * 2)))
            body = body[:start] + draw(_PIECES | st.just(body[start:end])) + body[end:]
        texts.append((body, sealed))
    return texts


@given(data=st.data())
def test_records_decoded_together_are_those_decoded_alone(data: st.DataObject) -> None:
    """Or they are not decoded together: what `decode` refuses is not taken, and nothing becomes another."""
    cls = data.draw(st.sampled_from(CLASSES))
    texts = data.draw(_texts(cls))
    bodies, sealed = [body for body, _ in texts], [secret for _, secret in texts if secret is not None]
    times_ms = list(range(len(texts)))

    together = decode_alike(cls.__name__.encode(), times_ms, bodies, sealed or None)

    if together is not None:
        alone = [decode(Encoded(cls.__name__, time_ms, *texts[time_ms])) for time_ms in times_ms]
        assert list(map(repr, together)) == list(map(repr, alone))


@pytest.mark.parametrize(
    "bodies",
    [
        [b'{"mark":"1"', b'"variance":null}'],
        [b'{"mark":"1"', b'"variance":null}', b'{"mark":"1","variance":null},0,{"mark":"1","variance":null}'],
        [b'{"mark":"1"', b'"variance":null}', b'{"mark":"1","variance":null},{"mark":"1","variance":null}'],
        [b'{"mark":"1","variance":"1', b'"}'],
        [b'{"mark":"1","variance":[1', b"2]}", b'{"mark":"1","variance":"1"}'],
        [b'[{"mark":"1","variance":"1"}', b'{"mark":"1","variance":"1"}]'],
        [b"", b'{"mark":"1","variance":null},0,{"mark":"1","variance":null}'],
        [b'{"mark":"1"}'],
        [b'{"mark":"1","variance":null,"more":1}'],
        [b'{"mark":null,"variance":null}'],
        [b'{"mark":1,"variance":null}'],
        [b"[1,2]"],
    ],
)
def test_texts_that_make_sense_only_together_are_none(bodies: list[bytes]) -> None:
    """What begins in one text cannot end in the next, and one text cannot stand for two."""
    assert decode_alike(b"Sampled", list(range(len(bodies))), bodies, None) is None
    with pytest.raises((MalformedRecordError, UnknownRecordError)):
        list(map(decode, [Encoded("Sampled", 1, body, None) for body in bodies]))
