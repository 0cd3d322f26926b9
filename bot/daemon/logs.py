"""The log: structlog, one event name per fact (`bot.daemon.log_events`), secrets masked (`redaction`)."""

import logging
from collections import deque
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO, cast

import orjson
import structlog

from bot.daemon.log_sinks import LastingSink, Sink
from bot.daemon.redaction import Redactor

_KEPT_NOTICES = 4
_TIMED = structlog.processors.TimeStamper(fmt="iso", utc=True, key="at")

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
"""Levels by the names that the settings have for them."""


class Notices:
    """The latest warnings and errors, for the live table."""

    def __init__(self) -> None:
        """None yet."""
        self._lines: deque[str] = deque(maxlen=_KEPT_NOTICES)

    def take(self, fields: MutableMapping[str, Any]) -> None:
        """Remember a line of the log, if it is a warning or worse."""
        if fields.get("level") in {"warning", "error", "critical"}:
            about = fields.get("fund") or fields.get("host") or ""
            why = fields.get("reason") or fields.get("warning") or fields.get("remedy") or ""
            self._lines.append(" ".join(str(part) for part in (fields["event"], about, why) if part))

    def latest(self) -> list[str]:
        """The lines, oldest first."""
        return list(self._lines)


def configure(
    redactor: Redactor,
    sink: Sink,
    *,
    level: int = logging.INFO,
    console: bool = False,
) -> Notices:
    """Send the log to `sink`, one line each, without what must not be said.

    As JSON, for programs, or in words, for people who read a `console`. Returns the collector of the latest
    warnings.
    """
    notices = Notices()
    lasting = LastingSink(sink, lines_lost(console=console))

    def redact(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return redactor.fields(fields)

    def collect(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        notices.take(fields)
        return fields

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _TIMED,
            structlog.processors.format_exc_info,
            redact,
            collect,
            _rendered(console=console),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", lasting)),
        cache_logger_on_first_use=True,
    )
    return notices


def lines_lost(*, console: bool) -> Callable[[int], str]:
    """Makes the line that stands in the log for so many that are missing. Any thread may call it."""
    log = structlog.wrap_logger(
        structlog.testing.ReturnLogger(),
        processors=[structlog.processors.add_log_level, _TIMED, _rendered(console=console)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        cache_logger_on_first_use=False,
    )

    def tell(lines: int) -> str:
        return f"{log.warning('log_lines_lost', lines=lines)}\n"

    return tell


def _rendered(*, console: bool) -> Any:
    if console:
        return structlog.dev.ConsoleRenderer(colors=False, timestamp_key="at", sort_keys=False)
    return structlog.processors.JSONRenderer(serializer=_dump)


def _dump(fields: dict[str, Any], **_: Any) -> str:
    return orjson.dumps(fields, default=str).decode()
