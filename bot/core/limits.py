"""Pre-trade limits: the last room before the venue, and the only one that can build an order to be sent.

A breach never stops a reduction: it stops increases, until an operator rearms them. What is refused is a
value with its reason. Beside this file: `trust` says whether the price can be believed, `traffic` what was
sent and traded before, `caps` how much is too much, `breaches` what a breach is called and how it is rearmed.
"""

from dataclasses import InitVar, dataclass
from decimal import Decimal
from typing import NamedTuple

from bot.core.breaches import BEYOND_PLAN, OVER_CAP
from bot.core.caps import USUAL_CAPS, Caps
from bot.core.fund import Contract
from bot.core.ledger import Ledger
from bot.core.traffic import Day, Traffic
from bot.core.units import BPS, ONE, ZERO, Contracts, Leverage, Price, Usd

MOST_OF_PLAN = Decimal(2)
"""A rebalance trades at most so many times the notional that it was decided to trade.

Orders that go out must answer to what was decided; but the market moves, and the quantity with it: what leads
from nothing to the emergency leverage is never too much. (In a replay of 12 March 2020 a short fund rightly
traded 2.7 times its plan, while the price fell by 16 % in the 43 minutes that this took.)
"""

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


@dataclass(frozen=True, slots=True)
class PlaceStop:
    """An approved protective stop: reduce-only, at the market once the mark reaches `trigger_price`."""

    cid: str
    symbol: str
    quantity: Contracts
    trigger_price: Price
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        """As for `SubmitOrder`; only `approve_stop` makes one."""
        if seal is not _SEAL:
            raise TypeError("only bot.core.limits.approve_stop may build a stop that can be sent")


class Refusal(NamedTuple):
    """Why an order may not be sent now.

    `breach`: the incident that it is; all increases are then stopped until the operator rearms them.
    `until_ms`: the first market time at which it may be sent, where that is known. The reason is logged, so
    it names no quantity and no position.
    """

    reason: str
    breach: str | None = None
    until_ms: int | None = None


class Proposal(NamedTuple):
    """An order as the plan would like it. `target_position` bounds where it may lead."""

    cid: str
    quantity: Contracts
    limit_price: Price
    target_position: Contracts
    rests: bool = False


class Conditions(NamedTuple):
    """What the limits judge by."""

    mark: Price
    max_leverage: Leverage
    """The emergency leverage: no increase may lead beyond it."""
    doubt: str | None = None
    """Why the price is not to be trusted for an increase."""
    blind: bool = False
    """There is no price to trade by at all."""
    index_price: Price | None = None
    breaches: tuple[str, ...] = ()
    """What stops increases."""
    order_outstanding: bool = False
    halted: bool = False
    """The operator stops everything."""
    now_ms: int = 0
    """Market time."""
    traffic: Traffic = Traffic()
    """What was sent before, to raise leverage."""
    day: Day = Day()
    """What was traded and lost this day."""
    planned: Usd | None = None
    """The notional that the rebalance was decided to trade; None: not known."""
    traded: Usd = ZERO
    """What it has traded of that."""
    withheld: Usd = ZERO
    """Margin that the venue holds back for reasons that the ledger does not know."""
    own: Ledger | None = None
    """The fund's own ledger, for its NAV; None: the one that backs the order."""
    units: Decimal = ONE
    caps: Caps = USUAL_CAPS


def increases_refused(breaches: tuple[str, ...], doubt: str | None) -> Refusal | None:
    """Why no position may be increased now, if so: breach, or data that is not current or not credible."""
    if breaches:
        return Refusal(f"breach: {', '.join(breaches)}")
    return None if doubt is None else Refusal(doubt)


def approve(
    proposal: Proposal, contract: Contract, ledger: Ledger, conditions: Conditions
) -> SubmitOrder | Refusal:
    """Judge a proposal; an approved order is reduce-only exactly when it reduces the position."""
    position, quantity = ledger.position, proposal.quantity
    after = position + quantity
    reducing = position * quantity < ZERO
    if conditions.halted:
        return Refusal("halted by the operator")
    if conditions.blind:
        return Refusal("no price to trade by")
    if conditions.order_outstanding:
        return Refusal("another order is outstanding")
    problem = (
        _size_problem(quantity, contract)
        or _direction_problem(position, after, proposal.target_position)
        or _collar_problem(proposal.limit_price, quantity, conditions.mark, contract)
    )
    if problem is None and not reducing:
        problem = (
            increases_refused(conditions.breaches, conditions.doubt)
            or _far_problem(proposal.limit_price, quantity, conditions)
            or _increase_problem(proposal, after, contract, ledger, conditions)
        )
    if problem is not None:
        return problem
    return SubmitOrder(
        proposal.cid, contract.symbol, quantity, proposal.limit_price, reducing, proposal.rests, _SEAL
    )


def approve_stop(
    cid: str, quantity: Contracts, trigger_price: Price, contract: Contract, ledger: Ledger
) -> PlaceStop | Refusal:
    """Judge a protective stop: it reduces the position, and never through zero."""
    problem = _size_problem(quantity, contract)
    if problem is None and quantity * ledger.position >= ZERO:
        problem = Refusal("a protective stop only reduces")
    if problem is None and abs(quantity) > abs(ledger.position):
        problem = Refusal("a protective stop never reverses a position")
    return problem or PlaceStop(cid, contract.symbol, quantity, trigger_price, _SEAL)


def _size_problem(quantity: Contracts, contract: Contract) -> Refusal | None:
    size = abs(quantity)
    if size < contract.min_quantity or size > contract.max_quantity:
        return Refusal(f"quantity is outside [{contract.min_quantity}, {contract.max_quantity}]")
    if size % contract.lot != ZERO:
        return Refusal(f"quantity is not a multiple of the lot {contract.lot}")
    return None


def _direction_problem(position: Contracts, after: Contracts, target: Contracts) -> Refusal | None:
    """Never past the target, and never through zero."""
    low, high = (position, target) if position < target else (target, position)
    if not low <= after <= high:
        return Refusal("position would pass its target")
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
        return Refusal("limit price is beyond the venue's price limit")
    return None


def _far_problem(limit_price: Price, quantity: Contracts, conditions: Conditions) -> Refusal | None:
    """An increase is priced by mark and index both: neither alone is believed without bounds."""
    collar = conditions.caps.collar
    for name, price in (("mark", conditions.mark), ("index", conditions.index_price)):
        if price is None:
            continue
        beyond = limit_price - price if quantity > ZERO else price - limit_price
        if beyond > price * collar:
            return Refusal(f"limit price is further than {collar:%} from the {name} price")
    return None


def _increase_problem(
    proposal: Proposal, after: Contracts, contract: Contract, ledger: Ledger, conditions: Conditions
) -> Refusal | None:
    """Minimum notional, caps, what was sent before, and margin for it with fees and the collar's loss."""
    mark, caps = conditions.mark, conditions.caps
    notional = abs(proposal.quantity) * mark
    if notional < contract.min_notional:
        return Refusal(f"notional is below the venue's minimum {contract.min_notional}")
    value = ledger.value(mark)
    if value <= ZERO:
        return Refusal("fund value is not positive")
    exposure = abs(after) * mark
    problem = _cap_problem(notional, exposure, value, conditions)
    if problem is not None:
        return problem
    content = (proposal.quantity, proposal.limit_price, ledger.position)
    too_much = conditions.traffic.problem(
        conditions.now_ms, notional, value, caps, content
    ) or conditions.day.problem(conditions.now_ms, notional, value, _nav(ledger, conditions), caps)
    if too_much is not None:
        breach = too_much.incident if too_much.until_ms is None else None
        return Refusal(too_much.reason, breach, too_much.until_ms)
    price = proposal.limit_price
    beyond = price - mark if proposal.quantity > ZERO else mark - price
    costs = notional * contract.taker_fee + max(notional * _OPEN_LOSS, abs(proposal.quantity) * beyond)
    if exposure > (value - conditions.withheld - costs) * contract.venue_leverage:
        return Refusal("margin would not cover the order")
    return None


def _nav(ledger: Ledger, conditions: Conditions) -> Decimal:
    own = ledger if conditions.own is None else conditions.own
    return own.value(conditions.mark) / conditions.units


def _cap_problem(notional: Usd, exposure: Usd, value: Usd, conditions: Conditions) -> Refusal | None:
    """What no order of a program that works can meet: each is a breach."""
    caps = conditions.caps
    if caps.order_notional is not None and notional > caps.order_notional:
        return Refusal("the order is larger than ORDER_NOTIONAL", OVER_CAP)
    if caps.position_notional is not None and exposure > caps.position_notional:
        return Refusal("the position would be larger than POSITION_NOTIONAL", OVER_CAP)
    if exposure > conditions.max_leverage * value:
        return Refusal("leverage after the order would exceed the emergency leverage", OVER_CAP)
    if conditions.planned is not None and conditions.traded + notional > max(
        MOST_OF_PLAN * conditions.planned, conditions.max_leverage * value
    ):
        return Refusal("the rebalance would trade far more than it was to", BEYOND_PLAN)
    return None


_OPEN_LOSS = Decimal(100) / BPS
"""Loss between mark and fill that the margin of an increase must bear at least, however near its limit is."""
