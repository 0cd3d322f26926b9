"""The rules of a backtest: what happens at which bar, in which order."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest

from bot.core.strategy import Decision, FundView
from bot.study import Costs, FixedSlippage, FundSpec, SquareRootImpact, StudyError, backtest, brackets_from
from bot.study.kernels import FixedBand, nav_series, stretches_of
from tests.study.builders import (
    DAY_MS,
    HOUR_MS,
    MIDNIGHT_MS,
    MINUTE_MS,
    Always,
    Stubborn,
    bars,
    closes,
    payments,
    random_walk,
)


def test_the_position_is_given_at_the_first_close() -> None:
    """NAV 1 there; no trade, no fee."""
    found = backtest(closes(100.0, 101.0), FundSpec(capital=500.0), costs=Costs(fee_bps=50))
    assert found.nav[0] == 1.0
    assert found.position[0] == 10.0
    assert (found.rebalance_count, found.fees) == (0, 0.0)


def test_funding_is_paid_at_the_first_close_at_or_after_it() -> None:
    """To the position of before that bar's decision, at that close; stamps are floored to the minute."""
    prices = closes(100.0, 160.0, 160.0)  # leaves the band at the second close
    fund = FundSpec(capital=100.0, target_range=(2.0, 2.0))
    found = backtest(prices, fund, funding=payments((MIDNIGHT_MS + MINUTE_MS + 37, 0.01)))
    assert found.funding == pytest.approx(-2 * 160 * 0.01)
    value = 100 + 120 - 3.2
    assert found.rebalances[0].leverage_before == pytest.approx(320 / value)


def test_short_funds_receive_positive_funding() -> None:
    """Cash falls by signed position x price x rate."""
    fund = FundSpec(side="short", capital=100.0)
    found = backtest(closes(100.0, 100.0), fund, funding=payments((MIDNIGHT_MS + MINUTE_MS, 0.01)))
    assert found.funding == pytest.approx(2.0)
    assert found.final_value == pytest.approx(102.0)


def test_funding_outside_the_prices_is_counted() -> None:
    """Before the first bar opens, or after the last close; it is not applied."""
    early, late = MIDNIGHT_MS - 2 * MINUTE_MS, MIDNIGHT_MS + 2 * MINUTE_MS
    found = backtest(closes(100.0, 100.0), FundSpec(), funding=payments((early, 0.1), (late, 0.1)))
    assert found.funding == 0.0
    assert found.warnings == ("funding: 2 payments outside the prices, not applied",)


def test_gaps_are_kept_and_counted() -> None:
    """The bar length is the most common spacing."""
    times = np.array([0, 1, 2, 5, 6, 9]) * MINUTE_MS + MIDNIGHT_MS
    from bot.study import from_arrays

    prices = from_arrays(times, np.full(6, 100.0))
    assert prices.bar_ms == MINUTE_MS
    assert backtest(prices, FundSpec()).warnings == ("prices: 2 gaps with 4 missing bars, kept as they are",)


def test_the_emergency_leverage_is_enforced() -> None:
    """Whatever the strategy says; inclusive."""
    fund = FundSpec(capital=1.0, target_range=(2.0, 2.0))
    price = 0.7  # 2x becomes 3.5x
    assert backtest(closes(1.0, price * 1.001), fund, Stubborn()).rebalance_count == 0
    (row,) = backtest(closes(1.0, price), fund, Stubborn()).rebalances
    assert (row.kind, row.reason, row.leverage_after) == ("band", "emergency leverage", pytest.approx(2.0))


def test_death_comes_first() -> None:
    """At a value of zero or less the fund stops, and what comes after is not looked at."""
    found = backtest(closes(1.0, 0.5, 2.0), FundSpec(capital=1.0), Always(2.5))
    assert (found.dead, found.dead_at) == (True, MIDNIGHT_MS + MINUTE_MS)
    assert found.rebalances[-1].time == MIDNIGHT_MS
    assert np.isnan(found.leverage[1:]).all()
    assert found.to_json()["dead_at"] == MIDNIGHT_MS + MINUTE_MS


def test_interval_fires_at_the_first_close_at_or_after_its_time() -> None:
    """Also where that bar is missing."""
    from bot.study import from_arrays

    hours = np.array([20, 21, 22, 25, 26])  # the bar of 00:00 is missing
    prices = from_arrays(MIDNIGHT_MS - DAY_MS + HOUR_MS * (hours - 1), 100 + np.arange(5.0))
    fund = FundSpec(start_leverage=3.0)
    found = backtest(prices, fund, "interval", parameters={"at": "00:00", "move": 0})
    assert [row.time for row in found.rebalances] == [MIDNIGHT_MS + HOUR_MS]


def test_interval_moves_from_the_last_rebalance() -> None:
    """10 % from the start, then 10 % from there; inclusive."""
    fund = FundSpec(start_leverage=2.0, target_range=(2.0, 2.0))
    found = backtest(closes(100.0, 109.9, 110.0, 120.9, 121.0), fund, "interval", parameters={"at": ""})
    assert [row.price for row in found.rebalances] == [110.0, 121.0]


def test_a_strategy_that_ignores_the_band_makes_scheduled_rebalances() -> None:
    """The target of the fund counts where it is one leverage; a parameter beats it."""
    fund = FundSpec(start_leverage=2.0, target_range=(2.0, 2.0))
    prices = closes(100.0, 150.0)
    (row,) = backtest(prices, fund, "interval").rebalances
    assert (row.kind, row.target) == ("schedule", 2.0)
    (row,) = backtest(prices, fund, "interval", parameters={"target": "2.5"}).rebalances
    assert row.target == 2.5


def test_targets_are_drawn_from_the_seed() -> None:
    """The same seed, the same targets; inside the range, and different for each rebalance."""
    prices = closes(*random_walk(3, 4_000, 0.02))
    one, again, other = (backtest(prices, FundSpec(), seed=seed) for seed in (1, 1, 2))
    assert one.rebalances == again.rebalances
    assert one.rebalances[0].target != other.rebalances[0].target
    targets = [row.target for row in one.rebalances]
    assert len(targets) > 5
    assert all(1.8 <= target <= 2.6 for target in targets)
    assert len(set(targets)) == len(targets)


def test_leveraging_up_is_confirmed_where_asked() -> None:
    """It fills at the first close at or after the deadline, and not if the band was entered before."""
    fund = FundSpec(target_range=(2.0, 2.0))
    stays, returns = [100.0, *[155.0] * 90], [100.0, 155.0, 149.0, *[155.0] * 90]
    asked = {"confirmation_s": 3600}
    (row,) = backtest(closes(*stays), fund, parameters=asked, seed=5).rebalances
    delay_ms = row.time - (MIDNIGHT_MS + MINUTE_MS)
    assert 0 < delay_ms <= HOUR_MS
    (later,) = backtest(closes(*returns), fund, parameters=asked, seed=5).rebalances
    assert later.time > MIDNIGHT_MS + 3 * MINUTE_MS
    assert backtest(closes(*stays), fund).rebalances[0].time == MIDNIGHT_MS + MINUTE_MS


def test_delevering_is_never_delayed() -> None:
    """Above the band it trades at once."""
    fund = FundSpec(target_range=(2.0, 2.0))
    (row,) = backtest(closes(100.0, 74.0, 74.0), fund, parameters={"confirmation_s": 3600}).rebalances
    assert row.time == MIDNIGHT_MS + MINUTE_MS


def test_trades_are_whole_lots_toward_zero() -> None:
    """The target is not passed."""
    fund = FundSpec(capital=100.0, lot=0.7, target_range=(2.0, 2.0))
    (row,) = backtest(closes(1.0, 1.6), fund).rebalances
    lots = (row.position_after - row.position_before) / 0.7
    assert lots == pytest.approx(round(lots))
    assert 2.0 - 0.7 * 1.6 / 220 < row.leverage_after <= 2.0


def test_an_increase_below_the_minimum_is_not_made() -> None:
    """It is counted; a reduction may be of any size."""
    small = FundSpec(capital=100.0, min_notional=1_000.0, target_range=(2.0, 2.0))
    found = backtest(closes(1.0, 1.6), small)
    assert (found.rebalance_count, found.warnings) == (
        0,
        ("1 decisions to increase were below min_notional 1000; not traded",),
    )
    assert backtest(closes(1.0, 0.74), small).rebalance_count == 1


def test_the_management_fee_is_taken_at_midnight() -> None:
    """At the first close at or after each 00:00 UTC, of the value there; the first day by its hours."""
    prices = closes(*[100.0] * 49, start_ms=MIDNIGHT_MS + 6 * HOUR_MS, bar_ms=HOUR_MS)
    found = backtest(prices, FundSpec(capital=100.0, management_fee_daily=0.01))
    assert found.nav[17] == 1.0
    assert found.nav[18] == pytest.approx(1 - 0.01 * 18 / 24)
    assert found.final_value == pytest.approx(100 * (1 - 0.01 * 18 / 24) * 0.99)
    assert found.management_fees == pytest.approx(100 - found.final_value)


@pytest.mark.parametrize("side", ["long", "short"])
def test_a_fee_that_takes_the_rest_ends_a_fund_and_never_turns_it_round(
    side: Literal["long", "short"],
) -> None:
    """At 200x a fee of 1 % is twice the value: all is sold, the position is zero, and the fund is dead.

    The kernel says the same; a naive solution of the target formula would go short, and live on.
    """
    fall = 0.5 / 0.9975 if side == "long" else 1.5 * 0.9983
    prices = closes(1.0, fall, fall, 5.0 if side == "long" else 0.2)
    found = backtest(prices, FundSpec(side=side, capital=1.0), costs=Costs(fee_bps=100))
    assert found.rebalances[0].leverage_before > 100
    assert found.rebalances[0].position_after == 0
    assert found.dead_at == prices.times_ms[2]
    kernel = nav_series(stretches_of(prices), FixedBand(1.5, 3.0, 2.2), side=side, fee_bps=100)
    assert (kernel.rebalances, kernel.dead_bar) == (1, 2)
    assert kernel.nav == pytest.approx(found.nav)


@pytest.mark.parametrize("side", ["long", "short"])
def test_a_fund_that_its_own_fee_ends_at_the_last_bar_is_dead_as_well(side: Literal["long", "short"]) -> None:
    """No later bar tells, and a result with a value below zero that claims to live would be ranked."""
    fall = 0.5 / 0.9975 if side == "long" else 1.5 * 0.9983
    prices = closes(1.0, fall)
    found = backtest(prices, FundSpec(side=side, capital=1.0), costs=Costs(fee_bps=100))
    assert found.final_value < 0
    assert (found.dead, found.dead_at, found.rebalance_count) == (True, prices.times_ms[1], 1)
    kernel = nav_series(stretches_of(prices), FixedBand(1.5, 3.0, 2.2), side=side, fee_bps=100)
    assert (kernel.rebalances, kernel.dead_bar) == (1, 1)
    assert kernel.nav == pytest.approx(found.nav)


def test_slippage_worsens_the_fill() -> None:
    """Fixed: a buy 100 bps above the mark; the cost is out of the fund."""
    fund = FundSpec(capital=100.0, target_range=(2.0, 2.0))
    found = backtest(closes(1.0, 1.6), fund, costs=Costs(slippage=FixedSlippage(100)))
    (row,) = found.rebalances
    quantity = row.position_after - row.position_before
    assert row.fill_price == pytest.approx(1.616)
    assert found.slippage == pytest.approx(quantity * 0.016)
    assert found.final_value == pytest.approx(220 - found.slippage)


def test_square_root_impact_grows_with_the_root_of_size() -> None:
    """Four times the fund costs twice as many bps; without volumes the model cannot be used."""
    rows = [(100.0, 101.0, 99.0, 100.0 + (i % 2)) for i in range(100)] + [(160.0, 160.0, 160.0, 160.0)]
    costs = Costs(slippage=SquareRootImpact())
    cost = [
        backtest(bars(*rows, volume=1e6), FundSpec(capital=c, target_range=(2.0, 2.0)), costs=costs)
        .rebalances[0]
        .fill_price
        / 160
        - 1
        for c in (1e5, 4e5)
    ]
    assert cost[1] / cost[0] == pytest.approx(2, rel=1e-3)
    with pytest.raises(StudyError, match="volume"):
        backtest(closes(1.0, 2.0), FundSpec(), costs=costs)


def test_a_walk_sees_what_happens_inside_a_bar() -> None:
    """A low that leaves the band trades on the way down, near the edge and not at the low."""
    prices = bars((100.0, 101.0, 60.0, 100.0), (100.0, 100.0, 100.0, 100.0))
    fund = FundSpec(target_range=(2.0, 2.0), brackets=())
    assert backtest(prices, fund).rebalance_count == 0
    found = backtest(prices, fund, path="ohlc")
    assert found.rebalances[0].leverage_before == pytest.approx(3.0, abs=0.02)
    assert found.rebalances[0].price == pytest.approx(75.0, rel=2e-3)
    assert found.rebalances[0].time < MIDNIGHT_MS + MINUTE_MS
    assert len(found.nav) == 2


def test_a_walk_visits_high_and_low_in_the_order_asked() -> None:
    """`ohlc` the high first, `olhc` the low."""
    prices = bars((100.0, 160.0, 70.0, 100.0), (100.0, 100.0, 100.0, 100.0))
    fund = FundSpec(target_range=(2.0, 2.0), brackets=())
    up = backtest(prices, fund, path="ohlc").rebalances[0]
    down = backtest(prices, fund, path="olhc").rebalances[0]
    assert up.leverage_before < 1.5
    assert down.leverage_before > 3.0


def test_a_walk_ends_a_bar_at_its_close() -> None:
    """NAV at the bars is NAV at their closes, and values between rebalances agree with the closes alone."""
    rows = [(100.0 + i, 102.0 + i, 99.0 + i, 101.0 + i) for i in range(20)]
    fund = FundSpec(start_leverage=2.0, brackets=())
    found = backtest(bars(*rows), fund, Stubborn(), path="olhc")
    assert found.nav == pytest.approx([1 + 2 * (row[3] / 100 - 1) for row in rows])


def test_the_venue_liquidates_by_brackets() -> None:
    """Value at or below the maintenance margin: nothing is left. Without brackets the fund lives on."""
    steep = brackets_from([(1e12, 0.4)])
    fund = FundSpec(capital=100.0, brackets=steep)
    found = backtest(closes(1.0, 0.8, 1.0), fund)  # leverage 2.67, above 1 / 0.4
    assert (found.liquidated, found.dead, found.final_value) == (True, True, 0.0)
    assert "liquidated" in found.warnings[0]
    assert not backtest(closes(1.0, 0.8, 1.0), FundSpec(capital=100.0)).dead


def test_liquidation_is_on_where_the_path_walks() -> None:
    """By the largest symbol's brackets; a huge fund is liquidated where a small one is not."""
    rows = ((100.0, 100.0, 77.0, 80.0), (80.0, 80.0, 80.0, 80.0))
    assert backtest(bars(*rows), FundSpec(capital=2e9), path="ohlc").liquidated
    assert not backtest(bars(*rows), FundSpec(capital=1e6), path="ohlc").liquidated
    assert not backtest(bars(*rows), FundSpec(capital=2e9)).liquidated


def test_a_walk_needs_bars() -> None:
    """Closes alone do not tell what happened inside."""
    with pytest.raises(StudyError, match="path ohlc needs open, high and low"):
        backtest(closes(1.0, 2.0), FundSpec(), path="ohlc")


@dataclass(frozen=True)
class Watcher:
    """Notes what volatility it was shown, in a list that it was given."""

    seen: list[tuple[float, float | None]]

    def decide(self, view: FundView) -> Decision:
        """Hold for ever."""
        self.seen.append((view.time_s, view.volatility))
        return view.hold_between(0.0, 100.0)


def test_a_strategy_that_reads_volatility_is_asked_at_each_sample() -> None:
    """Once an hour, for it changes then; a strategy that does not read it is not."""
    seen: list[tuple[float, float | None]] = []
    prices = closes(*random_walk(8, 200, 0.001), start_ms=MIDNIGHT_MS + 30 * MINUTE_MS)
    backtest(prices, FundSpec(), Watcher(seen))
    assert [time_s / 3600 % 24 for time_s, _ in seen] == [0.5, 1, 2, 3]
    assert [volatility is None for _, volatility in seen] == [True, False, False, False]
    assert backtest(prices, FundSpec(), Stubborn()).decisions == 1
