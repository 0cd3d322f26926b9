"""A scripted counterpart of the Binance protocol over real sockets, for what no sane exchange says.

It knows just enough for ccxt to load markets and open its streams; everything else is what the test says.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeAlias
from urllib.parse import parse_qsl

from aiohttp import WSMsgType, web

from tests.support.patience import until
from tests.support.ports import KeptPort

Answer: TypeAlias = Callable[[web.Request, dict[str, str]], Awaitable[web.StreamResponse]]


def listed(symbol: str) -> dict[str, Any]:
    """The exchangeInfo entry of a USDT perpetual."""
    base = symbol.removesuffix("USDT")
    return {
        "symbol": symbol,
        "pair": symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": base,
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": 2,
        "quantityPrecision": 3,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "556.80", "maxPrice": "4529764", "tickSize": "0.10"},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
            {"filterType": "MIN_NOTIONAL", "notional": "100"},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": "1.0500",
                "multiplierDown": "0.9500",
                "multiplierDecimal": "4",
            },
        ],
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def mark(symbol: str, time_ms: int, price: str, **fields: Any) -> dict[str, Any]:
    """A markPriceUpdate frame."""
    frame = {"e": "markPriceUpdate", "E": time_ms, "s": symbol, "p": price, "i": price}
    return {**frame, "r": "0.00010000", "T": 1_700_006_400_000, **fields}


def order_update(cid: str, **fields: Any) -> dict[str, Any]:
    """An ORDER_TRADE_UPDATE frame of a filled BTCUSDT buy."""
    order: dict[str, Any] = {
        "s": "BTCUSDT",
        "c": cid,
        "S": "BUY",
        "o": "LIMIT",
        "f": "IOC",
        "q": "0.010",
        "p": "50000.0",
    }
    order |= {"ap": "49990", "sp": "0", "x": "TRADE", "X": "FILLED", "i": 77, "l": "0.010", "z": "0.010"}
    order |= {
        "L": "49990.0",
        "N": "USDT",
        "n": "0.24995",
        "T": 1_700_000_000_500,
        "t": 9001,
        "b": "0",
        "a": "0",
    }
    order |= {
        "m": False,
        "R": False,
        "wt": "CONTRACT_PRICE",
        "ot": "LIMIT",
        "ps": "BOTH",
        "cp": False,
        "rp": "0",
    }
    return {
        "e": "ORDER_TRADE_UPDATE",
        "E": 1_700_000_000_501,
        "T": 1_700_000_000_500,
        "o": {**order, **fields},
    }


def json_answer(body: Any, status: int = 200) -> Answer:
    """Always answer with this."""

    async def answer(_request: web.Request, _params: dict[str, str]) -> web.StreamResponse:
        return web.json_response(body, status=status)

    return answer


def text_answer(body: str, status: int, headers: dict[str, str] | None = None) -> Answer:
    """Always answer with this text."""

    async def answer(_request: web.Request, _params: dict[str, str]) -> web.StreamResponse:
        return web.Response(text=body, status=status, headers=headers, content_type="text/plain")

    return answer


def error_answer(code: int, message: str, status: int = 400) -> Answer:
    """Binance's way of saying no."""
    return json_answer({"code": code, "msg": message}, status)


class VenueStub:
    """One server on a port of its own: `answers` scripts it by route, `seen` keeps all requests."""

    def __init__(self, symbols: tuple[str, ...] = ("BTCUSDT",)) -> None:
        self.answers: dict[str, Answer] = {
            "GET /fapi/v1/exchangeInfo": json_answer({"symbols": [listed(s) for s in symbols]}),
            "GET /fapi/v1/time": json_answer({"serverTime": 0}),
            "POST /fapi/v1/listenKey": json_answer({"listenKey": "k1"}),
            "PUT /fapi/v1/listenKey": json_answer({}),
        }
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.subscriptions: list[str] = []
        self.contract_news: list[str] = []
        self.dials = 0
        self.on_connect: Callable[[web.WebSocketResponse], Awaitable[None]] | None = None
        self.answer_pings = True
        self._runner: web.AppRunner | None = None
        self._kept: KeptPort | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://127.0.0.1:{self.port}"

    def count(self, route: str) -> int:
        """How many requests came for a route, e.g. `POST /fapi/v1/order`."""
        return sum(seen == route for seen, _ in self.seen)

    def asked(self, route: str) -> list[dict[str, str]]:
        """The parameters of each request that came for a route."""
        return [params for seen, params in self.seen if seen == route]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition is true."""
        await until(condition)

    async def send(self, frame: Any) -> None:
        """Send a frame on the newest stream: text as it is, anything else as JSON."""
        text = frame if isinstance(frame, str) else json.dumps(frame)
        await self.sockets[-1].send_str(text)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        if self._kept is None:
            self._kept = KeptPort()
            self.port = self._kept.number
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    async def stop(self) -> None:
        """Go away; the port stays ours, and `async with` on the same stub opens it again."""
        if self._runner is not None:
            for socket in self.sockets:
                self.abort(socket)
            await self._runner.cleanup()
            self._runner = None

    def abort(self, socket: web.WebSocketResponse) -> None:
        """Reset the connection under a stream."""
        transport = socket._req.transport if socket._req is not None else None
        if transport is not None:
            transport.abort()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._stream(request)
        params = dict(request.query) | dict(parse_qsl(await request.text()))
        route = f"{request.method} {request.path}"
        self.seen.append((route, params))
        answer = self.answers.get(route)
        if answer is None:
            return web.json_response(
                {"code": -1000, "msg": f"the stub has no answer for {route}"}, status=500
            )
        return await answer(request, params)

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        self.dials += 1
        socket = web.WebSocketResponse(autoping=self.answer_pings)
        await socket.prepare(request)
        self.sockets.append(socket)
        if self.on_connect is not None:
            await self.on_connect(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                asked = json.loads(message.data)
                wanted = self.contract_news if asked["params"] == ["!contractInfo"] else self.subscriptions
                wanted += asked["params"]
                await socket.send_json({"result": None, "id": asked["id"]})
        return socket
