"""Whether a mark can be believed: age, silence, clocks, index, and a price that stands still."""

from decimal import Decimal
from typing import Any

import pytest

from bot.core.breaches import KEY_REFUSED
from bot.core.engine import SETTINGS
from bot.core.events import Controlled, FeedLost, Mark, ReadFailed, Wake
from bot.core.limits import SubmitOrder
from bot.core.records import Control
from bot.core.trust import MAX_MARK_AGE_MS, MAX_SKEW_MS, blind, contradicts, doubt
from bot.core.watch_events import ClockSeen, SettingsSeen
from bot.testing import Lab

D = Decimal
FROZEN_MS = 300_000
STALE, APART = "mark price is stale", "our clock and the venue's are apart"


def judged(*, now_ms: int = 0, skew_ms: int = 0, feed_trusted: bool = True, **mark: Any) -> str | None:
    """What is said against a mark of 100 at time zero."""
    return doubt(Mark(0, 0, D(100), **mark), now_ms, skew_ms, FROZEN_MS, feed_trusted=feed_trusted)


def sent(lab: Lab) -> list[SubmitOrder]:
    """Every order that was sent."""
    return [command for command in lab.commands if isinstance(command, SubmitOrder)]


@pytest.mark.parametrize(
    ("circumstances", "reason"),
    [
        ({}, None),
        ({"feed_trusted": False}, "mark price feed is silent"),
        ({"now_ms": MAX_MARK_AGE_MS}, None),
        ({"now_ms": MAX_MARK_AGE_MS + 1}, STALE),
        ({"lag_ms": MAX_MARK_AGE_MS}, None),
        ({"lag_ms": MAX_MARK_AGE_MS + 1}, STALE),
        ({"lag_ms": -MAX_SKEW_MS}, None),
        ({"lag_ms": -MAX_SKEW_MS - 1}, APART),
        ({"skew_ms": MAX_SKEW_MS}, None),
        ({"skew_ms": MAX_SKEW_MS + 1}, APART),
        ({"skew_ms": -MAX_SKEW_MS - 1}, APART),
        ({"still_ms": FROZEN_MS - 1}, None),
        ({"still_ms": FROZEN_MS}, "mark price does not move"),
        ({"index_price": D("95.2")}, "mark and index price contradict each other"),
    ],
)
def test_each_doubt_has_its_bound(circumstances: dict[str, Any], reason: str | None) -> None:
    """The bounds themselves are still believed, but the one of a price that stands still."""
    assert judged(**circumstances) == reason


@pytest.mark.parametrize(
    ("index", "contradicted"),
    [(None, False), ("100", False), ("105", False), ("105.3", True), ("95.3", False), ("95.2", True)],
)
def test_mark_and_index_may_be_a_twentieth_apart(index: str | None, *, contradicted: bool) -> None:
    """Of the index, either way; a venue that states none contradicts nothing."""
    assert contradicts(D(100), None if index is None else D(index)) is contradicted


@pytest.mark.parametrize(
    ("age_ms", "feed_trusted", "is_blind"),
    [(20_000, True, False), (MAX_MARK_AGE_MS, False, False), (MAX_MARK_AGE_MS + 1, False, True)],
)
def test_blind_is_a_lost_stream_and_no_mark_by_rest(
    age_ms: int, *, feed_trusted: bool, is_blind: bool
) -> None:
    """Sparse marks of a living stream are enough to reduce by."""
    assert blind(Mark(0, 0, D(100)), age_ms, feed_trusted=feed_trusted) is is_blind


def test_a_delever_goes_on_while_marks_come_by_rest_and_waits_while_none_do() -> None:
    """The stream is lost in the middle of it: a few seconds on the last mark, then not without a new one."""
    lab = Lab()
    lab.settle()
    lab.mark("44900")
    lab.send(FeedLost(*lab.now, "a test"))
    count = len(sent(lab))
    lab.send(Wake(lab.time_ms + 9_000, lab.wall_ms))
    assert len(sent(lab)) == count + 1
    lab.send(Wake(lab.time_ms + 60_000, lab.wall_ms))
    assert len(sent(lab)) == count + 1
    lab.mark("44900", after_s=70)
    assert len(sent(lab)) == count + 2


def test_clocks_that_are_apart_stop_increases_and_say_so() -> None:
    """An incident, no breach: it ends when they agree again."""
    lab = Lab()
    lab.settle()
    lab.send(ClockSeen(*lab.now, 2_500))
    assert "2500 ms ahead" in lab.state.book.incidents["clock skew"].detail
    count = len(sent(lab))
    lab.mark("92000")
    assert len(sent(lab)) == count
    lab.send(ClockSeen(*lab.now, -2_000))
    assert lab.state.book.incidents == {}
    assert len(sent(lab)) == count + 1
    lab.send(ClockSeen(*lab.now, -2_500))
    assert "-2500 ms ahead" in lab.state.book.incidents["clock skew"].detail


def test_an_account_that_is_set_otherwise_stops_increases_until_it_is_set_back() -> None:
    """No operator is needed once it is as it was."""
    lab = Lab()
    lab.settle()
    lab.send(SettingsSeen(*lab.now, "the account has hedge mode"))
    assert "hedge mode" in lab.state.book.incidents[SETTINGS].detail
    count = len(sent(lab))
    lab.mark("92000")
    assert len(sent(lab)) == count
    lab.send(SettingsSeen(*lab.now, None))
    assert lab.state.book.incidents == {}
    assert len(sent(lab)) == count + 1


def test_no_increase_is_sent_before_settings_that_were_resumed_are_read() -> None:
    """An operator says that they are right; the account says it, too, or the incident comes back."""
    lab = Lab()
    lab.settle()
    lab.send(SettingsSeen(*lab.now, "the account has hedge mode"))
    lab.send(Controlled(*lab.now, Control.RUNNING, "ann", "set back"))
    assert lab.state.book.incidents == {}
    count = len(sent(lab))
    lab.mark("92000")
    assert len(sent(lab)) == count
    twin = lab.fork()
    twin.send(SettingsSeen(*twin.now, "the account has hedge mode"))
    assert twin.state.book.breaches == (SETTINGS,)
    assert len(sent(twin)) == count
    lab.send(SettingsSeen(*lab.now, None))
    assert len(sent(lab)) == count + 1


def test_a_key_that_is_refused_stops_increases() -> None:
    """A read that failed otherwise says nothing."""
    lab = Lab()
    lab.settle()
    lab.send(ReadFailed(*lab.now, "FetchAccount", "timeout"))
    assert lab.state.book.incidents == {}
    lab.send(ReadFailed(*lab.now, "FetchAccount", "-2015: Invalid API-key", refused=True))
    assert lab.state.book.breaches == (KEY_REFUSED,)
