"""A fund hears how its account is set; what could not be read says nothing."""

import asyncio
from contextlib import suppress

import pytest

from bot.core.engine import SETTINGS
from bot.core.events import Controlled
from bot.core.records import Control
from bot.core.watch_events import SettingsSeen
from bot.daemon import settings_watch
from bot.daemon.runner import Runner
from bot.daemon.settings_watch import KeyJudge, SettingsWatch
from bot.venue.errors import RequestFailed
from tests.support.desk import Desk


async def until_it_differs(runner: Runner, *, differs: bool = True) -> None:
    """Wait until the fund has heard of it."""
    async with asyncio.timeout(60):
        while (SETTINGS in runner.state.book.incidents) is not differs:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.001)


async def test_what_differs_is_an_incident_of_the_fund(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that fails leaves it open; one that finds nothing ends it."""
    monkeypatch.setattr(settings_watch, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(settings_watch, "LOOK_AGAIN_S", 0.0)
    runner = await Desk().opened()
    looks, seen, through = ["hedge mode", "fails", None], [], asyncio.Event()

    async def look() -> str | None:
        seen.append(SETTINGS in runner.state.book.incidents)
        if not looks:
            through.set()
            await asyncio.Event().wait()
        found = looks.pop(0)
        if found == "fails":
            raise RequestFailed("timeout", "no answer", transient=True)
        return found

    watching = asyncio.create_task(SettingsWatch(runner, look).run())
    await through.wait()
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    assert seen == [False, True, True, False]


async def test_a_start_that_set_the_account_up_anew_ends_the_incident_at_once(desk: Desk) -> None:
    """It is the remedy that the incident names; nobody waits for the next look in three minutes."""
    runner = await desk.opened()
    runner.handle(SettingsSeen(*runner.now(), "leverage 3 instead of 6"))
    assert SETTINGS in runner.state.book.incidents

    async def look() -> None:
        return None

    watching = asyncio.create_task(SettingsWatch(runner, look).run())
    await until_it_differs(runner, differs=False)
    watching.cancel()


async def test_what_the_venue_tells_of_is_looked_at_at_once() -> None:
    """Long before it is time to, and once however often it was told meanwhile."""
    runner, looks = await Desk().opened(), 0

    async def look() -> str | None:
        nonlocal looks
        looks += 1
        return "hedge mode"

    watch = SettingsWatch(runner, look)
    watching = asyncio.create_task(watch.run())
    await asyncio.sleep(0)
    assert looks == 0
    watch.due()
    watch.due()
    await until_it_differs(runner)
    for _ in range(5):
        await asyncio.sleep(0)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    assert looks == 1


async def test_an_incident_that_a_word_ended_is_looked_at_at_once(desk: Desk) -> None:
    """Nobody raises leverage for three minutes on an account that is still set otherwise."""
    runner, looks = await desk.opened(), 0

    async def look() -> str | None:
        nonlocal looks
        looks += 1
        return "hedge mode"

    watch = SettingsWatch(runner, look)
    desk.listen = watch.heard
    watching = asyncio.create_task(watch.run())
    await asyncio.sleep(0)
    watch.due()
    await until_it_differs(runner)
    runner.handle(Controlled(*runner.now(), Control.RUNNING, "ann", "it is fine"))
    assert SETTINGS not in runner.state.book.incidents
    await until_it_differs(runner)
    watching.cancel()
    assert looks == 2


async def test_what_was_known_of_a_key_holds_while_it_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another host says what a key may do; it may be down, or hang, and keeps nobody waiting."""
    monkeypatch.setattr(settings_watch, "_KEY_WITHIN_S", 0.05)
    told: list[str | None] = ["the key may withdraw", "fails", "hangs", None, "fails"]

    async def read() -> str | None:
        found = told.pop(0)
        if found == "fails":
            raise RequestFailed("timeout", "no answer", transient=True)
        if found == "hangs":
            await asyncio.Event().wait()
        return found

    judge = KeyJudge("BTCUP", read)
    assert [await judge.problem() for _ in range(5)] == ["the key may withdraw"] * 3 + [None, None]
