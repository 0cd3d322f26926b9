"""Raising leverage: posted at our own touch, taken back, posted anew, and crossed in the end."""

from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

import pytest

from bot.core import commands as cmd
from bot.core import events as ev
from bot.core import records as rec
from bot.core.caps import Caps
from bot.core.guarding import GUARD_MARGIN_MS
from bot.core.limits import SubmitOrder
from bot.core.orders import OrderState
from bot.core.plan import DEADLINE_MS, MANNERS, OVERDUE_MS
from bot.core.texts import time_text
from bot.core.units import Urgency
from bot.testing import Lab, a_fund
from bot.testing_venue import InstantVenue, Outcome
from tests.core.test_settlement import outstanding, sent, under_way

D = Decimal
POSTS = MANNERS[Urgency.PATIENT].posts
REST_S = MANNERS[Urgency.PATIENT].rest_s


def posting(*outcomes: Outcome) -> Lab:
    """A fund that opens, whose second slice is due and meets `outcomes`."""
    lab = Lab(a_fund(start_leverage="0.5"))
    lab.venue.script.extend(outcomes)
    lab.mark("60000", after_s=300)
    return lab


def rest_of(lab: Lab) -> int:
    """When the order under way is to be taken back."""
    until_ms = outstanding(lab).rests_until_ms
    assert until_ms is not None
    return until_ms


def cancels(lab: Lab) -> list[cmd.CancelOrder]:
    """Every cancel."""
    return [command for command in lab.commands if isinstance(command, cmd.CancelOrder)]


def out_of_time(lab: Lab) -> None:
    """Let the time of the resting order pass."""
    lab.mark(lab.price, after_s=(rest_of(lab) - lab.time_ms) / 1000)


def test_an_increase_is_posted_at_our_own_touch() -> None:
    """Best bid and ask are read, and a post-only order joins the bid of a fund that buys."""
    lab = Lab(a_fund(start_leverage="0.5"))
    lab.deliver = lambda command: isinstance(command, cmd.FetchVolume)
    lab.mark("60000", after_s=300)
    assert lab.commands[-1] == cmd.FetchTouch()
    lab.send(ev.TouchSeen(*lab.now, D("59990.7"), D("60009.1")))
    order = sent(lab)[-1]
    assert (order.rests, order.limit_price) == (True, D("59990.7"))


def test_a_short_fund_joins_the_ask() -> None:
    """It increases by selling."""
    lab = Lab(a_fund(side="short", start_leverage="0.5"))
    lab.deliver = lambda command: isinstance(command, cmd.FetchVolume)
    lab.mark("60000", after_s=300)
    lab.send(ev.TouchSeen(*lab.now, D("59990.7"), D("60009.1")))
    assert sent(lab)[-1].limit_price == D("60009.1")


def test_a_touch_beyond_the_collar_is_not_followed() -> None:
    """A bid far above the mark is somebody else's mistake: the order waits at the collar."""
    lab = Lab(a_fund(start_leverage="0.5"))
    lab.deliver = lambda _: False
    lab.mark("60000", after_s=300)
    lab.send(ev.TouchSeen(*lab.now, D(63_000), D(63_010)))
    assert sent(lab)[-1].limit_price < D(60_200)


def test_the_touch_is_asked_for_once() -> None:
    """Marks that come before the answer change nothing."""
    lab = Lab(a_fund(start_leverage="0.5"))
    lab.deliver = lambda command: isinstance(command, cmd.FetchVolume)
    lab.mark("60000", after_s=300)
    lab.mark("60000", after_s=1)
    assert (
        len([c for c in lab.commands if isinstance(c, cmd.FetchTouch)]) == 2
    )  # the first slice's, and this one


def test_an_old_touch_is_read_anew() -> None:
    """It came while decisions waited for funding, and says nothing of the book any more."""
    lab = Lab(a_fund(start_leverage="0.5"))
    lab.deliver = lambda _: False
    lab.mark("60000", after_s=28_799 - lab.time_ms / 1000, rate="0.0001")
    lab.mark("60000", after_s=1, rate="0.0001")
    lab.send(ev.TouchSeen(*lab.now, D(59_990), D(60_010)))
    count = len(sent(lab))
    lab.time_ms += 2_001
    paid = ev.Income("f1", 28_800_000, "FUNDING_FEE", D(-1))
    lab.send(ev.IncomeSeen(*lab.now, (paid,)))
    assert len(sent(lab)) == count
    assert lab.commands[-1] == cmd.FetchTouch()


def test_a_touch_that_cannot_be_read_is_asked_for_again() -> None:
    """Patience has time: two seconds later, and nothing is posted blindly."""
    lab = Lab(a_fund(start_leverage="0.5"))
    lab.deliver = lambda _: False
    lab.mark("60000", after_s=300)
    count = len(sent(lab))
    lab.send(ev.ReadFailed(*lab.now, "FetchTouch", "timeout"))
    assert lab.commands[-1] == cmd.FetchTouch(delay_s=2.0)
    assert len(sent(lab)) == count


def test_a_posted_order_rests_until_its_drawn_time_and_is_taken_back() -> None:
    """The engine asks to be woken then, polls nothing, and journals the cancel before it goes out."""
    lab = posting("rest")
    assert outstanding(lab).state is OrderState.LIVE
    assert lab.time_ms + REST_S[0] * 1000 <= rest_of(lab) <= lab.time_ms + REST_S[1] * 1000
    assert lab.state.wake_ms == rest_of(lab)
    assert not any(isinstance(command, cmd.QueryOrder) for command in lab.commands)
    cid = outstanding(lab).cid
    lab.deliver = lambda _: False
    out_of_time(lab)
    assert lab.of(rec.OrderCancelAsked) == [rec.OrderCancelAsked(lab.time_ms, cid)]
    assert cancels(lab) == [cmd.CancelOrder(cid)]
    assert outstanding(lab).state is OrderState.CANCELLING


def test_it_is_posted_a_limited_number_of_times_and_then_crosses() -> None:
    """Each time at a touch that was read anew, without a pause; the last one is immediate-or-cancel."""
    lab = posting("rest", "rest", "rest")
    before = len(sent(lab)) - 1
    for _ in range(POSTS):
        out_of_time(lab)
    orders = sent(lab)[before:]
    assert [order.rests for order in orders] == [True] * POSTS + [False]
    assert len([c for c in lab.commands if isinstance(c, cmd.FetchTouch)]) == 1 + POSTS
    assert under_way(lab).misses == 0
    assert under_way(lab).order is None


def test_nothing_is_sent_before_the_cancel_resolves() -> None:
    """Whatever marks and wakes come: one order at a time."""
    lab = posting("rest")
    lab.deliver = lambda _: False
    out_of_time(lab)
    count = len(sent(lab))
    for _ in range(5):
        lab.mark("60010", after_s=20)
    assert len(sent(lab)) == count
    assert len(cancels(lab)) == 1


def test_fills_during_the_cancel_count() -> None:
    """The order filled in part before the cancel reached it: exactly that is booked."""
    lab = posting("rest")
    lab.deliver = lambda command: not isinstance(command, cmd.CancelOrder)
    out_of_time(lab)
    order = outstanding(lab)
    part = D("0.002")
    venue_id, _ = lab.venue.orders[order.cid]
    lab.venue.orders[order.cid] = (venue_id, part)
    lab.venue.trade(part, lab.time_ms, lab.price, venue_id)
    lab.deliver = lambda command: isinstance(command, cmd.FetchTrades)
    lab.send(lab.venue.cancel(order.cid, lab.now))
    assert [fill.quantity for fill in lab.of(rec.Filled) if fill.cid == order.cid] == [part]
    assert lab.state.book.position == lab.venue.ledger.position
    assert under_way(lab).order is None


def test_an_order_that_is_still_there_is_cancelled_again() -> None:
    """The answer says that it rests on: the cancel is repeated, nothing else is done."""
    lab = posting("rest")
    lab.deliver = lambda _: False
    out_of_time(lab)
    cid = outstanding(lab).cid
    lab.send(ev.OrderReport(*lab.now, cid, "2", D("0.001"), closed=False))
    lab.send(ev.OrderReport(*lab.now, cid, "2", D("0.001"), closed=False))
    lab.send(ev.ReadFailed(*lab.now, "CancelOrder", "timeout"))
    assert [command.delay_s for command in cancels(lab)] == [0.0, 0.5, 1.0, 1.0]
    assert outstanding(lab).state is OrderState.CANCELLING


def test_a_cancelled_order_that_is_not_found_stays_under_way() -> None:
    """It had been accepted, so it did exist: it is looked up until the venue says what became of it."""
    lab = posting("rest")
    lab.deliver = lambda _: False
    out_of_time(lab)
    lab.send(ev.OrderMissing(*lab.now, outstanding(lab).cid))
    assert isinstance(lab.commands[-1], cmd.QueryOrder)
    assert outstanding(lab).state is OrderState.CANCELLING


@pytest.mark.parametrize("early_s", [1.0, 4.0])
def test_a_fill_that_comes_early_changes_nothing_of_what_follows(early_s: float) -> None:
    """The stream tells of the fill: booked at once, but the slice keeps its time, and the next its own."""
    told, untold = posting("rest"), posting("rest")
    quantity, cid = abs(outstanding(told).quantity), outstanding(told).cid
    for lab in (told, untold):
        until_ms = rest_of(lab)
        venue_id, _ = lab.venue.orders[cid]
        lab.venue.orders[cid] = (venue_id, quantity)
        lab.venue.resting.discard(cid)
        lab.venue.trade(quantity, lab.time_ms, lab.price, venue_id)
        if lab is told:
            lab.mark("60000", after_s=early_s)
            lab.send(lab.venue.look_up(cid, lab.now))
            assert lab.state.book.position == lab.venue.ledger.position
            assert lab.state.wake_ms == until_ms
        lab.mark("60000", after_s=(until_ms - lab.time_ms) / 1000)
    assert under_way(told).order is None
    assert under_way(told).next_slice_ms == under_way(untold).next_slice_ms
    assert told.of(rec.SliceSettled) == untold.of(rec.SliceSettled)


def test_an_order_that_would_cross_is_priced_anew_at_once() -> None:
    """A definite no, and no reason to wait: no refusal is counted, no breach follows."""
    lab = posting("would take", "would take", "would take")
    assert [r.would_take for r in lab.of(rec.OrderRejected)] == [True] * POSTS
    assert under_way(lab).rejects == 0
    assert not sent(lab)[-1].rests
    assert lab.state.book.incidents == {}


def test_less_than_half_is_not_enough() -> None:
    """A crumb does not make a slice: what is left is posted again at once."""
    lab = posting("rest", "rest")
    order = outstanding(lab)
    venue_id, _ = lab.venue.orders[order.cid]
    lab.venue.orders[order.cid] = (venue_id, D("0.001"))
    lab.venue.trade(D("0.001"), lab.time_ms, lab.price, venue_id)
    out_of_time(lab)
    assert under_way(lab).misses == 1
    assert outstanding(lab).cid != order.cid


@pytest.mark.parametrize("what", ["feed lost", "park", "opposite edge", "emergency"])
def test_a_resting_order_is_taken_back_at_once_when_it_is_not_wanted_any_more(what: str) -> None:
    """No trusted data, the process stops, or leverage is where it must fall and not rise."""
    lab = Lab()
    lab.settle()
    lab.mark("60000")
    lab.venue.script.append("rest")
    lab.mark("92000")
    assert outstanding(lab).state is OrderState.LIVE
    if what == "feed lost":
        lab.send(ev.FeedLost(*lab.now, "silence"))
    elif what == "park":
        lab.send(ev.Park(*lab.now))
        assert isinstance(lab.records[-1], rec.RebalanceParked)
    else:
        lab.mark("44000" if what == "opposite edge" else "40000", after_s=1)
        assert sent(lab)[-1].reduce_only
    assert len(cancels(lab)) == 1


def test_a_resting_order_stays_where_the_market_waits_with_us() -> None:
    """On a paper exchange nothing can happen to it meanwhile: parked as it is, and found there again."""
    lab = posting("rest")
    until_ms = rest_of(lab)
    lab.send(ev.Park(*lab.now, market_waits=True))
    assert isinstance(lab.records[-1], rec.RebalanceParked)
    lab.restart()
    assert cancels(lab) == []
    assert lab.state.wake_ms == until_ms


def test_an_order_that_filled_early_stays_as_well() -> None:
    """All of it is booked; the rest of its slice's time is spent when the market goes on."""
    lab = posting("rest")
    lab.mark("60000", after_s=1)
    cid, quantity = outstanding(lab).cid, abs(outstanding(lab).quantity)
    venue_id, _ = lab.venue.orders[cid]
    lab.venue.orders[cid] = (venue_id, quantity)
    lab.venue.resting.discard(cid)
    lab.venue.trade(quantity, lab.time_ms, lab.price, venue_id)
    lab.send(lab.venue.look_up(cid, lab.now))
    assert outstanding(lab).settled
    lab.send(ev.Park(*lab.now, market_waits=True))
    assert isinstance(lab.records[-1], rec.RebalanceParked)


def test_parking_awaits_the_end_of_a_resting_order_where_the_market_goes_on() -> None:
    """Nobody would take it back: the process stays until the venue says that it is gone."""
    lab = posting("rest")
    lab.deliver = lambda _: False
    lab.send(ev.Park(*lab.now))
    assert lab.of(rec.RebalanceParked) == []
    lab.send(lab.venue.cancel(outstanding(lab).cid, lab.now))
    assert len(lab.of(rec.RebalanceParked)) == 1


def test_parking_awaits_the_word_on_an_order_that_may_not_have_arrived() -> None:
    """Also where the market waits."""
    lab = Lab(a_fund(start_leverage="0.5"))
    lab.deliver = lambda command: isinstance(command, cmd.FetchTouch | cmd.FetchVolume)
    lab.mark("60000", after_s=300)
    lab.send(ev.Park(*lab.now, market_waits=True))
    assert lab.of(rec.RebalanceParked) == []


def test_a_restart_finds_a_resting_order_and_leaves_it_its_time() -> None:
    """It is looked up, awaited, taken back when its time is over, and only then compared with the venue."""
    lab = posting("rest")
    until_ms, count = rest_of(lab), len(sent(lab))
    lab.restart()
    assert rest_of(lab) == until_ms
    assert lab.state.wake_ms == until_ms
    assert len(sent(lab)) == count
    out_of_time(lab)
    assert lab.state.live.reconciled
    assert len(cancels(lab)) == 1


def test_a_restart_during_the_cancel_cancels_again() -> None:
    """The answer was lost with the process."""
    lab = posting("rest")
    lab.deliver = lambda _: False
    out_of_time(lab)
    lab.deliver = lambda command: not isinstance(command, SubmitOrder)
    lab.restart()
    assert len(cancels(lab)) == 2
    assert lab.of(rec.SliceSettled)[-1].time_ms == lab.time_ms


def test_a_restart_settles_a_slice_whose_order_was_closed_early() -> None:
    """Closed and booked before the process died; its time is not over yet."""
    lab = posting("rest")
    until_ms, cid = rest_of(lab), outstanding(lab).cid
    lab.mark("60000", after_s=1)
    lab.venue.resting.discard(cid)
    lab.send(lab.venue.look_up(cid, lab.now))
    lab.restart()
    assert under_way(lab).order is not None
    lab.mark("60000", after_s=(until_ms - lab.time_ms) / 1000)
    assert (lab.time_ms, cid) in [(settled.time_ms, settled.cid) for settled in lab.of(rec.SliceSettled)]


def test_a_restart_settles_a_slice_by_the_first_mark() -> None:
    """The venue's answers may come before any mark; what the record says of the slice is what it would be."""
    lab = Lab(a_fund(start_leverage="0.5"))
    settled = len(lab.of(rec.SliceSettled))
    lab.deliver = lambda command: not isinstance(command, cmd.FetchTrades)
    lab.mark("60000", after_s=300)
    assert outstanding(lab).state is OrderState.CLOSED
    lab.deliver = lambda _: True
    killed = lab.fork()
    lab.send(ev.ReadFailed(*lab.now, "FetchTrades", "timeout"))
    killed.state = killed._from_records()
    killed.send(ev.Resumed(*killed.now))
    assert outstanding(killed).settled
    killed.mark("60000", after_s=0)
    assert killed.of(rec.SliceSettled) == lab.of(rec.SliceSettled)
    assert len(lab.of(rec.SliceSettled)) == settled + 1
    assert lab.of(rec.SliceSettled)[-1].out_of_band is not None
    assert killed.state.live.reconciled


def test_the_market_is_asked_for_its_volume_together_with_the_touch() -> None:
    """Neither waits for the other, and the order waits for both; its record says what the market trades."""
    lab = Lab(a_fund(start_leverage="0.5"))
    lab.deliver = lambda _: False
    lab.mark("60000", after_s=300)
    assert [type(command) for command in lab.commands[-2:]] == [cmd.FetchVolume, cmd.FetchTouch]
    count = len(sent(lab))
    lab.send(ev.TouchSeen(*lab.now, D("59990.7"), D("60009.1")))
    assert len(sent(lab)) == count
    lab.send(ev.VolumeSeen(*lab.now, D(900), 900_000))
    assert len(sent(lab)) == count + 1
    assert lab.of(rec.OrderIntended)[-1].market_per_s == 1


def test_a_touch_that_grew_old_is_asked_for_anew_and_once() -> None:
    """While the volume is on its way: marks come every second, and an answer may take longer than that."""
    lab = Lab(a_fund(start_leverage="0.5"))
    lab.deliver = lambda _: False
    lab.mark("60000", after_s=300)
    lab.send(ev.TouchSeen(*lab.now, D("59990.7"), D("60009.1")))
    asked = []
    for _ in range(5):
        lab.mark("60000", after_s=1)
        asked.append(sum(isinstance(command, cmd.FetchTouch) for command in lab.commands))
    assert [count - asked[0] for count in asked] == [0, 0, 1, 1, 1]


def test_a_venue_that_does_not_say_its_volume_caps_nothing() -> None:
    """Nor does a read that fails; it is tried again with a later slice."""
    lab = Lab(a_fund(start_leverage="0.5"))
    lab.deliver = lambda command: isinstance(command, cmd.FetchTouch)
    lab.mark("60000", after_s=300)
    count = len(sent(lab))
    lab.send(ev.ReadFailed(*lab.now, "FetchVolume", "timeout"))
    assert len(sent(lab)) == count + 1


@pytest.mark.parametrize(("volume", "largest"), [("9", "0.067"), ("0.001", "0.002"), ("100000", None)])
def test_a_slice_is_a_part_of_the_market(volume: str, largest: str | None) -> None:
    """A tenth of what it trades in a mean gap of 67.5 s, and the venue's smallest order at least."""
    plain, lab = Lab(a_fund(start_leverage="0.5")), Lab(a_fund(start_leverage="0.5"))
    lab.venue.volume = D(volume)
    for each in (plain, lab):
        each.mark("60000", after_s=300)
    usual = sent(plain)[-1].quantity
    assert sent(lab)[-1].quantity == (usual if largest is None else D(largest))
    assert usual > D("0.067")


def test_a_prompt_slice_does_not_wait_for_the_volume_and_the_next_one_heeds_it() -> None:
    """The volume is asked for behind the first order; an emergency does not ask."""
    lab = Lab()
    lab.settle()
    lab.venue.volume = D(9)
    lab.mark("44900", after_s=120)
    first, second = [type(c) for c in lab.commands if type(c) in (SubmitOrder, cmd.FetchVolume)][-2:]
    assert (first, second) == (SubmitOrder, cmd.FetchVolume)
    large = sent(lab)[-1].quantity
    lab.mark("44900", after_s=10)
    assert sent(lab)[-1].quantity == D("-0.004")
    assert large < D("-0.08")
    lab.mark("40000", after_s=10)
    assert sent(lab)[-1].quantity < D("-1")


def test_an_order_is_cut_to_the_operators_cap() -> None:
    """In USDT at the mark: increases and reductions, the largest emergency as well, in a deep market."""
    lab = Lab(replace(a_fund(), caps=Caps(order_notional=D(3_000))))
    lab.settle()
    lab.venue.volume = D(90_000)
    lab.mark("44900")
    lab.settle(at_most_s=20)
    lab.mark("40000", after_s=1)
    assert lab.state.book.incidents == {}
    assert {order.reduce_only for order in sent(lab)} == {True, False}
    assert max(abs(order.quantity) for order in sent(lab)) <= D("0.075")


def test_a_patient_rebalance_past_its_deadline_hurries_and_is_an_incident_in_the_end() -> None:
    """One post instead of three and a collar of 100 bps after an hour; the alarm after two."""
    lab = Lab(a_fund(start_leverage="0.5"))
    lab.venue.script.extend(["rest", "rest", "rest", "nothing"] * 300)
    while lab.time_ms < DEADLINE_MS:
        lab.mark("60000", after_s=5)
    count = len(sent(lab))
    lab.venue.script.clear()
    lab.venue.script.extend(["rest", "nothing"] * 1_000)
    while lab.time_ms < OVERDUE_MS:
        lab.mark("60000", after_s=5)
        assert "overdue rebalance" not in lab.state.book.incidents
    late = sent(lab)[count + 3 :]
    assert [order.rests for order in late[-4:]] in ([True, False] * 2, [False, True] * 2)
    assert max(order.limit_price for order in late) == D(60_600)
    lab.mark("60000", after_s=61)
    began = time_text(under_way(lab).started_ms)
    assert f"leverage since {began}" in lab.state.book.incidents["overdue rebalance"].detail
    assert lab.state.book.breaches == ()
    lab.venue.script.clear()
    lab.settle()
    assert lab.state.book.incidents == {}


def test_a_delever_whose_order_stays_unknown_is_overdue_as_well() -> None:
    """Nothing else can be sent before it is known; somebody has to look."""
    lab = Lab()
    lab.settle()
    lab.venue.script.append("lose")
    lab.deliver = lambda command: isinstance(command, SubmitOrder)
    lab.mark("44900")
    lab.mark("44900", after_s=901)
    assert "unfilled delever" in lab.state.book.incidents


def test_a_delever_that_waits_for_the_account_is_overdue_as_well() -> None:
    """A stranger traded, and the account cannot be read: nothing is sent meanwhile, and somebody is told."""
    lab = Lab()
    lab.settle()
    lab.mark("44900")
    assert not under_way(lab).increasing
    lab.state = lab.state._replace(live=lab.state.live._replace(reconciled=False))
    lab.deliver = lambda _: False
    lab.mark("44900", after_s=901)
    assert "unfilled delever" in lab.state.book.incidents


def test_a_posted_order_that_is_not_found_is_cancelled_before_it_counts_as_dead() -> None:
    """What answers questions may lag behind the venue's book; what cancels is the book itself."""
    lab = posting("lose")
    (dead,) = lab.of(rec.OrderDead)
    asked = [c for c in lab.commands if isinstance(c, cmd.QueryOrder | cmd.CancelOrder) and c.cid == dead.cid]
    assert [type(command) for command in asked[-2:]] == [cmd.QueryOrder, cmd.CancelOrder]


class Denying(InstantVenue):
    """Nobody hears that an order rests, and whoever asks is told that there is none."""

    denied = ""

    def submit(self, order: SubmitOrder, now: tuple[int, int], mark: Decimal) -> ev.Event:
        """The answer is lost where it would say that the order rests."""
        answer = super().submit(order, now, mark)
        return ev.OrderUnknown(*now, order.cid, "timeout") if order.cid in self.resting else answer

    def look_up(self, cid: str, now: tuple[int, int]) -> ev.Event:
        """Deny what rests."""
        if cid in self.resting:
            self.denied = cid
            return ev.OrderMissing(*now, cid)
        return super().look_up(cid, now)


_Denying = TypeVar("_Denying", bound=Denying)


def posting_at(kind: type[_Denying]) -> tuple[Lab, _Denying]:
    """A fund that has posted an order at such a venue."""
    lab = Lab(a_fund(start_leverage="0.5"))
    venue = kind(lab.contract, lab.fund.capital)
    vars(venue).update(vars(lab.venue))
    venue.script.append("rest")
    lab.venue = venue
    lab.mark("60000", after_s=300)
    return lab, venue


def test_a_posted_order_that_rests_unseen_is_over_before_the_next_one() -> None:
    """It is denied until long after its window, and no position tells of it; yet it does not rest on."""
    lab, venue = posting_at(Denying)
    assert venue.denied
    assert venue.resting == set()
    assert lab.of(rec.OrderDead) == []
    assert [r.filled for r in lab.of(rec.OrderAdvanced) if r.cid == venue.denied and r.closed] == [0]
    assert len(sent(lab)) > [order.cid for order in sent(lab)].index(venue.denied) + 1


class Unreached(Denying):
    """The first cancels do not reach the book, so that only the lagging answer to the question is left."""

    failures = 3

    def cancel(self, cid: str, now: tuple[int, int]) -> ev.Event:
        """Fail some times."""
        self.failures -= 1
        return self.look_up(cid, now) if self.failures >= 0 else super().cancel(cid, now)


def test_a_cancel_that_failed_does_not_prove_that_nothing_rests() -> None:
    """It is tried again until the book itself has answered."""
    lab, venue = posting_at(Unreached)
    assert venue.denied
    assert venue.failures < 0
    assert venue.resting == set()
    assert lab.of(rec.OrderDead) == []


def test_a_touch_that_a_rebalance_no_longer_needs_keeps_no_later_one_waiting() -> None:
    """The book could not be read, and by then the rebalance was over: the next one asks anew."""
    lab = Lab(a_fund())
    lab.settle()
    lab.state = lab.state._replace(live=lab.state.live._replace(touch=None, touch_asked=True))
    lab.send(ev.ReadFailed(*lab.now, "FetchTouch", "timeout"))
    lab.mark("95000")
    lab.settle()
    assert lab.state.book.rebalances == 2
    assert lab.state.book.rebalance is None


def guards(lab: Lab) -> list[int]:
    """What the venue was told of its dead man's switch, in order."""
    return [command.after_ms for command in lab.commands if isinstance(command, cmd.GuardOrders)]


LONGEST_MS = int(REST_S[1] * 1000) + GUARD_MARGIN_MS


def test_while_an_order_rests_the_venue_is_told_to_cancel_it_should_we_die() -> None:
    """Half a minute after the longest rest; told anew with each post, and taken back when it is over."""
    lab = posting("rest")
    posts = len([order for order in sent(lab) if order.rests])
    assert [after_ms for after_ms in guards(lab) if after_ms] == [LONGEST_MS] * posts
    assert guards(lab)[-1] == LONGEST_MS
    out_of_time(lab)
    lab.settle()
    assert guards(lab)[-1] == 0


def test_the_switch_does_not_run_out_between_two_slices() -> None:
    """A pause may be longer than the switch, which might take the protective stop with it."""
    lab = Lab(a_fund())
    lab.settle()
    (*slices, _) = lab.of(rec.SliceSettled)
    long = [one for one in slices if one.next_slice_ms - one.time_ms > 5_000]
    assert long
    assert guards(lab).count(0) >= len(long)


def test_a_new_process_clears_what_the_last_one_armed() -> None:
    """Its switch would take back what this one posts; with an order that rests it is armed for that."""
    lab = posting("rest")
    before = len(guards(lab))
    lab.restart()
    (again,) = guards(lab)[before:]
    order = lab.of(rec.OrderIntended)[-1]
    assert order.rests_until_ms is not None
    assert again == order.rests_until_ms - lab.time_ms + GUARD_MARGIN_MS
    out_of_time(lab)
    lab.settle()
    before = len(guards(lab))
    lab.restart()
    assert guards(lab)[before:] == [0]


def test_a_process_that_never_sent_anything_clears_nothing() -> None:
    """There is nothing to clear."""
    fresh = Lab(a_fund())
    fresh.records = fresh.records[:1]
    before = len(guards(fresh))
    fresh.deliver = lambda command: not isinstance(command, SubmitOrder)
    fresh.state = fresh._from_records()
    fresh.take(ev.Resumed(*fresh.now))
    assert guards(fresh)[before:] == []


def test_where_nothing_rested_nothing_is_taken_back() -> None:
    """A delever posts nothing; a switch that could not be set changes nothing."""
    lab = Lab()
    lab.settle()
    lab.send(ev.ReadFailed(*lab.now, "GuardOrders", "timeout"))
    count = len([command for command in lab.commands if isinstance(command, cmd.GuardOrders)])
    lab.mark("44900")
    lab.settle()
    assert len([command for command in lab.commands if isinstance(command, cmd.GuardOrders)]) == count
