"""Reading a venue's answers: what is missing or odd is an error, never a default."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from bot.venue.errors import AnswerMalformed


def rows_of(answer: Any) -> list[dict[str, Any]]:
    """The rows of a list answer; a list that is missing is not an empty list."""
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise AnswerMalformed("not a list of objects")
    return answer


def number(row: Any, key: str | int) -> Decimal:
    """A finite decimal."""
    try:
        value = Decimal(str(row[key]))
    except (LookupError, TypeError, InvalidOperation):
        raise AnswerMalformed(f"no number in {key}") from None
    if not value.is_finite():
        raise AnswerMalformed(f"{key} is not finite")
    return value


def integer(row: Mapping[str, Any], key: str) -> int:
    """A whole number."""
    try:
        return int(row[key])
    except (KeyError, TypeError, ValueError):
        raise AnswerMalformed(f"no whole number in {key}") from None


def text(row: Mapping[str, Any], key: str) -> str:
    """A name or an id, as text."""
    value = row.get(key)
    if value is None or value == "" or isinstance(value, dict | list | bool):
        raise AnswerMalformed(f"no {key}")
    return str(value)
