"""Deposits and withdrawals: whose they are."""

from decimal import Decimal

import pytest

from bot.core import commands as cmd
from bot.core import events as ev
from bot.core.cash import EXPIRY_MS, OVERDRAWN
from bot.core.flow_records import FeesPaid, FlowCancelled, FlowFunded, FlowPaid
from bot.core.records import Control, IncidentClosed, IncomeBooked
from tests.support.flows import FlowLab, a_flow_lab

D = Decimal


def by_hand(**terms: str) -> FlowLab:
    """A fund whose transfers are made by people."""
    lab = a_flow_lab("0.001", **terms)
    lab.moves_cash = False
    return lab


def look(lab: FlowLab) -> None:
    """The venue is compared with the ledger."""
    lab.send(ev.ReconcileDue(*lab.now))


def test_a_deposit_is_nobodys_until_a_subscription_claims_it() -> None:
    """It is not in the fund, whose NAV it does not move; the ledger still agrees with the venue."""
    lab = by_hand()
    nav = lab.nav
    lab.venue.transfer(D(700), lab.time_ms)
    look(lab)
    assert (lab.state.book.unallocated, lab.nav) == (700, nav)
    assert lab.state.book.breaches == ()
    lab.subscribe("500")
    assert (lab.state.book.unallocated, lab.state.book.escrow) == (200, 500)


def test_a_subscription_that_is_not_covered_does_not_hold_up_later_ones() -> None:
    """In the order of requests, each as soon as there is enough for it."""
    lab = by_hand()
    lab.subscribe("500", "large")
    lab.subscribe("100", "small")
    lab.venue.transfer(D(120), lab.time_ms)
    look(lab)
    (funded,) = lab.of(FlowFunded)
    assert funded.reference == lab.state.book.receipts["small"].reference


def test_a_subscription_whose_money_never_comes_is_over_after_three_days() -> None:
    """It is cancelled, and takes nothing with it."""
    lab = by_hand()
    lab.subscribe("500")
    lab.wait(EXPIRY_MS / 1000 - 60)
    assert not lab.of(FlowCancelled)
    lab.wait(3_600)
    (cancelled,) = lab.of(FlowCancelled)
    assert "three days" in cancelled.reason
    assert lab.state.book.flows == ()


def test_a_subscription_whose_money_came_waits_as_long_as_it_must() -> None:
    """Paused for days, the fund deals nobody in; the money is there all the same."""
    lab = a_flow_lab()
    lab.send(ev.Controlled(*lab.now, Control.PAUSED, "ann", "a test"))
    lab.subscribe("500")
    lab.wait(EXPIRY_MS / 1000 + 60)
    assert len(lab.of(FlowFunded)) == 1
    assert not lab.of(FlowCancelled)


@pytest.mark.parametrize("what", ["parking", "not compared"])
def test_no_transfer_is_asked_for_by_a_fund_that(what: str) -> None:
    """Is about to stop, or does not know whether ledger and venue agree."""
    lab = a_flow_lab()
    lab.deliver = lambda command: not isinstance(command, cmd.FetchAccount)
    if what == "parking":
        lab.send(ev.Park(*lab.now))
    else:
        lab.restart()
    lab.subscribe("500")
    lab.wait(60)
    assert not any(isinstance(command, cmd.MoveCash) for command in lab.commands)


def test_people_are_asked_once_and_the_income_is_read_at_each_request() -> None:
    """Where transfers are made by hand no more of them is asked for, but the money may be there already."""
    lab = by_hand()
    lab.subscribe("500")
    asked = len(lab.commands)
    lab.subscribe("600")
    new = lab.commands[asked:]
    assert sum(isinstance(command, cmd.MoveCash) for command in lab.commands) == 1
    assert any(isinstance(command, cmd.FetchIncome) for command in new)


def redeemed(lab: FlowLab, *units: str) -> list[Decimal]:
    """Amounts that are payable for redemptions of so many units."""
    for number, amount in enumerate(units):
        lab.redeem(amount, f"r{number}")
    lab.until_dealing()
    lab.settle()
    return [flow.payable for flow in lab.state.book.flows]


def withdraw(lab: FlowLab, amount: Decimal) -> None:
    """Somebody takes that much off the account."""
    lab.venue.transfer(-amount, lab.time_ms)
    look(lab)


def test_a_withdrawal_pays_the_redemption_of_exactly_its_amount() -> None:
    """Also where an older one would be covered."""
    lab = by_hand()
    amounts = redeemed(lab, "1000", "3000")
    withdraw(lab, amounts[1])
    (paid,) = lab.of(FlowPaid)
    assert paid.amount == amounts[1]
    assert [flow.payable for flow in lab.state.book.flows] == amounts[:1]


def test_another_withdrawal_pays_the_oldest_redemptions_that_it_covers_and_then_fees() -> None:
    """What is left of it comes out of fees that are due."""
    lab = by_hand()
    amounts = redeemed(lab, "1000", "3000")
    due = lab.state.book.fees_payable
    assert due > 0
    withdraw(lab, sum(amounts) + due / 2)
    assert [record.amount for record in lab.of(FlowPaid)] == amounts
    assert [record.amount for record in lab.of(FeesPaid)] == [due / 2]
    assert lab.state.book.fees_payable == due / 2


def test_a_withdrawal_that_covers_no_redemption_pays_none() -> None:
    """It is less than the only one: it comes out of fees, and the rest of it was the holders'."""
    lab = by_hand()
    redeemed(lab, "1000")
    withdraw(lab, D(500))
    assert not lab.of(FlowPaid)
    assert OVERDRAWN in lab.state.book.breaches


def test_funding_that_was_paid_pays_no_redemption() -> None:
    """It left the account, and went to nobody who waits for money."""
    lab = by_hand()
    (payable,) = redeemed(lab, "100")
    lab.venue.pay_funding(-payable, lab.time_ms)
    look(lab)
    assert lab.of(IncomeBooked)[-1].amount == -payable
    assert not lab.of(FlowPaid)


def test_a_withdrawal_of_holders_money_is_an_incident_until_it_is_back() -> None:
    """It stops increases, and names the amount; the books still agree with the venue."""
    lab = by_hand()
    withdraw(lab, D(100))
    assert OVERDRAWN in lab.state.book.breaches
    assert "100 more was withdrawn" in lab.state.book.incidents[OVERDRAWN].detail
    lab.venue.transfer(D(100), lab.time_ms)
    look(lab)
    assert lab.state.book.incidents == {}


def test_no_word_of_an_operator_brings_the_holders_money_back() -> None:
    """Neither `resume` nor `--adopt` ends the incident; a part of the money does not either."""
    lab = by_hand()
    withdraw(lab, D(100))
    lab.send(ev.Controlled(*lab.now, Control.RUNNING, "ann", "a test"))
    assert lab.state.book.breaches == (OVERDRAWN,)
    lab.restart(adopt=True)
    lab.venue.transfer(D(99), lab.time_ms)
    look(lab)
    assert lab.state.book.breaches == (OVERDRAWN,)
    lab.venue.transfer(D(1), lab.time_ms)
    look(lab)
    assert lab.state.book.breaches == ()


def test_a_journal_in_which_it_was_ended_while_money_is_missing_has_it_anew() -> None:
    """As `resume` once did."""
    lab = by_hand()
    withdraw(lab, D(100))
    lab.records.append(IncidentClosed(lab.time_ms, OVERDRAWN, "rearmed by ann"))
    lab.restart()
    assert lab.state.book.breaches == (OVERDRAWN,)


def test_an_unallocated_deposit_can_be_taken_back() -> None:
    """Nothing is owed to anybody: no incident."""
    lab = by_hand()
    lab.venue.transfer(D(50), lab.time_ms)
    look(lab)
    withdraw(lab, D(50))
    assert lab.state.book.unallocated == 0
    assert lab.state.book.incidents == {}


def test_a_transfer_whose_answer_is_lost_is_looked_for_before_it_is_asked_again() -> None:
    """It was made: the income records show it, and no second one is asked for."""
    lab = a_flow_lab()
    lab.deliver = lambda command: not isinstance(command, cmd.MoveCash)
    lab.subscribe("500")
    lab.venue.transfer(D(500), lab.time_ms)
    lab.send(ev.ReadFailed(*lab.now, "MoveCash", "timeout"))
    assert len(lab.of(FlowFunded)) == 1
    lab.deliver = lambda _: True
    lab.wait(120)
    assert sum(isinstance(command, cmd.MoveCash) for command in lab.commands) == 1


def test_a_transfer_that_was_not_made_is_asked_again_a_minute_later() -> None:
    """Not before: it could be on its way."""
    lab = a_flow_lab()
    lab.deliver = lambda command: not isinstance(command, cmd.MoveCash)
    lab.subscribe("500")
    lab.send(ev.ReadFailed(*lab.now, "MoveCash", "timeout"))
    lab.deliver = lambda _: True
    lab.wait(30)
    assert not lab.of(FlowFunded)
    lab.wait(31)
    assert len(lab.of(FlowFunded)) == 1


def test_a_transfer_in_doubt_is_not_asked_again_while_nothing_can_be_read() -> None:
    """The venue bans us for minutes just then: it was made, and only what is read afterwards may tell."""
    lab = a_flow_lab()
    lab.deliver = lambda command: not isinstance(command, cmd.MoveCash)
    lab.subscribe("500")
    lab.deliver = lambda command: not isinstance(command, cmd.MoveCash | cmd.FetchIncome)
    lab.venue.transfer(D(500), lab.time_ms)
    lab.send(ev.ReadFailed(*lab.now, "MoveCash", "timeout"))
    for _ in range(3):
        lab.wait(60)
        lab.send(ev.ReadFailed(*lab.now, "FetchIncome", "banned"))
    lab.deliver = lambda _: True
    lab.wait(3)
    assert len(lab.of(FlowFunded)) == 1
    assert sum(isinstance(command, cmd.MoveCash) for command in lab.commands) == 1


def test_a_start_reads_income_before_it_asks_for_cash() -> None:
    """What the process before it asked for may have been done, and not told."""
    lab = a_flow_lab()
    lab.deliver = lambda command: not isinstance(command, cmd.MoveCash)
    lab.subscribe("500")
    lab.restart()
    last = [type(command) for command in lab.commands][-2:]
    assert last == [cmd.FetchIncome, cmd.MoveCash]


def test_income_that_tells_is_asked_for_once_however_much_happens() -> None:
    """The answer that is on its way is the one that counts."""
    lab = a_flow_lab()
    lab.deliver = lambda command: not isinstance(command, cmd.MoveCash)
    lab.subscribe("500")
    lab.deliver = lambda command: not isinstance(command, cmd.FetchIncome)
    lab.restart()
    asked = len(lab.commands)
    for _ in range(3):
        lab.send(ev.Wake(*lab.now))
    assert not any(isinstance(command, cmd.FetchIncome) for command in lab.commands[asked:])


def test_income_that_does_not_show_a_transfer_yet_is_read_again() -> None:
    """The venue books a moment later than it answers."""
    lab = a_flow_lab()
    lab.deliver = lambda command: not isinstance(command, cmd.MoveCash | cmd.FetchIncome)
    lab.subscribe("500")
    lab.send(ev.CashMoved(*lab.now, D(500), "1"))
    known = len(lab.commands)
    lab.send(ev.IncomeSeen(*lab.now, ()))
    assert isinstance(lab.commands[known], cmd.FetchIncome)
    lab.venue.transfer(D(500), lab.time_ms)
    lab.deliver = lambda _: True
    lab.send(ev.IncomeSeen(*lab.now, tuple(lab.venue.income)))
    assert lab.state.live.cash_id == ""
    assert len(lab.of(FlowFunded)) == 1
