from decimal import Decimal
from typing import NamedTuple, get_args, get_type_hints

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.records import (
    SEALED,
    DrawQueued,
    Filled,
    Kind,
    OrderIntended,
    RebalanceParked,
    RebalanceStarted,
    Record,
)
from bot.core.units import Urgency
from bot.journal.codec import Encoded, MalformedRecordError, UnknownRecordError, _Form, decode, encode

st.register_type_strategy(Decimal, st.decimals(allow_nan=False, allow_infinity=False))
st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))

CLASSES: tuple[type[Record], ...] = get_args(Record)


def any_of(cls: type[Record]) -> st.SearchStrategy[Record]:
    """Every record of a class, from its type hints."""
    return st.builds(cls, **{name: st.from_type(hint) for name, hint in get_type_hints(cls).items()})


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_every_record_comes_back_exactly(cls: type[Record], data: st.DataObject) -> None:
    """Whatever a record holds, decoding its stored form gives the same record, digit for digit."""
    record = data.draw(any_of(cls))

    back = decode(encode(record))

    assert type(back) is cls
    assert back == record
    assert repr(back) == repr(record)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_the_open_part_never_holds_a_sealed_field(cls: type[Record], data: st.DataObject) -> None:
    """The open JSON names no field that is to be sealed, and the sealed JSON names nothing else."""
    stored = encode(data.draw(any_of(cls)))

    secret = SEALED.get(cls, frozenset())
    assert not secret & set(orjson.loads(stored.body))
    assert set(orjson.loads(stored.sealed) if stored.sealed else ()) == secret


def test_what_is_secret_is_sealed_in_every_record_that_holds_it() -> None:
    """Keys, draws, targets, deadlines and gaps are secret; a record that holds one seals it."""
    secret = {"key", "u", "salt", "target", "deadline_ms", "due_ms"}
    for cls in CLASSES:
        assert secret & set(cls._fields) <= SEALED.get(cls, frozenset())


def test_the_stored_form_is_fixed() -> None:
    """A journal outlives the program: this is how it holds a rebalance; a change is a migration."""
    record = RebalanceStarted(
        time_ms=1_741_257_000_000,
        number=7,
        kind=Kind.BAND,
        reason="leverage above the band",
        urgency=Urgency.PROMPT,
        sequence=3,
        target=Decimal("2.100"),
        tolerance=Decimal("0.01"),
        mark=Decimal("91234.5"),
        position=Decimal("-3.290"),
        leverage=None,
        low=Decimal("1.8"),
        high=Decimal("2.6"),
    )

    assert encode(record) == Encoded(
        kind="RebalanceStarted",
        time_ms=1_741_257_000_000,
        body=(
            b'{"number":7,"kind":"band","reason":"leverage above the band","urgency":"prompt","sequence":3,'
            b'"tolerance":"0.01","mark":"91234.5","position":"-3.290","leverage":null}'
        ),
        sealed=b'{"target":"2.100","low":"1.8","high":"2.6"}',
    )


@pytest.mark.parametrize(
    ("stored", "named"),
    [
        (Encoded("TokenBurnt", 1, b"{}", None), "TokenBurnt"),
        (Encoded("RebalanceParked", 1, b'{"by":"operator"}', None), "by"),
    ],
)
def test_what_only_a_newer_version_writes_is_named(stored: Encoded, named: str) -> None:
    """An unknown kind or field is told apart from damage, because its remedy is another program version."""
    with pytest.raises(UnknownRecordError, match=named):
        decode(stored)


GOOD_FILL = encode(Filled(1, None, "1", 1, Decimal(1), Decimal(1), Decimal(0))).body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"{}",
        GOOD_FILL.replace(b'"price":"1"', b'"price":1'),
        GOOD_FILL.replace(b'"price":"1"', b'"price":"1x"'),
        GOOD_FILL.replace(b'"price":"1"', b'"price":null'),
        GOOD_FILL.replace(b'"trade_ms":1', b'"trade_ms":"1"'),
        GOOD_FILL.replace(b'"trade_ms":1', b'"trade_ms":true'),
    ],
)
def test_a_damaged_record_is_refused(body: bytes) -> None:
    """Values of a wrong type, missing fields and broken JSON never become a record."""
    with pytest.raises(MalformedRecordError):
        decode(Encoded("Filled", 1, body, None))


def test_a_field_that_an_earlier_version_did_not_have_is_its_default() -> None:
    """A journal is read by every later program."""
    one = Decimal(1)
    intended = OrderIntended(1, "ib1", one, one, reduce_only=True, mark=one, expires_wall_ms=9)
    body = encode(intended).body.replace(b',"rests_until_ms":null', b"")
    assert b"rests" not in body
    assert decode(Encoded("OrderIntended", 1, body, None)) == intended


def test_a_record_without_its_secrets_is_refused() -> None:
    """A kind with sealed fields does not decode without them."""
    stored = encode(DrawQueued(1, 1, "c", "0.1", "s"))

    with pytest.raises(MalformedRecordError, match="sealed"):
        decode(stored._replace(sealed=None))


def test_a_bad_secret_is_not_quoted() -> None:
    """An error about a sealed field names the field, never its value."""
    stored = encode(DrawQueued(1, 1, "c", "0.123456", "s"))

    with pytest.raises(MalformedRecordError) as caught:
        decode(stored._replace(sealed=b'{"u":0.123456,"salt":"s"}'))

    assert "0.123456" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_field_without_a_stored_form_stops_the_program_at_once() -> None:
    """A record class with a field that the journal cannot hold fails at import, not in use."""

    class Odd(NamedTuple):
        time_ms: int
        ratio: float

    with pytest.raises(TypeError, match="float"):
        _Form(Odd)  # type: ignore[arg-type]


def test_a_record_of_nothing_but_its_time_is_stored() -> None:
    """A record without further fields has an empty body and no secrets."""
    assert encode(RebalanceParked(5)) == Encoded("RebalanceParked", 5, b"{}", None)
