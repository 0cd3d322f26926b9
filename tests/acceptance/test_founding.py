"""The founding example: five days of -5, +15, -10, +30 and +30 %, and a 2x fund's exposure after each."""

from decimal import Decimal
from pathlib import Path

from bot.core.book import Book
from bot.core.ledger import real_leverage
from bot.exchange.prices import open_path
from bot.testing import Lab, a_contract, a_fund
from tests.acceptance.conftest import finished

RETURNS = tuple(map(Decimal, ("-0.05", "0.15", "-0.10", "0.30", "0.30")))
EXPOSURES = tuple(map(Decimal, ("190", "218.5", "196.65", "255.645", "332.339")))
LEVERAGES = tuple(map(Decimal, ("2.111", "1.844", "2.035", "1.642", "1.430")))
DAY_MS = 86_400_000


def test_the_published_figures_within_their_rounding() -> None:
    """A fund of 100 million: exposure in millions after each day, and 464.677 once it is back at 2x."""
    million = Decimal(1_000_000)
    fund = a_fund(capital="100000000", target=("2", "2"))
    lab = Lab(fund, a_contract(taker_fee="0"))
    lab.settle(at_most_s=86_400)
    held = lab.state.book.ledger
    for daily, exposure, leverage in zip(RETURNS, EXPOSURES, LEVERAGES, strict=True):
        assert lab.state.book.rebalance is None
        lab.price *= 1 + daily
        now = real_leverage(held, lab.price)
        assert now is not None
        assert abs(held.position * lab.price / million - exposure) <= Decimal("0.001")
        assert round(now, 3) == leverage
        lab.mark(lab.price)
    lab.settle(at_most_s=86_400)
    after = lab.state.book.ledger
    assert after.position > held.position
    assert abs(after.position * lab.price / million - Decimal("464.677")) < Decimal("0.01") * 232


def test_a_paper_run_shows_them_too(tmp_path: Path) -> None:
    """The scenario through the real daemon, in a band that is never left: a thousandth of the example."""
    run = finished(
        tmp_path,
        PAPER__SCENARIO="founding",
        FUNDS__BTCDOWN__ENABLED="false",
        FUNDS__BTCUP__BAND="[1.05, 3]",
    )
    path = open_path(scenario="founding", symbol="BTCUSDT", seed="7", start_price=Decimal(60_000))
    records, book, place = run.records("BTCUP"), Book(), 0
    for day, exposure in enumerate(EXPOSURES, 1):
        while place < len(records) and records[place].time_ms <= path.start_ms + day * DAY_MS:
            book.apply(records[place])
            place += 1
        held = book.position * path.price_at(path.start_ms + day * DAY_MS) / 1000
        assert abs(held / exposure - 1) < Decimal("0.002")
    assert [entry["kind"] for entry in run.history()] == ["open"]
