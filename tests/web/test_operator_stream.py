"""The operator's stream: true figures as they change, for the operator alone, and only while it is read."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from bot.web import operator_stream
from tests.support.patience import PATIENCE_S
from tests.support.site import TOKEN, Figures, Site, a_site

STREAM = "/api/v1/operator/stream"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Moving(Figures):
    """Two funds; one of them moves when it is told to, or both are not to be had."""

    nav = "1"
    times = 0
    broken = False

    def status(self) -> list[dict[str, Any]]:
        """As it stands, and counted."""
        self.times += 1
        if self.broken:
            raise LookupError("no figures")
        return [{"fund": "BTCUP", "nav": self.nav}, {"fund": "BTCDOWN", "nav": "5"}]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second takes a hundredth of one; no heartbeat comes between, however slow the machine is."""
    monkeypatch.setattr(operator_stream, "TELL_EVERY_S", 0.01)
    monkeypatch.setattr(operator_stream, "HEARTBEAT_EVERY_S", 3_600.0)


@asynccontextmanager
async def reading(site: Site, **headers: str) -> AsyncIterator[aiohttp.ClientResponse]:
    """Somebody reads."""
    async with asyncio.timeout(PATIENCE_S), site.session.get(site.url + STREAM, headers=headers) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        yield answer


async def told(answer: aiohttp.ClientResponse) -> tuple[str, Any]:
    """The next event: its name and body."""
    frame = b""
    while not frame.startswith(b"event"):
        frame = await answer.content.readuntil(b"\n\n")
    name, _, data = frame.decode().strip().partition("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def to_the_end(answer: aiohttp.ClientResponse) -> None:
    """Read until the stream breaks off."""
    while True:
        await told(answer)


async def test_every_fund_is_told_at_once_and_then_what_changes() -> None:
    """A fund that stands still is not told again."""
    figures = Moving()
    async with a_site(figures) as site, reading(site, **BEARER) as answer:
        assert [(await told(answer))[1]["fund"] for _ in range(2)] == ["BTCUP", "BTCDOWN"]
        for nav in ("2", "3"):
            figures.nav = nav
            assert await told(answer) == ("fund", {"fund": "BTCUP", "nav": nav})


async def test_it_is_nobody_elses() -> None:
    """Without the token, and with a wrong one, there is no stream; in an address the token is refused too."""
    async with a_site(Moving()) as site:
        assert (await site.ask(STREAM))[0] == 401
        assert (await site.ask(STREAM, Authorization="Bearer wrong"))[0] == 401
        assert (await site.ask(f"{STREAM}?token={TOKEN}"))[0] == 401
        assert (await site.ask(f"{STREAM}?token={TOKEN}", **BEARER))[0] == 422


async def test_a_session_reads_until_it_is_ended() -> None:
    """A cookie is enough to read; after the logout the open stream is dropped."""
    async with a_site(Moving()) as site:
        _, session = await site.tell("/api/v1/session", {"token": TOKEN}, token="")
        async with reading(site) as answer:
            assert (await told(answer))[0] == "fund"
            async with site.session.delete(
                f"{site.url}/api/v1/session", headers={"X-CSRF-Token": session["csrf"]}
            ) as ended:
                assert ended.status == 200
            with pytest.raises((aiohttp.ClientError, asyncio.IncompleteReadError)):
                await to_the_end(answer)
        assert (await site.ask(STREAM))[0] == 401


async def test_nothing_is_worked_out_while_nobody_reads() -> None:
    """And many readers cost as much as one."""
    figures = Moving()
    async with a_site(figures) as site:
        async with reading(site, **BEARER) as answer, reading(site, **BEARER) as another:
            await told(answer)
            await told(another)
        async with asyncio.timeout(PATIENCE_S):  # a busy machine sees late that they left
            before = -1
            while figures.times != before:
                before = figures.times
                await asyncio.sleep(0.1)
        async with reading(site, **BEARER) as answer:
            await told(answer)
            figures.nav = "7"
            while (await told(answer))[1] != {"fund": "BTCUP", "nav": "7"}:
                pass


async def test_a_silent_market_still_has_a_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """By which a page knows that the stream lives."""
    monkeypatch.setattr(operator_stream, "HEARTBEAT_EVERY_S", 0.03)
    async with a_site(Moving()) as site, reading(site, **BEARER) as answer:
        for _ in range(2):
            await told(answer)
        assert await told(answer) == ("heartbeat", {"funds": ["BTCUP", "BTCDOWN"]})


async def test_figures_that_cannot_be_had_end_the_streams() -> None:
    """Readers are not left with old figures that look new: they are dropped, and come back."""
    figures = Moving()
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    async with a_site(figures) as site:
        async with reading(site, **BEARER) as answer:
            await told(answer)
            figures.broken = True
            with pytest.raises((aiohttp.ClientError, asyncio.IncompleteReadError)):
                await to_the_end(answer)
        figures.broken = False
        async with reading(site, **BEARER) as answer:
            assert (await told(answer))[0] == "fund"
    gc.collect()  # a task's error is told of when the task is gone
    assert [str(failure["exception"]) for failure in failures] == ["no figures"]
