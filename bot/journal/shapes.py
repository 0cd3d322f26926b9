"""Folded state to JSON and back, exactly, by type hints: named tuples, dataclasses, annotated classes.

What this writes is read by the very same code or not at all (see `projections`), so values stand in the order
of the fields, without names.
"""

from collections.abc import Callable
from dataclasses import is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import orjson


class Shape(NamedTuple):
    """Both ways between a value and what JSON can hold."""

    to_json: Callable[[Any], Any]
    from_json: Callable[[Any], Any]


def dump(value: object) -> bytes:
    """The bytes of an object of an annotated class."""
    cls: Any = type(value)
    return orjson.dumps(_shape(cls).to_json(value))


def load(cls: type, content: bytes) -> Any:
    """The object of `cls` that `dump` made these bytes of."""
    return _shape(cls).from_json(orjson.loads(content))


def _same(value: Any) -> Any:
    return value


@cache
def _shape(hint: Any) -> Shape:  # noqa: PLR0911 - one answer for each kind of hint
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (UnionType, Union):
        return _union([part for part in parts if part is not NoneType])
    if origin is tuple and parts[-1] is not Ellipsis:
        return _fixed(tuple, [_shape(part) for part in parts])
    if origin in (tuple, list, frozenset, set):
        return _sequence(origin, _shape(parts[0]))
    if origin is dict:
        pair = _fixed(tuple, [_shape(part) for part in parts])
        return Shape(lambda d: [pair.to_json(i) for i in d.items()], lambda v: dict(map(pair.from_json, v)))
    if hint is Decimal:
        return Shape(str, Decimal)
    if hint is bytes:
        return Shape(lambda value: value.decode("latin-1"), lambda value: value.encode("latin-1"))
    if hint in (int, str, bool, float, NoneType):
        return Shape(_same, _same)
    if not isinstance(hint, type):
        raise TypeError(f"a projection cannot hold a field of type {hint!r}")
    if issubclass(hint, Enum):
        return Shape(lambda member: member.value, hint)
    return _object(hint)


def _union(members: list[Any]) -> Shape:
    """One class or None; of several, each value says which it is."""
    shapes = [_shape(member) for member in members]
    if len(shapes) == 1:
        to_json, from_json = shapes[0]
        return Shape(
            lambda value: None if value is None else to_json(value),
            lambda value: None if value is None else from_json(value),
        )

    def pack(value: Any) -> Any:
        if value is None:
            return None
        place = members.index(type(value))
        return [place, shapes[place].to_json(value)]

    return Shape(pack, lambda value: None if value is None else shapes[value[0]].from_json(value[1]))


def _sequence(make: Callable[[Any], Any], inner: Shape) -> Shape:
    to_json, from_json = inner
    return Shape(
        lambda values: [to_json(value) for value in values],
        lambda values: make(from_json(value) for value in values),
    )


def _fixed(make: Callable[[Any], Any], shapes: list[Shape]) -> Shape:
    def pack(values: Any) -> list[Any]:
        return [shape.to_json(value) for shape, value in zip(shapes, values, strict=True)]

    def unpack(values: Any) -> Any:
        return make(shape.from_json(value) for shape, value in zip(shapes, values, strict=True))

    return Shape(pack, unpack)


def _object(cls: type) -> Shape:
    hints = get_type_hints(cls)
    if issubclass(cls, tuple):
        fields: tuple[str, ...] = cls._fields  # type: ignore[attr-defined]  # every tuple of ours is a named one
        return _fixed(cls._make, [_lazily(hints[name]) for name in fields])  # type: ignore[attr-defined]
    if not hints:
        raise TypeError(f"a projection cannot hold a {cls.__name__}: it says nothing of its fields")
    names = list(hints)
    values = _fixed(list, [_lazily(hints[name]) for name in names])

    def make(stored: Any) -> Any:
        held = dict(zip(names, values.from_json(stored), strict=True))
        if is_dataclass(cls):
            return cls(**held)
        made = object.__new__(cls)
        vars(made).update(held)
        return made

    def pack(value: Any) -> Any:
        if unsaid := getattr(value, "__dict__", {}).keys() - hints.keys():
            raise TypeError(f"{cls.__name__} does not say of what type its field {min(unsaid)} is")
        return values.to_json([getattr(value, name) for name in names])

    return Shape(pack, make)


def _lazily(hint: Any) -> Shape:
    """A class may hold itself: its shape is looked up when it is needed; a wrong hint is found at once."""
    if isinstance(hint, type):
        return Shape(lambda value: _shape(hint).to_json(value), lambda value: _shape(hint).from_json(value))
    return _shape(hint)
