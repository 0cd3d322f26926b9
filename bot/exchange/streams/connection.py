"""One websocket: frames out without waiting, and the rules it lives under.

A frame is encoded once for all who get it and written straight to the transport. A reader that falls more
than 4 MiB behind is cut off, never waited for.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from aiohttp import WSCloseCode, WSMsgType, web

from bot.exchange.desk import wall_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MAX_BEHIND_BYTES = 4 * 1024 * 1024
MAX_FRAME_BYTES = 256 * 1024
_TEXT = 0x81  # the last frame of a text message


@dataclass(frozen=True, slots=True)
class SocketRules:
    """How long a connection may live, how often it is asked for a sign of life, and what it may send.

    Times are seconds of wall time. Source: Binance, "Websocket Market Streams", connection rules.
    """

    messages_per_s: int = 10
    ping_every_s: float = 180.0
    pong_within_s: float = 600.0
    valid_s: float = 86_400.0
    max_streams: int = 1_024


def text_frame(payload: bytes) -> bytes:
    """Return an unmasked websocket text frame (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((_TEXT, size)) + payload
    if size < 65_536:
        return bytes((_TEXT, 126)) + size.to_bytes(2) + payload
    return bytes((_TEXT, 127)) + size.to_bytes(8) + payload


class Connection:
    """One socket of a client. Use as an asynchronous context manager, and iterate over its messages."""

    def __init__(
        self, socket: web.WebSocketResponse, transport: asyncio.Transport, rules: SocketRules
    ) -> None:
        self._socket = socket
        self._transport = transport
        self._rules = rules
        # Above what we tolerate, so that aiohttp's own writes never wait for a slow reader.
        transport.set_write_buffer_limits(high=2 * MAX_BEHIND_BYTES)
        self._waiting: list[bytes] = []
        self._second, self._received = -1, 0
        self._heard_s = time.monotonic()
        self._life: asyncio.Task[None] | None = None
        self._ending: asyncio.Future[bool] | None = None
        self._is_mute = False

    @classmethod
    async def accept(cls, request: web.BaseRequest, rules: SocketRules) -> Self | None:
        """Complete the handshake of a request; None when its sender has gone."""
        socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=MAX_FRAME_BYTES)
        await socket.prepare(request)
        return None if request.transport is None else cls(socket, request.transport, rules)

    @property
    def response(self) -> web.WebSocketResponse:
        """What its request is answered with, once it is over."""
        return self._socket

    def cut(self) -> None:
        """Drop the connection at once."""
        self._transport.abort()

    def end(self) -> None:
        """Close the connection in order."""
        self._ending = asyncio.ensure_future(self._socket.close(code=WSCloseCode.GOING_AWAY))

    def mute(self) -> None:
        """Send nothing more, not even pongs, and stay connected."""
        self._is_mute = True

    def put(self, frame: bytes) -> None:
        """Add a frame to what the next `flush` sends."""
        if not self._is_mute:
            self._waiting.append(frame)

    def flush(self) -> None:
        """Send what waits in one write; cut the connection off if its reader lags too far behind."""
        frames, self._waiting = self._waiting, []
        if not frames or self._transport.is_closing() or self._socket.closed:
            return
        if self._transport.get_write_buffer_size() > MAX_BEHIND_BYTES:
            self.cut()
            return
        self._transport.write(frames[0] if len(frames) == 1 else b"".join(frames))

    def send(self, payload: bytes) -> None:
        """Send one text message now."""
        self.put(text_frame(payload))
        self.flush()

    async def messages(self) -> AsyncIterator[str | bytes]:
        """Yield what the client says, until it leaves or breaks a rule."""
        async for message in self._socket:
            self._heard_s = time.monotonic()
            if not self._may_speak():
                await self._socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"Too many requests")
                return
            if message.type is WSMsgType.PING:
                if self._is_mute:
                    continue
                with suppress(ConnectionError):  # it left in between; the loop ends by itself
                    await self._socket.pong(message.data)
            elif message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                yield message.data

    async def __aenter__(self) -> Self:
        self._life = asyncio.create_task(self._watch_life())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._life is not None:
            self._life.cancel()

    def _may_speak(self) -> bool:
        second = int(self._heard_s)
        if second != self._second:
            self._second, self._received = second, 0
        self._received += 1
        return self._received <= self._rules.messages_per_s

    async def _watch_life(self) -> None:
        """Ping the client, cut it off when it does not answer, and end the connection after its time."""
        rules, born_s = self._rules, time.monotonic()
        while (now_s := time.monotonic()) < born_s + rules.valid_s:
            if now_s - self._heard_s > rules.pong_within_s:
                self.cut()
                return
            await asyncio.sleep(min(rules.ping_every_s, born_s + rules.valid_s - now_s))
            with suppress(ConnectionError):  # it left in between; whoever reads its messages notices
                await self._socket.ping(str(wall_ms()).encode())
        await self._socket.close(code=WSCloseCode.GOING_AWAY, message=b"24 hours are over")
