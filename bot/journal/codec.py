"""Records to JSON and back, exactly, by their type hints.

A record becomes its kind (the class name), its market time, the JSON of its open fields and the JSON of its
sealed ones. Decimals are strings, enumerations their values. What each class holds is worked out once, here.
A field with a default may be missing: an earlier version did not have it.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import partial
from types import NoneType, UnionType
from typing import Any, NamedTuple, TypeAlias, get_args, get_origin, get_type_hints

import orjson

from bot.core.records import SEALED, Record


class UnknownRecordError(ValueError):
    """A kind or field that this version does not know."""


class MalformedRecordError(ValueError):
    """A stored record lacks a field, or a value is not of its type."""


class Encoded(NamedTuple):
    """A record in the form it is stored in, before sealing; `sealed` is None for a kind without secrets."""

    kind: str
    time_ms: int
    body: bytes
    sealed: bytes | None


_FromJson: TypeAlias = Callable[[Any], Any]
_Plan: TypeAlias = tuple[tuple[int, _FromJson], ...]

QuickReader: TypeAlias = Callable[[int, bytes, bytes | None], Record | None]
"""Makes a record of market time, open and unsealed JSON; None where that takes a closer look."""

_NOT_QUICK = (ValueError, KeyError, TypeError, AttributeError, InvalidOperation)


def _exactly(expected: type) -> _FromJson:
    def convert(value: Any) -> Any:
        if type(value) is not expected:
            raise ValueError(f"{expected.__name__} expected")
        return value

    return convert


def _decimal(value: Any) -> Decimal:
    if type(value) is not str:
        raise ValueError("decimal string expected")
    return Decimal(value)


def _from_json(hint: Any) -> _FromJson:
    if get_origin(hint) is UnionType:
        (inner,) = (_from_json(member) for member in get_args(hint) if member is not NoneType)
        return lambda value: None if value is None else inner(value)
    if hint is Decimal:
        return _decimal
    if hint in (int, str, bool):
        return _exactly(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    raise TypeError(f"the journal has no form for a field of type {hint!r}")


class _Form:
    """How one class of record is stored. Its market time has a column of its own.

    `plans` is for speed: of each combination of JSON types that proved right, which values to convert.
    """

    def __init__(self, cls: type[Record]) -> None:
        hints = get_type_hints(cls)
        names = [name for name in cls._fields if name != "time_ms"]
        secret = SEALED.get(cls, frozenset())
        self.cls = cls
        self.kind = cls.__name__
        self.fields = cls._fields
        self.optional = cls._field_defaults.keys()
        self.open = {name: _from_json(hints[name]) for name in names if name not in secret}
        self.sealed = {name: _from_json(hints[name]) for name in names if name in secret}
        self.open_names = tuple(self.open)
        self.sealed_names = tuple(self.sealed)
        self.open_list, self.sealed_list = list(self.open), list(self.sealed)
        self.whole = ("time_ms", *self.open_names) == cls._fields
        stored = ["time_ms", *self.open_list, *self.sealed_list]
        self.places = [stored.index(name) for name in cls._fields]
        self.make = partial(tuple.__new__, cls)  # what `_make` does, without its own look at the length
        self.plans: dict[tuple[type, ...], _Plan] = {}

    def plan(self, values: Sequence[Any], types: tuple[type, ...]) -> _Plan:
        """Which of `values`, in the order of the fields, to convert; each has proved to be right as it is."""
        converters = {**self.open, **self.sealed}
        plan: list[tuple[int, _FromJson]] = []
        for place, name in enumerate(self.fields):
            if name != "time_ms" and (converted := converters[name](values[place])) is not values[place]:
                plan.append((place, _quick(type(converted))))
        self.plans[types] = tuple(plan)
        return self.plans[types]

    def quick_reader(self) -> QuickReader:
        """See `quick_reader`; everything that a record needs is at hand, nothing is looked up for each."""
        load, make, plan, plans = orjson.loads, self.make, self.plan, self.plans
        open_list, sealed_list, places, whole = self.open_list, self.sealed_list, self.places, self.whole

        def read(time_ms: int, body: bytes, plain: bytes | None) -> Record | None:
            try:
                stored = load(body)
                if list(stored) != open_list:
                    return None
                values = [time_ms, *stored.values()]
                if plain is not None:
                    secret = load(plain)
                    if list(secret) != sealed_list:
                        return None
                    values += secret.values()
                    values = [values[place] for place in places]
                elif not whole:
                    return None
                types = tuple(map(type, values))
                known = plans.get(types)
                for place, convert in plan(values, types) if known is None else known:
                    values[place] = convert(values[place])
            except _NOT_QUICK:
                return None
            return make(values)

        return read


def _quick(wanted: type) -> _FromJson:
    """What makes a value of `wanted` of a string in the least time."""
    if issubclass(wanted, StrEnum):
        return wanted._value2member_map_.__getitem__
    return wanted


_FORMS = {cls: _Form(cls) for cls in get_args(Record)}
_FORM_OF_KIND = {form.kind: form for form in _FORMS.values()}
_QUICK_FORMS = {kind.encode(): form for kind, form in _FORM_OF_KIND.items()}


def _default(value: object) -> str:
    if type(value) is Decimal:
        return str(value)
    raise TypeError(f"a record holds a {type(value).__name__}")


def _dump(record: Record, names: tuple[str, ...]) -> bytes:
    return orjson.dumps({name: getattr(record, name) for name in names}, default=_default)


def encode(record: Record) -> Encoded:
    """The stored form of a record.

    Raises:
        TypeError: a value is none that JSON, or its decimals, can hold (`orjson.JSONEncodeError` among them).
    """
    form = _FORMS[type(record)]
    sealed = _dump(record, form.sealed_names) if form.sealed_names else None
    return Encoded(form.kind, record.time_ms, _dump(record, form.open_names), sealed)


def decode(encoded: Encoded) -> Record:
    """The record that `encode` made this from.

    Raises:
        UnknownRecordError: a newer version wrote it.
        MalformedRecordError: nobody wrote it so.
    """
    form = _FORM_OF_KIND.get(encoded.kind)
    if form is None:
        raise UnknownRecordError(f"unknown kind {encoded.kind}")
    values = _load(encoded.kind, encoded.body, form.open, form.optional)
    if (encoded.sealed is not None) != bool(form.sealed):
        raise MalformedRecordError(f"{encoded.kind}: sealed fields missing or not expected")
    if encoded.sealed is not None:
        values |= _load(encoded.kind, encoded.sealed, form.sealed, form.optional)
    record: Record = form.cls(time_ms=encoded.time_ms, **values)
    return record


def quick_reader(kind: bytes) -> QuickReader | None:
    """What decodes records of a kind in the least time; None for a kind that this version does not know.

    A year of records is read at once, so as little is done for each as can be. The reader takes market time,
    the open JSON and the unsealed one (None: there is none), and answers as `decode` does, or None where
    anything is not as today's program writes it: then `decode` says what it is, in words.
    """
    form = _QUICK_FORMS.get(kind)
    return None if form is None else form.quick_reader()


def _load(
    kind: str, text: bytes, converters: dict[str, _FromJson], optional: AbstractSet[str]
) -> dict[str, Any]:
    try:
        stored = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedRecordError(f"{kind}: not JSON") from error
    if type(stored) is not dict:
        raise MalformedRecordError(f"{kind}: not a JSON object")
    if unknown := stored.keys() - converters.keys():
        raise UnknownRecordError(f"{kind}: unknown field {min(unknown)}")
    if missing := converters.keys() - stored.keys() - optional:
        raise MalformedRecordError(f"{kind}: field {min(missing)} is missing")
    values = {}
    for name, convert in converters.items():
        if name not in stored:
            continue
        try:
            values[name] = convert(stored[name])
        except (ValueError, InvalidOperation):
            # The value stays unnamed, and the cause unchained: it may be a secret.
            raise MalformedRecordError(f"{kind}: bad value of field {name}") from None
    return values
