"""Which requests for flows are taken: each refusal says why, and books nothing."""

from decimal import Decimal

import pytest

from bot.core import events as ev
from bot.core.flow_records import FlowKind, FlowRequested, UnitsRescaled
from bot.core.flow_requests import UNNAMED, Objection, refusal
from bot.core.flows import FlowState
from bot.core.operator_requests import RequestIdReusedError
from bot.core.records import Control
from tests.support.flows import FlowLab, a_flow_lab

D = Decimal
SUBSCRIBE, REDEEM = FlowKind.SUBSCRIBE, FlowKind.REDEEM


def refused(lab: FlowLab, kind: FlowKind, amount: str, request_id: str = "x") -> Objection | None:
    """What is said against a flow; nothing may be booked when it is sent all the same."""
    event = ev.FlowAsked(*lab.now, kind, Decimal(amount), request_id)
    objection = refusal(lab.state, event)
    known, commands = len(lab.records), len(lab.commands)
    if objection is not None:
        lab.send(event)
        assert (len(lab.records), len(lab.commands)) == (known, commands)
    return objection


@pytest.mark.parametrize(
    ("kind", "amount", "words"),
    [
        (SUBSCRIBE, "0", "positive"),
        (SUBSCRIBE, "-5", "positive"),
        (REDEEM, "-5", "positive"),
        (SUBSCRIBE, "NaN", "positive"),
        (SUBSCRIBE, "Infinity", "positive"),
        (SUBSCRIBE, "1e15", "below"),
        (REDEEM, "1e40", "below"),
        (SUBSCRIBE, "10.000000001", "8 decimals"),
        (SUBSCRIBE, "9.99", "smallest subscription is 10"),
        (REDEEM, "9.99", "smallest redemption"),
        (REDEEM, "100000.00000001", "there are no more: 100000 units"),
        (SUBSCRIBE, "20001", "leaves 20000 USDT"),
        (REDEEM, "31000", "leaves units worth 30000.00"),
        (SUBSCRIBE, "15000", "capacity of 110000"),
    ],
)
def test_amounts_that_cannot_be_dealt(kind: FlowKind, amount: str, words: str) -> None:
    """Negative, none, dust, absurd, more than there is, beyond a limit: said in words, about the amount."""
    lab = a_flow_lab(daily_subscribe="20000", daily_redeem="30000", capacity="110000")
    objection = refused(lab, kind, amount)
    assert objection is not None
    assert words in objection.reason
    assert objection.of_amount


def test_limits_count_what_was_asked_for_on_the_same_day() -> None:
    """The next 00:00 UTC begins anew, and each side has its own limit."""
    lab = a_flow_lab(daily_subscribe="1000", daily_redeem="1000")
    lab.redeem("900")
    lab.subscribe("900")
    assert refused(lab, SUBSCRIBE, "101") is not None
    assert refused(lab, SUBSCRIBE, "100") is None
    assert refused(lab, REDEEM, "150") is not None
    lab.wait(86_400)
    assert refused(lab, SUBSCRIBE, "1000") is None


@pytest.mark.parametrize(("ratio", "left"), [((1, 100), "1"), ((10, 1), "1000")])
def test_limits_count_redemptions_in_units_of_now(ratio: tuple[int, int], left: str) -> None:
    """What was asked for before a consolidation or split counts as it was worth; its receipt stays."""
    lab = a_flow_lab(daily_redeem="1000", min_redeem="0")
    lab.redeem("900", "old")
    assert rescale(lab, *ratio) is None
    assert refused(lab, REDEEM, left, "new") is None
    over = refused(lab, REDEEM, str(Decimal(left) * Decimal("1.02")), "new")
    assert over is not None
    assert "day's limit" in over.reason
    receipt = lab.state.book.receipts["old"]
    assert (receipt.amount, receipt.counted) == (900, Decimal(900) * ratio[0] / ratio[1])
    assert refused(lab, REDEEM, "900", "old") is None


def test_capacity_counts_subscriptions_that_are_on_their_way() -> None:
    """Two that fit one by one may not fit together."""
    lab = a_flow_lab(capacity="110000")
    assert refused(lab, SUBSCRIBE, "6000") is None
    lab.subscribe("6000")
    assert refused(lab, SUBSCRIBE, "6000") is not None


def test_units_that_others_asked_to_redeem_cannot_be_redeemed_again() -> None:
    """Neither while they wait nor while they are dealt; the last ones may be as few as they are."""
    lab = a_flow_lab()
    lab.redeem("99995")
    assert refused(lab, REDEEM, "6") is not None
    assert refused(lab, REDEEM, "5") is None
    lab.until_dealing()
    assert lab.state.book.dealing is not None
    assert refused(lab, REDEEM, "6") is not None
    assert refused(lab, REDEEM, "5") is None


def test_a_halted_fund_takes_no_flows() -> None:
    """Whatever the amount; and says so."""
    lab = a_flow_lab()
    lab.send(ev.Controlled(*lab.now, Control.HALTED, "ann", "odd orders"))
    for kind in FlowKind:
        objection = refused(lab, kind, "100")
        assert objection is not None
        assert "halted" in objection.reason
        assert not objection.of_amount


def test_a_fund_that_is_no_longer_active_takes_redemptions_only() -> None:
    """Flattened, and everybody knows: who is in it may leave."""
    lab = a_flow_lab()
    lab.send(ev.FlattenAsked(*lab.now, "ann", "wound down"))
    lab.settle()
    lab.mark(lab.price, after_s=4_000)
    objection = refused(lab, SUBSCRIBE, "100")
    assert objection is not None
    assert "redemptions only" in objection.reason
    assert refused(lab, REDEEM, "100") is None


def test_refusals_tell_no_more_than_the_public_figures() -> None:
    """Whoever tries amounts while a rebalance is hidden finds the public NAV at each edge."""
    lab = a_flow_lab(capacity="150000", daily_redeem="50000")
    lab.mark(lab.price, after_s=4_000)
    lab.mark("52000")
    lab.settle()
    book = lab.state.book
    assert book.public.hidden
    lab.mark("56000")
    public, true = book.public.basket.value(lab.price), book.ledger.value(lab.price)
    assert abs(public - true) > 50
    room = (150_000 - public).quantize(D("1e-8"), "ROUND_FLOOR")
    assert refused(lab.fork(), SUBSCRIBE, str(room)) is None
    assert refused(lab, SUBSCRIBE, str(room + D("1e-8"))) is not None
    smallest = (10 / public * 100_000).quantize(D("1e-8"), "ROUND_CEILING")
    assert refused(lab.fork(), REDEEM, str(smallest)) is None
    assert refused(lab, REDEEM, str(smallest - D("1e-8"))) is not None
    most = (50_000 / public * 100_000).quantize(D("1e-8"), "ROUND_FLOOR")
    assert refused(lab.fork(), REDEEM, str(most)) is None
    assert refused(lab, REDEEM, str(most + D("1e-8"))) is not None


def test_a_fund_that_is_wound_down_in_secret_takes_a_subscription_and_gives_its_money_back() -> None:
    """Until everybody knows of it the answer is the same receipt; then it is a refusal."""
    lab = a_flow_lab()
    lab.mark(lab.price, after_s=4_000)
    lab.send(ev.FlattenAsked(*lab.now, "ann", "wound down"))
    assert lab.state.book.public.hidden
    assert refused(lab, SUBSCRIBE, "100") is None
    lab.subscribe("100")
    (flow,) = lab.state.book.closed_flows
    assert (flow.state, flow.reason) == (FlowState.CANCELLED, "the fund is flattened")
    lab.settle()
    lab.mark(lab.price, after_s=4_000)
    objection = refused(lab, SUBSCRIBE, "100")
    assert objection is not None
    assert "redemptions only" in objection.reason


def test_worthless_units_cannot_be_redeemed() -> None:
    """A dead fund owes more than it has."""
    lab = a_flow_lab()
    lab.mark("20000")
    lab.settle()
    objection = refused(lab, REDEEM, "100")
    assert objection is not None
    assert "no value" in objection.reason


def test_a_fund_without_a_mark_says_so() -> None:
    """There is no price to judge by."""
    lab = a_flow_lab()
    lab.state = lab.state._replace(mark=None)
    objection = refused(lab, REDEEM, "100")
    assert objection is not None
    assert "no mark" in objection.reason


def test_a_repeat_under_the_same_key_books_nothing() -> None:
    """Before and after a restart, and while the fund is halted; another request under it is refused."""
    lab = a_flow_lab()
    lab.subscribe("500", "order-1")
    lab.restart()
    lab.send(ev.Controlled(*lab.now, Control.HALTED, "ann", "odd orders"))
    lab.subscribe("500", "order-1")
    assert refused(lab, SUBSCRIBE, "500", "order-1") is None
    assert len(lab.of(FlowRequested)) == 1
    with pytest.raises(RequestIdReusedError):
        refused(lab, SUBSCRIBE, "501", "order-1")


def test_requests_without_a_key_are_each_their_own() -> None:
    """Twice the same is two flows, with references that tell nothing."""
    lab = a_flow_lab()
    lab.subscribe("500")
    lab.subscribe("500")
    one, two = lab.of(FlowRequested)
    assert one.reference != two.reference
    assert [one.request_id, two.request_id] == [f"{UNNAMED}1", f"{UNNAMED}2"]


def rescale(lab: FlowLab, numerator: int, denominator: int, key: str = "") -> Objection | None:
    """Ask for other units."""
    event = ev.RescaleAsked(*lab.now, numerator, denominator, "ann", "rounder", key, f"{numerator}")
    objection = refusal(lab.state, event)
    lab.send(event)
    return objection


def test_a_consolidation_changes_units_and_nav_and_nothing_else() -> None:
    """A thousand units become one, open redemptions with them; leverage and value are what they were."""
    lab = a_flow_lab()
    lab.redeem("5000")
    lab.subscribe("5000")
    nav, leverage = lab.nav, lab.leverage
    assert rescale(lab, 1, 1000) is None
    assert (lab.nav, lab.leverage) == (nav * 1000, leverage)
    redemption, subscription = lab.state.book.flows
    assert (redemption.amount, subscription.amount) == (5, 5000)
    assert rescale(lab, 1000, 1) is None
    assert lab.nav == nav


@pytest.mark.parametrize(("numerator", "denominator"), [(1, 1), (0, 5), (-3, 1), (2, 3), (1, 10**10)])
def test_only_whole_ratios_are_taken(numerator: int, denominator: int) -> None:
    """One to many, or many to one."""
    objection = rescale(a_flow_lab(), numerator, denominator)
    assert objection is not None
    assert "ratio" in objection.reason


def test_no_consolidation_leaves_less_than_a_unit() -> None:
    """Or what holders have would be rounded away."""
    objection = rescale(a_flow_lab(), 1, 100_001)
    assert objection is not None
    assert "less than one unit" in objection.reason


def test_units_stay_as_they_are_while_a_dealing_is_under_way() -> None:
    """It has been priced in old units."""
    lab = a_flow_lab()
    lab.redeem("60000")
    lab.until_dealing()
    objection = rescale(lab, 1, 10)
    assert objection is not None
    assert "dealing" in objection.reason
    assert not lab.of(UnitsRescaled)


def test_a_consolidation_is_repeated_under_its_key_without_effect() -> None:
    """And another one under it is refused."""
    lab = a_flow_lab()
    assert rescale(lab, 1, 10, "k") is None
    assert rescale(lab, 1, 10, "k") is None
    assert len(lab.of(UnitsRescaled)) == 1
    with pytest.raises(RequestIdReusedError):
        rescale(lab, 10, 1, "k")


def test_a_fund_that_has_not_begun_has_no_units() -> None:
    """Nothing can be consolidated."""
    lab = a_flow_lab()
    lab.state = lab.state._replace(book=type(lab.state.book)())
    objection = refusal(lab.state, ev.RescaleAsked(*lab.now, 1, 10, "ann", "rounder"))
    assert objection is not None
    assert "not begun" in objection.reason
