"""Dealings: what price a flow gets, who bears what, and what goes first."""

from decimal import Decimal

import pytest

from bot.core import events as ev
from bot.core.commands import FetchDayMark
from bot.core.execution import UNFILLED_LIMIT_MS
from bot.core.flow_records import (
    DealingClosed,
    DealingStruck,
    FeeCharged,
    FlowCancelled,
    FlowFunded,
    FlowKind,
    FlowPaid,
    FlowPriced,
    FlowRequested,
    FlowsCrossed,
    FlowSettled,
    FlowsInCash,
    FlowsShown,
)
from bot.core.flows import FlowState
from bot.core.limits import SubmitOrder
from bot.core.records import (
    Control,
    Ending,
    Filled,
    FundState,
    Kind,
    OrderCancelAsked,
    OrderIntended,
    RebalanceFinished,
    RebalanceStarted,
)
from tests.support.flows import FlowLab, a_dealing_fund, a_flow_lab

D = Decimal


def kinds(lab: FlowLab) -> list[Kind]:
    """The rebalances so far."""
    return [record.kind for record in lab.of(RebalanceStarted)]


def test_a_subscription_gets_the_nav_of_the_dealing_less_its_own_costs() -> None:
    """Its units times NAV is what it brought, less the trading fee of its share of the position."""
    lab = a_flow_lab()
    nav, leverage = lab.nav, lab.leverage
    lab.subscribe("10000")
    lab.until_dealing()
    lab.settle()
    (settled,) = lab.of(FlowSettled)
    assert lab.of(FlowPriced)[0].nav == nav
    assert leverage is not None
    cost = D(10000) - settled.units * nav
    assert cost == pytest.approx(D(10000) * leverage * D("0.0005"), rel=D("0.01"))
    assert 0 <= lab.nav - nav < D("1e-6")
    assert lab.leverage == pytest.approx(leverage, abs=D("0.003"))


def test_the_life_of_a_subscription_is_on_record() -> None:
    """Requested, funded by the transfer that was asked for, priced, settled."""
    lab = a_flow_lab()
    lab.subscribe("10000")
    assert [flow.state for flow in lab.state.book.flows] == [FlowState.FUNDED]
    assert (lab.state.book.escrow, lab.state.book.unallocated) == (10000, 0)
    lab.until_dealing()
    lab.settle()
    told = (FlowRequested, FlowFunded, DealingStruck, FlowPriced, FlowSettled, DealingClosed)
    assert [type(record) for record in lab.records if isinstance(record, told)] == list(told)
    (over,) = lab.state.book.closed_flows
    assert (over.state, over.units) == (FlowState.SETTLED, lab.of(FlowSettled)[0].units)
    assert lab.state.book.escrow == 0


def test_the_life_of_a_redemption_ends_with_its_withdrawal() -> None:
    """Requested, priced, payable, and paid when the venue's income shows the transfer."""
    lab = a_flow_lab(redeem_fee="0.001")
    lab.redeem("10000")
    lab.until_dealing()
    lab.settle()
    (paid,), (settled,) = lab.of(FlowPaid), lab.of(FlowSettled)
    assert paid.amount == settled.amount
    assert settled.fee == (settled.amount + settled.fee) * D("0.001") // D("1e-8") * D("1e-8") + D("1e-8")
    assert lab.state.book.closed_flows[0].state is FlowState.PAID
    assert (lab.state.book.payable, lab.state.book.fees_payable) == (0, settled.fee)
    assert lab.state.book.units == 90_000


def test_a_flow_is_priced_by_the_first_mark_of_the_next_dealing() -> None:
    """Not by the mark of its request, and not before."""
    lab = a_flow_lab()
    lab.redeem("1000")
    lab.wait(30)
    assert not lab.of(DealingStruck)
    lab.until_dealing("60300")
    (struck,) = lab.of(DealingStruck)
    assert (struck.mark, struck.dealing_ms % 600_000) == (60300, 0)


def test_a_request_at_the_very_instant_waits_for_the_next_dealing() -> None:
    """Forward pricing: what is asked when the price is known already does not get it."""
    lab = a_flow_lab()
    lab.until_dealing()
    lab.redeem("1000")
    lab.wait(60)
    assert not lab.of(DealingStruck)
    lab.until_dealing()
    assert len(lab.of(DealingStruck)) == 1


def test_a_request_that_comes_while_a_dealing_waits_does_not_get_its_price() -> None:
    """It is known by then."""
    lab = a_flow_lab()
    lab.redeem("10000", "early")
    lab.until_dealing("52500")
    assert not lab.of(FlowPriced)
    lab.redeem("1000", "late")
    lab.settle()
    early = lab.state.book.receipts["early"].reference
    assert {priced.reference for priced in lab.of(FlowPriced)} == {early}


def test_a_subscription_whose_money_has_not_come_is_not_dealt() -> None:
    """What others brought is."""
    lab = a_flow_lab()
    lab.subscribe("500", "paid")
    lab.moves_cash = False
    lab.subscribe("600", "promised")
    lab.until_dealing()
    lab.settle()
    assert {priced.reference for priced in lab.of(FlowPriced)} == {lab.state.book.receipts["paid"].reference}


def test_what_comes_in_and_goes_out_in_one_dealing_meets_without_a_trade() -> None:
    """Both sides get NAV, and the net alone is traded."""
    lab = a_flow_lab()
    nav = lab.nav
    lab.subscribe("5000")
    lab.redeem("5000")
    lab.until_dealing()
    lab.settle()
    (crossed,) = lab.of(FlowsCrossed)
    assert crossed.units == 5000
    assert crossed.received == pytest.approx(5000 * nav)
    assert Kind.FLOW not in kinds(lab)
    payable = [record for record in lab.of(FlowSettled) if record.amount]
    assert payable[0].amount == crossed.received


@pytest.mark.parametrize(("come", "leave"), [("100000", "50000"), ("50000", "100000")])
def test_what_leavers_were_given_sizes_no_slice(come: str, leave: str) -> None:
    """It is theirs: a trade is sized, and limited, by the fund and by what the trade itself moves."""
    lab = a_flow_lab()
    lab.subscribe("200000")
    lab.until_dealing()
    lab.settle()
    lab.subscribe(come)
    lab.redeem(leave)
    lab.until_dealing()
    book = lab.state.book
    assert book.dealing is not None
    assert book.dealing.crossed > 49_000
    fund, mark = book.ledger.value(lab.price), lab.price
    assert 0 <= book.backed.value(mark) - fund <= 50_000


def test_less_than_the_smallest_order_goes_in_as_cash_and_pays_the_taker_fee_to_the_fund() -> None:
    """No order, units at NAV less the fee that its share of the position would have cost."""
    lab = a_flow_lab()
    nav, leverage = lab.nav, lab.leverage
    assert leverage is not None
    lab.subscribe("40")
    lab.until_dealing()
    (cash,) = lab.of(FlowsInCash)
    assert (cash.kind, cash.amount) == (FlowKind.SUBSCRIBE, 40)
    assert cash.units == pytest.approx(40 * (1 - leverage * D("0.0005")) / nav, abs=D("1e-8"))
    assert lab.nav > nav
    assert Kind.FLOW not in kinds(lab)


def test_where_nothing_is_hidden_the_public_sees_the_dealing_itself() -> None:
    """Told apart it would be counted twice."""
    lab = a_flow_lab()
    lab.wait(7_200)
    assert not lab.state.book.public.hidden
    lab.subscribe("40")
    lab.until_dealing()
    assert len(lab.of(FlowSettled)) == 1
    assert lab.of(FlowsShown) == []
    assert lab.state.book.public.basket.units == lab.state.book.units


def test_a_flow_takes_no_more_of_a_thin_market_than_a_rebalance_and_is_no_overdue_delever() -> None:
    """After its first slice a tenth of what trades in its mean gap of 4.5 s, however long that takes."""
    lab = a_flow_lab()
    lab.venue.volume = D(9)
    lab.redeem("50000")
    lab.until_dealing()
    lab.settle(at_most_s=1_000)
    assert lab.time_ms - lab.of(RebalanceStarted)[-1].time_ms > UNFILLED_LIMIT_MS
    first, *rest = (one.quantity for one in lab.of(OrderIntended) if one.reduce_only)
    assert first < D("-0.08")
    assert set(rest) == {D("-0.004")}
    assert lab.state.book.incidents == {}


def test_flows_of_a_dealing_share_its_result_in_proportion() -> None:
    """Twice the money, twice the units; what rounding leaves is the fund's."""
    lab = a_flow_lab()
    lab.subscribe("3000")
    lab.subscribe("6000")
    lab.until_dealing()
    lab.settle()
    one, two = lab.of(FlowSettled)
    assert abs(2 * one.units - two.units) <= D("2e-8")


def test_a_dealing_takes_a_resting_order_back_trades_and_lets_the_rebalance_go_on() -> None:
    """The flow's trade comes between two slices of a patient rebalance, which then reaches its target."""
    lab = a_flow_lab()
    lab.subscribe("20000")
    lab.venue.script.extend(["rest"])
    before_ms = lab.fund.terms.dealing_after(lab.time_ms) - 2_000
    lab.mark("64000", after_s=(before_ms - lab.time_ms) / 1000)
    assert lab.state.book.rebalance is not None
    assert lab.state.book.rebalance.order is not None
    lab.until_dealing()
    assert lab.of(OrderCancelAsked)
    assert kinds(lab) == [Kind.OPEN, Kind.BAND, Kind.FLOW]
    assert lab.state.book.suspended is not None
    lab.settle()
    endings = [
        (record.ending, lab.of(RebalanceFinished).index(record)) for record in lab.of(RebalanceFinished)
    ]
    assert [ending for ending, _ in endings] == [Ending.DONE] * 3
    target = lab.of(RebalanceStarted)[1].target
    assert lab.leverage == pytest.approx(target, abs=D("0.02"))


def test_delevering_goes_first_and_the_flow_keeps_its_mark() -> None:
    """Above the band the dealing is struck at its time; its trade waits until leverage is down."""
    lab = a_flow_lab()
    lab.redeem("10000")
    lab.until_dealing("52500")
    assert lab.of(DealingStruck)[0].mark == 52500
    assert kinds(lab)[-1] is Kind.BAND
    assert not lab.of(FlowPriced)
    lab.settle()
    assert kinds(lab) == [Kind.OPEN, Kind.BAND, Kind.FLOW]
    assert len(lab.of(FlowSettled)) == 1


def test_a_position_of_the_wrong_sign_is_closed_before_flows_are_traded() -> None:
    """A stranger sold more than the fund had: a subscription adds no share to what must be bought back."""
    lab = a_flow_lab()
    lab.subscribe("10000")
    lab.venue.trade(-lab.state.book.position - D("0.5"), lab.time_ms, lab.price)
    lab.send(ev.ReconcileDue(*lab.now))
    assert lab.state.book.position < 0
    lab.send(ev.Controlled(*lab.now, Control.RUNNING, "operator", "looked into it"))
    known = len(lab.of(OrderIntended))
    lab.until_dealing()
    lab.settle()
    assert all(order.quantity > 0 for order in lab.of(OrderIntended)[known:])
    lab.wait(3_600)
    lab.settle()
    assert lab.state.book.position > 0
    assert len(lab.of(FlowSettled)) == 1


def test_a_flow_under_way_makes_way_for_what_a_stranger_left_on_the_wrong_side_of_zero() -> None:
    """No share of such a position is to be traded: it is closed first."""
    lab = a_flow_lab()
    lab.redeem("60000")
    lab.until_dealing()
    assert kinds(lab)[-1] is Kind.FLOW
    lab.venue.trade(-lab.state.book.position - D("0.5"), lab.time_ms, lab.price)
    lab.send(ev.ReconcileDue(*lab.now))
    lab.mark(str(lab.price), after_s=3)
    assert lab.of(RebalanceFinished)[1].ending is Ending.SUPERSEDED
    assert kinds(lab)[-1] is Kind.FLATTEN
    lab.settle()
    assert lab.state.book.position == 0


def test_a_flow_under_way_makes_way_for_a_delever_and_is_taken_up_again() -> None:
    """Leverage leaves the band upward between two slices: the flow's trade ends, and goes on later."""
    lab = a_flow_lab()
    lab.redeem("60000")
    lab.until_dealing()
    assert kinds(lab)[-1] is Kind.FLOW
    lab.mark("52500", after_s=3)
    assert lab.of(RebalanceFinished)[1].ending is Ending.SUPERSEDED
    assert kinds(lab)[-1] is Kind.BAND
    lab.settle()
    lab.wait(1)
    assert kinds(lab)[-1] is Kind.BAND
    lab.wait(60)
    assert kinds(lab)[-1] is Kind.FLOW
    lab.settle()
    lab.wait(61)
    lab.settle()
    assert len(lab.of(FlowSettled)) == 1


def test_while_increases_are_stopped_subscriptions_wait_and_redemptions_do_not() -> None:
    """A pause strikes a dealing for those who leave; who comes is priced by the first dealing after it."""
    lab = a_flow_lab()
    lab.subscribe("20000")
    lab.redeem("3000")
    lab.send(ev.Controlled(*lab.now, Control.PAUSED, "ann", "maintenance"))
    lab.until_dealing()
    lab.settle()
    (priced,) = lab.of(FlowPriced)
    assert [flow.state for flow in lab.state.book.flows] == [FlowState.FUNDED]
    lab.until_dealing()
    lab.wait(120)
    lab.send(ev.Controlled(*lab.now, Control.RUNNING, "ann", "over"))
    lab.wait(10)
    assert lab.of(FlowPriced) == [priced]
    lab.until_dealing()
    lab.settle()
    assert len(lab.of(FlowSettled)) == 2


def test_money_that_cannot_be_invested_by_the_next_dealing_is_returned() -> None:
    """Increases stop in the middle of a trade and stay so: what is bought is settled, the rest comes back."""
    lab = a_flow_lab()
    lab.subscribe("90000")
    lab.until_dealing()
    lab.send(ev.Controlled(*lab.now, Control.PAUSED, "ann", "maintenance"))
    lab.wait(3)
    assert lab.of(RebalanceFinished)[-1].ending is Ending.SUPERSEDED
    begun = len(kinds(lab))
    lab.wait(70)
    assert not lab.of(FlowSettled)
    assert len(kinds(lab)) == begun
    lab.until_dealing()
    (settled,) = lab.of(FlowSettled)
    assert settled.units > 0
    assert settled.returned > 0
    assert lab.state.book.unallocated == settled.returned


def test_a_flow_without_a_slice_for_a_minute_makes_way() -> None:
    """Marks go stale for the venue's touch: nothing blocks a fund for ever."""
    lab = a_flow_lab()
    lab.redeem("60000")
    lab.venue.script.extend(["nothing"] * 3)
    lab.until_dealing()
    lab.deliver = lambda _: False
    lab.wait(10)
    lab.deliver = lambda _: True
    lab.wait(120)
    assert lab.of(RebalanceFinished)[-1].ending is Ending.SUPERSEDED


def test_a_mark_that_is_not_trusted_strikes_no_dealing() -> None:
    """One that contradicts the index, or that is known to be old."""
    lab = a_flow_lab()
    lab.redeem("1000")
    at_ms = lab.fund.terms.dealing_after(lab.time_ms)
    lab.time_ms = lab.wall_ms = at_ms
    lab.send(ev.Mark(*lab.now, lab.price, index_price=lab.price * 2))
    lab.send(ev.FeedLost(*lab.now, "silence"))
    assert not lab.of(DealingStruck)
    lab.wait(1)
    assert lab.of(DealingStruck)


def test_a_dealing_waits_for_the_funding_of_its_instant() -> None:
    """Its mark is fixed at once; the NAV counts the funding that was due."""
    lab = a_flow_lab()
    lab.mark(lab.price, after_s=28_700 - lab.time_ms / 1000, rate="0.001")
    lab.redeem("1000")
    lab.venue.pay_funding(D(-200), 28_800_000)
    lab.deliver = lambda command: type(command).__name__ != "FetchIncome"
    lab.mark("60000", after_s=(28_800_000 - lab.time_ms) / 1000, rate="0.001")
    assert lab.of(DealingStruck)
    assert not lab.of(FlowPriced)
    lab.deliver = lambda _: True
    value = lab.state.book.ledger.value(lab.price)
    lab.send(ev.IncomeSeen(*lab.now, tuple(lab.venue.income)))
    (priced,) = lab.of(FlowPriced)
    assert priced.nav == (value - 200) / 100_000


def test_a_dealing_waits_for_the_mark_of_a_missed_midnight() -> None:
    """The fee of that day is paid by those who leave as well: nothing is priced or shown before."""
    lab = a_flow_lab(fee_daily="0.01")
    lab.day_marks[86_400_000] = D(62_000)
    lab.redeem("5000")
    lab.deliver = lambda command: not isinstance(command, FetchDayMark)
    lab.mark("61000", after_s=90_000)
    assert len(lab.of(DealingStruck)) == 1
    assert (lab.of(FlowPriced), lab.of(FeeCharged), lab.of(FlowsShown)) == ([], [], [])
    lab.deliver = lambda _: True
    lab.send(ev.DayMarkSeen(*lab.now, 86_400_000, D(62_000)))
    kinds = [type(r) for r in lab.records if isinstance(r, FeeCharged | FlowPriced)]
    assert kinds == [FeeCharged, FeeCharged, FlowPriced]
    assert lab.of(FeeCharged)[0].mark == 62_000


def test_a_fund_without_value_cancels_what_waited() -> None:
    """Nothing is paid, nothing is taken, and a subscription's money is unallocated again."""
    lab = a_flow_lab()
    lab.subscribe("1000")
    lab.redeem("1000")
    lab.until_dealing("20000")
    lab.settle()
    lab.wait(1)
    lab.settle()
    assert {record.reason for record in lab.of(FlowCancelled)} == {
        "the fund is dead",
        "the fund has no value left",
    }
    assert lab.state.book.flows == ()
    assert lab.state.book.unallocated == 1000


def test_the_last_unit_can_leave_and_the_fund_is_too_small_then() -> None:
    """Everything is sold and paid out; no unit is left, and no subscription is taken any more."""
    lab = a_flow_lab()
    lab.redeem("100000")
    lab.until_dealing()
    for _ in range(4):
        lab.settle()
        lab.wait(61)
    assert (lab.state.book.position, lab.state.book.units) == (0, 0)
    assert lab.state.book.state is FundState.TOO_SMALL
    assert lab.state.book.ledger.value(lab.price) < 1


def test_a_flattened_fund_redeems_in_cash() -> None:
    """No position, no trade, no cost."""
    lab = a_flow_lab()
    lab.send(ev.FlattenAsked(*lab.now, "ann", "wound down"))
    lab.settle()
    final = lab.state.book.final
    assert final is not None
    lab.redeem("1000")
    fills = len(lab.of(Filled))
    lab.until_dealing()
    assert lab.of(FlowSettled)[0].amount == final.nav * 1000 // D("1e-8") * D("1e-8")
    assert len(lab.of(Filled)) == fills


def test_money_on_its_way_when_the_fund_stops_being_active_is_returned() -> None:
    """Flattened between two slices of a subscription: what is bought is settled, the rest comes back."""
    lab = a_flow_lab()
    lab.subscribe("90000")
    lab.until_dealing()
    lab.send(ev.FlattenAsked(*lab.now, "ann", "wound down"))
    lab.wait(10)
    lab.settle()
    (settled,) = lab.of(FlowSettled)
    assert settled.returned > 0
    assert lab.state.book.dealing is None


def test_hold_regions_end_at_the_next_dealing() -> None:
    """The first mark of a dealing is looked at, wherever its price lies."""
    lab = a_flow_lab()
    lab.redeem("1000")
    assert lab.state.region is not None
    assert lab.state.region.until_ms == lab.fund.terms.dealing_after(lab.time_ms)


def test_a_redemption_whose_units_are_worth_nothing_ends_with_the_dealing() -> None:
    """The fund dies between two slices: what was sold is paid, the other units are burned."""
    lab = FlowLab(a_dealing_fund())
    lab.settle()
    lab.redeem("90000")
    lab.until_dealing()
    lab.mark("20000", after_s=2)
    for _ in range(3):
        lab.settle()
        lab.wait(61)
    assert lab.state.book.dealing is None
    assert lab.state.book.units == 10_000
    assert lab.state.book.state is FundState.DEAD


def test_a_batch_that_waits_again_closes_its_dealing() -> None:
    """Struck for a subscription, and increases stop before it is priced: the dealing is closed without it."""
    lab = a_flow_lab()
    lab.subscribe("10000")
    before_ms = lab.fund.terms.dealing_after(lab.time_ms) - 100
    lab.deliver = lambda command: not isinstance(command, SubmitOrder)
    lab.mark("64000", after_s=(before_ms - lab.time_ms) / 1000)
    lab.until_dealing()
    lab.deliver = lambda _: True
    assert lab.of(DealingStruck)
    lab.send(ev.Controlled(*lab.now, Control.PAUSED, "ann", "maintenance"))
    lab.restart()
    lab.wait(1)
    assert len(lab.of(DealingClosed)) == 1
    assert not lab.of(FlowPriced)
