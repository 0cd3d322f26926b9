"""Keys, signatures, malformed input, limits and streams, over raw sockets."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from bot.exchange import PortInUseError, RateLimits, listener
from bot.exchange.errors import RequestError
from bot.exchange.params import Params
from tests.exchange.builders import (
    DOWN,
    LONG_WINDOW,
    ORDER,
    UP,
    Bench,
    Start,
    signed,
    within_one,
)
from tests.support.examples import examples
from tests.support.patience import PATIENCE_S


async def raw(bench: Bench, method: str, target: str, **options: Any) -> tuple[int, Any]:
    """Send a request exactly as written."""
    url = URL(bench.exchange.url + target, encoded=True)
    async with bench.session.request(method, url, **options) as response:
        assert response.content_type == "application/json"
        return response.status, await response.json()


def key(name: str = UP.api_key) -> dict[str, str]:
    """Return the header with an API key."""
    return {"X-MBX-APIKEY": name}


# --- identity -----------------------------------------------------------------------------------------


async def test_a_signed_request_needs_a_key(start: Start) -> None:
    """No key and an unknown key are told apart."""
    async with start() as bench:
        target = "/fapi/v3/account?" + signed("", UP.secret)
        assert (await raw(bench, "GET", target))[1]["code"] == -2014
        status, body = await raw(bench, "GET", target, headers=key("somebody"))
        assert (status, body["code"]) == (401, -2015)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (signed("", DOWN.secret), -1022),
        (signed("", UP.secret) + "&limit=5", -1022),
        (signed("", UP.secret).replace("timestamp=1", "timestamp=2"), -1022),
        ("timestamp=1", -1102),
        ("", -1102),
        ("signature=%C3%A4&timestamp=1", -1022),
        (signed("", UP.secret, time_ms=1), -1021),
        (signed("", UP.secret, time_ms=10**15), -1021),
        (signed("recvWindow=60001", UP.secret), -1131),
    ],
    ids=[
        "another's secret",
        "signed before its end",
        "time changed",
        "no signature",
        "nothing",
        "not hexadecimal",
        "long ago",
        "far ahead",
        "window too wide",
    ],
)
async def test_bad_signatures_and_times_are_refused(start: Start, query: str, code: int) -> None:
    """Only a fresh request signed with the account's own secret, as it was sent, is heard."""
    async with start() as bench:
        assert (await raw(bench, "GET", f"/fapi/v3/account?{query}", headers=key()))[1]["code"] == code


async def test_recv_window_counts_wall_time(start: Start) -> None:
    """A request as old as its window allows is heard, in whatever year the market is."""
    async with start() as bench:
        late = time.time_ns() // 1_000_000 - 20_000
        query = signed("", UP.secret, time_ms=late)
        assert (await raw(bench, "GET", f"/fapi/v3/balance?{query}", headers=key()))[1]["code"] == -1021
        query = signed(urlencode(LONG_WINDOW), UP.secret, time_ms=late)
        assert (await raw(bench, "GET", f"/fapi/v3/balance?{query}", headers=key()))[0] == 200


@pytest.mark.parametrize("split", [0, 3, 8])
async def test_query_and_body_are_one_request(start: Start, split: int) -> None:
    """Parameters may be in the query, in the form body, or in both; the signature covers both."""
    pairs = [f"{name}={value}" for name, value in (ORDER | LONG_WINDOW).items()]
    query, body = "&".join(pairs[:split]), "&".join(pairs[split:])
    payload = signed(query + body, UP.secret)
    rest = payload[len(query + body) :].lstrip("&")
    form = f"{body}&{rest}" if body else ""
    target = f"/fapi/v1/order?{query}" if body else f"/fapi/v1/order?{payload}"
    async with start() as bench:
        headers = key() | {"Content-Type": "application/x-www-form-urlencoded"}
        status, answer = await raw(bench, "POST", target, data=form, headers=headers)
    assert (status, answer.get("status")) == (200, "FILLED")


# --- malformed input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "target", "code"),
    [
        ("GET", "/fapi/v1/nothing", -5000),
        ("GET", "/", -5000),
        ("PATCH", "/fapi/v1/order", -5000),
        ("GET", "/sapi/v1/capital/withdraw/apply", -5000),
        ("GET", "/fapi/v1/depth", -1102),
        ("GET", "/fapi/v1/depth?symbol=", -1102),
        ("GET", "/fapi/v1/depth?symbol=nope", -1121),
        ("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=7", -4021),
        ("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=x", -1130),
        ("GET", "/fapi/v1/depth?symbol=BTCUSDT&symbol=ETHUSDT", -1101),
        ("GET", "/fapi/v1/depth?" + "&".join(f"a{n}=1" for n in range(200)), -1101),
        ("GET", "/fapi/v1/depth?symbol=%FF", -1100),
        ("GET", "/fapi/v1/fundingRate?limit=0", -1130),
    ],
)
async def test_malformed_requests_get_the_venues_error(
    start: Start, method: str, target: str, code: int
) -> None:
    """Whatever is asked for wrongly is answered as error JSON."""
    async with start() as bench:
        assert (await raw(bench, method, target))[1]["code"] == code


@pytest.mark.parametrize("body", [b"\xff\xfe", b"{}", b"x" * 70_000, b"%%%", b"symbol=%00"])
async def test_malformed_bodies_get_an_error(start: Start, body: bytes) -> None:
    """A body that is no form, or far too large, is refused; the server lives on."""
    async with start() as bench:
        status, answer = await raw(bench, "POST", "/fapi/v1/order", data=body, headers=key())
        assert 400 <= status < 500
        assert answer["code"] < 0
        assert (await raw(bench, "GET", "/fapi/v1/ping"))[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "gzip"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Upgrade": "websocket"},
        {"Upgrade": "websocket", "Connection": "upgrade"},
    ],
)
@pytest.mark.parametrize("path", ["/fapi/v1/order", "/ws", "/pacing"])
async def test_half_a_handshake_and_false_encodings_get_an_error(
    start: Start, path: str, headers: dict[str, str]
) -> None:
    """What a header promises and the body breaks is the client's mistake, and is told so."""
    async with start() as bench:
        try:
            status, body = await raw(bench, "POST", path, data=b"\x1f\x8bjunk", headers=headers | key())
        except aiohttp.ServerDisconnectedError:
            return  # cut off while it was still sending
        assert 400 <= status < 500
        assert body["code"] < 0


async def test_noise_is_refused_and_not_logged(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """Bytes that are not HTTP get 400, leave no stack trace in the log, and the server lives on."""
    noise = random.Random(1)  # noqa: S311 - repeatable noise
    async with start() as bench:
        for number in range(60):
            sent = noise.randbytes(noise.randrange(1, 300))
            if number % 2:
                line = sent.replace(b"\n", b"").replace(b" ", b"")
                sent = b"GET /fapi/v1/depth?" + line + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            reader, writer = await asyncio.open_connection("127.0.0.1", bench.exchange.port)
            writer.write(sent)
            writer.write_eof()
            answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
            writer.close()
            assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), sent
        assert (await raw(bench, "GET", "/fapi/v1/ping"))[0] == 200
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize(("error", "told"), [(ConnectionResetError(), False), (KeyError("bug"), True)])
def test_a_sender_that_has_gone_is_not_logged_and_a_fault_of_ours_is(
    caplog: pytest.LogCaptureFixture, error: Exception, *, told: bool
) -> None:
    """As one does that gave up while we stood still: its request is answered into a closed connection."""
    log = logging.getLogger(listener.__name__)
    log.addFilter(listener._is_our_fault)
    log.error("Error handling request", exc_info=error)
    assert bool(caplog.records) is told


@given(query=st.text(max_size=60), body=st.text(max_size=60))
@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parameters_of_any_text_are_read_or_refused(query: str, body: str) -> None:
    """No text makes reading parameters fail in any way but a refusal."""
    try:
        params = Params(query, body)
        for read in (params.symbol, lambda: params.number("quantity"), lambda: params.integer("a", 1)):
            try:
                read()
            except RequestError as error:
                assert error.code < 0  # noqa: PT017 - a refusal is one of two right answers
    except RequestError as error:
        assert error.code == -1101  # noqa: PT017 - as above


# --- limits -------------------------------------------------------------------------------------------


async def test_weight_is_counted_and_limited(start: Start) -> None:
    """Used weight shows in a header; past the limit there is 429 with Retry-After."""

    async def asked() -> list[aiohttp.ClientResponse]:
        async with start(limits=RateLimits(weight_1m=25)) as bench:
            return [await bench.raw("GET", "/fapi/v1/depth", {"symbol": "BTCUSDT"}, None) for _ in range(3)]

    answers = await within_one(60, asked)
    statuses = [(answer.status, answer.headers.get("X-MBX-USED-WEIGHT-1M")) for answer in answers]
    assert statuses == [(200, "10"), (200, "20"), (429, "30")]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert (await answers[-1].json())["code"] == -1003


async def test_orders_are_counted_and_limited_by_account(start: Start) -> None:
    """One account's orders do not use up another's."""

    async def asked() -> list[int | None]:
        async with start(limits=RateLimits(orders_10s=2)) as bench:
            return [(await bench.order(account)).get("code") for account in (UP, UP, UP, DOWN)]

    codes = await within_one(10, asked)
    assert codes == [None, None, -1015, None]


async def test_a_port_in_use_is_one_line(start: Start, tmp_path: Any) -> None:
    """A second exchange on the same port says so in one line with the remedy."""
    async with start() as bench:
        with pytest.raises(PortInUseError, match=r"^127\.0\.0\.1:\d+ is in use .* choose another port$"):
            async with start(port=bench.exchange.port, directory=tmp_path / "other"):
                pass


async def test_an_unknown_socket_path_is_refused(start: Start) -> None:
    """Websockets exist where the venue has them."""
    async with start() as bench:
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
        assert (await raw(bench, "GET", "/elsewhere", headers=headers))[0] == 404
