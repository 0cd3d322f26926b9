from decimal import Decimal
from typing import get_args

import pytest

from bot.core import book, engine, unread
from bot.core import commands as cmd
from bot.core import events as ev
from bot.core import records as rec
from bot.core.book import fold
from bot.core.engine import start, step
from bot.core.execution import progress
from bot.core.limits import PlaceStop, SubmitOrder
from bot.core.orders import Order
from bot.core.recovery_events import OrdersSeen
from bot.core.settlement import refused, settle
from bot.core.turn import Turn
from bot.core.units import Urgency
from bot.testing import Lab, a_contract, a_fund

D = Decimal


def opened(lab: Lab) -> Lab:
    """The fund, settled after its opening."""
    lab.settle()
    return lab


def sent(lab: Lab) -> list[SubmitOrder]:
    """Every order that was sent."""
    return [command for command in lab.commands if isinstance(command, SubmitOrder)]


def test_every_event_record_and_command_that_may_fail_has_its_place() -> None:
    """In the tables that are looked up when it comes: none would otherwise be missed before it comes."""
    assert set(engine._TAKE) == set(get_args(ev.Event))
    assert [kind for kind, changes in book._CHANGES.items() if not changes] == []
    never_fail = {cmd.DrawSecrets, cmd.DrawIdentity}
    told_otherwise = {SubmitOrder, PlaceStop, cmd.GuardOrders}
    repeated = set(get_args(cmd.Command)) - never_fail - told_otherwise
    assert set(unread._GO_ON) == {command.__name__ for command in repeated}


def test_before_its_first_start_a_fund_does_nothing() -> None:
    """A mark without a journal: no record, no command."""
    state = start(a_fund(), a_contract(), fold(()))
    _, records, commands = step(state, ev.Mark(0, 0, D(60_000)))
    assert (records, commands) == ((), ())


def test_nothing_is_decided_before_ledger_and_venue_were_compared() -> None:
    """After a start marks are taken in, and that is all."""
    lab = opened(Lab())
    lab.deliver = lambda _: False
    lab.restart()
    count = len(lab.records)
    lab.mark("30500")
    assert len(lab.records) == count
    lab.send(ev.AccountSeen(*lab.now, lab.venue.ledger.wallet, lab.venue.ledger.position, ()))
    assert lab.of(rec.RebalanceStarted)[-1] not in lab.records[count:]
    lab.send(OrdersSeen(*lab.now, tuple(lab.venue.listed)))
    assert lab.of(rec.RebalanceStarted)[-1] in lab.records[count:]


def test_an_older_mark_never_replaces_a_newer_one() -> None:
    """A late frame is dropped, also when it lies outside the hold region."""
    lab = opened(Lab())
    count = len(lab.records)
    lab.send(ev.Mark(lab.time_ms - 1, lab.wall_ms, D(40_000)))
    assert len(lab.records) == count
    assert lab.state.mark is not None
    assert lab.state.mark.price == 60_000


def test_a_silent_feed_is_an_incident_until_the_next_mark() -> None:
    """It is no breach: increases resume by themselves. The next mark ends it at any price."""
    lab = opened(Lab())
    lab.send(ev.FeedLost(*lab.now, "no frame for 10 s"))
    assert lab.state.book.incidents["stale mark"].detail == "no frame for 10 s"
    assert lab.state.book.breaches == ()
    assert lab.state.region is None
    lab.mark("60001", after_s=1)
    assert lab.state.book.incidents == {}
    assert lab.state.region is not None


def test_a_stale_mark_stops_an_increase_between_slices() -> None:
    """The pause is over, but the mark is old: deferred, recorded once, and done with the next mark."""
    lab = Lab()
    open_ = lab.state.book.rebalance
    assert open_ is not None
    count = len(sent(lab))
    for late_ms in (10_001, 11_001, 12_001):
        lab.send(ev.Wake(open_.next_slice_ms + late_ms, lab.wall_ms))
    (deferred,) = lab.of(rec.SliceDeferred)
    assert deferred.reason == "mark price is stale"
    assert len(sent(lab)) == count
    assert lab.state.wake_ms == open_.next_slice_ms + 13_001
    lab.mark("60000", after_s=300)
    assert len(sent(lab)) == count + 1


def test_a_mark_that_the_index_contradicts_raises_no_leverage_but_lowers_it() -> None:
    """A spike of one venue is no reason to buy; it may be the truth, so delevering goes on."""
    lab = opened(Lab())
    lab.send(ev.Mark(lab.time_ms + 1_000, lab.wall_ms, D("92000"), index_price=D("80000")))
    assert lab.state.book.rebalance is None
    lab.send(ev.Mark(lab.time_ms + 2_000, lab.wall_ms, D("44900"), index_price=D("50000")))
    assert sent(lab)[-1].reduce_only


def test_the_remaining_quantity_is_computed_anew_before_each_slice() -> None:
    """The price came back on its own: the rebalance ends without another order."""
    lab = opened(Lab())
    lab.mark("92000")
    count = len(sent(lab))
    lab.mark("50000", after_s=200)
    assert lab.state.book.rebalance is None
    assert len(sent(lab)) == count
    finished = lab.of(rec.RebalanceFinished)[-1]
    assert finished.ending is rec.Ending.DONE


def test_crossing_the_opposite_edge_supersedes_a_rebalance() -> None:
    """While leverage is being raised the price falls through: that ends, and delevering starts at once."""
    lab = opened(Lab())
    lab.mark("92000")
    lab.mark("45500", after_s=1)
    assert lab.of(rec.RebalanceFinished)[-1].ending is rec.Ending.SUPERSEDED
    start_again = lab.of(rec.RebalanceStarted)[-1]
    assert start_again.urgency is Urgency.PROMPT
    assert sent(lab)[-1].reduce_only


def test_a_superseded_rebalance_waits_for_its_order() -> None:
    """Not before the order under way has ended does anything else begin."""
    lab = opened(Lab())
    lab.deliver = lambda command: not isinstance(command, SubmitOrder)
    lab.mark("92000")
    lab.mark("44000", after_s=1)
    assert len(lab.of(rec.RebalanceFinished)) == 1
    lab.deliver = lambda _: True
    lab.restart()
    assert len(lab.of(rec.RebalanceStarted)) == 3


def test_a_delever_becomes_an_emergency_on_the_way() -> None:
    """At the emergency leverage the pause is over at once, and everything left goes in one order."""
    lab = opened(Lab())
    lab.mark("44900")
    lab.mark("40000", after_s=0.1)
    (raised,) = lab.of(rec.UrgencyRaised)
    assert raised.urgency is Urgency.EMERGENCY
    assert lab.state.book.rebalance is None
    assert lab.leverage is not None
    assert lab.leverage < D("2.7")


def test_a_delever_that_stays_open_is_an_incident_until_it_is_done() -> None:
    """After a quarter of an hour; increases are not what it stops."""
    lab = opened(Lab())
    lab.venue.script.extend(["nothing"] * 400)
    lab.mark("44900")
    lab.settle(at_most_s=885)  # a pause of up to 8 s may follow
    assert lab.state.book.incidents == {}
    lab.settle(at_most_s=40)
    assert not lab.state.book.incidents["unfilled delever"].stops_increases
    lab.venue.script.clear()
    lab.settle()
    assert lab.state.book.incidents == {}


def test_an_urgent_slice_that_filled_nothing_is_priced_from_the_book() -> None:
    """Best bid and ask are read first, and the worse of bid and mark starts the collar of a sale."""
    lab = opened(Lab())
    lab.venue.script.append("nothing")
    lab.mark("44900")
    lab.deliver = lambda command: not isinstance(command, cmd.FetchTouch)
    lab.mark("44900", after_s=8)
    assert lab.commands[-1] == cmd.FetchTouch()
    count = len(sent(lab))
    lab.deliver = lambda _: True
    lab.send(ev.TouchSeen(*lab.now, D("44500"), D("44510")))
    order = sent(lab)[count]
    widened = D("0.002") + D("0.0002") * 8
    assert order.limit_price == (D("44500") * (1 - widened)).quantize(D("0.1"), "ROUND_CEILING")
    assert lab.state.live.touch is None


def test_a_touch_that_cannot_be_read_does_not_stop_a_delever() -> None:
    """The collar starts at the mark again."""
    lab = opened(Lab())
    lab.venue.script.append("nothing")
    lab.mark("44900")
    lab.deliver = lambda command: not isinstance(command, cmd.FetchTouch)
    lab.mark("44900", after_s=8)
    count = len(sent(lab))
    lab.send(ev.ReadFailed(*lab.now, "FetchTouch", "timeout"))
    assert len(sent(lab)) == count + 1


def test_parking_sends_nothing_more_and_the_next_start_goes_on() -> None:
    """Between two slices: parked, silent, resumed, finished."""
    lab = Lab()
    count = len(sent(lab))
    lab.send(ev.Park(*lab.now))
    lab.mark("60000", after_s=300)
    assert len(lab.of(rec.RebalanceParked)) == 1
    assert len(sent(lab)) == count
    lab.restart()
    assert len(lab.of(rec.RebalanceResumed)) == 1
    assert len(sent(lab)) == count + 1
    lab.settle()
    assert lab.state.book.rebalance is None


def test_parking_awaits_an_order_under_way() -> None:
    """Its trades are booked, then the rebalance is parked."""
    lab = Lab()
    lab.deliver = lambda command: isinstance(command, cmd.FetchTouch | cmd.FetchVolume)
    lab.mark("60000", after_s=300)
    lab.send(ev.Park(*lab.now))
    assert lab.of(rec.RebalanceParked) == []
    order = sent(lab)[-1]
    lab.deliver = lambda _: True
    lab.send(lab.carry_out(order))
    assert [type(record).__name__ for record in lab.records[-2:]] == ["SliceSettled", "RebalanceParked"]
    assert lab.state.book.position == lab.venue.ledger.position


def test_parking_a_fund_at_rest_leaves_no_record() -> None:
    """There is nothing to go on with."""
    lab = opened(Lab())
    count = len(lab.records)
    lab.send(ev.Park(*lab.now))
    lab.mark("91000")
    assert len(lab.records) == count


def test_a_venue_without_funding_is_held_to_the_grid() -> None:
    """Marks may carry no funding instant."""
    lab = opened(Lab())
    lab.mark(lab.price, after_s=1_000)  # its opening is revealed, so that it waits for nothing else
    lab.send(ev.Mark(lab.time_ms + 1000, lab.wall_ms, D(89_990)))
    lab.send(ev.Wake(*lab.now))
    assert lab.state.region is not None
    assert lab.state.region.until_ms == 3_600_000


def test_news_of_an_order_that_is_not_open_leaves_the_book_alone() -> None:
    """A record that names another order changes no order when it is folded."""
    lab = Lab()
    twin = lab.state.book.copy()
    twin.apply(rec.OrderLost(twin.last_time_ms, "ib0", "timeout"))
    assert twin == lab.state.book


def test_a_rest_below_the_minimum_order_ends_a_rebalance() -> None:
    """What is left between two slices is too small to trade: done, and off by no more than that."""
    lab = Lab(a_fund(capital="600"))
    lab.venue.script.extend(["half"] * 30)
    lab.settle(at_most_s=30_000)
    (finished,) = lab.of(rec.RebalanceFinished)
    (started,) = lab.of(rec.RebalanceStarted)
    assert finished.leverage is not None
    assert D("0.01") < abs(finished.leverage - 2) <= started.tolerance


def test_time_never_runs_backwards_in_the_records() -> None:
    """An event that is late by its clock is recorded at the time of the latest record."""
    lab = opened(Lab())
    lab.send(ev.FeedLost(0, 0, "late"))
    assert lab.of(rec.IncidentOpened)[-1].time_ms == lab.state.book.last_time_ms


def test_a_record_of_a_rebalance_that_is_not_open_is_a_broken_journal() -> None:
    """Folding it raises; it is never guessed around."""
    lab = opened(Lab())
    with pytest.raises(ValueError, match="a rebalance, and none is open"):
        lab.state.book.copy().apply(rec.RebalanceParked(lab.time_ms))


def test_the_leaves_refuse_to_work_without_a_rebalance() -> None:
    """A bug that would get there ends in an error, not in an order."""
    lab = opened(Lab())
    turn = Turn(lab.state, ev.Wake(*lab.now))
    assert turn.mark is not None
    with pytest.raises(ValueError, match="a rebalance, and none is open"):
        progress(turn, turn.mark)
    settle(turn, None)
    with pytest.raises(ValueError, match="a rebalance, and none is open"):
        settle(turn, Order("ib1", D(1), D(1), reduce_only=False, expires_wall_ms=0))
    refused(turn, ev.OrderRefused(*lab.now, "ib0", "-1", "no"))
    assert (turn.records, turn.commands) == ([], [])


def test_a_crash_loop_stops_increases_until_it_is_rearmed() -> None:
    """Eleven processes in a row took the fund up, and none came to anything."""
    lab = opened(Lab())
    for _ in range(10):
        lab.restart()
    assert lab.state.book.incidents == {}
    lab.restart()
    assert lab.state.book.incidents["crash loop"].detail == "taken up 11 times in a row, and never for long"
    lab.restart(adopt=True)
    assert lab.state.book.incidents == {}
    assert lab.state.book.starts == 0


def test_what_ends_a_row_of_starts() -> None:
    """A proper stop, a slice, and a process that lasted for minutes: none of these is a crash in vain."""
    lab = opened(Lab())
    for _ in range(3):
        lab.restart()
    assert lab.state.book.starts == 3
    lab.wall_ms += 300_000
    lab.restart()
    assert lab.state.book.starts == 1
    lab.send(ev.Park(*lab.now))
    assert lab.state.book.starts == 0
    lab.restart()
    lab.mark("44900")
    assert lab.state.book.starts == 0


def test_orders_beyond_the_plan_are_a_breach_that_counts_anew_once_rearmed() -> None:
    """The rebalance has traded more than twice what was decided: something is wrong with it."""
    lab = Lab()
    open_ = lab.state.book.rebalance
    assert open_ is not None
    assert open_.planned is not None
    lab.state.book.rebalance = open_._replace(traded=open_.planned * 2)
    lab.mark("60000", after_s=200)
    assert lab.state.book.breaches == ("more than was planned",)
    lab.send(ev.Controlled(*lab.now, rec.Control.RUNNING, "ann", "a test"))
    lab.settle()
    assert lab.state.book.rebalance is None
    breach = rec.IncidentOpened(lab.time_ms, "more than was planned", "again", "none", stops_increases=True)
    lab.state.book.apply(breach)
    lab.send(ev.Controlled(*lab.now, rec.Control.RUNNING, "ann", "a test"))
    assert lab.state.book.incidents == {}
