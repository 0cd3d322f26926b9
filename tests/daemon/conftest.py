"""The log of a test, as lines."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from bot.daemon import logs
from bot.daemon.redaction import Redactor
from tests.support.desk import Desk

Logged = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def logged() -> Iterator[Logged]:
    """What has been logged so far."""
    sink = io.StringIO()
    logs.configure(Redactor(), sink)
    yield lambda: [json.loads(line) for line in sink.getvalue().splitlines()]
    structlog.reset_defaults()


@pytest.fixture
def desk() -> Desk:
    """Journal and gateway of a default fund."""
    return Desk()
