import asyncio

from bot.daemon.supervision import Supervisor

from .conftest import Logged


async def test_a_task_that_dies_is_started_again_and_told_of(logged: Logged) -> None:
    """The log names task, reason and pause; the task lives again."""
    starts = 0
    again = asyncio.Event()

    async def fragile() -> None:
        nonlocal starts
        starts += 1
        if starts == 2:
            again.set()
            await asyncio.Event().wait()
        raise ConnectionError("the line went dead")

    supervisor = Supervisor()
    supervisor.keep("mark feed", fragile)
    async with asyncio.timeout(60):
        await again.wait()
    await supervisor.stop()
    (line,) = logged()
    assert (line["event"], line["level"], line["task"]) == ("task_restarted", "error", "mark feed")
    assert line["reason"] == "ConnectionError: the line went dead"
    assert line["pause_s"] > 0


async def test_a_task_that_just_ends_is_started_again_too(logged: Logged) -> None:
    """Ending without an error is as bad for what must run for ever."""
    starts = 0
    again = asyncio.Event()

    async def brief() -> None:
        nonlocal starts
        starts += 1
        if starts == 2:
            again.set()

    supervisor = Supervisor()
    supervisor.keep("pacing", brief)
    async with asyncio.timeout(60):
        await again.wait()
    await supervisor.stop()
    assert logged()[0]["reason"] == "it ended by itself"


async def test_stopping_waits_until_everything_is_gone() -> None:
    """A task may clean up; `stop` returns after that."""
    cleaned = False

    async def tidy() -> None:
        nonlocal cleaned
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned = True

    supervisor = Supervisor()
    supervisor.keep("tidy", tidy)
    await asyncio.sleep(0)
    await supervisor.stop()
    assert cleaned


async def test_a_regular_duty_survives_its_own_failure(logged: Logged) -> None:
    """`every` acts again and again; when it fails once, that is told and it goes on."""
    acts = 0
    enough = asyncio.Event()

    def act() -> None:
        nonlocal acts
        acts += 1
        if acts == 1:
            raise ValueError("once")
        enough.set()

    supervisor = Supervisor()
    supervisor.every(0.001, act)
    async with asyncio.timeout(60):
        await enough.wait()
    await supervisor.stop()
    assert [line["reason"] for line in logged()] == ["ValueError: once"]
