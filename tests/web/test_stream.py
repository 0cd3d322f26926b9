import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from bot.core import records as rec
from bot.daemon.public_feed import News, PublicFeed
from bot.daemon.runner import Runner
from bot.web import stream
from tests.support.desk import Desk
from tests.support.patience import PATIENCE_S
from tests.support.site import Figures, Site, a_site, at_work

STREAM = "/api/v1/stream"


@dataclass
class Reader:
    """One who reads the stream."""

    answer: aiohttp.ClientResponse

    async def next(self) -> tuple[str, Any]:
        """The next event: its name and its body."""
        async with asyncio.timeout(PATIENCE_S):
            frame = b""
            while not frame.startswith(b"event"):
                frame = await self.answer.content.readuntil(b"\n\n")
                assert frame, "the stream ended"
        event, _, data = frame.decode().strip().partition("\n")
        return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


@dataclass
class Shown:
    """A fund at work, its feed and its site."""

    desk: Desk
    runner: Runner
    site: Site

    @property
    def feed(self) -> PublicFeed:
        """What tells the stream."""
        return self.site.figures.feed

    async def mark(self, time_ms: int, price: str | None = None) -> None:
        """A mark comes, and the feed looks."""
        self.desk.mark(self.runner, time_ms, price)
        await self.runner.wait_quiet()
        await self.feed.look()

    @asynccontextmanager
    async def reading(self, query: str = "") -> AsyncIterator[Reader]:
        """Somebody reads."""
        async with self.site.session.get(self.site.url + STREAM + query) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            yield Reader(answer)


@pytest.fixture
async def shown() -> AsyncIterator[Shown]:
    """BTCUP, which is secretly opening."""
    desk, runner, side = await at_work()
    figures = Figures(public=side)
    async with a_site(figures) as site:
        await figures.feed.look()
        yield Shown(desk, runner, site)
    runner.cancel()


async def test_a_newcomer_is_told_how_things_stand_and_then_what_changes(shown: Shown) -> None:
    """The fund at once, and again at a new mark."""
    async with shown.reading() as reader:
        event, fund = await reader.next()
        assert (event, fund["fund"], fund["mark"]) == ("fund", "BTCUP", "60000")
        await shown.mark(2_000, "60010")
        event, fund = await reader.next()
        assert (event, fund["mark"], fund["position"]) == ("fund", "60010", "0")


async def test_what_happens_in_secret_is_no_news(shown: Shown) -> None:
    """Orders, fills and the end of a rebalance: with the mark unchanged the feed says nothing at all."""
    told: list[Any] = []
    shown.feed.listen(told.extend)
    await shown.mark(2_000, "60000")
    told.clear()
    filled = len([r for r in shown.desk.records if isinstance(r, rec.Filled)])
    for _ in range(40):
        wake_ms = shown.runner.state.wake_ms
        if shown.runner.state.book.opened:
            break
        await shown.mark(wake_ms or shown.desk.clock.market_ms() + 1_000)
    assert len([r for r in shown.desk.records if isinstance(r, rec.Filled)]) > filled + 3
    times = [json.loads(news.body)["updated_at"] for news in told]
    assert {news.event for news in told} == {"fund"}
    stripped = {news.body.replace(time.encode(), b"") for news, time in zip(told, times, strict=True)}
    assert len(stripped) == 1


async def test_a_reveal_is_told_as_it_is_published(shown: Shown) -> None:
    """One `rebalance` event, with the very record, and the fund with its new head."""
    async with shown.reading() as reader:
        await reader.next()
        await shown.desk.until_flat_out(shown.runner)
        await shown.mark(shown.desk.clock.market_ms() + 3_600_000)
        event, record = await reader.next()
        assert event == "rebalance"
        _, fund = await reader.next()
        assert fund["chain_head"] == record["hash"]
        assert fund["position"] == record["position_after"] != "0"


async def test_what_was_public_before_is_no_news(shown: Shown) -> None:
    """A process begins with more public records than one look takes in: none of them is told as new."""
    await shown.desk.until_flat_out(shown.runner)
    await shown.mark(shown.desk.clock.market_ms() + 3_600_000)
    history = shown.site.figures.public._histories["BTCUP"]
    history._entries *= 2_500
    told: list[Any] = []
    feed = PublicFeed(shown.site.figures.public, lambda: 0)
    feed.listen(told.extend)
    for _ in range(4):
        await feed.look()
    assert {news.event for news in told} == {"fund"}
    history._entries += history._entries[:1]
    await feed.look()
    assert [news.event for news in told if news.event != "fund"] == ["rebalance"]


async def test_an_incident_is_told_when_it_opens_and_when_it_closes(shown: Shown) -> None:
    """Its code, never its detail."""
    await shown.desk.until_flat_out(shown.runner)
    await shown.mark(shown.desk.clock.market_ms() + 3_600_000)
    async with shown.reading() as reader:
        await reader.next()
        book = shown.runner.state.book
        book.incidents["late fill"] = rec.IncidentOpened(5, "late fill", "12 BTC", "x", stops_increases=True)
        await shown.feed.look()
        event, incident = await reader.next()
        assert (event, incident["code"], incident["open"]) == ("incident", "late fill", True)
        assert "12 BTC" not in json.dumps(incident)
        assert (await reader.next())[1]["state"] == "increases_stopped"
        del book.incidents["late fill"]
        await shown.feed.look()
        event, incident = await reader.next()
        assert (event, incident["open"]) == ("incident", False)


async def test_one_funds_stream_holds_that_fund_and_the_heartbeat(shown: Shown) -> None:
    """`?fund=` chooses; a fund that is not there is not found."""
    async with shown.reading("?fund=btcup") as reader:
        assert (await reader.next())[1]["fund"] == "BTCUP"
        shown.feed._tell([shown.feed._heartbeat()])
        event, beat = await reader.next()
        assert (event, set(beat["chain_heads"])) == ("heartbeat", {"BTCUP"})
    status, body, _ = await shown.site.ask(f"{STREAM}?fund=NONE")
    assert (status, body["error"]["code"]) == (404, "not_found")


async def test_who_does_not_read_is_dropped_and_the_others_read_on(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that stands still costs a bounded amount of memory, and nobody else anything."""
    monkeypatch.setattr(stream, "MOST_WAITING_BYTES", 500_000)
    lame = socket.create_connection(("127.0.0.1", int(shown.site.url.rsplit(":", 1)[1])))
    lame.sendall(f"GET {STREAM} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    big = News("heartbeat", None, b'"' + b"x" * 100_000 + b'"')
    async with shown.reading() as reader:
        await reader.next()
        for _ in range(200):
            shown.feed._tell([big])
            assert (await reader.next())[0] == "heartbeat"
    with lame:
        lame.settimeout(PATIENCE_S)
        assert read_all(lame) < 150 * len(big.body)


def read_all(reader: socket.socket) -> int:
    """Read until the end: how many bytes."""
    count = 0
    while data := reader.recv(1 << 20):
        count += len(data)
    return count


async def test_an_old_client_reads_without_chunks(shown: Shown) -> None:
    """HTTP/1.0 knows no chunks: the events follow one another until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(shown.site.url.rsplit(":", 1)[1]))
    writer.write(f"GET {STREAM} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    assert await reader.readuntil(b"\n\n") == b"retry: 2000\n\n"
    assert (await reader.readuntil(b"\n")) == b"event: fund\n"
    writer.close()


async def test_the_feed_lives(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself it looks every second, and gives a heartbeat."""
    monkeypatch.setattr("bot.daemon.public_feed.TELL_EVERY_S", 0.01)
    monkeypatch.setattr("bot.daemon.public_feed.HEARTBEAT_EVERY_S", 0.03)
    task = asyncio.create_task(shown.feed.run())
    async with shown.reading() as reader:
        await reader.next()
        assert (await reader.next())[0] == "heartbeat"
        shown.desk.mark(shown.runner, 3_000, "60100")
        async with asyncio.timeout(PATIENCE_S):
            while (told := await reader.next())[0] == "heartbeat":  # any number may be under way
                pass
        assert (told[0], told[1]["mark"]) == ("fund", "60100")
    task.cancel()


async def test_too_many_readers_are_told_so(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, and when to come back."""
    monkeypatch.setattr(stream, "MOST_READERS", 1)
    async with shown.reading() as reader:
        await reader.next()
        status, _, headers = await shown.site.ask(STREAM)
        assert (status, headers["Retry-After"]) == (503, "30")
