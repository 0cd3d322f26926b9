"""How much one fund may do, whoever asks for it: the numbers that the pre-trade limits judge by.

A fund that works as designed stays far below all of them; a program that runs wild does not. What an operator
may want to set differently is a setting (`INBAND_FUNDS__<NAME>__LIMITS__...`).
"""

from decimal import Decimal
from typing import NamedTuple

from bot.core.units import Usd


class Caps(NamedTuple):
    """The caps of one fund; None is no cap.

    `order_notional` and `position_notional` are in USDT, at the mark. `orders_per_minute` and
    `hourly_notional` (in fund values) count what was sent to raise leverage, `daily_turnover` (in fund
    values) everything that was filled; `daily_loss` and `daily_costs` are fractions of fund value, the latter
    what fills cost against the mark, fees included. `collar`: how far the limit of an increase may lie from
    mark and index. `participation`: a slice's share of the market volume in its time. `frozen_ms`: a mark
    that does not move for so long is not believed. Time is market time: any 60 s, any 3,600 s, and UTC days.
    """

    order_notional: Usd | None = None
    position_notional: Usd | None = None
    orders_per_minute: int = 60
    hourly_notional: Decimal = Decimal(25)
    daily_turnover: Decimal = Decimal(50)
    daily_loss: Decimal = Decimal("0.75")
    daily_costs: Decimal = Decimal("0.05")
    collar: Decimal = Decimal("0.05")
    participation: Decimal = Decimal("0.1")
    frozen_ms: int = 300_000


USUAL_CAPS = Caps()
