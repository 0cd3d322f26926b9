from decimal import Decimal
from typing import Literal

import pytest

from bot.core import commands as cmd
from bot.core import events as ev
from bot.core import records as rec
from bot.core import settlement, unfound
from bot.core.episode import OpenRebalance
from bot.core.limits import SubmitOrder
from bot.core.orders import ORDER_LIFETIME_MS, Order, OrderState
from bot.core.plan import MANNERS
from bot.core.turn import Turn
from bot.core.units import Urgency
from bot.testing import Lab, a_fund
from bot.testing_venue import Outcome

D = Decimal


def opening(*outcomes: Outcome, deliver: tuple[type, ...] = ()) -> Lab:
    """A fund that opens; its first order that crosses meets `outcomes`.

    From the second slice on only `deliver` is carried out, and best bid and ask are read.
    """
    lab = Lab(a_fund(start_leverage="0.5"))
    lab.mark("60000", after_s=1)
    lab.venue.script.extend(["nothing"] * MANNERS[Urgency.PATIENT].posts)
    lab.venue.script.extend(outcomes)
    if deliver:
        lab.deliver = lambda command: isinstance(command, (*deliver, cmd.FetchTouch, cmd.FetchVolume))
    lab.mark("60000", after_s=300)
    return lab


def under_way(lab: Lab) -> OpenRebalance:
    """The open rebalance."""
    open_ = lab.state.book.rebalance
    assert open_ is not None
    return open_


def outstanding(lab: Lab) -> Order:
    """The order under way."""
    order = under_way(lab).order
    assert order is not None
    return order


def sent(lab: Lab) -> list[SubmitOrder]:
    """Every order that was sent."""
    return [command for command in lab.commands if isinstance(command, SubmitOrder)]


def queries(lab: Lab) -> list[cmd.QueryOrder]:
    """Every look-up."""
    return [command for command in lab.commands if isinstance(command, cmd.QueryOrder)]


def test_a_filled_order_is_booked_from_its_trades() -> None:
    """Quantity, price and fee are those of the trades; only then the slice is settled."""
    lab = opening("fill")
    filled, settled = lab.of(rec.Filled)[-1], lab.of(rec.SliceSettled)[-1]
    kinds = [type(record).__name__ for record in lab.records[-4:]]
    assert kinds == ["OrderIntended", "OrderAdvanced", "Filled", "SliceSettled"]
    assert (filled.cid, filled.price) == (settled.cid, 60_000)
    assert filled.fee == filled.quantity * 60_000 * lab.contract.taker_fee
    assert settled.filled == filled.quantity


def test_the_next_slice_waits_its_drawn_pause() -> None:
    """Nothing is sent before it, and the engine asks to be woken then."""
    lab = opening("fill")
    count, due_ms = len(sent(lab)), under_way(lab).next_slice_ms
    assert lab.time_ms + 15_000 <= due_ms <= lab.time_ms + 120_000
    assert lab.state.wake_ms == due_ms
    lab.mark("60000", after_s=(due_ms - lab.time_ms - 1) / 1000)
    assert len(sent(lab)) == count
    lab.mark("60000", after_s=0.001)
    assert len(sent(lab)) == count + 1


def test_an_unknown_outcome_is_looked_up_and_never_resent() -> None:
    """The answer was lost, the order was not: found by its client id and booked once."""
    lab = opening("lose filled")
    lost = lab.of(rec.OrderLost)
    assert len(lost) == 1
    assert len(queries(lab)) == 1
    cids = [order.cid for order in sent(lab)]
    assert len(set(cids)) == len(cids)
    assert lab.state.book.position == lab.venue.ledger.position


def test_an_order_that_never_arrived_is_dead_only_after_its_window() -> None:
    """Expired, twice not found, and the position unchanged: all three, and then the next slice at once."""
    lab = opening("lose")
    (intent,) = [
        r for r in lab.records if isinstance(r, rec.OrderIntended) and r.cid == lab.of(rec.OrderDead)[0].cid
    ]
    assert lab.wall_ms > intent.expires_wall_ms
    assert len(queries(lab)) >= ORDER_LIFETIME_MS / 1000
    assert len([command for command in lab.commands if isinstance(command, cmd.FetchAccount)]) >= 2
    assert len(sent(lab)) == len({order.cid for order in sent(lab)})
    assert sent(lab)[-1].cid != intent.cid


def test_a_not_found_within_the_window_proves_nothing() -> None:
    """It is asked again, and the order stays unknown."""
    lab = opening("lose", deliver=(SubmitOrder,))
    order = outstanding(lab)
    for _ in range(5):
        lab.send(ev.OrderMissing(*lab.now, order.cid))
    assert outstanding(lab).state is OrderState.UNKNOWN
    assert len(queries(lab)) == 6
    assert lab.of(rec.OrderDead) == []


def test_a_not_found_live_order_is_asked_for_again() -> None:
    """What the venue has once accepted did arrive: it cannot die."""
    lab = opening("lose", deliver=(SubmitOrder,))
    cid = outstanding(lab).cid
    lab.send(ev.OrderReport(*lab.now, cid, "77", D(0), closed=False))
    lab.wall_ms += 60_000
    for _ in range(4):
        lab.send(ev.OrderMissing(*lab.now, cid))
    assert outstanding(lab).state is OrderState.LIVE
    assert [query.delay_s for query in queries(lab)[-4:]] == [1.0, 2.0, 4.0, 8.0]
    assert lab.state.book.incidents == {}


def test_a_live_order_that_stays_lost_is_an_incident() -> None:
    """It can be neither waited for nor buried: a person has to look, and nothing is increased meanwhile."""
    lab = opening("lose", deliver=(SubmitOrder,))
    cid = outstanding(lab).cid
    lab.send(ev.OrderReport(*lab.now, cid, "77", D(0), closed=False))
    for _ in range(5):
        lab.send(ev.OrderMissing(*lab.now, cid))
    assert lab.state.book.breaches == (settlement.VANISHED,)
    assert queries(lab)[-1].delay_s == 16.0


def test_not_founds_of_a_live_order_count_from_the_last_time_it_was_found() -> None:
    """A venue that lags now and then has lost nothing."""
    lab = opening("lose", deliver=(SubmitOrder,))
    cid = outstanding(lab).cid
    for _ in range(2):
        lab.send(ev.OrderReport(*lab.now, cid, "77", D(0), closed=False))
        for _ in range(4):
            lab.send(ev.OrderMissing(*lab.now, cid))
    assert lab.state.book.incidents == {}


def vanished() -> tuple[Lab, str]:
    """The venue has accepted an order that could rest, and does not find it any more."""
    lab = Lab()
    lab.settle()
    lab.deliver = lambda command: isinstance(command, cmd.FetchVolume | cmd.FetchTouch)
    lab.mark("92000")
    cid = outstanding(lab).cid
    assert outstanding(lab).rests_until_ms is not None
    lab.send(ev.OrderReport(*lab.now, cid, "77", D(0), closed=False))
    lab.wall_ms += 130_000
    for _ in range(5):
        lab.send(ev.OrderMissing(*lab.now, cid))
    return lab, cid


def test_a_vanished_order_that_is_found_is_no_incident_any_more() -> None:
    """Nobody needs to say so."""
    lab, cid = vanished()
    lab.send(ev.OrderReport(*lab.now, cid, "77", D(0), closed=False))
    assert lab.state.book.incidents == {}


def test_an_operator_who_looked_for_a_vanished_order_ends_it() -> None:
    """Where the book itself has nothing of it, and the position agrees: nobody waits for two days."""
    lab, cid = vanished()
    lab.send(ev.OrderMissing(*lab.now, cid, off_book=True))
    assert lab.state.book.breaches == (settlement.VANISHED,)
    lab.send(ev.Controlled(*lab.now, rec.Control.RUNNING, "ann", "it is not there"))
    lab.send(ev.OrderMissing(*lab.now, cid))
    assert isinstance(lab.commands[-1], cmd.CancelOrder)
    lab.send(ev.OrderMissing(*lab.now, cid, off_book=True))
    assert isinstance(lab.commands[-1], cmd.FetchAccount)
    assert under_way(lab).order is not None
    lab.send(ev.AccountSeen(*lab.now, lab.venue.ledger.wallet, lab.state.book.position, ()))
    assert under_way(lab).order is None
    assert lab.state.book.incidents == {}


def test_a_journal_in_which_the_incident_outlived_its_order_is_resumed() -> None:
    """As it once did."""
    lab = Lab()
    lab.state.book.apply(rec.IncidentOpened(0, settlement.VANISHED, "a test", "none", stops_increases=True))
    lab.settle(at_most_s=600)
    lab.send(ev.Controlled(*lab.now, rec.Control.RUNNING, "ann", "a test"))
    lab.settle()
    assert lab.state.book.opened


def test_an_operators_word_alone_ends_no_order() -> None:
    """It filled, as the position tells: its trades are read, and it is looked up again."""
    lab, cid = vanished()
    lab.send(ev.Controlled(*lab.now, rec.Control.RUNNING, "ann", "it is not there"))
    lab.send(ev.OrderMissing(*lab.now, cid, off_book=True))
    position = lab.state.book.position + D("0.01")
    lab.send(ev.AccountSeen(*lab.now, lab.venue.ledger.wallet, position, ()))
    assert outstanding(lab).cid == cid
    assert isinstance(lab.commands[-1], cmd.FetchTrades)
    trade = ev.Trade("late", "77", lab.time_ms, D("0.01"), D(92_000), D("0.3"))
    lab.send(ev.TradesSeen(*lab.now, (trade,)))
    assert lab.state.book.position == position
    assert lab.of(rec.Filled)[-1].cid == cid


def test_a_live_order_that_the_venue_has_long_forgotten_is_over() -> None:
    """Venues forget orders that ended unfilled after days: the position says that nothing came of it."""
    lab = opening("lose", deliver=(SubmitOrder,))
    cid = outstanding(lab).cid
    lab.send(ev.OrderReport(*lab.now, cid, "77", D(0), closed=False))
    steps = iter(range(40))
    lab.deliver = lambda command: not isinstance(command, SubmitOrder) and next(steps, None) is not None
    lab.wall_ms += 4 * 86_400_000
    lab.time_ms += 4 * 86_400_000
    lab.restart()
    (closed,) = [r for r in lab.of(rec.OrderAdvanced) if r.cid == cid and r.closed]
    assert closed.filled == 0
    assert under_way(lab).order is None or outstanding(lab).cid != cid
    assert settlement.VANISHED not in lab.state.book.incidents


def test_a_live_order_is_looked_up_until_it_ends() -> None:
    """Also when the answer is no news: a lost stream must not leave it unwatched."""
    lab = opening("lose", deliver=(SubmitOrder,))
    cid = outstanding(lab).cid
    for count in range(1, 4):
        lab.send(ev.OrderReport(*lab.now, cid, "77", D(0), closed=False))
        assert len(queries(lab)) == 1 + count
    assert outstanding(lab).state is OrderState.LIVE


def test_a_partial_fill_of_a_live_order_is_taken_and_the_order_watched() -> None:
    """Cumulative fills are recorded as they grow; an older, smaller one changes nothing."""
    lab = opening("lose", deliver=(SubmitOrder,))
    cid = outstanding(lab).cid
    lab.send(ev.OrderReport(*lab.now, cid, "77", D("0.002"), closed=False))
    lab.send(ev.OrderReport(*lab.now, cid, "77", D("0.001"), closed=False))
    assert outstanding(lab).filled == D("0.002")
    assert len(lab.of(rec.OrderAdvanced)) == 5  # the first slice's, three posts', and this one


def test_trades_of_a_closed_order_are_asked_for_until_they_sum_up() -> None:
    """The venue's list lags behind its order: again, later each time, and nothing else meanwhile."""
    lab = opening("lose", deliver=(SubmitOrder,))
    order = outstanding(lab)
    lab.send(ev.OrderReport(*lab.now, order.cid, "77", D("0.002"), closed=True))
    for _ in range(3):
        lab.send(ev.TradesSeen(*lab.now, ()))
    lab.send(ev.ReadFailed(*lab.now, "FetchTrades", "timeout"))
    asked = [command for command in lab.commands if isinstance(command, cmd.FetchTrades)]
    assert [command.delay_s for command in asked[-5:]] == [0, 0.2, 0.4, 0.8, 1.6]
    assert asked[-1].venue_order_id == "77"
    trade = ev.Trade("t9", "77", lab.time_ms, D("0.002"), D(60_000), D("0.06"))
    lab.send(ev.TradesSeen(*lab.now, (trade,)))
    assert under_way(lab).order is None


def test_a_trade_told_by_the_stream_does_not_ask_for_the_others_again() -> None:
    """They have been asked for already; asking later once more would only hold the fund up."""
    lab = opening("lose", deliver=(SubmitOrder,))
    order = outstanding(lab)
    lab.send(ev.OrderReport(*lab.now, order.cid, "77", D("0.002"), closed=True))
    first = ev.Trade("t8", "77", lab.time_ms, D("0.001"), D(60_000), D("0.03"))
    assert lab.take(ev.TradesSeen(*lab.now, (first,), complete=False)) == ()
    assert lab.take(ev.TradesSeen(*lab.now, (first,))) != ()


def test_a_trade_is_booked_once_however_often_it_is_listed() -> None:
    """Known by its id."""
    lab = opening("lose", deliver=(SubmitOrder,))
    order = outstanding(lab)
    before = lab.state.book.position
    lab.send(ev.OrderReport(*lab.now, order.cid, "77", D("0.002"), closed=True))
    first = ev.Trade("t8", "77", lab.time_ms, D("0.001"), D(60_000), D("0.03"))
    second = first._replace(trade_id="t9")
    lab.send(ev.TradesSeen(*lab.now, (first,)))
    lab.send(ev.TradesSeen(*lab.now, (first, second)))
    lab.send(ev.TradesSeen(*lab.now, (first, second)))
    assert lab.state.book.position == before + D("0.002")
    assert "external trade" not in lab.state.book.incidents


@pytest.mark.parametrize("news", ["refused", "unknown", "missing", "report"])
def test_news_of_an_order_that_is_not_under_way_changes_nothing(news: str) -> None:
    """Late or foreign: no record, no command."""
    lab = opening("fill")
    events: dict[str, ev.Event] = {
        "refused": ev.OrderRefused(*lab.now, "ib0", "-1", "no"),
        "unknown": ev.OrderUnknown(*lab.now, "ib0", "timeout"),
        "missing": ev.OrderMissing(*lab.now, "ib0"),
        "report": ev.OrderReport(*lab.now, "ib0", "77", D(1), closed=True),
    }
    count, commands = len(lab.records), len(lab.commands)
    lab.send(events[news])
    assert (len(lab.records), len(lab.commands)) == (count, commands)


@pytest.mark.parametrize("news", ["refused", "unknown", "missing", "report"])
def test_contradicting_news_of_a_closed_order_changes_nothing(news: str) -> None:
    """The order is closed and waits for its trades; what it is told otherwise is older."""
    lab = opening("lose", deliver=(SubmitOrder,))
    cid = outstanding(lab).cid
    lab.send(ev.OrderReport(*lab.now, cid, "77", D("0.002"), closed=True))
    events: dict[str, ev.Event] = {
        "refused": ev.OrderRefused(*lab.now, cid, "-1", "no"),
        "unknown": ev.OrderUnknown(*lab.now, cid, "timeout"),
        "missing": ev.OrderMissing(*lab.now, cid),
        "report": ev.OrderReport(*lab.now, cid, "77", D("0.001"), closed=False),
    }
    count, commands, order = len(lab.records), len(lab.commands), outstanding(lab)
    lab.send(events[news])
    assert (len(lab.records), len(lab.commands), outstanding(lab)) == (count, commands, order)


def test_a_repeated_loss_is_recorded_once_and_looked_up_each_time() -> None:
    """The journal needs the fact, not the count."""
    lab = opening("lose", deliver=(SubmitOrder,))
    lab.send(ev.OrderUnknown(*lab.now, outstanding(lab).cid, "timeout"))
    assert len(lab.of(rec.OrderLost)) == 1
    assert len(queries(lab)) == 2


def test_refusals_back_off_and_the_fifth_in_a_row_is_a_breach() -> None:
    """5, 10, 20, 40, 80 s; then increases stop until the operator rearms, from when it is counted anew."""
    lab = opening("refuse", "refuse", "refuse", "refuse", "refuse")
    waits = []
    for _ in range(5):
        waits.append((under_way(lab).next_slice_ms - lab.time_ms) // 1000)
        assert ("orders rejected" in lab.state.book.breaches) is (len(waits) == 5)
        lab.mark("60000", after_s=waits[-1])
    assert waits == [5, 10, 20, 40, 80]
    count = len(sent(lab))
    lab.mark("60000", after_s=600)
    assert len(sent(lab)) == count
    assert under_way(lab).deferred == "breach: orders rejected"
    lab.venue.script.extend(["refuse"] * 4)
    lab.restart(adopt=True)
    assert len(sent(lab)) == count + 1
    lab.mark("60000", after_s=600)
    assert "orders rejected" not in lab.state.book.breaches


def test_after_a_slice_that_filled_refusals_back_off_from_the_beginning() -> None:
    """What was refused before it says nothing about the next."""
    lab = opening("refuse", "refuse")
    lab.mark("60000", after_s=5)
    lab.mark("60000", after_s=10)
    assert under_way(lab).rejects == 0
    lab.venue.script.extend(["nothing"] * MANNERS[Urgency.PATIENT].posts)
    lab.venue.script.append("refuse")
    lab.settle(at_most_s=600)
    refused = lab.of(rec.OrderRejected)[-1]
    settled = next(r for r in lab.of(rec.SliceSettled) if r.cid == refused.cid)
    assert settled.next_slice_ms - settled.time_ms == 5_000


def test_however_often_a_delever_is_refused_it_is_tried_again_within_three_minutes() -> None:
    """The backoff stops growing at 160 s."""
    lab = Lab()
    lab.settle()
    lab.venue.script.extend(["refuse"] * 9)
    lab.mark("44900")
    waits = []
    for _ in range(9):
        waits.append((under_way(lab).next_slice_ms - lab.time_ms) // 1000)
        lab.mark("44900", after_s=waits[-1])
    assert waits == [5, 10, 20, 40, 80, 160, 160, 160, 160]


def test_a_refused_emergency_slice_is_tried_again_after_a_second() -> None:
    """A fund about to be liquidated does not wait minutes because the venue said no."""
    lab = Lab(a_fund(emergency="3.2"))
    lab.settle()
    lab.venue.script.extend(["refuse"] * 4)
    lab.mark("42500")
    waits = []
    for _ in range(4):
        waits.append(under_way(lab).next_slice_ms - lab.time_ms)
        lab.mark("42500", after_s=1)
    assert waits == [1_000] * 4


def test_slices_that_fill_nothing_are_not_refusals() -> None:
    """Two slices, posted three times each and then crossed; the last is refused: the first backoff."""
    lab = opening("nothing", "nothing", "nothing", "nothing", "refuse")
    lab.mark("60000", after_s=120)
    assert lab.state.book.incidents == {}
    assert [order.rests for order in sent(lab)[-8:]] == [True, True, True, False] * 2
    assert under_way(lab).next_slice_ms == lab.time_ms + 5_000


def test_a_venue_that_wants_to_be_left_alone_is() -> None:
    """A ban is longer than the first backoff: nothing is sent before it is over, after a restart either."""
    lab = Lab()
    lab.settle()
    lab.deliver = lambda command: not isinstance(command, SubmitOrder)
    lab.mark("44900")
    (order,) = [command for command in lab.commands[-3:] if isinstance(command, SubmitOrder)]
    lab.send(ev.OrderRefused(*lab.now, order.cid, "418", "banned", wait_ms=120_000))
    assert under_way(lab).next_slice_ms == lab.time_ms + 120_000
    lab.deliver = lambda _: True
    lab.restart()
    count = len(sent(lab))
    lab.mark("44900", after_s=119)
    assert len(sent(lab)) == count
    lab.mark("44900", after_s=1)
    assert len(sent(lab)) == count + 1


def test_failures_in_a_row_stop_increases_until_an_operator_rearms_them() -> None:
    """A delever goes on and fills, and yet nothing but the operator's word ends the breach."""
    lab = Lab()
    lab.settle()
    lab.venue.script.extend(["refuse"] * 5)
    lab.mark("44900")
    lab.settle(at_most_s=200)
    assert lab.state.book.rebalance is None
    assert lab.state.book.breaches == ("orders rejected",)
    lab.restart()
    assert lab.state.book.breaches == ("orders rejected",)
    lab.send(ev.Controlled(*lab.now, rec.Control.RUNNING, "ann", "a test"))
    assert lab.state.book.incidents == {}
    assert lab.state.book.failures == 0


def test_orders_that_never_arrive_are_failures_as_well_and_add_up_over_restarts() -> None:
    """Five in a row, whatever their rebalance and process."""
    lab = Lab()
    lab.settle()
    lab.venue.script.extend(["lose"] * 4)
    lab.deliver = lambda command: not isinstance(command, SubmitOrder) or bool(lab.venue.script)
    lab.mark("44900")
    assert lab.state.book.failures == 4
    assert lab.of(rec.IncidentOpened) == []
    lab.restart()
    (incident,) = lab.of(rec.IncidentOpened)
    assert (incident.code, incident.detail) == (
        "orders rejected",
        "5 orders in a row came to nothing; the last never arrived",
    )


def test_a_late_fill_of_a_dead_order_is_booked_and_stops_increases() -> None:
    """It should be impossible; if it happens the ledger stays true and somebody has to look."""
    lab = opening("lose")
    (dead,) = lab.of(rec.OrderDead)
    lab.venue.trade(D("0.01"), lab.time_ms, lab.price, "99")
    lab.send(ev.OrderReport(*lab.now, dead.cid, "99", D("0.01"), closed=True))
    assert set(lab.state.book.breaches) == {"late fill", "external trade"}
    assert lab.state.book.position == lab.venue.ledger.position


def test_what_an_order_filled_that_is_found_minutes_later_is_booked_once() -> None:
    """Its trades do not name it: after two minutes they count as a stranger's, for a delever must not wait.

    When it is found at last another incident says whose they were. They are booked once, and nothing is
    increased before an operator has looked.
    """
    lab = opening("lose", deliver=(SubmitOrder,))
    order, before = outstanding(lab), lab.state.book.position
    trade = ev.Trade("late", "88", lab.time_ms, order.quantity, D(60_000), D("2.1"))
    moved = lab.state.book.ledger.after_trade(order.quantity, D(60_000), D("2.1"))

    def looked_up() -> None:
        for _ in range(2):
            lab.send(ev.OrderMissing(*lab.now, order.cid, off_book=True))
        lab.send(ev.AccountSeen(*lab.now, moved.wallet, moved.position, ()))
        lab.send(ev.TradesSeen(*lab.now, (trade,)))

    lab.wall_ms = order.expires_wall_ms + unfound.DOUBTED_FOR_MS
    looked_up()
    assert (lab.state.book.position, outstanding(lab).cid) == (before, order.cid)
    lab.wall_ms += 1
    looked_up()
    assert lab.state.book.position == before + order.quantity
    assert f"unless of order {order.cid}" in lab.state.book.incidents[settlement.EXTERNAL].detail
    lab.send(ev.AccountSeen(*lab.now, moved.wallet, moved.position, ()))
    assert lab.of(rec.OrderDead)[-1].cid == order.cid
    lab.send(ev.OrderReport(*lab.now, order.cid, "88", abs(order.quantity), closed=True))
    lab.send(ev.TradesSeen(*lab.now, (trade,)))
    assert {settlement.LATE_FILL, settlement.EXTERNAL} <= set(lab.state.book.breaches)
    assert (lab.state.book.position, lab.state.book.ledger.wallet) == (moved.position, moved.wallet)


def test_a_restart_looks_up_what_may_have_been_sent() -> None:
    """First the order, then the account; nothing is sent before both have answered."""
    lab = opening("lose filled", deliver=(SubmitOrder,))
    order = outstanding(lab)
    before = len(lab.commands)
    lab.restart()
    assert isinstance(lab.commands[before], cmd.QueryOrder)
    assert not any(isinstance(command, SubmitOrder) for command in lab.commands[before:])
    lab.deliver = lambda _: True
    lab.restart()
    assert under_way(lab).order is None
    assert [r.cid for r in lab.of(rec.Filled)][-1] == order.cid


def test_a_restart_fetches_the_trades_of_a_closed_order() -> None:
    """Closed is on record, its trades are not: that is where the next process goes on."""
    lab = opening("fill", deliver=(SubmitOrder,))
    assert outstanding(lab).state is OrderState.CLOSED
    lab.deliver = lambda _: True
    lab.restart()
    assert under_way(lab).order is None
    assert lab.state.book.position == lab.venue.ledger.position


def test_a_restart_sends_nothing_after_its_order_before_the_account_was_compared() -> None:
    """What others did meanwhile is not known yet."""
    lab = opening("fill", deliver=(SubmitOrder,))
    lab.deliver = lambda command: not isinstance(command, cmd.FetchAccount)
    lab.restart()
    assert under_way(lab).order is None
    count = len(sent(lab))
    lab.mark("60000", after_s=600)
    assert len(sent(lab)) == count
    lab.deliver = lambda _: True
    lab.send(lab.carry_out(cmd.FetchAccount(lab.state.book.income_cursor_ms)))
    assert len(sent(lab)) > count


def test_a_restart_settles_what_was_booked_already() -> None:
    """Killed between the last trade and the settlement of its slice."""
    lab = opening("fill")
    last = lab.of(rec.SliceSettled)[-1]
    assert lab.records.pop() is last
    lab.restart()
    (*_, again) = lab.of(rec.SliceSettled)
    assert (again.cid, again.filled) == (last.cid, last.filled)
    assert again.next_slice_ms - again.time_ms == last.next_slice_ms - last.time_ms


@pytest.mark.parametrize("what", ["QueryOrder", "FetchTrades", "FetchIncome", "FetchTouch", "FetchAccount"])
def test_a_failed_read_is_evidence_of_nothing(what: str) -> None:
    """With an order under way: no record; what is still needed is asked again."""
    lab = opening("lose", deliver=(SubmitOrder,))
    count, before = len(lab.records), len(lab.commands)
    lab.send(ev.ReadFailed(*lab.now, what, "timeout"))
    assert len(lab.records) == count
    again = [type(command).__name__ for command in lab.commands[before:]]
    assert again == ([what] if what in ("QueryOrder", "FetchAccount") else [])


@pytest.mark.parametrize("what", ["QueryOrder", "CancelOrder", "FetchTrades"])
def test_a_failed_read_of_an_order_that_is_over_asks_nothing(what: str) -> None:
    """It comes late: nothing is under way any more."""
    lab = Lab()
    lab.settle()
    count, before = len(lab.records), len(lab.commands)
    lab.send(ev.ReadFailed(*lab.now, what, "timeout"))
    assert (len(lab.records), len(lab.commands)) == (count, before)


def test_a_lost_order_and_a_foreign_trade_at_once_are_told_apart() -> None:
    """The position moved while the order was not found: the trade is booked, then the order is dead."""
    lab = opening("lose", deliver=(SubmitOrder,))
    order = outstanding(lab)
    lab.venue.trade(D("-0.1"), lab.time_ms, lab.price)
    lab.deliver = lambda _: True
    lab.restart()
    assert [r.cid for r in lab.of(rec.OrderDead)] == [order.cid]
    assert lab.state.book.position == lab.venue.ledger.position
    assert set(lab.state.book.incidents) >= {"external trade"}


def lost_and_traded(minutes: int = 0) -> tuple[Lab, Order]:
    """Killed as it sent: the venue lists a trade, and does not find the order for so long."""
    lab = opening("lose", deliver=(SubmitOrder,))
    order = outstanding(lab)
    lab.venue.trade(order.quantity, lab.time_ms, lab.price)
    lab.mark(lab.price, after_s=10 + 60 * minutes)
    steps = iter(range(40))
    lab.deliver = lambda _: next(steps, None) is not None
    lab.restart()
    return lab, order


def test_a_trade_that_may_be_that_of_an_order_which_is_not_found_is_nobody_elses_yet() -> None:
    """Booked as a stranger's, it would be missing when the order is found after all, for ever."""
    lab, order = lost_and_traded()
    assert not lab.of(rec.ExternalChange)
    assert lab.state.book.breaches == ("unexplained position",)
    assert outstanding(lab).state is not OrderState.DEAD
    trade = lab.venue.trades[-1]
    size = abs(order.quantity)
    lab.send(ev.OrderReport(*lab.now, order.cid, trade.venue_order_id, size, closed=True))
    lab.send(ev.TradesSeen(*lab.now, (trade,)))
    fill, settled = lab.of(rec.Filled)[-1], lab.of(rec.SliceSettled)[-1]
    assert (fill.cid, fill.quantity) == (order.cid, order.quantity)
    assert (settled.cid, settled.filled) == (order.cid, size)
    lab.deliver = lambda _: True
    lab.send(ev.ReconcileDue(*lab.now))
    lab.send(lab.carry_out(cmd.FetchAccount(lab.state.book.income_cursor_ms)))
    assert lab.state.book.incidents == {}


@pytest.mark.parametrize("others", [(D("-0.1"),), (D("-0.1"), D("0.001"))])
def test_a_trade_that_cannot_be_that_of_an_order_which_is_not_found_is_a_strangers(
    others: tuple[Decimal, ...],
) -> None:
    """A sale is none of a buyer's; beside one that may be, all of them wait."""
    lab = opening("lose", deliver=(SubmitOrder,))
    for quantity in others:
        lab.venue.trade(quantity, lab.time_ms, lab.price)
    lab.mark(lab.price, after_s=10)
    steps = iter(range(40))
    lab.deliver = lambda _: next(steps, None) is not None
    lab.restart()
    assert len(lab.of(rec.ExternalChange)) == (1 if len(others) == 1 else 0)


def test_after_some_minutes_it_is_a_strangers() -> None:
    """No venue needs so long: the order never arrived, and somebody else traded."""
    lab, order = lost_and_traded(minutes=3)
    assert [change.kind for change in lab.of(rec.ExternalChange)] == [rec.Kind.EXTERNAL]
    assert [dead.cid for dead in lab.of(rec.OrderDead)] == [order.cid]


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_an_order_that_is_found_after_its_trade_was_taken_for_a_strangers_is_over_all_the_same(
    side: str,
) -> None:
    """The ledger has the trade; there will be no other, and the fund goes on."""
    if side == "buy":
        lab = opening("lose", deliver=(SubmitOrder,))
    else:
        lab = Lab()
        lab.settle()
        lab.venue.script.append("lose")
        lab.deliver = lambda command: isinstance(command, SubmitOrder)
        lab.mark("44900")
    order = outstanding(lab)
    size = abs(order.quantity)
    lab.venue.trade(order.quantity, lab.time_ms, lab.price)
    trade = lab.venue.trades[-1]
    lab.mark(lab.price, after_s=200)
    lab.send(ev.OrderMissing(*lab.now, order.cid))
    lab.send(ev.OrderMissing(*lab.now, order.cid))
    lab.send(ev.AccountSeen(*lab.now, D(0), lab.venue.ledger.position, ()))
    lab.send(ev.TradesSeen(*lab.now, (trade,)))
    assert lab.of(rec.ExternalChange)
    before = len(lab.of(rec.Filled))
    lab.send(ev.OrderReport(*lab.now, order.cid, trade.venue_order_id, size, closed=True))
    lab.send(ev.TradesSeen(*lab.now, (trade,)))
    settled = lab.of(rec.SliceSettled)[-1]
    assert (settled.cid, settled.filled) == (order.cid, size)
    assert len(lab.of(rec.Filled)) == before
    assert lab.state.book.position == lab.venue.ledger.position


def test_trades_that_do_not_come_are_an_incident_until_they_do() -> None:
    """The venue says how much an order filled, and lists nothing of it: nothing is sent, people are told."""
    lab = opening("lose", deliver=(SubmitOrder,))
    order = outstanding(lab)
    size = abs(order.quantity)
    lab.send(ev.OrderReport(*lab.now, order.cid, "77", size, closed=True))
    for _ in range(24):
        lab.send(ev.TradesSeen(*lab.now, ()))
    assert lab.state.book.incidents == {}
    lab.send(ev.TradesSeen(*lab.now, ()))
    assert lab.state.book.breaches == ("trades missing",)
    lab.send(ev.TradesSeen(*lab.now, (ev.Trade("t9", "77", lab.time_ms, order.quantity, D(60_000), D(0)),)))
    assert lab.state.book.breaches == ()
    assert lab.of(rec.SliceSettled)[-1].cid == order.cid


def test_an_unexplained_position_is_looked_into_until_it_is_explained() -> None:
    """Neither order nor trade is listed, yet the position differs: an incident, and another look."""
    lab = opening("lose", deliver=(SubmitOrder, cmd.QueryOrder))
    order = outstanding(lab)
    lab.send(ev.AccountSeen(*lab.now, D(0), D(9), ()))
    assert lab.state.book.breaches == ("unexplained position",)
    lab.deliver = lambda _: False
    lab.send(ev.TradesSeen(*lab.now, ()))
    assert queries(lab)[-1] == cmd.QueryOrder(order.cid, delay_s=2.0)
    assert lab.state.live.missing == 0
    lab.deliver = lambda command: isinstance(command, cmd.QueryOrder)
    lab.send(ev.OrderMissing(*lab.now, order.cid))
    lab.send(ev.AccountSeen(*lab.now, D(0), D(9), ()))
    lab.deliver = lambda _: False
    lab.send(ev.ReadFailed(*lab.now, "FetchTrades", "timeout"))
    assert queries(lab)[-1] == cmd.QueryOrder(order.cid, delay_s=2.0)
    assert outstanding(lab).state is OrderState.UNKNOWN


def test_trades_of_an_order_that_still_lives_are_booked_as_they_come() -> None:
    """They do not end it."""
    lab = opening("lose", deliver=(SubmitOrder,))
    order = outstanding(lab)
    lab.send(ev.OrderReport(*lab.now, order.cid, "77", D("0.002"), closed=False))
    before = len(lab.commands)
    lab.send(ev.TradesSeen(*lab.now, (ev.Trade("t9", "77", lab.time_ms, D("0.002"), D(60_000), D(0)),)))
    assert outstanding(lab).booked == D("0.002")
    assert outstanding(lab).state is OrderState.LIVE
    assert len(lab.commands) == before


def test_a_look_for_an_order_that_is_over_is_not_repeated() -> None:
    """The answer that never came is about something that is known by now."""
    lab = Lab()
    asked = len(lab.commands)
    lab.send(ev.ReadFailed(*lab.now, "QueryOrder", "timeout"))
    lab.settle()
    quiet = len(lab.commands)
    lab.send(ev.ReadFailed(*lab.now, "QueryOrder", "timeout"))
    assert quiet > asked
    assert lab.commands[quiet:] == []


@pytest.mark.parametrize("side", ["long", "short"])
def test_what_an_order_traded_is_counted_whichever_way(side: Literal["long", "short"]) -> None:
    """Booked, traded and turned over are sizes: what was sold takes nothing off what was bought."""
    lab = Lab(a_fund(side=side))
    lab.settle()
    turned_over, sent_in_an_hour = lab.state.book.day.turnover, lab.state.book.traffic.window.total
    assert (turned_over > 1, sent_in_an_hour > 0) == (True, True)
    lab.deliver = lambda command: isinstance(command, SubmitOrder)
    lab.mark("44900" if side == "long" else "69000")
    order = outstanding(lab)
    lab.send(lab.carry_out(cmd.FetchTrades(order.venue_id, 0)))
    assert lab.of(rec.SliceSettled)[-1].cid == order.cid
    assert under_way(lab).traded > 0
    assert lab.state.book.day.turnover > turned_over
    assert len([c for c in lab.commands if c == cmd.FetchTrades(order.venue_id, 0, delay_s=0.1)]) == 0


@pytest.mark.parametrize(("filled", "booked"), [("3", "1"), ("1", "3")])
def test_an_order_that_is_forgotten_filled_what_is_known_of_it(filled: str, booked: str) -> None:
    """The venue's word, or its trades: whichever is more."""
    lab = Lab()
    order = Order("ib1", D(5), D(1), False, 0, OrderState.LIVE, "77", D(filled), D(booked))  # noqa: FBT003
    ended = unfound.ended_as_booked(Turn(lab.state, ev.Wake(*lab.now)), order)
    assert (ended.filled, ended.closed) == (3, True)
