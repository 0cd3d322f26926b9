"""What a book makes of records that no journal of ours holds, and of those at the edges."""

from decimal import Decimal

import pytest

from bot.core import flow_records as rec
from bot.core.book import Book
from bot.core.flow_fold import KEPT
from bot.core.flows import FlowState
from bot.core.shares import Pot
from tests.support.flows import a_flow_lab

D = Decimal


def test_a_record_of_a_dealing_where_none_is_open_is_refused() -> None:
    """The journal is not ours, or broken."""
    with pytest.raises(ValueError, match="dealing where none is open"):
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
