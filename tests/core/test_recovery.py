"""A restart looks for what its journal has lost, before anything new is sent."""

import pytest

from bot.core import commands as cmd
from bot.core import draws
from bot.core import events as ev
from bot.core import records as rec
from bot.core.book import fold
from bot.core.limits import PlaceStop, SubmitOrder
from bot.core.recovery import LOST_RECORDS, LOW_DISK
from bot.core.recovery_events import IdentityDrawn, ListedOrder, OrdersSeen, StorageSeen
from bot.core.recovery_records import JournalRestored, Reincarnated, TakenOver
from bot.core.stop_events import StopsSeen, StopStatus
from bot.core.stop_records import StopIntended
from bot.testing import Lab, a_fund


def opened() -> Lab:
    """A fund that has opened, and has delevered once."""
    lab = Lab()
    lab.settle()
    lab.walk("44000")
    return lab


def rolled_back(lab: Lab) -> Lab:
    """The same fund with the journal that it had when it opened; the venue has forgotten nothing."""
    finished = next(i for i, record in enumerate(lab.records) if isinstance(record, rec.RebalanceFinished))
    lab.records = lab.records[: finished + 1]
    return lab


def test_a_sound_journal_goes_on_as_it_was() -> None:
    """Every order at the venue is known: no incident, and the same identity."""
    lab = opened()
    before = fold(lab.records)
    lab.restart()
    assert LOST_RECORDS not in lab.state.book.incidents
    assert (lab.state.book.incarnation, lab.state.book.key) == (before.incarnation, before.key)
    assert lab.of(Reincarnated) == []


def test_orders_that_the_journal_lacks_halt_the_fund() -> None:
    """A rolled-back journal is noticed by the venue's own list: an incident, a halt, and a new identity."""
    lab = rolled_back(opened())
    before = fold(lab.records)
    lab.restart()

    book = lab.state.book
    assert book.incidents[LOST_RECORDS].stops_increases
    assert lab.venue.sent[-1].cid in book.incidents[LOST_RECORDS].detail
    assert book.control is rec.Control.HALTED
    assert book.incarnation != before.incarnation
    assert book.key != before.key
    assert lab.of(Reincarnated)[-1].why == "records are lost"


def test_a_halted_fund_sends_nothing_whatever_the_mark() -> None:
    """Nothing is guessed from a journal that lies behind."""
    lab = rolled_back(opened())
    lab.restart()
    count = len(lab.venue.sent)
    lab.mark("30000")
    lab.settle()
    assert len(lab.venue.sent) == count


def test_after_the_operator_resumes_no_order_id_is_used_twice() -> None:
    """The fund goes on by its new identity, although it repeats numbers of rebalances."""
    lab = rolled_back(opened())
    lab.restart()
    lab.send(ev.Controlled(*lab.now, rec.Control.RUNNING, "ops", "compared by hand"))
    lab.restart()
    lab.walk("30000")
    lab.settle()
    cids = [order.cid for order in lab.venue.sent]
    assert len(cids) == len(set(cids))
    assert LOST_RECORDS not in lab.state.book.incidents
    assert lab.state.book.position == lab.venue.ledger.position


def test_unused_draws_are_drawn_again_under_the_same_numbers() -> None:
    """What was published and maybe revealed since is never used; the public sequence has no gap."""
    lab = rolled_back(opened())
    before = fold(lab.records)
    lab.restart()
    after = lab.state.book
    assert [draw.sequence for draw in after.draws] == [draw.sequence for draw in before.draws]
    assert [made.sequence for made in after.public.commitments] == [draw.sequence for draw in after.draws]
    assert lab.of(rec.DrawQueued)[-1].time_ms >= lab.of(Reincarnated)[-1].time_ms


def test_an_order_that_rests_unknown_is_taken_back() -> None:
    """It could fill at any time; its id starts as ours do, so it is ours to cancel."""
    lab = opened()
    lab.venue.listed.append(ListedOrder("ib" + "9" * 30, lab.time_ms + 1, is_open=True))
    lab.restart()
    assert cmd.CancelOrder("ib" + "9" * 30) in lab.commands


def test_orders_of_others_are_none_of_ours() -> None:
    """A person's order has another kind of id."""
    lab = opened()
    lab.venue.listed.append(ListedOrder("web_4711", lab.time_ms + 1, is_open=True))
    lab.restart()
    assert LOST_RECORDS not in lab.state.book.incidents


def test_orders_of_an_earlier_journal_are_no_loss() -> None:
    """A fund that began anew on an account finds the orders of the fund before it."""
    lab = opened()
    lab.venue.listed.insert(0, ListedOrder("ib" + "8" * 30, -1, is_open=False))
    lab.restart()
    assert LOST_RECORDS not in lab.state.book.incidents


def test_a_fund_that_sent_nothing_yet_knows_the_orders_before_it() -> None:
    """Begun anew, and killed before its first order."""
    lab = Lab()
    (created,) = lab.of(rec.FundCreated)
    lab.records = [created._replace(time_ms=1_000)]
    lab.venue.listed[:] = [ListedOrder("ib" + "8" * 30, 999, is_open=False)]
    lab.restart()
    assert LOST_RECORDS not in lab.state.book.incidents


def test_orders_of_long_ago_are_no_loss() -> None:
    """The journal knows the latest by their ids, and no others."""
    lab = opened()
    long_ago = lab.state.book.last_order_ms - 61_000
    lab.venue.listed.insert(0, ListedOrder("ib" + "7" * 30, long_ago, is_open=False))
    lab.restart()
    assert LOST_RECORDS not in lab.state.book.incidents


def test_nothing_is_sent_before_the_list_was_seen() -> None:
    """An id could be used twice otherwise."""
    lab = opened()
    count = len(lab.venue.sent)
    lab.deliver = lambda command: not isinstance(command, cmd.FetchOrders)
    lab.restart()
    lab.mark("30000")
    assert len(lab.venue.sent) == count
    lab.send(OrdersSeen(*lab.now, tuple(lab.venue.listed)))
    assert any(isinstance(command, SubmitOrder) for command in lab.commands[-10:])


def test_a_list_that_cannot_be_read_is_asked_for_again() -> None:
    """A read that failed is evidence of nothing."""
    lab = opened()
    lab.deliver = lambda command: not isinstance(command, cmd.FetchOrders)
    lab.restart()
    lab.send(ev.ReadFailed(*lab.now, "FetchOrders", "timeout"))
    assert lab.commands[-1] == cmd.FetchOrders(delay_s=1.0)


def test_the_list_is_judged_once() -> None:
    """A late second answer, in which orders of this life stand, changes nothing."""
    lab = opened()
    lab.restart()
    count = len(lab.records)
    lab.send(OrdersSeen(*lab.now, (ListedOrder("ib" + "7" * 30, lab.time_ms, is_open=False),)))
    assert len(lab.records) == count


def test_a_restored_journal_that_lost_nothing_gets_a_new_identity_and_goes_on() -> None:
    """Nobody knows what a backup lacks, but where the venue shows no loss there is no reason to halt."""
    lab = opened()
    before = fold(lab.records)
    lab.records.append(JournalRestored(lab.time_ms, "from a backup"))
    lab.restart()
    book = lab.state.book
    assert book.control is rec.Control.RUNNING
    assert book.incarnation != before.incarnation
    assert not book.restored
    assert "backup" in lab.of(Reincarnated)[-1].why


def test_stops_of_a_restored_journal_get_new_ids_and_rest_alone() -> None:
    """The copy ends before the last stop was placed: the next one must not have that one's id.

    That one still rests, and nobody but the venue knows it: it is taken back. A person's own stays.
    """
    lab = Lab(a_fund(protective_stop=True))
    lab.settle()
    until = next(n for n, record in enumerate(lab.records) if isinstance(record, StopIntended))
    lab.records[until:] = [JournalRestored(lab.time_ms, "from a backup")]
    lab.restart()
    lab.send(ev.Controlled(*lab.now, rec.Control.RUNNING, "ann", "compared"))
    lab.mark(lab.price)
    assert sum(status is StopStatus.RESTING for _, status in lab.venue.stops.values()) == 1
    first, second = [command.cid for command in lab.commands if isinstance(command, PlaceStop)]
    assert first != second


def test_stops_that_rest_are_asked_for_until_the_venue_says_and_none_is_unknown() -> None:
    """A read that fails is repeated; a stop of ours that is taken back is looked for until it is gone."""
    lab = Lab(a_fund(protective_stop=True))
    lab.settle()
    asked = len(lab.commands)
    lab.take(ev.ReadFailed(*lab.now, cmd.FetchStops.__name__, "timeout"))
    lab.take(StopsSeen(*lab.now, ("a person's", *lab.venue.stops)))
    stray = f"{draws.ID_PREFIX}{'0' * 30}"
    lab.take(StopsSeen(*lab.now, (stray,)))
    again = cmd.FetchStops(delay_s=2.0)
    assert lab.commands[asked:] == [again, cmd.CancelStop(stray), again]


def test_an_operator_who_adopts_is_not_halted() -> None:
    """They have said that they accept what happened; the incident and the new identity stay."""
    lab = rolled_back(opened())
    lab.restart(adopt=True)
    assert lab.state.book.control is rec.Control.RUNNING
    assert LOST_RECORDS in lab.state.book.incidents
    assert len(lab.of(Reincarnated)) == 1


def test_an_identity_that_comes_twice_counts_once() -> None:
    """Only the life that was asked for begins."""
    lab = rolled_back(opened())
    lab.restart()
    lab.send(IdentityDrawn(*lab.now, 1, "11" * 32, "other"))
    assert len(lab.of(Reincarnated)) == 1
    assert lab.state.book.lives == 1


def test_a_takeover_is_on_record() -> None:
    """Whoever reads the journal sees from which process the account was taken."""
    lab = opened()
    lab.send(ev.Resumed(*lab.now, taken_from="host-a:1:2"))
    assert lab.of(TakenOver) == [TakenOver(lab.state.book.last_time_ms, "host-a:1:2")]


def test_a_disk_almost_full_stops_increases_until_there_is_space() -> None:
    """Delevering goes on while it can; the incident closes by itself."""
    lab = opened()
    lab.send(StorageSeen(*lab.now, "100 MB are free"))
    lab.send(StorageSeen(*lab.now, "90 MB are free"))
    assert lab.state.book.breaches == (LOW_DISK,)
    lab.send(StorageSeen(*lab.now, None))
    assert lab.state.book.breaches == ()
    assert len([r for r in lab.of(rec.IncidentOpened) if r.code == LOW_DISK]) == 1


@pytest.mark.parametrize("adopt", [False, True])
def test_no_word_of_an_operator_makes_room_on_the_disk(*, adopt: bool) -> None:
    """A resume that is about something else leaves the incident open: nothing would open it again."""
    lab = opened()
    lab.send(StorageSeen(*lab.now, "100 MB are free"))
    lab.send(ev.Controlled(*lab.now, rec.Control.PAUSED, "ann", "lunch"))
    if adopt:
        lab.restart(adopt=True)
    lab.send(ev.Controlled(*lab.now, rec.Control.RUNNING, "ann", "back"))
    assert lab.state.book.breaches == (LOW_DISK,)
    lab.send(StorageSeen(*lab.now, None))
    assert lab.state.book.breaches == ()


def test_with_a_disk_almost_full_a_fund_still_delevers() -> None:
    """Above the band it reduces its position; below it, it waits."""
    lab = opened()
    lab.send(StorageSeen(*lab.now, "100 MB are free"))
    held = abs(lab.state.book.position)
    lab.walk("36000")
    lab.settle()
    delevered = abs(lab.state.book.position)
    assert delevered < held
    lab.walk("60000")
    assert abs(lab.state.book.position) == delevered
