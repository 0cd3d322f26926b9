"""What a fund has sent and traded: in any minute, in any hour, and on this day.

Folded from the records, so a restart forgets nothing. Time is market time, so that a replay at any speed
meets the same limits. Minutes and hours are those that end with the order: whichever 60 s or 3,600 s one
picks, no more was sent in them than may be. Days are UTC days. How much was sent or traded is counted in fund
values of the moment: a fund that most holders leave has not traded more by that than it did.
"""

from decimal import Decimal
from typing import NamedTuple, TypeAlias

from bot.core.breaches import DAILY_LOSS, REPEATED, TOO_MUCH
from bot.core.caps import Caps
from bot.core.texts import how_many
from bot.core.units import ONE, ZERO, Contracts, Price, Usd
from bot.core.window import Window, counted

MOST_REPEATS = 5
"""Identical orders in a row, sent by a fund whose position they do not change."""

MINUTE_MS, _DAY_MS = 60_000, 86_400_000

Content: TypeAlias = tuple[Contracts, Price, Contracts]
"""What an order is, whatever its id: signed quantity, limit price, and the position that it was sent at."""


def in_values(amount: Usd, value: Usd) -> Decimal:
    """An amount in fund values; what a fund without value still trades away counts for nothing."""
    return amount / value if value > ZERO else ZERO


class Excess(NamedTuple):
    """Why an order would be too much: the incident that it is, and the reason in words.

    `until_ms`: an operator has looked into what was sent before, so it is none; it waits until then.
    """

    incident: str
    reason: str
    until_ms: int | None = None


class Traffic(NamedTuple):
    """What was sent to raise leverage; `repeats` counts how often `content` was sent in a row."""

    window: Window = Window()
    content: Content | None = None
    repeats: int = 0

    def after(self, time_ms: int, sent: Decimal, content: Content | None = None) -> "Traffic":
        """The counts with one more order, of `sent` fund values."""
        repeats = self.repeats + 1 if content is not None and content == self.content else 1
        return Traffic(self.window.plus(time_ms, sent), content, repeats)

    def rearmed(self) -> "Traffic":
        """An operator has looked into it. What was sent was sent: the caps hold, but it is no news."""
        return Traffic(self.window.looked_into())

    def problem(
        self, time_ms: int, notional: Usd, value: Usd, caps: Caps, content: Content | None = None
    ) -> Excess | None:
        """Why an order of `notional` by a fund of `value` would be too much, if so."""
        window = self.window.at(time_ms)
        excess = _in_a_minute(window, time_ms, caps.orders_per_minute) or _in_an_hour(
            window, counted(in_values(notional, value)), caps.hourly_notional
        )
        if excess is None and content == self.content and self.repeats >= MOST_REPEATS:
            return Excess(REPEATED, f"the same order more than {MOST_REPEATS} times in a row")
        return excess


def _in_a_minute(window: Window, time_ms: int, most: int) -> Excess | None:
    """Whether there are `most` orders already in the 60 s that end now."""
    first = window.latest(most) if most else None
    if most and (first is None or first.time_ms <= time_ms - MINUTE_MS):
        return None
    until_ms = None if first is None or window.fresh >= most else first.time_ms + MINUTE_MS
    return Excess(TOO_MUCH, f"more than {how_many(most, 'order')} in a minute", until_ms)


def _in_an_hour(window: Window, sent: Decimal, most: Decimal) -> Excess | None:
    """Whether `sent` would be more than is left of `most` in the 3,600 s that end now."""
    over = window.total + sent - most
    if over <= ZERO:
        return None
    until_ms = None if window.fresh_total + sent > most else window.less_ms(over)
    return Excess(TOO_MUCH, f"more than {most} times the fund's value in an hour", until_ms)


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

    def problem(self, time_ms: int, notional: Usd, value: Usd, nav: Decimal, caps: Caps) -> Excess | None:
        """Why a fund may not increase by `notional` today, if so."""
        day = self.on(time_ms)
        if day.nav is not None and nav < day.nav * (ONE - caps.daily_loss):
            return Excess(DAILY_LOSS, f"a loss of more than {caps.daily_loss:%} of fund value in a day")
        if day.costs > caps.daily_costs:
            costs = f"trading costs of more than {caps.daily_costs:%} of fund value in a day"
            return Excess(DAILY_LOSS, costs)
        if day.turnover + in_values(notional, value) > caps.daily_turnover:
            return Excess(TOO_MUCH, f"more than {caps.daily_turnover} times the fund's value in a day")
        return None
