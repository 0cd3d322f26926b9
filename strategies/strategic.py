"""Trade only when real leverage leaves its band, to a secret target inside it."""

from dataclasses import dataclass

from bot.core.strategy import Decision, FundView, Rebalance


@dataclass(frozen=True, slots=True)
class Strategic:
    """`confirmation_s`: cap in seconds of the secret delay before leveraging up."""

    confirmation_s: float = 1800.0

    def __post_init__(self) -> None:
        """Refuse a delay that is none; the message names the parameter."""
        if not self.confirmation_s >= 0:
            raise ValueError(f"confirmation_s must not be negative, got {self.confirmation_s:g}")

    def decide(self, view: FundView) -> Decision:
        """Hold inside the band; below it confirm, then increase patiently; above it delever promptly."""
        lower, upper = view.band
        low, high = view.target_range
        if view.real_leverage < lower:
            return Rebalance(low, high, "patient", "below band", self.confirmation_s)
        if view.real_leverage > upper:
            return Rebalance(low, high, "prompt", "above band")
        return view.hold_between(lower, upper)
