"""What a book makes of records that no journal of ours holds, and of those at the edges."""

from decimal import Decimal

import pytest

from bot.core import events as ev
from bot.core import flow_records as rec
from bot.core.basket import Basket
from bot.core.book import Book
from bot.core.engine import start, step
from bot.core.flow_fold import KEPT
from bot.core.flows import FlowState
from bot.core.public import Public
from bot.core.shares import Pot
from bot.testing import a_contract
from tests.support.flows import a_dealing_fund, a_flow_lab

D = Decimal


def test_a_record_of_a_dealing_where_none_is_open_is_refused() -> None:
    """The journal is not ours, or broken."""
    with pytest.raises(ValueError, match="a dealing, and none is open"):
        Book().apply(rec.DealingClosed(0))


def test_a_record_of_a_flow_that_is_not_open_is_refused() -> None:
    """As above."""
    with pytest.raises(ValueError, match="flow abc, which is not open"):
        Book().apply(rec.FlowFunded(0, "abc"))


def test_a_redemption_that_got_nothing_is_over_at_once() -> None:
    """There is nothing to pay."""
    book = Book()
    book.apply(rec.FlowRequested(0, "a", rec.FlowKind.REDEEM, D(5), "k", 600))
    book.apply(rec.DealingStruck(600, 600, D(1)))
    book.apply(rec.FlowPriced(600, "a", D(1)))
    book.apply(rec.FlowSettled(600, "a", D(5), D(0)))
    assert book.flows == ()
    assert book.closed_flows[0].state is FlowState.PAID


def test_what_rounding_left_of_a_dealing_is_the_funds() -> None:
    """Units that nobody got are burned, cash that nobody got is kept."""
    lab = a_flow_lab()
    book = lab.state.book.copy()
    before = book.ledger.value(lab.price), book.wallet, book.units
    book.apply(rec.DealingStruck(0, 0, lab.price))
    assert book.dealing is not None
    book.escrow, book.payable = D("0.5"), D("0.25")
    book.dealing = book.dealing._replace(pot=Pot(D("0.5"), D(3), D(2), D("0.25")))
    book.apply(rec.DealingClosed(0))
    after = book.ledger.value(lab.price), book.wallet - D("0.75"), book.units + 5
    assert (after[0] - before[0], after[1:]) == (D("0.75"), before[1:])


def test_the_last_hundred_flows_that_are_over_are_remembered() -> None:
    """For those who ask what became of theirs; the journal has all."""
    book = Book()
    for number in range(KEPT + 2):
        name = str(number)
        book.apply(rec.FlowRequested(0, name, rec.FlowKind.REDEEM, D(5), name, 600))
        book.apply(rec.FlowCancelled(0, name, "because"))
    assert [flow.reference for flow in book.closed_flows][:1] == ["2"]
    assert len(book.closed_flows) == KEPT
    assert len(book.receipts) == KEPT + 2


def test_income_that_a_new_funds_wallet_contains_is_not_booked_again() -> None:
    """Any other of the same instant is: a deposit may come in the millisecond in which a fund begins."""
    fund = a_dealing_fund()
    state = start(fund, a_contract(), Book())
    opened = ev.Opened(5_000_000, 0, "00" * 32, "lab", fund.capital, ("TRANSFER:1",))
    state = step(state, opened)[0]
    known = ev.Income("TRANSFER:1", 5_000_000, "TRANSFER", fund.capital)
    new = ev.Income("TRANSFER:2", 5_000_000, "TRANSFER", D(70))
    assert state.book.income_cursor_ms < 5_000_000
    state = step(state, ev.IncomeSeen(5_000_000, 0, (known, new)))[0]
    assert (state.book.unallocated, state.book.ledger.cash) == (70, fund.capital)


def test_a_public_fact_without_a_rebalance_under_way_changes_nothing() -> None:
    """There is nothing that it could be told of."""
    public = Public(Basket(0, D(1), D(0), D(1)))
    assert public.told(rec.DealingClosed(0)) == public
