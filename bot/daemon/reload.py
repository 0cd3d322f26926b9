"""Taking changed settings over while the funds run: all of them, or none.

What is read is judged whole first, as at a start. A fund whose rebalance is under way goes on by its old
settings until that is over. What only a start can change (accounts, keys, ports, which funds there are) makes
the reload refused, so that nobody believes it applies.
"""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bot.core.events import Reconfigured
from bot.daemon.operations import Operations
from bot.errors import RefusedError, UserError
from bot.settings import Settings
from bot.venue.preparation import smallest_leverage

_OF_FUNDS = frozenset({"BAND", "TARGET", "EMERGENCY", "START_LEVERAGE", "STRATEGY", "PARAMETERS"})
_GROUPS = ("INBAND_ALERTS__", "INBAND_ROUTES__")


class Reloader:
    """Holds the settings that apply, and replaces them."""

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Settings],
        operations: Operations,
        taken: Callable[[Settings], None] = lambda _: None,
    ) -> None:
        """`load` reads and judges them anew, or raises `SettingsError`; `taken` hears of those that apply."""
        self.settings = settings
        self._load = load
        self._operations = operations
        self._taken = taken

    def reload(self, author: str, why: str) -> dict[str, Any]:
        """Read the settings again; the names that changed, and the funds that take them over later.

        Raises `SettingsError` where they are wrong, `RefusedError` where a change takes a restart. Nothing is
        changed then.
        """
        new = self._load()
        changed = _changed(self.settings, new)
        self._refuse(new, changed)
        waiting = []
        for runner in self._operations.runners:
            fund = next(fund for fund in new.funds if fund.name == runner.name)
            digest = new.digest(fund.name)
            if digest != self.settings.digest(fund.name):
                runner.handle(Reconfigured(*runner.now(), fund, digest, author, why))
                if runner.state.live.settings is not None:
                    waiting.append(runner.name)
        self.settings = new
        self._taken(new)
        return {"changed": changed, "waiting": waiting}

    def _refuse(self, new: Settings, changed: list[str]) -> None:
        fixed = [name for name in changed if not _can_change(name)]
        old = self.settings
        if (old.accounts, old.web.token, old.journal_key) != (new.accounts, new.web.token, new.journal_key):
            fixed.append("a key or token")
        if fixed:
            raise RefusedError(f"{', '.join(fixed)}: takes a restart; nothing was changed")
        for runner in self._operations.runners:
            if runner.failure is not None:
                raise RefusedError(f"{runner.name} has stopped; repair what stopped it and restart")
            fund = next(fund for fund in new.funds if fund.name == runner.name)
            needed, has = smallest_leverage(fund.emergency), runner.state.contract.venue_leverage
            if needed > has:
                raise RefusedError(
                    f"INBAND_FUNDS__{fund.name}__EMERGENCY={fund.emergency}: needs venue leverage {needed}, "
                    f"the account has {has}, which only a start changes; nothing was changed"
                )


def reload_on_hangup(operations: Operations) -> None:
    """Reload on SIGHUP, as daemons do; what is wrong with the settings is told by the log alone."""

    def reload() -> None:
        with suppress(RefusedError, UserError):
            operations.reload("signal", "SIGHUP")

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)


def _changed(old: Settings, new: Settings) -> list[str]:
    """Names of settings that are not what they were, in the order of the table."""
    before, after = ({entry.name: entry.value for entry in each.effective} for each in (old, new))
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def _can_change(name: str) -> bool:
    group, _, part = name.rpartition("__")
    return name.startswith(_GROUPS) or (group.startswith("INBAND_FUNDS__") and part in _OF_FUNDS)
