"""Candles, the basis, and funding by Binance's formula."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.exchange import CATALOG
from bot.exchange.candles import Candles, Span
from bot.exchange.prices import open_path
from bot.exchange.prices.basis import Basis
from bot.exchange.prices.funding_model import ModelFunding, funding_rate
from bot.exchange.prices.intervals import INTERVALS, following, opening
from tests.exchange.builders import START_MS, UP, Start, StepPath

if TYPE_CHECKING:
    from pathlib import Path

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
EVERYTHING = Span(None, None, 1_500)


def candles_of(path: object, basis: Basis | None = None) -> Candles:
    """Return the candles of a path in the largest market."""
    return Candles(path, basis or Basis(), 1.0)  # type: ignore[arg-type]


def replayed(folder: Path) -> object:
    """Return a replay of 90 one-minute bars, of which each has a volume of its own."""
    rows = ["timestamp,open,high,low,close,volume"]
    for i in range(90):
        low = 60_000 + i
        rows.append(f"{START_MS + i * MINUTE_MS},{low + 3},{low + 9},{low},{low + 5},{i}")
    file = folder / "bars.csv"
    file.write_text("\n".join(rows) + "\n")
    return open_path(replay=file)


def test_recorded_bars_come_back_as_they_were(tmp_path: Path) -> None:
    """A candle of one bar has its open, high, low, close and volume."""
    candles = candles_of(replayed(tmp_path)).list("last", "1m", EVERYTHING, START_MS + 90 * MINUTE_MS)
    assert len(candles) == 91  # the last one has only just opened
    for i, candle in enumerate(candles[1:90], 1):
        assert candle.open_ms == START_MS + i * MINUTE_MS
        assert (candle.high, candle.low, candle.close) == (60_009 + i, 60_000 + i, 60_005 + i)
        assert candle.volume == i
        assert candle.close_ms == candle.open_ms + MINUTE_MS - 1


def test_longer_candles_are_made_of_shorter_ones(tmp_path: Path) -> None:
    """A candle of 15 minutes has the first open, the extremes, the last close and all the volume."""
    candles = candles_of(replayed(tmp_path))
    now = START_MS + 90 * MINUTE_MS
    minutes = candles.list("last", "1m", EVERYTHING, now)[:90]
    for k, long in enumerate(candles.list("last", "15m", EVERYTHING, now)[:6]):
        parts = minutes[15 * k : 15 * k + 15]
        assert (long.open, long.close) == (parts[0].open, parts[-1].close)
        assert (long.high, long.low) == (max(p.high for p in parts), min(p.low for p in parts))
        assert long.volume == pytest.approx(sum(p.volume for p in parts))


@pytest.mark.parametrize("interval", ["5m", "15m", "1h"])
def test_volumes_of_a_scenario_add_up(interval: str) -> None:
    """The volume of a long candle is the sum of the short ones in it, also where nothing was recorded."""
    path = open_path(
        scenario="crash", symbol="BTCUSDT", seed=3, start_ms=START_MS, start_price=Decimal(60_000)
    )
    now_ms = START_MS + 2 * 3_600_000 + 123_456
    candles = candles_of(path)
    for long in candles.list("last", interval, EVERYTHING, now_ms):
        parts = candles.list("last", "1m", Span(long.open_ms, long.close_ms, 1_500), now_ms)
        assert long.volume == pytest.approx(sum(part.volume for part in parts), rel=1e-9)


def test_the_present_candle_is_partial(tmp_path: Path) -> None:
    """What has not happened yet is in no candle."""
    path = replayed(tmp_path)
    now = START_MS + 20 * MINUTE_MS + 10_000
    candle = candles_of(path).list("last", "15m", EVERYTHING, now)[-1]
    assert candle.open_ms == START_MS + 15 * MINUTE_MS
    assert candle.close == float(path.price_at(now))  # type: ignore[attr-defined]
    assert candle.high <= 60_000 + 20 + 9


@pytest.mark.parametrize("scenario", ["calm", "crash"])
def test_candles_of_a_scenario_hold_every_price_of_its_path(scenario: str) -> None:
    """Highs and lows from knots are those of the path looked at second by second, across midnight too."""
    path = open_path(scenario=scenario, symbol="BTCUSDT", seed=3, start_price=Decimal(60_000))
    now = path.start_ms + 25 * 3_600_000
    for candle in candles_of(path).list("mark", "1h", EVERYTHING, now)[20:25]:
        seen = [float(path.price_at(candle.open_ms + s * 1_000)) for s in range(3_601)]
        assert candle.low <= min(seen)
        assert candle.high >= max(seen)
        assert candle.low == pytest.approx(min(seen), rel=1e-3)
        assert candle.high == pytest.approx(max(seen), rel=1e-3)


def test_a_span_bounds_the_candles() -> None:
    """With a start the first candles are given, without one the last; none outlives now."""
    candles = candles_of(StepPath([60_000] * 7_201))
    now = START_MS + 7_200_000 - 1
    first = candles.list("last", "1m", Span(START_MS + 30_000, None, 3), now)
    assert [c.open_ms - START_MS for c in first] == [60_000, 120_000, 180_000]
    last = candles.list("last", "1m", Span(None, START_MS + 600_000, 2), now)
    assert [c.open_ms - START_MS for c in last] == [540_000, 600_000]
    assert candles.list("last", "1m", Span(None, START_MS - 1, 2), now) == []


@given(interval=st.sampled_from(INTERVALS), time_ms=st.integers(0, 4 * 10**12))
def test_intervals_tile_time(interval: str, time_ms: int) -> None:
    """Every moment lies in exactly one candle, whose neighbours adjoin."""
    start = opening(interval, time_ms)
    assert start <= time_ms < following(interval, start)
    assert opening(interval, following(interval, start)) == following(interval, start)
    assert following(interval, following(interval, start), -1) == start
    assert opening(interval, following(interval, start) - 1) == start


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    """2024-01-01 was a Monday, and the first of a month."""
    assert opening("1w", START_MS + 3 * 86_400_000) == START_MS
    assert opening("1M", START_MS + 30 * 86_400_000) == START_MS
    assert following("1M", START_MS) == START_MS + 31 * 86_400_000


def test_index_candles_differ_from_the_marks_by_the_basis() -> None:
    """With a constant basis of 10 bps every index price is the mark / 1.001; the premium is 0.001."""
    candles = candles_of(StepPath([60_000, 60_600, 60_300]), Basis(10.0))
    now = START_MS + 2_000
    (mark,) = candles.list("mark", "1m", EVERYTHING, now)
    (index,) = candles.list("index", "1m", EVERYTHING, now)
    (premium,) = candles.list("premium", "1m", EVERYTHING, now)
    assert index[2:6] == pytest.approx([price / 1.001 for price in mark[2:6]])
    assert premium[2:6] == pytest.approx([0.001] * 4)


def test_the_day_is_the_last_24_hours(tmp_path: Path) -> None:
    """Its extremes and volume are those of the candles in it, and it ends with the present price."""
    day = candles_of(replayed(tmp_path)).day(START_MS + 90 * MINUTE_MS)
    assert (day.open, day.high, day.low, day.close) == (60_003, 60_098, 60_000, 60_094)
    assert day.volume == sum(range(90))


@given(times=st.lists(st.integers(0, 10**10), min_size=1, max_size=20), key=st.text(max_size=4))
def test_the_basis_is_a_function_of_time(times: list[int], key: str) -> None:
    """It is the same whatever was asked before, continuous, and never far from its constant."""
    basis = Basis(5.0, 2.0, key)
    for time_ms in times:
        assert basis.at(time_ms) == Basis(5.0, 2.0, key).at(time_ms)
        assert abs(basis.at(time_ms + 1_000) - basis.at(time_ms)) < 1e-6
        assert abs(basis.at(time_ms) - 5e-4) <= 6e-4 + 1e-12


@pytest.mark.parametrize(
    ("premium", "rate"),
    [
        ("0", "0.0001"),
        ("0.0005", "0.0001"),
        ("-0.0003", "0.0001"),
        ("0.001", "0.0005"),
        ("-0.001", "-0.0005"),
    ],
)
def test_funding_follows_binances_formula(premium: str, rate: str) -> None:
    """Within 5 bps of interest the premium does not matter; beyond, the rate is the premium less 5 bps."""
    assert funding_rate(Decimal(premium)) == Decimal(rate)
    constant = Basis(float(Decimal(premium) * 10_000))
    assert ModelFunding(constant).next_after(START_MS) == (START_MS + 28_800_000, Decimal(rate))


@settings(max_examples=20)
@given(hours=st.integers(0, 10_000))
def test_funding_is_paid_on_the_symbols_own_grid(hours: int) -> None:
    """A four-hour interval pays six times a day, with half the interest of eight hours."""
    due_ms, rate = ModelFunding(Basis(), 14_400_000).next_after(START_MS + hours * 3_600_000)
    assert due_ms % 14_400_000 == 0
    assert 0 < due_ms - START_MS - hours * 3_600_000 <= 14_400_000
    assert rate == Decimal("0.00005")


@pytest.mark.parametrize(("premium", "rate"), [("0.01", "0.003"), ("-0.01", "-0.003")])
def test_funding_is_capped(premium: str, rate: str) -> None:
    """At 75 % of the maintenance margin rate of the first bracket, 0.3 % for BTCUSDT, either way."""
    cap = CATALOG["BTCUSDT"].funding_cap
    basis = Basis(float(Decimal(premium) * 10_000))
    assert ModelFunding(basis, cap=cap).rate_at(START_MS) == Decimal(rate)


async def test_each_symbol_is_funded_at_its_own_interval(start: Start) -> None:
    """APTUSDT every 4 hours at half the interest, BTCUSDT every 8; fundingInfo and premiumIndex say so."""
    paths = {name: StepPath([10] * 60, step_ms=600_000) for name in ("APTUSDT", "BTCUSDT")}
    async with start(paths=paths) as bench:
        for symbol in paths:
            order = {"symbol": symbol, "side": "BUY", "type": "MARKET", "quantity": "20"}
            assert "orderId" in (await bench.call("POST", "/fapi/v1/order", order, UP))[1]
        await bench.pacer(not_before=START_MS + 8 * HOUR_MS)
        _, info = await bench.call("GET", "/fapi/v1/fundingInfo")
        _, index = await bench.call("GET", "/fapi/v1/premiumIndex")
        _, paid = await bench.call("GET", "/fapi/v1/income", {"incomeType": "FUNDING_FEE"}, UP)
    assert [(row["symbol"], row["fundingIntervalHours"]) for row in info] == [("APTUSDT", 4)]
    assert {row["symbol"]: row["interestRate"] for row in index} == {
        "APTUSDT": "0.00005000",
        "BTCUSDT": "0.00010000",
    }
    assert {row["symbol"]: row["nextFundingTime"] - START_MS for row in index} == {
        "APTUSDT": 12 * HOUR_MS,
        "BTCUSDT": 16 * HOUR_MS,
    }
    assert [(row["symbol"], row["time"] - START_MS, row["income"]) for row in paid] == [
        ("APTUSDT", 4 * HOUR_MS, "-0.01000000"),
        ("APTUSDT", 8 * HOUR_MS, "-0.01000000"),
        ("BTCUSDT", 8 * HOUR_MS, "-0.02000000"),
    ]
