"""What a stream socket takes and refuses: commands, limits, malformed input, signs of life."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.exchange import RateLimits
from bot.exchange.streams import connection
from bot.exchange.streams.commands import CommandError, read_command
from bot.exchange.streams.connection import text_frame
from tests.exchange.builders import START_MS, Bench, Start, flat
from tests.support.examples import examples
from tests.support.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Sequence

MARK = "btcusdt@markPrice@1s"


async def said(socket: aiohttp.ClientWebSocketResponse, method: str, names: Any, request_id: Any = 1) -> Any:
    """Send a stream command and return its answer."""
    await socket.send_json({"method": method, "params": names, "id": request_id})
    return await socket.receive_json(timeout=PATIENCE_S)


@pytest.mark.parametrize("path", ["/market/ws", "/market/ws/0", "/market/stream"])
async def test_subscribe_list_unsubscribe(start: Start, path: str) -> None:
    """Every form of socket takes commands; a new subscriber gets the present mark at once."""
    async with start() as bench:
        socket = await bench.session.ws_connect(bench.ws_url + path)
        assert await said(socket, "SUBSCRIBE", [MARK]) == {"result": None, "id": 1}
        frame = await socket.receive_json(timeout=PATIENCE_S)
        assert (frame["data"] if path.endswith("stream") else frame)["E"] == START_MS
        assert await said(socket, "LIST_SUBSCRIPTIONS", [], "two") == {"result": [MARK], "id": "two"}
        assert await said(socket, "UNSUBSCRIBE", [MARK], 3) == {"result": None, "id": 3}
        assert (await said(socket, "LIST_SUBSCRIPTIONS", []))["result"] == []


async def test_the_combined_property_wraps_frames(start: Start) -> None:
    """SET_PROPERTY turns a plain socket into a combined one, and GET_PROPERTY tells."""
    async with start() as bench:
        socket = await bench.session.ws_connect(f"{bench.ws_url}/market/ws")
        assert await said(socket, "GET_PROPERTY", ["combined"], 2) == {"result": False, "id": 2}
        assert await said(socket, "SET_PROPERTY", ["combined", True], 5) == {"result": None, "id": 5}
        assert await said(socket, "GET_PROPERTY", ["combined"], 3) == {"result": True, "id": 3}
        await said(socket, "SUBSCRIBE", [MARK])
        assert (await socket.receive_json(timeout=PATIENCE_S))["stream"] == MARK


METHODS = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("{", 3, "Invalid JSON: "),
        ("", 3, "Invalid JSON: "),
        ("1e400", 3, "Invalid JSON: "),
        ('{"id":' + "[" * 100_000, 3, "Invalid JSON: "),
        ("[]", 2, "Invalid request: missing field `method` at line 1 column 2"),
        ("17", 2, "Invalid request: missing field `method`"),
        ('{"id":1}', 2, "Invalid request: missing field `method`"),
        (
            '{"method":"SHOUT","id":1}',
            2,
            f"Invalid request: unknown variant `SHOUT`, expected one of {METHODS} at line 1 column 17",
        ),
        ('{"method":["SUBSCRIBE"],"id":1}', 2, "Invalid request: unknown variant"),
        ('{"method":"SUBSCRIBE","params":"x","id":1}', 2, "Invalid request: params"),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2, "Invalid request: params"),
        ('{"method":"SUBSCRIBE","params":[],"id":{}}', 2, "Invalid request: request ID must be an unsigned"),
        ('{"method":"SUBSCRIBE","params":[],"id":-1}', 2, "Invalid request: request ID must be an unsigned"),
        ('{"method":"SUBSCRIBE","params":[],"id":1.5}', 2, "Invalid request: request ID must be an unsigned"),
        (
            '{"method":"SUBSCRIBE","params":[],"id":true}',
            2,
            "Invalid request: request ID must be an unsigned",
        ),
        ('{"method":"SET_PROPERTY","params":["other",true],"id":1}', 0, "Unknown property"),
        (
            '{"method":"SET_PROPERTY","params":["combined",1],"id":1}',
            1,
            "Invalid value type: expected Boolean",
        ),
        ('{"method":"SET_PROPERTY","params":["combined"],"id":1}', 1, "Invalid value type: expected Boolean"),
        (
            '{"method":"GET_PROPERTY","params":[1],"id":1}',
            2,
            "Invalid request: property name must be a string",
        ),
        ('{"method":"GET_PROPERTY","id":1}', 2, "Invalid request: property name must be a string"),
        (
            '{"method":"GET_PROPERTY","params":["combined",1],"id":1}',
            2,
            "Invalid request: too many parameters",
        ),
    ],
)
def test_a_bad_command_gets_the_venues_error(text: str, code: int, words: str) -> None:
    """Code and words are the venue's, and the id is repeated where there is one."""
    with pytest.raises(CommandError, match=r"^(?:Inv|Unk)") as refused:
        read_command(text)
    body = orjson.loads(refused.value.frame)
    assert body["error"]["code"] == code
    assert body["error"]["msg"].startswith(words)
    assert set(body) == {"error", "id"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["method", "params", "id", "x"]), inner),
    max_leaves=10,
)


@settings(
    max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(messages=st.lists(st.text() | st.binary() | JSON.map(json.dumps), min_size=1, max_size=5))
def test_nothing_said_on_a_socket_breaks_it(start: Start, messages: Sequence[str | bytes]) -> None:
    """Whatever is said, text or binary, each message has one answer, and the socket goes on."""

    async def talk() -> None:
        async with start() as bench:
            socket = await bench.session.ws_connect(f"{bench.ws_url}/market/ws")
            for message in messages:
                if isinstance(message, str):
                    await socket.send_str(message)
                else:
                    await socket.send_bytes(message)
            answers = [await socket.receive_json(timeout=PATIENCE_S) for _ in messages]
            assert all("error" in answer or "result" in answer for answer in answers)
            assert "result" in await said(socket, "LIST_SUBSCRIPTIONS", [])

    asyncio.run(talk())


async def test_ten_thousand_subscriptions_are_refused(start: Start) -> None:
    """A connection has 1,024 streams at most; what does not fit is refused as a whole."""
    async with start() as bench:
        socket = await bench.session.ws_connect(f"{bench.ws_url}/market/ws")
        names = [f"s{number}@markPrice" for number in range(10_000)]
        assert await said(socket, "SUBSCRIBE", names) == {
            "error": {"code": 4, "msg": "Too many subscriptions"},
            "id": 1,
        }
        assert (await said(socket, "SUBSCRIBE", names[:1_024]))["result"] is None
        assert (await said(socket, "SUBSCRIBE", names[:1_024]))["result"] is None
        assert (await said(socket, "SUBSCRIBE", [MARK]))["error"]["code"] == 4
        assert len((await said(socket, "LIST_SUBSCRIPTIONS", []))["result"]) == 1_024


async def test_an_oversized_frame_closes_its_socket_only(start: Start) -> None:
    """A frame of a megabyte ends that connection; the exchange lives on."""
    async with start() as bench:
        socket = await bench.session.ws_connect(f"{bench.ws_url}/market/ws")
        await socket.send_str("x" * 1_000_000)
        closing = await socket.receive(PATIENCE_S)
        assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.MESSAGE_TOO_BIG)
        assert (await bench.call("GET", "/fapi/v1/ping"))[0] == 200


class Clock:
    """The wall time by which connections live, in a test's hand. Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let connections live by a clock that stands still until a test moves it."""
    clock = Clock()
    monkeypatch.setattr(connection, "time", clock)
    return clock


async def test_who_talks_too_much_is_disconnected(start: Start, clock: Clock) -> None:
    """More than 10 messages within a second, pings included, end a connection with code 1008."""
    async with start(limits=RateLimits()) as bench:
        socket = await bench.session.ws_connect(f"{bench.ws_url}/market/ws")
        for _ in range(2):
            for _ in range(5):
                await socket.ping()
                assert (await said(socket, "LIST_SUBSCRIPTIONS", []))["result"] == []
            clock.now_s += 1.0
        for _ in range(11):
            await socket.ping()
        async with asyncio.timeout(PATIENCE_S):
            async for _ in socket:
                pass
        assert socket.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION


def rules(bench: Bench, **changes: Any) -> None:
    """Change what connections from now on live by."""
    streams = bench.exchange._desk.streams
    streams.rules = replace(streams.rules, **changes)


async def test_the_venue_pings_and_drops_who_does_not_answer(start: Start, clock: Clock) -> None:
    """A ping carries the time; without any sign of life the connection is cut."""
    async with start(paths={"BTCUSDT": flat()}) as bench:
        rules(bench, ping_every_s=0.05, pong_within_s=600.0)
        silent = await bench.session.ws_connect(f"{bench.ws_url}/market/ws", autoping=False)
        answering = await bench.session.ws_connect(f"{bench.ws_url}/market/ws")
        answer = asyncio.create_task(answering.receive_json())  # reading answers pings
        first = await silent.receive(PATIENCE_S)
        assert first.type is aiohttp.WSMsgType.PING
        assert int(first.data) > START_MS
        _, heard = (listener.connection for listener in bench.exchange._desk.streams._listeners)
        clock.now_s += 400.0
        async with asyncio.timeout(PATIENCE_S):
            while heard._heard_s < clock.now_s:  # noqa: ASYNC110 - nothing tells of a pong
                await asyncio.sleep(0.01)
        assert not silent.closed
        clock.now_s += 400.0
        async with asyncio.timeout(PATIENCE_S):
            while (message := await silent.receive()).type is aiohttp.WSMsgType.PING:
                pass
        assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSE}
        await answering.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
        assert await answer == {"result": [], "id": 1}


async def test_a_connection_ends_after_a_day(start: Start) -> None:
    """A connection is valid for 24 hours, and then closed."""
    async with start() as bench:
        rules(bench, valid_s=0.1)
        socket = await bench.session.ws_connect(f"{bench.ws_url}/market/ws")
        assert (await socket.receive(PATIENCE_S)).type is aiohttp.WSMsgType.CLOSE


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
async def test_frames_of_every_length_are_read(start: Start, size: int) -> None:
    """The frame header of each length class is understood by a client."""
    async with start() as bench:
        socket = await bench.session.ws_connect(f"{bench.ws_url}/market/ws")
        await said(socket, "LIST_SUBSCRIPTIONS", [])
        (listener,) = bench.exchange._desk.streams._listeners
        listener.connection.send(b"x" * size)
        assert await socket.receive_str(timeout=PATIENCE_S) == "x" * size
    assert len(text_frame(b"x" * size)) - size in {2, 4, 10}
