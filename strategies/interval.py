"""The conventional leveraged token: back to a fixed target at set times and after large moves."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from bot.core.strategy import INWARD, Decision, FundView, Hold, Rebalance

_DAY_S = 86_400
_AS_GOOD_AS = 1 - 1e-12
"""A move of exactly 10 % is one, though 90 / 100 - 1 comes out a little short of -0.1 in floats."""


@dataclass(frozen=True, slots=True)
class Interval:
    """`target`: the fixed leverage.

    `at`: UTC times "HH:MM", comma-separated, empty for none. `move`: fraction by which the underlying moved
    since the last rebalance, 0 for off. `max_leverage`: rebalanced at once from there, inclusive.
    """

    uses_band: ClassVar[bool] = False

    target: float = 3.0
    at: str = "00:00"
    move: float = 0.10
    max_leverage: float = 4.0

    def __post_init__(self) -> None:
        """Refuse parameters that make no sense; the message names the parameter."""
        if not 0 < self.target < self.max_leverage:
            raise ValueError(
                f"target must lie between 0 and max_leverage {self.max_leverage:g}, got {self.target:g}"
            )
        if not 0 <= self.move < 1:
            raise ValueError(f"move must be a fraction in [0, 1), got {self.move:g}")
        times_of_day_s(self.at)

    def decide(self, view: FundView) -> Decision:
        """Limit, then move, then clock; otherwise hold until the first of them can come true."""
        urgency: Literal["patient", "prompt"] = "prompt" if view.real_leverage > self.target else "patient"
        if view.real_leverage >= self.max_leverage:
            return Rebalance(self.target, self.target, "prompt", "max leverage")
        last = view.last_rebalance_mark
        if self.move and abs(view.mark / last - 1) >= self.move * _AS_GOOD_AS:
            return Rebalance(self.target, self.target, urgency, "move")
        due_s = self._next_time_s(view.last_rebalance_time_s)
        if due_s <= view.time_s:
            return Rebalance(self.target, self.target, urgency, "clock")
        hold = view.hold_between(0.0, self.max_leverage, due_s)
        if not self.move:
            return hold
        low, high = last * (1 - self.move) * (1 + INWARD), last * (1 + self.move) * (1 - INWARD)
        return Hold(max(hold.low, low), min(hold.high, high), due_s)

    def _next_time_s(self, after_s: float) -> float:
        """The first scheduled instant strictly after `after_s`; infinite without a schedule."""
        day_s = after_s // _DAY_S * _DAY_S
        times = [day_s + day * _DAY_S + time_s for day in (0, 1) for time_s in times_of_day_s(self.at)]
        return min((time_s for time_s in times if time_s > after_s), default=float("inf"))


def times_of_day_s(at: str) -> list[int]:
    """Seconds since midnight of each "HH:MM" in `at`; ValueError names what cannot be read."""
    seconds = []
    for text in filter(None, (part.strip() for part in at.split(","))):
        hours, colon, minutes = text.partition(":")
        if not (
            colon and hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60
        ):
            raise ValueError(f'at must hold UTC times as "HH:MM", comma-separated, got "{text}"')
        seconds.append(int(hours) * 3600 + int(minutes) * 60)
    return seconds
