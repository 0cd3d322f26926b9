"""Answers in JSON: the public ones with an entity tag, so that who has it already is told so in few bytes."""

from hashlib import blake2s
from typing import Any

import orjson
from aiohttp import web

from bot.web.errors import BadFieldError

FRESH_S = 1
"""For how long a cache may give a public answer without asking again."""


def public_json(request: web.Request, body: Any) -> web.Response:
    """The body as JSON, or 304 where the request names the tag of it already. `bytes` are JSON already."""
    text = body if isinstance(body, bytes) else orjson.dumps(body)
    tag = f'"{blake2s(text, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": f"public, max-age={FRESH_S}"}
    if _names(request.headers.get("If-None-Match", ""), tag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=text, headers=headers, content_type="application/json")


def _names(given: str, tag: str) -> bool:
    return any(part.strip().removeprefix("W/") in (tag, "*") for part in given.split(","))


def whole(request: web.Request, name: str, default: int, *, low: int, high: int) -> int:
    """A whole number of the query string; `BadFieldError` if it is none, or out of bounds."""
    text = request.query.get(name)
    if text is None:
        return default
    plain = text.isascii() and text.isdigit() and len(text) < 17
    if not plain or not low <= int(text) <= high:
        raise BadFieldError(name, f"a whole number from {low} to {high} is needed")
    return int(text)


def only(request: web.Request, *known: str) -> None:
    """Refuse a query string that holds anything else: a misspelt word must not be silently without effect."""
    for name in request.query:
        if name not in known:
            listed = ", ".join(known)
            raise BadFieldError(
                name, f"unknown; {listed} are known" if known else "nothing can be given here"
            )
