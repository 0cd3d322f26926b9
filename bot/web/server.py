"""The application: its gates, and the paths of every part.

`/healthz` answers while the event loop is alive; `/readyz` says whether every fund has a current mark, is
reconciled and can write its journal. What is not marked public is the operator's (`bot.web.access`).
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from socket import socket
from typing import Protocol

from aiohttp import web

from bot.web import (
    control,
    figures,
    flows,
    openapi,
    operator_stream,
    page,
    record,
    session,
    stream,
    token_api,
)
from bot.web.access import Access, public
from bot.web.connections import KEPT_ALIVE_S, Door
from bot.web.control import Controls, Reloads
from bot.web.errors import errors_as_json
from bot.web.figures import Shown
from bot.web.guard import LARGEST_BODY, add_headers, guard
from bot.web.record import PublicRecord
from bot.web.stream import Feed
from bot.web.token_api import Tokens


class Public(PublicRecord, Tokens, Protocol):
    """What everybody may see, in either shape."""


class Operations(Controls, Reloads, Shown, Protocol):
    """What the daemon shows of itself."""

    def unready(self) -> list[str]:
        """Why it is not ready; empty when it is. The reasons give no figures away."""
        ...

    @property
    def flow_desk(self) -> flows.Desk:
        """Where subscriptions and redemptions are asked for."""
        ...

    @property
    def operator_token(self) -> str | None:
        """What the operator's paths ask for; None until there is one, and then nobody passes."""
        ...

    @property
    def feed(self) -> Feed:
        """What changes in public."""
        ...

    @property
    def public(self) -> Public:
        """What everybody may see."""
        ...


@asynccontextmanager
async def serve(
    operations: Operations, listener: socket, allowed_hosts: Collection[str] = ()
) -> AsyncIterator[None]:
    """Serve on a socket that is bound already, until the context ends."""
    door = Door()
    app = make_app(operations, allowed_hosts, door)
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=1.0,
        keepalive_timeout=KEPT_ALIVE_S,
        lingering_time=1.0,
    )
    await runner.setup()
    try:
        if runner.server is not None:
            await door.open(runner.server, listener)
        yield
    finally:
        await door.close()
        await runner.cleanup()


def make_app(
    operations: Operations, allowed_hosts: Collection[str] = (), door: Door | None = None
) -> web.Application:
    """The application, on any source of figures."""
    access = Access(lambda: operations.operator_token)
    gates = [errors_as_json, guard(allowed_hosts), access.middleware]
    app = web.Application(
        middlewares=gates if door is None else [door.middleware, *gates], client_max_size=LARGEST_BODY
    )
    app.on_response_prepare.append(add_headers)
    _add_health(app, operations)
    figures.add_routes(app, operations)
    operator_stream.add_routes(app, operations.status, access)
    record.add_routes(app, operations.public)
    stream.add_routes(app, operations.feed)
    token_api.add_routes(app, operations.public, operations.feed)
    openapi.add_routes(app)
    session.add_routes(app, access)
    control.add_routes(app, operations)
    control.add_daemon_routes(app, operations)
    flows.add_routes(app, operations.flow_desk)
    page.add_routes(app)
    return app


def _add_health(app: web.Application, operations: Operations) -> None:
    @public
    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    @public
    async def readyz(_: web.Request) -> web.Response:
        reasons = operations.unready()
        return web.json_response({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
