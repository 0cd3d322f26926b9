"""One REST request and its reply, as values: what the exchange sees of HTTP, and what it makes of it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web

from bot.exchange.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY_BYTES = 64 * 1024


class Call(NamedTuple):
    """A request: raw path, query and form body, and the sender. `skew_ms`: how wrong our clock is."""

    method: str
    path: str
    query: str
    body: str
    api_key: str | None
    address: str
    skew_ms: int = 0


class Ending(Enum):
    """How much of a reply gets out: all of it, its first half and then an end or a reset, or nothing."""

    WHOLE = "whole"
    CUT = "cut"
    RESET = "reset"
    NOTHING = "nothing"


class Reply(NamedTuple):
    """An answer. Only a fault makes it end other than whole."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    content_type: str = "application/json"
    ending: Ending = Ending.WHOLE


async def read_call(request: web.BaseRequest) -> Call:
    """Read a request; raises RequestError for a body that is too large or no text."""
    url = request.rel_url
    return Call(
        request.method,
        url.raw_path,
        url.raw_query_string,
        await _body(request) if request.can_read_body else "",
        request.headers.get("X-MBX-APIKEY"),
        request.remote or "",
    )


def response(reply: Reply) -> web.Response:
    """Return a whole reply as HTTP."""
    return web.Response(
        body=reply.body, status=reply.status, headers=reply.headers, content_type=reply.content_type
    )


async def _body(request: web.BaseRequest) -> str:
    try:
        return (await request.read()).decode()
    except web.HTTPRequestEntityTooLarge as error:
        raise RequestError(-1130, "The request body is too large.", 413) from error
    except ConnectionError as error:  # nobody will read the answer
        raise RequestError(-1001, "The connection was lost.") from error
    except (UnicodeDecodeError, web.RequestPayloadError) as error:
        raise RequestError(-1100, "Illegal characters found in the request body.") from error
