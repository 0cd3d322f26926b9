"""Looking at how an account is set, again and again: a mode or a leverage that is changed is noticed."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bot.core.events import SettingsSeen
from bot.daemon.runner import Runner
from bot.venue.errors import RequestFailed

LOOK_EVERY_S = 180.0


class SettingsWatch:
    """One account's settings, against those that it got before the first order."""

    def __init__(self, runner: Runner, look: Callable[[], Awaitable[str | None]]) -> None:
        """`look` says what differs, or raises `RequestFailed`."""
        self._runner = runner
        self._look = look

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                problem = await self._look()
            except RequestFailed as error:
                structlog.get_logger().warning("settings_not_read", fund=self._runner.name, reason=str(error))
                continue
            self._runner.handle(SettingsSeen(*self._runner.now(), problem))
