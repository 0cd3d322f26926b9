"""What befalls a fund's cash at known times: funding payments and the management fee."""

from typing import NamedTuple

import numpy as np

from bot.core.units import DAY_MS
from bot.study.funding import Funding
from bot.study.points import Points
from bot.study.prices import Prices


class Happening(NamedTuple):
    """At `point`, before its decision: funding at `rate` of the notional.

    Or, where `fee_ms` is not zero, the management fee at the daily `rate` of the value for so long.
    """

    point: int
    rate: float
    fee_ms: int = 0


class Calendar(NamedTuple):
    """All that happens, in order, and the number of funding payments outside the prices."""

    happenings: list[Happening]
    funding_outside: int


def calendar_of(
    prices: Prices, points: Points, funding: Funding | None, management_fee_daily: float
) -> Calendar:
    """Place each payment at the first point at or after it, the fee at the first at or after each 00:00 UTC.

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
        happenings += [Happening(point, rate) for point, rate in zip(at[inside].tolist(), rates, strict=True)]
    if management_fee_daily:
        first, last = int(points.times_ms[0]), int(points.times_ms[-1])
        midnights = np.arange((first // DAY_MS + 1) * DAY_MS, last + 1, DAY_MS, dtype=np.int64)
        accrued = np.diff(midnights, prepend=first).tolist()  # the first day begins when the fund does
        happenings += [
            Happening(point, management_fee_daily, fee_ms)
            for point, fee_ms in zip(points.at_or_after(midnights).tolist(), accrued, strict=True)
        ]
        happenings.sort(key=lambda happening: (happening.point, happening.fee_ms > 0))
    return Calendar(happenings, outside)
