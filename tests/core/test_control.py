"""The operator's word: pause stops increases, halt stops everything, resume rearms."""

from decimal import Decimal

import pytest

from bot.core import commands as cmd
from bot.core import events as ev
from bot.core import records as rec
from bot.core.limits import SubmitOrder
from bot.core.records import Control
from bot.testing import Lab, a_fund
from tests.core.test_settlement import outstanding, sent


def say(lab: Lab, control: Control, why: str = "a test") -> None:
    """The operator speaks."""
    lab.send(ev.Controlled(*lab.now, control, "ann", why))


def at_rest() -> Lab:
    """A fund that has opened."""
    lab = Lab()
    lab.settle()
    lab.mark("60000")
    return lab


@pytest.mark.parametrize("control", [Control.PAUSED, Control.HALTED])
def test_the_word_is_on_record_once_with_author_and_reason(control: Control) -> None:
    """Repeating it changes nothing."""
    lab = at_rest()
    say(lab, control)
    say(lab, control, "again")
    assert lab.of(rec.ControlChanged) == [rec.ControlChanged(lab.time_ms, control, "ann", "a test")]
    assert lab.state.book.control is control


@pytest.mark.parametrize("control", [Control.PAUSED, Control.HALTED])
def test_it_outlasts_a_restart(control: Control) -> None:
    """Also one that adopts what happened outside: only the operator's own word ends it."""
    lab = at_rest()
    say(lab, control)
    lab.restart(adopt=True)
    lab.mark("92000")
    assert lab.state.book.control is control
    assert len(lab.of(rec.RebalanceStarted)) == 1


def test_a_pause_stops_increases_and_lets_deleverage() -> None:
    """Below the band nothing happens, above it the fund delevers as ever; it goes on when it is resumed."""
    lab = at_rest()
    say(lab, Control.PAUSED)
    lab.mark("92000")
    assert lab.state.book.rebalance is None
    lab.mark("44900")
    lab.settle()
    assert sent(lab)[-1].reduce_only
    say(lab, Control.RUNNING)
    lab.mark("80000")
    assert sent(lab)[-1].rests


def test_a_pause_in_the_middle_of_an_increase_takes_its_order_back() -> None:
    """Nothing more is bought, and the rebalance waits; the journal says why, once."""
    lab = Lab(a_fund(start_leverage="0.5"))
    lab.venue.script.append("rest")
    lab.mark("60000", after_s=300)
    cid, count = outstanding(lab).cid, len(sent(lab))
    say(lab, Control.PAUSED)
    assert cmd.CancelOrder(cid) in lab.commands
    for _ in range(3):
        lab.mark("60000", after_s=300)
    assert len(sent(lab)) == count
    assert [deferred.reason for deferred in lab.of(rec.SliceDeferred)] == ["breach: paused by the operator"]
    say(lab, Control.RUNNING)
    lab.settle()
    assert lab.state.book.rebalance is None


def test_a_halt_stops_delevering_too() -> None:
    """Not even at the emergency leverage is anything sent; resumed, the fund delevers at the same mark."""
    lab = at_rest()
    say(lab, Control.HALTED)
    count = len(sent(lab))
    lab.mark("40000")
    assert len(sent(lab)) == count
    say(lab, Control.RUNNING)
    assert sent(lab)[-1].reduce_only


def test_a_halt_still_learns_what_became_of_an_order() -> None:
    """It was sent, so its fills are booked; nothing follows it."""
    lab = at_rest()
    lab.deliver = lambda command: not isinstance(command, SubmitOrder)
    lab.mark("44900")
    order = outstanding(lab)
    say(lab, Control.HALTED)
    lab.deliver = lambda _: True
    (command,) = [command for command in sent(lab) if command.cid == order.cid]
    lab.send(lab.carry_out(command))
    lab.mark("44900", after_s=60)
    assert lab.state.book.position == lab.venue.ledger.position
    assert sent(lab)[-1].cid == order.cid


def test_resuming_rearms_what_a_breach_stopped_and_compares_with_the_venue() -> None:
    """No restart is needed; the closing of the incident names who rearmed it, and why."""
    lab = at_rest()
    lab.venue.trade(Decimal("-0.5"), lab.time_ms, lab.price)
    lab.send(ev.ReconcileDue(*lab.now))
    assert lab.state.book.stops == ("external trade",)
    before = len([command for command in lab.commands if isinstance(command, cmd.FetchAccount)])
    say(lab, Control.RUNNING, "it was me")
    assert lab.state.book.stops == ()
    assert lab.of(rec.IncidentClosed)[-1].how == "rearmed by ann: it was me"
    assert len([command for command in lab.commands if isinstance(command, cmd.FetchAccount)]) == before + 1
    assert lab.of(rec.ControlChanged) == []
