"""A fund's terms for flows, and the grid on which they are dealt."""

from dataclasses import dataclass
from decimal import Decimal

from bot.core.units import ZERO, Usd


@dataclass(frozen=True, slots=True)
class FlowTerms:
    """What the settings say of a fund's flows.

    Fees are fractions. The minima are in USDT, a redemption valued at the latest mark. The daily limits are
    in USDT per UTC day, `capacity` is the fund value that subscriptions may lead to; None: no limit. Dealings
    are `every_s` apart, from 00:00 UTC on.
    """

    subscribe_fee: Decimal = ZERO
    redeem_fee: Decimal = ZERO
    min_subscribe: Usd = Decimal(10)
    min_redeem: Usd = Decimal(10)
    daily_subscribe: Usd | None = None
    daily_redeem: Usd | None = None
    capacity: Usd | None = None
    every_s: int = 3600

    def dealing_after(self, time_ms: int) -> int:
        """The first dealing later than `time_ms`."""
        every_ms = self.every_s * 1000
        return (time_ms // every_ms + 1) * every_ms

    def dealing_at(self, time_ms: int) -> int:
        """The last dealing at or before `time_ms`."""
        every_ms = self.every_s * 1000
        return time_ms // every_ms * every_ms
