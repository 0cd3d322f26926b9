"""What a daemon runs beside trading, for people: metrics, alerts, and the control of operators."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from shutil import disk_usage
from socket import gethostname

import structlog

from bot.daemon.alerts.messages import store_damaged, takeover
from bot.daemon.alerts.office import PostOffice
from bot.daemon.alerts.sender import problem, send
from bot.daemon.alerts.watch import LOOK_EVERY_S, Heartbeat, Lookout
from bot.daemon.metrics import Metrics
from bot.daemon.operations import Operations
from bot.daemon.reload import Reloader
from bot.daemon.supervision import Supervisor
from bot.daemon.token import operator_token
from bot.daemon.wiring import World
from bot.journal.outbox import OUTBOX_FILE, open_outbox
from bot.settings import Alerting, Settings, load_settings


def add_metrics(settings: Settings, world: World, operations: Operations, supervisor: Supervisor) -> None:
    """Before the funds are taken up: count and time what they do from their first step on."""
    metrics = Metrics(operations, rate_budget=lambda: world.venue.rate_budget)
    metrics.gauge(
        "disk_free_bytes", "Free in the data directory.", lambda: disk_usage(settings.data_dir).free
    )
    operations.metrics = metrics
    operations.hosts = world.venue.hosts
    operations.paper_url = settings.paper.url if world.exchange is None else world.exchange.url
    operations.listeners.append(metrics.count)
    supervisor.keep("loop watch", metrics.watch_loop)


def add_alerts(
    stack: AsyncExitStack,
    settings: Settings,
    world: World,
    operations: Operations,
    supervisor: Supervisor,
    began: dict[str, int],
) -> None:
    """Once the funds are at work: tell people, from what the last process may not have told on.

    A fund that nobody has been told of yet is told of from its place in `began` on. The store of alerts is
    opened beside the trading: one that cannot be is tried again, and holds nobody up.
    """

    async def alerts() -> None:
        if operations.office is None:
            await _open_office(stack, settings, world, operations, supervisor, began)
            await asyncio.to_thread(_judge_routes, _alerting(settings, operations))
        office = operations.office
        if office is not None:
            await office.run()

    supervisor.keep("alerts", alerts)
    heartbeat = Heartbeat(
        lambda: _alerting(settings, operations), lambda: not operations.unready(), operations.metrics
    )
    supervisor.keep("heartbeat", heartbeat.run)


def _judge_routes(alerting: Alerting) -> None:
    """Say now which routes nothing can be sent to: the first alert may be the one that matters."""
    for route in alerting.routes:
        wrong = problem(route.url)
        if wrong is not None:
            words = f"INBAND_ROUTES__{route.name}__URL: {wrong}, so nobody is told by it; correct it"
            structlog.get_logger().warning("setting_questionable", warning=words)


def _alerting(settings: Settings, operations: Operations) -> Alerting:
    """What applies by now: a reload may have changed it."""
    return settings.alerts if operations.reloader is None else operations.reloader.settings.alerts


async def _open_office(
    stack: AsyncExitStack,
    settings: Settings,
    world: World,
    operations: Operations,
    supervisor: Supervisor,
    began: dict[str, int],
) -> None:
    """Raises `sqlite3.Error` or `OSError` where the store cannot be opened now."""
    now_ms = world.clock.wall_ms()
    outbox, damaged = await asyncio.to_thread(open_outbox, settings.data_dir / OUTBOX_FILE, now_ms)
    office = PostOffice(
        outbox,
        _alerting(settings, operations),
        send,
        wall_ms=world.clock.wall_ms,
        redactor=operations.redactor,
        metrics=operations.metrics,
    )
    try:
        known = await office.open([runner.name for runner in operations.runners])
    except BaseException:
        office.close()
        raise
    stack.callback(office.close)
    stack.push_async_callback(office.finish)
    if damaged is not None:
        structlog.get_logger().error("alerts_lost", file=str(damaged))
        office.tell([store_damaged(damaged.name, now_ms)])
    journal = world.ownership.open()
    for runner in operations.runners:  # nothing is awaited from here on: no record is told twice, or never
        if office.catch_up(runner.name, journal, known[runner.name], began[runner.name]):
            before = world.ownership.taken_from
            office.tell([takeover(runner.name, gethostname(), before, now_ms)])
    operations.listeners.append(office.take)
    if operations.metrics is not None:
        operations.metrics.gauge("alerts_queued", "Alerts that wait.", lambda: office.waiting)
    operations.office = office
    supervisor.every(LOOK_EVERY_S, Lookout(operations, office, world.clock.wall_ms).look)


def add_control(settings: Settings, operations: Operations) -> None:
    """Once the funds are at work: listen to operators."""
    if operations.runners:
        operations.operator_token = operator_token(settings.data_dir, settings.web.token)
    operations.reloader = Reloader(settings, load_settings, operations, _taker(operations))


def _taker(operations: Operations) -> Callable[[Settings], None]:
    """New routes and thresholds apply to what is told from now on."""

    def take(settings: Settings) -> None:
        if operations.office is not None:
            operations.office.apply(settings.alerts)

    return take
