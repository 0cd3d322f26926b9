import gzip
import math
import sys
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO, TextIOWrapper
from itertools import groupby, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.exchange.prices import KnotPath, open_path
from bot.exchange.prices.replay import ReplayPath, load_replay
from tests.support.examples import examples

MINUTE_MS = 60_000
START_MS = 1_700_000_040_000
LIMIT = Decimal("0.001")


@dataclass(frozen=True)
class Bar:
    """One bar as a file holds it."""

    time_ms: int
    opening: str
    high: str
    low: str
    close: str

    @property
    def corners(self) -> list[Decimal]:
        """The prices the path must touch, in order."""
        rising = Decimal(self.close) >= Decimal(self.opening)
        middle = [self.low, self.high] if rising else [self.high, self.low]
        return [Decimal(price) for price in (self.opening, *middle, self.close)]


def write_bars(folder: Path, bars: list[Bar]) -> Path:
    """Write a file of bars."""
    path = folder / "bars.csv"
    rows = [f"{bar.time_ms},{bar.opening},{bar.high},{bar.low},{bar.close}" for bar in bars]
    path.write_text("\n".join(["timestamp,open,high,low,close", *rows, ""]))
    return path


def write_closes(folder: Path, rows: list[tuple[int, str]]) -> Path:
    """Write a file of closes."""
    path = folder / "closes.csv"
    path.write_text("timestamp,close\n" + "".join(f"{time_ms},{close}\n" for time_ms, close in rows))
    return path


def knots(path: KnotPath) -> list[tuple[int, Decimal]]:
    """Return every knot of a path."""
    time_ms: int | None = path.start_ms
    found = []
    while time_ms is not None:
        found.append((time_ms, path.price_at(time_ms)))
        time_ms = path.next_knot_after(time_ms)
    return found


@st.composite
def bar_lists(draw: st.DrawFn) -> list[Bar]:
    """Between 2 and 8 one-minute bars, some missing, that jump and range by up to a sixth."""
    factor = st.integers(min_value=-150, max_value=150)
    cents, time_ms, bars = draw(st.integers(min_value=200, max_value=9_000_000)), START_MS, []
    texts: list[str] = []
    for _ in range(draw(st.integers(min_value=2, max_value=8))):
        prices = []
        for _ in range(4):
            cents = max(cents + cents * draw(factor) // 1000, 100)
            prices.append(cents)
        opening, *_, close = prices
        texts = [f"{price / 100:.2f}" for price in (opening, max(prices), min(prices), close)]
        bars.append(Bar(time_ms, *texts))
        time_ms += MINUTE_MS * draw(st.sampled_from((1, 1, 1, 2, 7)))
    # A regular pair at the end keeps one minute the most common spacing.
    return [*bars, *(Bar(time_ms + i * MINUTE_MS, *texts) for i in range(len(bars) + 1))]


@settings(max_examples=examples(40), deadline=None)
@given(bars=bar_lists())
def test_marks_step_by_at_most_a_thousandth(
    bars: list[Bar], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Successive knots are later in time, at most 0.1 % apart in price and at most a bar in time."""
    path = load_replay(write_bars(tmp_path_factory.mktemp("bars"), bars))
    for (time_ms, price), (next_ms, next_price) in pairwise(knots(path)):
        assert time_ms < next_ms <= time_ms + MINUTE_MS
        assert abs(next_price - price) <= LIMIT * price


@settings(max_examples=examples(40), deadline=None)
@given(bars=bar_lists())
def test_path_touches_the_corners_of_each_bar(
    bars: list[Bar], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each bar's path touches open, low, high and close in order, the close exactly at its end."""
    path = load_replay(write_bars(tmp_path_factory.mktemp("bars"), bars))
    walked = knots(path)
    for bar in bars:
        inside = [price for time_ms, price in walked if 0 <= time_ms - bar.time_ms <= MINUTE_MS]
        remaining = iter(inside)
        for corner, _ in groupby(bar.corners):
            assert corner in remaining
        after_open = inside[inside.index(bar.corners[0]) :]
        assert min(bar.corners) <= min(after_open) <= max(after_open) <= max(bar.corners)
        assert path.price_at(bar.time_ms + MINUTE_MS) == Decimal(bar.close)


@settings(max_examples=examples(40), deadline=None)
@given(bars=bar_lists(), data=st.data())
def test_queries_in_any_order_agree(
    bars: list[Bar], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A fresh path asked at random times answers as one that was walked from the start."""
    file = write_bars(tmp_path_factory.mktemp("bars"), bars)
    walked = knots(load_replay(file))
    fresh = load_replay(file)
    for index in data.draw(st.lists(st.integers(min_value=0, max_value=len(walked) - 2), max_size=30)):
        time_ms, price = walked[index]
        assert fresh.next_knot_after(time_ms) == walked[index + 1][0]
        assert fresh.price_at(time_ms) == price
        assert fresh.next_knot_after(walked[index + 1][0] - 1) == walked[index + 1][0]


@settings(max_examples=examples(40), deadline=None)
@given(bars=bar_lists(), share=st.floats(min_value=0, max_value=1))
def test_price_between_knots_lies_between_theirs(
    bars: list[Bar], share: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Between two knots the path is a straight line."""
    path = load_replay(write_bars(tmp_path_factory.mktemp("bars"), bars))
    assert path.end_ms is not None
    time_ms = path.start_ms + int((path.end_ms - 1 - path.start_ms) * share)
    after_ms = path.next_knot_after(time_ms)
    assert after_ms is not None
    walked = dict(knots(path))
    before_ms = max(knot for knot in walked if knot <= time_ms)
    before, after = float(walked[before_ms]), float(walked[after_ms])
    expected = before + (after - before) * (time_ms - before_ms) / (after_ms - before_ms)
    assert float(path.price_at(time_ms)) == pytest.approx(expected, rel=1e-12)


def test_rising_bar_visits_its_low_first(tmp_path: Path) -> None:
    """A bar that closes at or above its open walks open, low, high, close, in time with the distance."""
    bars = [Bar(START_MS, "100", "104", "98", "102"), Bar(START_MS + MINUTE_MS, "102", "102", "102", "102")]
    path = load_replay(write_bars(tmp_path, bars))
    walked = dict(knots(path))
    times = {price: time_ms for time_ms, price in reversed(walked.items())}
    assert times[Decimal("98.0")] - START_MS == pytest.approx(12_000, abs=200)
    assert times[Decimal("104.0")] - START_MS == pytest.approx(48_000, abs=200)


def test_falling_bar_visits_its_high_first(tmp_path: Path) -> None:
    """A bar that closes below its open walks open, high, low, close."""
    bars = [Bar(START_MS, "102", "104", "98", "100"), Bar(START_MS + MINUTE_MS, "100", "100", "100", "100")]
    prices = [price for _, price in knots(load_replay(write_bars(tmp_path, bars)))]
    assert prices.index(Decimal("104.0")) < prices.index(Decimal("98.0"))


def test_first_bar_starts_at_its_open(tmp_path: Path) -> None:
    """The path starts at the first timestamp and open, ends one bar after the last, and is clamped there."""
    bars = [
        Bar(START_MS, "100", "101", "99", "100.5"),
        Bar(START_MS + MINUTE_MS, "101", "102", "100", "101.5"),
    ]
    path = load_replay(write_bars(tmp_path, bars))
    assert (path.start_ms, path.end_ms) == (START_MS, START_MS + 2 * MINUTE_MS)
    assert path.price_at(START_MS) == path.price_at(0) == 100
    assert path.price_at(START_MS + 2 * MINUTE_MS) == path.price_at(START_MS * 2) == Decimal("101.5")
    assert path.next_knot_after(0) == START_MS
    assert path.next_knot_after(START_MS + 2 * MINUTE_MS) is None


def test_flat_bars_have_one_mark_each(tmp_path: Path) -> None:
    """Where the price stands still, each bar has exactly one knot, its close."""
    bars = [Bar(START_MS + i * MINUTE_MS, "100", "100", "100", "100") for i in range(5)]
    times = [time_ms for time_ms, _ in knots(load_replay(write_bars(tmp_path, bars)))]
    assert times == [START_MS + i * MINUTE_MS for i in range(6)]


def test_gap_is_crossed_straight_in_time(tmp_path: Path) -> None:
    """Missing bars are walked in a straight line from the last close to the next open, a bar at a time."""
    bars = [Bar(START_MS + i * MINUTE_MS, "100", "100", "100", "100") for i in (0, 1, 2)]
    bars += [Bar(START_MS + i * MINUTE_MS, "110", "110", "110", "110") for i in (13, 14)]
    path = load_replay(write_bars(tmp_path, bars))
    assert path.bar_ms == MINUTE_MS
    assert path.price_at(START_MS + 3 * MINUTE_MS) == 100
    assert float(path.price_at(START_MS + 8 * MINUTE_MS)) == pytest.approx(105, abs=1e-3)
    assert path.price_at(START_MS + 13 * MINUTE_MS) == 110


def test_gap_without_a_move_has_a_mark_for_each_missing_bar(tmp_path: Path) -> None:
    """Where nothing moves across a gap, its marks are exactly one bar apart."""
    bars = [Bar(START_MS + i * MINUTE_MS, "100", "100", "100", "100") for i in (0, 1, 2, 9, 10)]
    times = [time_ms for time_ms, _ in knots(load_replay(write_bars(tmp_path, bars)))]
    assert times == [START_MS + i * MINUTE_MS for i in range(12)]


def test_closes_only_are_joined_by_straight_lines(tmp_path: Path) -> None:
    """A file of closes is walked from close to close, each reached one bar after its timestamp."""
    rows = [(START_MS, "100"), (START_MS + MINUTE_MS, "101"), (START_MS + 2 * MINUTE_MS, "99")]
    path = load_replay(write_closes(tmp_path, rows))
    assert path.price_at(START_MS) == path.price_at(START_MS + MINUTE_MS) == 100
    assert float(path.price_at(START_MS + 3 * MINUTE_MS // 2)) == pytest.approx(100.5, abs=1e-3)
    assert path.price_at(START_MS + 2 * MINUTE_MS) == 101
    assert path.price_at(START_MS + 3 * MINUTE_MS) == 99


def test_bar_is_cut_short_by_the_next(tmp_path: Path) -> None:
    """A bar that opens before the one before is over ends that one."""
    times_ms = [START_MS, START_MS + MINUTE_MS, START_MS + 2 * MINUTE_MS, START_MS + 2 * MINUTE_MS + 5_000]
    closes = ("100", "101", "102", "103")
    path = load_replay(write_closes(tmp_path, list(zip(times_ms, closes, strict=True))))
    assert path.price_at(times_ms[3]) == 102
    assert path.price_at(times_ms[3] + MINUTE_MS) == 103


def test_wildest_walkable_bar_has_a_mark_each_ms(tmp_path: Path) -> None:
    """A bar whose steps take every one of its milliseconds is walked with one knot per ms."""
    rows = [(START_MS, "100"), (START_MS + 20, "101.8"), (START_MS + 40, "101.8")]
    path = load_replay(write_closes(tmp_path, rows))
    inside = [time_ms for time_ms, _ in knots(path) if START_MS + 20 <= time_ms <= START_MS + 40]
    steps = math.ceil(0.018 / 0.00095)
    assert len(inside) == steps + 1
    assert max(b - a for a, b in pairwise(inside)) <= 2


def test_prices_come_out_as_written(tmp_path: Path) -> None:
    """A price of a file is exact where the path touches it."""
    rows = [(START_MS, "57067.39859868"), (START_MS + MINUTE_MS, "57067.1")]
    path = load_replay(write_closes(tmp_path, rows))
    assert path.price_at(START_MS) == Decimal("57067.39859868")
    assert path.price_at(START_MS + 2 * MINUTE_MS) == Decimal("57067.1")


BODY = f"timestamp,close\n{START_MS},100\n{START_MS + MINUTE_MS},101\n"


def end_price(path: ReplayPath) -> Decimal:
    """Return the last price of a path."""
    assert path.end_ms is not None
    return path.price_at(path.end_ms)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(BODY.encode(), id="plain"),
        pytest.param(gzip.compress(BODY.encode()), id="gzip"),
        pytest.param(b"\xef\xbb\xbf" + BODY.encode(), id="byte order mark"),
        pytest.param(BODY.replace("\n", "\r\n").encode(), id="windows line ends"),
        pytest.param((BODY + "\n\n").encode(), id="empty lines at the end"),
        pytest.param(
            BODY.replace("timestamp,close", " Timestamp , Close").encode(), id="spaces and capitals"
        ),
        pytest.param(BODY.replace(f"{START_MS},", f"{START_MS}.0,").encode(), id="timestamps with a point"),
    ],
)
def test_harmless_forms_of_a_file_are_read(content: bytes, tmp_path: Path) -> None:
    """What spreadsheets and compressors do to a file does not change the path."""
    file = tmp_path / "prices"
    file.write_bytes(content)
    assert end_price(load_replay(file)) == 101


def test_columns_come_in_any_order(tmp_path: Path) -> None:
    """Columns are found by name, and unknown ones are ignored."""
    file = tmp_path / "prices.csv"
    row = "7,{},98,note,104,100,102\n"
    file.write_text(
        "volume,timestamp,low,comment,high,open,close\n"
        + row.format(START_MS)
        + row.format(START_MS + MINUTE_MS)
    )
    prices = [price for _, price in knots(load_replay(file))]
    assert [prices[0], min(prices), max(prices), prices[-1]] == [Decimal(x) for x in (100, 98, 104, 102)]


def test_standard_input_is_read_as_csv(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` reads CSV from standard input."""
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesReader(BODY.encode())))
    assert end_price(load_replay("-")) == 101


class BytesReader(BytesIO):
    """Bytes with the `peek` of a real standard input."""

    def peek(self, size: int = 0) -> bytes:
        """Return the next bytes without passing them."""
        return self.getvalue()[self.tell() :][: size or None]


def test_parquet_is_read(tmp_path: Path) -> None:
    """A Parquet file gives the same path as the CSV with its rows."""
    polars = pytest.importorskip("polars", reason="Parquet needs polars or pyarrow")
    file, same = tmp_path / "prices.parquet", tmp_path / "prices.csv"
    times_ms = [START_MS, START_MS + MINUTE_MS]
    polars.DataFrame({"timestamp": times_ms, "close": [100.0, 101.0]}).write_parquet(file)
    same.write_text(BODY)
    assert load_replay(file).identity == load_replay(same).identity


def test_identity_tells_paths_apart(tmp_path: Path) -> None:
    """The identity follows the prices, not the name of the file."""
    one, same, other = tmp_path / "one.csv", tmp_path / "same.csv", tmp_path / "other.csv"
    one.write_text(BODY)
    same.write_text(BODY)
    other.write_text(BODY.replace("101", "102"))
    assert open_path(replay=one).identity == open_path(replay=same).identity
    assert open_path(replay=one).identity != open_path(replay=other).identity
