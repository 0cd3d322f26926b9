"""`run`: from settings to funds at work, and back to a clean stop.

The order of a start: judge what can be judged without writing, reserve the port, reach the venue, and write
only then; so a mistake leaves nothing behind, and without a network nothing is traded.
"""

import asyncio
import errno
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, closing, suppress
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeAlias

import orjson
import structlog

from bot.core.events import Park
from bot.core.texts import time_or_null
from bot.daemon import event_loop, logs, paper
from bot.daemon.disk import DiskWatch
from bot.daemon.garbage import settle_garbage
from bot.daemon.keeping import ProjectionKeeper, keep_at_stop
from bot.daemon.kill_switch import arm_kill_switch
from bot.daemon.library_log import libraries_heard
from bot.daemon.live_table import REFRESH_S, LiveTable
from bot.daemon.lives import Lives
from bot.daemon.log_sinks import FileSink, LastingSink, StreamSink
from bot.daemon.nav import NavRecorder
from bot.daemon.notify import ServiceManager
from bot.daemon.operations import RECONCILE_EVERY_S, Operations
from bot.daemon.redaction import Redactor
from bot.daemon.reload import reload_on_hangup
from bot.daemon.runner import PARK_WITHIN_S
from bot.daemon.scribe import Scribe
from bot.daemon.services import add_alerts, add_control, add_metrics
from bot.daemon.supervision import Supervisor
from bot.daemon.take_up import prepare_funds, take_up_funds
from bot.daemon.wiring import Embedded, World, judge, open_world
from bot.errors import UserError
from bot.journal.archive import archive
from bot.journal.errors import JournalUnavailable
from bot.journal.lock import LOCK_FILE, DataDirLock, refuse_unwritable
from bot.journal.nav_store import NAV_FILE
from bot.journal.outbox import OUTBOX_FILE
from bot.journal.sqlite import JOURNAL_FILE
from bot.settings import Settings
from bot.venue.clock import monotonic_s

Serve: TypeAlias = Callable[[Operations, socket.socket], AbstractAsyncContextManager[None]]
"""Serves HTTP on a bound socket: `bot.web.server.serve`, handed in by the command line."""

Drive: TypeAlias = Callable[[Coroutine[Any, Any, int]], int]
"""The port to an event loop: our own, or the simulation's, in which time is virtual."""

LOG_FILE = "inband.log"
"""On a terminal, where the live table is, the log goes to this file in the data directory."""

_AGAIN_S = 1.0


def run(
    settings: Settings, *, fresh: bool, adopt: bool, serve: Serve, drive: Drive = event_loop.drive
) -> int:
    """Run the funds until a signal, or until the replay ends if that is wished; the exit code.

    `drive` runs a coroutine to its end.
    """
    told = logs.lines_lost(console=settings.log.format == "console")
    with ExitStack() as said:  # what comes behind, be it an error's line, comes behind the log
        said.enter_context(libraries_heard(sys.stderr))
        out = said.enter_context(closing(Scribe(LastingSink(StreamSink(sys.stdout), told))))
        log = out
        if sys.stdout.isatty():
            file = FileSink(settings.data_dir / LOG_FILE)
            log = said.enter_context(closing(Scribe(LastingSink(file, told))))
        return drive(_run(settings, out, log, fresh=fresh, adopt=adopt, serve=serve))


async def _run(
    settings: Settings, out: Scribe, log: Scribe, *, fresh: bool, adopt: bool, serve: Serve
) -> int:
    redactor = Redactor(_secrets(settings))
    notices = logs.configure(
        redactor, log, level=logs.LEVELS[settings.log.level], console=settings.log.format == "console"
    )
    asyncio.get_running_loop().set_exception_handler(_loop_exception)
    embedded = judge(settings)
    _refuse_unusable_data_dir(settings)
    stop = _stop_on_signals()
    async with AsyncExitStack() as stack:
        listener = _reserve_port(settings)
        stack.callback(listener.close)
        if fresh:
            _start_afresh(settings)
        operations = Operations(settings.mode)
        operations.redactor = redactor
        redactor.watch(operations.unpublished)
        # From the start on: unheard, the signal would end a process that stands by.
        reload_on_hangup(operations)
        await stack.enter_async_context(serve(operations, listener))
        structlog.get_logger().info("serving", url=_url(listener))
        manager = ServiceManager()
        manager.ready(f"mode {settings.mode}, serving {_url(listener)}")
        pulse = Supervisor()
        stack.push_async_callback(pulse.stop)
        if manager.watchdog_s is not None:
            pulse.every(manager.watchdog_s / 2, manager.alive)
        operations.service_manager = manager
        if log is not out:
            watcher = Supervisor()
            stack.push_async_callback(watcher.stop)
            table = LiveTable(_header(settings, listener), out, operations, notices)
            stack.callback(table.close)
            watcher.every(REFRESH_S, table.refresh)
        lives = Lives()
        while await _live(settings, embedded, operations, stop, out, adopt=adopt) is _Ending.LOST:
            # The next life is by what was reloaded, and adopts nothing anew.
            if operations.reloader is not None:
                settings, adopt = operations.reloader.settings, False
            operations.forget()
            await _unless_stopping(lives.pause_s(monotonic_s()), stop)
    return 0


class _Ending(Enum):
    STOPPED = "stopped"
    LOST = "lost"


async def _live(
    settings: Settings,
    embedded: "Embedded | None",
    operations: Operations,
    stop: asyncio.Event,
    out: Scribe,
    *,
    adopt: bool,
) -> _Ending:
    """From the journal to the end, or until the accounts are lost to another process or with the database.

    Whoever lost them knows nothing any more: the next life begins as every start does, with the journal.
    """
    world: World | None = None
    supervisor = Supervisor()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(supervisor.stop)
        supervisor.keep("public feed", operations.feed.run)
        opening = asyncio.create_task(_open(stack, settings, embedded, operations, supervisor, adopt=adopt))
        try:
            world = await _unless_stopped(opening, stop)
            ours = world is None or await _until_done(world, stop, at_end=settings.paper.exit_at_end)
            if not ours:
                operations.give_up()
                return _Ending.LOST
            if world is not None:
                await _park(operations, world)
                if world.ownership.journal is not None:
                    keep_at_stop(world.ownership.journal, [runner.name for runner in operations.runners])
        except JournalUnavailable as error:  # while it was read
            if settings.database_url is None:
                raise
            await _pause(error, stop)
            return _Ending.LOST
        finally:
            await supervisor.stop()  # before the stack closes what the tasks would miss
        structlog.get_logger().info("stopping", parked=world is not None)
        if world is not None:
            out.last_words = _goodbye(settings, operations, world)
    return _Ending.STOPPED


async def _pause(error: JournalUnavailable, stop: asyncio.Event) -> None:
    """Say why the next life begins, and wait a little: one that fails at once would flood log and venue."""
    structlog.get_logger().warning("database_unreachable", reason=str(error), retry_in_s=_AGAIN_S)
    await _unless_stopping(_AGAIN_S, stop)


async def _unless_stopping(pause_s: float, stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(pause_s):
            await stop.wait()


async def _open(
    stack: AsyncExitStack,
    settings: Settings,
    embedded: "Embedded | None",
    operations: Operations,
    supervisor: Supervisor,
    *,
    adopt: bool,
) -> World:
    log = structlog.get_logger()
    for warning in settings.warnings:
        log.warning("setting_questionable", warning=warning)
    arm_kill_switch(settings.data_dir, operations, supervisor)  # first of all: what follows may take hours
    alive = operations.service_manager.working
    world = await open_world(stack, settings, embedded, supervisor, operations.stand_by, alive)
    operations.attach(world.timers, world.pacer)
    add_metrics(settings, world, operations, supervisor)
    if world.pacer is not None:
        supervisor.keep("pacing", world.pacer.run)
    prepared = await prepare_funds(settings, world)
    if prepared:
        await _record_nav(stack, world, operations, supervisor, [fund.name for fund in settings.funds])
        keeper = ProjectionKeeper(settings)
        operations.listeners.append(keeper.heard)
        supervisor.keep("projections", keeper.run)
    # From its first step to the end of this function nothing is awaited: no mark passes a fund by, and nobody
    # stops us, while something is not there yet.
    places = take_up_funds(prepared, settings, world, operations, supervisor, adopt=adopt)
    supervisor.every(RECONCILE_EVERY_S, operations.reconcile)
    add_alerts(stack, settings, world, operations, supervisor, places)
    DiskWatch(settings.data_dir, settings.least_free_mb, operations).watch(supervisor)
    add_control(settings, operations)
    settle_garbage()
    log.info("running", funds=[runner.name for runner in operations.runners])
    return world


async def _record_nav(
    stack: AsyncExitStack, world: World, operations: Operations, supervisor: Supervisor, funds: list[str]
) -> None:
    world.ownership.open()  # the folder comes into being with the journal
    store = world.ownership.nav_store()
    recorder = NavRecorder(store)

    def leave() -> None:
        if world.ownership.lost.is_set():
            recorder.abandon(store.close)
        else:
            recorder.close()
            store.close()

    stack.callback(leave)
    await recorder.resume(funds)
    operations.public.recorder = recorder
    stack.callback(setattr, operations.public, "recorder", None)
    supervisor.keep("nav history", recorder.run)


async def _unless_stopped(opening: asyncio.Task[World], stop: asyncio.Event) -> World | None:
    """The world once it is open; None if a signal came first."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((opening, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if opening.done():
        return opening.result()
    opening.cancel()
    await asyncio.wait((opening,))
    return None


async def _until_done(world: World, stop: asyncio.Event, *, at_end: bool) -> bool:
    """Until a signal, the end of the replay if that is wished, or the failure of our own exchange.

    False if it was because the accounts are no longer ours.
    """
    lost = asyncio.create_task(world.ownership.lost.wait())
    waits: list[asyncio.Task[object]] = [asyncio.create_task(stop.wait()), lost]
    if at_end and world.pacer is not None:
        waits.append(asyncio.create_task(world.pacer.ended.wait()))
    if world.exchange is not None:
        waits.append(asyncio.create_task(paper.failure(world.exchange)))
    done, rest = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in rest:
        wait.cancel()
    for wait in done:
        wait.result()
    return lost not in done


async def _park(operations: Operations, world: World) -> None:
    """Send nothing more, await what is under way, and leave every fund where the next start goes on."""
    operations.service_manager.stopping()
    if world.pacer is not None:
        world.pacer.hold()
    for runner in operations.runners:
        runner.handle(Park(*runner.now(), market_waits=world.pacer is not None))
    waits = [asyncio.create_task(runner.wait_quiet()) for runner in operations.runners]
    if waits:
        _, late = await asyncio.wait(waits, timeout=PARK_WITHIN_S)
        if late:
            structlog.get_logger().warning(
                "stopped_with_unknown_outcome", remedy="the next start resolves it"
            )
        for wait in late:
            wait.cancel()
    operations.give_up()


def _goodbye(settings: Settings, operations: Operations, world: World) -> str:
    """With `EXIT_AT_END` standard output ends with one JSON line: funds, end of the replay, incidents."""
    if not settings.paper.exit_at_end or world.pacer is None:
        return ""
    end_ms = world.pacer.end_ms
    summary = {
        "funds": operations.status(),
        "replay_end": time_or_null(end_ms),
        "incidents": operations.incidents(),
    }
    return orjson.dumps(summary).decode() + "\n"


def _header(settings: Settings, listener: socket.socket) -> str:
    return f"inband  {_url(listener)}  data in {settings.data_dir}  Ctrl-C parks and stops"


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _loop_exception(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody awaited (a callback of a library, a forgotten task) is told, never lost.

    Errors of ccxt carry signed addresses in their text, so only their class is told.
    """
    error = context.get("exception")
    foreign = error is not None and type(error).__module__.startswith("ccxt")
    structlog.get_logger().error(
        "unhandled_exception",
        what=context.get("message"),
        error=type(error).__name__,
        exc_info=None if foreign else error,
    )


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def _refuse_unusable_data_dir(settings: Settings) -> None:
    """Unwritable, or in use; before the port is tried, which whoever uses it holds too."""
    refuse_unwritable(settings.data_dir)
    if (settings.data_dir / LOCK_FILE).exists():
        DataDirLock(settings.data_dir).release()


def _reserve_port(settings: Settings) -> socket.socket:
    host, port = settings.web.host, settings.web.port
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"INBAND_WEB__PORT={port} is in use on {host}; choose another port, or 0 for any"
            ) from None
        raise UserError(f"INBAND_WEB__HOST={host}: cannot listen there ({error.strerror})") from None
    return listener


def _start_afresh(settings: Settings) -> None:
    if settings.database_url is not None:
        raise UserError(
            "--fresh archives files, and the journal is in PostgreSQL: make a new database, and set "
            "INBAND_DATABASE_URL to it and INBAND_DATA_DIR to a new folder"
        )
    names = (JOURNAL_FILE, NAV_FILE, OUTBOX_FILE, *paper.store_names())
    folder = archive(settings.data_dir, names, datetime.now(UTC))
    if folder is not None:
        structlog.get_logger().info("archived", folder=str(folder))


def _secrets(settings: Settings) -> list[str]:
    found = [settings.web.token, settings.journal_key, settings.database_url]
    if settings.mode != "paper":
        for account in settings.accounts.values():
            found += [account.api_key, account.secret, account.password]
    return [secret for secret in found if secret] + settings.alerts.addresses
