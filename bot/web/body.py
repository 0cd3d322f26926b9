"""Reading a request's JSON body, field by field."""

import json
import re
from collections.abc import Collection
from decimal import Decimal
from typing import Any

from aiohttp import web

from bot.web.errors import BadFieldError

LONGEST_TEXT = 200
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?|[-+]?(?:NaN|Infinity)")
_LONGEST_NUMBER = 40


async def json_object(request: web.Request, known: Collection[str]) -> dict[str, Any]:
    """The body as an object of `known` fields; no body at all is an empty one."""
    if not request.body_exists or not (await request.read()).strip():
        return {}
    try:
        body = json.loads(await request.read(), parse_float=Decimal, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise BadFieldError(None, "the body is not JSON") from None
    if not isinstance(body, dict):
        raise BadFieldError(None, "the body is not a JSON object")
    unknown = sorted(body.keys() - set(known))
    if unknown:
        raise BadFieldError(unknown[0], f"unknown field; known: {', '.join(sorted(known))}")
    return body


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; which of two values under one name is meant, nobody can tell."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise BadFieldError(next(name for name in names if names.count(name) > 1), "given twice")
    return found


def text_field(
    body: dict[str, Any], field: str, default: str | None = None, *, longest: int = LONGEST_TEXT
) -> str:
    """One line of text; `default` where the field is absent, or an error where there is none."""
    value = body.get(field, default)
    if not isinstance(value, str) or not value.strip() or len(value) > longest or not value.isprintable():
        raise BadFieldError(field, f"a line of 1 to {longest} characters is needed")
    return value.strip()


def decimal_field(body: dict[str, Any], field: str) -> Decimal | None:
    """An exact number, as a string or as a JSON number; None where the field is absent or null.

    As in JSON: other digits, and lines between them, are Python's idea of a number and not a sender's.
    """
    value = body.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise BadFieldError(field, "a number is needed")
    text = str(value).strip()
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        raise BadFieldError(field, "a number is needed")
    number = Decimal(text)
    if not number.is_finite():
        raise BadFieldError(field, "a finite number is needed")
    return number
