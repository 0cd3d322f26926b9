"""What the daemon shows of itself: true figures to the operator, and to everybody how far a replay is."""

from typing import Any, Protocol

from aiohttp import web

from bot.errors import RefusedError
from bot.web.access import public
from bot.web.answers import only, public_json, whole
from bot.web.record import found, name_of

MOST_REBALANCES = 1_000
_FEW = 200


class Shown(Protocol):
    """Where the figures come from."""

    def status(self) -> list[dict[str, Any]]:
        """True figures of every fund."""
        ...

    def rebalances(self, fund: str, limit: int) -> list[dict[str, Any]] | None:
        """A fund's newest rebalances, oldest first, hidden ones too; None without such a fund."""
        ...

    def metrics_text(self) -> tuple[bytes, str]:
        """All figures in Prometheus' text format, and its content type; `RefusedError` at the start."""
        ...

    def venue(self) -> dict[str, Any]:
        """Where the funds trade."""
        ...

    def incidents(self) -> list[dict[str, Any]]:
        """Open incidents."""
        ...

    def market(self) -> dict[str, Any]:
        """The paper market's span of time and its speed; nulls where there is none."""
        ...


def add_routes(app: web.Application, shown: Shown) -> None:
    """The operator's figures, and the market."""

    async def funds(_: web.Request) -> web.Response:
        return web.json_response(shown.status())

    async def rebalances(request: web.Request) -> web.Response:
        only(request, "limit")
        limit = whole(request, "limit", _FEW, low=1, high=MOST_REBALANCES)
        return web.json_response(found(shown.rebalances(name_of(request), limit)))

    async def metrics(_: web.Request) -> web.Response:
        try:
            text, content_type = shown.metrics_text()
        except RefusedError as error:
            raise web.HTTPConflict(reason=str(error)) from None
        return web.Response(body=text, headers={"Content-Type": content_type})

    async def venue(_: web.Request) -> web.Response:
        return web.json_response(shown.venue())

    async def incidents(_: web.Request) -> web.Response:
        return web.json_response(shown.incidents())

    @public
    async def market(request: web.Request) -> web.Response:
        only(request)
        return public_json(request, shown.market())

    app.router.add_get("/api/v1/operator/funds", funds)
    app.router.add_get("/api/v1/operator/funds/{fund}/rebalances", rebalances)
    app.router.add_get("/api/v1/operator/venue", venue)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/api/v1/incidents", incidents)
    app.router.add_get("/api/v1/market", market)
