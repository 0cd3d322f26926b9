import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from bot.journal.nav_store import NAV_FILE, ROWS_OF_A_CHUNK, NavStore, Part, Row

MINUTE_MS = 60_000
DAY_MS = MINUTE_MS * ROWS_OF_A_CHUNK
LENGTHS = {"1m": MINUTE_MS}
COLUMNS: tuple[Literal["nav", "rest"], ...] = ("nav", "rest")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NavStore]:
    """An empty one."""
    store = NavStore(tmp_path / NAV_FILE)
    yield store
    store.close()


def row(time_ms: int, value: str = "1", shown: str | None = None) -> Row:
    """A bar of the minute; what is shown instead, if anything."""
    other = None if shown is None else f"[{time_ms},{shown}]"
    return Row("BTCUP", "1m", time_ms, f"[{time_ms},{value}]", f"[{time_ms},{value}]", other, other)


def read(store: NavStore, start_ms: int, end_ms: int, hidden_since_ms: int | None = None) -> list[str]:
    """The rows of NAV; the other part has the same."""
    nav, rest = (
        store.read("BTCUP", Part("1m", column), MINUTE_MS, start_ms, end_ms, hidden_since_ms)
        for column in COLUMNS
    )
    assert nav == rest
    return [json.dumps(row, separators=(",", ":")) for row in json.loads(nav)]


def written(store: NavStore, first: int, last: int, hidden: dict[str, int] | None = None) -> None:
    """Minutes from number `first` to `last`, one write each hour."""
    for start in range(first, last + 1, 60):
        rows = [row(number * MINUTE_MS) for number in range(start, min(start + 60, last + 1))]
        store.write(rows, LENGTHS, hidden or {})


def chunks(store: NavStore) -> int:
    """How many there are."""
    return int(store._connection.execute("SELECT count(*) FROM chunk").fetchone()[0])


def test_a_bar_is_written_over_until_it_is_over(store: NavStore) -> None:
    """The last word counts, and it is there for a later process."""
    store.write([row(0, "1")], LENGTHS, {})
    store.write([row(0, "2"), row(MINUTE_MS, "3")], LENGTHS, {})
    assert read(store, 0, DAY_MS) == ["[0,2]", "[60000,3]"]
    latest = store.latest("BTCUP", "1m")
    assert latest is not None
    assert (latest.start_ms, latest.nav) == (MINUTE_MS, "[60000,3]")
    assert store.latest("BTCDOWN", "1m") is None


@pytest.mark.parametrize(("start", "end"), [(0, 5_000), (1_400, 1_500), (1_441, 2_879), (100, 101), (7, 7)])
def test_packed_or_not_any_stretch_reads_the_same(store: NavStore, start: int, end: int) -> None:
    """Two days and a half: two chunks and single bars."""
    written(store, 0, 2 * ROWS_OF_A_CHUNK + 720)
    assert chunks(store) == 2
    expected = [f"[{n * MINUTE_MS},1]" for n in range(start, min(end, 2 * ROWS_OF_A_CHUNK + 721))]
    assert read(store, start * MINUTE_MS, end * MINUTE_MS) == expected


def test_what_is_hidden_is_not_packed_and_not_read(store: NavStore) -> None:
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


def test_the_space_that_bars_take_is_known(store: NavStore) -> None:
    """Of each interval, packed and not."""
    assert store.size("1m") == 0
    written(store, 0, ROWS_OF_A_CHUNK - 1)
    loose = store.size("1m")
    written(store, ROWS_OF_A_CHUNK, ROWS_OF_A_CHUNK)
    assert 0 < store.size("1m") < loose / 2
