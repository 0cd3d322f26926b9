"""Builders of the exchange tests: small price paths, running exchanges, and clients for them."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlencode

from yarl import URL

from bot.exchange import AccountConfig, Exchange
from tests.support.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    import aiohttp
    import ccxt.pro

Counted = TypeVar("Counted")

START_MS = 1_704_067_200_000
LONG_WINDOW = {"recvWindow": "60000"}
"""How old a request may be: as old as the venue takes it, for a busy machine may be late to look at it."""

DELAYS_S = (0.3, 5.0, 40.0)
"""Delays to try in turn, where a machine that was busy for that long has shown nothing."""

UP = AccountConfig("UP", "up-key", "up-secret", Decimal(100_000))
ORDER: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "quantity": "1",
    "price": "60100",
    "timeInForce": "IOC",
    "newOrderRespType": "RESULT",
}
DOWN = AccountConfig("DOWN", "down-key", "down-secret", Decimal(50_000))


@dataclass(frozen=True)
class StepPath:
    """A price path with one knot a second; the last price is its end, or holds for ever."""

    prices: Sequence[Decimal | int | str]
    start_ms: int = START_MS
    step_ms: int = 1_000

    @property
    def identity(self) -> str:
        """Its prices and times."""
        return repr((self.prices, self.start_ms, self.step_ms))

    @property
    def end_ms(self) -> int:
        """The time of the last price."""
        return self.start_ms + self.step_ms * (len(self.prices) - 1)

    def price_at(self, time_ms: int) -> Decimal:
        """Return the interpolated price."""
        passed = min(max(time_ms, self.start_ms), self.end_ms) - self.start_ms
        index, rest = divmod(passed, self.step_ms)
        price = Decimal(self.prices[index])
        if rest:
            price += (Decimal(self.prices[index + 1]) - price) * rest / self.step_ms
        return price

    def next_knot_after(self, time_ms: int) -> int | None:
        """Return the next second."""
        if time_ms >= self.end_ms:
            return None
        return self.start_ms + self.step_ms * max(0, (time_ms - self.start_ms) // self.step_ms + 1)


def flat(seconds: int = 3_600, price: int = 60_000) -> StepPath:
    """Return a path that stands still."""
    return StepPath([price] * (seconds + 1))


@dataclass
class Pacer:
    """A pacing client."""

    socket: aiohttp.ClientWebSocketResponse
    attached: dict[str, Any] = field(default_factory=dict)

    async def idle(self, seen: int, until: int | None = None) -> None:
        """Say that all is done up to `seen`."""
        await self.socket.send_json({"op": "idle", "seen": seen, "until": until})

    async def busy(self) -> None:
        """Take the last idle back."""
        await self.socket.send_json({"op": "busy"})

    async def receive(self, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """Return the next message."""
        message: dict[str, Any] = (await self.socket.receive(timeout_s)).json()
        return message


class Marks:
    """A raw reader of one symbol's marks."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def next(self, timeout_s: float = PATIENCE_S) -> tuple[int, Decimal]:
        """Return time and price of the next mark frame."""
        while True:
            body = (await self._socket.receive(timeout_s)).json()
            if body.get("e") == "markPriceUpdate":
                return body["E"], Decimal(body["p"])

    async def end(self) -> None:
        """Read until the socket is closed."""
        async with asyncio.timeout(PATIENCE_S):
            async for _ in self._socket:
                pass

    async def at(self, time_ms: int) -> Decimal:
        """Return the mark of an instant; frames of earlier ones are skipped."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                seen_ms, price = await self.next()
                assert seen_ms <= time_ms, f"the market went past {time_ms} to {seen_ms}"
                if seen_ms == time_ms:
                    return price


async def walk(pacer: Pacer, marks: Marks, until_ms: int) -> list[tuple[int, Decimal]]:
    """Be idle at each mark until market time has reached `until_ms`, and return the marks."""
    seen = [await marks.next()]
    async with asyncio.timeout(PATIENCE_S):
        while seen[-1][0] < until_ms:
            await pacer.idle(seen[-1][0])
            mark = await marks.next()
            if mark[0] > seen[-1][0]:
                seen.append(mark)
    return seen


def signed(query: str, secret: str, *, time_ms: int | None = None) -> str:
    """Return a query with timestamp and signature."""
    stamp = time.time_ns() // 1_000_000 if time_ms is None else time_ms
    query = f"{query}&timestamp={stamp}" if query else f"timestamp={stamp}"
    return f"{query}&signature={hmac.new(secret.encode(), query.encode(), sha256).hexdigest()}"


class Bench:
    """A running exchange with whatever clients a test opens; closes them all."""

    def __init__(self, exchange: Exchange, session: aiohttp.ClientSession) -> None:
        self.exchange = exchange
        self.session = session
        self._clients: list[ccxt.pro.binanceusdm] = []

    @property
    def ws_url(self) -> str:
        """Where its websockets are."""
        return self.exchange.url.replace("http", "ws")

    def ccxt(self, account: AccountConfig = UP) -> ccxt.pro.binanceusdm:
        """Return an unmodified ccxt client of this exchange."""
        client = ccxt_client(self.exchange.url, account)
        self._clients.append(client)
        return client

    async def pacer(self, name: str = "test", not_before: int | None = None) -> Pacer:
        """Attach a pacing client."""
        socket = await self.session.ws_connect(f"{self.ws_url}/pacing")
        await socket.send_json({"op": "attach", "name": name, "not_before": not_before})
        pacer = Pacer(socket)
        pacer.attached = await pacer.receive()
        return pacer

    async def marks(self, symbol: str = "btcusdt") -> Marks:
        """Read the marks of a symbol."""
        return Marks(await self.session.ws_connect(f"{self.ws_url}/market/ws/{symbol}@markPrice@1s"))

    async def call(
        self,
        method: str,
        path: str,
        params: dict[str, Any] | None = None,
        account: AccountConfig | None = None,
    ) -> tuple[int, Any]:
        """Send one request, signed if an account is given, and return status and body."""
        response = await self.raw(method, path, params, account)
        return response.status, await response.json()

    async def raw(
        self, method: str, path: str, params: dict[str, Any] | None, account: AccountConfig | None
    ) -> aiohttp.ClientResponse:
        """Send one request, signed if an account is given, and return the answer, read."""
        query, headers = urlencode(params or {}), {}
        if account:
            headers["X-MBX-APIKEY"] = account.api_key
            query = signed(urlencode(LONG_WINDOW | (params or {})), account.secret)
        url = URL(f"{self.exchange.url}{path}?{query}", encoded=True)
        async with self.session.request(method, url, headers=headers) as response:
            await response.read()
            return response

    async def refusal(
        self, method: str, path: str, params: dict[str, Any] | None = None, account: AccountConfig | None = UP
    ) -> int:
        """Return the error code of a request that is refused."""
        status, body = await self.call(method, path, params, account)
        assert status >= 400, body
        assert isinstance(body["msg"], str)
        return int(body["code"])

    async def order(self, account: AccountConfig = UP, **changes: Any) -> Any:
        """Place an IOC limit buy of 1 BTC, with changes; None leaves a parameter out."""
        params = ORDER | changes
        sent = {name: value for name, value in params.items() if value is not None}
        return (await self.call("POST", "/fapi/v1/order", sent, account))[1]

    async def reached(self, time_ms: int) -> None:
        """Wait until market time has come to `time_ms`."""
        async with asyncio.timeout(PATIENCE_S):
            while self.exchange.now_ms < time_ms:  # noqa: ASYNC110 - nothing tells, once streams are cut
                await asyncio.sleep(0.01)

    async def heard(self, account: AccountConfig = UP) -> None:
        """Wait until somebody listens to the events of an account."""
        streams = self.exchange._desk.streams
        async with asyncio.timeout(PATIENCE_S):
            while not streams._is_heard(account.name):  # noqa: ASYNC110 - nothing tells of a new listener
                await asyncio.sleep(0.01)

    async def close_clients(self) -> None:
        """Close all ccxt clients."""
        for client in self._clients:
            await client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close_clients()
        await self.session.close()
        await self.exchange.close()


async def within_one(window_s: int, count: Callable[[], Awaitable[Counted]]) -> Counted:
    """Return what was counted within one window of wall time; counts anew where a window ended meanwhile."""
    while True:
        begun_s = time.time()
        counted = await count()
        if time.time() // window_s == begun_s // window_s:
            return counted


def ccxt_client(url: str, account: AccountConfig) -> ccxt.pro.binanceusdm:
    """Return a ccxt client that talks to `url` only."""
    import ccxt.pro  # half of what a process has to load that needs none

    ws = url.replace("http", "ws")
    client = ccxt.pro.binanceusdm(
        {
            "apiKey": account.api_key,
            "secret": account.secret,
            "enableRateLimit": False,
            "urls": {
                "api": {
                    "fapiPublic": f"{url}/fapi/v1",
                    "fapiPublicV2": f"{url}/fapi/v2",
                    "fapiPrivate": f"{url}/fapi/v1",
                    "fapiPrivateV2": f"{url}/fapi/v2",
                    "fapiPrivateV3": f"{url}/fapi/v3",
                    "ws": {"linear": f"{ws}/ws", "ws-api": {"linear": f"{ws}/ws-fapi/v1"}},
                }
            },
            "timeout": 1_000 * PATIENCE_S,
            "options": {"fetchCurrencies": False, "recvWindow": 60_000},
        }
    )
    client.exceptions["exact"].update(client.exceptions["linear"]["exact"])
    return client


Start = Callable[..., AbstractAsyncContextManager[Bench]]
