"""The same prices live: the engine that trades decides as the backtest does."""

from dataclasses import dataclass, replace
from decimal import Decimal
from hashlib import sha256
from typing import Literal

import pytest

from bot.core import commands as cmd
from bot.core import draws
from bot.core import events as ev
from bot.core.flow_records import FeeCharged
from bot.core.records import (
    ConfirmationCancelled,
    ConfirmationStarted,
    FundState,
    Kind,
    RebalanceSkipped,
    RebalanceStarted,
    StateChanged,
)
from bot.core.strategy import Decision, FundView, Rebalance, Strategy
from bot.study import FundSpec, Result, backtest
from bot.testing import Lab, a_contract, a_fund
from strategies.corridor import Corridor
from strategies.interval import Interval
from strategies.recenter import Recenter
from strategies.strategic import Strategic
from tests.study.builders import DAY_MS, HOUR_MS, Stubborn, closes, random_walk

SIDES = ("long", "short")
WALKS = {
    "up": (60_000, 66_000, 92_500, 120_000, 150_000),
    "down": (60_000, 52_000, 44_500, 39_000, 33_000),
    "crash": (60_000, 40_000, 31_000, 45_000, 70_000),
    "slide": (60_000, 45_500, 42_000, 41_000, 38_000),
}


class Twin(Lab):
    """A laboratory whose fund has the key and the draws of the backtest with seed 0."""

    key = ""

    def carry_out(self, command: cmd.Command) -> ev.Event:
        """Secrets are those of the backtest."""
        if isinstance(command, cmd.DrawSecrets):
            u = draws.digits(self.key, "band", command.sequence)
            return ev.Drawn(*self.now, command.sequence, u, f"{command.sequence:064x}")
        return super().carry_out(command)


@dataclass
class Pair:
    """One course, live and in a backtest."""

    live: Lab
    opened: int
    found: Result

    def same_rebalances(self) -> int:
        """See that both decided alike, at the same marks; how many rebalances there were."""
        records = self.live.records[self.opened :]
        started = [record for record in records if isinstance(record, RebalanceStarted)]
        live = [r for r in started if r.kind is not Kind.FLATTEN]  # what death leaves to do
        found = self.found.rebalances
        assert [(r.time_ms, r.kind.value, r.reason, float(r.mark)) for r in live] == [
            (r.time, r.kind, r.reason, r.price) for r in found
        ]
        # A target part of the way from where leverage is knows the lots of the opening.
        assert [float(r.target) for r in live] == pytest.approx([r.target for r in found], rel=1e-6)
        return len(live)

    def death(self) -> tuple[int | None, int | None]:
        """When the fund died, live and in the backtest."""
        dead = [record.time_ms for record in self.live.of(StateChanged) if record.state is FundState.DEAD]
        return dead[0] if dead else None, self.found.dead_at


def both(
    walk: tuple[float, ...],
    strategy: Strategy,
    side: str,
    *,
    target: tuple[str, str] = ("2.2", "2.2"),
    emergency: str | None = None,
    fee_daily: str = "0",
    bar_ms: int = DAY_MS,
) -> Pair:
    """Run a fund without fees through the same prices both ways, from its target on."""
    literal: Literal["long", "short"] = "long" if side == "long" else "short"
    name, start = {"long": "BTCUP", "short": "BTCDOWN"}[side], target[1]
    fund = a_fund(side=literal, strategy=strategy, target=target, start_leverage=start, emergency=emergency)
    fund = replace(fund, management_fee_daily=Decimal(fee_daily))
    Twin.key = sha256(f"inband|0|key|{name}".encode()).hexdigest()
    contract = a_contract(taker_fee="0", lot="0.000001", min_notional="0.1")
    lab = Twin(fund, contract, start=str(walk[0]), key=Twin.key)
    lab.settle()
    opened, start_ms = len(lab.records), lab.time_ms
    for bar, price in enumerate(walk[1:], start=1):
        lab.mark(str(price), after_s=(start_ms + bar * bar_ms - lab.time_ms) / 1000)
        lab.settle()
    spec = FundSpec(
        name=name,
        side=literal,
        start_leverage=float(start),
        target_range=(float(target[0]), float(target[1])),
        emergency=None if emergency is None else float(emergency),
        management_fee_daily=float(fee_daily),
    )
    return Pair(lab, opened, backtest(closes(*walk, start_ms=start_ms, bar_ms=bar_ms), spec, strategy))


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    "strategy",
    [
        Strategic(0),
        Interval(at="", move=0.1),
        Interval(at="00:00", move=0),
        Recenter(target=2.2),
        Corridor(target=2.2),
    ],
    ids=["strategic", "moves", "clock", "recenter", "corridor"],
)
def test_live_and_backtest_decide_alike(strategy: Strategy, side: str, walk: tuple[float, ...]) -> None:
    """The same rebalances, for the same reasons, to the same targets, at the same prices; the same deaths."""
    interval = isinstance(strategy, Interval)
    target, emergency = (("3", "3"), "4") if interval else (("2.2", "2.2"), None)
    pair = both(walk, strategy, side, target=target, emergency=emergency)
    pair.same_rebalances()
    live, found = pair.death()
    assert live == found


@pytest.mark.parametrize("side", SIDES)
def test_secret_targets_and_confirmations_are_the_same(side: str) -> None:
    """Drawn from the same key: what was confirmed, what a return into the band cancelled, and the targets."""
    started = cancelled = rebalances = 0
    for seed in range(4):
        walk = tuple(round(price, 2) for price in random_walk(seed, 160, 0.06, 60_000.0))
        pair = both(walk, Strategic(80 * 3_600.0), side, target=("1.8", "2.6"), bar_ms=6 * HOUR_MS)
        rebalances += pair.same_rebalances()
        started += len(pair.live.of(ConfirmationStarted))
        cancelled += len(pair.live.of(ConfirmationCancelled))
    assert cancelled > 1
    assert started - cancelled > 2
    assert rebalances > 10


@dataclass(frozen=True)
class Greedy:
    """Wants a leverage that no fund may have."""

    def decide(self, view: FundView) -> Decision:
        """More, above 2.5x."""
        if view.real_leverage > 2.5:
            return Rebalance(5.0, 5.0, "patient", "greed")
        return view.hold_between(0.0, 2.5)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("strategy", [Stubborn(), Greedy()], ids=["holds", "wants more"])
def test_an_emergency_is_the_same(strategy: Strategy, side: str) -> None:
    """Whatever the strategy says, both reduce at the emergency leverage, to the same secret target."""
    walk = (60_000, 61_000, 42_500, 47_000) if side == "long" else (60_000, 59_000, 77_000, 70_000)
    pair = both(tuple(map(float, walk)), strategy, side, target=("1.8", "2.2"))
    assert pair.same_rebalances() == 1
    assert pair.found.rebalances[0].reason == "emergency leverage"


@pytest.mark.parametrize("side", SIDES)
def test_a_target_beyond_the_emergency_leverage_is_denied_by_both(side: str) -> None:
    """Neither trades; live notes it at the bar where the backtest counts it."""
    walk = (60_000.0, 52_000.0, 53_000.0) if side == "long" else (60_000.0, 66_000.0, 65_000.0)
    pair = both(walk, Greedy(), side, target=("2.2", "2.2"))
    assert pair.same_rebalances() == 0
    assert [record.reason for record in pair.live.of(RebalanceSkipped)] == [
        "greed: the target could lie at the emergency leverage or above"
    ] * 2
    (warning,) = pair.found.warnings
    assert warning.startswith("2 decisions wanted a target at the emergency leverage ")


@pytest.mark.parametrize("side", SIDES)
def test_the_management_fee_is_the_same(side: str) -> None:
    """At the same mark of each day, the same share of the fund's value, the first day by its hours."""
    walk = tuple(round(price, 1) for price in random_walk(3, 20, 0.01, 60_000.0))
    pair = both(walk, Strategic(0), side, target=("2", "2"), fee_daily="0.001", bar_ms=6 * HOUR_MS)
    charged = pair.live.of(FeeCharged)
    assert len(charged) == 4
    for record in charged[1:]:
        assert record.until_ms - record.from_ms == DAY_MS
    first = charged[0]
    opening_ms = int(pair.found.times_ms[0]) - first.from_ms  # which a backtest does not have
    paid = float(sum(record.amount for record in charged))
    paid -= float(first.amount) * opening_ms / (first.until_ms - first.from_ms)
    assert paid == pytest.approx(pair.found.management_fees, rel=5e-5)


@pytest.mark.parametrize("side", SIDES)
def test_death_is_the_same(side: str) -> None:
    """At the same mark; nothing is decided after it."""
    walk = (60_000.0, 24_000.0, 60_000.0) if side == "long" else (60_000.0, 95_000.0, 60_000.0)
    pair = both(walk, Strategic(0), side)
    assert pair.same_rebalances() == 0
    live, found = pair.death()
    assert live == found is not None
