"""Builders of the exchange tests: small price paths, running exchanges, and clients for them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

import ccxt.pro

from bot.exchange import AccountConfig, Exchange

if TYPE_CHECKING:
    from collections.abc import Sequence

    import aiohttp

START_MS = 1_704_067_200_000
UP = AccountConfig("UP", "up-key", "up-secret", Decimal(100_000))
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

    async def receive(self, timeout_s: float = 5.0) -> dict[str, Any]:
        """Return the next message."""
        message: dict[str, Any] = (await self.socket.receive(timeout_s)).json()
        return message


class Marks:
    """A raw reader of one symbol's marks."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def next(self, timeout_s: float = 5.0) -> tuple[int, Decimal]:
        """Return time and price of the next mark frame."""
        while True:
            body = (await self._socket.receive(timeout_s)).json()
            if body.get("e") == "markPriceUpdate":
                return body["E"], Decimal(body["p"])

    async def at(self, time_ms: int) -> Decimal:
        """Return the mark of an instant; frames of earlier ones are skipped."""
        while True:
            seen_ms, price = await self.next()
            if seen_ms == time_ms:
                return price


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


def ccxt_client(url: str, account: AccountConfig) -> ccxt.pro.binanceusdm:
    """Return a ccxt client that talks to `url` only."""
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
            "options": {"fetchCurrencies": False},
        }
    )
    client.exceptions["exact"].update(client.exceptions["linear"]["exact"])
    return client


Start = Callable[..., AbstractAsyncContextManager[Bench]]
