"""What a region skips would have changed nothing: for every strategy, over whole courses."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.strategy import Decision, FundView, Hold, Strategy, own_limit, uses_band
from bot.study import Costs, FundSpec, backtest, choose_strategy, from_arrays
from tests.study.builders import DAY_MS, MIDNIGHT_MS, payments, random_walk
from tests.support.examples import examples


@dataclass(frozen=True)
class AtEveryBar:
    """The same strategy, asked at every bar: its regions hold for its own price only."""

    inner: Strategy
    uses_band: bool
    max_leverage: float | None

    def decide(self, view: FundView) -> Decision:
        """The inner answer, without its region."""
        decision = self.inner.decide(view)
        if isinstance(decision, Hold):
            return Hold(view.mark, view.mark, view.time_s)
        return decision


@st.composite
def runs(draw: st.DrawFn) -> dict[str, Any]:
    """Every shipped strategy on wild and calm walks, minutes and hours, with and without funding."""
    bars = draw(st.integers(2, 400))
    bar_ms = draw(st.sampled_from([60_000, 900_000, 3_600_000]))
    walk = random_walk(draw(st.integers(0, 2**32)), bars, draw(st.sampled_from([0.001, 0.01, 0.04])))
    times = MIDNIGHT_MS + 123_000 + bar_ms * np.arange(bars, dtype=np.int64)
    name = draw(st.sampled_from(["strategic", "interval", "recenter", "corridor"]))
    parameters: dict[str, object] = {}
    if name == "strategic":
        parameters["confirmation_s"] = draw(st.sampled_from([0, 600, 7_200]))
    if name == "interval":
        parameters = {
            "at": draw(st.sampled_from(["", "00:00", "06:30,18:00"])),
            "move": draw(st.sampled_from([0, 0.1])),
        }
    rate = draw(st.sampled_from([0.0, 0.001]))
    stamps = range(MIDNIGHT_MS, MIDNIGHT_MS + 3 * DAY_MS, 28_800_000)
    return {
        "prices": from_arrays(times, np.array(walk)),
        "fund": FundSpec(
            side=draw(st.sampled_from(["long", "short"])),
            lot=draw(st.sampled_from([None, 0.5])),
            management_fee_daily=draw(st.sampled_from([0.0, 0.001])),
        ),
        "strategy": choose_strategy(name, parameters),
        "funding": payments(*((stamp, rate) for stamp in stamps)) if rate else None,
        "costs": Costs(fee_bps=draw(st.sampled_from([0.0, 5.0]))),
        "seed": draw(st.integers(0, 99)),
    }


@settings(max_examples=examples(200))
@given(runs())
def test_jumping_changes_nothing(run: dict[str, Any]) -> None:
    """The same rebalances, the same totals, to the last digit."""
    strategy = run.pop("strategy")
    every = AtEveryBar(strategy, uses_band(strategy), own_limit(strategy))
    jumping, walking = backtest(strategy=strategy, **run), backtest(strategy=every, **run)
    assert jumping.to_json()["rebalances"] == walking.to_json()["rebalances"]
    assert jumping.final_value == walking.final_value
    assert (jumping.fees, jumping.funding, jumping.dead_at) == (
        walking.fees,
        walking.funding,
        walking.dead_at,
    )
    assert jumping.decisions <= walking.decisions
