"""What every setting is in the end, and where it was set; secrets masked."""

import json
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, SecretStr

from bot.settings.layers import Layer
from bot.settings.names import Path, variable
from bot.settings.schema import Schema
from bot.settings.values import EffectiveValue

MASK = "********"


def effective(schema: Schema, given: Layer, derived: dict[Path, object]) -> tuple[EffectiveValue, ...]:
    """List each setting with its value as text (None: not set), and its origin.

    `derived` holds the defaults that depend on other settings.
    """
    return tuple(
        EffectiveValue(variable(path), _text(value), str(given[path].origin))
        if path in given
        else EffectiveValue(variable(path), _text(derived.get(path, value)), "default")
        for path, value in _leaves(schema, ())
    )


def _leaves(group: BaseModel, above: Path) -> list[tuple[Path, Any]]:
    leaves: list[tuple[Path, Any]] = []
    for name in type(group).model_fields:
        value = getattr(group, name)
        path = (*above, name)
        if isinstance(value, BaseModel):
            leaves += _leaves(value, path)
        elif isinstance(value, dict) and name in ("accounts", "funds", "routes"):
            for member, settings in value.items():
                leaves += _leaves(settings, (*path, member.lower()))
        else:
            leaves.append((path, value))
    return leaves


def _text(value: object) -> str | None:
    """Spell a value as one would set it."""
    match value:
        case None:
            text = None
        case SecretStr():
            text = MASK
        case bool():
            text = str(value).lower()
        case tuple() if all(isinstance(part, str) for part in value):
            text = ", ".join(value)
        case tuple():
            text = f"[{', '.join(f'{part:f}' for part in value)}]"
        case dict():
            text = json.dumps(value, default=float)
        case float():  # the speed
            text = f"{value:g}" if value else "max"
        case Decimal():
            text = f"{value:f}"
        case _:
            text = str(value)
    return text
