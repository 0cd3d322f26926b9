"""The same record in the shape of Binance's leveraged-token API, for programs that were written for it.

REST `GET /fapi/v1/lvtKlines` and `GET /sapi/v1/blvt/tokenInfo`; websockets `/ws/<stream>` and
`/stream?streams=<stream>/<stream>` with `<token>@tokenNav` and `<token>@nav_kline_<interval>`, and SUBSCRIBE
over an open one. Numbers are JSON numbers or strings as they were there; the target leverage is 0: it is
secret.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

import orjson
from aiohttp import WSMsgType, web

from bot.core.bars import INTERVALS_MS
from bot.web.access import public
from bot.web.answers import public_json
from bot.web.stream import BATCH, MOST_READERS, MOST_WAITING_BYTES, Feed, News

_MOST_KLINES = 1_000
_MOST_STREAMS = 200


class Tokens(Protocol):
    """What is public of the funds."""

    def funds(self) -> list[dict[str, Any]]:
        """Every fund's public figures."""
        ...

    def fund(self, name: str) -> dict[str, Any] | None:
        """One fund; None if there is none of this name."""
        ...

    def bar(self, name: str, interval: str) -> dict[str, Any] | None:
        """The bar under way, as the public may see it."""
        ...

    async def bars(
        self, name: str, part: tuple[str, Literal["nav", "rest"]], start_ms: int, end_ms: int, limit: int
    ) -> bytes | None:
        """Rows of NAV, and of what goes with them."""
        ...

    def terms(self, name: str) -> dict[str, str]:
        """What a flow costs, and how much a day may bring."""
        ...


class Stream(NamedTuple):
    """One stream of one token; `interval` is None for its NAV."""

    token: str
    interval: str | None


class BadStreamError(ValueError):
    """There is no such stream."""


def add_routes(app: web.Application, tokens: Tokens, feed: Feed) -> None:
    """Add the paths."""
    sockets = Sockets(tokens)
    feed.listen(sockets.hear)

    @public
    async def klines(request: web.Request) -> web.Response:
        return await _klines(request, tokens)

    @public
    async def info(request: web.Request) -> web.Response:
        name = request.query.get("tokenName")
        funds = tokens.funds()
        wanted = [fund for fund in funds if name is None or fund["fund"] == name.upper()]
        if name is not None and not wanted:
            return _refused(-1121, "Invalid symbol.")
        return public_json(request, [_info(fund, tokens.terms(fund["fund"])) for fund in wanted])

    @public
    async def one(request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("stream", "")
        return await sockets.serve(request, [name] if name else [], combined=False)

    @public
    async def many(request: web.Request) -> web.StreamResponse:
        names = [name for name in request.query.get("streams", "").split("/") if name]
        return await sockets.serve(request, names, combined=True)

    async def close(_: web.Application) -> None:
        await sockets.close()

    app.router.add_get("/fapi/v1/lvtKlines", klines)
    app.router.add_get("/sapi/v1/blvt/tokenInfo", info)
    app.router.add_get("/ws", one)
    app.router.add_get("/ws/{stream}", one)
    app.router.add_get("/stream", many)
    app.on_shutdown.append(close)


def parse(name: str, tokens: Tokens) -> Stream:
    """The stream of that name; `BadStreamError` if there is none."""
    token, _, kind = name.partition("@")
    if tokens.fund(token.upper()) is None:
        raise BadStreamError(name)
    if kind.lower() == "tokennav":
        return Stream(token.upper(), None)
    prefix, _, interval = kind.rpartition("_")
    if prefix.lower() != "nav_kline" or interval not in INTERVALS_MS:
        raise BadStreamError(name)
    return Stream(token.upper(), interval)


class _Socket(NamedTuple):
    """One open websocket, and which names its streams were asked for by."""

    answer: web.WebSocketResponse
    transport: asyncio.Transport
    streams: dict[Stream, str]
    combined: bool


class Sockets:
    """Everybody who reads token streams."""

    def __init__(self, tokens: Tokens) -> None:
        """Nobody does."""
        self._tokens = tokens
        self._sockets: dict[int, _Socket] = {}
        self._changed: dict[str, None] = {}
        self._writing: asyncio.Task[None] | None = None

    def hear(self, news: Sequence[News]) -> None:
        """A fund's figures are new: its streams are."""
        if not self._sockets:
            return
        self._changed |= {item.fund: None for item in news if item.event == "fund" and item.fund is not None}
        if self._changed and self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def serve(self, request: web.Request, names: list[str], *, combined: bool) -> web.StreamResponse:
        """Serve one websocket until its reader is gone; unknown streams are refused before."""
        if len(self._sockets) >= MOST_READERS or len(names) > _MOST_STREAMS:
            raise web.HTTPServiceUnavailable(reason="too many readers or streams")
        try:
            streams = {parse(name, self._tokens): name for name in names}
        except BadStreamError as error:
            raise web.HTTPNotFound(reason="no such stream runs here") from error
        answer = web.WebSocketResponse(heartbeat=60.0, compress=False, max_msg_size=4_096)
        await answer.prepare(request)
        transport = request.transport
        if transport is None:
            return answer
        socket = _Socket(answer, transport, streams, combined)
        self._sockets[id(socket)] = socket
        try:
            async for message in answer:
                if message.type is WSMsgType.TEXT:
                    await answer.send_str(orjson.dumps(self._asked(socket, message.data)).decode())
        finally:
            self._sockets.pop(id(socket), None)
        return answer

    def _asked(self, socket: _Socket, text: str) -> dict[str, Any]:
        """SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS, answered as the original does."""
        try:
            message = orjson.loads(text)
            number, names = message.get("id"), [str(name) for name in message.get("params") or []]
        except (orjson.JSONDecodeError, AttributeError, TypeError):
            return {"error": {"code": 3, "msg": "Invalid JSON"}, "id": None}
        try:
            wanted = {parse(name, self._tokens): name for name in names}
        except BadStreamError:
            return {"error": {"code": 2, "msg": "Invalid request: no such stream"}, "id": number}
        method = message.get("method")
        if method == "LIST_SUBSCRIPTIONS":
            return {"result": list(socket.streams.values()), "id": number}
        if method == "UNSUBSCRIBE":
            for stream in wanted:
                socket.streams.pop(stream, None)
        elif method != "SUBSCRIBE" or len(socket.streams) + len(wanted) > _MOST_STREAMS:
            return {"error": {"code": 2, "msg": "Invalid request"}, "id": number}
        else:
            socket.streams.update(wanted)
        return {"result": None, "id": number}

    async def close(self) -> None:
        """End all of them."""
        if self._writing is not None:
            self._writing.cancel()
        for socket in list(self._sockets.values()):
            await socket.answer.close()

    async def _write(self) -> None:
        try:
            while self._changed:
                token = next(iter(self._changed))
                del self._changed[token]
                await self._tell(token)
        finally:
            self._writing = None

    async def _tell(self, token: str) -> None:
        """Each message is made once, and written in short batches; who does not read is dropped."""
        made: dict[Stream, str | None] = {}
        written = 0
        for socket in list(self._sockets.values()):
            for stream, name in list(socket.streams.items()):
                if stream.token != token:
                    continue
                if stream not in made:
                    made[stream] = self._message(stream)
                text = made[stream]
                if text is not None:
                    await _send(socket, f'{{"stream":"{name}","data":{text}}}' if socket.combined else text)
                    written += 1
            if written >= BATCH:
                written = 0
                await asyncio.sleep(0)

    def _message(self, stream: Stream) -> str | None:
        fund = self._tokens.fund(stream.token)
        if fund is None or fund["updated_at"] is None or fund["nav"] is None:
            return None
        if stream.interval is None:
            return orjson.dumps(token_nav(fund)).decode()
        bar = self._tokens.bar(stream.token, stream.interval)
        return None if bar is None else orjson.dumps(nav_kline(fund, stream.interval, bar)).decode()


async def _send(socket: _Socket, text: str) -> None:
    if socket.answer.closed or socket.transport.is_closing():
        return
    if socket.transport.get_write_buffer_size() > MOST_WAITING_BYTES:
        socket.transport.abort()
        return
    await socket.answer.send_str(text)


def token_nav(fund: dict[str, Any]) -> dict[str, Any]:
    """`<token>@tokenNav`: e event, E its time, s token, m issued, b basket, n NAV, l leverage, f funding."""
    return {
        "e": "nav",
        "E": milliseconds(fund["updated_at"]),
        "s": fund["fund"],
        "m": float(fund["units"]),
        "b": [{"s": fund["underlying"], "n": float(fund["position"])}],
        "n": float(fund["nav"]),
        "l": _signed(fund),
        "t": 0,
        "f": float(fund["funding_rate"] or 0),
    }


def nav_kline(fund: dict[str, Any], interval: str, bar: dict[str, Any]) -> dict[str, Any]:
    """`<token>@nav_kline_<interval>`: v is the real leverage, n the number of updates."""
    start_ms = bar["start_ms"]
    now_ms = milliseconds(fund["updated_at"])
    return {
        "e": "kline",
        "E": now_ms,
        "s": fund["fund"],
        "k": {
            "t": start_ms,
            "T": start_ms + INTERVALS_MS[interval] - 1,
            "s": fund["fund"],
            "i": interval,
            "f": start_ms,
            "L": now_ms,
            "o": bar["open"],
            "c": bar["close"],
            "h": bar["high"],
            "l": bar["low"],
            "v": str(_signed(fund)),
            "n": bar["updates"],
            "x": False,
            "q": "0",
            "V": "0",
            "Q": "0",
            "B": "0",
        },
    }


def milliseconds(text: str) -> int:
    """A time of ours as ms UTC."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _signed(fund: dict[str, Any]) -> float:
    """Real leverage, negative for a DOWN token; 0 where it is undefined."""
    leverage = float(fund["real_leverage"] or 0)
    return leverage if fund["side"] == "long" or leverage == 0 else -leverage


def _signed_text(amount: str, side: str) -> str:
    """A figure that is not below zero, with the sign of the fund's position; nothing has none."""
    return amount if side == "long" or not float(amount) else f"-{amount}"


def _info(fund: dict[str, Any], terms: dict[str, str]) -> dict[str, Any]:
    underlying = fund["underlying"].removesuffix("USDT")
    side = "Long" if fund["side"] == "long" else "Short"
    notional = fund["notional"]
    return {
        "tokenName": fund["fund"],
        "description": f"{side} {underlying} leveraged token",
        "underlying": underlying,
        "tokenIssued": fund["units"],
        "basket": f"{fund['position']} {fund['underlying']} Futures",
        "currentBaskets": [
            {
                "symbol": fund["underlying"],
                "amount": fund["position"],
                "notionalValue": None if notional is None else _signed_text(notional, fund["side"]),
            }
        ],
        "nav": fund["nav"],
        "realLeverage": str(_signed(fund)),
        "fundingRate": fund["funding_rate"],
        **terms,
        "timestamp": None if fund["updated_at"] is None else milliseconds(fund["updated_at"]),
    }


async def _klines(request: web.Request, tokens: Tokens) -> web.Response:
    query = request.query
    interval = query.get("interval", "")
    if interval not in INTERVALS_MS:
        return _refused(-1120, "Invalid interval.")
    try:
        start_ms, end_ms, limit = (
            int(query.get(name, default))
            for name, default in (("startTime", "0"), ("endTime", str(10**14)), ("limit", "500"))
        )
    except ValueError:
        return _refused(-1102, "A mandatory parameter was malformed.")
    if not (0 <= start_ms <= 10**14 and 0 <= end_ms <= 10**14 and 0 < limit <= _MOST_KLINES):
        return _refused(-1130, "A parameter is out of range.")
    name = query.get("symbol", "").upper()
    fund = tokens.fund(name)
    if fund is None:
        return _refused(-1121, "Invalid symbol.")
    nav = await tokens.bars(name, (interval, "nav"), start_ms, end_ms + 1, limit)
    rest = await tokens.bars(name, (interval, "rest"), start_ms, end_ms + 1, limit)
    rows = zip(orjson.loads(nav or b"[]"), orjson.loads(rest or b"[]"), strict=False)
    length_ms = INTERVALS_MS[interval]
    return public_json(request, [_kline(*row, length_ms, fund["side"]) for row in rows])


def _kline(nav: list[Any], rest: list[Any], length_ms: int, side: str) -> list[Any]:
    start_ms, opened, high, low, close, updates = nav
    leverage = "0" if rest[2] is None else _signed_text(rest[2], side)
    zeros = ["0", "0", "0"]
    return [start_ms, opened, high, low, close, leverage, start_ms + length_ms - 1, "0", updates, *zeros]


def _refused(code: int, message: str) -> web.Response:
    """An error as the original API tells it."""
    return web.json_response({"code": code, "msg": message}, status=400)
