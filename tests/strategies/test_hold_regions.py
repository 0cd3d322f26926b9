"""What every shipped strategy must keep: `Hold` is true for as long, and as far, as it says."""

from dataclasses import replace
from decimal import Decimal
from math import nextafter
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core import events as ev
from bot.core.commands import Command
from bot.core.engine import start, step
from bot.core.ledger import Ledger, real_leverage
from bot.core.strategy import FundView, Hold, Strategy, uses_band
from bot.testing import Lab, a_contract, a_fund
from strategies.corridor import Corridor
from strategies.interval import Interval
from strategies.recenter import Recenter
from strategies.strategic import Strategic
from tests.support.examples import examples

DAY_S = 86_400
schedules = st.lists(
    st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda at: f"{at[0]:02d}:{at[1]:02d}"), max_size=3
)
strategies = st.one_of(
    st.builds(Strategic, st.floats(0, 86_400)),
    st.builds(
        Interval,
        target=st.floats(0.5, 3.0),
        at=schedules.map(",".join),
        move=st.sampled_from([0.0, 0.001, 0.01, 0.1, 0.5]),
        max_leverage=st.floats(3.01, 6.0),
    ),
    st.builds(
        Recenter,
        target=st.sampled_from([0.0, 1.95, 2.2]),
        speed=st.floats(0.05, 1.0),
        every_s=st.sampled_from([900.0, 86_400.0, 7.0 * 86_400]),
    ),
    st.builds(
        Corridor, target=st.floats(0.5, 3.0), cost_bps=st.floats(0.1, 50.0), aversion=st.floats(0.05, 20.0)
    ),
)


@st.composite
def funds(draw: st.DrawFn) -> tuple[FundView, Ledger]:
    """A view, and the ledger behind it."""
    side: Literal["long", "short"] = draw(st.sampled_from(["long", "short"]))
    sign = 1 if side == "long" else -1
    mark = draw(st.decimals("0.5", "90000", places=1))
    leverage = draw(st.decimals("0.1", "5", places=3))
    position = sign * leverage * 100_000 / mark
    ledger = Ledger(100_000 - position * mark, position)
    lower = draw(st.floats(1.01, 2.5))
    upper = lower + draw(st.floats(0.1, 2))
    age_s = draw(st.floats(0, 3 * DAY_S))
    time_s = draw(st.floats(1.6e9, 1.9e9))
    view = FundView(
        time_s=time_s,
        side=side,
        mark=float(mark),
        real_leverage=float(leverage),
        band=(lower, upper),
        target_range=(lower, upper),
        last_rebalance_time_s=time_s - age_s,
        last_rebalance_mark=float(mark) * draw(st.floats(0.6, 1.6)),
    )
    return view, ledger


@settings(max_examples=examples(1_000))
@given(strategies, funds(), st.floats(0, 1), st.floats(0, 1))
def test_a_hold_stays_true_throughout_its_region(
    strategy: Strategy, fund: tuple[FundView, Ledger], where: float, when: float
) -> None:
    """At any price in the interval, its ends included, and any time before its end, the answer is Hold."""
    view, ledger = fund
    hold = strategy.decide(view)
    if not isinstance(hold, Hold) or not hold.low <= view.mark <= hold.high or hold.until_s <= view.time_s:
        return
    high = min(hold.high, view.mark * 1000)
    span_s = min(hold.until_s, view.time_s + 10 * DAY_S) - view.time_s
    for price in (hold.low, high, hold.low + where * (high - hold.low)):
        if price <= 0 or not hold.low <= price <= hold.high:
            continue
        leverage = real_leverage(ledger, Decimal(price))
        assert leverage is not None
        time_s = min(view.time_s + when * span_s, nextafter(hold.until_s, 0.0))  # before it, as floats go
        later = replace(view, mark=price, real_leverage=float(leverage), time_s=time_s)
        assert isinstance(strategy.decide(later), Hold)
        if uses_band(strategy):
            assert view.band[0] <= leverage <= view.band[1]


@settings(max_examples=examples(150))
@given(
    strategies,
    st.sampled_from(["long", "short"]),
    st.decimals("1.52", "2.98", places=3),
    st.decimals("20000", "90000", places=1),
)
def test_the_region_of_a_fund_holds_no_price_that_matters(
    strategy: Strategy, side: Literal["long", "short"], leverage: Decimal, mark: Decimal
) -> None:
    """No price at the emergency leverage, and for a band strategy none outside the band."""
    fund = a_fund(side=side, strategy=strategy, start_leverage=str(leverage))
    lab = Lab(fund, a_contract(), start=str(mark))
    lab.settle()
    region = lab.state.region
    if region is None:
        return
    ledger = lab.state.book.ledger
    for price in (region.low, region.high):
        if price in (0, Decimal("1e30")):
            continue
        at_end = real_leverage(ledger, price)
        assert at_end is not None
        assert at_end < fund.emergency
        if uses_band(strategy):
            assert fund.band[0] <= at_end <= fund.band[1]


moves = st.lists(
    st.one_of(
        st.tuples(st.just("mark"), st.integers(-400, 400), st.sampled_from([1, 60, 600, 3_600, 30_000])),
        st.tuples(st.just("lost"), st.just(0), st.just(1)),
        st.tuples(st.just("funding"), st.integers(-50, 50), st.just(1)),
        st.tuples(st.just("compare"), st.just(0), st.just(1)),
    ),
    min_size=5,
    max_size=60,
)


class WithoutRegions(Lab):
    """A laboratory that forgets the hold region before every event: each mark takes the full path."""

    def take(self, event: ev.Event) -> tuple[Command, ...]:
        """One step, in full."""
        self.state = self.state._replace(region=None)
        return super().take(event)


def walk(lab: Lab, steps: list[tuple[str, int, int]]) -> Lab:
    """Take a fund through the moves; prices in basis points."""
    for what, size, after_s in steps:
        if what == "mark":
            lab.mark(round(lab.price * (1 + Decimal(size) / 10_000), 1), after_s=after_s, rate="0.0001")
            lab.settle(at_most_s=30)
        elif what == "lost":
            lab.send(ev.FeedLost(*lab.now, "silence"))
        elif what == "funding":
            lab.venue.pay_funding(Decimal(size), lab.time_ms)
        else:
            lab.send(ev.ReconcileDue(*lab.now))
    return lab


@settings(max_examples=examples(250))
@given(strategies, st.sampled_from(["long", "short"]), moves, st.sampled_from(["100000", "2400", "1200"]))
def test_the_two_comparisons_change_nothing(
    strategy: Strategy, side: Literal["long", "short"], steps: list[tuple[str, int, int]], capital: str
) -> None:
    """With and without the fast path, the same events leave the same records and the same commands."""
    fund = a_fund(
        side=side,
        strategy=strategy,
        capital=capital,
        start_leverage="2",
        band=("1.9", "2.1"),
        target=("1.95", "2.05"),
    )
    fast, full = walk(Lab(fund), steps), walk(WithoutRegions(fund), steps)
    assert fast.records == full.records
    assert fast.commands == full.commands


def test_a_mark_in_the_region_touches_nothing_but_the_mark() -> None:
    """The book is the very same object, and there is nothing to record and nothing to do."""
    lab = Lab()
    lab.settle()
    before = lab.state
    assert before.region is not None
    after, records, commands = step(before, ev.Mark(lab.time_ms + 1000, lab.wall_ms, Decimal(60_001)))
    assert after.book is before.book
    assert after.region is before.region
    assert (records, commands) == ((), ())
    assert after.mark is not None
    assert after.mark.price == 60_001


def test_a_restart_forgets_the_region() -> None:
    """The first mark after it is looked at in full."""
    lab = Lab()
    lab.settle()
    assert start(lab.fund, lab.contract, lab.state.book).region is None
