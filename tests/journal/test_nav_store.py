import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Literal

import pytest

from bot.journal.errors import JournalLost, JournalUnavailable
from bot.journal.nav_store import NAV_FILE, ROWS_OF_A_CHUNK, Bars, NavStore, Part, Row
from bot.journal.pg_nav import PostgresNavStore
from bot.journal.postgres import PostgresJournal
from tests.support.postgres import PostgresServer

from .stores import PostgresStore

MINUTE_MS = 60_000
DAY_MS = MINUTE_MS * ROWS_OF_A_CHUNK
LENGTHS = {"1m": MINUTE_MS}
COLUMNS: tuple[Literal["nav", "rest"], ...] = ("nav", "rest")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bars]:
    """An empty one of each kind in turn."""
    if request.param == "sqlite":
        made: Bars = NavStore(tmp_path / NAV_FILE)
        yield made
    else:
        place = PostgresStore(tmp_path, request.getfixturevalue("postgres"), f"nav_{next(_NUMBERS)}")
        made = owned(place)
        yield made
        place.close()
    made.close()


_NUMBERS = count(1)


def owned(place: PostgresStore) -> PostgresNavStore:
    """The history that goes with the journal of whoever takes the accounts now."""
    journal = place.open()
    assert isinstance(journal, PostgresJournal)
    return PostgresNavStore(place.url, journal.epochs)


@pytest.fixture
def place(tmp_path: Path, postgres: PostgresServer) -> Iterator[PostgresStore]:
    """A database for the journals of several hosts."""
    made = PostgresStore(tmp_path, postgres, f"nav_{next(_NUMBERS)}")
    yield made
    made.close()


def row(time_ms: int, value: str = "1", shown: str | None = None) -> Row:
    """A bar of the minute; what is shown instead, if anything."""
    other = None if shown is None else f"[{time_ms},{shown}]"
    return Row("BTCUP", "1m", time_ms, f"[{time_ms},{value}]", f"[{time_ms},{value}]", other, other)


def read(store: Bars, start_ms: int, end_ms: int, hidden_since_ms: int | None = None) -> list[str]:
    """The rows of NAV; the other part has the same."""
    nav, rest = (
        store.read("BTCUP", Part("1m", column), MINUTE_MS, start_ms, end_ms, hidden_since_ms)
        for column in COLUMNS
    )
    assert nav == rest
    return [json.dumps(row, separators=(",", ":")) for row in json.loads(nav)]


def written(store: Bars, first: int, last: int, hidden: dict[str, int] | None = None) -> None:
    """Minutes from number `first` to `last`, one write each hour."""
    for start in range(first, last + 1, 60):
        rows = [row(number * MINUTE_MS) for number in range(start, min(start + 60, last + 1))]
        store.write(rows, LENGTHS, hidden or {})


def chunks(store: Bars) -> int:
    """How many there are."""
    return int(store._ask("SELECT count(*) FROM chunk WHERE fund = ?", ("BTCUP",))[0][0])


def test_a_bar_is_written_over_until_it_is_over(store: Bars) -> None:
    """The last word counts, and it is there for a later process."""
    store.write([row(0, "1")], LENGTHS, {})
    store.write([row(0, "2"), row(MINUTE_MS, "3")], LENGTHS, {})
    assert read(store, 0, DAY_MS) == ["[0,2]", "[60000,3]"]
    latest = store.latest("BTCUP", "1m")
    assert latest is not None
    assert (latest.start_ms, latest.nav) == (MINUTE_MS, "[60000,3]")
    assert store.latest("BTCDOWN", "1m") is None


@pytest.mark.parametrize(("start", "end"), [(0, 5_000), (1_400, 1_500), (1_441, 2_879), (100, 101), (7, 7)])
def test_packed_or_not_any_stretch_reads_the_same(store: Bars, start: int, end: int) -> None:
    """Two days and a half: two chunks and single bars."""
    written(store, 0, 2 * ROWS_OF_A_CHUNK + 720)
    assert chunks(store) == 2
    expected = [f"[{n * MINUTE_MS},1]" for n in range(start, min(end, 2 * ROWS_OF_A_CHUNK + 721))]
    assert read(store, start * MINUTE_MS, end * MINUTE_MS) == expected


def test_what_is_hidden_is_not_packed_and_not_read(store: Bars) -> None:
    """From the rebalance on the public reads what it was shown; at the reveal the true bars, then packed."""
    store.write(
        [row(n * MINUTE_MS, "9", "8" if n >= 1_000 else None) for n in range(1_441)],
        LENGTHS,
        {"BTCUP": 1_000 * MINUTE_MS},
    )
    assert chunks(store) == 0
    hidden_since = 1_000 * MINUTE_MS + 5
    rows = read(store, 0, DAY_MS, hidden_since)
    assert rows[999].endswith(",9]")
    assert {text[-3:] for text in rows[1_000:]} == {",8]"}
    assert {text[-3:] for text in read(store, 0, DAY_MS)} == {",9]"}
    written(store, 2 * ROWS_OF_A_CHUNK, 2 * ROWS_OF_A_CHUNK + 1)
    assert chunks(store) == 2
    assert {text[-3:] for text in read(store, 0, DAY_MS)} == {",9]"}


def test_the_space_that_bars_take_is_known(store: Bars) -> None:
    """Of each interval, packed and not."""
    assert store.size("1m") == 0
    written(store, 0, ROWS_OF_A_CHUNK - 1)
    loose = store.size("1m")
    written(store, ROWS_OF_A_CHUNK, ROWS_OF_A_CHUNK)
    assert 0 < store.size("1m") < loose / 2


@pytest.mark.needs("postgresql")
def test_a_successor_has_the_history_and_the_one_before_adds_nothing(place: PostgresStore) -> None:
    """A host that takes the accounts over goes on with the bars; one that stalled writes none over them."""
    journal = place.open()
    assert isinstance(journal, PostgresJournal)
    before = PostgresNavStore(place.url, journal.epochs)
    written(before, 0, ROWS_OF_A_CHUNK + 10)
    journal.close()
    after = owned(place)
    latest = after.latest("BTCUP", "1m")
    assert latest is not None
    assert latest.start_ms == (ROWS_OF_A_CHUNK + 10) * MINUTE_MS
    assert len(read(after, 0, 2 * DAY_MS)) == ROWS_OF_A_CHUNK + 11
    with pytest.raises(JournalLost):
        before.write([row(latest.start_ms, "7")], LENGTHS, {})
    assert read(after, latest.start_ms, 2 * DAY_MS) == [latest.nav]
    before.close()
    after.close()


@pytest.mark.needs("postgresql")
def test_a_lost_session_is_made_anew(place: PostgresStore) -> None:
    """The server ends the session of the history alone: the next call has another."""
    store = owned(place)
    store.write([row(0, "1")], LENGTHS, {})
    place.outsider(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'inband nav'"
    )
    with pytest.raises(JournalUnavailable):
        store.write([row(0, "2")], LENGTHS, {})
    store.write([row(0, "2")], LENGTHS, {})
    assert read(store, 0, DAY_MS) == ["[0,2]"]
    store.close()
