"""A flow's life, and when it is dealt: words and pure leaves.

    subscription: requested -> funded -> priced -> settled
    redemption:   requested -> priced -> payable -> paid

A flow that is ready (funded, or, for a redemption, requested) before a dealing is priced by it. Dealings lie
on a fixed grid of market time that knows nothing of rebalances.
"""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from bot.core.flow_records import FlowKind
from bot.core.shares import Pot
from bot.core.units import ZERO, Price, Usd


class FlowState(StrEnum):
    """How far a flow is."""

    REQUESTED = "requested"
    FUNDED = "funded"
    PRICED = "priced"
    SETTLED = "settled"
    PAYABLE = "payable"
    PAID = "paid"
    CANCELLED = "cancelled"


class Flow(NamedTuple):
    """One flow that is not over. `amount` is USDT of a subscription, units of a redemption.

    `ready_ms`: since when it waits for a dealing. `payable`: what a redemption is owed once it is settled.
    `units` are those that a subscription got, `returned` is what it could not invest; `reason`: why it was
    cancelled. `over_ms`: when it was settled, paid or cancelled. `dealing_ms`: the dealing that priced it,
    `settled_ms`: when it had what is its. `trading_fee` and `fill_cost`: what it bore of its dealing's trade.
    `shown`: the public has seen its dealing as that of a fund that hides nothing.
    """

    reference: str
    kind: FlowKind
    amount: Decimal
    requested_ms: int
    ready_ms: int | None = None
    state: FlowState = FlowState.REQUESTED
    nav: Decimal | None = None
    fee: Usd = ZERO
    payable: Usd = ZERO
    units: Decimal = ZERO
    returned: Usd = ZERO
    reason: str | None = None
    over_ms: int | None = None
    dealing_ms: int | None = None
    settled_ms: int | None = None
    trading_fee: Usd = ZERO
    fill_cost: Usd = ZERO
    shown: bool = False


class Receipt(NamedTuple):
    """What was answered to a request under one idempotency key; a repeat is answered with the same.

    `rescaled`: the amount of a redemption in the units of now, where they were consolidated or split since.
    """

    reference: str
    kind: FlowKind
    amount: Decimal
    requested_ms: int
    dealing_ms: int
    rescaled: Decimal | None = None

    @property
    def counted(self) -> Decimal:
        """What counts of it toward the day's limit."""
        return self.amount if self.rescaled is None else self.rescaled


class Dealing(NamedTuple):
    """A dealing that is not over: its mark is fixed, and once `nav` is, what is left in `pot` is traded.

    Not before `retry_ms`, where its trade had to make way. After crossing, in which those who leave received
    `crossed` of those who come, only one side `trades`; `fees` is what that paid so far, to the venue, and to
    the fund in place of the venue for what went in cash.
    """

    dealing_ms: int
    mark: Price
    nav: Decimal | None = None
    pot: Pot = Pot()
    retry_ms: int = 0
    trades: FlowKind | None = None
    fees: Usd = ZERO
    crossed: Usd = ZERO


def find(flows: Iterable[Flow], reference: str) -> Flow:
    """The open flow of this reference; ValueError if there is none."""
    for flow in flows:
        if flow.reference == reference:
            return flow
    raise ValueError(f"the journal speaks of flow {reference}, which is not open")


def waiting(flows: Iterable[Flow]) -> tuple[Flow, ...]:
    """Flows that wait for a dealing: ready, and not priced yet."""
    return tuple(flow for flow in flows if flow.ready_ms is not None and flow.nav is None)
