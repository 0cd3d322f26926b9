"""The kill switch for those who are at the machine: a file, or a signal. The API has its own, `halt`."""

import asyncio
import signal
from pathlib import Path

from bot.daemon.operations import Operations
from bot.daemon.supervision import Supervisor

HALT_FILE = "halt"
"""While a file of this name is in the data directory, every fund is halted."""

_LOOK_EVERY_S = 1.0
_AUTHOR = "kill switch"


def arm_kill_switch(data_dir: Path, operations: Operations, supervisor: Supervisor) -> None:
    """Halt every fund while the file is there, from the start on, and once on SIGUSR1.

    A halt outlasts both: only the operator resumes, who removes the file first.
    """
    file = data_dir / HALT_FILE

    def still_pulled() -> str | None:
        return f"remove {file} first: while it is there every fund is halted" if file.exists() else None

    def look_for_halt_file() -> None:
        if file.exists():
            operations.halt_all(_AUTHOR, f"the file {HALT_FILE} is in the data directory")

    operations.still_pulled = still_pulled
    look_for_halt_file()
    supervisor.every(_LOOK_EVERY_S, look_for_halt_file)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, operations.halt_all, _AUTHOR, "signal SIGUSR1")
