"""Reading a request's JSON body, field by field."""

from collections.abc import Collection
from decimal import Decimal, InvalidOperation
from typing import Any

from aiohttp import web

from bot.web.errors import BadFieldError

LONGEST_TEXT = 200


async def json_object(request: web.Request, known: Collection[str]) -> dict[str, Any]:
    """The body as an object of `known` fields; no body at all is an empty one."""
    if not request.body_exists or not (await request.read()).strip():
        return {}
    try:
        body = await request.json()
    except ValueError:
        raise BadFieldError(None, "the body is not JSON") from None
    if not isinstance(body, dict):
        raise BadFieldError(None, "the body is not a JSON object")
    unknown = sorted(body.keys() - set(known))
    if unknown:
        raise BadFieldError(unknown[0], f"unknown field; known: {', '.join(sorted(known))}")
    return body


def text_field(
    body: dict[str, Any], field: str, default: str | None = None, *, longest: int = LONGEST_TEXT
) -> str:
    """One line of text; `default` where the field is absent, or an error where there is none."""
    value = body.get(field, default)
    if not isinstance(value, str) or not value.strip() or len(value) > longest or not value.isprintable():
        raise BadFieldError(field, f"a line of 1 to {longest} characters is needed")
    return value.strip()


def decimal_field(body: dict[str, Any], field: str) -> Decimal | None:
    """An exact number, as a string or as a JSON number; None where the field is absent or null."""
    value = body.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > 40:
        raise BadFieldError(field, "a number is needed")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise BadFieldError(field, "a number is needed") from None
    if not number.is_finite():
        raise BadFieldError(field, "a finite number is needed")
    return number
