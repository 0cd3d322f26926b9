"""HTTP: health for machines, true figures for the operator.

`/healthz` answers while the event loop is alive; `/readyz` says whether every fund has a current mark, is
reconciled and can write its journal. The operator's paths need the bearer token.
"""

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from socket import socket
from typing import Any, Protocol

import structlog
from aiohttp import web

from bot.web.control import CONTROLS, BadFieldError, Controls, control


class Operations(Controls, Protocol):
    """What the daemon shows of itself."""

    def unready(self) -> list[str]:
        """Why it is not ready; empty when it is. The reasons give no figures away."""
        ...

    def status(self) -> list[dict[str, Any]]:
        """True figures of every fund."""
        ...

    @property
    def operator_token(self) -> str | None:
        """What the operator's paths ask for; None until there is one, and then nobody passes."""
        ...

    def incidents(self) -> list[dict[str, Any]]:
        """Open incidents."""
        ...


@asynccontextmanager
async def serve(operations: Operations, listener: socket) -> AsyncIterator[None]:
    """Serve on a socket that is bound already, until the context ends."""
    runner = web.AppRunner(make_app(operations), access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()


def make_app(operations: Operations) -> web.Application:
    """The application, on any source of figures."""
    app = web.Application(middlewares=[_errors_as_json], client_max_size=64 * 1024)

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_: web.Request) -> web.Response:
        reasons = operations.unready()
        return web.json_response({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)

    async def funds(request: web.Request) -> web.Response:
        _require(request, operations.operator_token)
        return web.json_response(operations.status())

    async def incidents(request: web.Request) -> web.Response:
        _require(request, operations.operator_token)
        return web.json_response(operations.incidents())

    async def controlled(request: web.Request) -> web.Response:
        _require(request, operations.operator_token)
        return await control(request, operations)

    app.router.add_post(f"/api/v1/funds/{{fund}}/{{word:{'|'.join(CONTROLS)}}}", controlled)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/api/v1/operator/funds", funds)
    app.router.add_get("/api/v1/incidents", incidents)
    return app


def _require(request: web.Request, token: str | None) -> None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if (
        token is None
        or scheme.lower() != "bearer"
        or not hmac.compare_digest(given.strip().encode(), token.encode())
    ):
        raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_CODES = {
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
}


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error has the one shape that CONTRACT gives."""
    try:
        return await handler(request)
    except web.HTTPError as error:
        body = _error_body(_CODES.get(error.status, "bad_request"), error.reason)
        headers = {name: value for name, value in error.headers.items() if name != "Content-Type"}
        headers.pop("Content-Length", None)
        return web.json_response(body, status=error.status, headers=headers)
    except BadFieldError as error:
        return web.json_response(_error_body("unprocessable", error.message, error.field), status=422)
    except web.HTTPException:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, it is logged, and a stranger learns nothing of it
        structlog.get_logger().exception("request_failed", path=request.path)
        return web.json_response(_error_body("internal_error", "see the log of the daemon"), status=500)


def _error_body(code: str, message: str, field: str | None = None) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "field": field}}
