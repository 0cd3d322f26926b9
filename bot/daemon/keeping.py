"""When what the records fold to is kept: every few thousand records, and at a clean stop.

So a start reads the tail of the journal, however long the daemon ran. While funds are at work another process
does it (`bot.journal.keeping`), because folding and packing take many milliseconds of Python.
"""

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path

import orjson
import structlog

import bot
from bot.core.records import Record
from bot.daemon.runner import Runner
from bot.journal import projections
from bot.journal.errors import JournalError
from bot.journal.journal import Keeper
from bot.journal.keeping import Task
from bot.settings import Settings

KEEP_EVERY = 5_000
"""Records of one fund: months of one that trades as it should, and less than 0.1 s of a start."""

_LOOK_EVERY_S = 30.0
_WITHIN_S = 600.0
_ROOT = Path(bot.__file__).parent.parent


class ProjectionKeeper:
    """Counts what the funds write, and has it kept when it is enough."""

    def __init__(self, settings: Settings, *, every: int = KEEP_EVERY) -> None:
        """`every`: so many records of a fund are kept together."""
        self._settings = settings
        self._every = every
        self._written: Counter[str] = Counter()
        self._log = structlog.get_logger()

    def heard(self, runner: Runner, records: tuple[Record, ...]) -> None:
        """A fund wrote records; see `Operations.listeners`."""
        self._written[runner.name] += len(records)

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Have what is due kept. If that fails, it is told and tried again once as much has been written."""
        due = [fund for fund, count in self._written.items() if count >= self._every]
        if not due:
            return
        for fund in due:
            self._written[fund] = 0
        settings = self._settings
        task = Task(str(settings.data_dir.absolute()), settings.database_url, settings.journal_key, due)
        problem = await asyncio.to_thread(_keep_elsewhere, task)
        if problem is not None:
            self._log.warning("projections_not_kept", funds=due, reason=problem)


def keep_at_stop(journal: Keeper, funds: list[str]) -> None:
    """Keep what the funds have written, once nothing is under way; a stop does not fail by it."""
    for fund in funds:
        try:
            projections.refresh(journal, fund)
        except JournalError as error:
            structlog.get_logger().warning("projections_not_kept", funds=[fund], reason=str(error))


def _keep_elsewhere(task: Task) -> str | None:
    """Run the task in another process; what went wrong, if anything."""
    command, told = [sys.executable, "-m", "bot.journal.keeping"], orjson.dumps([*task])
    try:
        done = subprocess.run(  # noqa: S603 - this very program
            command,
            input=told,
            cwd=_ROOT,
            capture_output=True,
            timeout=_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    return None if done.returncode == 0 else said or f"the process ended with {done.returncode}"
