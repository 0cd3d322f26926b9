"""Market data streams: where they are served, what their frames hold, and how they fit together."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.exchange import pacing
from bot.exchange.book import Level
from bot.exchange.streams import Address, address_of, hub
from bot.exchange.streams.books import changes
from bot.exchange.streams.connection import MAX_BEHIND_BYTES
from bot.exchange.streams.topics import Kind, Route, Topic, topic_of
from tests.exchange.builders import DOWN, START_MS, UP, Bench, Start, StepPath, walk
from tests.support.patience import PATIENCE_S

if TYPE_CHECKING:
    import aiohttp


async def frames(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[Any]:
    """Return the next frames."""
    return [await socket.receive_json(timeout=PATIENCE_S) for _ in range(count)]


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


async def test_slow_marks_come_every_three_seconds(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """`@1s` comes at every instant, however close; without it 3 s of market time lie between two frames."""
    monkeypatch.setattr(hub, "time", SimpleNamespace(monotonic=lambda: 0.0))  # 3 s of wall time would do, too
    monkeypatch.setattr(pacing, "LIFE_SIGN_S", 3_600.0)  # nor is a mark repeated
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
    """The touch of a snapshot at first, then whatever an order changes, before the order is answered."""
    async with start() as bench:
        await bench.pacer()
        socket = await listen(bench, "/public/ws/btcusdt@bookTicker")
        (before,) = await frames(socket, 1)
        depth = (await bench.call("GET", "/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": 5}))[1]
        assert [before["b"], before["B"]] == depth["bids"][0]
        assert [before["a"], before["A"]] == depth["asks"][0]
        assert before["u"] < depth["lastUpdateId"]
        await bench.order(price=before["b"], quantity="0.5", timeInForce="GTC")
        (after,) = await frames(socket, 1)
    assert (after["b"], Decimal(after["B"])) == (before["b"], Decimal(before["B"]) + Decimal("0.5"))
    assert after["u"] > before["u"]
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


# --- trades, candles, statistics ----------------------------------------------------------------------


async def at_instants(bench: Bench, name: str, count: int, route: str = "market") -> list[Any]:
    """Return what a stream tells in the first `count` seconds of the market."""
    pacer, marks = await bench.pacer(), await bench.marks()
    socket = await listen(bench, f"/{route}/ws/{name}")
    await walk(pacer, marks, START_MS + 1_000 * count)
    await socket.send_json({"method": "GET_PROPERTY", "params": ["combined"], "id": 1})
    told = []
    while "result" not in (frame := await socket.receive_json(timeout=PATIENCE_S)):
        told.append(frame)
    return told


async def test_trades_are_those_of_the_tape(start: Start) -> None:
    """Each print is told once, in order, with the time at which it happened."""
    async with start() as bench:
        told = await at_instants(bench, "btcusdt@trade", 10, "public")
        tape = bench.exchange._desk.venue.market.prints("BTCUSDT", START_MS + 1, START_MS + 10_000)
    assert len(tape) > 10
    assert [(row["t"], row["T"], Decimal(row["p"]), Decimal(row["q"]), row["m"]) for row in told] == [
        row[:5] for row in tape
    ]


async def test_aggregate_trades_are_the_same_by_stream_and_by_rest(start: Start) -> None:
    """Also where an account's orders have moved the market since, and meet several others at one price."""
    async with start(accounts=(UP, replace(DOWN, balance=Decimal(10**8)))) as bench:
        pacer, marks = await bench.pacer(), await bench.marks()
        socket = await listen(bench, "/market/ws/btcusdt@aggTrade")
        for price in ("60010.0", "60020.0", "60020.0"):
            await bench.order(UP, side="SELL", price=price, quantity="0.5", timeInForce="GTC")
        for second in range(20):
            await marks.at(START_MS + 1_000 * second)
            side, price = ("SELL", "59000") if second % 3 == 2 else ("BUY", "61000")
            await bench.order(DOWN, side=side, price=price, quantity="60")
            await pacer.idle(START_MS + 1_000 * second)
        await marks.at(START_MS + 20_000)
        told: list[Any] = []
        _, rows = await bench.call("GET", "/fapi/v1/aggTrades", {"symbol": "BTCUSDT", "limit": 1000})
        while not told or told[-1]["a"] < rows[-1]["a"]:
            told += await frames(socket, 1)
        _, trades = await bench.call("GET", "/fapi/v1/trades", {"symbol": "BTCUSDT", "limit": 1000})
        _, last = await bench.call("GET", "/fapi/v1/aggTrades", {"symbol": "BTCUSDT", "limit": 7})
        since = {"symbol": "BTCUSDT", "fromId": rows[5]["a"], "limit": 9}
        _, some = await bench.call("GET", "/fapi/v1/aggTrades", since)
    assert [{name: row[name] for name in rows[0]} for row in told] == rows[-len(told) :]
    assert any(row["f"] < row["l"] for row in told)
    assert sum(Decimal(row["q"]) for row in rows) == sum(Decimal(row["qty"]) for row in trades)
    assert last == rows[-7:]
    assert some == rows[5:14]


async def test_an_accounts_own_trade_is_on_the_tape(start: Start) -> None:
    """A market order of an account is told to everybody, even while the market holds."""
    async with start() as bench:
        await bench.pacer()
        socket = await listen(bench, "/public/ws/btcusdt@trade")
        order = await bench.order(quantity="0.01")
        (trade,) = await frames(socket, 1)
    assert (trade["q"], trade["m"]) == ("0.010", False)
    assert Decimal(trade["p"]) == Decimal(order["avgPrice"])


async def test_candles_close_once_and_follow_each_other(start: Start) -> None:
    """A candle is told while it changes, as closed when the next begins, and in the numbers of REST."""
    path = StepPath([60_000 + n % 7 for n in range(200)])
    async with start(paths={"BTCUSDT": path}) as bench:
        told = await at_instants(bench, "btcusdt@kline_1m", 130)
        other = await listen(bench, "/market/ws/btcusdt_perpetual@continuousKline_1m")
        (continuous,) = await frames(other, 1)
    bars = [frame["k"] for frame in told]
    closed = [bar for bar in bars if bar["x"]]
    assert [bar["t"] - START_MS for bar in closed] == [0, 60_000]
    assert all(bar["T"] == bar["t"] + 59_999 for bar in bars)
    assert [bar["t"] for bar in bars] == sorted(bar["t"] for bar in bars)
    assert (closed[0]["o"], closed[0]["h"], closed[0]["l"]) == ("60000.00", "60006.00", "60000.00")
    assert continuous["k"] == {name: value for name, value in bars[-1].items() if name != "s"}
    assert (continuous["ps"], continuous["ct"]) == ("BTCUSDT", "PERPETUAL")


@pytest.mark.parametrize("name", ["btcusdt@ticker", "btcusdt@miniTicker", "!ticker@arr", "!miniTicker@arr"])
async def test_statistics_are_those_of_rest(start: Start, name: str) -> None:
    """A ticker tells what ticker/24hr answers, one symbol or all of them."""
    async with start() as bench:
        await bench.pacer()
        socket = await listen(bench, f"/market/ws/{name}")
        (told,) = await frames(socket, 1)
        row = (await bench.call("GET", "/fapi/v1/ticker/24hr", {"symbol": "BTCUSDT"}))[1]
    frame = told[0] if isinstance(told, list) else told
    assert isinstance(told, list) == name.startswith("!")
    assert [frame[short] for short in "cohlvq"] == [
        row[word] for word in ("lastPrice", "openPrice", "highPrice", "lowPrice", "volume", "quoteVolume")
    ]
    assert ("w" in frame) == ("iniTicker" not in name)


async def test_the_price_of_collateral_is_told(start: Start) -> None:
    """By itself, and as the only one of all assets."""
    async with start() as bench:
        socket = await listen(bench, "/market/ws/usdtusd@assetIndex/!assetIndex@arr")
        one, of_all = await frames(socket, 2)
    assert [one] == of_all
    assert (one["e"], one["s"], one["i"]) == ("assetIndexUpdate", "USDTUSD", "1.00000000")


async def test_a_liquidation_is_told(start: Start) -> None:
    """Both liquidation streams tell the order that closed an account's position."""
    path = StepPath([60_000, 60_000, 40_000, 40_000, 40_000])
    async with start(paths={"BTCUSDT": path}) as bench:
        pacer, marks = await bench.pacer(), await bench.marks()
        await bench.order(quantity="6")  # in the lowest bracket: closed by one order
        socket = await listen(bench, "/market/stream?streams=btcusdt@forceOrder/!forceOrder@arr")
        await walk(pacer, marks, START_MS + 3_000)
        one, of_all = await frames(socket, 2)
    assert one["data"]["o"] == of_all["data"]["o"]
    order = one["data"]["o"]
    assert (order["s"], order["S"], order["q"], order["o"], order["f"]) == (
        "BTCUSDT",
        "SELL",
        "6.000",
        "LIMIT",
        "IOC",
    )
    assert (of_all["data"]["ps"], of_all["data"]["st"]) == ("BTCUSDT", 1)


async def test_a_free_market_is_told_between_its_knots(start: Start) -> None:
    """In real time a book stream follows a price that moves within a second."""
    path = StepPath([60_000, 96_000, 60_000], step_ms=60_000)
    async with start(paths={"BTCUSDT": path}, speed=1.0) as bench:
        socket = await listen(bench, "/public/ws/btcusdt@depth5@100ms")
        told = await frames(socket, 4)
    times = [frame["E"] - START_MS for frame in told]
    assert times == sorted(set(times))
    assert 0 < times[-1] < 60_000  # before the path's next knot


# --- delivery -----------------------------------------------------------------------------------------


async def test_a_slow_reader_is_dropped_and_others_are_not(start: Start) -> None:
    """Somebody who does not read is cut off while others get every frame."""
    async with start() as bench:
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.exchange.port, limit=1024)
        writer.write(
            b"GET /market/ws/btcusdt@markPrice@1s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        good = await listen(bench, "/market/ws/btcusdt@markPrice@1s")
        streams, sent = bench.exchange._desk.streams, 1
        async with asyncio.timeout(PATIENCE_S):
            while len(streams._listeners) == 2:
                for _ in range(1_000):
                    await streams.send_marks()
                await frames(good, 1_000)
                sent += 1_000
        assert sent * 200 > MAX_BEHIND_BYTES
        await frames(good, 1)
        writer.close()
