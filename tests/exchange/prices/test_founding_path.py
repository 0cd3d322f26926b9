from decimal import Decimal
from itertools import pairwise

import pytest

from bot.exchange.prices import SCENARIO_START_MS, KnotPath, open_path

DAY_MS = 86_400_000


def founding(start_price: str = "100") -> KnotPath:
    """Return the founding path from `start_price`."""
    return open_path(scenario="founding", start_price=Decimal(start_price))


def test_closes_are_the_five_daily_returns() -> None:
    """The days end at -5, +15, -10, +30 and +30 %, exactly, and the path ends with the fifth."""
    path = founding()
    assert path.end_ms == SCENARIO_START_MS + 5 * DAY_MS
    closes = [path.price_at(SCENARIO_START_MS + day * DAY_MS) for day in range(6)]
    assert closes == [Decimal(text) for text in ("100", "95", "109.25", "98.325", "127.8225", "166.16925")]
    assert path.next_knot_after(path.end_ms) is None
    assert path.price_at(path.end_ms * 2) == closes[-1]


def test_fund_at_twice_its_capital_shows_the_published_figures() -> None:
    """A fund of 100 million at 2x shows the exposures and real leverages of the founding example."""
    path = founding()
    quantity = Decimal(2)  # of 100 million worth of contracts at 100
    exposures, values = [], []
    for day in range(1, 6):
        mark = path.price_at(SCENARIO_START_MS + day * DAY_MS)
        values.append(100 + quantity * (mark - 100))
        exposures.append(quantity * mark)
    leverages = [round(exposure / value, 3) for exposure, value in zip(exposures, values, strict=True)]
    assert exposures == [Decimal(x) for x in ("190", "218.5", "196.65", "255.645", "332.3385")]
    assert leverages == [Decimal(x) for x in ("2.111", "1.844", "2.035", "1.642", "1.430")]
    assert round(2 * values[-1]) == 465


@pytest.mark.parametrize("start_price", ["1", "0.0842", "67123.4"])
def test_start_price_scales_the_closes(start_price: str) -> None:
    """The example runs at any price level."""
    path = founding(start_price)
    first = path.price_at(SCENARIO_START_MS + DAY_MS)
    assert first == Decimal(start_price) * Decimal("0.95")


def test_days_are_straight_lines_in_steps_of_a_minute() -> None:
    """Within a day the price is linear in time, with a knot each minute and steps below 0.1 %."""
    path = founding()
    assert float(path.price_at(SCENARIO_START_MS + DAY_MS // 2)) == pytest.approx(97.5, rel=1e-12)
    assert float(path.price_at(SCENARIO_START_MS + DAY_MS // 3 + 12_345)) == pytest.approx(
        100 - 5 * (1 / 3 + 12_345 / DAY_MS), rel=1e-12
    )
    time_ms: int | None = path.start_ms
    times = []
    while time_ms is not None:
        times.append(time_ms)
        time_ms = path.next_knot_after(time_ms)
    prices = [path.price_at(knot) for knot in times]
    assert {b - a for a, b in pairwise(times)} == {60_000}
    assert max(abs(b / a - 1) for a, b in pairwise(prices)) < Decimal("0.001")
