"""Pre-trade limits: the last room before the venue, and the only one that can build an order to be sent.

A breach never stops a reduction: it stops increases. What is refused is a value with its reason.
"""

from dataclasses import InitVar, dataclass
from decimal import Decimal
from typing import NamedTuple

from bot.core.fund import Contract
from bot.core.ledger import Ledger
from bot.core.traffic import Traffic
from bot.core.units import BPS, ZERO, Contracts, Leverage, Price

MAX_MARK_AGE_MS = 10_000
"""An increase needs a mark at most this old, in market time."""

LARGEST_BASIS = Decimal("0.05")
"""Mark and index further apart than this fraction of the index contradict each other."""

_SEAL = object()


@dataclass(frozen=True, slots=True)
class SubmitOrder:
    """An approved order.

    A limit: immediate-or-cancel, or, if it `rests`, post-only. `quantity` is signed (positive: buy). Only
    `approve` makes one.
    """

    cid: str
    symbol: str
    quantity: Contracts
    limit_price: Price
    reduce_only: bool
    rests: bool
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        """Refuse to exist without the seal of this room; nobody can take it from an order that exists."""
        if seal is not _SEAL:
            raise TypeError("only bot.core.limits.approve may build an order that can be sent")


class Refusal(NamedTuple):
    """Why an order may not be sent now; a `breach` stops all increases until the operator rearms them."""

    reason: str
    breach: bool = False


class Proposal(NamedTuple):
    """An order as the plan would like it. `target_position` bounds where it may lead."""

    cid: str
    quantity: Contracts
    limit_price: Price
    target_position: Contracts
    rests: bool = False


class Conditions(NamedTuple):
    """What the limits judge by. `breaches`: what stops increases; `halted`: the operator stops everything.

    `traffic` is what was sent before, `now_ms` the market time.
    """

    mark: Price
    mark_age_ms: int
    feed_trusted: bool
    breaches: tuple[str, ...]
    max_leverage: Leverage
    order_outstanding: bool
    halted: bool = False
    contradicted: bool = False
    now_ms: int = 0
    traffic: Traffic = Traffic()


def contradicts(mark: Price, index: Price | None) -> bool:
    """Whether mark and index are too far apart for both to be true."""
    return index is not None and abs(mark - index) > LARGEST_BASIS * index


def increases_refused(
    breaches: tuple[str, ...],
    mark_age_ms: int,
    *,
    feed_trusted: bool,
    contradicted: bool,
) -> Refusal | None:
    """Why no position may be increased now, if so: breach, or data that is not current or not credible."""
    if breaches:
        return Refusal(f"breach: {', '.join(breaches)}")
    if not feed_trusted:
        return Refusal("mark price feed is silent")
    if mark_age_ms > MAX_MARK_AGE_MS:
        return Refusal("mark price is stale")
    if contradicted:
        return Refusal("mark and index price contradict each other")
    return None


def approve(
    proposal: Proposal, contract: Contract, ledger: Ledger, conditions: Conditions
) -> SubmitOrder | Refusal:
    """Judge a proposal; an approved order is reduce-only exactly when it reduces the position."""
    position, quantity = ledger.position, proposal.quantity
    after = position + quantity
    reducing = position * quantity < ZERO
    if conditions.halted:
        return Refusal("halted by the operator")
    if conditions.order_outstanding:
        return Refusal("another order is outstanding")
    problem = (
        _size_problem(quantity, contract)
        or _direction_problem(position, after, proposal.target_position)
        or _collar_problem(proposal.limit_price, quantity, conditions.mark, contract)
    )
    if problem is None and not reducing:
        problem = increases_refused(
            conditions.breaches,
            conditions.mark_age_ms,
            feed_trusted=conditions.feed_trusted,
            contradicted=conditions.contradicted,
        ) or _increase_problem(quantity, after, contract, ledger, conditions)
    if problem is not None:
        return problem
    return SubmitOrder(
        proposal.cid, contract.symbol, quantity, proposal.limit_price, reducing, proposal.rests, _SEAL
    )


def _size_problem(quantity: Contracts, contract: Contract) -> Refusal | None:
    size = abs(quantity)
    if size < contract.min_quantity or size > contract.max_quantity:
        return Refusal(f"quantity {size} is outside [{contract.min_quantity}, {contract.max_quantity}]")
    if size % contract.lot != ZERO:
        return Refusal(f"quantity {size} is not a multiple of the lot {contract.lot}")
    return None


def _direction_problem(position: Contracts, after: Contracts, target: Contracts) -> Refusal | None:
    """Never past the target, and never through zero."""
    low, high = (position, target) if position < target else (target, position)
    if not low <= after <= high:
        return Refusal(f"position {after} would pass its target")
    if position * after < ZERO:
        return Refusal("a rebalance never reverses a position")
    return None


def _collar_problem(
    limit_price: Price, quantity: Contracts, mark: Price, contract: Contract
) -> Refusal | None:
    beyond = (
        limit_price > mark * contract.highest_price
        if quantity > ZERO
        else limit_price < mark * contract.lowest_price
    )
    if beyond or limit_price <= ZERO:
        return Refusal(f"limit price {limit_price} is beyond the venue's price limit")
    return None


def _increase_problem(
    quantity: Contracts, after: Contracts, contract: Contract, ledger: Ledger, conditions: Conditions
) -> Refusal | None:
    """Minimum notional, leverage after the trade, and margin for it with fees and the collar's loss."""
    mark = conditions.mark
    notional = abs(quantity) * mark
    if notional < contract.min_notional:
        return Refusal(f"notional is below the venue's minimum {contract.min_notional}")
    value = ledger.value(mark)
    if value <= ZERO:
        return Refusal("fund value is not positive")
    exposure = abs(after) * mark
    if exposure > conditions.max_leverage * value:
        return Refusal("leverage after the order would exceed the emergency leverage")
    too_much = conditions.traffic.problem(conditions.now_ms, notional, value)
    if too_much is not None:
        return Refusal(too_much, breach=True)
    costs = notional * (contract.taker_fee + _OPEN_LOSS)
    if exposure > (value - costs) * contract.venue_leverage:
        return Refusal("margin would not cover the order")
    return None


_OPEN_LOSS = Decimal(100) / BPS
"""Loss between mark and fill that the margin of an increase must bear."""
