"""A venue as small as it can be, for timing our own side of the wire.

It speaks just enough of the Binance protocol over real sockets for ccxt to load markets, watch mark prices,
ask what is traded a minute and place an order, which expires unfilled. Symbols and filters are those of the
paper exchange.
"""

import json
from typing import Self
from urllib.parse import parse_qs

from aiohttp import web

from bot.exchange.catalog import CATALOG
from bot.exchange.wire_market import symbol_info


def mark_frame(symbol: str, price: str, time_ms: int) -> str:
    """A mark price frame, as Binance words it."""
    return (
        f'{{"e":"markPriceUpdate","E":{time_ms},"s":"{symbol}","p":"{price}","ap":"{price}","P":"{price}",'
        f'"i":"{price}","r":"0.00010000","T":{time_ms // 28_800_000 * 28_800_000 + 28_800_000}}}'
    )


def candles() -> list[list[int | str]]:
    """The last minutes as `GET /fapi/v1/klines` gives them, in each of which 500 were traded."""
    return [[minute * 60_000, *["44000"] * 4, "500", minute * 60_000 + 59_999] for minute in range(16)]


class LoopbackVenue:
    """One server on a free port of this machine; use with `async with`."""

    def __init__(self) -> None:
        self.url = ""
        self._streams: list[web.WebSocketResponse] = []
        self._runner: web.AppRunner | None = None

    async def send_mark(self, symbol: str, price: str, time_ms: int) -> None:
        """Send a mark price frame to everyone, as Binance words it."""
        frame = mark_frame(symbol, price, time_ms)
        for stream in self._streams:
            await stream.send_str(frame)

    @property
    def watched(self) -> bool:
        """Whether anybody has subscribed yet."""
        return bool(self._streams)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/fapi/v1/exchangeInfo", self._exchange_info)
        app.router.add_get("/fapi/v1/klines", self._klines)
        app.router.add_post("/fapi/v1/order", self._order)
        app.router.add_get("/{stream:.*}", self._stream)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for stream in list(self._streams):
            await stream.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _exchange_info(self, _: web.Request) -> web.Response:
        symbols = [symbol_info(symbol) for symbol in CATALOG.values()]
        return web.json_response({"timezone": "UTC", "rateLimits": [], "assets": [], "symbols": symbols})

    async def _klines(self, _: web.Request) -> web.Response:
        return web.json_response(candles())

    async def _order(self, request: web.Request) -> web.Response:
        asked = {name: values[0] for name, values in parse_qs(await request.text()).items()}
        order = {"orderId": 1, "status": "EXPIRED", "executedQty": "0", "avgPrice": "0", "cumQuote": "0"}
        order |= {"clientOrderId": asked["newClientOrderId"], "symbol": asked["symbol"]}
        order |= {"side": asked["side"], "type": asked["type"], "timeInForce": asked["timeInForce"]}
        order |= {"price": asked["price"], "origQty": asked["quantity"], "updateTime": 1}
        return web.json_response(order)

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        stream = web.WebSocketResponse(compress=False)
        await stream.prepare(request)
        async for message in stream:
            await stream.send_json({"result": None, "id": json.loads(message.data)["id"]})
            if stream not in self._streams:
                self._streams.append(stream)
        self._streams.remove(stream)
        return stream
