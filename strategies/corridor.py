"""Keep leverage as near to its target as trading costs make worth while: the optimal no-trade region."""

from dataclasses import dataclass
from typing import ClassVar

from bot.core.strategy import Decision, FundView, Rebalance


@dataclass(frozen=True, slots=True)
class Corridor:
    """`cost_bps`: of a round trip; `aversion`: to the variance of tracking (see docs/strategies.md)."""

    uses_band: ClassVar[bool] = False
    target: float = 2.2
    cost_bps: float = 10.0
    aversion: float = 1.0

    def __post_init__(self) -> None:
        for name in (name for name in ("target", "cost_bps", "aversion") if not getattr(self, name) > 0):
            raise ValueError(f"{name} must be above 0, got {getattr(self, name):g}")

    def decide(self, view: FundView) -> Decision:
        """Hold within the corridor, and trade no further than to its edge."""
        gearing = self.target * (self.target - 1 if view.side == "long" else self.target + 1)
        width = (0.75e-4 * self.cost_bps * gearing**2 / self.aversion) ** (1 / 3)
        goal = min(max(view.real_leverage, self.target - width), self.target + width)
        if goal == view.real_leverage:
            return view.hold_between(max(self.target - width, 0.0), self.target + width)
        return Rebalance(goal, goal, "patient", "corridor")  # core makes a reduction prompt
