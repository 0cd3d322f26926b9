from decimal import Decimal
from typing import Any

import pytest

from bot.core.operator_requests import Wanted
from tests.support.site import TOKEN, Site

OPERATOR_PATHS = ("/api/v1/operator/funds", "/api/v1/incidents")
REBALANCES = "/api/v1/operator/funds/{}/rebalances"


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


@pytest.mark.parametrize("word", ["pause", "resume", "halt", "rebalance", "flatten"])
async def test_the_operators_word_is_handed_on(site: Site, word: str) -> None:
    """With its author and reason; the answer is the fund."""
    status, body = await site.tell(f"/api/v1/funds/BTCUP/{word}", SAID)
    assert (status, body) == (200, {"fund": "BTCUP", "state": "active"})
    assert site.figures.said == [Wanted(word, "ann", "maintenance")]


async def test_a_word_without_a_body_is_the_operators(site: Site) -> None:
    """Who does not say who they are, or why, is on record as the one who has the token."""
    status, _ = await site.tell("/api/v1/funds/BTCUP/pause", "")
    assert status == 200
    assert site.figures.said == [Wanted("pause", "operator", "none given")]


@pytest.mark.parametrize("leverage", ["2.2", 2.2])
async def test_a_rebalance_may_state_its_leverage(site: Site, leverage: str | float) -> None:
    """As a string or as a number, exactly."""
    await site.tell("/api/v1/funds/BTCUP/rebalance", {**SAID, "leverage": leverage})
    assert site.figures.said[0].leverage == Decimal("2.2")


async def test_an_incident_is_acknowledged_by_its_code(site: Site) -> None:
    """Which it must name."""
    path = "/api/v1/funds/BTCUP/incidents/acknowledge"
    assert (await site.tell(path, SAID))[1]["error"]["field"] == "code"
    assert (await site.tell(path, {**SAID, "code": "late fill"}))[0] == 200
    assert site.figures.said == [Wanted("acknowledge", "ann", "maintenance", code="late fill")]


async def test_a_key_makes_a_request_repeatable(site: Site) -> None:
    """The digest is the same for the same request only."""
    key = {"Idempotency-Key": "k1"}
    for _ in range(2):
        assert (await site.tell("/api/v1/funds/BTCUP/rebalance", {"leverage": "2.2"}, **key))[0] == 200
    status, body = await site.tell("/api/v1/funds/BTCUP/rebalance", {"leverage": "2.3"}, **key)
    assert (status, body["error"]["field"]) == (422, "Idempotency-Key")
    assert len({wanted.content for wanted in site.figures.said}) == 1
    assert site.figures.said[0].request_id == "k1"


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
        ("BTCUP/pause", {"author": "ann", "reason": None}, 422, "unprocessable", "reason"),
        ("BTCUP/rebalance", {**SAID, "leverage": "lots"}, 422, "unprocessable", "leverage"),
        ("BTCUP/rebalance", {**SAID, "leverage": "-2"}, 422, "unprocessable", "leverage"),
        ("BTCUP/rebalance", {**SAID, "leverage": "NaN"}, 422, "unprocessable", "leverage"),
        ("BTCUP/rebalance", {**SAID, "leverage": True}, 422, "unprocessable", "leverage"),
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


async def test_metrics_are_the_operators_and_in_prometheus_format(site: Site) -> None:
    """With their content type; while the daemon starts there are none."""
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    async with site.session.get(f"{site.url}/metrics", headers=bearer) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        assert await answer.text() == "inband_ready 1.0\n"
    async with site.session.get(f"{site.url}/metrics") as answer:
        assert answer.status == 401
    site.figures.reasons = ["starting"]
    assert (await site.ask("/metrics", **bearer))[0] == 409


async def test_the_settings_that_apply_are_shown(site: Site) -> None:
    """As the daemon gives them, masked."""
    status, body, _ = await site.ask("/api/v1/operator/configuration", Authorization=f"Bearer {TOKEN}")
    assert (status, body[0]["name"]) == (200, "INBAND_MODE")


@pytest.mark.parametrize(("why", "status"), [("narrower", 200), ("wrong", 422), ("refused", 409)])
async def test_a_reload_says_what_changed_or_why_nothing_did(site: Site, why: str, status: int) -> None:
    """A wrong setting is told in the daemon's own words."""
    found, body = await site.tell("/api/v1/operator/reload", {"author": "ann", "reason": why})
    assert found == status
    if status == 200:
        assert body["changed"] == ["ann", why]
    else:
        assert body["error"]["message"].startswith("INBAND_WEB__PORT: ")


async def test_the_operators_rebalances_are_the_newest_so_many(site: Site) -> None:
    """Of a fund that there is; to nobody else."""
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    status, body, _ = await site.ask(f"{REBALANCES.format('btcup')}?limit=2", **bearer)
    assert (status, len(body)) == (200, 2)
    assert (await site.ask(REBALANCES.format("ETHUP"), **bearer))[0] == 404
    assert (await site.ask(f"{REBALANCES.format('BTCUP')}?limit=0", **bearer))[0] == 422
    assert (await site.ask(REBALANCES.format("BTCUP")))[0] == 401
