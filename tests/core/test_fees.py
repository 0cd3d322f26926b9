"""The management fee: how much, when, and at which mark."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.core import commands as cmd
from bot.core import events as ev
from bot.core.basket import Basket
from bot.core.flow_records import DealingStruck, FeeCharged, FeeRateSet, FinalNav, FlowPriced
from bot.core.midnight import basket_fee, management_fee
from bot.core.public_records import FundingImputed
from bot.core.records import Control, IncomeBooked
from bot.core.units import DAY_MS, ZERO
from strategies.interval import Interval
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
    lab.day_marks = {DAY_MS: D(61_000)}  # the venue's, which is not asked for it
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


RATE = D("0.0003")


def paid(lab: FlowLab, time_ms: int, price: str) -> None:
    """The venue pays funding on what the fund holds, whether a process runs or not."""
    amount = (-lab.venue.ledger.position * D(price) * RATE).quantize(D("1e-8"))
    lab.venue.pay_funding(amount, time_ms + 3)


def two_days(lab: FlowLab, *, sleeps: bool) -> FlowLab:
    """Funding six times, and two midnights; who sleeps is back at the end of it only."""
    lab.day_marks = {DAY_MS: D(61_000), 2 * DAY_MS: D(59_500)}
    for eighth in range(1, 8):
        at_ms, price = eighth * DAY_MS // 3, ("61000", "60100", "59900", "59500")[eighth // 2 - 1]
        paid(lab, at_ms, price)
        late_s = (at_ms - lab.time_ms) / 1000 + 1
        if sleeps:
            lab.time_ms += int(late_s * 1000)
            lab.wall_ms = lab.time_ms
        else:
            lab.mark(str(lab.day_marks.get(at_ms, D(price))), after_s=late_s, rate=str(RATE))
    if sleeps:
        lab.price = D("59500")
        lab.restart()
    return lab


def test_a_midnight_that_was_missed_is_charged_on_the_cash_of_then() -> None:
    """Who slept over it pays to the last digit what who was awake paid, though funding came since."""
    lab = a_flow_lab("0.001")
    lab.mark(lab.price, after_s=60, rate=str(RATE))
    awake, asleep = (two_days(lab.fork(), sleeps=sleeps) for sleeps in (False, True))
    told = [[(c.until_ms, c.mark, c.amount) for c in one.of(FeeCharged)] for one in (awake, asleep)]
    assert told[0] == told[1]
    assert [until_ms for until_ms, *_ in told[1]] == [DAY_MS, 2 * DAY_MS]
    assert awake.state.book.ledger == asleep.state.book.ledger
    today = management_fee(asleep.state.book.ledger.value(D(61_000)), D("0.001"), DAY_MS - 60_000)
    assert abs(today - told[1][0][2]) > D("0.01")  # today's cash would have been another amount
    assert asleep.state.book.later == ()


def test_a_trade_after_a_missed_midnight_is_no_part_of_its_fee() -> None:
    """Somebody sold half of it while no process ran: at that midnight the fund still held it."""
    lab = a_flow_lab("0.001")
    value = lab.state.book.ledger.value(D(70_000))
    lab.day_marks = {DAY_MS: D(70_000)}
    lab.venue.trade(-lab.venue.ledger.position / 2, DAY_MS + 5_000, D(60_000))
    lab.time_ms = lab.wall_ms = DAY_MS + 3_600_000
    lab.restart()
    (charged,) = lab.of(FeeCharged)
    assert charged.amount == pytest.approx(management_fee(value, D("0.001"), DAY_MS - 60_000), abs=D("1e-7"))


def test_public_basket_and_shadow_pay_by_what_they_were_worth_then() -> None:
    """A rebalance is halted in the middle for two days: nothing is revealed or charged, funding goes on."""
    lab = a_flow_lab("0.001")
    lab.fund = replace(lab.fund, shadow=Interval(at="", move=0))
    lab.state = lab.state._replace(fund=lab.fund)
    lab.wait(4_000)
    lab.mark("52500", rate=str(RATE))
    lab.send(ev.Controlled(*lab.now, Control.HALTED, "ann", "to look"))
    before = lab.state.book
    assert before.rebalance is not None
    assert before.shadow is not None
    baskets = [before.public.basket, before.shadow.basket]
    assert ZERO != baskets[0].position != before.position
    two_days(lab, sleeps=False)
    assert (lab.of(FeeCharged), len(lab.state.book.later)) == ([], 4)
    lab.send(ev.Controlled(*lab.now, Control.RUNNING, "ann", "it is fine"))
    assert [c.until_ms for c in lab.of(FeeCharged)] == [DAY_MS, 2 * DAY_MS]
    expected = [walked(lab, basket) for basket in baskets]
    after = lab.state.book
    assert after.shadow is not None
    assert [after.public.basket.cash, after.shadow.basket.cash] == pytest.approx(expected, abs=D("1e-6"))


def test_what_passes_a_late_midnight_by_is_no_part_of_it() -> None:
    """Funding that is imputed to a flat fund's public basket counts by contract; a deposit not at all."""
    lab = a_flow_lab("0.001")
    book, after_ms = lab.state.book.copy(), DAY_MS + 8 * 3_600_000
    book.apply(IncomeBooked(after_ms, "t", after_ms, "TRANSFER", D(500)))
    assert not book.later
    book.apply(FundingImputed(DAY_MS + 3, D(60_000), RATE))
    assert not book.later  # that of this midnight is there before its fee
    book.apply(FundingImputed(after_ms, D(60_000), RATE))
    assert [(move.cash, move.per_contract) for move in book.later] == [(0, D(-18))]
    charge = FeeCharged(after_ms, 60_000, DAY_MS, D(61_000), D(0))
    value = Basket(0, D(1_000), D(2), D(1)).value(D(61_000)) + 2 * 18
    due = management_fee(value, D("0.001"), DAY_MS - 60_000)
    assert basket_fee(book, charge, Basket(0, D(1_000), D(2), D(1))) == due.quantize(D("1e-8"), "ROUND_FLOOR")


def walked(lab: FlowLab, basket: Basket) -> Decimal:
    """The cash of a basket that was paid and charged at each instant, one after the other."""
    first_ms = 60_000
    for eighth in range(1, 8):
        at_ms, price = eighth * DAY_MS // 3, D(("61000", "60100", "59900", "59500")[eighth // 2 - 1])
        basket = basket.paid(-basket.position * price * RATE)
        if at_ms % DAY_MS == 0:
            value = basket.value(lab.day_marks[at_ms])
            basket = basket.paid(-management_fee(value, D("0.001"), at_ms - first_ms))
            first_ms = at_ms
    return basket.cash


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
