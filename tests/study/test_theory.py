"""Closed forms of the theory of leveraged funds, against the loop that the engine is held equal to."""

from math import exp, log, sqrt

import numpy as np
import pytest

from bot.study import policies
from bot.study.metrics import Floats, annual_volatility
from bot.study.policies import BAND, EDGE, Policy
from bot.study.runs import policy_of
from bot.study.simulate import Gbm, generator, paths
from bot.study.spec import Costs, FundSpec, Side
from strategies.corridor import Corridor

DAY_MS = 86_400_000
NO_FUNDING = (np.empty(0, dtype=np.int64), np.empty(0))
NO_TIMES = (NO_FUNDING[0], NO_FUNDING[0])
SIGMA = 0.6


def a_policy(
    kind: int, sign: int, lower: float, upper: float, fee: float = 0.0, start: float = 2.0
) -> Policy:
    """A fund without an emergency leverage."""
    return Policy(kind, sign, lower, upper, 1e9, start, fee)


def follow(
    policy: Policy, closes: Floats, bar_ms: int, target: float
) -> tuple[policies.Run, Floats, Floats, Floats]:
    """Run a policy; its NAV and leverage at every bar, and its trades."""
    times = np.arange(len(closes), dtype=np.int64) * bar_ms
    nav, leverage, trades = np.empty(len(closes)), np.empty(len(closes)), np.empty((len(closes), 2))
    targets = np.array([target])
    run = policies.run(policy, closes, *NO_FUNDING, times, times, targets, nav, leverage, trades)
    return run, nav, leverage, trades[: run.rebalances]


@pytest.mark.parametrize("leverage", [3.0, 2.0, -1.0, -2.0, -3.0])
def test_constant_leverage_obeys_avellaneda_and_zhang(leverage: float) -> None:
    """NAV = (S_T / S_0)^b exp((b - b²)/2 x realised variance), for trading at every minute of a month."""
    sign = 1 if leverage > 0 else -1
    policy = a_policy(EDGE, sign, abs(leverage), abs(leverage), start=abs(leverage))
    for path in paths(Gbm(0.8), 30 * 1_440, 60_000, range(3), seed=2):
        _, nav, _, _ = follow(policy, path.closes, 60_000, abs(leverage))
        steps = np.diff(np.log(path.closes))
        change, variance = steps.sum(), (steps**2).sum()
        expected = exp(leverage * change + (leverage - leverage**2) / 2 * variance)
        assert nav[-1] == pytest.approx(expected, rel=5e-4)


@pytest.mark.parametrize(
    ("leverage", "expected"),
    [(3.0, 0.570698), (2.0, 0.832359), (-2.0, 0.570698), (-3.0, 0.315017), (1.0, 1.0)],
)
def test_constant_leverage_on_a_zigzag(leverage: float, expected: float) -> None:
    """Ten times +10 % and -1/11: buy and hold ends at 1, everything else below."""
    steps = np.array([1.0, *([1.1, 1 - 1 / 11] * 10)])
    closes = 100 * np.exp(np.cumsum(np.log(steps)))
    policy = a_policy(EDGE, 1 if leverage > 0 else -1, abs(leverage), abs(leverage), start=abs(leverage))
    run, _, _, _ = follow(policy, closes, DAY_MS, abs(leverage))
    assert run.value == pytest.approx(expected, abs=5e-7)


def exits(sign: int, count: int = 4_000, step_s: float = 600.0) -> tuple[Floats, Floats, Floats]:
    """Days to the exit, whether the low-leverage edge came first, and NAV there; from 2x, band 1.5 to 3.

    The edges are moved inward by 0.5826 sigma sqrt(step) in log price, for prices that are looked at in steps
    (Broadie, Glasserman and Kou 1997).
    """
    shift = 0.5826 * SIGMA * sqrt(step_s / (365 * 86_400))
    low, high = (log(0.75) + shift, log(1.5) - shift) if sign > 0 else (log(0.9) + shift, log(1.125) - shift)
    # leverage at price x from 2x: 2x / (1 + sign x 2 (x - 1))
    at = sorted(2 * exp(x) / (1 + sign * 2 * (exp(x) - 1)) for x in (low, high))
    bars = int(1_200 * 86_400 / step_s) if sign > 0 else int(150 * 86_400 / step_s)
    policy = a_policy(BAND, sign, at[0], at[1])
    found = []
    for path in paths(Gbm(SIGMA), bars, int(step_s * 1000), range(count), seed=3):
        trades = np.empty((1, 2))
        empty = np.empty(0)
        times = np.arange(bars, dtype=np.int64)
        policies.run(policy, path.closes, *NO_FUNDING, times, times, np.array([2.0]), empty, empty, trades)
        bar = int(trades[0, 0])
        price = path.closes[bar] / path.closes[0]
        found.append(
            (
                bar * step_s / 86_400,
                float(price > 1) if sign > 0 else float(price < 1),
                1 + sign * 2 * (price - 1),
            )
        )
    days, first, nav = np.array(found).T
    return days, first, nav


@pytest.mark.parametrize(("sign", "probability", "mean_days"), [(1, 1 / 3, 114.84), (-1, 5 / 9, 12.54)])
def test_exit_times_and_sides_are_those_of_the_closed_form(
    sign: int, probability: float, mean_days: float
) -> None:
    """UP by low leverage with 1/3, after 114.84 days on average; DOWN by 3x with 4/9, after 12.54."""
    count = 400 if sign > 0 else 1_500
    days, first, nav = exits(sign, count, 3_600.0 if sign > 0 else 600.0)
    assert abs(days.mean() - mean_days) < 4 * days.std() / sqrt(count)
    assert abs(first.mean() - probability) < 4 * sqrt(probability * (1 - probability) / count)
    assert abs(nav.mean() - 1) < 4 * nav.std() / sqrt(count)


@pytest.mark.parametrize(("side", "target"), [("long", 2.0), ("short", 2.0)])
def test_the_corridor_costs_and_tracks_as_the_theory_says(side: str, target: float) -> None:
    """Cost per year = e s² L² (L - 1)² / (4 d), tracking error = s d / sqrt(3), for a small half-width d."""
    strategy = Corridor(target=target, cost_bps=10.0, aversion=30.0)
    fund = FundSpec(side=side, start_leverage=target)  # type: ignore[arg-type]
    policy = policy_of(fund, strategy, Costs(fee_bps=5.0))
    assert policy is not None
    signed = target * fund.sign
    width = (3 * 1e-3 * (signed * (signed - 1)) ** 2 / (4 * 30)) ** (1 / 3)
    assert policy.upper - policy.lower == pytest.approx(2 * width)
    bar_ms, bars = 60_000, 365 * 1_440
    costs, errors = [], []
    for path in paths(Gbm(SIGMA), bars, bar_ms, range(4), seed=4):
        _, _, leverage, trades = follow(policy, path.closes, bar_ms, target)
        returns = np.diff(path.closes) / path.closes[:-1]
        missed = (leverage[:-1] - signed) * returns
        errors.append(annual_volatility(missed, per_year=365 * 1_440) or 0.0)
        costs.append(trades[:, 1].sum())
    cost = 1e-3 * SIGMA**2 * (signed * (signed - 1)) ** 2 / (4 * width)
    assert np.mean(costs) == pytest.approx(cost, rel=0.06)
    assert np.mean(errors) == pytest.approx(SIGMA * width / sqrt(3), rel=0.06)


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("volatility", [0.3, 0.9])
def test_no_other_width_is_better_whatever_the_volatility(side: Side, volatility: float) -> None:
    """Cost + aversion / 2 x variance of tracking is least at the corridor's width, in calm and wild markets.

    By theory half the width costs 1.42 times as much, and twice the width 1.67 times: volatility cancels.
    """
    aversion = 30.0
    fund = FundSpec(side=side, start_leverage=2.0)
    policy = policy_of(fund, Corridor(target=2.0, cost_bps=10.0, aversion=aversion), Costs(fee_bps=5.0))
    assert policy is not None
    width, bar_ms = (policy.upper - policy.lower) / 2, 60_000
    price = {}
    for times in (0.5, 1.0, 2.0):
        scaled = policy._replace(lower=2.0 - times * width, upper=2.0 + times * width)
        spent = missed = 0.0
        for path in paths(Gbm(volatility), 365 * 1_440, bar_ms, range(2), seed=6):
            _, _, leverage, trades = follow(scaled, path.closes, bar_ms, 2.0)
            returns = np.diff(path.closes) / path.closes[:-1]
            spent += trades[:, 1].sum() / 2
            missed += ((leverage[:-1] - 2.0 * fund.sign) * returns).var() * 365 * 1_440 / 2
        price[times] = spent + aversion / 2 * missed
    assert price[0.5] / price[1.0] == pytest.approx(4.25 / 3, rel=0.15)
    assert price[2.0] / price[1.0] == pytest.approx(5 / 3, rel=0.15)


@pytest.mark.parametrize(
    ("sign", "targets", "rebalances", "turnover"),
    [
        (1, (2.25, 2.25), 4.12, 3.09),
        (1, (1.8, 2.6), 4.00, 3.11),
        (1, (1.5, 3.0), 5.14, 3.85),
        (-1, (2.25, 2.25), 31.1, 23.4),
        (-1, (1.8, 2.6), 33.0, 25.0),
        (-1, (1.5, 3.0), 44.7, 33.5),
    ],
)
def test_bands_rebalance_as_often_as_renewal_theory_says(
    sign: int, targets: tuple[float, float], rebalances: float, turnover: float
) -> None:
    """Rebalances a year and turnover for targets of these ranges, without drift at 60 %, at 5 bps a side."""
    step_s, years, count = 1_800.0, 10, 60
    shift = exp(0.5826 * SIGMA * sqrt(step_s / (365 * 86_400)))  # as in `exits`

    def nearer(edge: float, factor: float) -> float:
        """Where leverage is when the price is so much nearer than that of the edge."""
        return edge * factor / (1 - sign * edge + sign * edge * factor)

    lower = nearer(1.5, 1 / shift if sign > 0 else shift)
    upper = nearer(3.0, shift if sign > 0 else 1 / shift)
    policy = a_policy(BAND, sign, lower, upper, fee=5e-4, start=2.25)
    empty, none = np.empty(0), np.empty((0, 2))
    found = []
    for path in paths(
        Gbm(SIGMA), int(years * 365 * 86_400 / step_s), int(step_s * 1000), range(count), seed=7
    ):
        drawn = targets[0] + (targets[1] - targets[0]) * generator(7, path.number, 1).random(4_096)
        run = policies.run(policy, path.closes, *NO_FUNDING, *NO_TIMES, drawn, empty, empty, none)
        found.append((run.rebalances / years, run.turnover / years))
    for measured, expected in zip(np.array(found).T, (rebalances, turnover), strict=True):
        assert abs(measured.mean() - expected) < 4 * measured.std() / sqrt(count) + 0.005 * expected


@pytest.mark.parametrize(("leverage", "turnover"), [(3.0, 54.9), (-3.0, 109.8)])
def test_a_daily_token_turns_over_what_its_returns_demand(leverage: float, turnover: float) -> None:
    """(L² - L) x the mean size of a day's return, 365 times a year."""
    sign = 1 if leverage > 0 else -1
    policy = a_policy(EDGE, sign, abs(leverage), abs(leverage), start=abs(leverage))
    runs = [
        follow(policy, path.closes, DAY_MS, abs(leverage))[0]
        for path in paths(Gbm(SIGMA), 366, DAY_MS, range(400), seed=8)
    ]
    assert np.mean([run.turnover for run in runs]) == pytest.approx(turnover, rel=0.03)


def test_growth_without_drift_is_half_the_squared_leverage() -> None:
    """Without drift E[ln NAV] per year is -s²/2 x E[L²], for a band as for anything else."""
    policy = a_policy(BAND, 1, 1.5, 3.0)
    found, expected = [], []
    for path in paths(Gbm(SIGMA), 365 * 24, 3_600_000, range(600), seed=5):
        _, nav, leverage, _ = follow(policy, path.closes, 3_600_000, 2.2)
        found.append(log(nav[-1]))
        expected.append(-(SIGMA**2) / 2 * float((leverage**2).mean()))
    gap = np.array(found) - np.array(expected)
    assert abs(gap.mean()) < 4 * gap.std() / sqrt(len(gap))
