import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.units import DAY_MS
from bot.study import Costs, Funding, FundSpec, Prices, backtest, metrics
from bot.study.metrics import Floats, Underlying
from bot.study.spec import LARGEST
from strategies.interval import Interval
from tests.study.builders import closes

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import empyrical

HOUR_MS = 3_600_000
NO_TRADES = np.empty((0, 2))


def grown(returns: Floats) -> Floats:
    """What 1 becomes by these simple returns, the start included."""
    values: Floats = np.exp(np.concatenate((np.zeros(1), np.cumsum(np.log1p(returns)))))
    return values


def a_course(seed: int, leverage: float = 2.0, hours: int = 2_000) -> tuple[Underlying, Floats]:
    """Hourly prices at random, and the NAV of a fund held at `leverage` at every bar."""
    returns = np.random.default_rng(seed).normal(0, 0.01, hours)
    prices, nav = 100 * grown(returns), grown(leverage * returns)
    times = 1_600_000_000_000 // HOUR_MS * HOUR_MS + np.arange(hours + 1, dtype=np.int64) * HOUR_MS
    return Underlying(times, prices), nav


@pytest.mark.parametrize("seed", range(5))
def test_figures_agree_with_empyrical(seed: int) -> None:
    """Volatility, drawdown, beta, and the mean, best and worst day, from the same daily returns."""
    underlying, nav = a_course(seed, leverage=2.5)
    noisy = nav * np.exp(np.random.default_rng(seed + 100).normal(0, 0.001, len(nav)))
    found = metrics.course(underlying, noisy, np.full(len(nav), 2.5))
    daily, other = underlying.daily(noisy), underlying.daily_returns
    assert found.volatility == pytest.approx(empyrical.annual_volatility(daily, annualization=365))
    assert found.beta == pytest.approx(empyrical.beta(daily, other))
    assert found.max_drawdown == pytest.approx(
        empyrical.max_drawdown(np.concatenate(([0.0], metrics.simple_returns(noisy))))
    )
    assert found.total_return == pytest.approx(empyrical.cum_returns_final(daily))
    years = found.days / 365
    assert found.growth_per_year == pytest.approx(
        np.log1p(empyrical.cagr(daily, annualization=len(daily) / years)), rel=1e-9
    )
    assert found.tracking_error == pytest.approx(
        empyrical.annual_volatility(daily - 2.5 * other, annualization=365)
    )


def test_days_end_at_midnight() -> None:
    """The close at 00:00 belongs to the day that it ends; a part of a day counts as one."""
    times = np.array([22, 23, 24, 25, 47, 48, 49], dtype=np.int64) * HOUR_MS
    underlying = Underlying(times, np.array([1.0, 2.0, 4.0, 5.0, 6.0, 8.0, 9.0]))
    assert underlying.day_ends.tolist() == [0, 2, 5, 6]
    assert underlying.daily_returns.tolist() == [3.0, 1.0, 0.125]


def test_a_day_without_a_close_is_joined_to_the_next() -> None:
    """A gap of two days gives one return, not one of zero."""
    times = np.array([0, 24, 96, 120], dtype=np.int64) * HOUR_MS
    underlying = Underlying(times, np.array([1.0, 2.0, 3.0, 6.0]))
    assert underlying.daily_returns.tolist() == [1.0, 0.5, 1.0]


@given(st.integers(0, 1_000), st.floats(-3, 3), st.floats(-0.002, 0.002), st.floats(0, 0.01))
def test_the_parts_of_growth_add_up(seed: int, leverage: float, paid: float, cost: float) -> None:
    """Level, path, funding and fees make the whole, whatever leverage did."""
    random = np.random.default_rng(seed)
    returns = random.normal(0, 0.01, 300)
    held = leverage + random.normal(0, 0.3, 300)
    steps = np.log1p(held * returns)
    steps[::50] += np.log1p(-cost)
    steps[10] += np.log1p(paid)
    nav = np.exp(np.concatenate(([0.0], np.cumsum(steps))))
    underlying = Underlying(np.arange(301, dtype=np.int64) * HOUR_MS, grown(returns))
    trades = np.array([(bar, cost) for bar in range(1, 301, 50)])
    found = metrics.growth(underlying, nav, np.append(held, 0.0), trades)
    assert found is not None
    parts = found.level + found.level_drag + found.variation_drag + found.path + found.funding + found.fees
    assert parts == pytest.approx(found.total, abs=1e-10)
    assert found.fees == pytest.approx(6 * np.log1p(-cost), abs=1e-12)
    assert found.funding == pytest.approx(np.log1p(paid), abs=1e-9)


def test_constant_leverage_has_neither_path_nor_variation() -> None:
    """All of its growth is level, and the drag is that of Avellaneda and Zhang: (b - b²)/2 x variance."""
    underlying, nav = a_course(1, leverage=3.0, hours=20_000)
    found = metrics.growth(underlying, nav, np.full(len(nav), 3.0), NO_TRADES)
    assert found is not None
    variance = float((underlying.logs**2).sum())
    assert found.level_drag == pytest.approx((3 - 9) / 2 * variance, rel=0.02)
    assert (found.path, found.variation_drag, found.funding, found.fees) == pytest.approx(
        (0, 0, 0, 0), abs=1e-9
    )


def test_variation_of_leverage_costs_half_its_variance() -> None:
    """At the same mean, a leverage that varies drags by half of Var(L) x variance more, and never less."""
    underlying, _ = a_course(2, hours=20_000)
    held = np.where(np.random.default_rng(3).random(20_001) < 0.5, 1.5, 3.0)
    nav = grown(held[:-1] * underlying.returns)
    found = metrics.growth(underlying, nav, held, NO_TRADES)
    assert found is not None
    variance = float((underlying.logs**2).sum())
    assert found.variation_drag == pytest.approx(-0.5 * 0.75**2 * variance, rel=0.03)


def test_a_fund_that_died_has_lost_everything() -> None:
    """Its growth is undefined, its return -100 %, and the rest is measured up to its last day alive."""
    underlying, nav = a_course(4, hours=300)
    nav[200:] = -0.01
    found = metrics.figures(underlying, nav, np.full(301, 2.0), NO_TRADES)
    assert (found["total_return"], found["max_drawdown"]) == (-1.0, -1.0)
    assert found["growth_per_year"] is None
    assert found["growth_total"] is None
    assert found["days"] == pytest.approx(199 / 24)


def test_a_fund_may_die_at_its_first_bar() -> None:
    """One that its venue liquidates there has figures like any other that died."""
    fund = FundSpec(capital=5e10, start_leverage=2.5, brackets=LARGEST)
    result = backtest(closes(1.0, 1.0, 1.0), fund)
    assert (result.liquidated, result.dead_at) == (True, int(result.times_ms[0]))
    assert (result.metrics["total_return"], result.metrics["days"]) == (-1.0, 0.0)
    json.dumps(result.to_json(), allow_nan=False)


def test_what_does_not_move_has_no_correlation() -> None:
    """Undefined figures are None."""
    times = np.arange(5, dtype=np.int64) * DAY_MS
    still = Underlying(times, np.ones(5))
    found = metrics.course(still, np.ones(5), np.full(5, 2.0))
    assert (found.correlation, found.beta) == (None, None)
    assert found.volatility == 0.0


def test_a_backtest_brings_its_figures() -> None:
    """The same as those of its arrays, ready for JSON; its parts of growth add up with fees and funding."""
    underlying, _ = a_course(7)
    times = underlying.times_ms[1::8]
    rates = np.full(len(times), 0.0002)
    prices = Prices(underlying.times_ms, underlying.prices, HOUR_MS)
    result = backtest(prices, FundSpec(), Interval(), funding=Funding(times, rates), costs=Costs(fee_bps=5))
    found = result.metrics
    parts = ("level", "level_drag", "variation_drag", "path", "funding", "fees")
    assert sum(found[f"growth_{part}"] or 0.0 for part in parts) == pytest.approx(np.log(result.final_nav))
    assert found["growth_fees"] == pytest.approx(-result.turnover * 5e-4, rel=0.01)
    assert (found["growth_funding"] or 0.0) < 0
    assert found["total_return"] == pytest.approx(result.final_nav - 1)
    json.dumps(found, allow_nan=False)
