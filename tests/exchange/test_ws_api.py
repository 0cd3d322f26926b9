"""Orders, account and market over the websocket API."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.exchange import RateLimits
from tests.exchange.builders import DOWN, LONG_WINDOW, ORDER, UP, Bench, Start, within_one
from tests.exchange.test_stream_commands import JSON
from tests.support.examples import examples
from tests.support.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from bot.exchange import AccountConfig


class Socket:
    """A socket of the websocket API."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def ask(self, method: str, request_id: Any = "x", **params: Any) -> Any:
        """Send an unsigned request and return its answer."""
        await self.socket.send_json({"id": request_id, "method": method, "params": params})
        return await self.socket.receive_json(timeout=PATIENCE_S)

    async def signed(self, method: str, account: AccountConfig = UP, **params: Any) -> Any:
        """Send a signed request and return its answer."""
        return await self.ask(method, **sign(params, account))


def sign(params: dict[str, Any], account: AccountConfig = UP, *, encoded: bool = True) -> dict[str, Any]:
    """Return parameters with key, timestamp and signature, over sorted names."""
    stamped = {"apiKey": account.api_key, "timestamp": time.time_ns() // 1_000_000} | LONG_WINDOW | params
    pairs = sorted(stamped.items())
    text = urlencode(pairs) if encoded else "&".join(f"{name}={value}" for name, value in pairs)
    return stamped | {"signature": hmac.new(account.secret.encode(), text.encode(), sha256).hexdigest()}


@asynccontextmanager
async def connect(bench: Bench, query: str = "") -> AsyncIterator[Socket]:
    """Open a socket."""
    async with bench.session.ws_connect(f"{bench.ws_url}/ws-fapi/v1{query}") as socket:
        yield Socket(socket)


async def test_an_order_lives_over_the_socket(start: Start) -> None:
    """Placed, looked up and cancelled: each answer is what REST would say, under the request's id."""
    async with start() as bench, connect(bench) as socket:
        resting = ORDER | {"price": "50000", "timeInForce": "GTC", "newClientOrderId": "mine:/1"}
        placed = await socket.signed("order.place", **resting)
        assert (placed["id"], placed["status"], placed["result"]["status"]) == ("x", 200, "NEW")
        number = placed["result"]["orderId"]
        found = await socket.signed("order.status", symbol="BTCUSDT", orderId=number)
        assert found["result"]["clientOrderId"] == "mine:/1"
        cancelled = await socket.signed("order.cancel", symbol="BTCUSDT", origClientOrderId="mine:/1")
        assert cancelled["result"]["status"] == "CANCELED"
        again = await socket.signed("order.cancel", symbol="BTCUSDT", orderId=number)
        assert (again["status"], again["error"]) == (400, {"code": -2011, "msg": "Unknown order sent."})


async def test_limits_are_told_and_shared_with_rest(start: Start) -> None:
    """Weight and orders count together with REST; each answer shows the counters that it moved."""

    async def asked() -> tuple[Any, Any]:
        async with start(limits=RateLimits()) as bench, connect(bench) as socket:
            await bench.call("GET", "/fapi/v1/ping")
            placed = await socket.signed("order.place", **ORDER)
            return placed, await socket.ask("ping", returnRateLimits=False)

    placed, pinged = await within_one(10, asked)
    rows = {(row["rateLimitType"], row["interval"]): row for row in placed["rateLimits"]}
    assert rows["REQUEST_WEIGHT", "MINUTE"]["count"] == 6  # the handshake is 5
    assert rows["ORDERS", "SECOND"] == {
        "rateLimitType": "ORDERS",
        "interval": "SECOND",
        "intervalNum": 10,
        "limit": 300,
        "count": 1,
    }
    assert rows["ORDERS", "MINUTE"]["count"] == 1
    assert "rateLimits" not in pinged


async def test_the_address_hides_limits(start: Start) -> None:
    """`?returnRateLimits=false` hides them unless a request asks for them."""
    async with start() as bench, connect(bench, "?returnRateLimits=false") as socket:
        assert await socket.ask("ping", 7) == {"id": 7, "status": 200, "result": {}}
        assert "rateLimits" in await socket.ask("ping", returnRateLimits=True)


async def test_too_much_weight_is_refused(start: Start) -> None:
    """A limit that is used up answers 429 under the request's id."""

    async def asked() -> list[Any]:
        async with start(limits=RateLimits(weight_1m=6)) as bench, connect(bench) as socket:
            return [await socket.ask("ping") for _ in range(2)]

    heard, refused = await within_one(60, asked)
    assert heard["status"] == 200
    assert (refused["status"], refused["error"]["code"]) == (429, -1003)


@pytest.mark.parametrize(("written", "encoded"), [("false", True), ("false", False), ("False", True)])
async def test_all_ways_of_signing_are_accepted(start: Start, written: str, *, encoded: bool) -> None:
    """Values percent-encoded or not, and a JSON flag signed as JSON or as Python writes it."""
    params = {**ORDER, "newClientOrderId": "a/b:c", "reduceOnly": written}
    async with start() as bench, connect(bench) as socket:
        answer = await socket.ask("order.place", **(sign(params, encoded=encoded) | {"reduceOnly": False}))
    assert answer["status"] == 200, answer


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"signature": "0" * 64}, 400, -1022),
        ({"apiKey": DOWN.api_key}, 400, -1022),
        ({"apiKey": "nobody"}, 401, -2015),
        ({"apiKey": None}, 401, -2014),
        ({"signature": None}, 400, -1102),
        ({"quantity": "2"}, 400, -1022),
    ],
)
async def test_a_badly_signed_request_is_refused(
    start: Start, change: dict[str, Any], status: int, code: int
) -> None:
    """Key and signature are checked as for REST."""
    async with start() as bench, connect(bench) as socket:
        answer = await socket.ask("order.place", **(sign(dict(ORDER)) | change))
    assert (answer["status"], answer["error"]["code"]) == (status, code)


async def test_user_data_stream_methods(start: Start) -> None:
    """A listen key started here is REST's; it needs a key and no signature."""
    async with start() as bench, connect(bench) as socket:
        started = await socket.ask("userDataStream.start", apiKey=UP.api_key)
        again = await socket.ask("userDataStream.ping", apiKey=UP.api_key)
        assert started["result"] == again["result"]
        stream = await bench.session.ws_connect(f"{bench.ws_url}/private/ws/{started['result']['listenKey']}")
        await bench.order(quantity="0.01")
        assert (await stream.receive_json(timeout=PATIENCE_S))["e"] == "TRADE_LITE"
        assert (await socket.ask("userDataStream.stop", apiKey=UP.api_key))["result"] == {}
        assert (await socket.ask("userDataStream.ping", apiKey=UP.api_key))["error"]["code"] == -1125


async def test_sessions_are_for_other_keys(start: Start) -> None:
    """Nobody can log on with an HMAC key; status and logout say that nobody is."""
    async with start() as bench, connect(bench) as socket:
        refused = await socket.signed("session.logon")
        assert refused["error"] == {"code": -4056, "msg": "HMAC_SHA256 API key is not supported."}
        unsigned = await socket.ask("session.logon", apiKey=UP.api_key, signature="no", timestamp=1)
        assert unsigned["error"]["code"] == -1022
        for method in ("session.status", "session.logout"):
            state = (await socket.ask(method))["result"]
            assert (state["apiKey"], state["authorizedSince"]) == (None, None)
            assert state["connectedSince"] <= state["serverTime"]


@pytest.mark.parametrize(
    ("text", "request_id", "code"),
    [
        ("{", None, -1135),
        ("[]", None, -1135),
        ('{"id":{},"method":"ping"}', None, -1135),
        ('{"id":1}', 1, -1102),
        ('{"id":1,"method":5}', 1, -1102),
        ('{"id":1,"method":"ping","params":[]}', 1, -1135),
        ('{"id":"a","method":"shout"}', "a", -5000),
        ('{"id":null,"method":"depth","params":{"symbol":"NOPE"}}', None, -1121),
        ('{"id":1,"method":"depth","params":{"symbol":{"a":["b"]}}}', 1, -1121),
        ('{"id":1,"method":"depth","params":{"symbol":"BTCUSDT","limit":1e3}}', 1, -1130),
    ],
)
async def test_malformed_requests_are_answered(start: Start, text: str, request_id: Any, code: int) -> None:
    """Each gets the venue's error under its id, and the socket stays usable."""
    async with start() as bench, connect(bench) as socket:
        await socket.socket.send_str(text)
        answer = await socket.socket.receive_json(timeout=PATIENCE_S)
        assert (answer["id"], answer["error"]["code"]) == (request_id, code)
        assert (await socket.ask("ping"))["status"] == 200


METHOD = st.sampled_from(["order.place", "order.cancel", "depth", "ticker.book", "session.status", "time"])


@settings(
    max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    requests=st.lists(
        JSON | st.fixed_dictionaries({"id": st.integers() | st.text(), "method": METHOD, "params": JSON}),
        min_size=1,
        max_size=5,
    )
)
def test_nothing_asked_breaks_the_socket(start: Start, requests: Sequence[Any]) -> None:
    """Whatever is asked has one answer, never a failure of the server."""

    async def talk() -> None:
        async with start() as bench, connect(bench) as socket:
            for request in requests:
                await socket.socket.send_str(json.dumps(request))
                answer = await socket.socket.receive_json(timeout=PATIENCE_S)
                assert answer["status"] < 500, answer
            assert (await socket.ask("ping"))["status"] == 200

    asyncio.run(talk())


async def test_an_oversized_request_closes_its_socket_only(start: Start) -> None:
    """A megabyte ends the connection with code 1009; the exchange lives on."""
    async with start() as bench, connect(bench) as socket:
        await socket.socket.send_str("x" * 1_000_000)
        closing = await socket.socket.receive(PATIENCE_S)
        assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.MESSAGE_TOO_BIG)
        assert (await bench.call("GET", "/fapi/v1/ping"))[0] == 200
