"""The strategy contract: all that a strategy sees and all that it can say.

A strategy is a frozen dataclass of parameters with one pure method, `decide(view)`. It answers `Hold` with
the closed price interval, and the time, for which that answer stays true, or `Rebalance` with the range of
the target leverage. With constant cash and position fund value is affine in price, so an interval of real
leverage *is* an interval of prices: `FundView.hold_between` makes the conversion.

Leverage at relative price x, from leverage L0 at x = 1 (s = +1 long, -1 short; reference: any text on
leveraged funds, or two lines of algebra from V = cash + position x price):
    L(x) = L0 x / (1 - s L0 + s L0 x)      so      x(L) = L (1 - s L0) / (L0 (1 - s L)).
"""

from dataclasses import dataclass
from math import inf
from typing import Literal, NamedTuple, Protocol, TypeAlias

INWARD = 1e-9
"""Relative amount by which the ends of a hold interval are drawn in, far above the rounding of a double."""


class Hold(NamedTuple):
    """Nothing to do while `low <= mark <= high` and the time is before `until_s` (UTC seconds)."""

    low: float
    high: float
    until_s: float = inf


class Rebalance(NamedTuple):
    """Trade to a leverage in [low, high] (low = high: a public target).

    `urgency` is a floor: core raises it, and makes every reduction at least prompt. `confirmation_s` caps the
    secret delay for which leverage must stay outside the band before an increase begins.
    """

    low: float
    high: float
    urgency: Literal["patient", "prompt", "emergency"]
    reason: str
    confirmation_s: float = 0.0


Decision: TypeAlias = Hold | Rebalance


@dataclass(frozen=True, slots=True)
class FundView:
    """What a strategy sees, in every mode: plain floats, times in UTC seconds of market time.

    `last_rebalance_*` are those of the last rebalance, or of the fund's start. `volatility` is annualised,
    from marks on a fixed sampling grid; None until there are enough of them.
    """

    time_s: float
    side: Literal["long", "short"]
    mark: float
    real_leverage: float
    band: tuple[float, float]
    target_range: tuple[float, float]
    last_rebalance_time_s: float
    last_rebalance_mark: float
    volatility: float | None = None

    def price_at(self, leverage: float) -> float:
        """The mark at which real leverage would be `leverage`; `inf` if no price gives it."""
        sign = 1.0 if self.side == "long" else -1.0
        now = self.real_leverage
        if now == 0.0:
            return inf
        slope = 1.0 - sign * leverage
        cash_share = 1.0 - sign * now
        if slope == 0.0 or cash_share / slope <= 0.0:
            return inf
        return self.mark * leverage * cash_share / (now * slope)

    def hold_between(self, lower: float, upper: float, until_s: float = inf) -> Hold:
        """Hold while real leverage stays in [lower, upper]; the interval is rounded inward.

        `real_leverage` must lie within [lower, upper] now; else the interval is empty.
        """
        if not lower <= self.real_leverage <= upper:
            return Hold(self.mark, self.mark, self.time_s)
        if self.real_leverage == 0.0 or (self.side == "long" and self.real_leverage == 1.0):
            return Hold(0.0, inf, until_s)  # flat, or exactly unlevered: no price changes the leverage
        # A long fund above 1x has borrowed: its leverage falls as the price rises. Others rise with it.
        falls = self.side == "long" and self.real_leverage > 1.0
        low, high = (upper, lower) if falls else (lower, upper)
        low_price = self.price_at(low)
        floor = 0.0 if low_price == inf else low_price * (1.0 + INWARD)
        return Hold(floor, self.price_at(high) * (1.0 - INWARD), until_s)


class Strategy(Protocol):
    """What a user writes.

    Two optional class attributes are read as well:
    `uses_band = False` tells that the strategy ignores the fund's band (then nothing it does is a `band`
    rebalance); `max_leverage` is then its own limit, and replaces the default emergency leverage. A parameter
    `target` is then where the fund opens.
    """

    def decide(self, view: FundView) -> Decision:
        """Say what to do now, as a pure function of `view` and the parameters."""
        ...


def uses_band(strategy: Strategy) -> bool:
    """Whether the fund's band governs this strategy (the default)."""
    return bool(getattr(strategy, "uses_band", True))


def own_limit(strategy: Strategy) -> float | None:
    """The strategy's own leverage limit, where it ignores the band; inclusive."""
    limit = getattr(strategy, "max_leverage", None)
    return float(limit) if limit is not None and not uses_band(strategy) else None


def own_target(strategy: Strategy) -> float | None:
    """The leverage that a strategy which ignores the band keeps to, where it names one as `target`.

    The fund opens there, and its own target range means nothing.
    """
    target = getattr(strategy, "target", None)
    return float(target) if isinstance(target, (int, float)) and not uses_band(strategy) else None
