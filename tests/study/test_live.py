"""The same prices live: the engine that trades decides as the backtest does."""

from decimal import Decimal

import pytest

from bot.core.records import Kind, RebalanceStarted
from bot.core.strategy import Strategy
from bot.study import Costs, FundSpec, backtest
from bot.testing import Lab, a_contract, a_fund
from strategies.interval import Interval
from strategies.strategic import Strategic
from tests.study.builders import DAY_MS, closes

WALKS = {
    "up": (60_000, 66_000, 92_500, 120_000, 150_000),
    "down": (60_000, 52_000, 44_500, 39_000, 33_000),
    "crash": (60_000, 40_000, 31_000, 45_000, 70_000),
}


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("strategy", [Strategic(0), Interval(at="", move=0.1), Interval(at="00:00", move=0)])
def test_live_and_backtest_decide_alike(strategy: Strategy, side: str, walk: tuple[float, ...]) -> None:
    """The same rebalances, for the same reasons, to the same targets, at the same prices."""
    target = "3" if isinstance(strategy, Interval) else "2.2"
    fund = a_fund(
        side="long" if side == "long" else "short",
        strategy=strategy,
        target=(target, target),
        start_leverage=target,
        emergency="4" if isinstance(strategy, Interval) else None,
    )
    lab = Lab(fund, a_contract(taker_fee="0"), start=str(walk[0]))
    lab.settle()
    opened = len(lab.records)
    start_ms = lab.time_ms
    for day, price in enumerate(walk[1:], start=1):
        lab.mark(str(price), after_s=(start_ms + day * DAY_MS - lab.time_ms) / 1000)
        lab.settle()
    started = [record for record in lab.records[opened:] if isinstance(record, RebalanceStarted)]
    live = [record for record in started if record.kind is not Kind.FLATTEN]  # what death leaves to do
    spec = FundSpec(
        side="long" if side == "long" else "short",
        start_leverage=float(target),
        target_range=(float(target), float(target)),
        band=(1.5, 3.0),
    )
    prices = closes(*walk, start_ms=start_ms, bar_ms=DAY_MS)
    found = backtest(prices, spec, strategy, costs=Costs())
    decided = [(row.kind, row.reason, Decimal(str(row.target)), row.price) for row in found.rebalances]
    assert [(r.kind.value, r.reason, r.target, float(r.mark)) for r in live] == decided
