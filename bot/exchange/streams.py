"""WebSocket streams: mark prices, best bid and ask, and the events of each account.

Plain sockets (`/ws`, `/market/ws/0`, `/ws/btcusdt@markPrice`, `/private/ws?listenKey=`) carry the bare
payload, combined ones (`/stream`, `/market/stream?streams=`) wrap it as {"stream", "data"}. A reader that
falls more than 4 MiB behind is cut off, never waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import WSMsgType, web

from bot.exchange import wire, wire_events
from bot.exchange.book import Level
from bot.exchange.entities import ZERO, OrderEvent

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from bot.exchange.entities import Event
    from bot.exchange.market import Market

MAX_BEHIND_BYTES = 4 * 1024 * 1024
MAX_STREAMS = 1_024
MAX_FRAME_BYTES = 256 * 1024
PING_EVERY_S = 180.0
NOBODY = Level(ZERO, ZERO)
ALL_MARKS = ("!markPrice@arr", "!markPrice@arr@1s")


class Connection:
    """One socket of a client and what it listens to. `account` is set on a user data stream."""

    def __init__(
        self, socket: web.WebSocketResponse, transport: asyncio.Transport, *, combined: bool
    ) -> None:
        self._socket = socket
        self._transport = transport
        # Above what we tolerate, so that a write never waits for a slow reader.
        transport.set_write_buffer_limits(high=2 * MAX_BEHIND_BYTES)
        self.combined = combined
        self.streams: dict[str, None] = {}
        self.user_streams: dict[str, str] = {}

    def cut(self) -> None:
        """Drop the connection at once."""
        self._transport.abort()

    async def send(self, payload: bytes, stream: str = "") -> None:
        """Send one frame; cut the connection off if its reader lags too far behind."""
        if self._transport.get_write_buffer_size() > MAX_BEHIND_BYTES:
            self.cut()
        if self._transport.is_closing() or self._socket.closed:
            return
        if self.combined and stream:
            payload = b'{"stream":"%s","data":%s}' % (stream.encode(), payload)
        try:
            await self._socket.send_frame(payload, WSMsgType.TEXT)
        except ConnectionError:  # it closed in between; its handler cleans up
            return


class Streams:
    """All connections, and what is sent to them."""

    def __init__(self, market: Market, owner_of_key: Callable[[str], str | None]) -> None:
        self._market = market
        self._owner_of_key = owner_of_key
        self._connections: dict[Connection, None] = {}
        self._subscribers: dict[str, dict[Connection, None]] = {}
        self._mark_topics: list[tuple[str, str]] = []
        self._book_topics: list[tuple[str, str]] = []

    # --- what is sent ---------------------------------------------------------------------------------

    async def send_marks(self) -> None:
        """Send the present mark (and best bid and ask) of every symbol to those who asked for it."""
        frames: dict[str, bytes] = {}
        for stream, symbol in self._mark_topics:
            frame = frames.get(symbol)
            if frame is None:
                frame = frames[symbol] = self._mark_frame(symbol)
            for connection in list(self._subscribers[stream]):
                await connection.send(frame, stream)
        for stream, symbol in self._book_topics:
            frame = self._book_frame(symbol)
            for connection in list(self._subscribers[stream]):
                await connection.send(frame, stream)

    async def send_user_events(self, events: Iterable[Event]) -> None:
        """Send events to the user data streams of their accounts."""
        for event in events:
            account = event.order.account if isinstance(event, OrderEvent) else event.account
            payload = orjson.dumps(wire_events.user_event(event, self._market.now))
            await self._send_user(account, payload)

    async def send_key_expired(self, account: str, key: str) -> None:
        """Tell an account's user data streams that their key has run out."""
        payload = {"e": "listenKeyExpired", "E": self._market.now, "listenKey": key}
        await self._send_user(account, orjson.dumps(payload))
        for connection in self._connections:
            connection.user_streams.pop(key, None)

    async def _send_user(self, account: str, payload: bytes) -> None:
        for connection in list(self._connections):
            for key, owner in connection.user_streams.items():
                if owner == account:
                    await connection.send(payload, key)

    def _mark_frame(self, symbol: str) -> bytes:
        if not symbol:
            return b"[%s]" % b",".join(map(self._mark_frame, self._market.symbols))
        market = self._market
        mark = format(market.marks[symbol], "f")
        due_ms, rate = market.next_funding[symbol] or (0, 0)
        return (
            f'{{"e":"markPriceUpdate","E":{market.now},"s":"{symbol}","p":"{mark}","ap":"{mark}","P":"{mark}",'
            f'"i":"{mark}","r":"{rate:.8f}","T":{due_ms}}}'
        ).encode()

    def _book_frame(self, symbol: str) -> bytes:
        market = self._market
        book = market.book(symbol)
        bid = book.bids[0] if book.bids else NOBODY
        ask = book.asks[0] if book.asks else NOBODY
        return orjson.dumps(
            {
                "e": "bookTicker",
                "u": market.now,
                "E": market.now,
                "T": market.now,
                "s": symbol,
                "b": wire.plain(bid.price),
                "B": wire.plain(bid.quantity),
                "a": wire.plain(ask.price),
                "A": wire.plain(ask.quantity),
            }
        )

    # --- who listens to what --------------------------------------------------------------------------

    async def serve(
        self, request: web.BaseRequest, *, combined: bool, names: list[str]
    ) -> web.StreamResponse:
        """Serve one socket until it closes, subscribed to `names` from the start."""
        socket = web.WebSocketResponse(heartbeat=PING_EVERY_S, compress=False, max_msg_size=MAX_FRAME_BYTES)
        await socket.prepare(request)
        transport = request.transport
        if transport is None:
            return socket
        connection = Connection(socket, transport, combined=combined)
        self._connections[connection] = None
        try:
            await self._subscribe(connection, names)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._answer(connection, message.data)
        finally:
            del self._connections[connection]
            self._unsubscribe(connection, list(connection.streams))
        return socket

    def close(self) -> None:
        """Cut every connection."""
        for connection in self._connections:
            connection.cut()

    async def _answer(self, connection: Connection, text: str) -> None:
        try:
            request = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            await self._refuse(connection, 3, f"Invalid JSON: {error}", None)
            return
        request_id = request.get("id") if isinstance(request, dict) else None
        problem = _problem(request)
        if problem:
            await self._refuse(connection, 2, f"Invalid request: {problem}", request_id)
            return
        method, names = request["method"], request.get("params") or []
        if method == "SUBSCRIBE" and len(connection.streams) + len(names) > MAX_STREAMS:
            await self._refuse(connection, 2, f"Invalid request: more than {MAX_STREAMS} streams", request_id)
            return
        result = list(connection.streams) if method == "LIST_SUBSCRIPTIONS" else None
        await connection.send(orjson.dumps({"result": result, "id": request_id}))
        if method == "SUBSCRIBE":
            await self._subscribe(connection, names)
        elif method == "UNSUBSCRIBE":
            self._unsubscribe(connection, names)

    async def _refuse(self, connection: Connection, code: int, message: str, request_id: Any) -> None:
        await connection.send(orjson.dumps({"error": {"code": code, "msg": message}, "id": request_id}))

    async def _subscribe(self, connection: Connection, names: Iterable[str]) -> None:
        for name in names:
            owner = self._owner_of_key(name)
            if owner is not None:
                connection.user_streams[name] = owner
                continue
            connection.streams[name] = None
            self._subscribers.setdefault(name, {})[connection] = None
            self._sort_topics()
            for topics, frame_of in (
                (self._mark_topics, self._mark_frame),
                (self._book_topics, self._book_frame),
            ):
                for stream, symbol in topics:
                    if stream == name:
                        await connection.send(frame_of(symbol), stream)

    def _unsubscribe(self, connection: Connection, names: Iterable[str]) -> None:
        for name in names:
            connection.streams.pop(name, None)
            connection.user_streams.pop(name, None)
            listeners = self._subscribers.get(name)
            if listeners is not None:
                listeners.pop(connection, None)
                if not listeners:
                    del self._subscribers[name]
        self._sort_topics()

    def _sort_topics(self) -> None:
        """Note which streams carry which symbol; "" stands for all symbols in one frame."""
        self._mark_topics, self._book_topics = [], []
        for stream in self._subscribers:
            if stream in ALL_MARKS:
                self._mark_topics.append((stream, ""))
                continue
            symbol, _, kind = stream.partition("@")
            if symbol.upper() not in self._market.symbols or symbol != symbol.lower():
                continue
            if kind in {"markPrice", "markPrice@1s"}:
                self._mark_topics.append((stream, symbol.upper()))
            elif kind == "bookTicker":
                self._book_topics.append((stream, symbol.upper()))


def _problem(request: Any) -> str:
    if not isinstance(request, dict):
        return "expected an object"
    if request.get("method") not in {"SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS"}:
        return "unknown variant of method"
    request_id = request.get("id")
    if request_id is not None and (isinstance(request_id, bool) or not isinstance(request_id, int | str)):
        return "request ID must be an unsigned integer or a string"
    names = request.get("params", [])
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        return "params must be an array of stream names"
    return ""
