"""Figures and times as text."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.texts import UNBOUNDED, decimal_or_null, decimal_text, how_many, time_or_null, time_text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
@settings(deadline=None)
def test_a_decimal_as_text_is_the_same_number(value: Decimal) -> None:
    """Plain notation: no exponent, no trailing zeros after the point, no negative zero, and no digit lost."""
    text = decimal_text(value)

    assert Decimal(text) == value
    assert "E" not in text
    assert text != "-0"
    assert not ("." in text and text.endswith(("0", ".")))


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_741_257_000_007, "2025-03-06T10:30:00.007Z"),
        (1_741_257_000_999, "2025-03-06T10:30:00.999Z"),
    ],
)
def test_times_keep_their_milliseconds(time_ms: int, text: str) -> None:
    """ISO 8601 in UTC, exact to the millisecond."""
    assert time_text(time_ms) == text


def test_what_is_unknown_is_null() -> None:
    """Never a number, and never a text."""
    assert decimal_or_null(None) is None
    assert decimal_or_null(None, Decimal("0.01")) is None
    assert time_or_null(None) is None


def test_what_is_known_is_written_as_ever() -> None:
    """Without a grid no digit is lost."""
    assert decimal_or_null(Decimal("1.23456789000")) == "1.23456789"
    assert time_or_null(7) == "1970-01-01T00:00:00.007Z"


def test_a_grid_rounds() -> None:
    """Half to even, as decimals do."""
    assert decimal_or_null(Decimal("-1.235"), Decimal("0.01")) == "-1.24"
    assert decimal_or_null(Decimal("1.2"), Decimal("0.01")) == "1.2"


def test_a_grid_does_not_touch_what_is_too_large_for_it() -> None:
    """On it the amount would have more digits than a decimal holds, which is an error of decimals."""
    fine = Decimal("0.0000000001")
    assert decimal_or_null(UNBOUNDED * 10 + Decimal("0.123"), fine) == "10000000000000000000.123"
    assert decimal_or_null(-UNBOUNDED * 10, fine) == "-10000000000000000000"
    assert decimal_or_null(UNBOUNDED - 1, fine) == "999999999999999999"


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [
        (0, ("order",), "0 orders"),
        (1, ("order",), "1 order"),
        (1_200, ("order",), "1,200 orders"),
        (1, ("trade that is", "trades that are"), "1 trade that is"),
        (2, ("trade that is", "trades that are"), "2 trades that are"),
    ],
)
def test_what_is_counted_is_named_in_the_right_number(count: int, words: tuple[str, ...], text: str) -> None:
    """One is one, and everything else is several."""
    assert how_many(count, *words) == text
