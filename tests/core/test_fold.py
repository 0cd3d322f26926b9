from dataclasses import fields
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bot.core import records as rec
from bot.core.book import Book
from bot.core.history import RebalanceHistory
from bot.testing import Lab

D = Decimal


def _story() -> list[rec.Record]:
    """A fund from before its first rebalance to after its third, two of them revealed."""
    lab = Lab()
    lab.settle()
    lab.walk("44000", "92000", "60000")
    return lab.records


STORY = _story()

samples = st.lists(
    st.builds(
        rec.Sampled,
        time_ms=st.integers(0, 40 * 86_400_000),
        mark=st.decimals("1", "200000", places=1),
        variance=st.none() | st.decimals("0", "0.001", places=12),
    ),
    min_size=1,
    max_size=6,
)


@given(runs=st.lists(st.tuples(st.integers(0, len(STORY)), samples), max_size=8))
def test_records_together_fold_to_what_they_fold_to_one_by_one(
    runs: list[tuple[int, list[rec.Sampled]]],
) -> None:
    """Samples in a row anywhere in a fund's life, days apart or out of order, or worth nothing."""
    records = list(STORY)
    for place, run in sorted(runs, reverse=True, key=lambda each: each[0]):
        records[place:place] = run
    one_by_one, together = Book(), Book()
    told, told_together = RebalanceHistory("BTCUP"), RebalanceHistory("BTCUP")

    for record in records:
        one_by_one.apply(record)
        told.apply(record)
    together.apply_all(records)
    told_together.apply_all(records)

    for field in fields(Book):
        assert repr(getattr(together, field.name)) == repr(getattr(one_by_one, field.name)), field.name
    assert told_together.entries() == told.entries()
