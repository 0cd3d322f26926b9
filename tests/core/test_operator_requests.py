"""What an operator asks: a rebalance, to hold nothing, to look after an incident, other settings."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.core import commands as cmd
from bot.core import events as ev
from bot.core import records as rec
from bot.core.engine import start, step
from bot.core.limits import SubmitOrder
from bot.core.operator_requests import WORDS, Wanted, event, refusal
from bot.core.process_records import Configured
from bot.core.records import Control, FundState, Kind
from bot.testing import Lab, a_fund
from strategies.interval import Interval
from tests.core.test_control import at_rest, say
from tests.core.test_settlement import outstanding, sent

WHO = ("ann", "a test")


def asked(lab: Lab, leverage: str | None = None, key: str = "") -> ev.RebalanceAsked:
    """A request for a rebalance, at this moment."""
    return ev.RebalanceAsked(*lab.now, None if leverage is None else Decimal(leverage), *WHO, key)


def rebalances(lab: Lab) -> list[rec.RebalanceStarted]:
    """Those that an operator asked for."""
    return [record for record in lab.of(rec.RebalanceStarted) if record.kind is Kind.OPERATOR]


@pytest.mark.parametrize(("leverage", "urgency"), [("1.6", "prompt"), ("2.8", "patient")])
def test_a_rebalance_goes_to_the_stated_leverage(leverage: str, urgency: str) -> None:
    """Promptly down, patiently up; the request is on record with it, and before it."""
    lab = at_rest()
    lab.send(asked(lab, leverage))
    lab.settle()
    (started,) = rebalances(lab)
    assert (started.target, started.urgency.value, started.sequence) == (Decimal(leverage), urgency, None)
    assert started.number == 2
    assert lab.leverage is not None
    assert abs(lab.leverage - Decimal(leverage)) < Decimal("0.02")
    (request,) = lab.of(rec.OperatorAsked)
    assert (request.what, request.author, request.leverage) == ("rebalance", "ann", Decimal(leverage))
    assert lab.records.index(request) < lab.records.index(started)


def test_a_rebalance_without_a_leverage_draws_one_from_the_target_range() -> None:
    """No commitment is used up, and a restart would draw the same."""
    lab = at_rest()
    queued = lab.state.book.draws
    twin = lab.fork()
    twin.restart()
    for each in (lab, twin):
        each.send(asked(each))
    (started,), (again,) = rebalances(lab), rebalances(twin)
    low, high = lab.fund.target_range
    assert low <= started.target <= high
    assert started.target == again.target
    assert lab.state.book.draws == queued


def test_the_same_key_changes_nothing_a_second_time() -> None:
    """Not even after a restart: the key is on record."""
    lab = at_rest()
    lab.send(asked(lab, "1.7", "k1"))
    lab.settle()
    lab.restart()
    lab.send(asked(lab, "2.5", "k1"))
    assert len(rebalances(lab)) == 1
    lab.send(asked(lab, "2.5", "k2"))
    assert len(rebalances(lab)) == 2


def test_a_flattening_that_was_resumed_is_not_repeated_by_its_key() -> None:
    """A client that asks again because the answer was lost must not sell everything anew."""
    lab = at_rest()
    flatten = ev.FlattenAsked(*lab.now, *WHO, "k1")
    lab.send(flatten)
    lab.settle()
    say(lab, Control.RUNNING)
    lab.send(flatten)
    assert lab.state.book.state is FundState.ACTIVE


@pytest.mark.parametrize("message", ["control", "flatten", "acknowledge"])
def test_every_request_knows_its_key_again(message: str) -> None:
    """The second one leaves the book as it was."""
    lab = at_rest()
    lab.send(ev.FeedLost(*lab.now, "silent"))
    requests: dict[str, Any] = {
        "control": ev.Controlled(*lab.now, Control.PAUSED, *WHO, "k"),
        "flatten": ev.FlattenAsked(*lab.now, *WHO, "k"),
        "acknowledge": ev.Acknowledged(*lab.now, "stale mark", *WHO, "k"),
    }
    lab.send(requests[message])
    known = len(lab.records)
    assert [record.request_id for record in lab.of(rec.OperatorAsked)] == ["k"]
    lab.send(requests[message])
    assert lab.records[known:] == []


def halted(lab: Lab) -> None:
    """The operator stopped everything."""
    say(lab, Control.HALTED)


def busy(lab: Lab) -> None:
    """A rebalance has begun."""
    lab.deliver = lambda command: not isinstance(command, SubmitOrder)
    lab.send(asked(lab, "2.8"))


def paused(lab: Lab) -> None:
    """No increases."""
    say(lab, Control.PAUSED)


def flattened(lab: Lab) -> None:
    """Nothing is held."""
    lab.send(ev.FlattenAsked(*lab.now, *WHO))
    lab.settle()


def dead(lab: Lab) -> None:
    """Nothing is left."""
    lab.mark("20000")
    lab.settle()


def in_emergency(lab: Lab) -> None:
    """Far above the band, and the venue answers nothing."""
    lab.deliver = lambda command: not isinstance(command, SubmitOrder)
    halted(lab)
    lab.mark("41000")
    lab.send(ev.Controlled(lab.time_ms, lab.wall_ms, Control.RUNNING, *WHO))


def funding_is_due(lab: Lab) -> None:
    """Its instant has passed, and the venue has not booked it."""
    lab.deliver = lambda command: not isinstance(command, cmd.FetchIncome)
    lab.mark(lab.price, after_s=(28_799_000 - lab.time_ms) / 1000, rate="0.0001")
    lab.mark(lab.price, after_s=2)


def parking(lab: Lab) -> None:
    """The process is about to end."""
    lab.send(ev.Park(*lab.now))


@pytest.mark.parametrize(
    ("trouble", "leverage", "reason"),
    [
        (halted, "2.8", "halted"),
        (halted, "1.7", "halted"),
        (busy, "1.7", "under way"),
        (paused, "2.8", "cannot be raised"),
        (flattened, "2.8", "flattened"),
        (dead, "2.8", "dead"),
        (in_emergency, "2.8", "under way"),
        (funding_is_due, "2.8", "compared"),
        (parking, "2.8", "about to stop"),
        (lambda _: None, "3.1", "out of the fund's reach"),
        (lambda _: None, "1.4", "out of the fund's reach"),
        (lambda _: None, "2.0", "nothing can be traded"),
    ],
)
def test_a_rebalance_that_cannot_be_done_now_is_refused(trouble: Any, leverage: str, reason: str) -> None:
    """The reason says why, and nothing is recorded."""
    lab = at_rest()
    trouble(lab)
    known = len(lab.of(rec.OperatorAsked))
    told = refusal(lab.state, asked(lab, leverage))
    assert told is not None
    assert reason in told
    lab.send(asked(lab, leverage))
    assert len(lab.of(rec.OperatorAsked)) == known


def test_a_paused_fund_can_be_told_to_reduce() -> None:
    """A pause stops increases only."""
    lab = at_rest()
    paused(lab)
    lab.send(asked(lab, "1.6"))
    assert sent(lab)[-1].reduce_only


def test_a_fund_that_has_not_opened_refuses() -> None:
    """It is about to, by itself; before the first mark nothing is known."""
    fresh = Lab()
    paused(fresh)
    unopened = fresh.state._replace(book=fresh.state.book.copy())
    unopened.book.rebalance = None
    assert "not opened" in str(refusal(unopened, asked(fresh)))
    blank = start(fresh.fund, fresh.contract, fresh.state.book)
    assert "compared" in str(refusal(blank, asked(fresh)))
    assert "no mark" in str(refusal(blank, ev.FlattenAsked(*fresh.now, *WHO)))
    assert step(blank, asked(fresh))[1] == ()
    assert step(blank, ev.FlattenAsked(*fresh.now, *WHO))[1] == ()


def test_a_fund_at_its_emergency_leverage_delevers_by_itself() -> None:
    """Whoever asks at that very moment is told so."""
    lab = at_rest()
    mark = ev.Mark(lab.time_ms, lab.wall_ms, Decimal(41_000))
    assert "emergency" in str(refusal(lab.state._replace(mark=mark), asked(lab, "2.8")))


def test_a_fund_without_a_band_can_be_sent_anywhere_below_its_emergency_leverage() -> None:
    """The band says nothing about it."""
    lab = Lab(a_fund(strategy=Interval(target=2.1, max_leverage=4), emergency="4"))
    lab.settle()
    lab.mark("60000")
    assert refusal(lab.state, asked(lab, "1.2")) is None
    assert "reach" in str(refusal(lab.state, asked(lab, "4")))


def test_a_flattened_fund_holds_nothing_until_it_is_resumed() -> None:
    """It stays flat over restarts and marks; resumed, it is below its band and comes back by a draw."""
    lab = at_rest()
    lab.send(ev.FlattenAsked(*lab.now, *WHO))
    lab.settle()
    lab.restart()
    lab.mark("66000")
    assert (lab.state.book.state, lab.state.book.position) == (FundState.FLATTENED, 0)
    assert [record.kind for record in lab.of(rec.RebalanceStarted)] == [Kind.OPEN, Kind.FLATTEN]
    say(lab, Control.RUNNING)
    lab.settle()
    assert lab.of(rec.RebalanceStarted)[-1].kind is Kind.BAND
    assert lab.leverage is not None
    assert lab.leverage > Decimal("1.7")


def test_no_word_of_an_operator_revives_a_dead_fund() -> None:
    """Resumed, it stays what it is; so does one that was active all along."""
    for trouble, state in ((dead, FundState.DEAD), (paused, FundState.ACTIVE)):
        lab = at_rest()
        trouble(lab)
        changed = len(lab.of(rec.StateChanged))
        say(lab, Control.RUNNING)
        assert (lab.state.book.state, len(lab.of(rec.StateChanged))) == (state, changed)


def test_a_position_of_the_wrong_sign_is_flattened_by_one_rebalance_in_its_time() -> None:
    """A stranger turned it around: to close that raises nothing, and what follows a refusal waits."""
    lab = at_rest()
    lab.venue.trade(lab.state.book.position * -2, lab.time_ms, lab.price)
    lab.send(ev.TradesSeen(*lab.now, (lab.venue.trades[-1],)))
    assert lab.state.book.position < 0
    lab.venue.script.append("refuse")
    lab.send(ev.FlattenAsked(*lab.now, *WHO))
    lab.settle()
    assert lab.state.book.position == 0
    assert [started.kind for started in lab.of(rec.RebalanceStarted)] == [Kind.OPEN, Kind.FLATTEN]
    refused, again = lab.of(rec.OrderRejected)[-1].time_ms, lab.of(rec.Filled)[-1].time_ms
    assert again - refused >= 5_000


def test_flattening_ends_what_is_under_way() -> None:
    """The order that rests is taken back first, and then everything is sold."""
    lab = Lab(a_fund(start_leverage="2"))
    lab.mark("60000", after_s=60)
    lab.venue.script.append("rest")
    lab.mark("60000", after_s=200)
    cid = outstanding(lab).cid
    lab.send(ev.FlattenAsked(*lab.now, *WHO))
    assert cmd.CancelOrder(cid) in lab.commands
    lab.settle()
    lab.mark("60000")
    lab.settle()
    assert [finished.ending for finished in lab.of(rec.RebalanceFinished)] == ["superseded", "done"]
    assert lab.state.book.position == 0


@pytest.mark.parametrize(("trouble", "reason"), [(halted, "halted"), (flattened, "already")])
def test_flattening_that_cannot_be_done_is_refused(trouble: Any, reason: str) -> None:
    """A halted fund does not trade; one that holds nothing has nothing to flatten."""
    lab = at_rest()
    trouble(lab)
    known = len(lab.records)
    event = ev.FlattenAsked(*lab.now, *WHO)
    assert reason in str(refusal(lab.state, event))
    lab.send(event)
    assert lab.records[known:] == []


def test_an_incident_can_be_acknowledged_while_it_is_open() -> None:
    """It stays open; its end forgets who looked after it."""
    lab = at_rest()
    event = ev.Acknowledged(*lab.now, "stale mark", *WHO)
    assert "no incident" in str(refusal(lab.state, event))
    lab.send(event)
    assert lab.of(rec.IncidentAcknowledged) == []
    lab.send(ev.FeedLost(*lab.now, "silent"))
    assert refusal(lab.state, event) is None
    lab.send(event)
    assert lab.state.book.acknowledged["stale mark"].author == "ann"
    assert "stale mark" in lab.state.book.incidents
    lab.mark("60000")
    assert lab.state.book.acknowledged == {}


def test_what_is_neither_is_never_refused() -> None:
    """A pause can always be said."""
    lab = at_rest()
    assert refusal(lab.state, ev.Controlled(*lab.now, Control.PAUSED, *WHO)) is None


def test_new_settings_are_taken_at_once_by_a_fund_at_rest() -> None:
    """The next decision follows them, and their fingerprint is on record once."""
    lab = at_rest()
    narrow = replace(lab.fund, band=(Decimal("1.95"), Decimal("2.05")), target_range=(Decimal(2), Decimal(2)))
    for _ in range(2):
        lab.send(ev.Reconfigured(*lab.now, narrow, "d1", *WHO))
    assert lab.state.fund is narrow
    assert [record.digest for record in lab.of(Configured)] == ["d1"]
    lab.mark("57000")
    assert lab.of(rec.RebalanceStarted)[-1].kind is Kind.BAND


def test_new_settings_wait_for_the_end_of_a_rebalance() -> None:
    """Nothing that defines it changes while it is under way, not even the edge that would supersede it."""
    lab = at_rest()
    lab.send(asked(lab, "2.8"))
    old, target = lab.state.fund, rebalances(lab)[0].target
    narrow = replace(old, band=(Decimal("1.5"), Decimal("2.1")), target_range=(Decimal(2), Decimal(2)))
    lab.send(ev.Reconfigured(*lab.now, narrow, "d1", *WHO))
    assert lab.state.fund is old
    assert lab.of(Configured) == []
    while lab.state.fund is old:
        assert lab.state.book.rebalance is not None
        assert lab.state.book.rebalance.target == target
        lab.mark("60000", after_s=5)
    finished = lab.of(rec.RebalanceFinished)[-1]
    assert (finished.ending, lab.of(Configured)[-1].digest) == ("done", "d1")
    assert finished.leverage is not None
    assert abs(finished.leverage - target) < Decimal("0.02")
    lab.settle()
    assert lab.leverage is not None
    assert lab.leverage < Decimal("2.1")


def test_what_follows_a_rebalance_is_decided_by_the_settings_that_waited_for_its_end() -> None:
    """At once: beyond the old band and within the new one nothing is started."""
    lab = at_rest()
    lab.mark("90500")
    wide = replace(lab.fund, band=(Decimal("1.5"), Decimal("3.3")))
    lab.send(ev.Reconfigured(*lab.now, wide, "d1", *WHO))
    lab.mark("46700", after_s=5)
    assert lab.of(rec.RebalanceFinished)[-1].ending == "superseded"
    assert lab.leverage is not None
    assert lab.leverage > 3
    assert lab.state.book.rebalance is None


def test_every_word_becomes_its_event() -> None:
    """With who, why, and what it is about."""
    told = [event(Wanted(word, *WHO, "k", "c", Decimal(2), "stale mark"), 1, 2) for word in WORDS]
    assert told == [
        *(
            ev.Controlled(1, 2, control, *WHO, "k", "c")
            for control in (Control.PAUSED, Control.RUNNING, Control.HALTED)
        ),
        ev.RebalanceAsked(1, 2, Decimal(2), *WHO, "k", "c"),
        ev.FlattenAsked(1, 2, *WHO, "k", "c"),
        ev.Acknowledged(1, 2, "stale mark", *WHO, "k", "c"),
    ]
    assert {type(each) for each in told} == {
        ev.Controlled,
        ev.RebalanceAsked,
        ev.FlattenAsked,
        ev.Acknowledged,
    }
