import re
from collections.abc import AsyncIterator
from typing import Any

import jsonschema_rs
import pytest

from bot.web.access import is_public
from bot.web.openapi import document
from bot.web.server import make_app
from tests.support.site import TOKEN, Figures, Site, a_site, at_work

DOCUMENT = document()


def routes() -> set[tuple[str, str, bool]]:
    """Every method, path and whether it is open to all, alternatives in paths written out."""
    found = set()
    for route in make_app(Figures()).router.routes():
        assert route.resource is not None
        info = route.resource.get_info()
        path = route.resource.canonical
        pattern = str(info["pattern"].pattern) if "pattern" in info else ""
        choices = re.findall(r"\(\?P<(\w+)>([a-z|]+)\)", pattern)
        paths = [path]
        for name, alternatives in choices:
            paths = [p.replace(f"{{{name}}}", word) for p in paths for word in alternatives.split("|")]
        if route.method != "HEAD":
            found |= {(route.method.lower(), p, is_public(route)) for p in paths}
    return found


def test_the_description_has_every_path_and_no_other() -> None:
    """And says of each whether the operator's token is needed."""
    described = {
        (method, path, "security" not in operation)
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
    }
    pages = {
        route for route in routes() if not route[1].startswith(("/api/", "/healthz", "/readyz", "/openapi"))
    }
    assert routes() - pages - described == set()
    assert described - routes() == set()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """BTCUP has opened, and that is revealed."""
    desk, runner, side = await at_work()
    await desk.until_flat_out(runner)
    desk.mark(runner, desk.clock.market_ms() + 3_600_000)
    await runner.wait_quiet()
    async with a_site(Figures(public=side)) as site:
        yield site
    runner.cancel()


def validator(path: str, status: int) -> Any:
    """What judges answers of a path."""
    content = DOCUMENT["paths"][path]["get"]["responses"][str(status)]["content"]
    schema = content["application/json"]["schema"]
    return jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]})


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("/healthz", "/healthz", 200),
        ("/readyz", "/readyz", 200),
        ("/api/v1/funds", "/api/v1/funds", 200),
        ("/api/v1/funds/{fund}", "/api/v1/funds/BTCUP", 200),
        ("/api/v1/funds/{fund}", "/api/v1/funds/NONE", 404),
        ("/api/v1/funds/{fund}", "/api/v1/funds/BTCUP?x=1", 422),
        ("/api/v1/funds/{fund}/rebalances", "/api/v1/funds/BTCUP/rebalances", 200),
        ("/api/v1/funds/{fund}/performance", "/api/v1/funds/BTCUP/performance", 200),
        ("/api/v1/funds/{fund}/costs", "/api/v1/funds/BTCUP/costs", 200),
        ("/api/v1/funds/{fund}/nav", "/api/v1/funds/BTCUP/nav?interval=1m", 200),
        ("/api/v1/funds/{fund}/nav", "/api/v1/funds/BTCUP/nav?interval=2m", 422),
        ("/api/v1/market", "/api/v1/market", 200),
        ("/api/v1/session", "/api/v1/session", 200),
        ("/openapi.json", "/openapi.json", 200),
    ],
)
async def test_answers_are_of_the_shape_that_is_described(
    site: Site, path: str, asked: str, status: int
) -> None:
    """Also those that refuse."""
    answered, body, _ = await site.ask(asked)
    assert answered == status
    assert [error.message for error in validator(path, status).iter_errors(body)] == []


async def test_the_descriptions_own_shape_is_that_of_openapi(site: Site) -> None:
    """Every reference leads somewhere, every path parameter is described."""
    text = str(DOCUMENT)
    for name in re.findall(r"#/components/schemas/(\w+)", text):
        assert name in DOCUMENT["components"]["schemas"]
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            named = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path))
    assert (await site.ask("/openapi.json"))[1]["openapi"] == "3.1.0"
    assert (await site.ask("/api/v1/operator/funds", Authorization=f"Bearer {TOKEN}"))[0] == 200
