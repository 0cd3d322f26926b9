"""The management fee: how much, when, and at which mark."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.core import commands as cmd
from bot.core import events as ev
from bot.core.fees import DAY_MS, management_fee
from bot.core.flow_records import DealingStruck, FeeCharged, FeeRateSet, FinalNav, FlowPriced
from tests.support.flows import FlowLab, a_flow_lab

D = Decimal


def to_midnight(lab: FlowLab, *, late_s: float = 0) -> None:
    """The first mark of the next day comes, so late."""
    lab.wait((DAY_MS - lab.time_ms % DAY_MS) / 1000 + late_s)


def reconfigure(lab: FlowLab, daily: str) -> None:
    """The operator sets another rate."""
    fund = replace(lab.fund, management_fee_daily=D(daily))
    lab.send(ev.Reconfigured(*lab.now, fund, f"digest {daily}", "ann", "another rate"))


def test_the_formula_is_a_fraction_of_value_for_the_time_that_passed() -> None:
    """A fund without value pays nothing."""
    assert management_fee(D(1000), D("0.0001")) == D("0.1")
    assert management_fee(D(1000), D("0.0001"), DAY_MS // 4) == D("0.025")
    assert management_fee(D(-5), D("0.0001")) == 0


def test_it_is_charged_at_midnight_at_the_first_mark_of_the_day() -> None:
    """It leaves the fund, and is owed to its operator: the wallet does not move."""
    lab = a_flow_lab("0.001")
    value, wallet = lab.state.book.ledger.value(lab.price), lab.state.book.wallet
    to_midnight(lab)
    (charged,) = lab.of(FeeCharged)
    assert (charged.until_ms, charged.mark) == (DAY_MS, lab.price)
    assert charged.amount == pytest.approx(value * D("0.001") * (DAY_MS - 60_000) / DAY_MS)
    assert lab.state.book.wallet == wallet
    assert lab.state.book.fees_payable == lab.state.book.fees_charged == charged.amount


def test_each_midnight_that_was_missed_is_charged_at_its_own_mark() -> None:
    """The venue is asked for the mark of each, and both are charged one after the other."""
    lab = a_flow_lab("0.001")
    lab.day_marks = {DAY_MS: D(61000), 2 * DAY_MS: D(62000)}
    lab.wait(2 * DAY_MS / 1000)
    assert [(c.until_ms, c.mark) for c in lab.of(FeeCharged)] == [(DAY_MS, 61000), (2 * DAY_MS, 62000)]


@pytest.mark.parametrize("reads", [True, False])
def test_without_a_mark_of_that_day_the_first_one_that_is_known_counts(*, reads: bool) -> None:
    """The venue keeps none of it, or cannot be asked."""
    lab = a_flow_lab("0.001")
    if not reads:
        lab.deliver = lambda command: not isinstance(command, cmd.FetchDayMark)
    to_midnight(lab, late_s=3_600)
    if not reads:
        assert not lab.of(FeeCharged)
        lab.wait(1)
        assert sum(isinstance(command, cmd.FetchDayMark) for command in lab.commands) == 1
        lab.send(ev.ReadFailed(*lab.now, "FetchDayMark", "timeout"))
    (charged,) = lab.of(FeeCharged)
    assert charged.mark == lab.price


def test_a_days_mark_that_comes_before_any_other_is_not_needed() -> None:
    """A process that has seen no mark yet knows nothing to put in its place."""
    lab = a_flow_lab("0.001")
    lab.state = lab.state._replace(mark=None)
    lab.send(ev.DayMarkSeen(*lab.now, DAY_MS, None))
    assert lab.state.live.day_mark is None


def test_a_dealing_charges_what_has_accrued_and_midnight_the_rest() -> None:
    """Who leaves at noon pays for half a day; nobody pays twice."""
    lab = a_flow_lab("0.001")
    start_ms = lab.of(FeeRateSet)[0].time_ms
    lab.redeem("1000")
    lab.until_dealing()
    lab.settle()
    to_midnight(lab)
    first, second = lab.of(FeeCharged)
    dealt_ms = lab.of(DealingStruck)[0].dealing_ms
    assert (first.from_ms, first.until_ms, second.from_ms) == (start_ms, dealt_ms, dealt_ms)
    assert lab.of(FlowPriced)[0].nav < D("0.99901")
    whole = sum(c.amount for c in (first, second))
    assert whole == pytest.approx(D(100) * (DAY_MS - start_ms) / DAY_MS, rel=D("0.02"))


def test_a_new_rate_counts_from_when_it_is_set() -> None:
    """What accrued before is charged at the old one; no rate, no charge."""
    lab = a_flow_lab("0.001")
    lab.wait(3_600)
    reconfigure(lab, "0.002")
    (charged,) = lab.of(FeeCharged)
    assert charged.until_ms == lab.time_ms
    lab.wait(60)
    reconfigure(lab, "0")
    to_midnight(lab)
    assert [record.daily for record in lab.of(FeeRateSet)] == [D("0.001"), D("0.002"), 0]
    assert len(lab.of(FeeCharged)) == 2


def test_a_fund_that_is_flat_and_over_pays_no_more() -> None:
    """Its final NAV is final; resumed, the fee begins anew."""
    lab = a_flow_lab("0.001")
    lab.send(ev.FlattenAsked(*lab.now, "ann", "wound down"))
    lab.settle()
    (final,) = lab.of(FinalNav)
    assert final.nav == lab.nav
    to_midnight(lab)
    assert lab.nav == final.nav
    assert lab.of(FeeRateSet)[-1].daily == 0
