"""Waking funds at market times: by the wall clock, or through the pacing endpoint of a paper exchange."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from bot.core.events import Wake
from bot.daemon.runner import Runner


class Timers(Protocol):
    """Hears of every change of a fund, and sees to it that the fund gets an event at its `wake_ms`."""

    def changed(self, runner: Runner) -> None:
        """The fund's wake time, or whether it is quiet, may have changed."""
        ...

    def hold(self) -> None:
        """Wake nobody any more."""
        ...


class WallTimers:
    """Testnet and live: one timer per fund in the event loop."""

    def __init__(self) -> None:
        """No fund wants to be woken yet."""
        self._timers: dict[str, tuple[int, asyncio.TimerHandle]] = {}
        self._held = False

    def changed(self, runner: Runner) -> None:
        """Set the fund's timer anew if its wake time changed; one that stopped is never woken again."""
        wake_ms = runner.state.wake_ms if runner.failure is None else None
        timer = self._timers.get(runner.name)
        if timer is not None:
            if timer[0] == wake_ms:
                return
            timer[1].cancel()
            del self._timers[runner.name]
        if wake_ms is not None and not self._held:
            delay_s = max(0.0, (wake_ms - runner.now()[0]) / 1000)
            handle = asyncio.get_running_loop().call_later(delay_s, self._ring, runner)
            self._timers[runner.name] = (wake_ms, handle)

    def hold(self) -> None:
        """Wake nobody any more: a fund of ours that woke later would act on what others have moved since."""
        self._held = True
        for _, handle in self._timers.values():
            handle.cancel()
        self._timers.clear()

    def _ring(self, runner: Runner) -> None:
        self._timers.pop(runner.name, None)
        runner.handle(Wake(*runner.now()))
        self.changed(runner)


def earliest(runners: Sequence[Runner]) -> int | None:
    """The earliest wake time among the funds."""
    return min(
        (r.state.wake_ms for r in runners if r.state.wake_ms is not None and r.failure is None), default=None
    )
