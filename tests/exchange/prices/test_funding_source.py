from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.exchange.prices import FundingSource, open_funding
from tests.support.examples import examples

HOUR_MS = 3_600_000
MIDNIGHT_MS = 1_704_067_200_000
RATE = Decimal("0.0001")


def payments(source: FundingSource, start_ms: int, end_ms: int) -> list[tuple[int, Decimal]]:
    """Return the payments after `start_ms` up to `end_ms`."""
    found, time_ms = [], start_ms
    while (payment := source.next_after(time_ms)) is not None and payment[0] <= end_ms:
        found.append(payment)
        time_ms = payment[0]
    return found


def recorded(folder: Path, *rows: tuple[int, str]) -> FundingSource:
    """Write recorded rates to a file and open it."""
    file = folder / "funding.csv"
    file.write_text("timestamp,rate\n" + "".join(f"{time_ms},{rate}\n" for time_ms, rate in rows))
    return open_funding(file)


@given(time_ms=st.integers(min_value=10**11, max_value=10**13))
def test_model_pays_at_the_next_hour_of_the_grid(time_ms: int) -> None:
    """Without a file funding is paid at 00:00, 08:00 and 16:00 UTC, strictly after the time asked for."""
    due_ms, rate = open_funding().next_after(time_ms) or (0, None)
    assert time_ms < due_ms <= time_ms + 8 * HOUR_MS
    assert due_ms % (8 * HOUR_MS) == 0
    assert rate == RATE


def test_model_rate_can_be_chosen() -> None:
    """The constant rate is a parameter."""
    assert open_funding(rate=Decimal("-0.0003")).rate_at(MIDNIGHT_MS) == Decimal("-0.0003")


def test_recorded_payments_are_floored_to_the_minute(tmp_path: Path) -> None:
    """The exchange's jitter of some ms is taken off each instant; rates stay as written."""
    source = recorded(
        tmp_path, (MIDNIGHT_MS + 7, "0.00012359"), (MIDNIGHT_MS + 8 * HOUR_MS + 3, "-0.00000612")
    )
    assert payments(source, MIDNIGHT_MS - 1, MIDNIGHT_MS + 8 * HOUR_MS) == [
        (MIDNIGHT_MS, Decimal("0.00012359")),
        (MIDNIGHT_MS + 8 * HOUR_MS, Decimal("-0.00000612")),
    ]


def test_grid_with_rate_zero_surrounds_a_file(tmp_path: Path) -> None:
    """Before the first and past the last recorded payment the grid of its spacing goes on, at rate 0."""
    source = recorded(tmp_path, (MIDNIGHT_MS + HOUR_MS, "0.0002"), (MIDNIGHT_MS + 5 * HOUR_MS, "0.0004"))
    assert source.interval_ms == 4 * HOUR_MS
    assert payments(source, MIDNIGHT_MS - 9 * HOUR_MS, MIDNIGHT_MS + 13 * HOUR_MS) == [
        (MIDNIGHT_MS - 8 * HOUR_MS, Decimal(0)),
        (MIDNIGHT_MS - 4 * HOUR_MS, Decimal(0)),
        (MIDNIGHT_MS, Decimal(0)),
        (MIDNIGHT_MS + HOUR_MS, Decimal("0.0002")),
        (MIDNIGHT_MS + 5 * HOUR_MS, Decimal("0.0004")),
        (MIDNIGHT_MS + 8 * HOUR_MS, Decimal(0)),
        (MIDNIGHT_MS + 12 * HOUR_MS, Decimal(0)),
    ]


def test_one_payment_alone_is_taken_for_one_of_eight_hours(tmp_path: Path) -> None:
    """As most symbols have them; spacings that are rarer than another do not count."""
    assert recorded(tmp_path, (MIDNIGHT_MS, "0.0002")).interval_ms == 8 * HOUR_MS
    hours = (0, 8, 16, 20, 28)
    rows = [(MIDNIGHT_MS + hour * HOUR_MS, "0.0001") for hour in hours]
    assert recorded(tmp_path, *rows).interval_ms == 8 * HOUR_MS


@settings(max_examples=examples(40), deadline=None)
@given(
    hours=st.lists(st.integers(min_value=1, max_value=200), min_size=1, max_size=20, unique=True),
    time_h=st.integers(min_value=-20, max_value=230),
)
def test_rate_in_force_is_that_of_the_next_payment(
    hours: list[int], time_h: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The rate shown at any time is the one that will be paid next, and payments never go back in time."""
    folder = tmp_path_factory.mktemp("funding")
    rows = [(MIDNIGHT_MS + hour * HOUR_MS, f"0.{hour:06}") for hour in sorted(hours)]
    source = recorded(folder, *rows)
    time_ms = MIDNIGHT_MS + time_h * HOUR_MS
    due_ms, rate = source.next_after(time_ms) or (0, None)
    assert due_ms > time_ms
    assert source.rate_at(time_ms) == rate
    times = [
        due_ms for due_ms, _ in payments(source, MIDNIGHT_MS - 24 * HOUR_MS, MIDNIGHT_MS + 240 * HOUR_MS)
    ]
    assert all(a < b for a, b in pairwise(times))
    assert set(times) >= {row_ms for row_ms, _ in rows}
