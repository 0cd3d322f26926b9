"""For how long the venue told us to wait, kept in the data directory: a restart is no way round a ban."""

import os
from collections.abc import Callable
from pathlib import Path

import structlog

BACK_OFF_FILE = "venue-hold"
_LONGEST_S = 4 * 86_400.0
"""Binance bans for three days at most; a file that says more is not ours, or the clock was set."""


class FileBackOff:
    """One number: the wall time, in ms UTC, before which nothing may be sent."""

    def __init__(self, data_dir: Path, wall_ms: Callable[[], int]) -> None:
        """Nothing is read or written yet."""
        self._wall_ms = wall_ms
        self._file = data_dir / BACK_OFF_FILE

    def left_s(self) -> float:
        """How much of it is left; 0 when it is over, or was never said."""
        try:
            until_ms = int(self._file.read_text())
        except FileNotFoundError:
            return 0.0
        except (OSError, ValueError) as error:
            structlog.get_logger().warning("venue_hold_unreadable", file=str(self._file), reason=str(error))
            return 0.0
        return min(_LONGEST_S, max(0.0, (until_ms - self._wall_ms()) / 1000))

    def keep(self, seconds: float) -> None:
        """Nothing may be sent for so long, from now on; whole, or not at all."""
        until_ms = self._wall_ms() + int(seconds * 1000)
        structlog.get_logger().warning("venue_holds_us_back", seconds=round(seconds, 1))
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft = self._file.with_suffix(".tmp")
            draft.write_text(str(until_ms))
            os.replace(draft, self._file)  # noqa: PTH105 - Path.replace says less plainly what it does
        except OSError as error:
            structlog.get_logger().error("venue_hold_not_kept", file=str(self._file), reason=str(error))
