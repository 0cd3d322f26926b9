"""Bad input over HTTP: always the venue's own error code as JSON, and the server lives on.

Seeded: the same requests in each run. Whatever is sent, no answer is a 500 or says that it is our fault, and
nothing is logged as an error.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from bot.exchange import ExchangeConfig, start_exchange
from bot.exchange.endpoints import PRIVATE_ROUTES, PUBLIC_ROUTES
from tests.exchange.builders import DOWN, LONG_WINDOW, ORDER, UP, flat, signed
from tests.support.examples import examples
from tests.support.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from bot.exchange import Exchange

ABSURD = (
    *(
        "",
        " ",
        "0",
        "-1",
        "+1",
        "1e400",
        "-1e400",
        "1e-400",
        "NaN",
        "sNaN",
        "Infinity",
        "-inf",
        "0x10",
        "1_000",
    ),
    *("9" * 40, "0." + "0" * 40 + "1", "1." + "3" * 40, str(2**63), str(2**64), "-0", ".", "1.", ".5", "١٢"),
    *(
        "true",
        "null",
        "[]",
        "{}",
        "[[[[",
        '{"a":',
        "\x00",
        "\ud7ff",
        "%00",
        "'; DROP TABLE orders; --",
        "😀" * 50,
    ),
    *("BTCUSDT", "btcusdt", "NOPE", "BTCUSDT ", "BUY", "LIMIT", "GTC", "MARKET", "a" * 300),
)
NAMES = (
    *(
        "symbol",
        "side",
        "type",
        "quantity",
        "price",
        "timeInForce",
        "newClientOrderId",
        "reduceOnly",
        "stopPrice",
    ),
    *("newOrderRespType", "positionSide", "orderId", "origClientOrderId", "limit", "startTime", "endTime"),
    *(
        "fromId",
        "interval",
        "leverage",
        "marginType",
        "dualSidePosition",
        "batchOrders",
        "orderIdList",
        "page",
    ),
    *(
        "countdownTime",
        "amount",
        "asset",
        "recvWindow",
        "timestamp",
        "signature",
        "incomeType",
        "goodTillDate",
    ),
    *(
        "algoType",
        "triggerPrice",
        "algoId",
        "clientAlgoId",
        "callbackRate",
        "priceMatch",
        "pair",
        "period",
        "x",
    ),
)
SETTINGS = settings(
    max_examples=examples(200),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ROUTES = sorted({*PUBLIC_ROUTES, *PRIVATE_ROUTES})

values = st.one_of(
    st.sampled_from(ABSURD), st.text(max_size=20), st.decimals().map(str), st.integers().map(str)
)
parameters = st.dictionaries(st.sampled_from(NAMES), values, max_size=12)


class Server:
    """An exchange, and one connection at a time to it, on a loop of its own."""

    def __init__(self, runner: asyncio.Runner, exchange: Exchange) -> None:
        self._runner = runner
        self._exchange = exchange

    def send(self, request: bytes, *, end: bool = False) -> tuple[int, Any]:
        """Send raw bytes and return status and JSON of the answer; (0, None) if the connection just ends.

        `end`: nothing follows, which the server is told; else it is left to wait for more.
        """
        return self._runner.run(self._send(request, end=end))

    def leave(self, request: bytes) -> None:
        """Send raw bytes and be gone, without waiting for an answer."""
        self._runner.run(self._leave(request))

    async def _leave(self, request: bytes) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self._exchange.port)
        writer.write(request)
        await writer.drain()
        await asyncio.sleep(0.05)  # it has been read as far as it goes
        writer.transport.abort()
        await asyncio.sleep(0.05)

    async def _send(self, request: bytes, *, end: bool) -> tuple[int, Any]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._exchange.port)
        try:
            async with asyncio.timeout(PATIENCE_S):
                writer.write(request)
                with suppress(OSError):  # it may be cut off while we still send
                    await writer.drain()
                    if end:
                        writer.write_eof()
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except (asyncio.IncompleteReadError, ConnectionError):
                    return 0, None
                fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
                size = 0 if request.startswith(b"HEAD") else int(fields.get(b"Content-Length", b"0"))
                body = await reader.readexactly(size)
        finally:
            writer.transport.abort()
        return int(head.split()[1]), json.loads(body) if body else None

    def request(self, method: str, path: str, query: str = "", body: str = "", key: str = UP.api_key) -> Any:
        """Send a well-formed HTTP request."""
        target = f"{path}?{query}" if query else path
        data = body.encode("utf-8", "surrogatepass")
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: {key}\r\nContent-Length: {len(data)}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        )
        return self.send(head.encode() + data)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run an exchange for the whole module, without rate limits."""

    async def started(directory: Path) -> AsyncIterator[Exchange]:
        config = ExchangeConfig(
            paths={"BTCUSDT": flat()}, accounts=(UP, DOWN), directory=directory, speed="max"
        )
        exchange = await start_exchange(config)
        yield exchange
        await exchange.close()

    with asyncio.Runner() as runner:
        life = started(tmp_path_factory.mktemp("fuzz"))
        yield Server(runner, runner.run(anext(life)))  # type: ignore[arg-type]
        with suppress(StopAsyncIteration):
            runner.run(anext(life))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture, server: Server) -> Iterator[None]:
    """Fail a test in which the server logged an error, or after which it does not trade."""
    caplog.set_level(logging.ERROR)
    yield
    assert [record.getMessage() for record in caplog.get_records("call")] == []
    query = signed(urlencode(ORDER | LONG_WINDOW | {"quantity": "0.002"}), DOWN.secret)
    status, order = server.request("POST", "/fapi/v1/order", query, key=DOWN.api_key)
    assert (status, order["status"]) == (200, "FILLED")


def is_venues(status: int, body: Any) -> None:
    """Assert an answer that the venue could have given."""
    assert status in {200, 400, 401, 404, 413}, (status, body)
    if status != 200:
        assert isinstance(body, dict), (status, body)
        assert set(body) == {"code", "msg"}
        assert isinstance(body["code"], int)
        assert body["code"] not in {-1000, -1001}, body
        assert "Traceback" not in body["msg"]


@seed(1)
@SETTINGS
@given(route=st.sampled_from(ROUTES), sent=parameters, in_body=st.booleans(), is_signed=st.booleans())
def test_absurd_parameters(
    server: Server, route: tuple[str, str], sent: dict[str, str], *, in_body: bool, is_signed: bool
) -> None:
    """Any value for any parameter of any endpoint, in the query or the body, signed or not."""
    text = urlencode(sent, errors="surrogatepass")
    if is_signed:
        text = signed(text, UP.secret)
    method, path = route
    is_venues(*server.request(method, path, *(("", text) if in_body else (text, ""))))


@seed(2)
@SETTINGS
@given(
    changes=parameters, path=st.sampled_from(["/fapi/v1/order", "/fapi/v1/algoOrder", "/fapi/v1/order/test"])
)
def test_orders_with_absurd_fields(server: Server, changes: dict[str, str], path: str) -> None:
    """A good order in which some fields are absurd."""
    sent = {**ORDER, **changes}
    sent.pop("timestamp", None), sent.pop("signature", None)
    is_venues(*server.request("POST", path, signed(urlencode(sent, errors="surrogatepass"), UP.secret)))


@seed(3)
@SETTINGS
@given(
    rows=st.recursive(
        st.none()
        | st.booleans()
        | st.floats()
        | st.sampled_from(ABSURD)
        | st.dictionaries(st.sampled_from(NAMES), values),
        lambda inner: (
            st.lists(inner, max_size=7) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
        ),
        max_leaves=15,
    ),
    method=st.sampled_from(["POST", "PUT", "DELETE"]),
)
def test_malformed_json_in_a_parameter(server: Server, rows: object, method: str) -> None:
    """Batches that are no JSON, no list, no orders."""
    text = json.dumps(rows)
    for value in (text, text[: len(text) // 2], text + "]"):
        name = "orderIdList" if method == "DELETE" else "batchOrders"
        query = signed(urlencode({"symbol": "BTCUSDT", name: value}, errors="surrogatepass"), UP.secret)
        is_venues(*server.request(method, "/fapi/v1/batchOrders", query))


@seed(4)
@SETTINGS
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"]),
    path=st.one_of(
        st.text(max_size=40).map(lambda text: "/" + quote(text, safe="", errors="replace")),
        st.sampled_from(
            [
                "/",
                "//",
                "/fapi/v1/order/",
                "/fapi/v1/../v1/order",
                "/%2e%2e/%00",
                "/ws",
                "/pacing",
                "/faults/x",
            ]
        ),
    ),
)
def test_paths_and_methods_that_do_not_exist(server: Server, method: str, path: str) -> None:
    """404 with -5000, or the refusal of what lives there."""
    status, body = server.request(method, path)
    if method != "HEAD":
        is_venues(status, body)
        assert status != 200


@seed(5)
@SETTINGS
@given(
    key=st.one_of(
        st.sampled_from(["", UP.api_key, "nobody"]), st.text(st.characters(codec="latin-1"), max_size=80)
    )
)
def test_keys_and_signatures(server: Server, key: str) -> None:
    """Missing and wrong ones are the venue's refusals."""
    head = key.encode("latin-1")
    for query in (
        "",
        "timestamp=1",
        "timestamp=1&signature=",
        "timestamp=1&signature=zz",
        signed("", "wrong"),
    ):
        request = b"GET /fapi/v3/account?%s HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: %s\r\n\r\n"
        status, body = server.send(request % (query.encode(), head))
        if any(character in head for character in b"\r\n\x00") or status == 400:
            assert status in {0, 400}
        else:
            is_venues(status, body)
            assert status == 401


@seed(6)
@SETTINGS
@given(data=st.binary(max_size=300))
def test_random_bytes(server: Server, data: bytes) -> None:
    """What is no HTTP at all is 400 or cut off; in a body it is refused as ours are."""
    status, _ = server.send(data, end=True)
    assert status in {0, 400, 404, 405, 413, 431}
    request = (
        b"POST /fapi/v1/order HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: up-key\r\nContent-Length: %d\r\n\r\n%s"
    )
    is_venues(*server.send(request % (len(data), data)))


@pytest.mark.parametrize("size", [65_537, 1_000_000, 20_000_000])
def test_a_body_that_is_too_large(server: Server, size: int) -> None:
    """It is refused with 413 or cut off, and never kept."""
    status, body = server.request("POST", "/fapi/v1/order", body="x=" + "1" * size)
    assert status in {0, 413}
    if body is not None:
        assert body["code"] == -1130


@pytest.mark.parametrize(
    "target", ["?" + "a=1&" * 5_000, "?" + "&" * 7_000, "?x=" + "y" * 7_900, "?" + "%" * 100]
)
def test_a_query_that_is_too_much(server: Server, target: str) -> None:
    """Too many or too long parameters are refused."""
    status, _ = server.send(f"GET /fapi/v1/depth{target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert status in {0, 400, 431}


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /fapi/v1/ping HTTP/9.9\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /fapi/v1/order HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /fapi/v1/order HTTP/1.1\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /fapi/v1/order HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /fapi/v1/order HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
def test_broken_http(server: Server, request_line: bytes) -> None:
    """It is refused or cut off."""
    status, _ = server.send(request_line, end=True)
    assert status in {0, 400, 401, 404, 413, 426, 431}


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /fapi/v1/ping HTTP/1.1\r\nHo",
        b"POST /fapi/v1/order HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nsymbol=BTC",
        b"POST /fapi/v1/order HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"POST /fapi/v1/order HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /fapi/v1/time HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_who_leaves_without_a_word_is_nobodys_error(server: Server, request_bytes: bytes) -> None:
    """In the middle of a head, of a body, or before the answer: no stack trace is logged."""
    server.leave(request_bytes)


def test_a_request_that_stops_halfway_hurts_nobody(server: Server) -> None:
    """The rest never comes, and the connection is gone."""
    assert server.send(
        b"POST /fapi/v1/order HTTP/1.1\r\nContent-Length: 500\r\n\r\nsymbol=BTC", end=True
    ) in [
        (0, None),
        (400, {"code": -1100, "msg": "Illegal characters found in the request body."}),
    ]
