"""Engine, kernel and a loop over every bar, which share no code, against each other."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from bot.study import Costs, Funding, FundSpec, Prices, Result, backtest, from_arrays
from bot.study.kernels import FixedBand, final_nav, final_navs, nav_series, stretches_of
from tests.study.naive import Case, Naive, fixed_band

ROOT = Path(__file__).resolve().parents[2]
EDGE = 1e-12
START_MS = 1_600_000_020_000
"""A minute that is no multiple of any funding interval."""

SEEN: Counter[str] = Counter()


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Random walks wild enough to leave every band, to gap and to kill."""
    bars = draw(st.integers(2, 700))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    step = draw(st.sampled_from([0.0005, 0.005, 0.03, 0.1]))
    first = draw(st.sampled_from([0.02, 1.0, 60_000.0]))
    closes = first * np.exp(np.cumsum(rng.normal(0, step, bars)))
    spacing = np.full(bars, 60_000)
    if draw(st.booleans()):
        spacing[rng.integers(0, bars, bars // 20)] *= 7
    times = START_MS + np.cumsum(spacing)
    every = draw(st.sampled_from([None, 1, 17, 480]))
    funding: list[tuple[int, float]] = []
    if every is not None:
        stamps = range(int(times[0]) + 60_000, int(times[-1]) + 120_000, every * 60_000)
        funding = [(stamp + int(rng.integers(0, 50)), float(rng.normal(0, 0.002))) for stamp in stamps]
    lower = draw(st.sampled_from([1.2, 1.5, 2.0]))
    upper = lower + draw(st.sampled_from([0.05, 0.4, 1.5]))
    inside = st.floats(lower + 0.01, upper - 0.01)
    capital = draw(st.sampled_from([1_000.0, 1e8]))
    lot = draw(st.sampled_from([None, 1e-4, 1e-2]))
    return Case(
        times_ms=times.tolist(),
        closes=closes.tolist(),
        funding=funding,
        sign=draw(st.sampled_from([1, -1])),
        band=(lower, upper),
        target=draw(inside),
        start=draw(inside),
        capital=capital,
        fee=draw(st.sampled_from([0.0, 0.0004, 0.01])),
        lot=None if lot is None else lot * capital / closes[0],
    )


def series(case: Case) -> tuple[Prices, Funding | None]:
    """The same case as arrays."""
    prices = from_arrays(np.array(case.times_ms) - 60_000, np.array(case.closes))
    if not case.funding:
        return prices, None
    stamps = np.array([stamp for stamp, _ in case.funding]) // 60_000 * 60_000
    return prices, Funding(stamps, np.array([rate for _, rate in case.funding]))


def side_of(case: Case) -> Literal["long", "short"]:
    """The side by its name."""
    return "long" if case.sign > 0 else "short"


def by_engine(case: Case) -> Result:
    """The same case by the engine."""
    prices, funding = series(case)
    fund = FundSpec(
        side=side_of(case),
        band=case.band,
        target_range=(case.target, case.target),
        start_leverage=case.start,
        capital=case.capital,
        lot=case.lot,
    )
    return backtest(prices, fund, funding=funding, costs=Costs(fee_bps=case.fee * 1e4))


@settings(max_examples=300)
@given(cases())
def test_engine_kernel_and_naive_loop_agree(case: Case) -> None:
    """NAV, trades, totals and death agree to 1e-9; what is within 1e-12 of an edge is left out."""
    naive = fixed_band(case)
    SEEN["all"] += 1
    if naive.margin < EDGE:
        SEEN["near an edge"] += 1
        return
    event(f"{min(len(naive.trades), 5)} trades, dead: {naive.dead is not None}")
    agrees_with_engine(case, naive)
    agrees_with_kernel(case, naive)


def agree(found: np.ndarray, expected: list[float]) -> bool:
    """Whether all values agree to 1e-9, relatively or absolutely (pytest.approx takes its time over each)."""
    wanted = np.array(expected)
    return bool((np.abs(found - wanted) <= 1e-9 * np.maximum(np.abs(wanted), 1.0)).all())


def agrees_with_engine(case: Case, naive: Naive) -> None:
    """The engine gives what the loop gives."""
    found = by_engine(case)
    assert found.dead_at == naive.dead
    assert [row.time for row in found.rebalances] == [trade[0] for trade in naive.trades]
    assert agree(found.nav[: len(naive.nav)], naive.nav)
    for row, (_, quantity, fee) in zip(found.rebalances, naive.trades, strict=True):
        assert row.position_after - row.position_before == pytest.approx(quantity, rel=1e-7)
        assert row.fee == pytest.approx(fee, rel=1e-9)
    assert found.fees == pytest.approx(naive.fees, rel=1e-9)
    assert found.funding == pytest.approx(naive.funding, rel=1e-9, abs=1e-9 * case.capital)
    # Turnover divides by fund value, and of a value near zero the plain loop has lost as many digits.
    lowest = min(1.0, *(abs(nav) for nav in naive.nav))
    assert found.turnover == pytest.approx(naive.turnover, rel=1e-9 / lowest)


def agrees_with_kernel(case: Case, naive: Naive) -> None:
    """The kernel gives what the loop gives, with the NAV of every bar and without."""
    stretches, policy = stretches_of(*series(case)), FixedBand(*case.band, case.target, case.start)
    lot = 0.0 if case.lot is None else case.lot / case.capital
    side = side_of(case)
    outcome = nav_series(stretches, policy, side=side, fee_bps=case.fee * 1e4, lot=lot)
    dead_bar = -1 if naive.dead is None else case.times_ms.index(naive.dead)
    assert (outcome.rebalances, outcome.dead_bar) == (len(naive.trades), dead_bar)
    assert agree(outcome.nav[: len(naive.nav)], naive.nav)
    last = final_nav(stretches, policy, side=side, fee_bps=case.fee * 1e4, lot=lot)
    assert last == pytest.approx((naive.nav[-1], len(naive.trades), dead_bar), rel=1e-9, abs=1e-9)


def test_hardly_any_case_was_left_out() -> None:
    """The exclusion is for rounding, not for convenience."""
    assert SEEN["near an edge"] <= SEEN["all"] / 50


WITHOUT_NUMBA = """
import json, sys
sys.modules["numba"] = None  # what Python does for a module that may not be imported
import numpy as np
from bot.study import Funding, from_arrays
from bot.study.kernels import FixedBand, nav_series, stretches_of
rng = np.random.default_rng(9)
prices = from_arrays(60_000 * np.arange(3_000), 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 3_000))))
funding = Funding(60_000 * np.arange(100, 2_900, 480), rng.normal(0, 0.01, 6))
for side in ("long", "short"):
    for paid in (None, funding):
        series, policy = stretches_of(prices, paid), FixedBand(1.6, 2.4, 2.0)
        found = nav_series(series, policy, side=side, fee_bps=4, lot=1e-6)
        print(json.dumps([found.nav.tolist(), found.rebalances, found.dead_bar]))
"""


def test_the_kernel_without_numba_is_the_same() -> None:
    """The same loop as plain Python, with helpers by numpy, gives the same numbers."""
    script = WITHOUT_NUMBA
    answers = []
    for source in (script, script.replace('sys.modules["numba"] = None', "pass")):
        done = subprocess.run(
            [sys.executable, "-c", source], capture_output=True, text=True, check=False, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr
        answers.append([json.loads(line) for line in done.stdout.splitlines()])
    for plain, compiled in zip(*answers, strict=True):
        assert plain[1:] == compiled[1:]
        assert plain[1] > 0
        assert plain[0] == pytest.approx(compiled[0], rel=1e-12)


def test_many_sets_on_several_cores_are_as_each_alone() -> None:
    """The order of the answers is that of the sets."""
    rng = np.random.default_rng(5)
    closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 5_000)))
    stretches = stretches_of(from_arrays(60_000 * np.arange(5_000), closes))
    sets = [FixedBand(1.2 + i / 100, 2.5 + i / 50, 2.0) for i in range(37)]
    alone = [final_nav(stretches, policy, fee_bps=4) for policy in sets]
    for workers in (1, 2, 5):
        found = final_navs(stretches, sets, fee_bps=4, workers=workers)
        assert list(zip(*found, strict=True)) == alone
