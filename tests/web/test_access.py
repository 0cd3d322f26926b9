"""Who is let in: tokens, cookies, hosts, origins, and bounds on what a stranger may use up."""

import asyncio
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from bot.web import connections
from bot.web.access import COOKIE, SESSION_S, Access, Guesses, is_public
from bot.web.connections import Door
from bot.web.server import make_app
from tests.support.patience import PATIENCE_S
from tests.support.site import TOKEN, Figures, Site

SESSION = "/api/v1/session"
PAUSE = "/api/v1/funds/BTCUP/pause"


async def post(site: Site, path: str, body: Any = None, method: str = "POST", **headers: str) -> Any:
    """The answer to a request without a bearer: its status and its JSON."""
    async with site.session.request(method, site.url + path, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def login(site: Site, token: str = TOKEN) -> Any:
    """Log in as the page does."""
    return await post(site, SESSION, {"token": token})


def test_every_path_is_closed_unless_it_says_otherwise() -> None:
    """The paths that are open to everybody, one by one: whoever adds one adds it here."""
    app = make_app(Figures())
    opened = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and is_public(route) and route.method != "HEAD"
    }
    paths = [route.resource.canonical for route in app.router.routes() if route.resource is not None]
    assert opened == {
        ("GET", "/api/v1/funds"),
        ("GET", "/api/v1/funds/{fund}"),
        ("GET", "/api/v1/funds/{fund}/rebalances"),
        ("GET", "/api/v1/funds/{fund}/nav"),
        ("GET", "/api/v1/stream"),
        ("GET", "/fapi/v1/lvtKlines"),
        ("GET", "/sapi/v1/blvt/tokenInfo"),
        ("GET", "/ws"),
        ("GET", "/ws/{stream}"),
        ("GET", "/stream"),
        ("GET", "/api/v1/funds/{fund}/performance"),
        ("GET", "/api/v1/funds/{fund}/costs"),
        ("GET", "/openapi.json"),
        ("GET", "/api/v1/funds/{fund}/series"),
        ("GET", "/api/v1/market"),
        ("GET", "/"),
        ("GET", next(path for path in paths if path.startswith("/page/"))),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/api/v1/session"),
        ("POST", "/api/v1/session"),
    }


async def test_a_session_reads_and_with_its_csrf_token_also_writes(site: Site) -> None:
    """The cookie alone changes nothing, nor does it with another CSRF token; logged out it reads nothing."""
    status, body = await login(site)
    assert (status, body["operator"]) == (200, True)
    csrf = body["csrf"]
    assert (await site.ask("/api/v1/operator/funds"))[0] == 200
    assert (await site.ask(SESSION))[1] == {"operator": True, "csrf": csrf}
    assert (await post(site, PAUSE, {}))[0] == 403
    assert (await post(site, PAUSE, {}, **{"X-CSRF-Token": csrf + "x"}))[0] == 403
    assert site.figures.said == []
    assert (await post(site, PAUSE, {}, **{"X-CSRF-Token": csrf}))[0] == 200
    assert (await post(site, SESSION, method="DELETE", **{"X-CSRF-Token": csrf}))[0] == 200
    assert (await site.ask("/api/v1/operator/funds"))[0] == 401
    assert (await site.ask(SESSION))[1] == {"operator": False, "csrf": None}


async def test_a_login_before_there_is_a_token_is_told_so(site: Site) -> None:
    """While the daemon starts the right token is not called wrong, and does not count as a guess."""
    site.figures.operator_token = None
    for _ in range(30):
        status, body = await login(site)
        assert (status, body["error"]["code"]) == (503, "unavailable")
    site.figures.operator_token = TOKEN
    assert (await login(site))[0] == 200


async def test_asking_before_there_is_a_token_locks_nobody_out(site: Site) -> None:
    """A program that asks again and again while the daemon starts is let in as soon as it has started."""
    token, site.figures.operator_token = site.figures.operator_token, None
    for _ in range(30):
        status, body, _ = await site.ask("/api/v1/operator/funds", Authorization=f"Bearer {token}")
        assert (status, "not finished starting" in body["error"]["message"]) == (401, True)
    site.figures.operator_token = token
    assert (await site.ask("/api/v1/operator/funds", Authorization=f"Bearer {token}"))[0] == 200


async def test_the_cookie_is_for_this_site_and_no_script(site: Site) -> None:
    """HttpOnly, SameSite=Strict, and Secure where the page came encrypted; it is not the token."""
    async with site.session.post(site.url + SESSION, json={"token": TOKEN}) as answer:
        (cookie,) = answer.headers.getall("Set-Cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie
    assert TOKEN not in cookie
    proxied = {"X-Forwarded-Proto": "https"}
    async with site.session.post(site.url + SESSION, json={"token": TOKEN}, headers=proxied) as answer:
        assert "Secure" in answer.headers["Set-Cookie"]


async def test_wrong_logins_are_few_a_minute(site: Site) -> None:
    """Then not even the right token is looked at, neither at the login nor as a bearer."""
    seen = [(await login(site, "wrong"))[0] for _ in range(25)]
    assert seen == [401] * 20 + [429] * 5
    assert (await login(site))[0] == 429
    status, body, headers = await site.ask("/api/v1/incidents", Authorization=f"Bearer {TOKEN}")
    assert (status, body["error"]["code"]) == (429, "too_many_requests")
    assert 1 <= int(headers["Retry-After"]) <= 61


def test_guesses_are_forgotten_after_a_minute() -> None:
    """By address, and for all addresses together."""
    now = [0.0]
    guesses = Guesses(lambda: now[0])
    for _ in range(20):
        guesses.note("a")
    assert (guesses.wait_s("a"), guesses.wait_s("b")) == (61, 0)
    for number in range(180):
        guesses.note(f"c{number}")
    assert guesses.wait_s("b") == 61
    now[0] = 60.5
    assert guesses.wait_s("a") == guesses.wait_s("b") == 0


def test_a_session_ends() -> None:
    """After half a day, by a clock that cannot be set; and the oldest when there are too many."""
    now = [0.0]
    access = Access(lambda: TOKEN, now_s=lambda: now[0])

    class Request:
        cookies: dict[str, str] = {}  # noqa: RUF012 - a request of one test
        headers: dict[str, str] = {}  # noqa: RUF012 - as above
        remote = "a"

    request: Any = Request()
    first, _ = access.login(request, TOKEN)
    request.cookies = {COOKIE: first}
    assert access.session(request) is not None
    now[0] = SESSION_S
    assert access.session(request) is None
    old, _ = access.login(request, TOKEN)
    for _ in range(100):
        access.login(request, TOKEN)
    request.cookies = {COOKIE: old}
    assert access.session(request) is None


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8080", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8080", 200),
        ("192.168.1.7", 200),
        ("funds.example.org", 200),
        ("evil.example.org", 403),
        ("localhost.evil.example.org", 403),
        ("", 403),
        ("[::1", 403),
    ],
)
async def test_only_known_hosts_are_answered(site: Site, host: str, status: int) -> None:
    """A name that somebody made to point here is none of ours."""
    assert (await site.ask("/healthz", Host=host))[0] == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://funds.example.org", "Host": "funds.example.org"}, 200),
        ({"Origin": "http://evil.example.org"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
async def test_requests_of_other_sites_are_refused(site: Site, headers: dict[str, str], status: int) -> None:
    """Even with the token: a browser elsewhere has no business here."""
    assert (await site.tell(PAUSE, {}, **headers))[0] == status


async def test_every_answer_forbids_what_it_does_not_need(site: Site) -> None:
    """No inline script, no framing, no sniffing, no cache; on errors as well."""
    for path in ("/healthz", "/nowhere", "/api/v1/incidents"):
        _, _, headers = await site.ask(path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in headers


async def test_a_token_in_the_address_opens_nothing(site: Site) -> None:
    """Addresses end in logs and histories."""
    assert (await site.ask(f"/api/v1/incidents?token={TOKEN}"))[0] == 401


async def test_a_body_is_bounded(site: Site) -> None:
    """413, before it is looked at."""
    status, body = await site.tell(PAUSE, {"reason": "x" * 100_000})
    assert (status, body["error"]["code"]) == (413, "too_large")


async def raw(site: Site, text: str) -> bytes:
    """What comes back on a connection of our own until it is closed."""
    at = urlsplit(site.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(text.encode())
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    finally:
        writer.close()


async def test_a_body_that_does_not_come_is_not_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """408 after some seconds; nobody holds a handler for ever."""
    monkeypatch.setattr("bot.web.guard.BODY_WITHIN_S", 0.1)
    head = f"POST {PAUSE} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 50\r\n\r\n{{"
    assert (await raw(site, head)).startswith(b"HTTP/1.1 408")


async def test_connections_are_bounded_and_must_ask_something(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever says nothing is closed; whoever comes when it is full is told so; one that asked may stay."""
    door = Door(most=2, first_request_within_s=600)
    runner = aiohttp.web.AppRunner(make_app(Figures(), (), door), keepalive_timeout=3_600)
    await runner.setup()
    assert runner.server is not None
    listener = socket.create_server(("127.0.0.1", 0))
    await door.open(runner.server, listener)
    port = listener.getsockname()[1]
    asking, waiting = (
        await asyncio.open_connection("127.0.0.1", port),
        await asyncio.open_connection("127.0.0.1", port),
    )
    asking[1].write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await asking[0].readline()).startswith(b"HTTP/1.1 200")
    late = await asyncio.open_connection("127.0.0.1", port)
    answer = await asyncio.wait_for(late[0].read(), PATIENCE_S)
    assert answer.startswith(b"HTTP/1.1 503")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "busy"
    loop = asyncio.get_running_loop()
    time_s = loop.time
    monkeypatch.setattr(loop, "time", lambda: time_s() + 700)  # ten minutes pass
    assert await asyncio.wait_for(waiting[0].read(), PATIENCE_S) == b""
    asking[1].write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert (await asyncio.wait_for(asking[0].read(), PATIENCE_S)).count(b"HTTP/1.1 200") == 1
    for _, writer in (asking, waiting, late):
        writer.close()
    await door.close()
    await runner.cleanup()
    assert connections.MOST_CONNECTIONS >= 100
