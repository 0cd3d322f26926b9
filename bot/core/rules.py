"""What core makes of a strategy's answer: the rules of every mode, for the daemon and the study alike.

Pure leaves on a fund and its view. How a venue is then traded with (tolerance, slices, collars) is not here.
"""

from decimal import Decimal
from typing import Literal, NamedTuple

from bot.core import draws
from bot.core.fund import Fund
from bot.core.records import Kind
from bot.core.strategy import INWARD, Decision, FundView, Hold, Rebalance
from bot.core.units import Leverage

# Python 3.11 takes as long to look a member up in its class as to divide; each decision needs these.
_BAND, _SCHEDULE = Kind.BAND, Kind.SCHEDULE


class Wish(NamedTuple):
    """A rebalance that the strategy wants, or that the emergency leverage demands.

    Its target lies in [low, high]. `confirmation_s` is the cap of the secret delay for which leverage must
    stay outside the band before it begins; 0 where there is none, as for every reduction.
    """

    kind: Kind
    low: Leverage
    high: Leverage
    increasing: bool
    confirmation_s: float
    urgency: Literal["patient", "prompt", "emergency"]
    reason: str


class Denied(NamedTuple):
    """A rebalance that no fund may make, and why.

    Nothing is traded; at the next mark the strategy is asked again.
    """

    reason: str


def judge(fund: Fund, view: FundView, leverage: Leverage) -> Hold | Wish | Denied:
    """Ask the strategy, and enforce what none may overrule. `leverage` is the exact one of the view.

    A hold ends where the emergency leverage begins, whatever the strategy says; and no target may lie there,
    for the fund would have to leave it at once.
    """
    decision: Decision = fund.strategy.decide(view)
    if view.real_leverage >= fund.float_emergency:
        decision = _at_emergency(fund, decision)
    elif isinstance(decision, Rebalance) and decision.high >= fund.float_emergency:
        return Denied(f"{decision.reason}: the target could lie at the emergency leverage or above")
    if isinstance(decision, Hold):
        limit = view.hold_between(0.0, fund.float_emergency * (1 - INWARD))
        return Hold(max(decision.low, limit.low), min(decision.high, limit.high), decision.until_s)
    outside = not fund.band[0] <= leverage <= fund.band[1]
    kind = _BAND if outside and fund.uses_band else _SCHEDULE
    low, high = fund.target_range
    if (decision.low, decision.high) != fund.float_target_range:
        low, high = Decimal(repr(float(decision.low))), Decimal(repr(float(decision.high)))
    increasing = low > leverage
    confirmation_s = decision.confirmation_s if increasing and kind is _BAND else 0.0
    return Wish(kind, low, high, increasing, confirmation_s, decision.urgency, decision.reason)


def _at_emergency(fund: Fund, decision: Decision) -> Rebalance:
    """Leverage at the emergency level is reduced at once: to the strategy's own target if it is below.

    Else to the fund's, or, for a strategy that ignores the band and the range, to its start leverage.
    """
    if isinstance(decision, Rebalance) and decision.high < fund.float_emergency:
        return Rebalance(decision.low, decision.high, "emergency", decision.reason)
    low, high = fund.float_target_range
    if high >= fund.float_emergency:
        low = high = float(fund.start_leverage)
    return Rebalance(low, high, "emergency", "emergency leverage")


def confirmation_deadline_ms(now_ms: int, cap_s: float, key: str, number: int) -> int:
    """When a fund's `number`-th confirmation, begun at `now_ms`, ends; a hold before then cancels it."""
    return now_ms + int(draws.confirmation_delay_s(cap_s, key, "confirmation", number) * 1000)
