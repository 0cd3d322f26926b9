"""How a rebalance trades: sizes, gaps and collars by urgency. Pure arithmetic on the draws it is given.

Slice sizes and gaps are drawn from laws that do not know the remaining quantity, so no print tells how much
is left or when the rebalance ends (reference: Carlin, Lobo and Viswanathan 2007 on predatory trading; the
measurements are in docs/execution.md).
"""

from dataclasses import dataclass
from decimal import Decimal

from bot.core.fund import Contract
from bot.core.ledger import Ledger, real_leverage, target_position
from bot.core.units import (
    BPS,
    ONE,
    ZERO,
    Contracts,
    Leverage,
    Price,
    Urgency,
    not_above,
    not_below,
    toward_zero,
)


@dataclass(frozen=True, slots=True)
class Manner:
    """One urgency level.

    `slice_share`: range of a slice's notional as a share of fund value, None for as much as is left;
    `gap_s`: range of the pause between slices; the collar starts at `collar_bps` from the mark and widens by
    `widening_bps_per_s` of market time since the level began, at most to `widest_bps` (None: the venue's
    price limit). The first `posts` orders of a slice are post-only at our own touch, for a time drawn from
    `rest_s`; what follows crosses.
    """

    slice_share: tuple[float, float] | None
    gap_s: tuple[float, float]
    collar_bps: Decimal
    widening_bps_per_s: Decimal
    widest_bps: Decimal | None
    posts: int = 0
    rest_s: tuple[float, float] = (0.0, 0.0)


MANNERS = {
    Urgency.PATIENT: Manner(
        (0.04, 0.12), (15.0, 120.0), Decimal(10), Decimal("0.05"), Decimal(30), 3, (5.0, 15.0)
    ),
    Urgency.PROMPT: Manner((0.08, 0.24), (1.0, 8.0), Decimal(20), Decimal(2), Decimal(200)),
    Urgency.EMERGENCY: Manner(None, (0.0, 0.0), Decimal(100), Decimal(20), None),
}

RETRY_GAP_S = 1.0
"""Pause after an emergency slice that filled nothing.

The book needs a moment, and the collar time to widen.
"""

CLOSE_ENOUGH = Decimal("0.01")
"""A rebalance is done when real leverage is this close to its target."""


def remaining(ledger: Ledger, mark: Price, target: Leverage, sign: int, contract: Contract) -> Contracts:
    """Signed quantity still to trade at `mark`, rounded to lots toward zero.

    It never leads past the target.
    """
    return lots_to(target_position(ledger, mark, target, sign, contract.taker_fee), ledger, contract)


def lots_to(goal: Contracts, ledger: Ledger, contract: Contract) -> Contracts:
    """Signed quantity from the position to `goal`, rounded to lots toward zero."""
    return toward_zero(goal - ledger.position, contract.lot)


def tolerance(ledger: Ledger, mark: Price, target: Leverage, sign: int, contract: Contract) -> Leverage:
    """How far from its target a rebalance may end: `CLOSE_ENOUGH`, or what the smallest order moves.

    The smallest order is judged with 10 % to spare, for the price may move until the end.
    """
    value = ledger.value(mark)
    if value <= ZERO:
        return CLOSE_ENOUGH
    increasing = target * value > ledger.position * sign * mark
    smallest = contract.min_increase(mark) if increasing else contract.min_decrease(mark)
    return max(CLOSE_ENOUGH, (smallest + contract.lot) * mark / value * _SPARE)


_SPARE = Decimal("1.1")


def slice_quantity(
    left: Contracts, ledger: Ledger, mark: Price, contract: Contract, share: Decimal | None
) -> Contracts:
    """The next slice of the signed quantity `left`; zero if nothing tradable is left.

    `share` of fund value sizes it (None: all that is left). A remainder too small to trade is merged into it.
    """
    size = abs(left)
    reducing = left * ledger.position < ZERO
    smallest = contract.min_decrease(mark) if reducing else contract.min_increase(mark)
    if size < smallest:
        return ZERO
    if share is not None:
        value = ledger.value(mark)
        wanted = toward_zero(share * value / mark, contract.lot) if value > ZERO else ZERO
        wanted = max(wanted, smallest)
        if size - wanted >= smallest:
            size = wanted
    if size > contract.max_quantity:
        largest = toward_zero(contract.max_quantity, contract.lot)
        size = largest if abs(left) - largest >= smallest else largest - smallest
    return size if left > ZERO else -size


def limit_price(
    quantity: Contracts,
    mark: Price,
    touch: Price | None,
    urgency: Urgency,
    elapsed_ms: int,
    contract: Contract,
) -> Price:
    """The worst price a slice may trade at, on the venue's grid, never looser than the venue's price limit.

    The collar is measured from the mark, or, given the `touch` it would trade against, from the worse of the
    two.
    """
    manner = MANNERS[urgency]
    collar_bps = manner.collar_bps
    if elapsed_ms:
        collar_bps += manner.widening_bps_per_s * elapsed_ms / 1000
    if manner.widest_bps is not None and collar_bps > manner.widest_bps:
        collar_bps = manner.widest_bps
    fraction = collar_bps / BPS
    if quantity > ZERO:
        base = mark if touch is None or touch < mark else touch
        worst, furthest = base * (ONE + fraction), mark * contract.highest_price
        return not_above(min(worst, furthest), contract.tick)
    base = mark if touch is None or touch > mark else touch
    worst, furthest = base * (ONE - fraction), mark * contract.lowest_price
    return not_below(max(worst, furthest), contract.tick)


def post_price(quantity: Contracts, own_touch: Price, worst: Price, contract: Contract) -> Price:
    """The price of a post-only order: our own side's best, on the venue's grid, and never beyond `worst`."""
    if quantity > ZERO:
        return min(not_above(own_touch, contract.tick), worst)
    return max(not_below(own_touch, contract.tick), worst)


def passed_opposite_edge(
    ledger: Ledger, mark: Price, band: tuple[Leverage, Leverage], *, increasing: bool
) -> bool:
    """Whether leverage has crossed the edge opposite to the one that this rebalance trades away from."""
    leverage = real_leverage(ledger, mark)
    if leverage is None:
        return increasing
    return leverage > band[1] if increasing else leverage < band[0]
