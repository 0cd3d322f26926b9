"""Market time: when the market moves, and the protocol by which attached clients hold it.

The market moves in instants: the next is the next knot of any price path, or the earliest time that an
attached client asked to be woken at, whichever comes first. At an instant funding due is booked, marks
change, resting orders fill, liquidations happen, marks are sent to all subscribers; then the market holds
until every attached client has said that it has seen the instant and has nothing under way.

A client attaches on the websocket `/pacing` with {"op":"attach","name":...,"not_before":ms or null}, is
answered {"op":"attached","now":ms,"start":ms,"end":ms or null,"speed":"max" or number}, and then says
{"op":"idle","seen":ms,"until":ms or null} whenever it is done with all marks up to `seen` and wants the
market to stop at `until` at the latest. {"op":"busy"} takes the last idle back, for a client that something
from outside (an operator, say) sets to work in between. It detaches by closing. When the paths have ended
and all are idle it is told {"op":"end","now":ms}. Anything else is answered {"op":"error","message":...} and
closed. The exchange pings each minute; who does not answer within half a minute is detached.

At speed "max" wall time plays no part; with nobody attached the market then stands still. At a factor f the
market also waits for wall time (market time passed / f); with nobody attached it runs freely: it is brought
to the present moment whenever somebody looks at it, and marks go out at least once a second of wall time.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import orjson
from aiohttp import WSMsgType, web

from bot.exchange.desk import wall_ms

if TYPE_CHECKING:
    from bot.exchange.desk import Desk

Speed = float | Literal["max"]
LIFE_SIGN_S = 1.0  # a held market repeats its marks this often, so that feeds see life
SAVE_EVERY_S = 2.0
CATCH_UP_S = 1.0  # how much lost wall time a slow client may make up by a faster market
STEP_S = 0.005  # how far a market that nobody paces may lag behind the wall when it is looked at
MAX_FRAME_BYTES = 4_096
PING_EVERY_S = 60.0  # a client that is gone without a word holds the market for a minute and a half at most
NEVER = -1
YIELD_EVERY = 500


@dataclass(eq=False, slots=True)
class PacingClient:
    """An attached client: the last mark time it has seen, and when it wants to be woken (UTC ms)."""

    socket: web.WebSocketResponse
    name: str
    seen_ms: int = NEVER
    until_ms: int | None = None
    told_end: bool = False


class Happenings(Protocol):
    """What happens at set market times besides prices and funding (`bot.exchange.faults`)."""

    def next_due(self) -> int | None:
        """Return when the next one is due, UTC ms of market time."""

    def happen(self) -> None:
        """Let all happen that is due by now."""


class PacingError(Exception):
    """A message that is not in the protocol."""


class MarketClock:
    """Moves the market of one desk."""

    def __init__(self, desk: Desk, speed: Speed, *, start_ms: int, wait_for_clients: bool) -> None:
        self.happenings: Happenings | None = None
        self._desk = desk
        self._venue = desk.venue
        self._market = desk.venue.market
        self._speed = speed
        self._start_ms = start_ms
        self._wait_for_clients = wait_for_clients
        self._clients: dict[PacingClient, None] = {}
        self._wake = asyncio.Event()
        self._moving = asyncio.Lock()
        self._due_s = asyncio.get_running_loop().time()  # when the present instant was due
        self._last_frame_s = 0.0
        self._told_ms = self._market.now  # the instant of the last mark frames
        self._is_news = False
        desk.catch_up = self._catch_up
        desk.look_ahead = self._wake.set

    # --- the market's own task ------------------------------------------------------------------------

    async def run(self) -> None:
        """Move the market from instant to instant, for ever."""
        loop = asyncio.get_running_loop()
        self._due_s = loop.time()
        while True:
            self._wake.clear()  # before looking, so that nothing said while this awaits is missed
            if self._is_news:
                self._desk.settle()
                await self._send_marks()
            instant = self._next_instant()
            wait_s = math.inf if not self._released() else 0.0
            if wait_s == 0.0 and instant is None:
                await self._tell_end()
                wait_s = math.inf
            elif wait_s == 0.0 and instant is not None and self._speed != "max":
                due_s = self._due_s + (instant - self._market.now) / (1_000 * self._speed)
                wait_s = max(0.0, due_s - loop.time())
            if wait_s == 0.0 and instant is not None:
                await self._move_to(instant)
                await asyncio.sleep(0)
                continue
            timer = loop.call_later(wait_s, self._wake.set) if wait_s < math.inf else None
            await self._wake.wait()
            if timer:
                timer.cancel()

    async def keep_alive(self) -> None:
        """Repeat marks while the market holds, save its time, and expire listen keys, for ever."""
        loop = asyncio.get_running_loop()
        desk, ticks = self._desk, 0
        while True:
            await asyncio.sleep(LIFE_SIGN_S)
            ticks += 1
            if loop.time() - self._last_frame_s >= LIFE_SIGN_S and not self._moving.locked():
                await self._send_marks()
            if ticks % round(SAVE_EVERY_S / LIFE_SIGN_S) == 0:
                desk.save_market_time()
            expired = desk.listen_keys.expire(wall_ms())
            if expired:
                desk.save_listen_keys()
            for _, key in expired:
                await desk.streams.send_key_expired(key)

    def look_again(self) -> None:
        """Notice what has happened without the market's doing: tell it, and see what comes next."""
        self._is_news = True
        self._wake.set()

    def _next_knot(self) -> int | None:
        """Return the next time at which the market has news of its own; None at the end of all paths."""
        knot = self._market.next_knot()
        if knot is None:
            return None
        due = self.happenings.next_due() if self.happenings is not None else None
        for time_ms in (due, self._venue.next_deadline()):
            if time_ms is not None:
                knot = min(knot, max(time_ms, self._market.now + 1))
        return knot

    def _advance(self, time_ms: int) -> None:
        self._venue.advance(time_ms)
        if self.happenings is not None:
            self.happenings.happen()

    def _next_instant(self) -> int | None:
        instant = self._next_knot()
        if instant is None:
            return None
        if not self._clients and self._speed != "max":
            # Nobody paces the market: its clients live by the wall, and a venue sends marks by it.
            frame_ms = self._told_ms + round(1_000 * self._speed * LIFE_SIGN_S)
            instant = min(instant, max(frame_ms, self._market.now + 1))
        for client in self._clients:
            if client.until_ms is not None:
                instant = min(instant, max(client.until_ms, self._market.now + 1))
        return instant

    def _released(self) -> bool:
        if not self._clients:
            return self._speed != "max" and not self._wait_for_clients
        now = self._market.now
        return all(client.seen_ms >= now for client in self._clients)

    def _catch_up(self) -> None:
        """Bring a market that nobody paces to this moment of wall time, knot by knot, in such steps."""
        if self._speed == "max" or self._clients or not self._released() or self._moving.locked():
            return
        market, now_s = self._market, asyncio.get_running_loop().time()
        if now_s - self._due_s < STEP_S:
            return
        self._due_s = max(self._due_s, now_s - CATCH_UP_S)
        target = market.now + int((now_s - self._due_s) * 1_000 * self._speed)
        while market.now < target and (knot := self._next_knot()) is not None:
            instant = min(knot, target)
            self._due_s += (instant - market.now) / (1_000 * self._speed)
            self._advance(instant)
            if instant == knot or self._venue.changes:
                self._is_news = True
                self._wake.set()

    async def _move_to(self, instant: int) -> None:
        async with self._moving:
            if instant <= self._market.now or not self._released():
                return  # somebody attached while this waited for the lock
            loop = asyncio.get_running_loop()
            if self._speed != "max":
                passed_s = (instant - self._market.now) / (1_000 * self._speed)
                self._due_s = max(self._due_s + passed_s, loop.time() - CATCH_UP_S)
            self._advance(instant)
            self._desk.settle()
            await self._send_marks()

    async def _send_marks(self) -> None:
        self._last_frame_s = asyncio.get_running_loop().time()
        self._told_ms, self._is_news = self._market.now, False
        await self._desk.streams.send_marks()

    async def _tell_end(self) -> None:
        for client in list(self._clients):
            if not client.told_end:
                client.told_end = True
                with suppress(ConnectionError):  # it left in between; its handler cleans up
                    await _say(client.socket, {"op": "end", "now": self._market.now})

    # --- attached clients -----------------------------------------------------------------------------

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one pacing socket until it closes."""
        socket = web.WebSocketResponse(compress=False, max_msg_size=MAX_FRAME_BYTES, heartbeat=PING_EVERY_S)
        await socket.prepare(request)
        client: PacingClient | None = None
        try:
            async for message in socket:
                if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    continue
                body = _decode(message.data)
                if client is None:
                    client = await self._attach(socket, body)
                elif body.get("op") == "busy":
                    client.seen_ms = NEVER
                else:
                    client.seen_ms, client.until_ms = _idle(body)
                self._wake.set()
        except PacingError as error:
            await _say(socket, {"op": "error", "message": str(error)})
            await socket.close()
        finally:
            if client is not None:
                self._clients.pop(client, None)
            self._wake.set()
        return socket

    async def _attach(self, socket: web.WebSocketResponse, body: dict[str, Any]) -> PacingClient:
        if body.get("op") != "attach" or not isinstance(body.get("name"), str):
            raise PacingError('first say {"op":"attach","name":...,"not_before":ms or null}')
        not_before = _time(body, "not_before")
        async with self._moving:
            if not_before is not None and not self._clients:
                await self._fast_forward(not_before)
            client = PacingClient(socket, body["name"])
            self._clients[client] = None
        self._wait_for_clients = False
        answer = {
            "op": "attached",
            "now": self._market.now,
            "start": self._start_ms,
            "end": self._market.end_ms,
            "speed": self._speed,
        }
        await _say(socket, answer)
        await self._send_marks()
        return client

    async def _fast_forward(self, time_ms: int) -> None:
        """Move on to `time_ms` without sending marks on the way; funding and liquidations are booked."""
        market, steps = self._market, 0
        end_ms = market.end_ms
        time_ms = time_ms if end_ms is None else min(time_ms, end_ms)
        while market.now < time_ms:
            self._advance(min(self._next_knot() or time_ms, time_ms))
            steps += 1
            if steps % YIELD_EVERY == 0:
                self._desk.settle()
                await asyncio.sleep(0)
        self._desk.settle()


async def _say(socket: web.WebSocketResponse, body: dict[str, Any]) -> None:
    await socket.send_str(orjson.dumps(body).decode())


def _decode(data: str | bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise PacingError(f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise PacingError("not a JSON object")
    return body


def _time(body: dict[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise PacingError(f'"{name}" is a time in UTC ms, or null')
    return value


def _idle(body: dict[str, Any]) -> tuple[int, int | None]:
    seen = _time(body, "seen")
    if body.get("op") != "idle" or seen is None:
        raise PacingError('say {"op":"idle","seen":ms,"until":ms or null} or {"op":"busy"}')
    return seen, _time(body, "until")
