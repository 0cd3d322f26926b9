"""Move leverage part-way to its target on a schedule, and to the edge whenever it has left the band."""

from dataclasses import dataclass

from bot.core.strategy import Decision, FundView, Rebalance


@dataclass(frozen=True, slots=True)
class Recenter:
    """`target`: 0 for the middle of the fund's range; `speed`: share of the way; `every_s`: the schedule."""

    target: float = 0.0
    speed: float = 0.25
    every_s: float = 86_400.0

    def __post_init__(self) -> None:
        sound = {"target": self.target >= 0, "speed": 0 < self.speed <= 1, "every_s": self.every_s > 0}
        for name in (name for name in sound if not sound[name]):
            raise ValueError(f"{name} must not be negative, nor speed above 1, got {getattr(self, name):g}")

    def decide(self, view: FundView) -> Decision:
        """Outside the band back to its edge; inside a step towards the target once the time has come."""
        (lower, upper), due_s = view.band, view.last_rebalance_time_s + self.every_s
        goal = min(max(view.real_leverage, lower), upper)
        if goal == view.real_leverage:
            if view.time_s < due_s:
                return view.hold_between(lower, upper, due_s)
            goal += self.speed * ((self.target or sum(view.target_range) / 2) - goal)
        return Rebalance(goal, goal, "patient", "recenter")  # core makes a reduction prompt
