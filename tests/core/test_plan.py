from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.core import draws, plan
from bot.core.ledger import Ledger, real_leverage, target_position
from bot.core.units import Urgency
from bot.testing import a_contract
from tests.support.examples import examples

D = Decimal
KEY = "5a" * 32

lots = st.sampled_from([D("0.001"), D("0.003"), D("0.01"), D("0.1"), D("1")])
marks = st.decimals("20", "90000", places=1)
leverages = st.decimals("0", "4", places=3)
sides = st.sampled_from([1, -1])
shares = st.one_of(st.none(), st.floats(0.04, 0.24))


def a_ledger(mark: Decimal, leverage: Decimal, side: int, lot: Decimal, value: int = 100_000) -> Ledger:
    """A fund of about `value` whose position is a multiple of the lot."""
    position = side * (leverage * value / mark // lot) * lot
    return Ledger(value - position * mark, position)


@settings(max_examples=examples(60))
@given(
    mark=marks,
    start=leverages,
    target=leverages,
    side=sides,
    lot=lots,
    seed=st.integers(0, 10**6),
    any_size=st.booleans(),
    largest=st.integers(1, 400),
)
def test_slices_add_up_to_the_whole_trade(
    mark: Decimal,
    start: Decimal,
    target: Decimal,
    side: int,
    lot: Decimal,
    seed: int,
    any_size: bool,  # noqa: FBT001
    largest: int,
) -> None:
    """At a constant mark: lot multiples, minimum honoured, no tell-tale remainder, exact sum, never past."""
    contract = replace(a_contract(lot=str(lot), taker_fee="0"), reduce_only_any_size=any_size)
    ledger = a_ledger(mark, start, side, lot)
    total = plan.remaining(ledger, mark, target, side, contract)
    smallest = contract.min_increase(mark) if start < target else contract.min_decrease(mark)
    contract = replace(contract, max_quantity=max(largest * lot, 3 * smallest, abs(total) / 200))
    if abs(total) < smallest:
        assert plan.slice_quantity(total, ledger, mark, contract, None) == 0
        return
    sizes: list[Decimal] = []
    while left := plan.remaining(ledger, mark, target, side, contract):
        share = draws.share(0.04, 0.24, draws.unit(KEY, seed, len(sizes)))
        size = plan.slice_quantity(left, ledger, mark, contract, share)
        assert size * left > 0
        assert abs(size) % lot == 0
        assert smallest <= abs(size) <= contract.max_quantity
        assert abs(size) <= abs(left)
        sizes.append(size)
        ledger = ledger.after_trade(size, mark, D(0))
    assert sum(sizes) == total
    goal = target_position(ledger, mark, target, side, D(0))
    assert abs(goal - ledger.position) < lot


@given(
    marks, sides, st.decimals(D("0.04"), D("0.24"), places=6), st.integers(1, 10**6), st.integers(1, 10**6)
)
def test_a_slice_does_not_know_what_remains(
    mark: Decimal, side: int, share: Decimal, more: int, most: int
) -> None:
    """The same draw gives the same slice for every remaining quantity that leaves a tradable remainder."""
    contract = replace(a_contract(), max_quantity=D(10**9))
    ledger = Ledger(D(100_000))
    drawn = abs(plan.slice_quantity(side * D(10**9), ledger, mark, contract, share))
    smallest = contract.min_increase(mark)
    sizes = {
        abs(plan.slice_quantity(side * (drawn + smallest + n * contract.lot), ledger, mark, contract, share))
        for n in (0, more, most)
    }
    assert sizes == {drawn}


@given(marks, leverages, leverages, sides, lots)
def test_the_remaining_quantity_never_leads_past_the_target(
    mark: Decimal, start: Decimal, target: Decimal, side: int, lot: Decimal
) -> None:
    """Even traded at once with its fee, what remains leaves leverage on the near side of the target."""
    contract = a_contract(lot=str(lot))
    ledger = a_ledger(mark, start, side, lot)
    left = plan.remaining(ledger, mark, target, side, contract)
    before = real_leverage(ledger, mark)
    after = real_leverage(ledger.after_trade(left, mark, abs(left) * mark * contract.taker_fee), mark)
    assert before is not None
    assert after is not None
    near, far = sorted((before, target))
    assert near - D("1e-15") <= after <= far + D("1e-15") or left == 0


def test_a_remainder_too_small_to_trade_is_merged() -> None:
    """0.0500 wanted by the draw, 0.051 left at a minimum of 0.002: one slice of 0.051, no dust."""
    contract, ledger = a_contract(), Ledger(D(100_000))
    assert plan.slice_quantity(D("0.051"), ledger, D(60_000), contract, D("0.0301")) == D("0.051")
    assert plan.slice_quantity(D("0.052"), ledger, D(60_000), contract, D("0.0301")) == D("0.050")


def test_a_parent_below_the_minimum_is_not_traded() -> None:
    """Nothing at all, rather than everything at once."""
    assert plan.slice_quantity(D("0.001"), Ledger(D(100_000)), D(60_000), a_contract(), D("0.1")) == 0


def test_a_draw_below_the_minimum_is_raised_to_it() -> None:
    """A fund so small that its share is under the minimum trades the minimum."""
    assert plan.slice_quantity(D("0.1"), Ledger(D(1_000)), D(60_000), a_contract(), D("0.04")) == D("0.002")


def test_an_emergency_slice_is_all_that_is_left() -> None:
    """Without a share the whole remainder goes in one order, up to the venue's largest."""
    contract, ledger = a_contract(), Ledger(D(-100_000), D(200))
    assert plan.slice_quantity(D(-50), ledger, D(60_000), contract, None) == -50
    assert plan.slice_quantity(D(-200), ledger, D(60_000), contract, None) == -120


def test_the_largest_order_leaves_a_tradable_remainder() -> None:
    """120.001 with a minimum of 0.002: 119.998 first, so that 0.003 remain."""
    contract = a_contract()
    size = plan.slice_quantity(D("120.001"), Ledger(D(10**9)), D(60_000), contract, None)
    assert size == D("119.998")


def test_a_fund_without_value_still_reduces() -> None:
    """With negative value the share gives nothing, and the minimum does."""
    ledger = Ledger(D(-70_000), D(1))
    assert plan.slice_quantity(D(-1), ledger, D(60_000), a_contract(), D("0.1")) == D("-0.001")


@given(
    mark=marks,
    off=st.decimals("-0.2", "0.2", places=4),
    touched=st.booleans(),
    urgency=st.sampled_from(Urgency),
    elapsed_ms=st.integers(0, 10**7),
    side=sides,
)
def test_a_collar_is_on_the_grid_and_within_the_venue_limit(
    mark: Decimal,
    off: Decimal,
    touched: bool,  # noqa: FBT001
    urgency: Urgency,
    elapsed_ms: int,
    side: int,
) -> None:
    """No limit price is looser than the venue allows, and with time it only becomes looser."""
    contract = a_contract()
    touch = mark * (1 + off) if touched else None
    price = plan.limit_price(D(side), mark, touch, plan.MANNERS[urgency], elapsed_ms, contract)
    later = plan.limit_price(D(side), mark, touch, plan.MANNERS[urgency], elapsed_ms + 1000, contract)
    assert price % contract.tick == 0
    assert (price - mark * (1 + side * contract.price_limit)) * side <= 0
    assert (later - price) * side >= 0


@pytest.mark.parametrize(
    ("urgency", "elapsed_s", "bps"),
    [
        (Urgency.PATIENT, 0, 10),
        (Urgency.PATIENT, 200, 20),
        (Urgency.PATIENT, 3600, 30),
        (Urgency.PROMPT, 0, 20),
        (Urgency.PROMPT, 30, 80),
        (Urgency.PROMPT, 240, 500),
        (Urgency.EMERGENCY, 0, 100),
        (Urgency.EMERGENCY, 10, 300),
        (Urgency.EMERGENCY, 20, 500),
    ],
)
def test_the_collar_widens_by_schedule(urgency: Urgency, elapsed_s: int, bps: int) -> None:
    """From its first width, by the second, to its widest; where it is urgent, to the venue's limit."""
    contract, mark = a_contract(), D(50_000)
    buy = plan.limit_price(D(1), mark, None, plan.MANNERS[urgency], elapsed_s * 1000, contract)
    sell = plan.limit_price(D(-1), mark, None, plan.MANNERS[urgency], elapsed_s * 1000, contract)
    assert buy == mark * (10_000 + bps) / 10_000
    assert sell == mark * (10_000 - bps) / 10_000


@pytest.mark.parametrize(("urgency", "reach_s"), [(Urgency.EMERGENCY, 60), (Urgency.PROMPT, 600)])
@pytest.mark.parametrize("limit", ["0.05", "0.1", "0.2"])
def test_an_urgent_collar_reaches_the_venue_limit_in_time(urgency: Urgency, reach_s: int, limit: str) -> None:
    """An emergency's within a minute, whatever the venue allows."""
    contract, how = replace(a_contract(), price_limit=D(limit)), plan.MANNERS[urgency]
    furthest = D(50_000) * (1 - D(limit))
    assert plan.limit_price(D(-1), D(50_000), None, how, reach_s * 1000, contract) == furthest


def test_what_is_late_trades_three_times_as_fast_and_no_faster() -> None:
    """Same slices, a third of the gaps, one post instead of three, and a wider collar."""
    deadline = plan.DEADLINE_MS
    usual = plan.MANNERS[Urgency.PATIENT]
    assert plan.manner(Urgency.PATIENT, deadline) == usual
    late = plan.manner(Urgency.PATIENT, deadline + 1)
    assert late.slice_share == usual.slice_share
    assert [gap * 3 for gap in late.gap_s] == list(usual.gap_s)
    assert (late.posts, late.widest_bps) == (1, 100)
    for urgency in (Urgency.PROMPT, Urgency.EMERGENCY):
        assert plan.manner(urgency, deadline + 1) == plan.MANNERS[urgency]


@given(
    left=st.integers(3, 3_000).map(lambda lots: D(lots) / 1000),
    seed=st.integers(0, 10**6),
    urgency=st.sampled_from([Urgency.PATIENT, Urgency.PROMPT]),
)
def test_no_slice_tells_that_it_is_the_last(left: Decimal, seed: int, urgency: Urgency) -> None:
    """Every slice lies in the range that they are drawn from, unless there is less in all."""
    law = plan.MANNERS[urgency].slice_share
    assert law is not None
    contract, mark, whole = a_contract(), D(50_000), left
    ledger = Ledger(D(100_000))
    low, high = (D(str(share)) * 100_000 / mark for share in law)
    while left:
        share = draws.share(*law, draws.unit(KEY, seed, str(left)))
        size = plan.slice_quantity(left, ledger, mark, contract, share, law=law)
        assert low - contract.lot < size <= high or size == whole < low
        left -= size


def test_a_fund_so_small_that_minima_decide_merges_what_would_be_left() -> None:
    """Value 1,000: a slice of 0.002 is the smallest there is, more than its law's largest."""
    contract, ledger = a_contract(), Ledger(D(1_000))
    assert plan.slice_quantity(D("0.003"), ledger, D(60_000), contract, D("0.04"), law=(0.04, 0.12)) == D(
        "0.003"
    )
    assert plan.slice_quantity(D("0.004"), ledger, D(60_000), contract, D("0.04"), law=(0.04, 0.12)) == D(
        "0.002"
    )


def test_a_slice_is_capped_but_never_below_what_the_venue_accepts() -> None:
    """By the lot; the minimum at 60,000 is 0.002."""
    contract, ledger = a_contract(), Ledger(D(100_000))

    def size(most: str) -> Decimal:
        return plan.slice_quantity(D(1), ledger, D(60_000), contract, D("0.1"), most=D(most))

    assert size("9") == D("0.166")
    assert size("0.0508") == D("0.05")
    assert size("0.0001") == D("0.002")
    left = plan.slice_quantity(D("0.003"), ledger, D(60_000), contract, most=D("0.002"))
    assert left == D("0.002")


def test_a_part_of_the_market_is_that_of_its_mean_gap() -> None:
    """900 traded in a quarter of an hour is one a second; a tenth of it, each 67.5 s."""
    assert plan.most_of_market(D(900), 900_000, (15.0, 120.0), D("0.1")) == D("6.75")


def test_the_collar_starts_at_the_worse_of_mark_and_touch() -> None:
    """A bid below the mark loosens a sell; a bid above it does not tighten it. For a buy likewise."""
    contract, mark = a_contract(), D(50_000)

    def limit(quantity: int, touch: int) -> Decimal:
        return plan.limit_price(D(quantity), mark, D(touch), plan.MANNERS[Urgency.PROMPT], 0, contract)

    assert limit(-1, 49_900) == D(49_900) * D("0.998")
    assert limit(-1, 50_100) == D(50_000) * D("0.998")
    assert limit(1, 50_100) == D(50_100) * D("1.002")
    assert limit(1, 49_900) == D(50_000) * D("1.002")


@given(marks, leverages, st.decimals("-0.3", "0.3", places=3), sides)
def test_tolerance_covers_the_smallest_order(mark: Decimal, start: Decimal, off: Decimal, side: int) -> None:
    """A target further away can be traded to, also by a fund that is small beside the venue's minimum."""
    contract, target = a_contract(), abs(start + off)
    ledger = a_ledger(mark, start, side, contract.lot, value=2_000)
    allowed = plan.tolerance(ledger, mark, target, side, contract)
    leverage = real_leverage(ledger, mark)
    assert leverage is not None
    assume(abs(leverage - target) > allowed)
    left = plan.remaining(ledger, mark, target, side, contract)
    assert plan.slice_quantity(left, ledger, mark, contract, None) != 0


def test_a_large_fund_ends_within_a_hundredth() -> None:
    """The floor of the tolerance, also where fund value is gone and nothing can be computed."""
    ledger = Ledger(D(-100_000), D(4))
    assert plan.tolerance(ledger, D(50_000), D(2), 1, a_contract()) == plan.CLOSE_ENOUGH
    assert plan.tolerance(ledger, D(20_000), D(2), 1, a_contract()) == plan.CLOSE_ENOUGH


@pytest.mark.parametrize(
    ("position", "mark", "increasing", "passed"),
    [
        ("4", "50000", True, False),
        ("4", "37000", True, True),
        ("4", "25000", True, True),
        ("4", "80000", False, True),
        ("4", "60000", False, False),
        ("4", "25000", False, False),
    ],
)
def test_the_opposite_edge_ends_a_rebalance(
    position: str, mark: str, *, increasing: bool, passed: bool
) -> None:
    """Raising leverage ends above the band (or with no value left), reducing it ends below the band."""
    ledger = Ledger(D(-100_000), D(position))
    band = (D("1.5"), D(3))
    assert plan.passed_opposite_edge(ledger, D(mark), band, increasing=increasing) is passed
