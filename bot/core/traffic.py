"""What a fund has sent and traded: in this minute, this hour, and this day.

Folded from the records, so a restart forgets nothing. Minutes, hours and days (UTC) are those of market time,
so that a replay at any speed meets the same limits. How much was sent or traded is counted in fund values of
the moment: a fund that most holders leave has not traded more by that than it did.
"""

from decimal import Decimal
from typing import NamedTuple, TypeAlias

from bot.core.breaches import DAILY_LOSS, REPEATED, TOO_MUCH
from bot.core.caps import Caps
from bot.core.units import ONE, ZERO, Contracts, Price, Usd

MOST_REPEATS = 5
"""Identical orders in a row, sent by a fund whose position they do not change."""

_MINUTE_MS, _HOUR_MS, _DAY_MS = 60_000, 3_600_000, 86_400_000

Content: TypeAlias = tuple[Contracts, Price, Contracts]
"""What an order is, whatever its id: signed quantity, limit price, and the position that it was sent at."""


def in_values(amount: Usd, value: Usd) -> Decimal:
    """An amount in fund values; what a fund without value still trades away counts for nothing."""
    return amount / value if value > ZERO else ZERO


class Traffic(NamedTuple):
    """What was sent to raise leverage.

    `minute` and `hour` are numbers of market time's minutes and hours; `sent` is the notional of the hour in
    fund values, unsigned; `repeats` counts how often `content` was sent in a row.
    """

    minute: int = 0
    orders: int = 0
    hour: int = 0
    sent: Decimal = ZERO
    content: Content | None = None
    repeats: int = 0

    def after(self, time_ms: int, sent: Decimal, content: Content | None = None) -> "Traffic":
        """The counts with one more order, of `sent` fund values."""
        minute, hour = time_ms // _MINUTE_MS, time_ms // _HOUR_MS
        orders = self.orders if minute == self.minute else 0
        before = self.sent if hour == self.hour else ZERO
        repeats = self.repeats + 1 if content is not None and content == self.content else 1
        return Traffic(minute, orders + 1, hour, before + sent, content, repeats)

    def cleared(self) -> "Traffic":
        """Nothing was sent, as far as the limits go."""
        return Traffic()

    def problem(
        self, time_ms: int, notional: Usd, value: Usd, caps: Caps, content: Content | None = None
    ) -> tuple[str, str] | None:
        """Why an order of `notional` by a fund of `value` would be too much, if so: incident and reason."""
        after = self.after(time_ms, in_values(notional, value), content)
        if after.orders > caps.orders_per_minute:
            return TOO_MUCH, f"more than {caps.orders_per_minute} orders in a minute"
        if after.sent > caps.hourly_notional:
            return TOO_MUCH, f"more than {caps.hourly_notional} times the fund's value in an hour"
        if after.repeats > MOST_REPEATS:
            return REPEATED, f"the same order more than {MOST_REPEATS} times in a row"
        return None


class Day(NamedTuple):
    """One UTC day of market time.

    `turnover` is the notional of all our fills, `costs` what they cost against the mark at which their orders
    were decided, fees included, both in fund values. `nav` is that at its first mark; None until there is
    one.
    """

    number: int = -1
    turnover: Decimal = ZERO
    costs: Decimal = ZERO
    nav: Decimal | None = None

    def on(self, time_ms: int) -> "Day":
        """This day, or a new one when `time_ms` lies in another."""
        number = time_ms // _DAY_MS
        return self if number == self.number else Day(number)

    def problem(
        self, time_ms: int, notional: Usd, value: Usd, nav: Decimal, caps: Caps
    ) -> tuple[str, str] | None:
        """Why a fund may not increase by `notional` today, if so: incident and reason."""
        day = self.on(time_ms)
        if day.nav is not None and nav < day.nav * (ONE - caps.daily_loss):
            return DAILY_LOSS, f"a loss of more than {caps.daily_loss:%} of fund value in a day"
        if day.costs > caps.daily_costs:
            return DAILY_LOSS, f"trading costs of more than {caps.daily_costs:%} of fund value in a day"
        if day.turnover + in_values(notional, value) > caps.daily_turnover:
            return TOO_MUCH, f"more than {caps.daily_turnover} times the fund's value in a day"
        return None
