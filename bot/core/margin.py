"""Where a position would be liquidated, by the venue's maintenance brackets."""

from decimal import Decimal
from typing import NamedTuple

from bot.core.ledger import Ledger
from bot.core.units import ZERO, Leverage, Price, Usd


class Maintenance(NamedTuple):
    """One bracket: up to `notional_cap` the margin to keep is notional x `rate` - `deduction`."""

    notional_cap: Usd
    rate: Decimal
    deduction: Usd


def liquidation_price(ledger: Ledger, brackets: tuple[Maintenance, ...]) -> Price | None:
    """The mark at which fund value falls to the maintenance margin; None where no mark does that.

    cash + q p = abs(q) p r - d gives p = -(cash + d) / (q - abs(q) r) (Binance, "Leverage and Margin of
    USDⓈ-M Futures"). The margin has no jumps, so the first bracket that the answer is not above is the one it
    lies in. Beyond the last bracket its rate goes on. Cash that the account holds beside the fund would put
    it further away: it is not counted.
    """
    held, size = ledger.position, abs(ledger.position)
    for bracket in brackets:
        slope = held - size * bracket.rate
        price = -(ledger.cash + bracket.deduction) / slope if slope else ZERO
        reached = size * price <= bracket.notional_cap or bracket is brackets[-1]
        if price > ZERO and reached:
            return price
    return None


def price_at(ledger: Ledger, leverage: Leverage) -> Price | None:
    """The mark at which real leverage is `leverage`: abs(q) p = L (cash + q p); None if there is none."""
    held = ledger.position
    slope = abs(held) - leverage * held
    if ZERO in (held, slope):
        return None
    price = leverage * ledger.cash / slope
    return price if price > ZERO else None
