"""A mark that stands still is told from a calm market by the index."""

from decimal import Decimal

import pytest

from bot.venue.movement import Movement
from bot.venue.profile import MarkFrame


def frame(time_s: int, price: str, index: str | None) -> MarkFrame:
    """A mark."""
    return MarkFrame(time_s * 1000, Decimal(price), None, None, None if index is None else Decimal(index))


@pytest.mark.parametrize(
    ("indexes", "still_s"),
    [
        (("100", "100"), 60),
        (("100", "100.05"), 0),
        (("100", "100.1"), 60),
        (("100", "99.9"), 60),
        ((None, None), 60),
        ((None, "100"), 60),
    ],
)
def test_what_counts_as_standing_still(indexes: tuple[str | None, str | None], still_s: int) -> None:
    """All dead, or the mark alone; not a mark beside an index that breathes."""
    movement = Movement()
    assert movement.still_ms("BTCUSDT", frame(0, "100", indexes[0])) == 0
    assert movement.still_ms("BTCUSDT", frame(60, "100", indexes[1])) == still_s * 1000


def test_any_move_begins_anew_and_symbols_do_not_share_it() -> None:
    """Each symbol by itself; a frame that is older than the move is no movement."""
    movement = Movement()
    assert movement.still_ms("BTCUSDT", frame(0, "100", None)) == 0
    assert movement.still_ms("ETHUSDT", frame(30, "100", None)) == 0
    assert movement.still_ms("BTCUSDT", frame(40, "101", None)) == 0
    assert movement.still_ms("BTCUSDT", frame(70, "101", None)) == 30_000
    assert movement.still_ms("BTCUSDT", frame(39, "101", None)) == 0
    assert movement.still_ms("ETHUSDT", frame(70, "100", None)) == 40_000
