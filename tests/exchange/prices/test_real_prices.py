"""Recorded market data as price sources; skipped where the data folder is not at hand."""

import csv
import gzip
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from bot.exchange.prices import open_funding, open_path
from bot.exchange.prices.replay import ReplayPath, load_replay

DATA = Path(__file__).parents[3].parent / "shared" / "data"
HOUR_MS = 3_600_000
CRASH_2025 = "BTCUSDT_perp_5m_2025-03-06_2025-04-13.csv.gz"
SPOT_2020 = "BTCUSDT_spot_1h_2020-01-01_2021-06-30.csv.gz"
FUNDING_2020 = "BTCUSDT_funding_8h_2020-01-01_2023-12-31.csv.gz"

pytestmark = pytest.mark.needs("shared")


def rows_of(name: str) -> list[dict[str, str]]:
    """Return the rows of a recorded file."""
    with gzip.open(DATA / name, "rt") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize(("name", "bar_ms"), [(CRASH_2025, 300_000), (SPOT_2020, HOUR_MS)])
def test_each_bar_of_a_real_file_is_met(name: str, bar_ms: int) -> None:
    """Every close is met exactly at the end of its bar, and every mark steps by at most 0.1 %."""
    path, rows = load_replay(DATA / name), rows_of(name)
    assert (len(path), path.bar_ms) == (len(rows), bar_ms)
    closes = {int(row["timestamp"]) + bar_ms: Decimal(row["close"]) for row in rows}
    lowest, time_ms, price = Decimal("inf"), path.start_ms, path.price_at(path.start_ms)
    limit = Decimal("0.001")
    while (next_ms := path.next_knot_after(time_ms)) is not None:
        following = path.price_at(next_ms)
        assert next_ms > time_ms
        assert abs(following - price) <= limit * price
        if next_ms in closes:
            assert closes.pop(next_ms) == following
        time_ms, price = next_ms, following
        lowest = min(lowest, price)
    assert closes == {}
    assert time_ms == path.end_ms
    assert lowest == min(Decimal(row["low"]) for row in rows)


def test_gaps_of_2020_are_crossed_hour_by_hour() -> None:
    """The 12 outages in the 2020 file, 24 hours in all, have a mark at least once an hour."""
    rows = rows_of(SPOT_2020)
    times_ms = [int(row["timestamp"]) for row in rows]
    gaps = [(a + HOUR_MS, b) for a, b in pairwise(times_ms) if b - a > HOUR_MS]
    assert (len(gaps), sum(b - a for a, b in gaps)) == (12, 24 * HOUR_MS)
    path = load_replay(DATA / SPOT_2020)
    opens = {int(row["timestamp"]): Decimal(row["open"]) for row in rows}
    for start_ms, end_ms in gaps:
        time_ms = start_ms
        while time_ms < end_ms:
            next_ms = path.next_knot_after(time_ms)
            assert next_ms is not None
            assert next_ms - time_ms <= HOUR_MS
            time_ms = next_ms
        assert time_ms == end_ms
        assert path.price_at(end_ms) == opens[end_ms]


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(file, id=file.name)
        for pattern in ("*_perp_1m_*", "*_perp_15m_*", "*_perp_1h_*", "*_mark_8h_*")
        for file in sorted(DATA.glob(pattern))
    ],
)
def test_every_recorded_file_of_bars_opens(file: Path) -> None:
    """All files of bars in the collection are accepted as they are."""
    path = open_path(replay=file)
    assert isinstance(path, ReplayPath)
    assert path.end_ms is not None
    assert path.end_ms - path.start_ms >= (len(path) - 1) * path.bar_ms


@pytest.mark.parametrize("file", [pytest.param(f, id=f.name) for f in sorted(DATA.glob("*_funding_8h_*"))])
def test_every_recorded_file_of_funding_opens(file: Path) -> None:
    """All recorded funding rates are paid in order, each on a whole hour, as they were written."""
    rows = rows_of(file.name)
    source = open_funding(file)
    time_ms = int(rows[0]["timestamp"]) - 60_000
    for row in rows:
        payment = source.next_after(time_ms)
        assert payment is not None
        time_ms, rate = payment
        assert 0 <= int(row["timestamp"]) - time_ms < 60_000
        assert time_ms % HOUR_MS == 0
        assert rate == Decimal(row["rate"])


def test_funding_past_the_record_is_zero() -> None:
    """After the last recorded payment the 8-hour grid goes on with rate 0."""
    last_ms = int(rows_of(FUNDING_2020)[-1]["timestamp"])
    due_ms, rate = open_funding(DATA / FUNDING_2020).next_after(last_ms) or (0, None)
    assert due_ms == last_ms // (8 * HOUR_MS) * 8 * HOUR_MS + 8 * HOUR_MS
    assert rate == 0
