"""What befalls a fund's cash at known times: funding payments and the management fee."""

from typing import NamedTuple

import numpy as np

from bot.study.funding import Funding
from bot.study.points import Points
from bot.study.prices import Prices

DAY_MS = 86_400_000


class Happening(NamedTuple):
    """At `point`, before its decision: funding at `rate` of the notional, or a fee at `rate` of the value."""

    point: int
    rate: float
    is_funding: bool


class Calendar(NamedTuple):
    """All that happens, in order, and the number of funding payments outside the prices."""

    happenings: list[Happening]
    funding_outside: int


def calendar_of(
    prices: Prices, points: Points, funding: Funding | None, management_fee_daily: float
) -> Calendar:
    """Place each payment at the first point at or after it, and the fee at the first at or after 00:00 UTC.

    Payments before the first bar opens or after the last point are outside. At one point funding comes first.
    """
    end = len(points.prices)
    happenings: list[Happening] = []
    outside = 0
    if funding is not None:
        at = points.at_or_after(funding.times_ms)
        inside = (funding.times_ms >= prices.times_ms[0] - prices.bar_ms) & (at < end)
        outside = int(len(funding) - inside.sum())
        rates = funding.rates[inside].tolist()
        happenings += [
            Happening(point, rate, is_funding=True)
            for point, rate in zip(at[inside].tolist(), rates, strict=True)
        ]
    if management_fee_daily:
        first, last = int(points.times_ms[0]), int(points.times_ms[-1])
        midnights = np.arange((first // DAY_MS + 1) * DAY_MS, last + 1, DAY_MS, dtype=np.int64)
        days = points.at_or_after(midnights).tolist()
        happenings += [Happening(point, management_fee_daily, is_funding=False) for point in days]
        happenings.sort(key=lambda happening: (happening.point, not happening.is_funding))
    return Calendar(happenings, outside)
