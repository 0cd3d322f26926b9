"""Every error of the web room has one shape (docs/public.md)."""

from typing import Any

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

_CODES = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    409: "conflict",
    413: "too_large",
    422: "unprocessable",
    429: "too_many_requests",
    503: "unavailable",
}


class BadFieldError(Exception):
    """A request that cannot be used: which field, and what is wrong with it."""

    def __init__(self, field: str | None, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error as JSON; what is our own fault is logged, and a stranger learns nothing of it."""
    try:
        return await handler(request)
    except web.HTTPError as error:
        body = error_body(_CODES.get(error.status, "bad_request"), error.reason)
        headers = {name: value for name, value in error.headers.items() if name != "Content-Type"}
        headers.pop("Content-Length", None)
        return web.json_response(body, status=error.status, headers=headers)
    except BadFieldError as error:
        return web.json_response(error_body("unprocessable", error.message, error.field), status=422)
    except web.HTTPException:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, it is logged
        structlog.get_logger().exception("request_failed", path=request.path)
        return web.json_response(error_body("internal_error", "see the log of the daemon"), status=500)


def error_body(code: str, message: str, field: str | None = None) -> dict[str, Any]:
    """The API's error object."""
    return {"error": {"code": code, "message": message, "field": field}}
