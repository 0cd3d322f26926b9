"""The contract changes while a fund runs: what the venue demands by now is looked up, and kept to."""

from dataclasses import replace
from decimal import Decimal

from bot.core import commands as cmd
from bot.core import events as ev
from bot.core import records as rec
from bot.core.book import fold
from bot.core.breaches import REJECTED
from bot.core.contract_rules import CLOSED
from bot.core.fund import Contract
from bot.core.process_records import ContractChanged
from bot.core.watch_events import ContractDue, ContractSeen
from bot.testing import Lab, a_contract, a_fund


def opened() -> Lab:
    """A fund that has opened, some way above its lower edge."""
    lab = Lab(a_fund())
    lab.settle()
    return lab


def unanswered() -> Lab:
    """The same; what it asks about its contract stays on its way."""
    lab = opened()
    lab.deliver = lambda command: not isinstance(command, cmd.FetchContract)
    return lab


def coarser(contract: Contract | None = None) -> Contract:
    """The contract after its lot has become ten times as large."""
    return replace(contract or a_contract(), lot=Decimal("0.01"), min_quantity=Decimal("0.01"))


def looks(lab: Lab) -> int:
    """How often the contract was asked for."""
    return sum(isinstance(command, cmd.FetchContract) for command in lab.commands)


def test_an_order_refused_by_new_rules_is_followed_by_one_that_keeps_them() -> None:
    """One refusal, one look, one record; from then on every order is made of the new lot."""
    lab = opened()
    lab.venue.contract = coarser()
    lab.mark("100000")
    lab.settle()
    refused = lab.of(rec.OrderRejected)
    assert len(refused) == 1
    assert looks(lab) == 1
    (changed,) = lab.of(ContractChanged)
    assert (changed.lot, changed.min_quantity, changed.tick) == (
        Decimal("0.01"),
        Decimal("0.01"),
        a_contract().tick,
    )
    later = [order for order in lab.of(rec.OrderIntended) if order.time_ms > changed.time_ms]
    assert later
    assert all(order.quantity % Decimal("0.01") == 0 for order in later)
    assert lab.state.book.incidents == {}


def test_no_order_leaves_while_the_rules_are_on_their_way() -> None:
    """One that would be made by the old rules could only be refused; the answer sets it free."""
    lab = unanswered()
    lab.send(ContractDue(*lab.now))
    sent = len(lab.venue.sent)
    lab.mark("44500")
    for _ in range(5):
        lab.mark("44500")
    assert lab.state.book.rebalance is not None
    assert len(lab.venue.sent) == sent
    lab.deliver = lambda _: True
    lab.send(ContractSeen(*lab.now, a_contract()))
    assert len(lab.venue.sent) > sent


def test_an_emergency_waits_for_no_rules() -> None:
    """Time is worth more than a refusal."""
    lab = unanswered()
    lab.send(ContractDue(*lab.now))
    sent = len(lab.venue.sent)
    lab.mark("40000")
    assert len(lab.venue.sent) > sent


def test_several_who_ask_get_one_look() -> None:
    """It is asked for once until the answer is there."""
    lab = unanswered()
    lab.send(ContractDue(*lab.now))
    lab.send(ContractDue(*lab.now))
    assert looks(lab) == 1


def test_a_look_that_finds_nothing_new_is_not_recorded() -> None:
    """The hourly one mostly does."""
    lab = opened()
    count = len(lab.records)
    lab.send(ContractDue(*lab.now))
    assert looks(lab) == 1
    assert len(lab.records) == count


def test_a_look_that_fails_holds_nothing_up() -> None:
    """Orders go on by what is known, and the next refusal has it read again."""
    lab = unanswered()
    lab.send(ContractDue(*lab.now))
    lab.send(ev.ReadFailed(*lab.now, "FetchContract", "timeout"))
    sent = len(lab.venue.sent)
    lab.mark("44500")
    assert len(lab.venue.sent) > sent


def test_refusals_that_no_look_helps_are_a_breach() -> None:
    """The venue refuses by rules that it does not tell: five in a row stop increases."""
    lab = unanswered()
    lab.venue.contract = coarser()
    lab.mark("44500")
    for _ in range(400):
        lab.send(ContractSeen(*lab.now, a_contract()))
        lab.mark("44500", after_s=5)
    assert lab.state.book.breaches == (REJECTED,)
    assert looks(lab) == len(lab.of(rec.OrderRejected))


def test_new_rules_give_refusals_a_new_count() -> None:
    """What was refused by the old ones says nothing of orders that keep the new ones."""
    lab = opened()
    lab.records.append(rec.OrderDead(lab.time_ms, "ib0", "four of them"))
    lab.records.append(rec.OrderDead(lab.time_ms, "ib1", "four of them"))
    assert fold(lab.records).failures == 2
    lab.restart()
    lab.send(ContractSeen(*lab.now, coarser()))
    assert lab.state.book.failures == 0


def test_a_contract_that_is_closed_stops_increases_until_it_is_traded_again() -> None:
    """An incident with its remedy says so; it ends by itself."""
    lab = opened()
    lab.venue.trades_it = False
    lab.send(ContractDue(*lab.now))
    incident = lab.state.book.incidents[CLOSED]
    assert incident.stops_increases
    assert "BTCUSDT" in incident.detail
    sent = len(lab.venue.sent)
    lab.mark("100000")
    lab.mark("100000")
    assert len(lab.venue.sent) == sent
    lab.venue.trades_it = True
    lab.send(ContractDue(*lab.now))
    assert lab.state.book.incidents == {}
    lab.mark("100000")
    assert len(lab.venue.sent) > sent


def test_a_contract_that_opened_while_nobody_ran_is_traded_after_the_start() -> None:
    """It is looked at with the account, and not at the next full hour."""
    lab = opened()
    lab.venue.trades_it = False
    lab.send(ContractDue(*lab.now))
    lab.venue.trades_it = True
    lab.restart()
    assert lab.state.book.incidents == {}


def test_a_stop_refused_by_new_rules_is_placed_by_them() -> None:
    """The look comes at once, and the stop is tried again by what it found."""
    lab = Lab(a_fund(protective_stop=True))
    lab.venue.stop_script.append("refuse")
    lab.settle()
    lab.venue.contract = replace(a_contract(), tick=Decimal(7))
    lab.mark(lab.price)
    assert looks(lab) == 1
    assert lab.venue.stops == {}
    lab.mark(lab.price)
    ((stop, _),) = lab.venue.stops.values()
    assert stop.trigger_price % 7 == 0
