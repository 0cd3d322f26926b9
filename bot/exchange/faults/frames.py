"""What faults do to stream frames and to the sockets they go out on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary, WeakSet

import orjson

from bot.exchange.faults.plan import Scene
from bot.exchange.faults.requests import with_nan

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.exchange.faults.plan import Fault, Plan


class Socket(Protocol):
    """A connection that frames go out on."""

    def send(self, payload: bytes) -> None:
        """Send one text message now."""

    def cut(self) -> None:
        """Reset it."""

    def end(self) -> None:
        """Close it in order."""

    def mute(self) -> None:
        """Send nothing more, pongs included."""


class FrameFaults:
    """Stands between the streams and their sockets. `now` is market time."""

    def __init__(self, plan: Plan, now: Callable[[], int]) -> None:
        self._plan = plan
        self._now = now
        self._muted: WeakSet[Socket] = WeakSet()
        self._held: WeakKeyDictionary[Socket, list[bytes]] = WeakKeyDictionary()

    def pass_on(self, socket: Socket, stream: str, account: str, payload: bytes, text: bytes) -> list[bytes]:
        """Return the messages that take the place of `text`, the form in which `payload` is sent."""
        if socket in self._muted:
            return []
        occasion = _occasion(stream, account, payload)
        messages = [text]
        held = self._held.pop(socket, [])
        for item in self._plan.at(Scene.FRAME, occasion, self._now()):
            messages = self._change(item.fault, socket, text, messages)
        return messages if socket in self._muted else messages + held

    def _change(self, fault: Fault, socket: Socket, text: bytes, messages: list[bytes]) -> list[bytes]:
        kind, given = fault.kind, fault.given
        if kind == "event_duplicated":
            return messages + messages
        if kind == "frame_malformed":
            return [_malformed(text, given.get("into", "cut"))]
        if kind == "event_stale":
            self._held[socket] = [*self._held.get(socket, []), text]
            return messages
        if kind == "event_reordered":
            self._held[socket] = [*self._held.get(socket, []), *messages]
        elif kind == "event_delayed":
            loop = asyncio.get_running_loop()
            for message in messages:
                loop.call_later(given["by_s"], socket.send, message)
        elif kind == "socket_silent":
            self._muted.add(socket)
            socket.mute()
        elif kind == "socket_reset":
            socket.cut()
        elif kind == "socket_closed":
            socket.end()
        return []


def _malformed(text: bytes, into: str) -> bytes:
    if into == "cut":
        return text[: len(text) // 2]
    return b"" if into == "empty" else with_nan(text)


def _occasion(stream: str, account: str, payload: bytes) -> dict[str, str]:
    body = orjson.loads(payload)
    row = body if isinstance(body, dict) else {}
    order = row.get("o")
    symbol = row.get("s") or (order.get("s", "") if isinstance(order, dict) else "")
    return {"stream": stream, "account": account, "event": str(row.get("e", "")), "symbol": str(symbol)}
