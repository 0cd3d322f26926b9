"""Requests that the description allows, and those that it forbids, by the hundred, against a real daemon."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.generation.case import Case

from tests.support.inband import Inband, Process

TOKEN = "operator-token-0123456789"
ENDLESS = {"/api/v1/stream", "/api/v1/operator/stream"}
"""Server-sent events do not end; test_stream.py and test_operator_stream.py read them."""


class Daemon:
    """A daemon in paper mode, and its description."""

    def __init__(self, folder: Path) -> None:
        """Running once the context is entered."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._inband = Inband(folder, WEB__PORT=str(self.port), WEB__TOKEN=TOKEN, PAPER__SPEED="60")

    def start(self) -> Process:
        """The daemon's process."""
        return self._inband.start()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, Process]]:
    """One for all tests."""
    daemon = Daemon(tmp_path_factory.mktemp("daemon"))
    with daemon.start() as process:
        process.until_said("running")
        yield daemon, process


def takes_anything(operation: Any) -> bool:
    """Whether nothing about a request can be wrong: no body, no token, and any text is a name or an etag.

    Else Hypothesis would look for a wrong one five hundred times.
    """
    names = {parameter.name for parameter in operation.iter_parameters()}
    return not operation.body and names <= {"fund", "If-None-Match"}


@pytest.mark.parametrize("headers", [{}, {"Authorization": f"Bearer {TOKEN}"}], ids=["stranger", "operator"])
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_no_request_is_our_fault(
    daemon: tuple[Daemon, Process], mode: GenerationMode, headers: dict[str, str]
) -> None:
    """Every operation, with values that fit and values that do not: never a 5xx, nothing that hangs."""
    at, process = daemon
    schema = schemathesis.openapi.from_url(f"{at.url}/openapi.json")
    answered = 0
    found: Any = schema.get_all_operations()
    operations = [result.ok() for result in found]
    for operation in operations:
        if operation.path in ENDLESS or (mode is GenerationMode.NEGATIVE and takes_anything(operation)):
            continue

        @settings(
            max_examples=6,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case[Any]) -> None:
            nonlocal answered
            answer: Any = case.call(headers=headers, timeout=10)
            answered += 1
            assert answer.status_code < 500, (case.method, case.path, answer.status_code, answer.text)

        ask()
    assert len(operations) > 20
    assert answered > 60
    assert process.running
    assert process.lines("request_failed") == []
    assert process.lines("fund_stopped") == []
