"""The short way for plain requests answers as the general way does, and gives way to it."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.exchange import http_protocol
from bot.exchange.quick_http import read_quickly
from tests.exchange.builders import LONG_WINDOW, ORDER, UP, Start, signed
from tests.support.patience import PATIENCE_S

if TYPE_CHECKING:
    from tests.exchange.builders import Bench

HEAD = b"POST /fapi/v1/order HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: up-key\r\n"


def order(**changes: str) -> bytes:
    """Return a signed order as it goes over the wire."""
    body = signed(urlencode(ORDER | LONG_WINDOW | {"quantity": "0.01"} | changes), UP.secret).encode()
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


class Wire:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    @classmethod
    async def to(cls, bench: Bench) -> Wire:
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", bench.exchange.port))

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and JSON of the next answer."""
        async with asyncio.timeout(PATIENCE_S):
            lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines[1:-2])
            body = await self._reader.readexactly(int(headers["Content-Length"]))
        return int(lines[0].split()[1]), headers, json.loads(body)


async def test_plain_and_general_requests_are_answered_alike(start: Start) -> None:
    """The same request in one piece and in two has the same answer, but for times and ids."""
    async with start() as bench:
        seen = []
        for pieces in (1, 2):
            wire = await Wire.to(bench)
            data = order(newClientOrderId=f"n{pieces}")
            for piece in [data] if pieces == 1 else [data[:40], data[40:]]:
                wire.writer.write(piece)
                await asyncio.sleep(0.05)
            status, headers, body = await wire.answer()
            told = {name for name in headers if name.startswith("X-MBX")}
            seen.append((status, told, headers["Content-Type"].split(";")[0], set(body), body["status"]))
            assert headers["Date"].endswith(" GMT")
            wire.writer.close()
        assert seen[0] == seen[1]


async def test_requests_sent_at_once_are_answered_in_order(start: Start) -> None:
    """Pipelined orders, in one write and in several, on one connection."""
    async with start() as bench:
        wire = await Wire.to(bench)
        for names in (["a"], ["b", "c"], ["d"]):
            wire.writer.write(b"".join(order(newClientOrderId=name) for name in names))
        seen = [(await wire.answer())[2]["clientOrderId"] for _ in range(4)]
        wire.writer.close()
    assert seen == ["a", "b", "c", "d"]


async def test_a_request_that_comes_while_another_is_answered_waits(start: Start) -> None:
    """Each write on its own, without waiting for the answers."""
    async with start() as bench:
        wire = await Wire.to(bench)
        for number in range(30):
            wire.writer.write(order(newClientOrderId=f"n{number}"))
            await asyncio.sleep(0)
        seen = [(await wire.answer())[2]["clientOrderId"] for _ in range(30)]
        wire.writer.close()
    assert seen == [f"n{number}" for number in range(30)]


async def test_whoever_asks_and_does_not_read_is_refused(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange cuts it off, or reads no more of it; it does not keep 5,000 answers."""
    monkeypatch.setattr(http_protocol, "MAX_BEHIND_BYTES", 50_000)
    loop = asyncio.get_running_loop()
    async with start() as bench:
        with socket.socket() as asking:
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            asking.setblocking(False)  # noqa: FBT003 - the name says it
            await loop.sock_connect(asking, ("127.0.0.1", bench.exchange.port))
            with pytest.raises((ConnectionError, TimeoutError)):  # noqa: PT012 - any of them may raise
                for _ in range(5_000):
                    request = b"GET /fapi/v1/exchangeInfo HTTP/1.1\r\nX: %s\r\n\r\n" % (b"x" * 4_000)
                    await asyncio.wait_for(loop.sock_sendall(asking, request), 2)
                    await asyncio.sleep(0)


def chunked(data: bytes) -> bytes:
    """Return an order whose body comes in two chunks of unknown total length."""
    head, _, body = data.partition(b"\r\n\r\n")
    head = head.replace(b"Content-Length", b"X-Length") + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    parts = body[:50], body[50:], b""
    return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


async def test_what_is_general_is_answered_between_what_is_plain(start: Start) -> None:
    """Chunked bodies, bytes one by one, and then plain orders again, all on one kept connection."""
    async with start() as bench:
        wire = await Wire.to(bench)
        wire.writer.write(order(newClientOrderId="plain"))
        wire.writer.write(chunked(order(newClientOrderId="chunked")))
        for byte in order(newClientOrderId="slow"):
            wire.writer.write(bytes((byte,)))
            await wire.writer.drain()
        wire.writer.write(order(newClientOrderId="again"))
        seen = [(await wire.answer())[2]["clientOrderId"] for _ in range(4)]
        wire.writer.close()
    assert seen == ["plain", "chunked", "slow", "again"]


@pytest.mark.parametrize(
    ("request_line", "headers", "body"),
    [
        (b"HEAD /fapi/v1/ping HTTP/1.1", b"Connection: close\r\n", b""),
        (b"GET /fapi/v1/ping HTTP/1.0", b"", b"{}"),
        (b"GET /fapi/v1/ping HTTP/1.1", b"Connection: close\r\n", b"{}"),
    ],
)
async def test_whoever_wants_no_more_is_answered_and_let_go(
    start: Start, request_line: bytes, headers: bytes, body: bytes
) -> None:
    """HEAD is answered without a body; HTTP/1.0 and close end the connection."""
    async with start() as bench:
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.exchange.port)
        writer.write(request_line + b"\r\nHost: x\r\n" + headers + b"\r\n")
        answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
        writer.close()
    head, _, content = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.")
    assert content == body


async def test_whoever_leaves_before_the_answer_has_traded(start: Start) -> None:
    """The connection is gone, the order is there."""
    async with start() as bench:
        wire = await Wire.to(bench)
        wire.writer.write(order(newClientOrderId="gone"))
        await wire.writer.drain()
        wire.writer.close()
        query = {"symbol": "BTCUSDT", "origClientOrderId": "gone"}
        async with asyncio.timeout(PATIENCE_S):
            while (await bench.call("GET", "/fapi/v1/order", query, UP))[0] != 200:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "data",
    [
        order()[:-1],
        order() + b"x",
        order() + order(),
        b"GET /fapi/v1/ping HTTP/1.0\r\n\r\n",
        b"HEAD /fapi/v1/ping HTTP/1.1\r\n\r\n",
        b"GET /ws HTTP/1.1\r\n\r\n",
        b"GET /fapi/v1/../ping HTTP/1.1\r\n\r\n",
        b"GET /fapi/v1/ping?a=\xff HTTP/1.1\r\n\r\n",
        b"GET /fapi/v1/ping?a#b HTTP/1.1\r\n\r\n",
        b"GET /fapi/v1/ping HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
        b"GET /fapi/v1/ping HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"POST /fapi/v1/order HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /fapi/v1/order HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        b"POST /fapi/v1/order HTTP/1.1\r\nContent-Length: +1\r\n\r\nx",
        b"POST /fapi/v1/order HTTP/1.1\r\nContent-Length: 1\r\n folded: x\r\n\r\nx",
        b"POST /fapi/v1/order HTTP/1.1\r\nContent-Length : 1\r\n\r\nx",
        b"POST /fapi/v1/order HTTP/1.1\r\nContent-Length: 2\r\n\r\n\xc3\xa4",
        b"POST /fapi/v1/order HTTP/1.1\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000,
        b"GET /fapi/v1/ping HTTP/1.1\nHost: x\n\n",
    ],
)
def test_what_is_not_plain_goes_the_general_way(data: bytes) -> None:
    """The short way leaves it alone."""
    assert read_quickly(data, "here") is None


@given(st.binary(max_size=200))
def test_no_bytes_break_the_short_way(noise: bytes) -> None:
    """Whatever comes, it reads a request or leaves it alone."""
    read_quickly(noise, "here")
    call = read_quickly(HEAD + b"Content-Length: %d\r\n\r\n" % len(noise) + noise, "here")
    assert call is None or call.body.encode() == noise
