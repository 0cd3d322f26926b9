"""The forms that values of settings come in, and how one setting is described."""

import json
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict  # noqa: TC002 - beside what it belongs to


def lower(value: object) -> object:
    """Words of settings may be written in any case."""
    return value.lower() if isinstance(value, str) else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def number(value: object) -> object:
    """Refuse what pydantic would take for a number although nobody means it as one."""
    if isinstance(value, bool):
        raise ValueError(f"{json.dumps(value)} is not a number")  # noqa: TRY004 - pydantic wants a ValueError
    return value


def _pair(value: object) -> object:
    """Read "[1.5, 3]" or "1.5, 3" as two exact numbers."""
    if not isinstance(value, str):
        return value
    parts = value.strip().removeprefix("[").removesuffix("]").split(",")
    try:
        return tuple(Decimal(part.strip()) for part in parts)
    except InvalidOperation:
        raise ValueError(f'"{value}" is not a pair of numbers') from None


def _object(value: object) -> object:
    """Read a JSON object."""
    if not isinstance(value, str):
        return value
    try:
        read = json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"'{value}' is not JSON ({error.msg.lower()})") from None
    if not isinstance(read, dict):
        raise ValueError(f"'{value}' is not a JSON object")  # noqa: TRY004 - pydantic wants a ValueError
    return read


Number = Annotated[Decimal, BeforeValidator(number)]
Pair = Annotated[tuple[Number, Number], BeforeValidator(_pair)]
Parameters = Annotated[dict[str, Any], BeforeValidator(_object)]
Name = Annotated[str, BeforeValidator(_upper), Field(pattern=r"^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$", max_length=16)]
WholeNumber = Annotated[int, BeforeValidator(number)]


def setting(default: Any, meaning: str, example: str, safe: str = "", shown: str = "", **limits: Any) -> Any:
    """One setting. `safe` is its safe range in words; `shown` the default where that is worked out later."""
    words: JsonDict = {"safe": safe, "shown": shown}
    return Field(default, description=meaning, examples=[example], json_schema_extra=words, **limits)


class Group(BaseModel):
    """Settings that belong together; an unknown one among them is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _names(value: object) -> object:
    """Read "halt, emergency" as names."""
    if isinstance(value, str):
        return tuple(part.strip().lower() for part in value.split(",") if part.strip())
    return tuple(value) if isinstance(value, list) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Clock = Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|off)$")]
