"""How a rebalance trades: sizes, gaps and collars by urgency. Pure arithmetic on the draws it is given.

Slice sizes and gaps are drawn from laws that do not know the remaining quantity, so no print tells how much
is left or when the rebalance ends (reference: Carlin, Lobo and Viswanathan 2007 on predatory trading; the
measurements are in docs/execution.md).
"""

from dataclasses import dataclass, replace
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
    `widening_bps_per_s` of market time since the level began, at most to `widest_bps`; where that is None, to
    the venue's price limit, and so much faster that it is there after `reach_s`. The first `posts` orders of
    a slice are post-only at our own touch, for a time drawn from `rest_s`; what follows crosses.
    """

    slice_share: tuple[float, float] | None
    gap_s: tuple[float, float]
    collar_bps: Decimal
    widening_bps_per_s: Decimal
    widest_bps: Decimal | None
    posts: int = 0
    rest_s: tuple[float, float] = (0.0, 0.0)
    reach_s: int = 60


MANNERS = {
    Urgency.PATIENT: Manner(
        slice_share=(0.04, 0.12),
        gap_s=(15.0, 120.0),
        collar_bps=Decimal(10),
        widening_bps_per_s=Decimal("0.05"),
        widest_bps=Decimal(30),
        posts=3,
        rest_s=(5.0, 15.0),
    ),
    Urgency.PROMPT: Manner(
        slice_share=(0.08, 0.24),
        gap_s=(1.0, 8.0),
        collar_bps=Decimal(20),
        widening_bps_per_s=Decimal(2),
        widest_bps=None,
        reach_s=600,
    ),
    Urgency.EMERGENCY: Manner(
        slice_share=None,
        gap_s=(0.0, 0.0),
        collar_bps=Decimal(100),
        widening_bps_per_s=Decimal(20),
        widest_bps=None,
    ),
}

DEADLINE_MS = 3_600_000
"""A patient rebalance that is older, in market time, is late: it goes on as `LATE`."""

OVERDUE_MS = 2 * DEADLINE_MS
"""One that is older still is an incident."""

CATCH_UP = 3
"""What is late trades at most so many times as fast as it was planned to."""

LATE = replace(
    MANNERS[Urgency.PATIENT], gap_s=(15.0 / CATCH_UP, 120.0 / CATCH_UP), widest_bps=Decimal(100), posts=1
)


def manner(urgency: Urgency, age_ms: int) -> Manner:
    """How a rebalance of this age trades: one that may take its time may not take for ever."""
    if age_ms > DEADLINE_MS and urgency is Urgency.PATIENT:
        return LATE
    return MANNERS[urgency]


def most_of_market(volume: Contracts, span_ms: int, gap_s: tuple[float, float], share: Decimal) -> Contracts:
    """The largest slice that, one each mean gap, is no more than `share` of the market's volume.

    `volume` is what the market traded in the last `span_ms`.
    """
    mean_gap_ms = int(500 * (gap_s[0] + gap_s[1]))
    return volume * share * mean_gap_ms / span_ms


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
    """Signed quantity from the position to `goal`, rounded to lots toward zero.

    A position of the wrong sign, which a stranger's trade may leave, is closed before anything else.
    """
    if goal * ledger.position < ZERO:
        goal = ZERO
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
    left: Contracts,
    ledger: Ledger,
    mark: Price,
    contract: Contract,
    share: Decimal | None = None,
    *,
    law: tuple[float, float] | None = None,
    most: Contracts | None = None,
) -> Contracts:
    """The next slice of the signed quantity `left`; zero if nothing tradable is left.

    `share` of fund value, drawn from `law`, sizes it (None: all that is left). No slice leaves a remainder
    below the law's range, which would tell that it is the last: such a remainder is merged, or the slice made
    smaller. `most` caps it, but never below what the venue accepts.
    """
    size = abs(left)
    reducing = left * ledger.position < ZERO
    smallest = contract.min_decrease(mark) if reducing else contract.min_increase(mark)
    if size < smallest:
        return ZERO
    if share is not None:
        size = _drawn_size(size, smallest, ledger.value(mark) / mark, contract.lot, share, law)
    limit = contract.max_quantity if most is None else min(max(most, smallest), contract.max_quantity)
    if size > limit:
        size = toward_zero(limit, contract.lot)
        rest = abs(left) - size
        if rest < smallest <= size - smallest:
            size -= smallest  # the rest must be tradable, too
    return size if left > ZERO else -size


def _drawn_size(
    left: Contracts,
    smallest: Contracts,
    value: Contracts,
    lot: Contracts,
    share: Decimal,
    law: tuple[float, float] | None,
) -> Contracts:
    """The unsigned size of a slice by its drawn `share` of fund `value` (here in units of the underlying)."""
    wanted = max(toward_zero(share * value, lot), smallest)
    rest = left - wanted
    if rest >= wanted:
        return wanted  # which is no less than any least
    if law is None:
        return wanted if rest >= smallest else left
    least = max(toward_zero(Decimal(law[0]) * value, lot), smallest)
    if rest >= least:
        return wanted
    return left if left <= Decimal(law[1]) * value or left < 2 * least else left - least


def limit_price(
    quantity: Contracts,
    mark: Price,
    touch: Price | None,
    how: Manner,
    elapsed_ms: int,
    contract: Contract,
) -> Price:
    """The worst price a slice may trade at, on the venue's grid, never looser than the venue's price limit.

    The collar is measured from the mark, or, given the `touch` it would trade against, from the worse of the
    two.
    """
    collar_bps = how.collar_bps
    if elapsed_ms:
        collar_bps += _widening_bps_per_s(how, contract) * elapsed_ms / 1000
    if how.widest_bps is not None and collar_bps > how.widest_bps:
        collar_bps = how.widest_bps
    fraction = collar_bps / BPS
    if quantity > ZERO:
        base = mark if touch is None or touch < mark else touch
        worst, furthest = base * (ONE + fraction), mark * contract.highest_price
        return not_above(min(worst, furthest), contract.tick)
    base = mark if touch is None or touch > mark else touch
    worst, furthest = base * (ONE - fraction), mark * contract.lowest_price
    return not_below(max(worst, furthest), contract.tick)


def _widening_bps_per_s(how: Manner, contract: Contract) -> Decimal:
    """By the schedule, or faster where the venue's price limit would else be reached too late."""
    if how.widest_bps is not None:
        return how.widening_bps_per_s
    return max(how.widening_bps_per_s, (contract.price_limit * BPS - how.collar_bps) / how.reach_s)


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
