from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import records as rec
from bot.core.book import Book
from bot.core.ledger import Ledger, real_leverage
from bot.core.margin import price_at
from bot.daemon.status import fund_state, fund_status, last_known_mark
from bot.testing import Lab, a_fund
from strategies.interval import Interval
from strategies.strategic import Strategic

FIELDS = [
    "fund", "underlying", "side", "mode", "state", "mark", "nav", "units", "fund_value", "position",
    "notional",
    "real_leverage", "band", "trigger_prices", "target_range", "commitments", "chain_head", "funding_rate",
    "basket_as_of", "updated_at",
]  # fmt: skip


@pytest.fixture
def lab() -> Lab:
    """A fund that is open and at rest."""
    lab = Lab()
    lab.settle()
    return lab


def test_it_has_the_keys_of_the_contract_in_their_order(lab: Lab) -> None:
    """Programs read it: every key is there, more may follow."""
    status = fund_status(lab.fund, lab.state.book, lab.price, "paper", seen=lab.state.mark)
    assert list(status)[: len(FIELDS)] == FIELDS


def test_decimals_are_text_and_undefined_is_null(lab: Lab) -> None:
    """No float gets in anywhere, and no number stands for what is not known."""
    status = fund_status(lab.fund, lab.state.book, lab.price, "paper", seen=lab.state.mark)
    decimals = ("mark", "nav", "units", "fund_value", "position", "notional", "real_leverage")
    assert all(isinstance(status[name], str) and Decimal(status[name]).is_finite() for name in decimals)
    unknown = fund_status(lab.fund, Book(), None, "paper")
    assert [unknown[name] for name in ("mark", "nav", "fund_value", "notional", "real_leverage")] == [
        None
    ] * 5
    assert unknown["trigger_prices"] == [None, None]
    assert (unknown["state"], unknown["updated_at"]) == ("new", None)


def test_figures_belong_together(lab: Lab) -> None:
    """NAV is value by units, notional is position by mark, leverage is notional by value."""
    status = fund_status(lab.fund, lab.state.book, lab.price, "paper")
    value, notional = Decimal(status["fund_value"]), Decimal(status["notional"])
    assert notional == Decimal(status["position"]) * lab.price
    assert abs(Decimal(status["nav"]) - value / Decimal(status["units"])) < Decimal("1e-9")
    assert abs(Decimal(status["real_leverage"]) - notional / value) < Decimal("1e-8")


def test_it_has_what_the_fund_promises_beside_its_shadow(lab: Lab) -> None:
    """The comparison the product was founded on, true figures; and how often such a fund trades."""
    lab = Lab(replace(a_fund(), shadow=Interval()))
    lab.settle()
    lab.mark("66600", after_s=3_600)
    lab.mark("66600", after_s=3_600)
    told = fund_status(lab.fund, lab.state.book, lab.price, "paper")["performance"]
    assert (
        told["expected"]
        == "an UP fund's triggers lie a factor of 2 apart, so a few rebalances a year are to be expected"
    )
    assert told["nav_return"] is not None
    shadow = told["shadow"]
    assert (shadow["rebalances"], Decimal(shadow["real_leverage"])) == (
        1,
        pytest.approx(3, abs=Decimal("0.01")),
    )
    assert Decimal(shadow["nav"]) > Decimal("1.3")
    assert Decimal(shadow["fees"]) > 150


def test_a_fund_of_no_value_has_no_leverage(lab: Lab) -> None:
    """Real leverage is null, never a number, once the value is gone."""
    status = fund_status(lab.fund, lab.state.book, Decimal(20_000), "paper")
    assert Decimal(status["fund_value"]) < 0
    assert status["real_leverage"] is None


@given(
    cash=st.decimals(-(10**6), 10**6, places=2),
    held=st.decimals(-100, 100, places=3).filter(bool),
    leverage=st.decimals("0.5", 10, places=2),
)
def test_at_the_trigger_price_leverage_is_exactly_at_the_edge(
    cash: Decimal, held: Decimal, leverage: Decimal
) -> None:
    """Where there is such a price, real leverage there is the edge; where there is none, none is given."""
    ledger = Ledger(cash, held)
    price = price_at(ledger, leverage)
    if price is None:
        return
    found = real_leverage(ledger, price)
    if found is not None:
        assert abs(found - leverage) < Decimal("1e-15")


@pytest.mark.parametrize("side", ["long", "short"])
def test_trigger_prices_enclose_the_mark(side: str) -> None:
    """Lower before higher, for UP and DOWN alike, and leverage at them is an edge of the band."""
    lab = Lab(a_fund(side=side))  # type: ignore[arg-type]
    lab.settle()
    status = fund_status(lab.fund, lab.state.book, lab.price, "paper")
    lower, higher = map(Decimal, status["trigger_prices"])
    assert lower < lab.price < higher
    edges = {round(real_leverage(lab.state.book.ledger, price) or 0, 6) for price in (lower, higher)}
    assert edges == set(lab.fund.band)


def test_a_strategy_without_band_shows_the_ends_of_its_hold() -> None:
    """What would make it trade is what it said itself; without a limit on a side there is no price."""
    lab = Lab(a_fund(strategy=Interval(target=2, at="", move=0.1), emergency="6"))
    lab.settle()
    status = fund_status(lab.fund, lab.state.book, lab.price, "paper", region=lab.state.region)
    lower, higher = map(Decimal, status["trigger_prices"])
    assert abs(lower / lab.price - Decimal("0.9")) < Decimal("0.001")
    assert abs(higher / lab.price - Decimal("1.1")) < Decimal("0.001")


def test_every_state_has_its_name(lab: Lab) -> None:
    """new, opening, active, confirming, rebalancing, parked, increases_stopped, and the ends of a life."""
    assert fund_state(Book()) == "new"
    assert fund_state(Lab().state.book) == "opening"
    assert fund_state(lab.state.book) == "active"

    waiting = Lab(a_fund(strategy=Strategic(confirmation_s=600)))
    waiting.settle()
    waiting.mark("95000")
    assert fund_state(waiting.state.book) == "confirming"

    busy = lab.fork()
    busy.mark("44000")
    assert fund_state(busy.state.book) == "rebalancing"
    book = busy.state.book.copy()
    book.apply(rec.RebalanceParked(busy.time_ms))
    assert fund_state(book) == "parked"

    book = lab.state.book.copy()
    book.apply(rec.IncidentOpened(lab.time_ms, "orders rejected", "detail", "remedy", stops_increases=True))
    assert fund_state(book) == "increases_stopped"
    for state in (rec.FundState.DEAD, rec.FundState.TOO_SMALL):
        book = lab.state.book.copy()
        book.apply(rec.StateChanged(lab.time_ms, state, lab.price, Decimal(0)))
        assert fund_state(book) == state.value


def test_incidents_come_with_their_remedy(lab: Lab) -> None:
    """What needs an operator's eye is in the figures, with since when and what to do."""
    book = lab.state.book.copy()
    book.apply(rec.IncidentOpened(0, "late fill", "what happened", "what to do", stops_increases=True))
    (incident,) = fund_status(lab.fund, book, lab.price, "paper")["incidents"]
    assert incident == {
        "code": "late fill",
        "since": "1970-01-01T00:00:00.000Z",
        "detail": "what happened",
        "remedy": "what to do",
        "stops_increases": True,
        "acknowledged": None,
    }
    book.apply(rec.IncidentAcknowledged(1, "late fill", "ann", "I look into it"))
    (incident,) = fund_status(lab.fund, book, lab.price, "paper")["incidents"]
    assert incident["acknowledged"] == {
        "at": "1970-01-01T00:00:00.001Z",
        "author": "ann",
        "why": "I look into it",
    }


def test_what_operators_asked_is_told_without_their_leverage(lab: Lab) -> None:
    """Who, what and why; a leverage that they stated is a target, and shown nowhere."""
    book = lab.state.book.copy()
    book.apply(rec.OperatorAsked(0, "rebalance", "ann", "why", "k", "digest", Decimal("2.345678")))
    status = fund_status(lab.fund, book, lab.price, "paper")
    assert status["requests"] == [
        {"at": "1970-01-01T00:00:00.000Z", "what": "rebalance", "author": "ann", "why": "why"}
    ]
    assert "2.345678" not in str(status)


def test_the_journal_knows_a_last_mark(lab: Lab) -> None:
    """Without a daemon the mark is the latest sample's, or the last rebalance's where that is later."""
    assert last_known_mark(Book()) is None
    book = lab.state.book.copy()
    assert last_known_mark(book) == Decimal(60_000)
    book.apply(rec.Sampled(book.last_time_ms + 1, Decimal(61_000), None))
    assert last_known_mark(book) == Decimal(61_000)


def test_no_secret_is_in_the_figures(lab: Lab) -> None:
    """Commitments are shown, the draws behind them are not; nor is the target of a rebalance under way."""
    busy = lab.fork()
    busy.mark("44000")
    shown = str(fund_status(busy.fund, busy.state.book, busy.price, "paper", seen=busy.state.mark))
    open_ = busy.state.book.rebalance
    assert open_ is not None
    assert str(open_.target) not in shown
    for draw in busy.state.book.draws:
        assert draw.commitment in shown
        assert draw.u not in shown
        assert draw.salt not in shown
    assert busy.state.book.key not in shown
