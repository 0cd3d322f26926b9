"""What must not be said is not said, however it is written; what may be said stays readable."""

import io
from base64 import b64encode, urlsafe_b64encode
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import events as ev
from bot.core import records as rec
from bot.core.history import RebalanceHistory
from bot.daemon import logs
from bot.daemon.operations import Operations
from bot.daemon.redaction import MASK, TELLING, Redactor, unpublished
from bot.testing import Lab
from tests.support.desk import Desk

TARGET = "2.123456789"
TOKEN = "tok/en+canary=0123456789"
SALT = "00ff" * 16


@pytest.mark.parametrize(
    "text",
    [
        TARGET,
        "2.1234567890000",
        "+02.123456789",
        "2123456789",
        "212.3456789",
        "0.2123456789e1",
        "2.123456789E0",
        "21234567890",
        TARGET.encode().hex(),
        TARGET.encode().hex().upper(),
        TOKEN,
        quote(TOKEN, safe=""),
        b64encode(TOKEN.encode()).decode(),
        b64encode(b"x" + TOKEN.encode() + b"yz").decode(),
        urlsafe_b64encode(b"ab" + TOKEN.encode()).decode(),
        SALT.upper(),
        b64encode(bytes.fromhex(SALT)).decode(),
    ],
)
def test_a_secret_is_masked_however_it_is_written(text: str) -> None:
    """In the middle of a sentence, in a list in a mapping, and alone."""
    redactor = Redactor([TARGET, TOKEN, SALT])
    told = redactor.fields({"event": f"before {text}, after", "more": {"list": [text]}})
    assert told["event"].startswith("before ")
    assert told["event"].endswith(", after")
    assert MASK in told["event"]
    for secret in (TARGET, "123456789", TOKEN, SALT):
        assert secret.lower() not in str(told).lower()


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_base64_at_any_offset_is_recognised(before: bytes, after: bytes) -> None:
    """Whatever stands before and after: the bytes that the secret alone decides are masked."""
    text = b64encode(before + TOKEN.encode() + after).decode()
    assert MASK in Redactor([TOKEN]).text(text)


@pytest.mark.parametrize(
    "value", [Decimal(TARGET), 2.123456789, Decimal("2.12345678900"), (Decimal(TARGET),)]
)
def test_numbers_are_judged_by_what_they_would_say(value: Any) -> None:
    """A number whose text would be masked is masked; others stay numbers."""
    told = Redactor([TARGET]).fields({"x": value, "y": 2.5, "z": True, "n": None})
    assert MASK in str(told["x"])
    assert (told["y"], told["z"], told["n"]) == (2.5, True, None)


def test_fields_are_masked_by_name_at_any_depth() -> None:
    """Whatever they hold, and whether it is registered or not."""
    told = Redactor().fields({"token": "x", "deep": {"position": 1, "fine": "ok"}, "event": "target"})
    assert told == {"token": MASK, "deep": {"position": MASK, "fine": "ok"}, "event": "target"}
    sealed = {name for names in rec.SEALED.values() for name in names}
    assert sealed - TELLING <= {"key"}  # a key is registered by its value: the word has other meanings


@pytest.mark.parametrize("text", ["topped up", "2.5", "at 12:30", "2026-01-01T00:00:00Z", "100000"])
def test_what_is_no_secret_stays(text: str) -> None:
    """Short words and round numbers are masked nowhere, even if a secret happens to be one."""
    assert Redactor(["up", "2.5", "1E+9", "", TARGET]).text(text) == text


def test_what_is_secret_changes_with_the_fund() -> None:
    """The next draw is secret, and the target of the rebalance under way; a revealed one is not."""
    lab = Lab()
    lab.settle()
    redactor = Redactor()
    redactor.watch(lambda: unpublished(lab.state.book))
    draw = lab.state.book.draws[0]
    assert redactor.text(f"{draw.u} {draw.salt} {lab.state.book.key}") == "*** *** ***"
    lab.mark("44900")
    target = str(lab.of(rec.RebalanceStarted)[-1].target)
    assert redactor.text(target) == MASK
    lab.settle()
    for _ in range(60):
        lab.mark("44900", after_s=3600)
    assert redactor.text(target) == target
    assert redactor.text(draw.salt) == draw.salt


def test_the_time_of_the_next_slice_is_secret_until_it_has_come() -> None:
    """Then the log tells of that very slice, and the line keeps its market time."""
    lab = Lab()
    lab.mark("60000")
    settled = next(record for record in reversed(lab.records) if isinstance(record, rec.SliceSettled))
    redactor = Redactor()
    redactor.watch(lambda: unpublished(lab.state.book))
    next_ms = settled.next_slice_ms
    assert next_ms > lab.now[0]
    assert redactor.fields({"market_ms": next_ms})["market_ms"] == MASK
    lab.mark("60000", after_s=(next_ms - lab.now[0]) / 1000)
    assert lab.of(rec.OrderIntended)[-1].time_ms == next_ms
    assert redactor.fields({"market_ms": next_ms})["market_ms"] == next_ms


async def test_the_traceback_of_a_fund_that_fails_holds_no_target(desk: Desk) -> None:
    """Whatever an error quotes: what is unpublished is masked, in the log and in the incident."""
    operations, sink = Operations("paper"), io.StringIO()
    redactor = operations.redactor
    redactor.watch(operations.unpublished)
    logs.configure(redactor, sink)
    runner = await desk.opened()
    operations.add(runner, RebalanceHistory(runner.name))
    await desk.until_flat_out(runner)
    runner.handle(ev.RebalanceAsked(*runner.now(), Decimal(TARGET), "ann", "a test"))
    draw = runner.state.book.draws[0]

    def broken(_what: str, _about: object) -> None:
        raise ValueError(f"{TARGET} and {draw.u} and {draw.salt}")

    desk.hurdle = broken
    for _ in range(20):
        desk.mark(runner, runner.now()[0] + 60_000)
        await runner.wait_quiet()
    assert runner.failure is not None
    assert "Traceback" in sink.getvalue()
    told = sink.getvalue() + str(operations.incidents())
    assert MASK in told
    for secret in (TARGET, draw.u.removeprefix("0."), draw.salt):
        assert secret not in told
