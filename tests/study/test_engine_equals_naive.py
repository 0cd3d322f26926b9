"""The engine against a loop over every bar that shares no code with it."""

import numpy as np
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from bot.study import Costs, Funding, FundSpec, Result, backtest, from_arrays
from tests.study.naive import Case, fixed_band

EDGE = 1e-12
START_MS = 1_600_000_020_000
"""A minute that is no multiple of any funding interval."""


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Random walks wild enough to leave every band, to gap and to kill."""
    bars = draw(st.integers(2, 700))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    step = draw(st.sampled_from([0.0005, 0.005, 0.03, 0.1]))
    closes = draw(st.sampled_from([0.02, 1.0, 60_000.0])) * np.exp(np.cumsum(rng.normal(0, step, bars)))
    spacing = np.full(bars, 60_000)
    if draw(st.booleans()):
        spacing[rng.integers(0, bars, bars // 20)] *= 7
    times = START_MS + np.cumsum(spacing) - spacing[0] + 60_000
    every = draw(st.sampled_from([None, 17, 480]))
    funding: list[tuple[int, float]] = []
    if every is not None:
        stamps = range(int(times[0]) + 60_000, int(times[-1]) + 120_000, every * 60_000)
        funding = [(stamp + int(rng.integers(0, 50)), float(rng.normal(0, 0.002))) for stamp in stamps]
    side = draw(st.sampled_from([1, -1]))
    lower = draw(st.sampled_from([1.2, 1.5, 2.0]))
    upper = lower + draw(st.sampled_from([0.05, 0.4, 1.5]))
    inside = st.floats(lower + 0.01, upper - 0.01)
    capital = draw(st.sampled_from([1_000.0, 1e8]))
    lot = draw(st.sampled_from([None, 1e-4, 1e-2]))
    return Case(
        times_ms=times.tolist(),
        closes=closes.tolist(),
        funding=funding,
        sign=side,
        band=(lower, upper),
        target=draw(inside),
        start=draw(inside),
        capital=capital,
        fee=draw(st.sampled_from([0.0, 0.0004, 0.01])),
        lot=None if lot is None else lot * capital / closes[0],
    )


def run(case: Case) -> Result:
    """The same case by the engine."""
    times = np.array(case.times_ms)
    prices = from_arrays(times - 60_000, np.array(case.closes))
    funding = None
    if case.funding:
        stamps = np.array([stamp for stamp, _ in case.funding]) // 60_000 * 60_000
        funding = Funding(stamps, np.array([rate for _, rate in case.funding]))
    fund = FundSpec(
        side="long" if case.sign > 0 else "short",
        band=case.band,
        target_range=(case.target, case.target),
        start_leverage=case.start,
        capital=case.capital,
        lot=case.lot,
    )
    return backtest(prices, fund, funding=funding, costs=Costs(fee_bps=case.fee * 1e4))


@settings(max_examples=300)
@given(cases())
def test_engine_equals_naive(case: Case) -> None:
    """NAV at every bar, each trade and the totals agree to 1e-9."""
    naive = fixed_band(case)
    event(
        "near an edge"
        if naive.margin < EDGE
        else f"{min(len(naive.trades), 5)} trades, dead: {naive.dead is not None}"
    )
    assume(naive.margin >= EDGE)
    found = run(case)
    assert found.dead == (naive.dead is not None)
    assert [row.time for row in found.rebalances] == [trade[0] for trade in naive.trades]
    assert found.nav[: len(naive.nav)] == pytest.approx(naive.nav, rel=1e-9, abs=1e-9)
    for row, (_, quantity, fee) in zip(found.rebalances, naive.trades, strict=True):
        assert row.position_after - row.position_before == pytest.approx(quantity, rel=1e-7)
        assert row.fee == pytest.approx(fee, rel=1e-9)
    assert found.fees == pytest.approx(naive.fees, rel=1e-9)
    assert found.funding == pytest.approx(naive.funding, rel=1e-9, abs=1e-9 * case.capital)
    assert found.turnover == pytest.approx(naive.turnover, rel=1e-9)
