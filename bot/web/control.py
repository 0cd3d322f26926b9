"""`POST /api/v1/funds/{fund}/pause|resume|halt`: the operator's word, with its author and reason.

Saying the same twice changes nothing, so a request may be repeated, with an `Idempotency-Key` or without.
"""

from typing import Any, Protocol

from aiohttp import web

from bot.core.records import Control
from bot.errors import RefusedError

CONTROLS = {"pause": Control.PAUSED, "resume": Control.RUNNING, "halt": Control.HALTED}
_LONGEST = 200


class Controls(Protocol):
    """Who can be told."""

    def control(self, fund: str, control: Control, author: str, why: str) -> dict[str, Any] | None:
        """The fund's status after it; None where there is no such fund; RefusedError where nobody hears."""
        ...


class BadFieldError(Exception):
    """A body that cannot be used: which field, and what is wrong with it."""

    def __init__(self, field: str | None, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


async def control(request: web.Request, controls: Controls) -> web.Response:
    """Carry one of `CONTROLS` out, on behalf of a request that has been authorised."""
    body = await _body(request)
    author, why = _text(body, "author"), _text(body, "reason")
    fund, word = request.match_info["fund"], request.match_info["word"]
    try:
        status = controls.control(fund, CONTROLS[word], author, why)
    except RefusedError as error:
        raise web.HTTPConflict(reason=str(error)) from None
    if status is None:
        raise web.HTTPNotFound(reason=f"no fund {fund!r} runs here")
    return web.json_response(status)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        raise BadFieldError(None, "the body is not JSON") from None
    if not isinstance(body, dict):
        raise BadFieldError(None, "the body is not a JSON object")
    unknown = sorted(body.keys() - {"author", "reason"})
    if unknown:
        raise BadFieldError(unknown[0], "unknown field; author and reason are known")
    return body


def _text(body: dict[str, Any], field: str) -> str:
    value = body.get(field)
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST or not value.isprintable():
        raise BadFieldError(field, f"a line of 1 to {_LONGEST} characters is needed")
    return value.strip()
