"""The mark that is asked for while its stream is lost: fresh, whole, and not contradicted by the index."""

from decimal import Decimal

import pytest

from bot.venue.errors import AnswerMalformed
from bot.venue.venue import Venue
from tests.support.venue_stub import VenueStub, json_answer
from tests.venue.conftest import NOW_MS

ROUTE = "GET /fapi/v1/premiumIndex"


def premium(mark: str = "60000.1", index: str = "60010") -> dict[str, object]:
    """An answer of premiumIndex."""
    times = {"time": NOW_MS, "nextFundingTime": NOW_MS + 1_000}
    return {
        "symbol": "BTCUSDT",
        "markPrice": mark,
        "indexPrice": index,
        "lastFundingRate": "0.0001",
        **times,
    }


async def test_the_mark_is_read_whole(stub: VenueStub, venue: Venue) -> None:
    """Price, event time, next funding time and rate are those of the answer."""
    stub.answers[ROUTE] = json_answer(premium())

    mark = await venue.mark("BTCUSDT")

    assert (mark.price, mark.time_ms) == (Decimal("60000.1"), NOW_MS)
    assert (mark.next_funding_ms, mark.funding_rate) == (NOW_MS + 1_000, Decimal("0.0001"))
    assert mark.index_price == 60_010


@pytest.mark.parametrize(
    ("mark", "index"), [("60000", "50000"), ("0", "60000"), ("60000", "0"), ("NaN", "1")]
)
async def test_a_mark_that_the_index_contradicts_is_refused(
    stub: VenueStub, venue: Venue, mark: str, index: str
) -> None:
    """Contradictory or impossible prices are no data."""
    stub.answers[ROUTE] = json_answer(premium(mark, index))

    with pytest.raises(AnswerMalformed):
        await venue.mark("BTCUSDT")
