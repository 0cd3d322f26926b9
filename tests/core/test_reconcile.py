from decimal import Decimal
from typing import Literal

import pytest

from bot.core import commands as cmd
from bot.core import events as ev
from bot.core import records as rec
from bot.core.limits import SubmitOrder
from bot.core.reconcile import DIFFERENCE, difference
from bot.core.settlement import EXTERNAL
from bot.testing import Lab, a_fund

D = Decimal


def quiet() -> Lab:
    """A fund at rest, opened and reconciled."""
    lab = Lab()
    lab.settle()
    return lab


def compare(lab: Lab) -> None:
    """Let ledger and venue be compared."""
    lab.send(ev.ReconcileDue(*lab.now))


def test_agreement_is_recorded_when_it_says_something_new() -> None:
    """Comparing again without a change leaves no record."""
    lab = quiet()
    count = len(lab.records)
    compare(lab)
    assert len(lab.records) == count
    last = lab.of(rec.Reconciled)[-1]
    assert (last.wallet, last.position) == (lab.venue.ledger.wallet, lab.venue.ledger.position)


def test_a_comparison_that_is_under_way_is_not_begun_again() -> None:
    """The next one is due while the venue has not answered the first of a start: nothing more is asked."""
    lab = quiet()
    lab.deliver = lambda command: not isinstance(command, cmd.FetchAccount)
    lab.restart()
    assert not lab.state.live.reconciled
    assert lab.take(ev.ReconcileDue(*lab.now)) == ()


def test_the_comparison_does_not_depend_on_the_mark() -> None:
    """Wallet and position only: at any price the same agreement."""
    lab = quiet()
    for price in ("45500", "89000"):
        lab.mark(price)
        compare(lab)
    assert lab.state.book.incidents == {}


def test_income_is_booked_before_comparing() -> None:
    """Funding that nobody waited for, and a fee rebate: both explain the wallet."""
    lab = quiet()
    lab.venue.pay_funding(D("-3.5"), lab.time_ms)
    compare(lab)
    assert lab.state.book.ledger.funding == D("-3.5")
    rebate = ev.Income("r1", lab.time_ms, "COMMISSION_REBATE", D("0.7"))
    lab.venue.ledger = lab.venue.ledger.after_other_income(D("0.7"))
    lab.venue.income.append(rebate)
    compare(lab)
    assert lab.state.book.ledger.other_income == D("0.7")
    assert lab.state.book.incidents == {}


def test_less_than_a_cent_is_agreement() -> None:
    """A venue rounds; a cent and more is a difference."""
    lab = quiet()
    lab.venue.ledger = lab.venue.ledger._replace(cash=lab.venue.ledger.cash + D("0.0099"))
    compare(lab)
    assert lab.state.book.incidents == {}
    lab.venue.ledger = lab.venue.ledger._replace(cash=lab.venue.ledger.cash + D("0.0001"))
    compare(lab)
    assert "reconciliation difference" in lab.state.book.breaches


def test_what_the_account_holds_beyond_the_capital_is_not_the_funds() -> None:
    """A larger wallet at the first start is unallocated, stays so, and agrees."""
    lab = quiet()
    (created,) = lab.of(rec.FundCreated)
    assert created.unallocated == 0
    lab.records[0] = created._replace(unallocated=D(500))
    lab.venue.ledger = lab.venue.ledger._replace(cash=lab.venue.ledger.cash + 500)
    lab.restart()
    assert lab.state.book.incidents == {}
    assert lab.state.book.ledger.value(D(60_000)) < 100_000


def test_a_difference_that_nothing_explains_is_a_breach_after_a_few_looks() -> None:
    """Trades and account are read again, later each time; then increases stop, and decisions go on."""
    lab = quiet()
    lab.venue.ledger = lab.venue.ledger._replace(cash=lab.venue.ledger.cash - 5)
    before = len(lab.commands)
    compare(lab)
    asked = lab.commands[before:]
    assert [command.delay_s for command in asked if isinstance(command, cmd.FetchAccount)] == [0, 0.5, 1, 2]
    assert sum(isinstance(command, cmd.FetchTrades) for command in asked) == 3
    (incident,) = lab.of(rec.IncidentOpened)
    assert incident.code == "reconciliation difference"
    assert incident.stops_increases
    assert "difference: wallet: -5." in incident.detail
    lab.walk("91000")
    assert len(lab.of(rec.RebalanceStarted)) == 1
    lab.walk("44900")
    assert len(lab.of(rec.RebalanceStarted)) == 2


def test_no_increase_is_sent_before_a_difference_that_was_resumed_is_looked_at() -> None:
    """The account is read at once, and the incident comes back where it lasts; delevering goes on."""
    lab = quiet()
    lab.venue.ledger = lab.venue.ledger._replace(cash=lab.venue.ledger.cash - 5)
    compare(lab)
    lab.mark("92000")
    lab.deliver = lambda command: not isinstance(command, cmd.FetchAccount)
    lab.send(ev.Controlled(*lab.now, rec.Control.RUNNING, "ann", "a fee"))
    assert lab.state.book.breaches == ()
    assert isinstance(lab.commands[-1], cmd.FetchAccount)
    count = len(lab.of(rec.OrderIntended))
    lab.mark("92000")
    assert len(lab.of(rec.OrderIntended)) == count
    twin = lab.fork()
    twin.mark("44900")
    assert len(twin.of(rec.OrderIntended)) == count + 1
    lab.deliver = lambda _: True
    compare(lab)
    assert lab.state.book.breaches == ("reconciliation difference",)
    lab.venue.ledger = lab.venue.ledger._replace(cash=lab.venue.ledger.cash + 5)
    lab.send(ev.Controlled(*lab.now, rec.Control.RUNNING, "ann", "a fee"))
    lab.mark("92000")
    assert len(lab.of(rec.OrderIntended)) > count


def test_a_fund_that_starts_with_a_difference_delevers_all_the_same() -> None:
    """Nothing explains it: that stops increases, and nothing else."""
    lab = quiet()
    lab.venue.ledger = lab.venue.ledger._replace(cash=lab.venue.ledger.cash - 5)
    lab.restart()
    assert lab.state.book.breaches == ("reconciliation difference",)
    lab.mark("44900")
    assert lab.of(rec.OrderIntended)[-1].reduce_only


def test_a_difference_is_looked_at_a_few_times_although_an_earlier_one_went_away() -> None:
    """Each may be an entry that comes late."""
    lab = quiet()
    wallet, position = lab.venue.ledger.wallet, lab.venue.ledger.position
    lab.deliver = lambda _: False
    for _ in range(3):
        lab.send(ev.AccountSeen(*lab.now, wallet - 5, position, ()))
        lab.send(ev.AccountSeen(*lab.now, wallet - 5, position, ()))
        lab.send(ev.AccountSeen(*lab.now, wallet, position, ()))
    assert lab.of(rec.IncidentOpened) == []


def test_both_sides_of_a_difference_are_told_line_by_line() -> None:
    """Whoever looks sees which entry it could be."""
    lab = quiet()
    book, venue = lab.state.book, lab.venue.ledger
    account = ev.AccountSeen(*lab.now, venue.wallet + 3, venue.position - 2, ())
    told = dict(line.rsplit(": ", 1) for line in difference(book, account).splitlines())
    assert (told["ledger: wallet"], told["venue: wallet"]) == (f"{book.wallet}", f"{account.wallet}")
    assert (D(told["difference: wallet"]), D(told["difference: position"])) == (3, -2)


def unlisted_trade(quantity: str, *, looks: int) -> Lab:
    """A fund whose account somebody traded on, which its trades do not tell; it has looked so often."""
    lab = quiet()
    listed, left = list(lab.venue.trades), iter(range(looks))
    lab.venue.trade(D(quantity), lab.time_ms, lab.price)
    lab.venue.trades = listed
    lab.deliver = lambda command: not isinstance(command, cmd.FetchAccount) or next(left, None) is not None
    compare(lab)
    lab.deliver = lambda command: not isinstance(command, SubmitOrder)
    lab.mark("44900")
    return lab


def test_what_the_account_no_longer_holds_is_not_sold() -> None:
    """The venue lists trades late when it deleverages: by the ledger they would be made once more."""
    lab = unlisted_trade("-1.5", looks=20)
    assert list(lab.state.book.incidents) == [DIFFERENCE]
    assert not lab.of(rec.OrderIntended)[-1].reduce_only


def test_what_it_holds_less_for_minutes_does_not_keep_the_fund_from_delevering() -> None:
    """Then the venue may be wrong."""
    assert unlisted_trade("-1.5", looks=100).of(rec.OrderIntended)[-1].reduce_only


def test_what_the_account_holds_beyond_the_ledger_is_delevered_at_once() -> None:
    """That is not gone: the fund sells what it knows of."""
    assert unlisted_trade("0.5", looks=20).of(rec.OrderIntended)[-1].reduce_only


def test_a_difference_that_goes_away_closes_its_incident() -> None:
    """The missing entry appeared at last."""
    lab = quiet()
    ledger = lab.venue.ledger
    lab.venue.ledger = ledger._replace(cash=ledger.cash - 5)
    compare(lab)
    lab.venue.ledger = ledger
    compare(lab)
    assert lab.state.book.incidents == {}
    assert len(lab.of(rec.IncidentClosed)) == 1


def test_a_trade_of_somebody_else_is_booked_named_and_stops_increases() -> None:
    """A liquidation or a person: an external change with positions before and after, until `--adopt`."""
    lab = quiet()
    before = lab.state.book.position
    lab.venue.trade(D("-1"), lab.time_ms, lab.price)
    compare(lab)
    (change,) = lab.of(rec.ExternalChange)
    assert (change.position_before, change.position) == (before, before - 1)
    assert lab.state.book.breaches == ("external trade",)
    lab.restart()
    assert lab.state.book.breaches == ("external trade",)
    lab.restart(adopt=True)
    assert lab.state.book.incidents == {}


def test_who_starts_with_adopt_accepts_what_others_traded_meanwhile() -> None:
    """What this start finds is booked and told, and stops nothing; what comes later stops increases."""
    lab = quiet()
    lab.venue.trade(D("-1"), lab.time_ms, lab.price)
    lab.restart(adopt=True)
    assert len(lab.of(rec.ExternalChange)) == 1
    assert lab.state.book.position == lab.venue.ledger.position
    (opened,) = lab.of(rec.IncidentOpened)
    (closed,) = lab.of(rec.IncidentClosed)
    assert (opened.code, closed.code, closed.how) == (
        "external trade",
        "external trade",
        "adopted by the operator",
    )
    lab.venue.trade(D("-0.1"), lab.time_ms, lab.price)
    compare(lab)
    assert lab.state.book.breaches == ("external trade",)


def test_a_trade_of_somebody_else_between_two_slices_is_found() -> None:
    """Although our own later trade is known already."""
    lab = Lab()
    lab.mark("60000", after_s=1)
    lab.venue.trade(D("0.1"), lab.time_ms, lab.price)
    lab.settle(at_most_s=300)
    lab.restart()
    assert lab.state.book.position == lab.venue.ledger.position
    assert len(lab.of(rec.ExternalChange)) == 1


def test_no_comparison_disturbs_an_order_under_way() -> None:
    """Not when it is due, and an answer that comes then judges nothing."""
    lab = Lab()
    lab.deliver = lambda command: isinstance(command, cmd.FetchTouch | cmd.FetchVolume)
    lab.mark("60000", after_s=300)
    open_ = lab.state.book.rebalance
    assert open_ is not None
    assert open_.order is not None
    before = len(lab.commands)
    compare(lab)
    lab.send(ev.AccountSeen(*lab.now, D(1), D(1), ()))
    assert len(lab.commands) == before
    assert lab.state.book.incidents == {}


def test_the_account_is_read_again_when_a_read_failed() -> None:
    """Two seconds later."""
    lab = quiet()
    lab.deliver = lambda _: False
    lab.send(ev.ReadFailed(*lab.now, "FetchAccount", "timeout"))
    assert lab.commands[-1] == cmd.FetchAccount(lab.state.book.income_cursor_ms, delay_s=2.0)


@pytest.mark.parametrize("side", ["long", "short"])
def test_margin_that_the_venue_does_not_give_is_taken_off(side: Literal["long", "short"]) -> None:
    """Free by the ledger is value less the position's margin; what the venue states may be less, or more."""
    lab = Lab(a_fund(side=side))
    lab.settle()
    ledger = lab.state.book.ledger
    free = ledger.value(lab.price) - abs(ledger.position) * lab.price / lab.contract.venue_leverage

    def seen(available: Decimal | None) -> Decimal:
        wallet, position = lab.venue.ledger.wallet, lab.venue.ledger.position
        lab.send(ev.AccountSeen(*lab.now, wallet, position, (), available))
        return lab.state.live.withheld

    assert seen(None) == 0
    assert seen(free - 5) == 5
    assert seen(None) == 5
    assert seen(free + 700) == 0


def amid(lab: Lab) -> None:
    """Below the band, with a first order out of which nobody has heard yet."""
    lab.deliver = lambda command: not isinstance(command, SubmitOrder)
    lab.mark("100000")
    lab.mark("100000")
    assert lab.state.book.rebalance is not None
    assert lab.state.book.rebalance.order is not None


def settled(lab: Lab) -> None:
    """The order is over: it filled nothing."""
    assert lab.state.book.rebalance is not None
    assert lab.state.book.rebalance.order is not None
    order = lab.state.book.rebalance.order
    lab.send(ev.OrderReport(*lab.now, order.cid, "ours", D(0), closed=True))
    lab.mark(lab.price)


def test_what_others_trade_while_an_order_is_out_is_compared_before_the_next() -> None:
    """The venue deleverages in the middle of a slice: it is booked when that is over, and stops increases."""
    lab = quiet()
    amid(lab)
    before = lab.state.book.position
    lab.venue.trade(D("-0.5"), lab.time_ms, lab.price, "adl")
    lab.send(ev.TradesSeen(*lab.now, (lab.venue.trades[-1],), complete=False))
    assert lab.state.book.position == before
    sent = len(lab.of(rec.OrderIntended))
    settled(lab)
    (change,) = lab.of(rec.ExternalChange)
    assert change.position - change.position_before == D("-0.5")
    assert len(lab.of(rec.OrderIntended)) == sent
    assert EXTERNAL in lab.state.book.breaches
    assert lab.state.live.reconciled


def test_our_own_trade_that_overtakes_its_answer_is_nobody_elses() -> None:
    """Until the answer names our order, its trades look like others'; then they do not."""
    lab = quiet()
    amid(lab)
    lab.send(ev.TradesSeen(*lab.now, (ev.Trade("t1", "ours", 0, D("0.1"), lab.price, D(0)),), complete=False))
    accounts = sum(isinstance(command, cmd.FetchAccount) for command in lab.commands)
    assert lab.state.live.strangers == {"ours"}
    settled(lab)
    assert sum(isinstance(command, cmd.FetchAccount) for command in lab.commands) == accounts
    assert lab.state.live.strangers == frozenset()
    assert lab.state.book.incidents == {}


def test_a_comparison_that_is_due_while_an_order_is_out_follows_it() -> None:
    """News of a trade were lost: the periodic look finds it although a rebalance is under way."""
    lab = quiet()
    amid(lab)
    lab.venue.trade(D("-0.5"), lab.time_ms, lab.price, "by hand")
    compare(lab)
    assert lab.of(rec.ExternalChange) == []
    settled(lab)
    assert len(lab.of(rec.ExternalChange)) == 1
    assert EXTERNAL in lab.state.book.breaches


def test_a_delever_does_not_wait_for_a_comparison_that_is_only_due() -> None:
    """The account cannot be read: leverage is reduced all the same."""
    lab = quiet()
    lab.deliver = lambda command: not isinstance(command, SubmitOrder | cmd.FetchAccount)
    lab.mark("44000")
    compare(lab)
    sent = len(lab.of(rec.OrderIntended))
    settled(lab)
    assert len(lab.of(rec.OrderIntended)) == sent + 1
