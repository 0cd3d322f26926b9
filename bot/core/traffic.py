"""How much has been sent to increase a position: orders in this minute, notional in this hour.

What a fund does by design stays far below both limits; a program that runs wild does not. Minutes and hours
are those of market time, so that a replay at any speed meets the same limits.
"""

from decimal import Decimal
from typing import NamedTuple

from bot.core.units import ZERO, Usd

MAX_ORDERS_PER_MINUTE = 60
MAX_HOURLY_NOTIONAL = Decimal(25)
"""In fund values. A slice may be posted three times before it crosses, and each order counts in full."""

_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000


class Traffic(NamedTuple):
    """`minute` and `hour` are numbers of market time's minutes and hours, `notional` is unsigned."""

    minute: int = 0
    orders: int = 0
    hour: int = 0
    notional: Usd = ZERO

    def after(self, time_ms: int, notional: Usd) -> "Traffic":
        """The counts with one more order."""
        minute, hour = time_ms // _MINUTE_MS, time_ms // _HOUR_MS
        orders = self.orders if minute == self.minute else 0
        before = self.notional if hour == self.hour else ZERO
        return Traffic(minute, orders + 1, hour, before + notional)

    def problem(self, time_ms: int, notional: Usd, value: Usd) -> str | None:
        """Why an order of `notional` by a fund of `value` would be too much, if so."""
        after = self.after(time_ms, notional)
        if after.orders > MAX_ORDERS_PER_MINUTE:
            return f"more than {MAX_ORDERS_PER_MINUTE} orders in a minute"
        if after.notional > MAX_HOURLY_NOTIONAL * value:
            return f"more than {MAX_HOURLY_NOTIONAL} times the fund's value in an hour"
        return None
