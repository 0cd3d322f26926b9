import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.core import events as ev
from bot.core import flow_records as flow
from bot.core import records as rec
from bot.core.book import Book, fold
from bot.core.history import RebalanceHistory, with_hash
from bot.core.public_records import FundingImputed, Revealed
from bot.core.public_view import edge_price, incidents, public_fund, public_state, trigger_prices
from bot.testing import Lab, a_fund
from strategies.interval import Interval
from strategies.strategic import Strategic

D = Decimal


def opened(**changes: Any) -> Lab:
    """A fund whose opening is public."""
    lab = Lab(a_fund(**changes))
    lab.settle()
    lab.mark(lab.price, after_s=3_600)
    return lab


def seen(lab: Lab) -> dict[str, Any]:
    """The fund as the public sees it."""
    return public_fund(lab.fund, lab.state.book, lab.state.mark, "paper")


def an_incident(time_ms: int, code: str = "late fill", *, stops: bool = True) -> rec.IncidentOpened:
    """Something that needs an operator's eye."""
    return rec.IncidentOpened(time_ms, code, "12 BTC", "look", stops_increases=stops)


def test_figures_follow_from_the_public_basket_and_the_mark() -> None:
    """Units x NAV is fund value; leverage, notional and triggers are those of the basket."""
    lab = opened()
    lab.mark("61000", after_s=1, rate="0.0001")
    told = seen(lab)
    basket = lab.state.book.public.basket
    assert D(told["fund_value"]) == basket.value(D(61_000)).quantize(D("0.0001"))
    assert abs(D(told["units"]) * D(told["nav"]) - D(told["fund_value"])) < D("0.001")
    assert D(told["notional"]) == abs(basket.position) * 61_000
    assert (told["state"], told["funding_rate"], told["chain_head"]) == (
        "active",
        "0.0001",
        lab.of(Revealed)[0].hash,
    )
    low, high = (D(price) for price in told["trigger_prices"])
    for price, leverage in ((low, D(3)), (high, D("1.5"))):
        found = basket.leverage(price)
        assert found is not None
        assert abs(found - leverage) < D("1e-6")


def test_of_a_fund_that_has_not_begun_nothing_is_defined() -> None:
    """It is new; with a mark or without."""
    told = public_fund(a_fund(), Book(), None, "live")
    assert (told["state"], told["nav"], told["mark"], told["basket_as_of"]) == ("new", None, None, None)
    assert (told["updated_at"], told["chain_head"], told["trigger_prices"]) == (None, None, [None, None])
    told = public_fund(a_fund(), Book(), ev.Mark(5, 5, D(9)), "live")
    assert (told["mark"], told["nav"]) == ("9", None)
    assert told["condition"]["redemptions_open"] is False


def test_without_value_leverage_is_undefined_and_absurd_figures_stay_figures() -> None:
    """Null, never a number; what is beyond every grid is told as it is."""
    lab = opened()
    mark = lab.state.mark
    assert mark is not None
    told = public_fund(lab.fund, lab.state.book, mark._replace(price=D(20_000)), "paper")
    assert told["real_leverage"] is None
    assert D(told["fund_value"]) < 0
    told = public_fund(lab.fund, lab.state.book, mark._replace(price=D("1e30")), "paper")
    assert D(told["fund_value"]) > D("1e29")


def test_a_state_that_begins_with_a_hidden_rebalance_shows_when_that_is_revealed() -> None:
    """Dead, at a mark that is public; an emergency alone shows at once, and until the reveal."""
    lab = opened()
    lab.mark("25000", after_s=1)
    lab.settle(at_most_s=100)
    assert lab.state.book.state is rec.FundState.DEAD
    told = seen(lab)
    assert told["state"] == "emergency"
    assert told["condition"]["since"] is not None
    assert "at once" in told["condition"]["why"]
    lab.mark("25000", after_s=3_700)
    told = seen(lab)
    assert (told["state"], told["condition"]["redemptions_open"]) == ("dead", False)
    assert told["trigger_prices"] == [None, None]
    assert told["condition"]["since"] is not None


def test_an_emergency_shows_from_the_moment_it_became_one() -> None:
    """A delever that turns into an emergency under way."""
    lab = opened()
    lab.mark("44900", after_s=1)
    assert seen(lab)["state"] == "active"
    lab.mark("41000", after_s=1)
    told = seen(lab)
    assert told["state"] == "emergency"
    assert told["condition"]["since"] > "1970-01-01T01:00"


@pytest.mark.parametrize(
    ("control", "state", "open_"),
    [(rec.Control.PAUSED, "paused", True), (rec.Control.HALTED, "halted", False)],
)
def test_the_operators_word_shows_at_once(control: rec.Control, state: str, *, open_: bool) -> None:
    """It comes from a person, and tells nothing of a position; who and why is not told."""
    lab = opened()
    lab.mark("120000", after_s=1)
    assert lab.state.book.public.hidden
    lab.send(ev.Controlled(*lab.now, control, "alice", "maintenance"))
    told = seen(lab)
    assert (told["state"], told["condition"]["redemptions_open"]) == (state, open_)
    assert "alice" not in json.dumps(told)
    assert "maintenance" not in json.dumps(told)


def test_incidents_are_told_by_their_codes_and_not_while_something_is_hidden() -> None:
    """What was open before stays open, what opens waits, but for what comes of the market's data alone."""
    lab = opened()
    book = lab.state.book.copy()
    book.apply(an_incident(lab.time_ms - 5))
    told = public_fund(lab.fund, book, lab.state.mark, "paper")
    assert (told["state"], told["condition"]["why"]) == ("increases_stopped", "late fill")
    assert "12 BTC" not in json.dumps(told)
    started = lab.of(rec.RebalanceStarted)[0]
    book.apply(started._replace(time_ms=lab.time_ms, number=2))
    book.apply(rec.IncidentClosed(lab.time_ms + 1, "late fill", "adopted"))
    book.apply(an_incident(lab.time_ms + 1, "orders rejected"))
    book.apply(an_incident(lab.time_ms + 1, "stale mark", stops=False))
    assert [incident.code for incident in incidents(book)] == ["late fill", "stale mark"]
    assert public_state(book) == "increases_stopped"


@pytest.mark.parametrize("code", ["stale mark", "clock skew", "disk almost full"])
def test_what_befalls_every_fund_at_once_is_told_of_each(code: str) -> None:
    """A fund that kept silent where others speak, or went on, would tell that it hides something."""
    lab = opened()
    book, idle = lab.state.book.copy(), lab.state.book.copy()
    started = lab.of(rec.RebalanceStarted)[0]._replace(time_ms=lab.time_ms, number=2)
    records: list[rec.Record] = [an_incident(lab.time_ms - 5, code), started, an_incident(lab.time_ms - 4)]
    later: list[rec.Record] = [rec.IncidentClosed(lab.time_ms + 2, code, "over")]
    later.append(an_incident(lab.time_ms + 3, code))
    for record in (*records, *later):
        book.apply(record)
        if record not in records[1:]:
            idle.apply(record)
        assert [i for i in incidents(book) if i.code == code] == [
            i for i in incidents(idle) if i.code == code
        ]
    assert [incident.code for incident in incidents(book)] == [code]


def test_a_restart_does_not_tell_when_something_was_last_recorded() -> None:
    """Before the first mark there is no time to show: that of the last record may be that of an order."""
    lab = opened()
    lab.mark("44900", after_s=1)
    assert lab.of(rec.Filled)[-1].time_ms == lab.state.book.last_time_ms == lab.time_ms
    told = public_fund(lab.fund, fold(lab.records), None, "paper")
    assert (told["updated_at"], told["mark"], told["condition"]["overdue_reveals"]) == (None, None, 0)
    assert told["basket_as_of"] < "1970-01-01T01:00"


@pytest.mark.parametrize(
    ("units", "digits"), [("10", 6), ("123.4", 7), ("100000", 10), ("3e9", 14), ("0.001", 2)]
)
def test_nav_times_units_is_fund_value_to_the_cent_however_many_units_there_are(
    units: str, digits: int
) -> None:
    """And few do not show the last digit of funding, which the venue rounds by the true position."""
    lab = opened()
    book = lab.state.book.copy()
    book.public = book.public._replace(basket=book.public.basket._replace(units=D(units)))
    told = public_fund(lab.fund, book, ev.Mark(*lab.now, D("61234.56")), "paper")
    assert abs(D(told["nav"]) * D(units) - D(told["fund_value"])) < D("0.01")
    assert len(told["nav"].partition(".")[2]) <= digits
    basket = book.public.basket
    book.public = book.public._replace(basket=basket.paid(D("0.00000002")))
    again = public_fund(lab.fund, book, ev.Mark(*lab.now, D("61234.56")), "paper")
    assert again["nav"] == told["nav"]


def test_a_strategy_without_a_band_has_no_public_triggers() -> None:
    """They would follow from its last trade, which may be hidden."""
    lab = opened(strategy=Interval())
    assert trigger_prices(lab.fund, lab.state.book) == (None, None)


def test_triggers_of_a_down_fund_stand_the_other_way_round() -> None:
    """Its leverage rises with the price; where no price gives a leverage there is none."""
    lab = opened(side="short")
    low, high = trigger_prices(lab.fund, lab.state.book)
    assert low is not None
    assert high is not None
    assert low < lab.price < high
    basket = lab.state.book.public.basket
    assert edge_price(basket._replace(cash=D(-5)), D(2)) is None
    assert edge_price(basket._replace(position=D(0)), D(2)) is None


def test_since_when_something_is_hidden_is_known() -> None:
    """From the start of the oldest rebalance that is not revealed."""
    lab = opened()
    assert lab.state.book.public.hidden_since_ms is None
    lab.mark("120000", after_s=1)
    assert lab.state.book.public.hidden_since_ms == lab.of(rec.RebalanceStarted)[-1].time_ms


def test_facts_of_no_rebalance_change_nothing() -> None:
    """A record that comes after the end is none of its."""
    lab = opened()
    public = lab.state.book.public
    assert public.told(lab.of(rec.OrderIntended)[0]) == public


def test_flows_fees_and_consolidations_reach_every_basket_as_its_own() -> None:
    """No basket's NAV is moved by units that are made at it; a fee is a share of each value."""
    lab = opened()
    book, mark = lab.state.book.copy(), D(60_000)
    nav = book.public.basket.nav(mark)
    assert nav is not None
    book.public = book.public.after_flow(D(1_000), mark)
    after = book.public.basket
    assert (after.units, after.nav(mark)) == (D(101_000), nav)
    assert after._replace(units=D(0)).after_flow(D(5), mark) == after._replace(units=D(0))
    hidden = lab.fork()
    hidden.mark("120000", after_s=1)
    public = hidden.state.book.public
    assert public.after_flow(D(1_000), mark).basket == public.basket
    halved = public.rescaled(1, 2).basket
    assert (halved.units, halved.cash) == (public.basket.units / 2, public.basket.cash)
    charged = public.after_fee(lambda basket: basket.value(mark) / 100).basket
    assert charged.value(mark) == pytest.approx(public.basket.value(mark) * D("0.99"), rel=D("1e-9"))


def test_a_fund_without_value_is_charged_no_fee_in_public() -> None:
    """There is nothing to take a share of."""
    lab = opened()
    book = lab.state.book.copy()
    before = book.public.basket.cash
    book.apply(flow.FeeCharged(lab.time_ms, 0, 1, D(20_000), D(0)))
    assert book.public.basket.cash == before


def test_transfers_are_no_business_of_the_basket() -> None:
    """A deposit belongs to nobody until it is matched."""
    lab = opened()
    book = lab.state.book.copy()
    book.apply(rec.IncomeBooked(lab.time_ms, "t", lab.time_ms, "TRANSFER", D(500)))
    assert book.public.basket == lab.state.book.public.basket


def test_a_flat_fund_imputes_funding_to_what_the_public_still_holds() -> None:
    """It died in secret before a funding instant; the mark and rate of that instant are taken."""
    lab = opened()
    lab.mark(lab.price, after_s=(28_800_000 - lab.time_ms) / 1000 - 60, rate="0.0002")
    lab.mark("25000", after_s=1, rate="0.0002")
    lab.settle(at_most_s=40)
    lab.mark("25000", after_s=1, rate="0.0002")
    before = lab.state.book.public.basket
    assert (lab.state.book.position, before.position != 0) == (0, True)
    lab.mark("25100", after_s=60, rate="0.0002")
    (imputed,) = lab.of(FundingImputed)
    assert (imputed.mark, imputed.rate) == (D(25_000), D("0.0002"))
    paid = lab.state.book.public.basket.cash - before.cash
    assert paid == (-before.position * 25_000 * D("0.0002")).quantize(D("1e-8"))


def test_public_records_are_listed_as_they_were_published() -> None:
    """All, or those after the first so many."""
    lab = opened(strategy=Strategic(0))
    lab.walk("91000")
    lab.mark(lab.price, after_s=3_600)
    history = RebalanceHistory("BTCUP")
    for record in lab.records:
        history.apply(record)
    published = [with_hash(r.text, r.hash).encode() for r in lab.of(Revealed)]
    assert history.public_records() == published
    assert history.public_records(1, 1) == published[1:2]
    assert json.loads(published[0])["hash"] == lab.of(Revealed)[0].hash


def test_a_shadow_whose_strategy_names_no_target_never_begins() -> None:
    """There is nothing to open at."""
    lab = Lab(replace(a_fund(), shadow=Strategic(0)))
    lab.settle()
    assert lab.state.book.shadow is None
