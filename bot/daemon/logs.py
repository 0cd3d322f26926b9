"""The log: structlog, JSON lines, one event name per fact, secrets masked by value."""

import logging
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, TextIO

import orjson
import structlog

_MASK = "***"
_SHORTEST = 6
"""A shorter secret would mask ordinary words; the paper exchange's own keys are not registered at all."""


def configure(secrets: Iterable[str], stream: TextIO | None = None, *, level: int = logging.INFO) -> None:
    """Send the log to `stream` (default: standard output) as JSON lines, with `secrets` masked."""
    masked = tuple(secret for secret in secrets if len(secret) >= _SHORTEST)

    def mask(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for name, value in fields.items():
            if isinstance(value, str):
                for secret in masked:
                    if secret in value:
                        value = value.replace(secret, _MASK)  # noqa: PLW2901 - several secrets may occur in it
                fields[name] = value
        return fields

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            mask,
            structlog.processors.JSONRenderer(serializer=_dump),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream if stream is not None else sys.stdout),
        cache_logger_on_first_use=True,
    )


def _dump(fields: dict[str, Any], **_: Any) -> str:
    return orjson.dumps(fields, default=str).decode()
