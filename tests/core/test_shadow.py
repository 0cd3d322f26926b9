import math
import statistics
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from bot.core import events as ev
from bot.core import flow_records as flow
from bot.core import records as rec
from bot.core.book import Book, fold
from bot.core.history import RebalanceHistory
from bot.core.performance import costs, performance, public_side, true_side
from bot.core.promise import Shadow, follow
from bot.core.public_records import FundingImputed, ShadowTraded
from bot.core.tracking import Tracking, daily_fit
from bot.core.units import DAY_MS, ZERO
from bot.testing import Lab, a_fund
from strategies.interval import Interval
from strategies.strategic import Strategic
from tests.support.flows import a_flow_lab

D = Decimal
FEE = D("0.0005")


def a_lab(**changes: Any) -> Lab:
    """A fund with the conventional token beside it, opened."""
    lab = Lab(replace(a_fund(**changes), shadow=Interval()))
    lab.settle()
    return lab


def shadow(lab: Lab) -> Shadow:
    """The shadow as the book has it."""
    assert lab.state.book.shadow is not None
    return lab.state.book.shadow


@pytest.mark.parametrize("side", ["long", "short"])
def test_the_shadow_starts_with_the_funds_capital_at_its_target(side: Any) -> None:
    """At the fund's first mark, and pays the taker fee: 3x after the fee."""
    lab = a_lab(side=side)
    first = lab.of(ShadowTraded)[0]
    assert (first.reason, first.mark, first.time_ms) == ("opening", D(60_000), 60_000)
    basket = shadow(lab).basket
    leverage, nav = basket.leverage(D(60_000)), basket.nav(D(60_000))
    assert leverage is not None
    assert nav is not None
    assert abs(leverage - 3) < D("1e-8")
    assert abs(nav - (1 - 3 * FEE / (1 + 3 * FEE))) < D("1e-9")
    assert (basket.position > 0) is (side == "long")
    assert shadow(lab).rebalances == 0


def test_it_trades_after_a_move_of_ten_percent_and_every_day_at_midnight() -> None:
    """The same decisions as the strategy's own, within the fund's hold region too."""
    lab = a_lab()
    lab.mark("65000")
    assert len(lab.of(ShadowTraded)) == 1
    lab.mark("66000")
    move = lab.of(ShadowTraded)[1]
    assert (move.reason, move.mark) == ("move", D(66_000))
    assert move.quantity > 0
    lab.mark("66100", after_s=(86_400_000 - lab.time_ms) / 1000 - 1)
    assert len(lab.of(ShadowTraded)) == 2
    lab.mark("66100", after_s=1)
    assert lab.of(ShadowTraded)[2].reason == "clock"
    assert shadow(lab).fees == sum(traded.fee for traded in lab.of(ShadowTraded)) > 0
    leverage = shadow(lab).basket.leverage(D(66_100))
    assert leverage is not None
    assert abs(leverage - 3) < D("1e-8")


def test_marks_that_move_neither_fund_nor_shadow_cost_two_comparisons() -> None:
    """The hold region is the part that both share; the fund's own interval is kept for who shows it."""
    lab = a_lab()
    lab.mark("60100", after_s=4_000)
    region = lab.state.region
    assert region is not None
    assert region.own is not None
    assert region.own[0] < region.low < D(54_001)
    assert D(65_999) < region.high < region.own[1]
    known = lab.state.live
    lab.mark("61000", after_s=1)
    assert lab.state.live is known
    lab.mark("66000", after_s=1)
    assert len(lab.of(ShadowTraded)) == 2


def test_the_shadow_changes_nothing_of_what_the_fund_does() -> None:
    """The same story with and without it: every record but its own is the same."""

    def story(lab: Lab) -> list[rec.Record]:
        lab.settle()
        lab.walk("75000", "50000")
        return [record for record in lab.records if not isinstance(record, ShadowTraded)]

    fund = a_fund(strategy=Strategic(600))
    assert story(Lab(replace(fund, shadow=Interval()))) == story(Lab(fund))


def test_it_is_the_same_after_a_restart() -> None:
    """It is a fold of the records; what it holds is worked out again."""
    lab = a_lab()
    lab.walk("64000")
    before = shadow(lab)
    lab.restart()
    assert shadow(lab) == before == fold(lab.records).shadow
    lab.mark("66100")
    assert lab.of(ShadowTraded)[-1].reason == "move"


@pytest.mark.parametrize(("near", "beyond"), [("47000", "44900"), ("86000", "90100")])
def test_a_shadow_that_would_hold_for_longer_hides_no_edge_of_the_fund(near: str, beyond: str) -> None:
    """It holds within 10 % of its last trade, and the edge of the band is nearer than that."""
    lab = Lab(replace(a_fund(), shadow=Interval()))
    lab.settle()
    lab.mark(near)  # the shadow trades
    lab.mark(near)
    assert lab.state.region is not None
    count = len(lab.of(rec.RebalanceStarted))
    lab.mark(beyond, after_s=1)
    assert len(lab.of(rec.RebalanceStarted)) == count + 1


def test_it_pays_funding_and_fees_as_its_own_position_does() -> None:
    """Funding in proportion to the fund's, imputed while that is flat; the management fee on its value."""
    lab = a_lab()
    before, held = shadow(lab), lab.state.book.position
    book = lab.state.book.copy()
    book.apply(rec.IncomeBooked(lab.time_ms, "f", lab.time_ms, "FUNDING_FEE", D(-10)))
    book.apply(rec.IncomeBooked(lab.time_ms, "r", lab.time_ms, "REBATE", D(99)))
    paid = (D(-10) * before.basket.position / held).quantize(D("1e-8"))
    assert book.shadow is not None
    assert book.shadow.funding == paid == book.shadow.basket.cash - before.basket.cash
    book.apply(FundingImputed(lab.time_ms, D(60_000), D("0.0001")))
    imputed = (-before.basket.position * 6).quantize(D("1e-8"))
    assert book.shadow.funding == paid + imputed
    value, worth = book.ledger.value(D(60_000)), book.shadow.basket.value(D(60_000))
    cash = book.shadow.basket.cash
    book.apply(flow.FeeRateSet(0, D("0.001")))
    book.apply(flow.FeeCharged(lab.time_ms, 0, DAY_MS, D(60_000), value / 1_000))
    assert abs(cash - book.shadow.basket.cash - worth / 1_000) < D("1e-7")


def test_without_a_shadow_nothing_of_it_is_kept() -> None:
    """Funding, fees and consolidations pass by."""
    lab = Lab()
    lab.settle()
    book = lab.state.book.copy()
    book.apply(rec.IncomeBooked(0, "f", 0, "FUNDING_FEE", D(-10)))
    book.apply(FundingImputed(0, D(60_000), D("0.0001")))
    book.apply(flow.FeeCharged(0, 0, 1, D(60_000), D(1)))
    book.apply(flow.UnitsRescaled(0, 1, 10, "a", "b"))
    assert book.shadow is None


def test_a_shadow_that_dies_is_sold_and_stays_dead() -> None:
    """A gap through its value: it is flat from then on, whatever its strategy would say."""
    lab = a_lab(band=("1", "9"), target=("1.8", "2"), emergency="9")
    lab.mark("37000")
    last = lab.of(ShadowTraded)[-1]
    assert last.reason == "dead"
    assert shadow(lab).basket.position == 0
    count = len(lab.of(ShadowTraded))
    lab.mark("60000")
    lab.mark("90000", after_s=90_000)
    lab.restart()
    assert len(lab.of(ShadowTraded)) == count


def test_units_that_are_consolidated_leave_returns_as_they_are() -> None:
    """Of the fund and of its shadow."""
    lab = a_lab()
    lab.mark("61000", after_s=3_600)
    lab.mark("62000", after_s=3_600)
    book = lab.state.book.copy()
    told = performance(lab.fund, book, D(62_000), true_side(book))
    book.apply(flow.UnitsRescaled(lab.time_ms, 1, 10, "a", "b"))
    after = performance(lab.fund, book, D(62_000), true_side(book))
    assert after["nav_return"] == told["nav_return"] is not None
    assert D(after["shadow"]["nav"]) == pytest.approx(10 * D(told["shadow"]["nav"]), rel=D("1e-8"))
    whole = lab.state.book.copy()
    for each in (whole, book):
        follow(each, [rec.Sampled(DAY_MS, D(62_000), None)])
    assert whole.tracking is not None
    assert book.tracking is not None
    assert book.tracking.days[0].nav_return == pytest.approx(whole.tracking.days[0].nav_return)


def test_without_anything_to_measure_the_figures_are_undefined() -> None:
    """A fund that has not begun, and one that has just opened."""
    lab = Lab()
    empty = performance(lab.fund, Book(), None, true_side(Book()))
    assert (empty["nav_return"], empty["shadow"], empty["daily"], empty["since"]) == (None,) * 4
    lab.settle()
    told = performance(lab.fund, lab.state.book, None, true_side(lab.state.book))
    assert (told["nav_return"], told["underlying_return"]) == (None, None)


def test_returns_leverage_and_drag_are_measured_since_the_fund_opened() -> None:
    """NAV against side x underlying, hour by hour; drag as the formula says."""
    lab = a_lab()
    book = lab.state.book.copy()
    book.tracking = None
    basket = book.basket(0)
    prices = [D(60_000), D(61_000), D(60_500), D(62_000)]
    for hour, price in enumerate(prices):
        book.apply(rec.Sampled(hour * 3_600_000, price, None))
    told = performance(lab.fund, book, prices[-1], true_side(book))
    navs, levers = [basket.nav(p) for p in prices], [basket.leverage(p) for p in prices]
    assert all(nav is not None for nav in navs)
    assert all(lever is not None for lever in levers)
    held = [float(lever or 0) for lever in levers][:-1]
    drag = sum(
        (lever - lever**2) / 2 * math.log(after / before) ** 2
        for lever, before, after in zip(held, prices, prices[1:], strict=False)
    )
    assert float(told["nav_return"]) == pytest.approx(float((navs[-1] or 0) / (navs[0] or 1)) - 1)
    assert float(told["side_return"]) == pytest.approx(62 / 60 - 1)
    assert float(told["average_leverage"]) == pytest.approx(sum(held) / 3)
    assert float(told["volatility_drag"]) == pytest.approx(drag, rel=1e-6)
    assert told["daily"] is None


def test_days_are_fitted_when_they_are_over() -> None:
    """A fund of constant leverage 2 has beta 2 and perfect correlation; few days tell only the difference."""
    tracking = Tracking(0, 100.0, 1.0, 0, 100.0, 1.0, 2.0, 0, 100.0, 1.0)
    mark = nav = 1.0
    for day in range(1, 9):
        move = (-1) ** day * 0.01 * (day % 3 + 1)
        mark, nav = mark * (1 + move), nav * (1 + 2 * move)
        tracking = tracking.after([(day * 86_400_000, 100 * mark, nav, 2.0)])
        fitted = daily_fit(tracking, 1)
        assert fitted is not None
        assert fitted.days == day
        assert (fitted.beta is None) is (day < 3)
    fit = daily_fit(tracking, 1)
    assert fit is not None
    assert fit.beta == pytest.approx(2)
    assert fit.correlation == pytest.approx(1)
    assert daily_fit(tracking, -1) != fit
    lab = Lab()
    book = lab.state.book.copy()
    book.tracking = tracking
    told = performance(lab.fund, book, D(100), true_side(book))
    assert told["daily"]["days"] == 8 == len(told["days"])
    assert float(told["daily"]["beta"]) == pytest.approx(2)
    assert told["days"][0][0] == 0
    flat = Tracking(0, 100.0, 1.0, 0, 100.0, 1.0, 2.0, 0, 100.0, 1.0)
    for day in range(1, 5):
        flat = flat.after([(day * 86_400_000, 100.0, 1.0, 2.0)])
    still = daily_fit(flat, 1)
    assert still is not None
    assert (still.beta, still.correlation, still.tracking_error) == (None, None, 0)


def test_a_fund_that_opens_at_noon_has_its_first_day_until_midnight() -> None:
    """The day that it began in, whatever the hour."""
    lab = Lab()
    lab.settle()
    book, noon_ms = lab.state.book.copy(), 9 * DAY_MS + DAY_MS // 2
    book.tracking = None
    hours = [rec.Sampled(noon_ms + hour * 3_600_000, D(60_000 + hour), None) for hour in range(13)]
    follow(book, hours[:12])
    assert book.tracking is not None
    assert book.tracking.days == ()
    follow(book, hours[12:])
    assert [day.start_ms for day in book.tracking.days] == [9 * DAY_MS]


def test_a_fund_that_all_have_left_is_not_followed() -> None:
    """What rounding left of it is nobody's return."""
    lab = Lab()
    lab.settle()
    book = lab.state.book.copy()
    before, book.units = book.tracking, ZERO
    follow(book, [rec.Sampled(lab.time_ms, D(60_000), None)])
    assert book.tracking == before


def test_the_fit_is_least_squares_over_the_days_whatever_hours_they_have() -> None:
    """Against the standard library's; a day runs from its first hour to the next day's."""
    start = Tracking(0, 100.0, 1.0, 0, 100.0, 1.0, 2.0, 0, 100.0, 1.0)
    marks = [100 + 7 * math.sin(0.9 * hour) + hour / 9 for hour in range(24 * 6 + 1)]
    navs = [1 + 0.1 * math.cos(0.7 * hour) - hour / 900 for hour in range(24 * 6 + 1)]
    hours = [
        (hour * 3_600_000, mark, nav, 2.0)
        for hour, (mark, nav) in enumerate(zip(marks, navs, strict=True))
        if hour % 5 or not hour % 24
    ]
    fit = daily_fit(start._replace(day_mark=marks[0], day_nav=navs[0]).after(hours), -1)
    xs = [1 - after / before for before, after in pairwise(marks[::24])]
    ys = [after / before - 1 for before, after in pairwise(navs[::24])]
    apart = [y - x for x, y in zip(xs, ys, strict=True)]
    assert fit == (
        6,
        pytest.approx(statistics.linear_regression(xs, ys).slope),
        pytest.approx(statistics.correlation(xs, ys)),
        pytest.approx(statistics.fmean(apart)),
        pytest.approx(statistics.stdev(apart)),
    )


def test_what_is_public_of_the_figures_is_that_of_a_fund_that_did_nothing() -> None:
    """Tracking goes on hour by hour with the public basket; fees and the count of rebalances stand."""
    lab = a_lab()
    lab.mark(lab.price, after_s=3_600)
    lab.mark(lab.price, after_s=3_600)
    idle = lab.state.book.copy()
    lab.mark("91000", after_s=1)
    lab.settle(at_most_s=200)
    hour_ms = (lab.time_ms // 3_600_000 + 1) * 3_600_000
    for book in (lab.state.book, idle):
        assert book is idle or book.public.hidden
        book.apply(rec.Sampled(hour_ms, D(91_000), None))
        book.apply(FundingImputed(hour_ms, D(91_000), D("0.0001")))
    hidden = performance(lab.fund, lab.state.book, D(91_000), public_side(lab.state.book))
    still = performance(lab.fund, idle, D(91_000), public_side(idle))
    shadows = hidden.pop("shadow"), still.pop("shadow")
    assert None not in shadows
    assert (hidden.pop("rebalances"), still.pop("rebalances")) == (1, 1)
    assert {**hidden, "funding": None} == {**still, "funding": None}
    assert (
        performance(lab.fund, lab.state.book, D(91_000), true_side(lab.state.book))["fees"] != hidden["fees"]
    )


def test_costs_of_each_rebalance_add_up_to_those_of_their_month() -> None:
    """Parts in USDT; and what the fund that had not traded would have made until the next decision."""
    lab = a_lab()
    lab.walk("91000", "60000")
    history = RebalanceHistory("BTCUP")
    for record in lab.records:
        history.apply(record)
    entries = history.entries()
    told = costs(entries, D(60_000))
    assert len(told["rebalances"]) == len(entries) >= 3
    for entry, after, row in zip(entries, [*entries[1:], None], told["rebalances"], strict=False):
        until = D(60_000) if after is None else after.mark_at_decision
        assert until is not None
        assert entry.average_price is not None
        gain = entry.position_change * (until - entry.average_price) - entry.fees
        assert abs(D(row["not_traded"]) - gain) < D("0.0001")
        assert (row["out_of_band_s"] is not None) is (entry.kind is rec.Kind.BAND)
        assert abs(D(row["arrival_shortfall"])) < 1  # an instant venue: the first slice is at the decision
        parts = sum(D(row[name]) for name in ("spread", "impact", "timing"))
        assert abs(parts - D(row["shortfall"])) < D("0.001")
    (month,) = told["months"]
    assert (month["month"], month["rebalances"]) == ("1970-01", len(entries))
    assert abs(D(month["fees"]) - sum(entry.fees for entry in entries)) < D("0.01")
    assert costs((), None) == {"rebalances": [], "months": []}


def test_a_flow_is_no_decision_that_ends_what_another_gained() -> None:
    """It has no counterfactual of its own; the opening's goes on until now."""
    lab = a_flow_lab()
    lab.subscribe("20000")
    lab.until_dealing()
    lab.settle()
    history = RebalanceHistory("BTCUP")
    for record in lab.records:
        history.apply(record)
    opening, flow_trade = costs(history.entries(), D(61_000))["rebalances"]
    assert (opening["kind"], flow_trade["kind"], flow_trade["not_traded"]) == ("open", "flow", None)
    entry = history.entries()[0]
    gained = entry.position_change * (61_000 - (entry.average_price or 0)) - entry.fees
    assert D(opening["not_traded"]) == pytest.approx(gained, abs=D("0.0001"))


def test_of_trades_that_were_not_ours_no_parts_are_known() -> None:
    """They count in their month, with what is known of them; one under way is left out."""
    lab = a_lab()
    lab.venue.trade(D("-0.01"), lab.time_ms, lab.price)
    lab.send(ev.ReconcileDue(*lab.now))
    lab.mark("91000")
    history = RebalanceHistory("BTCUP")
    for record in lab.records:
        history.apply(record)
    told = costs(history.entries(), None)
    assert told["rebalances"][1]["kind"] == "external"
    assert told["rebalances"][1]["spread"] is None
    assert told["rebalances"][1]["not_traded"] is None
    assert told["months"][0]["rebalances"] == 2
