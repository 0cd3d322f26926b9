"""The compiled loop is the engine: the same trades at the same bars, the same NAV to 1e-9."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.strategy import Strategy
from bot.study import Costs, FixedSlippage, Funding, FundSpec, Prices, SquareRootImpact
from bot.study.choice import start_leverage_for
from bot.study.runs import Outcome, Series, by_engine, follow, policy_of, series
from strategies.corridor import Corridor
from strategies.interval import Interval
from strategies.recenter import Recenter
from strategies.strategic import Strategic
from tests.support.examples import examples

HOUR_MS = 3_600_000
TARGETS = (1.8, 2.6)

strategies = st.one_of(
    st.just(Strategic(confirmation_s=0.0)),
    st.builds(
        Interval,
        target=st.sampled_from([2.0, 3.0]),
        at=st.sampled_from(["", "00:00", "00:00, 08:00,16:30"]),
        move=st.sampled_from([0.0, 0.03, 0.1]),
        max_leverage=st.sampled_from([3.3, 4.0]),
    ),
    st.builds(
        Recenter,
        target=st.sampled_from([0.0, 2.0, 6.0]),
        speed=st.sampled_from([0.05, 0.5, 1.0]),
        every_s=st.sampled_from([7_200.0, 86_400.0]),
    ),
    st.builds(Corridor, target=st.sampled_from([1.8, 2.2, 3.3]), aversion=st.sampled_from([0.05, 1.0, 10.0])),
)


@st.composite
def markets(draw: st.DrawFn) -> Series:
    """Hourly closes with jumps, and funding at the hours."""
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    bars = draw(st.integers(2, 400))
    returns = random.normal(0, draw(st.sampled_from([0.002, 0.01, 0.04])), bars)
    closes = 20_000 * np.exp(np.cumsum(returns))
    times = 1_600_000_000_000 // HOUR_MS * HOUR_MS + np.arange(bars, dtype=np.int64) * HOUR_MS
    funding = Funding(times[::8].copy(), random.normal(0.0001, 0.0005, len(times[::8])))
    return series(Prices(times, closes, HOUR_MS), draw(st.sampled_from([None, funding])))


def outcomes(market: Series, fund: FundSpec, strategy: Strategy, costs: Costs) -> tuple[Outcome, Outcome]:
    """By the compiled loop, and by the engine."""
    assert policy_of(fund, strategy, costs) is not None
    return follow(market, fund, strategy, costs, 5), by_engine(market, fund, strategy, costs, 5)


@settings(max_examples=examples(120))
@given(
    markets(),
    strategies,
    st.sampled_from(["long", "short"]),
    st.sampled_from([None, 0.001, 0.05]),
    st.sampled_from([0.0, 5.0, 300.0]),
    st.sampled_from([None, FixedSlippage(3.0)]),
    st.sampled_from([0.0, 900.0]),
)
def test_the_compiled_loop_does_what_the_engine_does(
    market: Series,
    strategy: Strategy,
    side: Literal["long", "short"],
    lot: float | None,
    fee_bps: float,
    slippage: FixedSlippage | None,
    min_notional: float,
) -> None:
    """On random prices with funding, fees, slippage, lots and least orders, to 1e-9 of the capital."""
    fund = FundSpec(
        side=side, lot=lot, min_notional=min_notional, start_leverage=start_leverage_for(strategy, TARGETS)
    )
    fast, full = outcomes(market, fund, strategy, Costs(fee_bps=fee_bps, slippage=slippage))
    assert fast.count == full.count
    assert fast.dead_at == full.dead_at
    assert fast.trades[:, 0].tolist() == full.trades[:, 0].tolist()
    np.testing.assert_allclose(fast.nav, full.nav, rtol=0, atol=1e-9)
    # Turnover and leverage divide by fund value, and of a value near zero floats have lost as many digits.
    lost = 1e-9 / min(1.0, float(np.abs(fast.nav).min()))
    for name, near in (("value", 0), ("fees", 0), ("slippage", 0), ("funding", 0), ("turnover", lost)):
        assert getattr(fast, name) == pytest.approx(getattr(full, name), abs=1e-9, rel=near)
    if fast.dead_at is None and fast.nav.min() > 1e-4:
        np.testing.assert_allclose(fast.leverage, full.leverage, rtol=0, atol=1e-6)
        np.testing.assert_allclose(fast.trades, full.trades, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("fund", "strategy", "costs"),
    [
        (FundSpec(), Strategic(confirmation_s=600.0), Costs()),
        (FundSpec(management_fee_daily=0.0001), Strategic(confirmation_s=0.0), Costs()),
        (FundSpec(), Strategic(confirmation_s=0.0), Costs(slippage=SquareRootImpact())),
        (FundSpec(emergency=3.2), Interval(target=2.0), Costs()),
    ],
)
def test_what_it_does_not_know_is_left_to_the_engine(
    fund: FundSpec, strategy: Strategy, costs: Costs
) -> None:
    """A delay, a management fee, impact by size, and an emergency below the strategy's own limit."""
    assert policy_of(fund, strategy, costs) is None


def test_more_rebalances_than_draws_repeat_none() -> None:
    """A fund that trades hundreds of times takes every one of the engine's draws."""
    random = np.random.default_rng(1)
    closes = 20_000 * np.exp(np.cumsum(random.normal(0, 0.02, 3_000)))
    times = 1_600_000_000_000 + np.arange(3_000, dtype=np.int64) * HOUR_MS
    fund = FundSpec(band=(1.95, 2.05), target_range=(1.97, 2.03))
    fast, full = outcomes(series(Prices(times, closes, HOUR_MS), None), fund, Strategic(0.0), Costs())
    assert fast.count == full.count > 512
    assert fast.value == pytest.approx(full.value, abs=1e-9)
