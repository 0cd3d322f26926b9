"""The protective stop: when it rests, where, how large, and what becomes of it."""

from dataclasses import replace
from decimal import Decimal
from typing import Literal

import pytest

from bot.core import commands as cmd
from bot.core import records as rec
from bot.core.book import fold
from bot.core.breaches import ADOPTED, STOPPED_OUT
from bot.core.events import (
    Controlled,
    Event,
    FlattenAsked,
    Mark,
    ReadFailed,
    ReconcileDue,
    Reconfigured,
    Trade,
    TradesSeen,
)
from bot.core.ledger import Ledger, real_leverage
from bot.core.limits import PlaceStop, Refusal, SubmitOrder, approve_stop
from bot.core.margin import liquidation_price, price_at
from bot.core.protection import UNPROTECTED, wanted
from bot.core.records import Control, Kind
from bot.core.recovery_records import Reincarnated
from bot.core.settlement import EXTERNAL
from bot.core.stop_events import StopMissing, StopRefused, StopReport, StopStatus, StopUnknown
from bot.core.stop_records import (
    StopCancelAsked,
    StopEnded,
    StopEnding,
    StopIntended,
    StopLost,
    StopPlaced,
    StopRejected,
)
from bot.core.turn import Turn
from bot.core.units import ZERO
from bot.core.watch_events import ContractDue
from bot.testing import Lab, a_contract, a_fund
from bot.testing_venue import Outcome


def opened(side: Literal["long", "short"] = "long", *script: Outcome) -> Lab:
    """A fund that has opened at 60,000; the venue does with its first stops as `script` says."""
    lab = Lab(a_fund(side=side, protective_stop=True))
    lab.venue.stop_script.extend(script)
    lab.settle()
    return lab


def resting(lab: Lab) -> PlaceStop:
    """The one stop that rests at the venue."""
    (stop,) = [stop for stop, status in lab.venue.stops.values() if status is StopStatus.RESTING]
    return stop


def statuses(lab: Lab) -> list[StopStatus]:
    """Where all stops are, in the order in which they were placed."""
    return [status for _, status in lab.venue.stops.values()]


@pytest.mark.parametrize("side", ["long", "short"])
def test_it_rests_midway_between_emergency_and_liquidation(side: Literal["long", "short"]) -> None:
    """On the venue's grid, rounded toward the mark, on the side of it on which the fund loses."""
    lab = opened(side)
    stop, ledger = resting(lab), lab.state.book.ledger
    emergency, end = price_at(ledger, lab.fund.emergency), liquidation_price(ledger, lab.contract.maintenance)
    assert emergency is not None
    assert end is not None
    assert 0 <= (stop.trigger_price - (emergency + end) / 2) * lab.fund.sign < lab.contract.tick
    assert stop.trigger_price % lab.contract.tick == 0
    assert (stop.trigger_price < lab.price) == (side == "long")


@pytest.mark.parametrize("side", ["long", "short"])
def test_money_that_somebody_took_moves_it_closer(side: Literal["long", "short"]) -> None:
    """The venue liquidates by what is on the account, not by what the holders are owed."""
    lab = opened(side)
    before = resting(lab).trigger_price
    lab.venue.transfer(Decimal(-10_000), lab.time_ms)
    lab.send(ReconcileDue(*lab.now))
    lab.mark(lab.price)

    there = lab.state.book.ledger.with_cash(Decimal(-10_000))
    emergency, end = price_at(there, lab.fund.emergency), liquidation_price(there, lab.contract.maintenance)
    assert emergency is not None
    assert end is not None
    assert abs(resting(lab).trigger_price - (emergency + end) / 2) < lab.contract.tick
    assert (resting(lab).trigger_price > before) == (side == "long")


@pytest.mark.parametrize("side", ["long", "short"])
def test_it_brings_leverage_back_to_the_top_of_the_target_range(side: Literal["long", "short"]) -> None:
    """To a lot, had it filled at its trigger price."""
    lab = opened(side)
    stop, ledger = resting(lab), lab.state.book.ledger
    fee = abs(stop.quantity) * stop.trigger_price * lab.contract.taker_fee
    after = real_leverage(ledger.after_trade(stop.quantity, stop.trigger_price, fee), stop.trigger_price)
    assert after is not None
    assert abs(after - lab.fund.target_range[1]) < Decimal("0.002")


def test_it_is_not_placed_while_a_rebalance_runs() -> None:
    """The opening has many slices, and ends in one stop."""
    lab = opened()
    finished = next(i for i, r in enumerate(lab.records) if isinstance(r, rec.RebalanceFinished))
    intended = [i for i, record in enumerate(lab.records) if isinstance(record, StopIntended)]
    assert len(intended) == 1
    assert intended[0] > finished


def test_it_is_durable_before_it_is_sent() -> None:
    """Intent and order come of the same step; the position that it is for is on record."""
    lab = opened()
    (intended,) = lab.of(StopIntended)
    assert intended.position == lab.state.book.position
    assert [c.cid for c in lab.commands if isinstance(c, PlaceStop)] == [intended.cid]


def test_a_change_of_position_places_it_anew() -> None:
    """First the old one goes, and only when the venue says so comes the next."""
    lab = opened()
    first = resting(lab)
    lab.walk("44500")
    lab.mark(lab.price)
    assert len(lab.of(rec.RebalanceFinished)) > 1
    assert statuses(lab)[-1] is StopStatus.RESTING
    assert set(statuses(lab)[:-1]) == {StopStatus.GONE}
    assert resting(lab).cid != first.cid
    kinds = [type(r) for r in lab.records if type(r) in (StopIntended, StopEnded)]
    assert kinds == [StopIntended, StopEnded] * (len(kinds) // 2) + [StopIntended]


def test_a_small_shift_of_its_price_leaves_it_where_it_is() -> None:
    """Funding moves cash by a little: that is not worth an order."""
    lab = opened()
    first = resting(lab)
    lab.venue.pay_funding(Decimal(-20), lab.time_ms)
    lab.mark("60000", after_s=8 * 3600, rate="0.0001")
    lab.mark("60000")
    assert resting(lab) == first


@pytest.mark.parametrize("amount", [-3000, 3000])
def test_a_large_shift_of_its_price_moves_it(amount: int) -> None:
    """Cash that left with a fee or funding brings liquidation nearer; what came takes it away."""
    lab = opened()
    first = resting(lab)
    lab.venue.pay_funding(Decimal(amount), lab.time_ms)
    lab.mark("60000", after_s=8 * 3600, rate="0.0001")
    lab.mark("60000")
    assert resting(lab).cid != first.cid


def test_without_a_position_none_rests() -> None:
    """A flattened fund takes its stop back."""
    lab = opened()
    lab.send(FlattenAsked(*lab.now, "ada", "enough"))
    lab.settle()
    lab.mark("60000")
    assert lab.state.book.position == ZERO
    assert StopStatus.RESTING not in statuses(lab)


def test_a_fund_that_wants_none_has_none() -> None:
    """The default of paper mode."""
    lab = Lab()
    lab.settle()
    assert lab.venue.stops == {}


def test_a_halted_fund_keeps_it() -> None:
    """Halted, nothing is sent and nothing taken back: the stop is what is left."""
    lab = opened()
    lab.send(Controlled(*lab.now, Control.HALTED, "ada", "lunch"))
    lab.mark("59000")
    assert statuses(lab) == [StopStatus.RESTING]


# --- it triggers -----------------------------------------------------------------------------------------


def through_the_stop(lab: Lab) -> Decimal:
    """A price just beyond the resting stop's."""
    stop = resting(lab)
    return stop.trigger_price * (Decimal("0.999") if stop.quantity < ZERO else Decimal("1.001"))


def crash(lab: Lab, *, adopt: bool = False) -> None:
    """The mark jumps through the stop while the daemon is away, which then starts again."""
    lab.price = through_the_stop(lab).quantize(Decimal("0.1"))
    lab.venue.trigger_stops(lab.price, lab.now)
    lab.restart(adopt=adopt)
    lab.mark(lab.price)


@pytest.mark.parametrize("side", ["long", "short"])
def test_what_it_filled_while_the_daemon_was_away_is_booked_as_stop(side: Literal["long", "short"]) -> None:
    """One change of kind `stop`; ledger and venue agree; nothing counts as somebody else's."""
    lab = opened(side)
    crash(lab)
    (change,) = lab.of(rec.ExternalChange)
    assert change.kind is Kind.STOP
    assert EXTERNAL not in lab.state.book.incidents


def test_what_it_filled_is_compared_with_the_venue_at_once() -> None:
    """A venue may take more than the trades tell."""
    lab = opened()
    lab.deliver = lambda command: not isinstance(command, cmd.FetchAccount)
    asked = len(lab.commands)
    lab.mark(through_the_stop(lab).quantize(Decimal("0.1")))
    assert lab.of(rec.ExternalChange)
    assert any(isinstance(command, cmd.FetchAccount) for command in lab.commands[asked:])


def test_late_news_of_an_earlier_one_leaves_the_one_that_rests() -> None:
    """Else another would be placed beside it."""
    lab = opened("long", "lose")
    lab.mark("60000")
    dead, stop = lab.of(StopEnded)[0].cid, resting(lab)
    lab.send(StopReport(*lab.now, dead, "7", StopStatus.TRIGGERED, "99"))
    kept = lab.state.book.protection.resting
    assert kept is not None
    assert kept.cid == stop.cid


def test_the_order_that_it_became_is_none_that_the_journal_lacks() -> None:
    """The venue lists it under the stop's id: the fund goes on, after that start and after the next."""
    lab = opened()
    crash(lab)
    lab.restart()
    assert list(lab.state.book.incidents) == [STOPPED_OUT]
    assert lab.state.book.control is Control.RUNNING
    assert lab.of(Reincarnated) == []
    assert lab.state.book.ledger.wallet == lab.venue.ledger.wallet
    assert lab.state.book.position == lab.venue.ledger.position
    assert lab.leverage is not None
    assert lab.leverage < lab.fund.band[1]


def test_a_stop_that_filled_stops_increases_until_an_operator_looked() -> None:
    """Somebody must find out why the daemon did not delever before."""
    lab = opened()
    crash(lab)
    assert STOPPED_OUT in lab.state.book.breaches
    lab.send(Controlled(*lab.now, Control.RUNNING, "ada", "the machine had lost power"))
    assert STOPPED_OUT not in lab.state.book.breaches


def test_who_starts_with_adopt_has_looked_at_what_it_filled_before() -> None:
    """It is on record, with its incident, and stops nothing; one that fills later stops increases."""
    lab = opened()
    crash(lab, adopt=True)
    assert [change.kind for change in lab.of(rec.ExternalChange)] == [Kind.STOP]
    assert [record.code for record in lab.of(rec.IncidentOpened)] == [STOPPED_OUT]
    assert [(record.code, record.how) for record in lab.of(rec.IncidentClosed)] == [(STOPPED_OUT, ADOPTED)]
    lab.settle()
    lab.send(Controlled(*lab.now, Control.HALTED, "ada", "lunch"))
    lab.mark(through_the_stop(lab).quantize(Decimal("0.1")))
    assert lab.state.book.breaches == (STOPPED_OUT,)


def test_after_it_triggered_the_next_one_is_placed() -> None:
    """For the position that is left."""
    lab = opened()
    crash(lab)
    lab.mark(lab.price)
    assert statuses(lab) == [StopStatus.TRIGGERED, StopStatus.RESTING]


def test_news_of_it_by_stream_is_enough() -> None:
    """The mark jumps through it while the daemon watches: the stop is first, and known for what it is."""
    lab = opened()
    lab.deliver = lambda command: not isinstance(command, cmd.QueryStop)
    price = through_the_stop(lab).quantize(Decimal("0.1"))
    lab.mark(price)
    lab.settle()
    assert [(change.kind, change.mark) for change in lab.of(rec.ExternalChange)] == [(Kind.STOP, price)]


def test_trades_that_come_before_the_news_are_asked_about() -> None:
    """While a stop rests, trades that nobody knows may be its own."""
    lab = opened()
    lab.tells = False
    price = through_the_stop(lab).quantize(Decimal("0.1"))
    lab.venue.trigger_stops(price, lab.now)
    lab.send(TradesSeen(*lab.now, (lab.venue.trades[-1],), complete=False))
    lab.mark("60000")
    assert [change.kind for change in lab.of(rec.ExternalChange)] == [Kind.STOP]
    assert EXTERNAL not in lab.state.book.incidents


@pytest.mark.parametrize("tells", [True, False], ids=["a stream tells", "nothing tells"])
def test_what_the_stop_sells_is_not_sold_by_the_daemon_as_well(*, tells: bool) -> None:
    """The mark jumps through it while the daemon watches, which would delever at that mark too."""
    lab = opened()
    lab.tells = tells
    count = len(lab.of(rec.OrderIntended))
    lab.mark(through_the_stop(lab).quantize(Decimal("0.1")), after_s=1)
    lab.settle()
    assert len(lab.of(rec.OrderIntended)) == count
    assert lab.state.book.position == lab.venue.ledger.position > ZERO
    assert lab.leverage is not None
    assert abs(lab.leverage - lab.fund.target_range[1]) < Decimal("0.05")


def late_to_trigger(lab: Lab) -> None:
    """The mark jumps through the stop, and the venue does nothing yet; no answer comes."""
    price = through_the_stop(lab).quantize(Decimal("0.1"))
    lab.venue.stops.clear()
    lab.deliver = lambda command: not isinstance(command, cmd.QueryStop | SubmitOrder)
    lab.mark(price, after_s=1)


def test_a_stop_that_does_not_trigger_is_waited_for_no_longer_than_a_moment() -> None:
    """It is asked at once, and once; then the emergency is traded all the same."""
    lab = opened()
    stop, count = resting(lab), len(lab.of(rec.OrderIntended))
    late_to_trigger(lab)
    lab.mark(lab.price, after_s=1)
    assert lab.commands.count(cmd.QueryStop(stop.cid)) == 1
    assert len(lab.of(rec.OrderIntended)) == count
    lab.mark(lab.price, after_s=2)
    assert len(lab.of(rec.OrderIntended)) == count + 1


def test_a_stop_that_the_mark_has_left_again_is_not_waited_for() -> None:
    """Between its price and the emergency's the daemon delevers at once."""
    lab = opened()
    trigger, count = resting(lab).trigger_price, len(lab.of(rec.OrderIntended))
    late_to_trigger(lab)
    lab.mark(trigger * Decimal("1.01"), after_s=1)
    assert len(lab.of(rec.OrderIntended)) == count + 1


@pytest.mark.parametrize("told_by", ["trades", "the stop"])
def test_nothing_is_traded_before_its_trades_are_known(told_by: str) -> None:
    """The venue's answers lag behind in a crash: by the old position it would be sold twice."""
    lab = opened()
    lab.tells = False
    known, price = len(lab.records), through_the_stop(lab).quantize(Decimal("0.1"))
    news: Event = lab.venue.trigger_stops(price, lab.now)[0]
    if told_by == "trades":
        news = TradesSeen(*lab.now, (lab.venue.trades[-1],), complete=False)
    listed, unlisted, lag = lab.venue.trades, list[Trade](), iter(range(20))

    def deliver(command: cmd.Command) -> bool:
        if isinstance(command, cmd.FetchTrades):
            lab.venue.trades = listed if next(lag, None) is None else unlisted
        return not isinstance(command, SubmitOrder)

    lab.deliver = deliver
    lab.send(news)
    lab.mark(price, after_s=1)
    kinds = [type(r) for r in lab.records[known:] if type(r) in (rec.ExternalChange, rec.OrderIntended)]
    assert kinds == [rec.ExternalChange]
    assert lab.of(rec.ExternalChange)[0].kind is Kind.STOP
    assert lab.state.book.position == lab.venue.ledger.position


def test_a_stop_that_filled_nothing_is_not_waited_for_for_ever() -> None:
    """The position was gone, say: the fund goes on by what ledger and venue agree on."""
    lab = opened()
    stop = resting(lab)
    lab.venue.stops[stop.cid] = (stop, StopStatus.TRIGGERED)
    lab.send(lab.venue.look_up_stop(stop.cid, lab.now))
    lab.mark("60000")
    assert lab.state.live.reconciled
    assert lab.of(rec.ExternalChange) == []
    assert statuses(lab)[-1] is StopStatus.RESTING


def test_trades_of_others_are_told_from_it() -> None:
    """The stop rests on: so somebody else traded."""
    lab = opened()
    lab.venue.trade(Decimal("-0.5"), lab.time_ms, lab.price)
    lab.send(TradesSeen(*lab.now, (lab.venue.trades[-1],), complete=False))
    lab.send(TradesSeen(*lab.now, (lab.venue.trades[-1],), complete=False))
    assert [change.kind for change in lab.of(rec.ExternalChange)] == [Kind.EXTERNAL]
    assert EXTERNAL in lab.state.book.incidents


def test_trades_that_came_before_the_stop_was_found_gone_are_booked_at_once() -> None:
    """A liquidation takes it along: whoever trades on by the position of before trades too much."""
    lab = opened()
    gone = resting(lab)
    lab.venue.stops[gone.cid] = (gone, StopStatus.GONE)
    lab.deliver = lambda command: isinstance(command, cmd.QueryStop | cmd.FetchTrades)
    lab.venue.trade(Decimal("-0.5"), lab.time_ms, lab.price)
    lab.send(TradesSeen(*lab.now, (lab.venue.trades[-1],), complete=False))
    assert [change.kind for change in lab.of(rec.ExternalChange)] == [Kind.EXTERNAL]
    assert lab.state.book.position == lab.venue.ledger.position
    assert EXTERNAL in lab.state.book.breaches


def test_trades_of_others_beside_an_order_that_never_arrived_are_told_from_it() -> None:
    """The stop is asked first; what it says is waited for before the order is looked up again, for ever."""
    lab = opened()
    lab.venue.script.append("lose")
    lab.deliver = lambda command: isinstance(command, cmd.FetchTouch | SubmitOrder)
    lab.mark("44500")
    lab.settle(at_most_s=60)
    (lost,) = [intent.cid for intent in lab.of(rec.OrderIntended) if intent.cid not in lab.venue.orders]
    lab.venue.trade(Decimal("0.1"), lab.time_ms, lab.price)
    lab.mark("44500")
    steps = iter(range(100))
    lab.deliver = lambda _: next(steps, None) is not None
    lab.restart()
    assert [dead.cid for dead in lab.of(rec.OrderDead)] == [lost]
    assert [change.kind for change in lab.of(rec.ExternalChange)] == [Kind.EXTERNAL]
    assert lab.state.book.position == lab.venue.ledger.position


def test_a_stream_that_tells_of_its_trades_one_by_one_books_them_as_one() -> None:
    """They are read back whole."""
    lab = opened()
    lab.deliver = lambda command: not isinstance(command, cmd.FetchTrades)
    lab.mark(through_the_stop(lab).quantize(Decimal("0.1")))
    lab.deliver = lambda _: True
    assert lab.of(rec.ExternalChange) == []
    (own,) = [trade for trade in lab.venue.trades if trade.venue_order_id.startswith("of ")]
    first = own._replace(quantity=own.quantity + 1)
    rest = own._replace(trade_id="rest", quantity=Decimal(-1))
    lab.venue.trades[lab.venue.trades.index(own)] = first
    lab.venue.trades.append(rest)
    lab.send(TradesSeen(*lab.now, (first,), complete=False))
    assert [change.kind for change in lab.of(rec.ExternalChange)] == [Kind.STOP]
    assert lab.state.book.position == lab.venue.ledger.position


def test_one_about_to_trigger_is_left() -> None:
    """Beyond its price none could be placed; the one that is there must not be taken away."""
    lab = opened()
    price = through_the_stop(lab).quantize(Decimal("0.1"))
    lab.venue.stops.clear()  # the venue is late
    lab.deliver = lambda _: False
    lab.mark(price)
    assert lab.of(StopCancelAsked) == []


# --- what may go wrong -----------------------------------------------------------------------------------


def test_a_refusal_is_an_incident_and_is_tried_again() -> None:
    """Half a minute later; increases go on meanwhile."""
    lab = opened("long", "refuse")
    assert len(lab.of(StopRejected)) == 1
    assert UNPROTECTED in lab.state.book.incidents
    assert lab.state.book.breaches == ()
    lab.mark("60000", after_s=5)
    assert lab.venue.stops == {}
    lab.mark("60000", after_s=30)
    assert UNPROTECTED not in lab.state.book.incidents
    assert statuses(lab) == [StopStatus.RESTING]


def test_an_unknown_outcome_is_looked_up_and_found() -> None:
    """It is never sent again."""
    lab = opened("long", "lose filled")
    assert len(lab.of(StopLost)) == 1
    assert len(lab.of(StopPlaced)) == 1
    assert len([c for c in lab.commands if isinstance(c, PlaceStop)]) == 1


def test_one_that_never_arrived_is_given_up_when_it_no_longer_can() -> None:
    """After its deadline, and two authoritative not-founds; then another is placed, under another id."""
    lab = opened("long", "lose")
    lab.mark("60000", after_s=40)
    ended = lab.of(StopEnded)[0]
    assert ended.ending is StopEnding.NEVER_ARRIVED
    first, second = lab.of(StopIntended)
    assert first.cid != second.cid
    assert resting(lab).cid == second.cid


def test_where_none_ever_arrives_it_is_told_and_not_tried_at_every_mark() -> None:
    """A venue that refuses them in a way that proves nothing must not be asked in silence, for ever."""
    lost: list[Outcome] = ["lose"] * 10
    lab = opened("long", *lost)
    assert UNPROTECTED in lab.state.book.incidents
    began_ms = lab.time_ms
    while lab.time_ms < began_ms + 180_000:
        lab.mark("60000")
    assert len(lab.of(StopIntended)) <= 7


def test_one_that_arrives_after_it_was_given_up_is_taken_back() -> None:
    """Two stops would sell twice."""
    lab = opened("long", "lose")
    lab.mark("60000")
    dead = lab.of(StopEnded)[0].cid
    lab.send(StopReport(*lab.now, dead, "7", StopStatus.RESTING))
    assert cmd.CancelStop(dead) in lab.commands
    lab.send(StopReport(*lab.now, "someone else's", "8", StopStatus.RESTING))
    assert cmd.CancelStop("someone else's") not in lab.commands


def test_killed_between_intent_and_answer_it_is_looked_up() -> None:
    """What a restart finds as intended may have been sent, or not."""
    for outcome in (StopStatus.RESTING, StopStatus.GONE):
        lab = Lab(a_fund(protective_stop=True))
        lab.deliver = lambda command: not isinstance(command, PlaceStop)
        lab.settle()
        (order,) = [c for c in lab.commands if isinstance(c, PlaceStop)]
        if outcome is StopStatus.RESTING:
            lab.venue.place_stop(order, lab.now)
        lab.deliver = lambda _: True
        lab.restart()
        lab.mark("60000")
        assert statuses(lab) == [StopStatus.RESTING]


def test_killed_while_it_is_taken_back_it_is_asked_again() -> None:
    """It may have triggered, or be gone, or rest on."""
    lab = opened()
    lab.deliver = lambda command: not isinstance(command, cmd.CancelStop)
    lab.walk("44500")
    assert len(lab.of(StopCancelAsked)) == 1
    lab.deliver = lambda _: True
    lab.restart()
    lab.mark(lab.price)
    assert statuses(lab) == [StopStatus.GONE, StopStatus.RESTING]


def test_one_that_somebody_took_away_is_placed_again() -> None:
    """By a report, or because the venue no longer knows it."""
    lab = opened()
    lab.venue.cancel_stop(resting(lab).cid, lab.now)
    lab.restart()
    lab.mark("60000")
    assert statuses(lab) == [StopStatus.GONE, StopStatus.RESTING]
    lab.venue.stops.pop(resting(lab).cid)
    lab.restart()
    lab.mark("60000")
    assert len(lab.of(StopIntended)) == 3
    assert statuses(lab) == [StopStatus.GONE, StopStatus.RESTING]


def test_a_read_that_failed_is_evidence_of_nothing() -> None:
    """The stop is asked about again, as long as there is one."""
    lab = opened()
    asked = len(lab.commands)
    lab.send(ReadFailed(*lab.now, cmd.QueryStop.__name__, "timeout"))
    assert [type(c) for c in lab.commands[asked:]] == [cmd.QueryStop]
    without = Lab()
    asked = len(without.commands)
    without.send(ReadFailed(*without.now, cmd.CancelStop.__name__, "timeout"))
    assert without.commands[asked:] == []


def test_one_that_triggers_is_asked_what_it_became() -> None:
    """Its trades carry the id of the order that it becomes."""
    lab = opened()
    lab.deliver = lambda command: not isinstance(command, cmd.QueryStop)
    asked = len(lab.commands)
    lab.send(StopReport(*lab.now, resting(lab).cid, "1", StopStatus.TRIGGERS))
    assert cmd.QueryStop(resting(lab).cid, delay_s=0.5) in lab.commands[asked:]


def test_repeated_news_changes_nothing() -> None:
    """Streams repeat themselves; orders of others are no news at all."""
    lab = opened()
    known = len(lab.records)
    stop = resting(lab)
    lab.send(lab.venue.look_up_stop(stop.cid, lab.now))
    lab.send(StopRefused(*lab.now, stop.cid, "-1", "late"))
    lab.send(StopMissing(*lab.now, "another"))
    lab.send(StopRefused(*lab.now, "another", "-1", "late"))
    lab.send(StopUnknown(*lab.now, "another", "timeout"))
    assert lab.records[known:] == []
    lab.send(StopUnknown(*lab.now, stop.cid, "timeout"))
    assert lab.of(StopLost) == []


def test_where_the_venue_states_no_brackets_it_says_so() -> None:
    """Nobody knows then where liquidation is."""
    lab = Lab(a_fund(protective_stop=True), replace(a_contract(), maintenance=()))
    lab.settle()
    assert UNPROTECTED in lab.state.book.incidents


def test_it_is_not_larger_than_the_venue_takes_at_the_market() -> None:
    """A part of the protection is better than none."""
    contract = replace(a_contract(), max_market_quantity=Decimal("0.5"))
    lab = Lab(a_fund(protective_stop=True), contract)
    lab.settle()
    assert abs(resting(lab).quantity) == Decimal("0.5")


def test_only_what_reduces_is_approved() -> None:
    """Neither an increase, nor a reversal, nor an odd lot; and nobody else can build one."""
    contract, ledger = a_contract(), Ledger(Decimal(-50_000), Decimal(2))
    for quantity in ("-1", "-2"):
        assert isinstance(approve_stop("ib1", Decimal(quantity), Decimal(1), contract, ledger), PlaceStop)
    for quantity in ("1", "-2.001", "-0.0005"):
        assert isinstance(approve_stop("ib1", Decimal(quantity), Decimal(1), contract, ledger), Refusal)
    with pytest.raises(TypeError):
        PlaceStop("ib1", "BTCUSDT", Decimal(-1), Decimal(1), object())


def test_one_that_the_limits_refuse_is_an_incident() -> None:
    """Larger than any order may be: the venue would refuse it too."""
    contract = replace(a_contract(), max_quantity=Decimal("0.2"))
    lab = Lab(a_fund(protective_stop=True), contract)
    lab.settle()
    assert lab.venue.stops == {}
    assert UNPROTECTED in lab.state.book.incidents
    assert lab.state.wake_ms is not None
    assert lab.state.wake_ms <= lab.time_ms + 30_000


def test_none_is_wanted_beyond_its_price() -> None:
    """The venue would refuse it: the emergency is being traded."""
    lab = opened()
    for price, there in ((resting(lab).trigger_price + 1, True), (resting(lab).trigger_price, False)):
        mark = Mark(*lab.now, price, 0)
        assert (wanted(Turn(lab.state, mark), mark) is not None) is there


def test_a_refusal_that_comes_after_an_unknown_outcome_counts() -> None:
    """Nothing rests, and somebody must know."""
    lab = Lab(a_fund(protective_stop=True))
    lab.deliver = lambda command: not isinstance(command, PlaceStop | cmd.QueryStop)
    lab.settle()
    (stop,) = [command for command in lab.commands if isinstance(command, PlaceStop)]
    lab.send(StopUnknown(*lab.now, stop.cid, "timeout"))
    lab.send(StopRefused(*lab.now, stop.cid, "-2021", "Order would immediately trigger."))
    assert len(lab.of(StopRejected)) == 1
    assert UNPROTECTED in lab.state.book.incidents


def test_where_it_could_reduce_nothing_there_is_none() -> None:
    """A venue that takes no orders at the market cannot hold one."""
    lab = Lab(a_fund(protective_stop=True), replace(a_contract(), max_market_quantity=ZERO))
    lab.settle()
    assert lab.venue.stops == {}


def test_one_given_up_that_triggers_after_all_is_still_ours() -> None:
    """Its trades are booked as what they are."""
    lab = opened("long", "lose")
    lab.mark("60000")
    dead = lab.of(StopEnded)[0].cid
    lab.venue.trade(Decimal("-0.5"), lab.time_ms, lab.price, f"of {dead}")
    lab.send(StopReport(*lab.now, dead, "7", StopStatus.TRIGGERED, f"of {dead}"))
    lab.send(StopReport(*lab.now, dead, "7", StopStatus.TRIGGERED, f"of {dead}"))
    assert [change.kind for change in lab.of(rec.ExternalChange)] == [Kind.STOP]
    assert lab.state.book.position == lab.venue.ledger.position
    assert [ended.ending for ended in lab.of(StopEnded)].count(StopEnding.TRIGGERED) == 1


def test_it_is_asked_once_however_many_trades_come() -> None:
    """The first of them has asked already."""
    lab = opened()
    lab.deliver = lambda _: False
    for _ in range(2):
        lab.venue.trade(Decimal("-0.1"), lab.time_ms, lab.price)
        lab.send(TradesSeen(*lab.now, (lab.venue.trades[-1],), complete=False))
    assert [c for c in lab.commands if isinstance(c, cmd.QueryStop)] == [cmd.QueryStop(resting(lab).cid)]
    assert lab.commands.count(cmd.QueryStop(resting(lab).cid)) == 1


def test_a_record_of_a_stop_needs_a_stop() -> None:
    """No journal of ours says otherwise."""
    with pytest.raises(ValueError, match="stop"):
        fold([StopPlaced(1, "ib1", "7")])


def test_a_stop_that_vanished_unheard_is_found_missing_and_placed_anew() -> None:
    """Nobody says so (the venue's dead man's switch may take it along): the regular look finds it."""
    lab = opened()
    gone = resting(lab)
    lab.venue.stops[gone.cid] = (gone, StopStatus.GONE)
    lab.mark(lab.price)
    assert StopStatus.RESTING not in statuses(lab)
    lab.send(ReconcileDue(*lab.now))
    lab.mark(lab.price)
    assert lab.of(StopEnded)[-1].ending is StopEnding.TAKEN_BACK
    assert resting(lab).trigger_price == gone.trigger_price
    assert lab.of(rec.ExternalChange) == []


def test_a_regular_look_at_a_stop_that_rests_changes_nothing() -> None:
    """It is asked for, and that is all."""
    lab = opened()
    count = len(lab.records)
    lab.send(ReconcileDue(*lab.now))
    assert isinstance(lab.commands[-2], cmd.QueryStop)
    assert len(lab.records) == count


def test_a_start_that_wants_none_looks_for_those_that_were_made() -> None:
    """One may rest that a journal from a copy does not know."""
    lab = opened()
    lab.fund = replace(lab.fund, protective_stop=False)
    asked = len(lab.commands)
    lab.restart()
    assert cmd.FetchStops() in lab.commands[asked:]


def test_another_target_range_sizes_it_anew() -> None:
    """It leads to the top of the range that the operator has set since; for a few lots it stays."""
    lab = opened()
    first = resting(lab)
    nearly = replace(lab.fund, target_range=(Decimal("1.8"), Decimal("2.605")))
    lab.send(Reconfigured(*lab.now, nearly, "nearly", "ann", "less"))
    lab.mark("60000")
    assert resting(lab) == first
    lower = replace(lab.fund, target_range=(Decimal("1.7"), Decimal("2.1")))
    lab.send(Reconfigured(*lab.now, lower, "other", "ann", "less"))
    lab.mark("60000")
    stop, ledger = resting(lab), lab.state.book.ledger
    assert stop.cid != first.cid
    fee = abs(stop.quantity) * stop.trigger_price * lab.contract.taker_fee
    after = real_leverage(ledger.after_trade(stop.quantity, stop.trigger_price, fee), stop.trigger_price)
    assert after is not None
    assert abs(after - Decimal("2.1")) < Decimal("0.002")


def test_one_that_rests_stays_where_none_could_be_worked_out_any_more() -> None:
    """The venue no longer says at which margin it liquidates: an old stop is better than none."""
    lab = opened()
    first = resting(lab)
    lab.venue.contract = replace(lab.contract, maintenance=())
    lab.send(ContractDue(*lab.now))
    lab.mark("60000")
    assert lab.state.contract.maintenance == ()
    assert resting(lab) == first


@pytest.mark.parametrize("cancelling", [False, True])
def test_one_that_rested_is_over_when_the_venue_has_not_found_it_five_times(*, cancelling: bool) -> None:
    """A venue that does not find it once may find it again: two stops would sell twice."""
    lab = opened()
    stop = resting(lab)
    lab.deliver = lambda _: False
    if cancelling:
        lab.send(Reconfigured(*lab.now, replace(lab.fund, protective_stop=False), "other", "ann", "none"))
        assert lab.of(StopCancelAsked)
    del lab.venue.stops[stop.cid]
    looks = iter(range(3))
    lab.deliver = lambda _: next(looks, None) is not None
    lab.send(StopMissing(*lab.now, stop.cid))
    assert lab.of(StopEnded) == []
    lab.send(StopMissing(*lab.now, stop.cid))
    assert [ended.ending for ended in lab.of(StopEnded)] == [StopEnding.TAKEN_BACK]
    assert any(isinstance(command, cmd.FetchAccount) for command in lab.commands[-2:])


def test_one_not_found_does_not_prove_that_it_never_arrived() -> None:
    """Its deadline is over; what answers may lag behind what accepted it."""
    lab = Lab(a_fund(protective_stop=True))
    lab.deliver = lambda command: not isinstance(command, PlaceStop)
    lab.settle()
    (stop,) = [command for command in lab.commands if isinstance(command, PlaceStop)]
    lab.deliver = lambda _: False
    for _ in range(5):
        lab.send(StopMissing(*lab.now, stop.cid))  # it may still arrive
    lab.mark("60000", after_s=40)
    lab.send(StopMissing(*lab.now, stop.cid))
    assert lab.of(StopEnded) == []
    lab.send(StopMissing(*lab.now, stop.cid))
    assert [ended.ending for ended in lab.of(StopEnded)] == [StopEnding.NEVER_ARRIVED]
    lab.mark("60000", after_s=40)
    (_, another) = lab.of(StopIntended)
    lab.mark("60000", after_s=40)
    lab.send(StopMissing(*lab.now, another.cid))
    assert len(lab.of(StopEnded)) == 1


def test_settings_that_want_none_take_it_back() -> None:
    """Although the position that it is for is still there."""
    lab = opened()
    lab.send(Reconfigured(*lab.now, replace(lab.fund, protective_stop=False), "other", "ann", "by hand"))
    lab.mark("60000")
    assert statuses(lab) == [StopStatus.GONE]


def test_a_regular_look_leaves_one_alone_whose_fate_is_being_asked() -> None:
    """Another not-found of the same moment would prove no more."""
    lab = Lab(a_fund(protective_stop=True))
    lab.deliver = lambda command: not isinstance(command, PlaceStop)
    lab.settle()
    assert not any(isinstance(command, cmd.QueryStop) for command in lab.take(ReconcileDue(*lab.now)))
