"""Durable facts about units and cash: subscriptions, redemptions, dealings, fees, transfers.

The words of flows (docs/funds.md): a *dealing* is one instant of a fixed grid at which everything that was
ready before it is priced together. Who folds these needs to know, of each record, what it does to the fund's
cash, to its position and to its units:

- a subscription's money is *unallocated* until `FlowFunded`, and then in *escrow*: neither is in the fund;
- a `Filled` of a rebalance of kind `flow` moves cash between escrow (or payables) and the fund, and makes or
  burns units, so that cash : position : units stay as they were. Its amounts follow from the fill
  (`bot.core.shares.after_fill`); so the basket per unit, and with it NAV and leverage, are what they were;
- `FlowsCrossed` leaves fund and units as they are; `FlowsInCash` changes cash and units at the NAV of a mark;
- `FeeCharged` takes cash out of the fund; `DealingClosed` gives it what rounding left;
- `FlowsShown` changes nothing but the public basket.

NAV, mark and units here are true ones: while a rebalance is hidden they are for the operator only.
"""

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from bot.core.units import Price, Usd


class FlowKind(StrEnum):
    """Which way the cash goes."""

    SUBSCRIBE = "subscribe"
    REDEEM = "redeem"


class FlowRequested(NamedTuple):
    """Someone wants to subscribe `amount` USDT, or to redeem `amount` units.

    `request_id` is the request's idempotency key; `dealing_ms` the first dealing that may price it.
    """

    time_ms: int
    reference: str
    kind: FlowKind
    amount: Decimal
    request_id: str
    dealing_ms: int


class FlowFunded(NamedTuple):
    """Unallocated cash on the account now belongs to this subscription: it is in escrow."""

    time_ms: int
    reference: str


class FlowCancelled(NamedTuple):
    """A flow ended before it was priced; a subscription's money is unallocated again."""

    time_ms: int
    reference: str
    reason: str


class DealingStruck(NamedTuple):
    """The first trusted mark at or after a dealing came: it prices all flows that were ready before."""

    time_ms: int
    dealing_ms: int
    mark: Price


class FlowPriced(NamedTuple):
    """A flow has its price: the true NAV at the dealing's mark. `fee`: what a subscription pays before."""

    time_ms: int
    reference: str
    nav: Decimal
    fee: Usd = Decimal(0)


class FlowsCrossed(NamedTuple):
    """Subscriptions and redemptions of one dealing met: `units` changed hands at its NAV, without a trade."""

    time_ms: int
    units: Decimal
    paid: Usd
    received: Usd


class FlowsInCash(NamedTuple):
    """What cannot be traded went in or out as cash, at the NAV at `mark`.

    `kind` subscribe: `amount` went in and `units` were made (both negative where trades had cost more than
    there was); redeem: `units` were burned and `amount` went out. `taker_fee`: the venue's, in whose place
    something was paid to the fund.
    """

    time_ms: int
    kind: FlowKind
    mark: Price
    units: Decimal
    amount: Usd
    taker_fee: Decimal = Decimal(0)


class FlowSettled(NamedTuple):
    """A flow has what is its: a subscription `units`, a redemption `amount`, which is payable from now on.

    `fee` is the redemption fee that came off before; `returned` what a subscription could not invest.
    `trading_fee` and `fill_cost` are what the flow bore of its dealing's trade: together what it got less
    than at the dealing's NAV, positive = paid.
    """

    time_ms: int
    reference: str
    units: Decimal
    amount: Usd
    fee: Usd = Decimal(0)
    returned: Usd = Decimal(0)
    trading_fee: Usd = Decimal(0)
    fill_cost: Usd = Decimal(0)


class FlowsShown(NamedTuple):
    """What the public sees of a dealing while something is hidden, as soon as it is struck.

    The public basket gains `units` and `cash` (both negative where more was redeemed), as it would in a fund
    that trades nothing in secret; none where that fund would have to trade for them: then they show when
    nothing is hidden any more. `references`: the flows that this is about, joined by commas.
    """

    time_ms: int
    references: str
    units: Decimal
    cash: Usd


class DealingClosed(NamedTuple):
    """All flows of the dealing are settled; what rounding left belongs to the fund."""

    time_ms: int


class FlowPaid(NamedTuple):
    """A withdrawal from the account was recognised as the payment of this redemption."""

    time_ms: int
    reference: str
    amount: Usd


class FeeRateSet(NamedTuple):
    """From here on the management fee accrues at `daily`, a fraction of fund value per day."""

    time_ms: int
    daily: Decimal


class FeeCharged(NamedTuple):
    """The management fee from `from_ms` to `until_ms` (00:00 UTC, or a dealing) left the fund at `mark`."""

    time_ms: int
    from_ms: int
    until_ms: int
    mark: Price
    amount: Usd


class FeesPaid(NamedTuple):
    """A withdrawal from the account was recognised as the payment of fees that were due."""

    time_ms: int
    amount: Usd


class UnitsRescaled(NamedTuple):
    """Units were consolidated or split: `denominator` old units are `numerator` new ones, for everybody."""

    time_ms: int
    numerator: int
    denominator: int
    author: str
    why: str


class FinalNav(NamedTuple):
    """A fund that is no longer active holds nothing any more: what a unit is worth from now on."""

    time_ms: int
    nav: Decimal
    value: Usd
    units: Decimal


FlowRecord: TypeAlias = (
    FlowRequested
    | FlowFunded
    | FlowCancelled
    | DealingStruck
    | FlowPriced
    | FlowsCrossed
    | FlowsInCash
    | FlowsShown
    | FlowSettled
    | DealingClosed
    | FlowPaid
    | FeeRateSet
    | FeeCharged
    | FeesPaid
    | UnitsRescaled
    | FinalNav
)
