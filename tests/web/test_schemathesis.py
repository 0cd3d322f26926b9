"""Requests that the description allows, and those that it forbids, by the hundred, against a real daemon."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.generation.case import Case

from tests.support.inband import Inband, Process

TOKEN = "operator-token-0123456789"
ENDLESS = {"/api/v1/stream", "/api/v1/operator/stream"}
"""Server-sent events do not end; test_stream.py and test_operator_stream.py read them."""


class Daemon(NamedTuple):
    """A daemon in paper mode, and where it serves."""

    url: str
    process: Process


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One for all tests."""
    inband = Inband(tmp_path_factory.mktemp("daemon"), WEB__TOKEN=TOKEN, PAPER__SPEED="60")
    with inband.start() as process:
        url = process.until_said("serving")["url"]
        process.until_said("running")
        yield Daemon(url, process)


def takes_anything(operation: Any) -> bool:
    """Whether nothing about a request can be wrong: no body, no token, and any text is a name or an etag.

    Else Hypothesis would look for a wrong one five hundred times.
    """
    names = {parameter.name for parameter in operation.iter_parameters()}
    return not operation.body and names <= {"fund", "If-None-Match"}


@pytest.mark.parametrize("headers", [{}, {"Authorization": f"Bearer {TOKEN}"}], ids=["stranger", "operator"])
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_no_request_is_our_fault(daemon: Daemon, mode: GenerationMode, headers: dict[str, str]) -> None:
    """Every operation, with values that fit and values that do not: never a 5xx, nothing that hangs.

    But `/readyz` may say that it is not ready, as a daemon does to which the machine gives no time.
    """
    schema = schemathesis.openapi.from_url(f"{daemon.url}/openapi.json", timeout=60)
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
            answer: Any = case.call(headers=headers, timeout=60)
            answered += 1
            if (case.path, answer.status_code) != ("/readyz", 503):
                assert answer.status_code < 500, (case.method, case.path, answer.status_code, answer.text)

        ask()
    assert len(operations) > 20
    assert answered > 60
    assert daemon.process.running
    assert daemon.process.lines("request_failed") == []
    assert daemon.process.lines("fund_stopped") == []
