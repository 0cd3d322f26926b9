"""A program that runs wild is stopped, and the operator asked."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import events as ev
from bot.core import records as rec
from bot.core.book import fold
from bot.core.breaches import DAILY_LOSS, REPEATED, TOO_MUCH
from bot.core.caps import Caps
from bot.core.limits import Refusal, approve
from bot.core.records import Control
from bot.core.traffic import MOST_REPEATS, Content, Day, Excess, Traffic, in_values
from bot.core.window import Sent, Window
from bot.testing import Lab, a_contract, a_fund
from tests.core.test_limits import FINE, LONG, buy, sell
from tests.core.test_settlement import sent, under_way
from tests.support.flows import a_flow_lab

D = Decimal
VALUE = D(1_000)
CAPS = Caps()


def busy(time_ms: int) -> Traffic:
    """As many orders at once as a minute may hold."""
    traffic = Traffic()
    for _ in range(CAPS.orders_per_minute):
        traffic = traffic.after(time_ms, D(0))
    return traffic


def test_the_most_orders_of_a_minute_are_allowed_and_one_more_is_not() -> None:
    """Whichever minute: one is over to the millisecond, and a new one of the clock begins nothing anew."""
    traffic = Traffic()
    for i in range(CAPS.orders_per_minute):
        assert traffic.problem(59_000 + i, D(1), VALUE, CAPS) is None
        traffic = traffic.after(59_000 + i, D(1) / VALUE)
    one_more = Excess(TOO_MUCH, "more than 60 orders in a minute")
    assert traffic.problem(60_000, D(1), VALUE, CAPS) == one_more
    assert traffic.problem(118_999, D(1), VALUE, CAPS) == one_more
    assert traffic.problem(119_000, D(1), VALUE, CAPS) is None
    traffic = traffic.after(119_000, D(1) / VALUE)
    assert traffic.problem(119_000, D(1), VALUE, CAPS) == one_more
    assert traffic.problem(119_001, D(1), VALUE, CAPS) is None


def test_the_notional_of_an_hour_is_limited_by_fund_value() -> None:
    """Up to the limit itself; what is an hour old, to the millisecond, counts no longer."""
    full = Traffic().after(3_599_000, CAPS.hourly_notional - 1 / VALUE)
    assert full.problem(3_600_000, D(1), VALUE, CAPS) is None
    for time_ms in 3_600_000, 7_198_999:
        assert full.problem(time_ms, D(2), VALUE, CAPS) == Excess(
            TOO_MUCH, "more than 25 times the fund's value in an hour"
        )
    assert full.problem(7_199_000, D(2), VALUE, CAPS) is None


def test_an_order_that_no_hour_has_room_for_is_too_much_whatever_was_looked_into() -> None:
    """There is no time to wait for; so it is where a cap allows nothing."""
    traffic = Traffic().after(0, D(1)).rearmed()
    assert traffic.problem(1, VALUE * 26, VALUE, CAPS) == Excess(
        TOO_MUCH, "more than 25 times the fund's value in an hour"
    )
    none = CAPS._replace(orders_per_minute=0)
    assert traffic.problem(1, D(1), VALUE, none) == Excess(TOO_MUCH, "more than 0 orders in a minute")


class _Program:
    """One that would send more than it may, and whose operator always says to go on.

    What it has sent it keeps itself, to add up any minute and any hour of it.
    """

    caps = CAPS._replace(orders_per_minute=3, hourly_notional=D(2))

    def __init__(self) -> None:
        self.traffic = Traffic()
        self.sent: list[tuple[int, Decimal]] = []

    def send(self, time_ms: int, size: Decimal) -> None:
        """Send an order as soon as it may be, of a fund that is worth 1."""
        while (excess := self.traffic.problem(time_ms, size, D(1), self.caps)) is not None:
            if excess.until_ms is None:
                self.traffic = self.traffic.rearmed()
                continue
            assert excess.until_ms > time_ms
            assert not self.fits(excess.until_ms - 1, size), "it could have gone before"
            time_ms = excess.until_ms
        assert self.fits(time_ms, size)
        self.traffic = self.traffic.after(time_ms, size)
        self.sent.append((time_ms, size))

    def fits(self, time_ms: int, size: Decimal) -> bool:
        """Whether one more order leaves the minute and the hour that end with it within the caps."""
        minute = [1 for then_ms, _ in self.sent if then_ms > time_ms - 60_000]
        hour = sum((amount for then_ms, amount in self.sent if then_ms > time_ms - 3_600_000), D(0))
        return len(minute) < self.caps.orders_per_minute and hour + size <= self.caps.hourly_notional


_MILLISECONDS = st.sampled_from((0, 1, 999, 19_999, 20_000, 59_999, 60_000, 600_000, 3_599_999, 3_600_000))
_SIZES = st.decimals(D("0.001"), D(2), places=9)


@given(st.lists(st.tuples(_MILLISECONDS | st.integers(0, 4_000_000), _SIZES), max_size=80))
def test_no_minute_and_no_hour_ever_holds_more_than_it_may(orders: list[tuple[int, Decimal]]) -> None:
    """Whatever is wanted, and however often an operator says to go on; and nothing waits longer than it must.

    What is kept of it is as much as an hour holds, and folds to the same from the orders alone.
    """
    program = _Program()
    time_ms = 0
    for pause_ms, size in orders:
        time_ms = max(time_ms, program.sent[-1][0] if program.sent else 0) + pause_ms
        program.send(time_ms, size)
        window = program.traffic.window
        held = [entry for entry in program.sent if entry[0] > program.sent[-1][0] - 3_600_000]
        assert window.size == len(held)
        assert window.total == sum((amount for _, amount in held), D(0))
    for end_ms, _ in program.sent:
        minute = [1 for then_ms, _ in program.sent if end_ms - 60_000 < then_ms <= end_ms]
        hour = sum(
            (amount for then_ms, amount in program.sent if end_ms - 3_600_000 < then_ms <= end_ms), D(0)
        )
        assert len(minute) <= 3
        assert hour <= 2


def test_a_window_holds_an_hour_and_no_more() -> None:
    """A year of orders, one in ten seconds: what has left is gone; the sum is exact to the last digit."""
    window, third = Window(), D(1) / 3
    for i in range(5_000):
        window = window.plus(i * 10_000, third)
        assert len(window.older) + len(window.newer) <= 360 + 50
    assert (window.size, window.total) == (360, 360 * D("0.333333333334"))
    assert [window.latest(nth) for nth in (1, 360, 361)] == [
        Sent(49_990_000, D("0.333333333334")),
        Sent(46_400_000, D("0.333333333334")),
        None,
    ]
    assert window.at(49_990_000 + 3_600_000) == Window()
    with pytest.raises(ValueError, match="more is to leave"):
        window.less_ms(window.total + 1)


def test_too_much_refuses_increases_only() -> None:
    """It is a breach; a reduction goes through."""
    conditions = FINE._replace(traffic=busy(0))
    refused = Refusal("more than 60 orders in a minute", TOO_MUCH)
    assert approve(buy(), a_contract(), LONG, conditions) == refused
    assert not isinstance(approve(sell(), a_contract(), LONG, conditions), Refusal)


def test_a_fund_that_sent_too_much_stops_until_it_is_rearmed() -> None:
    """An incident with reason and remedy; that time passes changes nothing."""
    lab = Lab(a_fund(start_leverage="0.5"))
    lab.settle(at_most_s=1)
    book = lab.state.book
    book.traffic = busy(lab.time_ms + 5 * 60_000)
    count = len(sent(lab))
    lab.mark("60000", after_s=5 * 60)
    incident = lab.state.book.incidents[TOO_MUCH]
    assert incident.detail == "rebalance 1 was refused an order: more than 60 orders in a minute"
    assert under_way(lab).deferred == "more than 60 orders in a minute"
    lab.mark("60000", after_s=300)
    assert len(sent(lab)) == count
    lab.send(ev.Controlled(*lab.now, Control.RUNNING, "ann", "a test"))
    lab.settle()
    assert lab.state.book.rebalance is None
    assert isinstance(lab.records[-1], rec.Reconciled | rec.RebalanceFinished)


FULL_MS = 500


def a_full_hour(**caps: Any) -> Lab:
    """A fund that is about to open, has sent as much as it may, and whose operator says to go on."""
    lab = Lab(replace(a_fund(), caps=CAPS._replace(**caps)))
    lab.settle(at_most_s=1)
    lab.state.book.traffic = Traffic().after(FULL_MS, lab.fund.caps.hourly_notional)
    lab.mark("60000", after_s=900)
    assert TOO_MUCH in lab.state.book.breaches
    lab.send(ev.Controlled(*lab.now, Control.RUNNING, "ann", "a test"))
    return lab


def test_who_says_go_on_does_not_lift_the_cap_and_is_not_asked_again() -> None:
    """The order waits for the very instant at which the hour has room, without being tried before."""
    lab = a_full_hour(hourly_notional=D(4))
    room_ms = FULL_MS + 3_600_000
    count, deferrals = len(sent(lab)), len(lab.of(rec.SliceDeferred))
    lab.mark("60000", after_s=1)
    assert lab.of(rec.SliceDeferred)[-1].next_slice_ms == lab.state.wake_ms == room_ms
    lab.mark("60000", after_s=(room_ms - 1 - lab.time_ms) / 1000)
    assert len(sent(lab)) == count
    assert len(lab.of(rec.SliceDeferred)) == deferrals + 1
    assert lab.state.book.breaches == ()
    lab.mark("60000", after_s=0.001)
    assert len(sent(lab)) == count + 1


def test_a_restart_forgets_nothing_of_what_waits() -> None:
    """The journal alone says how long."""
    lab = Lab(replace(a_fund(), caps=CAPS._replace(orders_per_minute=1)))
    lab.settle(at_most_s=3_600)
    lab.send(ev.Controlled(*lab.now, Control.RUNNING, "ann", "a test"))
    lab.mark("60000", after_s=0.001)
    twin = lab.fork()
    twin.restart()
    assert twin.state.book.traffic == lab.state.book.traffic
    assert twin.state.wake_ms == lab.state.wake_ms


def test_what_a_stranger_left_on_the_wrong_side_is_closed_although_an_increase_waits() -> None:
    """To close it is no increase, and does not wait for an hour to pass."""
    lab = a_full_hour(hourly_notional=D(4))
    lab.mark("60000", after_s=1)
    lab.venue.trade(D(-1), lab.time_ms, D(60_000))
    lab.send(ev.ReconcileDue(*lab.now))
    lab.send(ev.Controlled(*lab.now, Control.RUNNING, "ann", "a test"))
    lab.mark("60000", after_s=30)
    assert sent(lab)[-1].reduce_only


def test_reductions_do_not_count() -> None:
    """An emergency may need many orders, and must not stop what comes after it."""
    lab = Lab()
    lab.settle()
    before = lab.state.book.traffic
    lab.venue.script.extend(["half"] * 4)
    lab.mark("44900")
    lab.settle()
    assert len([order for order in sent(lab) if order.reduce_only]) >= 4
    assert lab.state.book.traffic == before


def test_an_order_may_be_repeated_a_few_times_and_no_more() -> None:
    """Identical in quantity, price and the position that it was sent at; any difference begins anew."""
    content: Content = (D(1), D(60_000), D(2))
    traffic = Traffic()
    for minute in range(MOST_REPEATS):
        assert traffic.problem(minute * 60_000, D(1), VALUE, CAPS, content) is None
        traffic = traffic.after(minute * 60_000, D(1) / VALUE, content)
    assert traffic.problem(600_000, D(1), VALUE, CAPS, content) == Excess(
        REPEATED, "the same order more than 5 times in a row"
    )
    moved = (D(1), D(60_000), D(3))
    assert traffic.problem(600_000, D(1), VALUE, CAPS, moved) is None


@pytest.mark.parametrize(
    ("day", "nav", "problem"),
    [
        (Day(0, nav=D(4)), "1", None),
        (Day(0, nav=D(4)), "0.99", (DAILY_LOSS, "a loss of more than 75% of fund value in a day")),
        (Day(0), "0.99", None),
        (Day(0, costs=D("0.05")), "1", None),
        (Day(0, costs=D("0.051")), "1", (DAILY_LOSS, "trading costs of more than 5% of fund value in a day")),
        (Day(0, turnover=D("49.999")), "1", None),
        (Day(0, turnover=D(50)), "1", (TOO_MUCH, "more than 50 times the fund's value in a day")),
        (Day(7, turnover=D(50), costs=D("0.051"), nav=D(9)), "1", None),
    ],
)
def test_a_day_has_its_limits(day: Day, nav: str, problem: tuple[str, str] | None) -> None:
    """Loss, costs and turnover, each to the limit itself; what another day did does not count."""
    excess = day.problem(1_000, D(1), VALUE, D(nav), CAPS)
    assert excess == (None if problem is None else Excess(*problem))


def test_holders_who_leave_do_not_make_a_fund_have_traded_more() -> None:
    """What was sent for the many is measured by what the fund was then: those who stay may raise leverage."""
    lab = a_flow_lab()
    traffic, day = lab.state.book.traffic, lab.state.book.day
    assert CAPS.hourly_notional < 20 * traffic.window.total < 20 * D("2.1")
    lab.redeem("95000")
    lab.until_dealing()
    lab.settle()
    assert lab.state.book.units == D(5_000)
    assert lab.state.book.traffic == traffic
    assert lab.time_ms < 3_600_000
    count = len(sent(lab))
    lab.mark("72000")
    lab.settle()
    assert lab.state.book.incidents == {}
    assert not sent(lab)[count].reduce_only
    assert day.costs < lab.state.book.day.costs < CAPS.daily_costs


def test_a_fund_without_value_has_traded_nothing_by_it() -> None:
    """What its death trades away cannot be told in values of it; it raises no leverage any more."""
    assert in_values(D(9), D(0)) == in_values(D(9), D(-1)) == 0


def _values(lab: Lab, fill: rec.Filled) -> Decimal:
    """A fill in fund values of its moment."""
    before = fold(lab.records[: lab.records.index(fill)])
    return abs(fill.quantity) * fill.price / before.ledger.value(D(60_000))


def test_the_day_of_a_fund_is_folded_from_its_fills_and_samples() -> None:
    """NAV at its first mark; turnover and costs of its fills: half a basis point of slippage, and the fee."""
    lab = Lab(slippage_bps=D("0.5"))
    lab.settle()
    day = lab.state.book.day
    assert (day.number, day.nav) == (0, D(1))
    fills = [record for record in lab.records if isinstance(record, rec.Filled)]
    assert round(day.turnover, 4) == round(sum(_values(lab, fill) for fill in fills), 4)
    assert round(day.turnover, 1) == 2
    assert round(day.costs / day.turnover, 6) == D("0.00055")
    lab.mark("60000", after_s=86_400)
    assert lab.state.book.day == Day(1, nav=lab.state.book.ledger.value(D(60_000)) / D(100_000))


def test_a_day_of_great_loss_stops_increases_until_it_is_rearmed() -> None:
    """An incident with reason and remedy; resumed, the loss is measured from the next sample on."""
    lab = Lab(a_fund(start_leverage="0.5"))
    lab.settle(at_most_s=1)
    lab.state.book.day = Day(0, nav=D(9))
    count = len(sent(lab))
    lab.mark("60000", after_s=300)
    incident = lab.state.book.incidents[DAILY_LOSS]
    assert incident.detail == (
        "rebalance 1 was refused an order: a loss of more than 75% of fund value in a day"
    )
    assert "`resume` rearms it" in incident.remedy
    assert len(sent(lab)) == count
    lab.send(ev.Controlled(*lab.now, Control.RUNNING, "ann", "a test"))
    lab.settle()
    assert lab.state.book.rebalance is None
    assert lab.state.book.day.nav is None
    lab.mark("60000", after_s=3_600)
    nav = lab.state.book.day.nav
    assert nav is not None
    assert round(nav, 2) == 1


def test_a_fund_that_sends_the_same_order_again_and_again_is_stopped() -> None:
    """Rearmed, it is counted anew; what was sent stays sent."""
    lab = Lab(a_fund(start_leverage="0.5"))
    lab.settle(at_most_s=1)
    book = lab.state.book
    lab.mark("60000", after_s=60)
    again = lab.state.book.traffic.content
    assert again is not None
    book = lab.state.book
    book.traffic = book.traffic._replace(repeats=MOST_REPEATS)
    lab.send(ev.Controlled(*lab.now, Control.PAUSED, "ann", "a test"))
    assert lab.state.book.traffic.repeats == MOST_REPEATS
    lab.state.book.apply(rec.IncidentOpened(lab.time_ms, REPEATED, "a test", "none", stops_increases=True))
    lab.send(ev.Controlled(*lab.now, Control.RUNNING, "ann", "a test"))
    assert lab.state.book.traffic == Traffic(book.traffic.window.looked_into())


@pytest.mark.parametrize(("numerator", "denominator"), [(10, 1), (1, 10)])
def test_other_units_are_neither_a_loss_nor_a_gain(numerator: int, denominator: int) -> None:
    """The NAV by which the day's loss is judged is that of units of the same size."""
    lab = Lab()
    lab.settle()
    before = lab.state.book.day.nav
    lab.send(ev.RescaleAsked(*lab.now, numerator, denominator, "ann", "rounder"))
    after = lab.state.book.day.nav
    assert before is not None
    assert after == before * denominator / numerator
    lab.mark("91000")
    lab.settle()
    assert lab.of(rec.RebalanceStarted)[-1].kind is rec.Kind.BAND
    assert lab.state.book.incidents == {}


def test_an_hour_that_began_before_midnight_does_not_bring_the_day_back() -> None:
    """The first mark of a new process may be older than what it booked: the new day stays."""
    book = fold(Lab().records)
    midnight_ms = 86_400_000
    book.day = Day(1, turnover=D(3), costs=D("0.01"))
    book.apply(rec.Sampled(midnight_ms - 1, D(60_000), None))
    assert (book.day.number, book.day.turnover, book.day.costs) == (1, D(3), D("0.01"))
    assert book.day.nav == book.ledger.value(D(60_000)) / book.units


def test_other_units_give_a_day_without_a_first_nav_none() -> None:
    """As after a loss was rearmed: the next sample begins it, in the units of then."""
    lab = Lab()
    lab.settle()
    lab.state.book.day = Day(0)
    lab.send(ev.RescaleAsked(*lab.now, 10, 1, "ann", "rounder"))
    assert lab.state.book.day.nav is None
    lab.mark("60000", after_s=3_600)
    nav = lab.state.book.day.nav
    assert nav is not None
    assert round(nav, 2) == D("0.1")
