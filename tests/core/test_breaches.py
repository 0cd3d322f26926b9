"""Each limit, from its cause to its end: increases stop, the reason is on record, and an operator rearms."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.core import events as ev
from bot.core import records as rec
from bot.core.breaches import (
    BEYOND_PLAN,
    CRASH_LOOP,
    DAILY_LOSS,
    KEY_REFUSED,
    OVER_CAP,
    REJECTED,
    REMEDIES,
    REPEATED,
    STOPPED_OUT,
    TOO_MUCH,
)
from bot.core.caps import Caps
from bot.core.records import Control
from bot.core.traffic import MOST_REPEATS
from bot.testing import Lab, a_fund

D = Decimal


def a_lab(**caps: Any) -> Lab:
    """A fund that begins to open, under such caps."""
    return Lab(replace(a_fund(protective_stop=True), caps=Caps()._replace(**caps)))


def sized(name: str, value: Decimal | int) -> Callable[[], Lab]:
    """A cap so tight that the opening meets it."""

    def meet() -> Lab:
        lab = a_lab(**{name: value})
        lab.settle(at_most_s=1_800)
        return lab

    return meet


def refused() -> Lab:
    """The venue refuses five orders in a row."""
    lab = a_lab()
    lab.venue.script.extend(["refuse"] * 5)
    lab.settle(at_most_s=1_800)
    return lab


def crashed() -> Lab:
    """Eleven processes take it up within minutes, and none settles a slice."""
    lab = a_lab()
    lab.deliver = lambda _: False
    for _ in range(11):
        lab.state = lab._from_records()
        lab.send(ev.Resumed(*lab.now))
    lab.deliver = lambda _: True
    lab.restart()
    return lab


def without_key() -> Lab:
    """The venue does not take the key."""
    lab = a_lab()
    lab.send(ev.ReadFailed(*lab.now, "FetchTouch", "-2015: Invalid API-key", refused=True))
    return lab


def stopped_out() -> Lab:
    """The daemon did nothing while the mark fell, and its stop filled."""
    lab = a_lab()
    lab.settle()
    lab.send(ev.Controlled(*lab.now, Control.HALTED, "ann", "a test"))
    lab.mark("35000")
    lab.send(ev.Controlled(*lab.now, Control.PAUSED, "ann", "a test"))
    lab.settle()
    return lab


def repeating() -> Lab:
    """What it is about to send was sent five times before."""
    lab = a_lab()
    twin = lab.fork()
    while twin.state.book.traffic == lab.state.book.traffic:
        lab = twin.fork()
        twin.mark("60000")
    traffic = lab.state.book.traffic
    lab.state.book.traffic = traffic._replace(content=twin.state.book.traffic.content, repeats=MOST_REPEATS)
    lab.mark("60000")
    return lab


def beyond_plan() -> Lab:
    """A rebalance has traded as if it knew no end."""
    lab = a_lab()
    lab.settle(at_most_s=120)
    book = lab.state.book
    assert book.rebalance is not None
    book.rebalance = book.rebalance._replace(traded=D(10_000_000))
    lab.settle(at_most_s=600)
    return lab


CAUSES: dict[str, tuple[str, Callable[[], Lab], str]] = {
    "orders of a minute": (TOO_MUCH, sized("orders_per_minute", 0), "orders in a minute"),
    "notional of an hour": (TOO_MUCH, sized("hourly_notional", D("0.1")), "the fund's value in an hour"),
    "turnover of a day": (TOO_MUCH, sized("daily_turnover", D("0.1")), "the fund's value in a day"),
    "the same again": (REPEATED, repeating, "the same order more than 5 times"),
    "costs of a day": (DAILY_LOSS, sized("daily_costs", D("0.00001")), "in a day"),
    "size of the position": (OVER_CAP, sized("position_notional", D(9_000)), "POSITION_NOTIONAL"),
    "beyond its plan": (BEYOND_PLAN, beyond_plan, "far more than it was to"),
    "refusals": (REJECTED, refused, "5 orders in a row"),
    "crashes": (CRASH_LOOP, crashed, "taken up 11 times"),
    "key": (KEY_REFUSED, without_key, "-2015"),
    "stopped out": (STOPPED_OUT, stopped_out, "triggered"),
}


def test_every_breach_is_here() -> None:
    """A new one gets its line above."""
    assert {code for code, _, _ in CAUSES.values()} == set(REMEDIES)


def increases(lab: Lab) -> int:
    """Orders so far that were to raise leverage."""
    return sum(not order.reduce_only for order in lab.of(rec.OrderIntended))


@pytest.mark.parametrize("cause", CAUSES)
def test_a_breach_stops_increases_until_an_operator_rearms_them(cause: str) -> None:
    """Neither time nor a restart ends it; a delever goes on, and the record has reason and remedy."""
    code, meet, reason = CAUSES[cause]
    lab = meet()
    (opened,) = [one for one in lab.of(rec.IncidentOpened) if one.code == code]
    assert opened.stops_increases
    assert reason in opened.detail
    assert opened.remedy == REMEDIES[code]
    before = increases(lab)
    lab.fund = replace(lab.fund, caps=Caps())  # the cause is gone
    lab.restart()
    for _ in range(30):
        lab.mark(lab.price, after_s=86_400 / 30)
    assert code in lab.state.book.breaches
    assert increases(lab) == before
    lab.send(ev.Controlled(*lab.now, Control.RUNNING, "ann", "it is understood"))
    (closed,) = [one for one in lab.of(rec.IncidentClosed) if one.code == code]
    assert "rearmed by ann" in closed.how
    assert code not in lab.state.book.breaches
    lab.mark("200000")
    lab.settle()
    assert increases(lab) > before


@pytest.mark.parametrize(
    "caps",
    [{"daily_turnover": D("0.3")}, {"daily_costs": D("0.00001")}],
    ids=lambda caps: next(iter(caps)),
)
def test_once_rearmed_it_is_counted_anew(caps: dict[str, Any]) -> None:
    """The very cap that was met lets orders through again within the same day; an hour's holds on."""
    lab = a_lab(**caps)
    lab.settle(at_most_s=1_800)
    before = increases(lab)
    assert before
    assert lab.state.book.breaches
    lab.send(ev.Controlled(*lab.now, Control.RUNNING, "ann", "it is understood"))
    lab.mark(lab.price, after_s=1)
    assert increases(lab) == before + 1


def test_once_rearmed_an_hour_lets_orders_through_as_it_has_room_again() -> None:
    """What was sent is no breach twice; and it was sent, so that the cap holds whatever an operator says."""
    lab = a_lab(hourly_notional=D("0.3"))
    lab.settle(at_most_s=1_800)
    first, before = lab.of(rec.OrderIntended)[0], increases(lab)
    lab.send(ev.Controlled(*lab.now, Control.RUNNING, "ann", "it is understood"))
    lab.mark(lab.price, after_s=1)
    assert increases(lab) == before
    lab.mark(lab.price, after_s=(first.time_ms + 3_600_000 - lab.time_ms) / 1_000)
    assert increases(lab) == before + 1
    assert lab.state.book.breaches == ()


def test_a_breach_stops_no_delever() -> None:
    """A fund under a breach is brought back into its band when it must be."""
    lab = a_lab()
    lab.settle()
    lab.send(ev.ReadFailed(*lab.now, "FetchTouch", "-2015: Invalid API-key", refused=True))
    assert KEY_REFUSED in lab.state.book.breaches
    lab.mark("44500")
    lab.settle()
    assert lab.of(rec.OrderIntended)[-1].reduce_only
    assert lab.leverage is not None
    assert lab.leverage < 3
