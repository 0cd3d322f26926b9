"""The public record over HTTP: funds, revealed rebalances. Nothing here is anything but public."""

from typing import Any, Literal, Protocol

from aiohttp import web

from bot.web.access import public
from bot.web.answers import only, public_json, whole
from bot.web.errors import BadFieldError

MOST_RECORDS = 10_000
MOST_BARS = 50_000
"""Bars in one answer: five years of hours."""
INTERVALS = ("1m", "5m", "1h", "1d")
LATEST_MS = 10**14


class PublicRecord(Protocol):
    """What the daemon shows to everybody."""

    def funds(self) -> list[dict[str, Any]]:
        """Every fund's public figures."""
        ...

    def fund(self, name: str) -> dict[str, Any] | None:
        """One fund; None if there is none of this name."""
        ...

    def rebalances(self, name: str, after: int, limit: int) -> list[bytes] | None:
        """Public records after the first `after`, oldest first, as JSON; None without such a fund."""
        ...

    def performance(self, name: str) -> dict[str, Any] | None:
        """A fund against what it promises, and against its shadow."""
        ...

    def costs(self, name: str) -> dict[str, Any] | None:
        """What each revealed rebalance cost, and each month."""
        ...

    async def bars(
        self, name: str, part: tuple[str, Literal["nav", "rest"]], start_ms: int, end_ms: int, limit: int
    ) -> bytes | None:
        """Bars that start in [start_ms, end_ms), the newest `limit`: rows of NAV, and what goes with them."""
        ...


def add_routes(app: web.Application, record: PublicRecord) -> None:
    """Add the paths of the public record."""

    @public
    async def funds(request: web.Request) -> web.Response:
        only(request)
        return public_json(request, record.funds())

    @public
    async def fund(request: web.Request) -> web.Response:
        only(request)
        return public_json(request, found(record.fund(name_of(request))))

    @public
    async def rebalances(request: web.Request) -> web.Response:
        only(request, "after", "limit")
        after = whole(request, "after", 0, low=0, high=10**9)
        limit = whole(request, "limit", MOST_RECORDS, low=1, high=MOST_RECORDS)
        records = found(record.rebalances(name_of(request), after, limit))
        return public_json(request, b"[" + b",".join(records) + b"]")

    @public
    async def performance(request: web.Request) -> web.Response:
        only(request)
        return public_json(request, found(record.performance(name_of(request))))

    @public
    async def costs(request: web.Request) -> web.Response:
        only(request)
        return public_json(request, found(record.costs(name_of(request))))

    async def bars(request: web.Request, column: Literal["nav", "rest"]) -> web.Response:
        only(request, "interval", "from", "to", "limit")
        interval = request.query.get("interval", "1h")
        if interval not in INTERVALS:
            raise BadFieldError("interval", f"one of {', '.join(INTERVALS)} is needed")
        start_ms = whole(request, "from", 0, low=0, high=LATEST_MS)
        end_ms = whole(request, "to", LATEST_MS, low=0, high=LATEST_MS)
        limit = whole(request, "limit", MOST_BARS, low=1, high=MOST_BARS)
        part = (interval, column)
        return public_json(request, found(await record.bars(name_of(request), part, start_ms, end_ms, limit)))

    @public
    async def nav(request: web.Request) -> web.Response:
        return await bars(request, "nav")

    @public
    async def series(request: web.Request) -> web.Response:
        return await bars(request, "rest")

    app.router.add_get("/api/v1/funds/{fund}/performance", performance)
    app.router.add_get("/api/v1/funds/{fund}/costs", costs)
    app.router.add_get("/api/v1/funds/{fund}/nav", nav)
    app.router.add_get("/api/v1/funds/{fund}/series", series)
    app.router.add_get("/api/v1/funds", funds)
    app.router.add_get("/api/v1/funds/{fund}", fund)
    app.router.add_get("/api/v1/funds/{fund}/rebalances", rebalances)


def name_of(request: web.Request) -> str:
    """The fund that the path names."""
    return request.match_info["fund"].upper()


def found(answer: Any) -> Any:
    """The answer; `HTTPNotFound` where there is no such fund."""
    if answer is None:
        raise web.HTTPNotFound(reason="no such fund runs here; /api/v1/funds lists them")
    return answer
