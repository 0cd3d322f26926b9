"""What each flow bore of its dealing's trade, and when its holder may be told."""

from dataclasses import replace
from decimal import Decimal
from typing import Literal

import pytest

from bot.core.execution_report import execution
from bot.core.flow_records import DealingStruck, FlowKind, FlowPriced, FlowsCrossed, FlowSettled, FlowsInCash
from bot.core.flows import Flow
from bot.core.history import RebalanceHistory
from bot.core.records import Filled
from bot.core.statement import STATEMENT_MS, statement_ms, statement_open
from bot.core.units import Side
from tests.support.flows import FlowLab, a_dealing_fund

D = Decimal
GRID = D("1e-8")


def slipping(side: Literal["long", "short"] = "long", *, bps: str = "7", **terms: str) -> FlowLab:
    """A fund at rest whose orders fill so far from the mark."""
    lab = FlowLab(replace(a_dealing_fund("0", **terms), side=Side(side)), slippage_bps=D(bps))
    lab.settle()
    return lab


def dealt(lab: FlowLab) -> list[Filled]:
    """Let the next dealing be dealt; the fills of its trade."""
    before = len(lab.of(Filled))
    lab.until_dealing()
    lab.settle()
    return lab.of(Filled)[before:]


def over(lab: FlowLab) -> tuple[Flow, ...]:
    """Every flow so far."""
    book = lab.state.book
    return (*book.closed_flows, *book.flows)


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("kind", ["subscribe", "redeem"])
def test_a_flow_bears_the_fees_and_the_distance_from_the_mark_of_its_own_fills(
    side: Literal["long", "short"], kind: str
) -> None:
    """To the last digits: what it got less than at the dealing's NAV is those two, and nothing else."""
    lab = slipping(side, subscribe_fee="0.001", redeem_fee="0.002")
    getattr(lab, kind)("20000")
    fills = dealt(lab)
    (struck,), (settled,), (flow,) = lab.of(DealingStruck), lab.of(FlowSettled), over(lab)
    nav = lab.of(FlowPriced)[0].nav
    fees = sum((fill.fee for fill in fills), D(0))
    against_mark = sum((fill.quantity * (fill.price - struck.mark) for fill in fills), D(0))
    in_cash = lab.of(FlowsInCash)
    levy = sum((abs(record.amount - record.units * nav) for record in in_cash), D(0))
    assert abs(settled.trading_fee - fees - levy) < D("0.0001")
    assert abs(settled.fill_cost - against_mark) < D("0.0001")
    assert min(fees, against_mark) > 1
    if kind == "subscribe":
        less = D(20_000) - flow.fee - settled.returned - settled.units * nav
    else:
        less = D(20_000) * nav - settled.amount - settled.fee
    assert 0 <= settled.trading_fee + settled.fill_cost - less < 2 * GRID
    assert (flow.trading_fee, flow.fill_cost) == (settled.trading_fee, settled.fill_cost)


def test_flows_of_one_side_share_their_trade_and_who_meets_bears_nothing() -> None:
    """Twice the units bear twice the cost; what crosses costs neither side."""
    lab = slipping()
    lab.redeem("10000")
    lab.redeem("20000")
    lab.subscribe("9000")
    fills = dealt(lab)
    assert len(lab.of(FlowsCrossed)) == 1
    one, two, came = (lab.of(FlowSettled)[place] for place in (1, 2, 0))
    assert abs(2 * one.trading_fee - two.trading_fee) < 3 * GRID
    assert abs(2 * one.fill_cost - two.fill_cost) < 3 * GRID
    fees = sum((fill.fee for fill in fills), D(0))
    assert 0 <= one.trading_fee + two.trading_fee - fees < D("0.05")  # a little went in cash
    assert came.trading_fee == 0
    assert 0 <= came.fill_cost < D("1e-7")


def test_what_goes_in_cash_bears_what_it_pays_the_fund() -> None:
    """In place of the venue's fee; there is no fill, and so no distance from the mark."""
    lab = slipping()
    leverage, nav = lab.leverage, lab.nav
    lab.redeem("15")
    assert dealt(lab) == []
    (settled,) = lab.of(FlowSettled)
    assert leverage is not None
    assert settled.trading_fee == pytest.approx(15 * nav * leverage * D("0.0005"), abs=D("1e-7"))
    assert abs(settled.fill_cost) < D("1e-7")


def test_the_history_tells_operators_which_flows_a_trade_was_for() -> None:
    """Of a dealing without a trade nothing is added to an earlier one."""
    lab = slipping()
    lab.subscribe("20000")
    dealt(lab)
    lab.redeem("15")
    dealt(lab)
    history = RebalanceHistory("BTCUP")
    for record in lab.records:
        history.apply(record)
    opening, trade = (execution(entry) for entry in history.entries())
    first, _ = lab.of(FlowSettled)
    assert opening is not None
    assert trade is not None
    assert opening["flows"] == []
    (borne,) = trade["flows"] if isinstance(trade["flows"], list) else []
    assert borne["reference"] == first.reference
    assert (D(borne["trading_fee"]), D(borne["fill_cost"])) == (first.trading_fee, first.fill_cost)


def test_the_statement_comes_at_a_time_that_tells_nothing_of_a_rebalance() -> None:
    """So long after the dealing, whether one was hidden then or not."""
    told = []
    for price in ("60000", "52000"):
        lab = slipping()
        lab.mark(lab.price, after_s=4_000)
        lab.redeem("15")
        lab.until_dealing(price)
        lab.settle()
        (flow,) = over(lab)
        assert lab.state.book.public.hidden is (price == "52000")
        at_ms = statement_ms(flow)
        assert at_ms == lab.of(DealingStruck)[0].dealing_ms + STATEMENT_MS
        told.append(at_ms - lab.of(DealingStruck)[0].dealing_ms)
        assert not statement_open(lab.state.book, flow, at_ms - 1)
        lab.mark(price, after_s=(at_ms - lab.time_ms) / 1000)
        assert statement_open(lab.state.book, over(lab)[0], at_ms)
    assert told[0] == told[1]


def test_a_rebalance_that_is_still_hidden_by_then_holds_the_statement_up() -> None:
    """One that began after the flow was settled does not."""
    lab = slipping()
    lab.mark(lab.price, after_s=4_000)
    waiting = Flow("a", FlowKind.REDEEM, D(1), 0)
    assert (statement_ms(waiting), statement_open(lab.state.book, waiting, 10**9)) == (None, False)
    lab.mark("52000")
    since_ms = lab.state.book.public.pending[0].started_ms
    for settled_ms, is_open in ((since_ms, False), (since_ms - 1, True)):
        flow = waiting._replace(dealing_ms=0, settled_ms=settled_ms)
        assert statement_open(lab.state.book, flow, 10**9) is is_open
