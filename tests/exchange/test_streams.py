"""Market data streams: where they are served, what their frames hold, and how they fit together."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.exchange.book import Level
from bot.exchange.streams import Address, address_of
from bot.exchange.streams.books import changes
from bot.exchange.streams.topics import Kind, Route, Topic, topic_of
from tests.exchange.builders import DOWN, START_MS, UP, Bench, Start, StepPath

if TYPE_CHECKING:
    import aiohttp


async def frames(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[Any]:
    """Return the next frames."""
    return [await socket.receive_json(timeout=5) for _ in range(count)]


async def listen(bench: Bench, path: str) -> aiohttp.ClientWebSocketResponse:
    """Open a socket."""
    return await bench.session.ws_connect(bench.ws_url + path)


# --- addresses and names ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query", "address"),
    [
        ("/ws", "", Address(Route.LEGACY, combined=False, names=[])),
        ("/market/ws/0", "", Address(Route.MARKET, combined=False, names=[])),
        (
            "/public/ws/a@depth/b@depth",
            "",
            Address(Route.PUBLIC, combined=False, names=["a@depth", "b@depth"]),
        ),
        (
            "/market/stream",
            "streams=a@aggTrade/b@ticker",
            Address(Route.MARKET, combined=True, names=["a@aggTrade", "b@ticker"]),
        ),
        ("/private/ws/key", "", Address(Route.PRIVATE, combined=False, names=["key"])),
        ("/private/ws", "listenKey=key", Address(Route.PRIVATE, combined=False, names=["key"])),
        (
            "/private/ws",
            "listenKey=key&events=A/B",
            Address(Route.PRIVATE, combined=False, names=["key@A", "key@B"]),
        ),
        (
            "/private/stream",
            "listenKey=one&events=A&listenKey=two&listenKey=three&events=B/C",
            Address(Route.PRIVATE, combined=True, names=["one@A", "two", "three@B", "three@C"]),
        ),
        ("/market/other", "", None),
        ("/", "", None),
    ],
)
def test_an_address_says_route_form_and_streams(path: str, query: str, address: Address | None) -> None:
    """All forms of address that the venue documents."""
    assert address_of(path, query) == address


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("btcusdt@markPrice", Topic(Kind.MARK, "BTCUSDT", 3_000)),
        ("btcusdt@markPrice@1s", Topic(Kind.MARK, "BTCUSDT", 0)),
        ("!markPrice@arr@1s", Topic(Kind.MARK, "", 0)),
        ("btcusdt@bookTicker", Topic(Kind.BOOK_TICKER, "BTCUSDT", 0)),
        ("!bookTicker", Topic(Kind.BOOK_TICKER, "", 5_000)),
        ("btcusdt@depth", Topic(Kind.DEPTH, "BTCUSDT", 250)),
        ("btcusdt@depth@100ms", Topic(Kind.DEPTH, "BTCUSDT", 100)),
        ("btcusdt@rpiDepth@500ms", Topic(Kind.DEPTH, "BTCUSDT", 500)),
        ("btcusdt@depth20@500ms", Topic(Kind.PARTIAL_DEPTH, "BTCUSDT", 500, "20")),
        ("btcusdt@kline_1M", Topic(Kind.KLINE, "BTCUSDT", 250, "1M")),
        ("btcusdt_perpetual@continuousKline_1h", Topic(Kind.CONTINUOUS_KLINE, "BTCUSDT", 250, "1h")),
        ("!ticker@arr", Topic(Kind.TICKER, "", 1_000)),
        ("btcusdt@forceOrder", Topic(Kind.LIQUIDATION, "BTCUSDT", 1_000)),
        ("BTCUSDT@markPrice", None),
        ("btcusdt@depth7", None),
        ("btcusdt@depth5@7ms", None),
        ("btcusdt@kline_7m", None),
        ("btcusdt_current_quarter@continuousKline_1m", None),
        ("@markPrice", None),
        ("btcusdt", None),
        ("", None),
    ],
)
def test_a_name_says_what_is_told_how_often(name: str, topic: Topic | None) -> None:
    """Names are the venue's, in its own case; others are no streams."""
    assert topic_of(name) == topic


@pytest.mark.parametrize(
    ("route", "served"),
    [
        ("/public", {"btcusdt@bookTicker", "btcusdt@depth5"}),
        ("/market", {"btcusdt@markPrice"}),
        ("/private", set()),
        ("", {"btcusdt@bookTicker", "btcusdt@depth5"}),
    ],
)
async def test_a_stream_is_served_under_one_address(start: Start, route: str, served: set[str]) -> None:
    """Elsewhere it is acknowledged, listed and silent; old addresses carry what /public does."""
    names = ["btcusdt@markPrice", "btcusdt@bookTicker", "btcusdt@depth5", "nothing@markPrice"]
    async with start() as bench:
        socket = await listen(bench, f"{route}/stream")
        await socket.send_json({"method": "SUBSCRIBE", "params": names, "id": 1})
        await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 2})
        answers = await frames(socket, len(served) + 2)
    assert answers[0] == {"result": None, "id": 1}
    assert {frame["stream"] for frame in answers[1:-1]} == served
    assert answers[-1] == {"result": names, "id": 2}


async def test_combined_streams_by_address(start: Start) -> None:
    """`?streams=` subscribes at once, and each frame names its stream."""
    names = ["btcusdt@markPrice", "btcusdt@markPrice@1s"]
    async with start() as bench:
        socket = await listen(bench, f"/market/stream?streams={'/'.join(names)}")
        told = await frames(socket, 2)
    assert [frame["stream"] for frame in told] == names
    assert [frame["data"]["e"] for frame in told] == ["markPriceUpdate"] * 2


# --- marks --------------------------------------------------------------------------------------------


async def test_a_mark_frame_has_the_venues_fields(start: Start) -> None:
    """Event time is market time; T is when funding is due next."""
    async with start(basis_bps=-1.0, basis_swing_bps=0.0) as bench:
        socket = await listen(bench, "/market/ws/btcusdt@markPrice/!markPrice@arr")
        one, (of_all,) = await frames(socket, 2)
    assert one == of_all
    mark = "60000.00000000"
    assert one == {
        "e": "markPriceUpdate",
        "E": START_MS,
        "s": "BTCUSDT",
        "p": mark,
        "ap": mark,
        "P": mark,
        "i": "60006.00060006",
        "r": "0.00010000",
        "T": START_MS + 28_800_000,
        "st": 1,
    }


async def test_slow_marks_come_every_three_seconds(start: Start) -> None:
    """`@1s` comes at every instant, however close; without it 3 s of market time lie between two frames."""
    async with start() as bench:
        pacer = await bench.pacer()
        fast = await listen(bench, "/market/ws/btcusdt@markPrice@1s")
        slow = await listen(bench, "/market/ws/btcusdt@markPrice")
        await frames(slow, 1)
        for _ in range(8):
            await pacer.idle((await frames(fast, 1))[0]["E"])
        told = [frame["E"] - START_MS for frame in await frames(slow, 2)]
    assert told == [1_000, 4_000]


# --- books --------------------------------------------------------------------------------------------


async def test_best_bid_and_ask_are_told_when_they_change(start: Start) -> None:
    """A market order that eats the touch is told at once, with an update id that rises."""
    async with start() as bench:
        socket = await listen(bench, "/public/ws/btcusdt@bookTicker")
        (before,) = await frames(socket, 1)
        depth = (await bench.call("GET", "/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": 5}))[1]
        assert [before["b"], before["B"]] == depth["bids"][0]
        assert [before["a"], before["A"]] == depth["asks"][0]
        pacer = await bench.pacer()
        await pacer.idle(START_MS, START_MS + 1_000)
        assert before["u"] < depth["lastUpdateId"]
    assert {"e", "u", "s", "ps", "b", "B", "a", "A", "T", "E", "st"} == set(before)


async def test_partial_depth_tells_the_first_levels(start: Start) -> None:
    """The levels are those of a REST snapshot."""
    async with start() as bench:
        socket = await listen(bench, "/public/ws/btcusdt@depth10@100ms")
        (frame,) = await frames(socket, 1)
        depth = (await bench.call("GET", "/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": 10}))[1]
    assert (frame["b"], frame["a"]) == (depth["bids"], depth["asks"])
    assert (len(frame["b"]), frame["e"], frame["ps"]) == (10, "depthUpdate", "BTCUSDT")


class LocalBook:
    """A copy of a book, kept as the venue tells clients to: snapshot, then diffs in an unbroken chain."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.id = snapshot["lastUpdateId"]
        self.sides = {name: dict(snapshot[word]) for name, word in (("b", "bids"), ("a", "asks"))}
        self.previous: int | None = None

    def apply(self, event: dict[str, Any]) -> None:
        """Apply one diff event, or drop it if the snapshot is newer."""
        if event["u"] < self.id:
            return
        if self.previous is None:
            assert event["U"] <= self.id <= event["u"], "the first event must contain the snapshot's id"
        else:
            assert event["pu"] == self.previous, "an event is missing"
        self.previous = event["u"]
        for name, side in self.sides.items():
            for price, quantity in event[name]:
                side.pop(price, None)
                if Decimal(quantity):
                    side[price] = quantity


@pytest.mark.parametrize("moment", [0, 1, 5])
async def test_a_local_book_kept_from_diffs_equals_the_venues(start: Start, moment: int) -> None:
    """Snapshot at any moment plus the diffs of all instants is the book that REST then shows."""
    path = StepPath([60_000 + 7 * (n % 5) for n in range(40)])
    async with start(paths={"BTCUSDT": path}) as bench:
        socket = await listen(bench, "/public/ws/btcusdt@depth@100ms")
        marks, pacer = await bench.marks(), await bench.pacer()
        book: LocalBook | None = None
        for n in range(10):
            seen, _ = await marks.next()
            if n == moment:
                book = LocalBook((await bench.call("GET", "/fapi/v1/depth", {"symbol": "BTCUSDT"}))[1])
            if n < 9:
                await pacer.idle(seen)
        assert book is not None
        last = (await bench.call("GET", "/fapi/v1/depth", {"symbol": "BTCUSDT"}))[1]
        while book.previous is None or book.previous + 1 < last["lastUpdateId"]:
            book.apply((await frames(socket, 1))[0])
    assert book.sides == {"b": dict(last["bids"]), "a": dict(last["asks"])}


SIDE = st.dictionaries(st.integers(1, 9), st.integers(1, 5)).map(
    lambda side: [Level(Decimal(price), Decimal(quantity)) for price, quantity in side.items()]
)


@given(before=SIDE, after=SIDE)
def test_changes_lead_from_one_side_to_the_next(before: list[Level], after: list[Level]) -> None:
    """Applied to what was, the changes give what is, and nothing is told that has not changed."""
    book = dict(before)
    for price, quantity in changes(before, after):
        assert book.get(price, 0) != quantity
        if quantity:
            book[price] = quantity
        else:
            del book[price]
    assert book == dict(after)


# --- delivery -----------------------------------------------------------------------------------------


async def test_a_slow_reader_is_dropped(start: Start) -> None:
    """Somebody who does not read is cut off; those who do go on."""
    path = StepPath([60_000] * 100_000)
    async with start(paths={"BTCUSDT": path}, speed=1_000_000.0, accounts=(UP, DOWN)) as bench:
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.exchange.port, limit=1024)
        names = "btcusdt@markPrice@1s/!markPrice@arr@1s"
        writer.write(
            f"GET /market/ws/{names} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        streams = bench.exchange._desk.streams
        async with asyncio.timeout(30):
            while streams._listeners:  # noqa: ASYNC110 - there is no event for what a stranger sees
                await asyncio.sleep(0.05)
        writer.close()
        marks = await bench.marks()
        assert (await marks.next())[0] > START_MS
