"""Who listens to what, and when it is sent.

A stream has a feed while it has subscribers. At each instant of the market, at each sign of life of a market
that holds, and every 100 ms of wall time (marks excepted), feeds whose time has come are asked for news; each
payload is framed once and sent to all. "Its time has come" means that the stream's update speed has passed
since its last frame, in market time or in wall time: an accelerated market sends at most one round of frames
an instant, and a change in a market that holds is told nevertheless.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from aiohttp import web

from bot.exchange import wire_events
from bot.exchange.desk import wall_ms
from bot.exchange.events import OrderEvent
from bot.exchange.streams.commands import Command, CommandError, read_command, too_many
from bot.exchange.streams.connection import Connection, SocketRules, text_frame
from bot.exchange.streams.sources import Sources
from bot.exchange.streams.topics import Kind, Route, Topic, topic_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bot.exchange.book_versions import BookVersions
    from bot.exchange.events import Event
    from bot.exchange.listen_keys import ListenKeys
    from bot.exchange.market import Market
    from bot.exchange.streams.address import Address
    from bot.exchange.streams.feeds import Feed

TICK_S = 0.1
_log = logging.getLogger(__name__)


def _stay() -> None:
    """Leave the market where it is."""


class Heed(Protocol):
    """Takes note of whether anybody listens to anything."""

    def __call__(self, *, is_listening: bool) -> None:
        """Take note."""


def _ignore(*, is_listening: bool) -> None:
    """Tell everything in any case."""


class Listener:
    """A connection with its subscriptions."""

    def __init__(self, connection: Connection, address: Address) -> None:
        self.connection = connection
        self.route = address.route
        self.combined = address.combined
        self.names: dict[str, None] = {}


class Tamper(Protocol):
    """Decides what becomes of a frame on its way to one connection (`bot.exchange.faults`)."""

    def pass_on(
        self, socket: Connection, stream: str, account: str, payload: bytes, text: bytes
    ) -> list[bytes]:
        """Return the messages that take the place of `text`, the form in which `payload` is sent."""


class Broadcast:
    """One stream that somebody listens to. `feed` is None for the events of an account."""

    def __init__(
        self,
        name: str,
        topic: Topic | None,
        feed: Feed | None,
        account: str = "",
        tamper: Tamper | None = None,
    ) -> None:
        self.name = name
        self._account = account
        self._tamper = tamper
        self.topic = topic
        self.feed = feed
        self.listeners: dict[Listener, None] = {}
        self._last_ms = 0
        self._last_s = 0.0

    @property
    def is_immediate(self) -> bool:
        """Whether it is told as it happens."""
        topic = self.topic
        return topic is not None and topic.every_ms == 0 and topic.kind is not Kind.MARK

    def is_due(self, now_ms: int, wall_s: float) -> bool:
        """Whether the update speed allows another frame."""
        every_ms = self.topic.every_ms if self.topic else 0
        return now_ms - self._last_ms >= every_ms or (wall_s - self._last_s) * 1_000 >= every_ms

    def put(self, payloads: Iterable[bytes], touched: dict[Connection, None]) -> None:
        """Hand payloads to all listeners; each is framed once."""
        if self._tamper is not None:
            self._put_tampered(self._tamper, payloads, touched)
            return
        for payload in payloads:
            plain = wrapped = b""
            for listener in self.listeners:
                if listener.combined:
                    wrapped = wrapped or text_frame(wrap(self.name, payload))
                else:
                    plain = plain or text_frame(payload)
                listener.connection.put(wrapped if listener.combined else plain)
                touched[listener.connection] = None

    def _put_tampered(
        self, tamper: Tamper, payloads: Iterable[bytes], touched: dict[Connection, None]
    ) -> None:
        for payload in payloads:
            for listener in list(self.listeners):
                connection = listener.connection
                text = wrap(self.name, payload) if listener.combined else payload
                for message in tamper.pass_on(connection, self.name, self._account, payload, text):
                    connection.put(text_frame(message))
                touched[connection] = None

    def mark_sent(self, now_ms: int, wall_s: float) -> None:
        """Note when the last frame was."""
        self._last_ms, self._last_s = now_ms, wall_s


def wrap(name: str, payload: bytes) -> bytes:
    """Return a payload as a combined stream carries it."""
    return b'{"stream":%s,"data":%s}' % (orjson.dumps(name), payload)


class Streams:
    """All stream connections, and what is sent to them."""

    def __init__(self, market: Market, keys: ListenKeys, versions: BookVersions, rules: SocketRules) -> None:
        self.rules = rules
        self._market = market
        self._keys = keys
        self.sources = Sources(market, versions)
        self.bring_up_to_date: Callable[[], None] = _stay
        self.note_listening: Heed = _ignore
        self._listeners: dict[Listener, None] = {}
        self._broadcasts: dict[str, Broadcast] = {}
        self._ticker: asyncio.Task[None] | None = None
        self.tamper: Tamper | None = None

    # --- what is sent ---------------------------------------------------------------------------------

    async def send_marks(self) -> None:
        """Send what the market has to tell at this instant; marks are told whether they changed or not."""
        self._send_news(self._broadcasts.values())

    def send_user_events(self, events: Sequence[Event]) -> None:
        """Send events to the user data streams of their accounts."""
        if not self._broadcasts:
            for event in events:
                if isinstance(event, OrderEvent) and event.trade:
                    self.sources.liquidations.note(event.order)
            return
        touched: dict[Connection, None] = {}
        now = self._market.now
        heard = {account for account in {event.account for event in events} if self._is_heard(account)}
        for event in events:
            if isinstance(event, OrderEvent) and event.trade:  # told first: the fastest news of a fill
                self.sources.liquidations.note(event.order)
                if event.account in heard:
                    body = wire_events.trade_lite(event.order, event.trade, now)
                    self._put_user(event.account, body, touched)
        for event in events:
            if event.account in heard:
                self._put_user(event.account, wire_events.user_event(event, now), touched)
        _flush(touched)
        if self._broadcasts and any(isinstance(event, OrderEvent) for event in events):
            self._send_news([item for item in self._broadcasts.values() if item.is_immediate])

    async def send_key_expired(self, key: str) -> None:
        """Tell the streams of a listen key that it has run out; they stay open, and silent from then on."""
        touched: dict[Connection, None] = {}
        body = {"e": "listenKeyExpired", "E": self._market.now, "listenKey": key}
        self._put_event(key, body, touched)
        _flush(touched)

    def _is_heard(self, account: str) -> bool:
        """Whether anybody listens to the events of an account."""
        key = self._keys.key_of(account, wall_ms())
        return key is not None and any(name.startswith(key) for name in self._broadcasts)

    def _put_user(self, account: str, body: dict[str, Any], touched: dict[Connection, None]) -> None:
        key = self._keys.key_of(account, wall_ms())
        if key:
            self._put_event(key, body, touched)

    def _put_event(self, key: str, body: dict[str, Any], touched: dict[Connection, None]) -> None:
        for name in (key, f"{key}@{body['e']}"):
            broadcast = self._broadcasts.get(name)
            if broadcast is not None:
                broadcast.put((orjson.dumps(body),), touched)

    def _send_news(self, broadcasts: Iterable[Broadcast]) -> None:
        now_ms, wall_s = self._market.now, time.monotonic()
        touched: dict[Connection, None] = {}
        for broadcast in broadcasts:
            if broadcast.feed is None or not broadcast.is_due(now_ms, wall_s):
                continue
            payloads = broadcast.feed.news()
            if payloads:
                broadcast.mark_sent(now_ms, wall_s)
                broadcast.put(payloads, touched)
        _flush(touched)

    async def _tick(self) -> None:
        """Tell changes that orders make in a market that holds, and what happens between two instants."""
        while True:
            await asyncio.sleep(TICK_S)
            if not any(item.feed for item in self._broadcasts.values()):
                continue
            self.bring_up_to_date()
            self._send_news(
                [
                    item
                    for item in self._broadcasts.values()
                    if item.topic and item.topic.kind is not Kind.MARK
                ]
            )

    # --- who listens to what --------------------------------------------------------------------------

    async def serve(self, request: web.BaseRequest, address: Address) -> web.StreamResponse:
        """Serve one socket until it closes, subscribed to what its address names."""
        connection = await Connection.accept(request, self.rules)
        if connection is None:
            return web.Response()
        if self._ticker is None:
            self._ticker = asyncio.create_task(self._tick())
            self._ticker.add_done_callback(self._report)
        listener = Listener(connection, address)
        self._listeners[listener] = None
        try:
            async with connection:
                self._subscribe(listener, address.names[: self.rules.max_streams])
                async for text in connection.messages():
                    self._answer(listener, text)
        finally:
            del self._listeners[listener]
            self._unsubscribe(listener, list(listener.names))
        return connection.response

    def close(self) -> None:
        """Cut every connection, and tell nothing more."""
        if self._ticker is not None:
            self._ticker.cancel()
        self.cut()

    def cut(self) -> None:
        """Cut every connection."""
        for listener in self._listeners:
            listener.connection.cut()

    def _report(self, ticker: asyncio.Task[None]) -> None:
        if not ticker.cancelled() and ticker.exception() is not None:
            _log.critical("the paper exchange's streams have stopped", exc_info=ticker.exception())
            self.close()

    def _answer(self, listener: Listener, text: str | bytes) -> None:
        try:
            command = read_command(text)
            if command.method == "SUBSCRIBE":
                self._check_room(listener, command)
        except CommandError as error:
            listener.connection.send(error.frame)
            return
        result: Any = None
        if command.method == "LIST_SUBSCRIPTIONS":
            result = list(listener.names)
        elif command.method == "GET_PROPERTY":
            result = listener.combined
        elif command.method == "SET_PROPERTY":
            listener.combined = command.value
        listener.connection.send(orjson.dumps({"result": result, "id": command.id}))
        if command.method == "SUBSCRIBE":
            self._subscribe(listener, command.names)
        elif command.method == "UNSUBSCRIBE":
            self._unsubscribe(listener, command.names)

    def _check_room(self, listener: Listener, command: Command) -> None:
        if len(listener.names.keys() | set(command.names)) > self.rules.max_streams:
            raise too_many(command)

    def _subscribe(self, listener: Listener, names: Iterable[str]) -> None:
        """Note what a connection listens to; what its address does not serve is silent, as on the venue."""
        for name in names:
            listener.names[name] = None
            broadcast = self._broadcasts.get(name) or self._open(listener, name)
            if broadcast is None or not listener.route.serves(_route(broadcast)):
                continue
            if not self._broadcasts:
                self.note_listening(is_listening=True)
            self._broadcasts[name] = broadcast
            broadcast.listeners[listener] = None
            if broadcast.feed is not None:
                for payload in broadcast.feed.present():
                    text = wrap(name, payload) if listener.combined else payload
                    listener.connection.put(text_frame(text))
        listener.connection.flush()

    def _open(self, listener: Listener, name: str) -> Broadcast | None:
        if listener.route is Route.PRIVATE:
            known = self._keys.owner(name.partition("@")[0], wall_ms())
            return Broadcast(name, None, None, known, self.tamper) if known else None
        topic = topic_of(name)
        if topic is None:
            return None
        if not listener.route.serves(topic.route):
            _log.warning(
                "%s was subscribed at /%s: it is served at /%s only, and stays silent",
                name,
                listener.route,
                topic.route,
            )
            return None
        feed = self.sources.feed(topic)
        return None if feed is None else Broadcast(name, topic, feed, tamper=self.tamper)

    def _unsubscribe(self, listener: Listener, names: Iterable[str]) -> None:
        for name in names:
            listener.names.pop(name, None)
            broadcast = self._broadcasts.get(name)
            if broadcast is not None:
                broadcast.listeners.pop(listener, None)
                if not broadcast.listeners:
                    del self._broadcasts[name]
                    if not self._broadcasts:
                        self.note_listening(is_listening=False)


def _route(broadcast: Broadcast) -> Route:
    return broadcast.topic.route if broadcast.topic else Route.PRIVATE


def _flush(connections: Iterable[Connection]) -> None:
    for connection in connections:
        connection.flush()
