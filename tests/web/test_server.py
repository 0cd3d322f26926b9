import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from bot.core.records import Control
from bot.errors import RefusedError
from bot.web.server import serve

TOKEN = "operator-token-0123456789"
OPERATOR_PATHS = ("/api/v1/operator/funds", "/api/v1/incidents")


@dataclass
class Figures:
    """What a daemon would show of itself."""

    reasons: list[str] = field(default_factory=list)
    operator_token: str | None = TOKEN
    said: list[tuple[Control, str, str]] = field(default_factory=list)

    def unready(self) -> list[str]:
        """Why it is not ready."""
        return self.reasons

    def status(self) -> list[dict[str, Any]]:
        """One fund."""
        return [{"fund": "BTCUP", "real_leverage": "2.1"}]

    def control(self, fund: str, control: Control, author: str, why: str) -> dict[str, Any] | None:
        """BTCUP listens, BTCDOWN has stopped, others do not exist."""
        if fund == "BTCDOWN":
            raise RefusedError("BTCDOWN is not running")
        if fund != "BTCUP":
            return None
        self.said.append((control, author, why))
        return {"fund": fund, "control": {"state": control.value}}

    def incidents(self) -> list[dict[str, Any]]:
        """One incident."""
        return [{"fund": "BTCUP", "code": "late fill"}]


@dataclass
class Site:
    """A server on a real socket, and a client."""

    figures: Figures
    url: str
    session: aiohttp.ClientSession

    async def tell(self, path: str, body: Any, token: str = TOKEN) -> tuple[int, Any]:
        """Status and JSON body of the answer to a POST."""
        headers = {"Authorization": f"Bearer {token}"}
        kind = {"data": body} if isinstance(body, str) else {"json": body}
        async with self.session.post(self.url + path, headers=headers, **kind) as answer:
            return answer.status, await answer.json()

    async def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Any, Any]:
        """Status, JSON body and headers of an answer."""
        async with self.session.request(method, self.url + path, headers=headers) as answer:
            return answer.status, await answer.json(), answer.headers


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Serving until the test ends."""
    figures = Figures()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with serve(figures, listener), aiohttp.ClientSession() as session:
            yield Site(figures, f"http://127.0.0.1:{listener.getsockname()[1]}", session)


async def test_healthz_says_that_the_loop_lives(site: Site) -> None:
    """It needs no token, and is fine even when the daemon is not ready."""
    site.figures.reasons = ["starting"]
    status, body, _ = await site.ask("/healthz")
    assert (status, body) == (200, {"status": "alive"})


async def test_readyz_follows_the_reasons(site: Site) -> None:
    """200 without a reason; 503 with the reasons otherwise."""
    status, body, _ = await site.ask("/readyz")
    assert (status, body) == (200, {"ready": True, "reasons": []})
    site.figures.reasons = ["BTCUSDT: no current mark", "BTCUP: stopped"]
    status, body, _ = await site.ask("/readyz")
    assert (status, body) == (
        503,
        {"ready": False, "reasons": ["BTCUSDT: no current mark", "BTCUP: stopped"]},
    )


@pytest.mark.parametrize("path", OPERATOR_PATHS)
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        TOKEN,
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        "Bearer \xe9",
    ],
)
async def test_operators_paths_need_the_token(site: Site, path: str, authorization: str | None) -> None:
    """Anything but the token as a bearer is answered 401, with the error's shape and no figures."""
    headers = {} if authorization is None else {"Authorization": authorization}
    status, body, answered = await site.ask(path, **headers)
    assert status == 401
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "field"}
    assert body["error"]["code"] == "unauthorized"
    assert answered["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", OPERATOR_PATHS)
async def test_the_token_opens_them(site: Site, path: str) -> None:
    """With the token the figures come, whatever the case of the scheme."""
    for scheme in ("Bearer", "bearer"):
        status, body, _ = await site.ask(path, Authorization=f"{scheme} {TOKEN}")
        assert status == 200
        assert body[0]["fund"] == "BTCUP"


@pytest.mark.parametrize("path", OPERATOR_PATHS)
@pytest.mark.parametrize("given", ["Bearer ", "Bearer None", f"Bearer {TOKEN}"])
async def test_without_a_token_nobody_passes(site: Site, path: str, given: str) -> None:
    """Until the daemon has a token, nothing is right."""
    site.figures.operator_token = None
    status, _, _ = await site.ask(path, Authorization=given)
    assert status == 401


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/api/v1/funds/BTCUP/../../secrets", 404, "not_found"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("DELETE", "/api/v1/operator/funds", 405, "method_not_allowed"),
    ],
)
async def test_wrong_paths_and_methods_are_told_in_json(
    site: Site, method: str, path: str, status: int, code: str
) -> None:
    """Every error has the one shape of the contract."""
    found, body, headers = await site.ask(path, method)
    assert (found, body["error"]["code"], body["error"]["field"]) == (status, code, None)
    assert headers["Content-Type"].startswith("application/json")


async def test_a_failure_of_ours_is_told_in_json_and_tells_nothing(site: Site) -> None:
    """500 with the same shape; what went wrong is for the log, not for a stranger."""
    site.figures.unready = lambda: 1 // 0  # type: ignore[method-assign, assignment, return-value]
    status, body, _ = await site.ask("/readyz")
    assert status == 500
    assert body["error"]["code"] == "internal_error"
    assert "division" not in str(body)


SAID = {"author": "ann", "reason": "maintenance"}


@pytest.mark.parametrize(
    ("word", "control"),
    [("pause", Control.PAUSED), ("resume", Control.RUNNING), ("halt", Control.HALTED)],
)
async def test_the_operators_word_is_handed_on(site: Site, word: str, control: Control) -> None:
    """With its author and reason; the answer is the fund."""
    status, body = await site.tell(f"/api/v1/funds/BTCUP/{word}", SAID)
    assert (status, body) == (200, {"fund": "BTCUP", "control": {"state": control.value}})
    assert site.figures.said == [(control, "ann", "maintenance")]


async def test_a_stranger_cannot_pause(site: Site) -> None:
    """401, and nothing is handed on."""
    status, _ = await site.tell("/api/v1/funds/BTCUP/pause", SAID, token="wrong")
    assert status == 401
    assert site.figures.said == []


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "field"),
    [
        ("BTCUP/pause", "{", 422, "unprocessable", None),
        ("BTCUP/pause", [], 422, "unprocessable", None),
        ("BTCUP/pause", {"author": "ann"}, 422, "unprocessable", "reason"),
        ("BTCUP/pause", {"author": " ", "reason": "x"}, 422, "unprocessable", "author"),
        ("BTCUP/pause", {"author": "ann", "reason": "x" * 201}, 422, "unprocessable", "reason"),
        ("BTCUP/pause", {"author": "ann", "reason": "a\nb"}, 422, "unprocessable", "reason"),
        ("BTCUP/pause", {**SAID, "force": True}, 422, "unprocessable", "force"),
        ("ETHUP/pause", SAID, 404, "not_found", None),
        ("BTCDOWN/pause", SAID, 409, "conflict", None),
        ("BTCUP/explode", SAID, 404, "not_found", None),
    ],
)
async def test_a_word_that_cannot_be_carried_out_is_refused(
    site: Site, path: str, body: Any, status: int, code: str, field: str | None
) -> None:
    """The error names the field where there is one; nothing is handed on."""
    found, answer = await site.tell(f"/api/v1/funds/{path}", body)
    assert (found, answer["error"]["code"], answer["error"]["field"]) == (status, code, field)
    assert site.figures.said == []
