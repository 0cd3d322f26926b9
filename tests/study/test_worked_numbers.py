"""Numbers that can be worked out by hand, to the digits given."""

import numpy as np
import pytest

from bot.study import Costs, FundSpec, backtest
from tests.study.builders import Always, Stubborn, closes

FOUNDING = np.cumprod([1.0, 0.95, 1.15, 0.90, 1.30, 1.30])


def test_the_founding_example() -> None:
    """$100M at 2x over -5, +15, -10, +30, +30 %: exposure 332, then 465 at 2x from a fund value of 232.5."""
    fund = FundSpec(capital=100e6, target_range=(2.0, 2.0))
    unlevered = backtest(closes(*FOUNDING), fund, Stubborn())
    exposure = unlevered.position * unlevered.prices.close / 1e6
    assert exposure == pytest.approx([200, 190, 218.5, 196.65, 255.645, 332.339], abs=5e-4)
    assert unlevered.leverage == pytest.approx([2, 2.111, 1.844, 2.035, 1.6425, 1.430], abs=5e-4)
    found = backtest(closes(*FOUNDING), fund)
    (row,) = found.rebalances
    assert row.leverage_before == pytest.approx(1.430, abs=5e-4)
    assert row.position_after * row.price / 1e6 == pytest.approx(464.677, abs=5e-4)


def test_thirty_per_cent_alone_trades_nothing() -> None:
    """From 2x exposure 260, fund value 160, leverage 1.625."""
    found = backtest(closes(1.0, 1.3), FundSpec(capital=100.0))
    assert found.rebalance_count == 0
    assert found.value[-1] == pytest.approx(160)
    assert found.leverage[-1] == pytest.approx(1.625)


@pytest.mark.parametrize(
    ("side", "start", "inside", "outside", "nav"),
    [
        ("long", 2.0, 1.5, 1.5001, 2.0),
        ("long", 2.0, 0.75, 0.7499, 0.5),
        ("short", 2.0, 0.9, 0.8999, 1.2),
        ("short", 2.0, 1.125, 1.1251, 0.75),
        ("long", 2.5, 1.8, 1.8001, 3.0),
        ("long", 2.5, 0.9, 0.8999, 0.75),
        ("short", 2.5, 0.84, 0.8399, 1.4),
        ("short", 2.5, 1.05, 1.0501, 0.875),
    ],
)
def test_the_edges_of_the_band_are_prices(
    side: str, start: float, inside: float, outside: float, nav: float
) -> None:
    """From 2x long 1.5x at +50 %, 3x at -25 %; short at -10 % and +12.5 %. Outside is strict."""
    fund = FundSpec(side="long" if side == "long" else "short", start_leverage=start, capital=1.0)
    at_edge = backtest(closes(1.0, inside * (1 + 1e-12 * np.sign(1 - inside))), fund)
    assert at_edge.rebalance_count == 0
    assert at_edge.nav[-1] == pytest.approx(nav)
    assert backtest(closes(1.0, outside), fund).rebalance_count == 1


def test_a_fund_of_150_coins_with_debt() -> None:
    """Value 11,500 at 210 with -20,000: leverage 2.739; at 3x it buys 14.286 and holds 164.286."""
    fund = FundSpec(capital=10_000.0, start_leverage=3.0, band=(1.5, 3.4))
    found = backtest(closes(200.0, 210.0), fund, Always(3.0))
    row = found.rebalances[-1]
    assert row.position_before == pytest.approx(150)
    assert row.leverage_before == pytest.approx(2.739, abs=5e-4)
    assert row.position_after == pytest.approx(164.286, abs=5e-4)


@pytest.mark.parametrize(
    ("value", "start", "move", "after", "before", "target", "traded"),
    [
        (200, 3.0, 1.05, 230, 2.739, 690, 60),
        (100, 3.0, 1.05, 115, 2.739, 345, 30),
        (100, 3.0, 0.90, 70, 3.857, 210, -60),
        (100, 3.0, 1.10, 130, 2.538, 390, 60),
    ],
)
def test_conventional_rebalancing(
    value: float, start: float, move: float, after: float, before: float, target: float, traded: float
) -> None:
    """A 3x fund after +-5 and 10 %."""
    fund = FundSpec(capital=value, start_leverage=start, band=(1.5, 3.9))
    found = backtest(closes(1.0, move), fund, Always(3.0))
    row = found.rebalances[-1]
    assert found.value[-1] == pytest.approx(after)
    assert row.leverage_before == pytest.approx(before, abs=5e-4)
    assert row.position_after * move == pytest.approx(target)
    assert (row.position_after - row.position_before) * move == pytest.approx(traded)


@pytest.mark.parametrize(("side", "limit"), [("long", 8 / 9), ("short", 1 + 1 / 15)])
def test_four_times_is_reached(side: str, limit: float) -> None:
    """By a 3x long at -11.11 %, by a 3x short at +6.67 %; inclusive."""
    fund = FundSpec(side="long" if side == "long" else "short", start_leverage=3.0, capital=1.0)
    near, at = (limit * (1 + shift * np.sign(1 - limit)) for shift in (1e-4, -1e-9))
    parameters = {"at": "", "move": 0}
    assert backtest(closes(1.0, near), fund, "interval", parameters=parameters).rebalance_count == 0
    (row,) = backtest(closes(1.0, at), fund, "interval", parameters=parameters).rebalances
    assert row.reason == "max leverage"


def test_a_dead_fund_is_never_sized() -> None:
    """2 coins and 1,000 of debt at 400: value -200, and no trade by the naive leverage of -4."""
    fund = FundSpec(capital=1_000.0, start_leverage=2.0)
    found = backtest(closes(1_000.0, 400.0), fund)
    assert found.final_value == pytest.approx(-200)
    assert (found.dead, found.rebalance_count, found.dead_at) == (True, 0, found.times_ms[1])


@pytest.mark.parametrize(
    ("side", "leverage", "nav"),
    [("long", 3.0, 0.570698), ("long", 2.0, 0.832359), ("short", 2.0, 0.570698), ("short", 3.0, 0.315017)],
)
def test_constant_leverage_on_a_zig_zag(side: str, leverage: float, nav: float) -> None:
    """(+10 %, -1/11) ten times, rebalanced at every bar; buy and hold ends at 1."""
    prices = np.cumprod([1.0] + [1.1, 10 / 11] * 10)
    fund = FundSpec(
        side="long" if side == "long" else "short", start_leverage=leverage, band=(1.1, 9.0), emergency=100.0
    )
    found = backtest(closes(*prices), fund, Always(leverage))
    assert found.final_nav == pytest.approx(nav, abs=5e-7)


@pytest.mark.parametrize(
    ("before", "target", "traded"), [(1.5, 2.25, 75), (3.0, 2.25, -75), (1.5, 2.0, 50), (3.0, 2.0, -100)]
)
def test_trades_at_fund_value_100(before: float, target: float, traded: float) -> None:
    """From an edge of the band to the target."""
    fund = FundSpec(capital=100.0, start_leverage=before)
    row = backtest(closes(1.0, 1.0), fund, Always(target)).rebalances[0]
    assert row.position_after - row.position_before == pytest.approx(traded)


@pytest.mark.parametrize("target", [1.7, 2.9])
def test_fees_come_out_of_the_fund_and_leave_the_target(target: float) -> None:
    """E' = T (V + f E) / (1 + T f) when increasing, T (V - f E) / (1 - T f) when reducing."""
    fee = 0.01
    row = backtest(
        closes(1.0, 1.0), FundSpec(capital=100.0), Always(target), costs=Costs(fee_bps=100)
    ).rebalances[0]
    sign = 1 if target > 2 else -1
    expected = target * (100 + sign * fee * 200) / (1 + sign * target * fee)
    assert row.position_after == pytest.approx(expected, rel=1e-12)
    assert row.fee == pytest.approx(fee * abs(expected - 200))
    assert row.leverage_after == pytest.approx(target, rel=1e-12)
