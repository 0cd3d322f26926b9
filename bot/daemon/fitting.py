"""Fitting out a daemon for the people who run it: what it measures, and whom it obeys."""

from shutil import disk_usage

from bot.daemon.metrics import Metrics
from bot.daemon.operations import Operations
from bot.daemon.reload import Reloader, reload_on_hangup
from bot.daemon.supervision import Supervisor
from bot.daemon.token import operator_token
from bot.daemon.wiring import World
from bot.settings import Settings, load_settings


def measure(settings: Settings, world: World, operations: Operations, supervisor: Supervisor) -> None:
    """Before the funds are taken up: count and time what they do from their first step on."""
    metrics = Metrics(operations, rate_budget=lambda: world.venue.rate_budget)
    metrics.gauge(
        "disk_free_bytes", "Free in the data directory.", lambda: disk_usage(settings.data_dir).free
    )
    operations.metrics = metrics
    operations.listeners.append(metrics.count)
    supervisor.keep("loop watch", metrics.watch_loop)


def obey(settings: Settings, operations: Operations) -> None:
    """Once the funds are at work: listen to operators, by token and signal."""
    if operations.runners:
        operations.operator_token = operator_token(settings.data_dir, settings.web.token)
    operations.reloader = Reloader(settings, load_settings, operations)
    reload_on_hangup(operations)
