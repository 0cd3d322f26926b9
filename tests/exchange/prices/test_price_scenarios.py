import math
import statistics
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.exchange.prices import SCENARIO_START_MS, SCENARIOS, KnotPath, ScenarioError, open_path
from tests.support.examples import examples

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
LIMIT = Decimal("0.001")
ENDLESS = [name for name in SCENARIOS if name != "founding"]

endless = pytest.mark.parametrize("scenario", ENDLESS)
seeds = pytest.mark.parametrize("seed", [1, 2, 3])


def market(scenario: str, symbol: str = "BTCUSDT", seed: int | str = 1) -> KnotPath:
    """Return one symbol of a scenario, from 60,000."""
    return open_path(scenario=scenario, symbol=symbol, seed=seed, start_price=Decimal(60_000))


def knots(path: KnotPath, start_ms: int, end_ms: int) -> list[tuple[int, Decimal]]:
    """Return the knots between two times, both included."""
    found, time_ms = [], path.next_knot_after(start_ms - 1)
    while time_ms is not None and time_ms <= end_ms:
        found.append((time_ms, path.price_at(time_ms)))
        time_ms = path.next_knot_after(time_ms)
    return found


def every(path: KnotPath, step_ms: int, days: int) -> list[float]:
    """Return the prices at regular times of the first days."""
    return [float(path.price_at(path.start_ms + ms)) for ms in range(0, days * DAY_MS + 1, step_ms)]


@endless
def test_marks_step_by_at_most_a_thousandth(scenario: str) -> None:
    """Successive knots are at most 0.1 % and a minute apart, across the ends of days and cycles too."""
    path = market(scenario)
    for day in (0, 20):
        walked = knots(path, path.start_ms + day * DAY_MS, path.start_ms + (day + 2) * DAY_MS)
        for (time_ms, price), (next_ms, next_price) in pairwise(walked):
            assert time_ms < next_ms <= time_ms + MINUTE_MS
            assert abs(next_price - price) <= LIMIT * price


@endless
def test_days_join_without_a_break(scenario: str) -> None:
    """The price at the end of a day, as the day before builds it, is the price the next day starts from."""
    path = market(scenario)
    for day in range(1, 45):
        midnight_ms = path.start_ms + day * DAY_MS
        after = path.price_at(midnight_ms)
        before = path.price_at(midnight_ms - 1)
        assert abs(after - before) / before < Decimal("0.000001")


@settings(max_examples=examples(15), deadline=None)
@given(
    scenario=st.sampled_from(ENDLESS),
    minutes=st.lists(st.integers(min_value=0, max_value=60 * 24 * 60), min_size=1, max_size=6),
)
def test_restart_in_the_middle_continues_the_same_path(scenario: str, minutes: list[int]) -> None:
    """A new path first asked in the middle, in any order, agrees with one used from the start."""
    walked, restarted = market(scenario), market(scenario)
    expected = {}
    for minute in sorted(minutes):
        time_ms = walked.start_ms + minute * MINUTE_MS + 1
        expected[time_ms] = (walked.price_at(time_ms), walked.next_knot_after(time_ms))
    for minute in minutes:
        time_ms = restarted.start_ms + minute * MINUTE_MS + 1
        assert (restarted.price_at(time_ms), restarted.next_knot_after(time_ms)) == expected[time_ms]


@endless
def test_start_is_the_price_asked_for(scenario: str) -> None:
    """The path starts at the start price, at 2024-01-01 unless told otherwise, and never ends."""
    path = market(scenario)
    assert (path.start_ms, path.end_ms) == (SCENARIO_START_MS, None)
    assert path.price_at(path.start_ms) == path.price_at(0) == 60_000
    assert path.next_knot_after(0) == path.start_ms


def test_start_time_shifts_the_path() -> None:
    """Another start time moves the same prices in time."""
    path = market("crash")
    later = open_path(
        scenario="crash", symbol="BTCUSDT", seed=1, start_price=Decimal(60_000), start_ms=path.start_ms + 777
    )
    for hour in range(0, 60, 7):
        assert later.price_at(later.start_ms + hour * HOUR_MS) == path.price_at(
            path.start_ms + hour * HOUR_MS
        )


def test_start_price_scales_the_path() -> None:
    """Twice the start price is twice the price throughout."""
    double = open_path(scenario="crash", symbol="BTCUSDT", seed=1, start_price=Decimal(120_000))
    assert every(double, HOUR_MS, 2) == [2 * price for price in every(market("crash"), HOUR_MS, 2)]


@endless
def test_seed_and_symbol_change_the_path(scenario: str) -> None:
    """Other seeds and other symbols have other prices and other identities; equal ones have the same."""
    paths = [market(scenario), market(scenario, seed=2), market(scenario, symbol="ETHUSDT")]
    assert len({path.identity for path in paths}) == 3
    assert len({path.price_at(path.start_ms + 5 * HOUR_MS) for path in paths}) == 3
    assert market(scenario).identity == paths[0].identity


def test_number_and_text_of_a_seed_are_the_same() -> None:
    """A seed from the environment is text; it means the same as the number."""
    assert every(market("calm", seed="7"), HOUR_MS, 1) == every(market("calm", seed=7), HOUR_MS, 1)


def test_symbols_share_the_market() -> None:
    """Hourly returns of two symbols in a calm market correlate by about 0.8."""
    returns = []
    for symbol in ("BTCUSDT", "ETHUSDT"):
        prices = every(market("calm", symbol), HOUR_MS, 120)
        returns.append([math.log(b / a) for a, b in pairwise(prices)])
    assert statistics.correlation(*returns) == pytest.approx(0.8, abs=0.05)


def test_calm_volatility_is_as_documented() -> None:
    """The annual volatility of a calm market is 45 %."""
    prices = every(market("calm"), HOUR_MS, 120)
    volatility = statistics.pstdev(math.log(b / a) for a, b in pairwise(prices)) * math.sqrt(24 * 365.25)
    assert volatility == pytest.approx(0.45, rel=0.1)


@seeds
def test_crash_halves_the_price_within_a_day_after_hours_of_calm(seed: int) -> None:
    """Of the kind of March 2020: calm, about half lost within some 24 hours, then part of it back."""
    prices = every(market("crash", seed=seed), MINUTE_MS, 5)
    low = min(prices)
    low_at = prices.index(low)
    assert min(prices[: 8 * 60]) > 0.93 * prices[0]
    assert 0.40 * prices[0] < low < 0.60 * prices[0]
    assert low_at < 38 * 60
    assert max(prices[low_at:]) > 1.2 * low


@seeds
def test_crash_rebounds_violently_on_the_way_down(seed: int) -> None:
    """Before its low the crash rises by a tenth or more within four hours, at least twice."""
    prices = every(market("crash", seed=seed), HOUR_MS // 4, 2)
    low_at = prices.index(min(prices))
    rebounds, bottom, peak_since = 0, prices[0], 0
    for index, price in enumerate(prices[:low_at]):
        bottom = min(prices[max(index - 16, peak_since) : index + 1])
        if price >= 1.1 * bottom:
            rebounds, peak_since = rebounds + 1, index
    assert rebounds >= 2


@seeds
def test_squeeze_rises_steeply(seed: int) -> None:
    """A squeeze takes the price up by two thirds or more within two days, and most of it back in weeks."""
    prices = every(market("squeeze", seed=seed), MINUTE_MS * 10, 20)
    high_at = prices.index(max(prices))
    assert max(prices) > 1.6 * prices[0]
    assert high_at < 2 * 24 * 6
    assert prices[-1] < 0.8 * max(prices)


@pytest.mark.parametrize("side", [1, -1], ids=["up", "down"])
@seeds
def test_whipsaw_moves_both_sides_out_of_the_band(seed: int, side: int) -> None:
    """UP and DOWN funds that return to 2.2x leave a band of 1.5 to 3 several times on each day."""
    price, *prices = every(market("whipsaw", seed=seed), MINUTE_MS, 3)
    value, quantity, exits = 1.0, side * 2.2 / price, [0, 0, 0]
    for minute, mark in enumerate(prices):
        value += quantity * (mark - price)
        price = mark
        if not 1.5 <= abs(quantity) * mark / value <= 3:
            exits[minute // 1440] += 1
            quantity = side * 2.2 * value / mark
    assert min(exits) >= 3


@endless
def test_prices_stay_sane_over_years(scenario: str) -> None:
    """Over three years the price stays within a factor of five of its start."""
    path = market(scenario)
    prices = [float(path.price_at(path.start_ms + day * DAY_MS + 5 * HOUR_MS)) for day in range(0, 1096, 5)]
    assert 12_000 < min(prices) < max(prices) < 300_000


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "either a replay file or a scenario"),
        ({"scenario": "calm", "replay": "x.csv"}, "either a replay file or a scenario"),
        ({"scenario": "storm"}, "choose one of calm, crash, squeeze, whipsaw, founding"),
        ({"scenario": "calm", "start_price": Decimal(0)}, "start price 0"),
        ({"scenario": "calm", "start_price": Decimal("nan")}, "start price NaN"),
        ({"scenario": "calm", "start_ms": 1_704_067_200}, "not a time in UTC milliseconds"),
    ],
)
def test_impossible_scenario_is_refused_in_one_line(arguments: dict[str, object], expected: str) -> None:
    """What cannot be opened is refused with the cause and the remedy."""
    with pytest.raises(ScenarioError, match=expected) as caught:
        open_path(**arguments)  # type: ignore[arg-type]
    assert len(str(caught.value).splitlines()) == 1
