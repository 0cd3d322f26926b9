import json
from decimal import Decimal
from hashlib import sha256

import pytest

from bot.core import draws
from bot.core import events as ev
from bot.core import records as rec
from bot.core.book import fold
from bot.core.public import Pending
from bot.core.public_records import FundingImputed, PublicationScheduled, Revealed
from bot.core.public_view import condition
from bot.core.publication import OVERDUE_MS, overdue
from bot.core.statement import STATEMENT_MS
from bot.testing import Lab

D = Decimal
LONGEST_LAG_S = 3_600


def opened() -> Lab:
    """A fund whose opening is over and revealed."""
    lab = Lab()
    lab.settle()
    lab.mark(lab.price, after_s=LONGEST_LAG_S)
    return lab


def finished_at(lab: Lab) -> dict[int, Decimal]:
    """The position at the end of each rebalance, by its number."""
    started, finished = lab.of(rec.RebalanceStarted), lab.of(rec.RebalanceFinished)
    return {one.number: end.position for one, end in zip(started, finished, strict=False)}


def due_ms(lab: Lab) -> int:
    """When the oldest pending reveal is due."""
    due = lab.state.book.public.pending[0].due_ms
    assert due is not None
    return due


def wake_at_due(lab: Lab, *, early_ms: int = 0) -> None:
    """Bring the fund to the instant of its next reveal, or shortly before."""
    lab.mark(lab.price, after_s=(due_ms(lab) - early_ms - lab.time_ms) / 1000)


def test_a_rebalance_is_revealed_when_its_lag_is_over_and_not_before() -> None:
    """The lag lies between five minutes and an hour; a millisecond before its end nothing is public."""
    lab = Lab()
    lab.settle()
    (scheduled,) = lab.of(PublicationScheduled)
    assert 300_000 <= scheduled.due_ms - scheduled.time_ms <= 3_600_000

    wake_at_due(lab, early_ms=1)
    assert lab.of(Revealed) == []
    assert lab.state.book.public.basket.position == 0
    wake_at_due(lab)
    (revealed,) = lab.of(Revealed)
    assert revealed.time_ms == scheduled.due_ms
    assert lab.state.book.public.basket.position == lab.state.book.position != 0
    assert lab.state.book.public.pending == ()


def test_lags_differ_and_no_lag_is_longer_than_an_hour() -> None:
    """They are keyed draws: the same again for the same rebalance, another for the next."""
    lags = [draws.publication_lag_ms("ab" * 32, number) for number in range(1, 2_000)]
    assert lags == [draws.publication_lag_ms("ab" * 32, number) for number in range(1, 2_000)]
    assert len(set(lags)) > 1_800
    assert min(lags) >= 300_000
    assert max(lags) == 3_600_000
    assert 1_050_000 < sum(lags) / len(lags) < 1_250_000


def test_the_record_links_to_the_one_before_and_its_hash_is_that_of_its_text() -> None:
    """The first names the fund's genesis; the head is the last hash."""
    lab = opened()
    lab.walk("91000")
    lab.mark(lab.price, after_s=LONGEST_LAG_S)
    first, second = lab.of(Revealed)
    texts = [json.loads(revealed.text) for revealed in (first, second)]
    assert texts[0]["previous_hash"] == draws.genesis("BTCUP") != draws.genesis("BTCDOWN")
    assert texts[1]["previous_hash"] == first.hash
    assert [sha256(r.text.encode()).hexdigest() for r in (first, second)] == [first.hash, second.hash]
    assert lab.state.book.public.head == second.hash
    assert [text["id"] for text in texts] == ["BTCUP-1", "BTCUP-2"]


def test_a_reveal_opens_the_commitment_and_tells_the_range_of_the_law() -> None:
    """The draw that was committed to, and the target that follows from it."""
    lab = opened()
    committed = lab.state.book.public.commitments[0]
    lab.walk("91000")
    lab.mark(lab.price, after_s=LONGEST_LAG_S)
    told = json.loads(lab.of(Revealed)[1].text)
    assert told["commitment"] == committed.commitment
    assert draws.commitment("BTCUP", told["sequence"], told["u"], told["salt"]) == committed.commitment
    assert told["target_range"] == ["1.8", "2.6"]
    assert D(told["target"]) == draws.target(told["u"], D("1.8"), D("2.6"))


def test_the_public_queue_of_commitments_does_not_tell_that_one_was_used() -> None:
    """It changes at the reveal only: the revealed one goes, a new one comes at its end."""
    lab = opened()
    before = lab.state.book.public.commitments
    assert [c.sequence for c in before] == [1, 2, 3]
    lab.walk("91000")
    assert lab.state.book.rebalances == 2
    assert lab.state.book.public.commitments == before
    wake_at_due(lab)
    assert [c.sequence for c in lab.state.book.public.commitments] == [2, 3, 4]


def test_with_the_queue_used_up_the_oldest_reveal_is_due_at_once() -> None:
    """Three rebalances within the shortest lag: the third one's start brings the first reveal."""
    lab = opened()
    revealed = len(lab.of(Revealed))
    for price in ("91000", "50000", "91000"):
        lab.mark(price, after_s=1)
        lab.settle(at_most_s=90)
    assert [r.sequence for r in lab.of(rec.RebalanceStarted)[-3:]] == [1, 2, 3]
    early = lab.of(Revealed)[revealed:]
    assert early != []
    assert early[0].sequence == 1
    assert lab.state.book.draws != ()
    assert lab.state.book.public.hidden
    assert (
        lab.state.book.public.basket.position == finished_at(lab)[early[-1].number] != lab.state.book.position
    )


def test_reveals_keep_the_order_of_the_rebalances() -> None:
    """One that is due waits for an earlier one that is not."""
    lab = opened()
    lab.walk("91000")
    pending = lab.state.book.public.pending
    lab.send(ev.Controlled(*lab.now, rec.Control.RUNNING, "op", "test"))
    lab.venue.trade(D("-0.01"), lab.time_ms, lab.price)
    lab.send(ev.ReconcileDue(*lab.now))
    assert len(lab.state.book.public.pending) == len(pending) + 1
    lab.mark(lab.price, after_s=2 * LONGEST_LAG_S)
    numbers = [r.number for r in lab.of(Revealed)]
    assert numbers == sorted(numbers) == list(range(1, len(numbers) + 1))
    assert D(json.loads(lab.of(Revealed)[-1].text)["average_price"]) == lab.price
    assert lab.state.book.public.basket.position == lab.state.book.position


def test_what_came_due_while_nothing_ran_is_revealed_at_the_restart() -> None:
    """It counts as overdue until then; the first step of the next process publishes it."""
    lab = Lab()
    lab.settle()
    due = due_ms(lab)
    assert overdue(lab.state.book, due) == 0
    assert overdue(lab.state.book, due + OVERDUE_MS + 1) == 1
    assert condition(lab.state.book, due + OVERDUE_MS + 1)["overdue_reveals"] == 1
    lab.time_ms = lab.wall_ms = due + 500_000
    lab.restart()
    (revealed,) = lab.of(Revealed)
    assert revealed.time_ms == due + 500_000
    assert overdue(lab.state.book, lab.time_ms) == 0
    assert condition(lab.state.book, lab.time_ms)["overdue_reveals"] == 0


def test_a_reveal_never_takes_the_public_basket_back() -> None:
    """A flow's trade that came between two slices ended before the rebalance that is revealed first."""
    lab = opened()
    public = lab.state.book.public
    since_ms = public.basket.as_of_ms
    later, earlier = (public.basket._replace(as_of_ms=since_ms + later_ms) for later_ms in (9_000, 5_000))
    waits = (Pending(7, 1_000, (), 10, later), Pending(8, 2_000, (), 11, earlier))
    for number in (7, 8):
        public = public._replace(pending=waits[number - 7 :])
        public = public.after_reveal(Revealed(20_000, number, None, "{}", "00"))
        assert public.basket == later
    assert not public.hidden


def test_a_reveal_that_waits_for_an_older_one_is_not_late_for_that() -> None:
    """The count is public: it would tell that an older rebalance is under way, or not due yet."""
    lab = opened()
    book = lab.state.book.copy()
    order = [
        Pending(7, 1_000, (), due_ms=900_000, basket=book.public.basket),
        Pending(8, 2_000, (), due_ms=400_000, basket=book.public.basket),
    ]
    under_way = Pending(7, 1_000, ())
    book.public = book.public._replace(pending=tuple(order))
    assert [overdue(book, at_ms + OVERDUE_MS) for at_ms in (400_001, 900_000, 900_001)] == [0, 0, 2]
    book.public = book.public._replace(pending=(under_way, *order[1:]))
    assert overdue(book, 10**9) == 0
    book.public = book.public._replace(pending=(*order[1:], under_way))
    assert overdue(book, 10**9) == 1


def test_what_a_halt_does_not_let_end_is_late_once_it_takes_longer_than_any() -> None:
    """What is public of the fund is not true meanwhile, and nobody is told when it will be."""
    lab = opened()
    lab.mark("44900", after_s=1)
    assert lab.state.book.rebalance is not None
    lab.send(ev.Controlled(*lab.now, rec.Control.HALTED, "op", "test"))
    assert condition(lab.state.book, lab.time_ms + STATEMENT_MS)["overdue_reveals"] == 0
    assert condition(lab.state.book, lab.time_ms + STATEMENT_MS + OVERDUE_MS + 1)["overdue_reveals"] == 1
    lab.send(ev.Controlled(*lab.now, rec.Control.RUNNING, "op", "test"))
    assert condition(lab.state.book, lab.time_ms + STATEMENT_MS + OVERDUE_MS + 1)["overdue_reveals"] == 0


def test_publishing_goes_on_while_a_fund_is_halted() -> None:
    """A halt stops trading; what is over is told all the same."""
    lab = Lab()
    lab.settle()
    lab.send(ev.Controlled(*lab.now, rec.Control.HALTED, "op", "test"))
    wake_at_due(lab)
    assert len(lab.of(Revealed)) == 1


def test_an_old_journal_reveals_what_it_never_published() -> None:
    """Its rebalances have no drawn lag and say no range: they are due at once, with the fund's own range."""
    lab = opened()
    lab.walk("91000")
    lab.records = [
        r._replace(low=None, high=None) if isinstance(r, rec.RebalanceStarted) else r
        for r in lab.records
        if not isinstance(r, PublicationScheduled | Revealed)
    ]
    lab.restart()
    told = [json.loads(r.text) for r in lab.of(Revealed)]
    assert [t["target_range"] for t in told] == [None, ["1.8", "2.6"]]


def test_a_range_that_does_not_explain_the_target_is_not_claimed() -> None:
    """A journal of before, of a strategy with a range of its own: the range stays unknown."""
    lab = opened()
    lab.walk("91000")
    lab.records = [
        r._replace(low=None, high=None, target=r.target + 1) if isinstance(r, rec.RebalanceStarted) else r
        for r in lab.records
        if not isinstance(r, PublicationScheduled | Revealed)
    ]
    lab.restart()
    assert json.loads(lab.of(Revealed)[-1].text)["target_range"] is None


@pytest.mark.parametrize("hidden", [False, True])
def test_funding_is_paid_to_the_public_basket_as_its_own_position_earns(*, hidden: bool) -> None:
    """At rest it is the venue's very amount; while a rebalance is hidden it tells nothing of the position."""
    lab = opened()
    if hidden:
        lab.walk("91000")
        assert lab.state.book.public.hidden
    public, true = lab.state.book.public.basket, lab.state.book.position
    assert (public.position != true) is hidden
    amount = (-true * lab.price * D("0.0001")).quantize(D("1e-8"))
    lab.venue.pay_funding(amount, lab.time_ms + 1)
    lab.mark(lab.price, after_s=0.001)
    lab.send(ev.ReconcileDue(*lab.now))
    paid = lab.state.book.public.basket.cash - public.cash
    assert abs(paid - -public.position * lab.price * D("0.0001")) <= D("1e-7")
    if not hidden:
        assert paid == amount
        assert lab.state.book.public.basket.cash == lab.state.book.ledger.cash


def test_a_fund_that_is_secretly_flat_still_earns_funding_in_public() -> None:
    """The venue books nothing to a flat fund; that nothing is booked must not tell that it is flat."""
    lab = opened()
    lab.mark(lab.price, rate="0.0002")
    lab.mark("25000")
    lab.settle(at_most_s=200)
    book = lab.state.book
    assert (book.position, book.state) == (0, rec.FundState.DEAD)
    public = book.public.basket
    assert public.position != 0
    lab.mark(lab.price, after_s=1, rate="0.0002")
    due = (lab.time_ms // 28_800_000 + 1) * 28_800_000
    hidden_until = lab.state.book.public.pending[0].due_ms
    lab.records.append(FundingImputed(lab.time_ms, lab.price, D("0.0002")))
    after = fold(lab.records).public.basket
    assert after.cash == public.cash - (public.position * lab.price * D("0.0002")).quantize(D("1e-8"))
    assert hidden_until is not None
    assert due > hidden_until


def rebated(lab: Lab, name: str, amount: int) -> None:
    """The venue pays a rebate, and tells of it."""
    item = ev.Income(name, lab.time_ms, "REBATE", D(amount))
    lab.venue.ledger = lab.venue.ledger.after_other_income(item.amount)
    lab.venue.income.append(item)
    lab.send(ev.IncomeSeen(*lab.now, (item,)))


def test_other_income_waits_for_the_reveal_while_something_is_hidden() -> None:
    """At rest it is public at once."""
    lab = opened()
    known = lab.state.book.public.basket.cash
    rebated(lab, "a", 5)
    assert lab.state.book.public.basket.cash == known + 5
    lab.walk("91000")
    rebated(lab, "b", 7)
    assert lab.state.book.public.basket.cash == known + 5
    wake_at_due(lab)
    assert lab.state.book.public.basket.cash == lab.state.book.ledger.cash
