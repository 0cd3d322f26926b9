"""What changed in public, once a second: the one source of every stream.

It compares what everybody may see now with what it told before. So neither what it says nor when depends on
anything that is hidden: a fund that trades in secret is told of at each new mark, as ever.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import orjson

from bot.core import public_view
from bot.core.texts import time_text
from bot.daemon.public import PublicSide

TELL_EVERY_S = 1.0
HEARTBEAT_EVERY_S = 15.0


class News(NamedTuple):
    """One event of the stream: its name, its fund (None: of all), and its body as JSON."""

    event: str
    fund: str | None
    body: bytes


Listener: TypeAlias = Callable[[Sequence[News]], None]


class PublicFeed:
    """Tells listeners what changed in public."""

    def __init__(self, side: PublicSide, wall_ms: Callable[[], int]) -> None:
        """Nobody listens yet."""
        self._side = side
        self._wall_ms = wall_ms
        self._listeners: list[Listener] = []
        self._told: dict[str, bytes] = {}
        self._revealed: dict[str, int] = {}
        self._incidents: dict[str, dict[str, bytes]] = {}

    def listen(self, listener: Listener) -> None:
        """Have `listener` called with all that is new, as often as there is any."""
        self._listeners.append(listener)

    async def run(self) -> None:
        """Tell what is new every second, and that we live every fifteen; until cancelled."""
        loop = asyncio.get_running_loop()
        beat_s = loop.time()
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            if loop.time() - beat_s >= HEARTBEAT_EVERY_S:
                beat_s = loop.time()
                self.beat()
            await self.look()

    def beat(self) -> None:
        """Tell that we live, and which funds run here."""
        self._tell([self._heartbeat()])

    async def look(self) -> None:
        """Tell what is new now; one fund after another, so that no decision waits for all of them."""
        for name in self._side.names():
            news = self._news(name)
            if news:
                self._tell(news)
            await asyncio.sleep(0)

    def present(self, fund: str | None) -> list[News]:
        """What a newcomer needs to know: every fund (or one) as it was told last."""
        wanted = [name for name in self._side.names() if fund in (None, name)]
        return [News("fund", name, self._told.get(name) or self._body(name)) for name in wanted]

    def _tell(self, news: list[News]) -> None:
        for listener in self._listeners:
            listener(news)

    def _news(self, name: str) -> list[News]:
        known = self._revealed.get(name)
        if known is None:  # what was public when we began is no news, however much it is
            known = self._side.revealed(name)
        records = self._side.rebalances(name, known, 1_000) or []
        self._revealed[name] = known + len(records)
        news = [News("rebalance", name, record) for record in records]
        news += self._incident_news(name)
        body = self._body(name)
        if body != self._told.get(name):
            self._told[name] = body
            news.append(News("fund", name, body))
        return news

    def _incident_news(self, name: str) -> list[News]:
        before, now = self._incidents.get(name), self._open_incidents(name)
        self._incidents[name] = now
        if before is None:
            return []
        news = [News("incident", name, body) for code, body in now.items() if before.get(code) != body]
        closed = [orjson.loads(body) for code, body in before.items() if code not in now]
        return news + [News("incident", name, orjson.dumps({**body, "open": False})) for body in closed]

    def _open_incidents(self, name: str) -> dict[str, bytes]:
        return {
            incident.code: orjson.dumps(
                {
                    "fund": name,
                    "code": incident.code,
                    "since": time_text(incident.time_ms),
                    "stops_increases": incident.stops_increases,
                    "open": True,
                }
            )
            for incident in public_view.incidents(self._side.book(name))
        }

    def _body(self, name: str) -> bytes:
        return orjson.dumps(self._side.fund(name))

    def _heartbeat(self) -> News:
        heads = {name: self._side.book(name).public.head or None for name in self._side.names()}
        body = {"time": time_text(self._wall_ms()), "chain_heads": heads}
        return News("heartbeat", None, orjson.dumps(body))
