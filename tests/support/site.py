"""A web server on a real socket, with fixed figures behind it."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import aiohttp

from bot.core.flow_records import FlowKind
from bot.core.fund import Fund
from bot.core.history import RebalanceHistory
from bot.core.operator_requests import RequestIdReusedError, Wanted
from bot.core.records import Record
from bot.daemon.public import PublicSide
from bot.daemon.public_feed import PublicFeed
from bot.daemon.runner import Runner
from bot.errors import AmountRefusedError, RefusedError, UserError
from bot.web.server import serve
from tests.support.desk import Desk

TOKEN = "operator-token-0123456789"


class Said(NamedTuple):
    """What came of a request."""

    status: dict[str, Any]
    repeated: bool


@dataclass
class Figures:
    """What a daemon would show of itself."""

    reasons: list[str] = field(default_factory=list)
    operator_token: str | None = TOKEN
    said: list[Wanted] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    public: PublicSide = field(default_factory=lambda: PublicSide("paper", [], {}))

    def __post_init__(self) -> None:
        """The stream is fed from the public side; a test makes it look."""
        self.feed = PublicFeed(self.public, lambda: 0)

    taken: list[tuple[FlowKind, Decimal, str]] = field(default_factory=list)
    rescaled: list[Wanted] = field(default_factory=list)

    @property
    def flow_desk(self) -> "Figures":
        """It takes flows itself."""
        return self

    def take(self, fund: str, kind: FlowKind, amount: Decimal, request_id: str) -> dict[str, Any] | None:
        """BTCUP takes up to 1000, BTCDOWN is halted, others do not exist; a key is good for one request."""
        if fund == "BTCDOWN":
            raise RefusedError("BTCDOWN: the fund is halted")
        if fund != "BTCUP":
            return None
        if not 0 < amount <= 1000:
            raise AmountRefusedError("BTCUP: not that amount")
        content = f"{kind} {amount}"
        if request_id and self.known.setdefault(request_id, content) != content:
            raise RequestIdReusedError
        self.taken.append((kind, amount, request_id))
        return {"fund": fund, "kind": kind.value, "reference": "a1"}

    def rescale(self, fund: str, wanted: Wanted) -> dict[str, Any] | None:
        """BTCUP can be rescaled."""
        self.rescaled.append(wanted)
        return {"fund": fund, "units": "1"} if fund == "BTCUP" else None

    def flows(self, fund: str) -> list[dict[str, Any]] | None:
        """One flow of BTCUP."""
        return [{"fund": fund, "state": "funded"}] if fund == "BTCUP" else None

    def unready(self) -> list[str]:
        """Why it is not ready."""
        return self.reasons

    def status(self) -> list[dict[str, Any]]:
        """One fund."""
        return [{"fund": "BTCUP", "real_leverage": "2.1"}]

    def ask(self, fund: str, wanted: Wanted) -> Said | None:
        """BTCUP listens, BTCDOWN has stopped, others do not exist; a key is good for one request."""
        if fund == "BTCDOWN":
            raise RefusedError("BTCDOWN is not running")
        if fund != "BTCUP":
            return None
        before = self.known.setdefault(wanted.request_id, wanted.content) if wanted.request_id else None
        if before is not None and before != wanted.content:
            raise RequestIdReusedError
        repeated = any(said.request_id == wanted.request_id for said in self.said if wanted.request_id)
        self.said.append(wanted)
        return Said({"fund": fund, "state": "active"}, repeated)

    def metrics_text(self) -> tuple[bytes, str]:
        """One figure, unless nothing is ready."""
        if self.reasons:
            raise RefusedError("the daemon is still starting")
        return b"inband_ready 1.0\n", "text/plain; version=0.0.4; charset=utf-8"

    def market(self) -> dict[str, Any]:
        """At sixty times the speed of time, without an end."""
        return {"speed": "60", "start": "2024-01-01T00:00:00.000Z", "end": None}

    def rebalances(self, fund: str, limit: int) -> list[dict[str, Any]] | None:
        """As many of BTCUP as are asked for."""
        return [{"id": f"BTCUP-{number + 1}"} for number in range(min(limit, 3))] if fund == "BTCUP" else None

    def venue(self) -> dict[str, Any]:
        """Nowhere."""
        return {"hosts": [], "paper_url": None}

    def configuration(self) -> list[dict[str, str | None]]:
        """One setting."""
        return [{"name": "INBAND_MODE", "value": "paper", "origin": "default"}]

    def reload(self, author: str, why: str) -> dict[str, Any]:
        """Fine, unless the reason is bad."""
        if why == "wrong":
            raise UserError("INBAND_WEB__PORT: not a number; set it to a number")
        if why == "refused":
            raise RefusedError("INBAND_WEB__PORT: takes a restart; nothing was changed")
        return {"changed": [author, why], "waiting": []}

    def incidents(self) -> list[dict[str, Any]]:
        """One incident."""
        return [{"fund": "BTCUP", "code": "late fill"}]


@dataclass
class Site:
    """A server on a real socket, and a client."""

    figures: Figures
    url: str
    session: aiohttp.ClientSession

    async def tell(self, path: str, body: Any, token: str = TOKEN, **more: str) -> tuple[int, Any]:
        """Status and JSON body of the answer to a POST."""
        headers = {"Authorization": f"Bearer {token}", **more}
        kind = {"data": body} if isinstance(body, str) else {"json": body}
        async with self.session.post(self.url + path, headers=headers, **kind) as answer:
            return answer.status, await answer.json()

    async def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Any, Any]:
        """Status, JSON body and headers of an answer."""
        async with self.session.request(method, self.url + path, headers=headers) as answer:
            return answer.status, await answer.json(), answer.headers


async def at_work(fund: Fund | None = None) -> tuple[Desk, Runner, PublicSide]:
    """A fund that has just begun, and is secretly opening; and what everybody may see of it."""
    desk = Desk() if fund is None else Desk(fund=fund)
    history = RebalanceHistory(desk.fund.name)

    def listen(_: Runner, records: tuple[Record, ...]) -> None:
        for record in records:
            history.apply(record)

    desk.listen = listen
    runner = await desk.opened()
    return desk, runner, PublicSide("paper", [runner], {desk.fund.name: history})


@asynccontextmanager
async def a_site(figures: Figures | None = None) -> AsyncIterator[Site]:
    """Serving until the context ends."""
    figures = figures or Figures()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        jar = aiohttp.CookieJar(unsafe=True)  # it takes cookies of an address, as browsers do
        async with (
            serve(figures, listener, ["funds.example.org"]),
            aiohttp.ClientSession(cookie_jar=jar) as session,
        ):
            yield Site(figures, url, session)
