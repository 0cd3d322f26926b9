from decimal import Decimal
from math import log, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core import commands as cmd
from bot.core import events as ev
from bot.core import records as rec
from bot.core.draws import commitment
from bot.core.upkeep import GRID_MS
from bot.testing import Lab, a_fund
from strategies.strategic import Strategic

D = Decimal


def quiet() -> Lab:
    """A fund at rest after its opening."""
    lab = Lab()
    lab.settle()
    return lab


def test_three_commitments_are_queued_ahead() -> None:
    """From the first start on, in order, each to the draw that the journal seals."""
    lab = Lab()
    queued = lab.of(rec.DrawQueued)
    assert len(queued) == 3
    for number, record in enumerate(queued, start=1):
        assert record.sequence == number
        assert record.commitment == commitment("BTCUP", number, record.u, record.salt)


def test_a_draw_out_of_order_changes_nothing() -> None:
    """A repeated answer cannot replace what is committed to."""
    lab = Lab()
    count = len(lab.records)
    lab.send(ev.Drawn(*lab.now, 2, "0.5", "00"))
    lab.send(ev.Drawn(*lab.now, 9, "0.5", "00"))
    assert len(lab.records) == count


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(-500, 500), st.integers(1, 5)), min_size=2, max_size=30))
def test_volatility_is_the_naive_weighted_mean(moves: list[tuple[int, int]]) -> None:
    """Squared log returns per second on the hourly grid, each weighing half as much 24 samples later."""
    fund = a_fund(strategy=Strategic(86_400), band=("1.1", "9"), emergency="50")
    lab = Lab(fund)
    lab.settle()
    lab.mark("60000", after_s=(GRID_MS - lab.time_ms % GRID_MS) / 1000)
    grid = [(sample.time_ms, float(sample.mark)) for sample in lab.of(rec.Sampled)]
    for bps, hours in moves:
        lab.mark(lab.price * (10_000 + bps) / 10_000, after_s=hours * 3600)
        grid.append((lab.time_ms, float(lab.price)))
    variance = None
    last = grid[0]
    for now in grid[1:]:
        latest = log(now[1] / last[1]) ** 2 / ((now[0] - last[0]) / 1000)
        keep = 0.5 ** (1 / 24)
        variance = latest if variance is None else keep * variance + (1 - keep) * latest
        last = now
    assert variance is not None
    got = lab.state.book.volatility
    assert got == pytest.approx(sqrt(variance * 365 * 86_400), rel=1e-9, abs=1e-12)


def test_the_first_mark_of_each_grid_hour_is_sampled_and_no_other() -> None:
    """Two marks in one hour make one sample; a gap of hours makes none in between."""
    lab = quiet()
    count = len(lab.of(rec.Sampled))
    lab.mark("60010", after_s=3600)
    lab.mark("60020", after_s=1)
    assert len(lab.of(rec.Sampled)) == count + 1
    lab.mark("60030", after_s=5 * 3600)
    assert len(lab.of(rec.Sampled)) == count + 2


def to_funding(lab: Lab, rate: str | None = "0.0001") -> int:
    """Go to one second before the next funding instant, at `rate`; its time in ms."""
    due_ms = (lab.time_ms // 28_800_000 + 1) * 28_800_000
    lab.mark(lab.price, after_s=(due_ms - 1000 - lab.time_ms) / 1000, rate=rate)
    return due_ms


def test_funding_is_booked_at_its_instant() -> None:
    """The first mark at or after it fetches the venue's booking."""
    lab = quiet()
    due_ms = to_funding(lab)
    lab.venue.pay_funding(D("-20"), due_ms)
    before, cursor_ms = len(lab.commands), lab.state.book.income_cursor_ms
    lab.mark("60000", after_s=1)
    assert lab.commands[before:] == [cmd.FetchIncome(cursor_ms)]
    assert lab.state.book.ledger.funding == -20
    assert lab.state.live.funding_pending_ms is None


def test_funding_is_booked_once() -> None:
    """However often it is listed."""
    lab = quiet()
    lab.venue.pay_funding(D("-20"), lab.time_ms)
    for _ in range(2):
        lab.send(ev.IncomeSeen(*lab.now, tuple(lab.venue.income)))
    assert lab.state.book.ledger.funding == -20


@pytest.mark.parametrize("why", ["rate of zero", "no position"])
def test_where_no_funding_can_be_due_none_is_awaited(why: str) -> None:
    """At a rate of zero, or flat."""
    lab = quiet()
    if why == "no position":
        lab.mark("29000")
        lab.settle()
    to_funding(lab, "0" if why == "rate of zero" else "0.0001")
    before = len(lab.commands)
    lab.mark(lab.price, after_s=1)
    assert lab.commands[before:] == []


def test_decisions_wait_for_the_funding_of_this_instant() -> None:
    """Outside the band at the funding instant: nothing is traded before the booking is known."""
    lab = quiet()
    to_funding(lab)
    lab.deliver = lambda _: False
    lab.mark("44900", after_s=1)
    assert len(lab.of(rec.RebalanceStarted)) == 1
    funding = ev.Income("f1", lab.time_ms - 500, "FUNDING_FEE", D(-20))
    lab.send(ev.IncomeSeen(*lab.now, (funding,)))
    assert len(lab.of(rec.RebalanceStarted)) == 2


def test_an_emergency_does_not_wait_for_funding() -> None:
    """At the emergency leverage the fund delevers, whatever is pending."""
    lab = quiet()
    to_funding(lab)
    lab.deliver = lambda _: False
    lab.mark("41000", after_s=1)
    assert lab.state.live.funding_pending_ms is not None
    assert len(lab.of(rec.RebalanceStarted)) == 2


def test_funding_that_does_not_come_holds_nothing_up_for_long() -> None:
    """Asked for again a few times, later each time; then the comparison with the venue decides."""
    lab = quiet()
    to_funding(lab)
    before = len(lab.commands)
    lab.mark("60000", after_s=1)
    asked = lab.commands[before:]
    delays = [command.delay_s for command in asked if isinstance(command, cmd.FetchIncome)]
    assert delays == [0, 0.5, 1, 2, 4, 8, 16]
    assert isinstance(asked[-1], cmd.FetchAccount)
    assert lab.state.live.funding_pending_ms is None


def test_unreadable_income_holds_nothing_up_for_long_either() -> None:
    """A venue that answers no read must not keep a fund from delevering."""
    lab = quiet()
    to_funding(lab)
    lab.deliver = lambda _: False
    lab.mark("44900", after_s=1)
    for _ in range(7):
        assert len(lab.of(rec.RebalanceStarted)) == 1
        lab.send(ev.ReadFailed(*lab.now, "FetchIncome", "timeout"))
    assert len(lab.of(rec.RebalanceStarted)) == 2


def test_income_without_a_pending_funding_is_just_booked() -> None:
    """Nothing is asked again."""
    lab = quiet()
    before = len(lab.commands)
    lab.send(ev.IncomeSeen(*lab.now, (ev.Income("i1", lab.time_ms, "FUNDING_FEE", D(1)),)))
    assert lab.commands[before:] == []
    assert lab.state.book.ledger.funding == 1


def test_a_funding_instant_within_a_silence_is_noticed_at_the_next_mark() -> None:
    """The marks on both sides tell."""
    lab = quiet()
    due_ms = to_funding(lab)
    lab.venue.pay_funding(D("-20"), due_ms)
    lab.mark("60000", after_s=3 * 3600)
    assert lab.state.book.ledger.funding == -20


def test_of_many_incomes_the_last_thousand_are_recognised() -> None:
    """A year of them is not kept, and none of those that the venue may list again is booked twice."""
    book = quiet().state.book.copy()
    for number in range(3_000):
        book.apply(rec.IncomeBooked(number, str(number), number, "FUNDING_FEE", D("0.01")))
        older, newer = book.recent_income
        assert len(older) + len(newer) <= 1_050
    assert all(book.recent_income.has(str(number)) for number in range(2_000, 3_000))
    assert not book.recent_income.has("1900")
