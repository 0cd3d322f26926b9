"""The market without a venue: matching, impact, queues, and the background's own trading."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.exchange.background import LEVELS, SIZE_LIFE_MS, build_ladder, noise
from bot.exchange.catalog import CATALOG
from bot.exchange.entities import Side
from bot.exchange.impact import HALF_LIFE_MS
from bot.exchange.market import Market, TradedSymbol
from bot.exchange.prices import PricePath, open_path
from bot.exchange.prices.funding import ConstantFunding
from tests.exchange.builders import START_MS, StepPath, flat
from tests.support.examples import examples

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.exchange.book import Fill

NAME = "BTCUSDT"
BTC = CATALOG[NAME]
LOT = BTC.step
MINUTE_MS = 60_000


def open_market(path: PricePath | None = None, *, seed: str = "1", at_ms: int = START_MS) -> Market:
    """Return a market of BTCUSDT, by default at 60,000 for an hour."""
    return Market([TradedSymbol(BTC, path or flat(), ConstantFunding())], seed=seed, start_ms=at_ms)


def money(fills: Iterable[Fill]) -> Decimal:
    """Return the notional of some fills."""
    return sum((fill.price * fill.quantity for fill in fills), Decimal(0))


def amount(fills: Iterable[Fill]) -> Decimal:
    """Return the quantity of some fills."""
    return sum((fill.quantity for fill in fills), Decimal(0))


def cost_bps(fills: Sequence[Fill], mark: int = 60_000) -> float:
    """Return what a buyer paid beyond the mark, on average."""
    return float(money(fills) / amount(fills) / mark - 1) * 1e4


sizes = st.integers(1, 2_000_000).map(lambda lots: lots * LOT)
sides = st.sampled_from(list(Side))


def same(one: bytes, other: bytes) -> int:
    """Return how many of the sizes are the same draws."""
    return sum(a == b for a, b in zip(one, other, strict=True))


@given(start_s=st.integers(0, 10**9), key=st.text(max_size=5))
def test_sizes_stay_for_a_while_and_are_drawn_anew_in_turn(start_s: int, key: str) -> None:
    """A few at each whole second, half of them within the half-life of depth, all of them within two."""
    start_ms = start_s * 1_000
    now = noise(key, start_ms)
    assert noise(key, start_ms + 999) == now
    assert same(now, noise(key, start_ms + 1_000)) >= 2 * LEVELS - 7
    half = HALF_LIFE_MS // 1_000 * 1_000
    assert abs(same(now, noise(key, start_ms + half)) - LEVELS) <= 7
    assert same(now, noise(key, start_ms + SIZE_LIFE_MS + 1_000)) <= 5


@given(
    name=st.sampled_from(sorted(CATALOG)),
    factor=st.floats(0.05, 20),
    turmoil=st.floats(0.5, 30),
    seed=st.text(max_size=5),
)
def test_ladders_are_sorted_around_the_mid(name: str, factor: float, turmoil: float, seed: str) -> None:
    """Asks rise above the mid, bids fall below it, each level adds a lot at least, and nothing is random."""
    symbol = CATALOG[name]
    mid = float(symbol.start_price) * factor
    draws = noise(seed, 0)
    for sign, part in ((1, draws[:LEVELS]), (-1, draws[LEVELS:])):
        ladder = build_ladder(symbol, mid, turmoil, sign, part)
        assert all(sign * (after - before) > 0 for before, after in pairwise(ladder.ticks))
        assert all(after > before for before, after in pairwise((0, *ladder.cumulative)))
        assert sign * (ladder.ticks[0] * symbol.tick_size - mid) > 0
        assert ladder == build_ladder(symbol, mid, turmoil, sign, part)


@given(side=sides, size=sizes, limit_bps=st.integers(-5, 40) | st.none(), seed=st.text(max_size=3))
def test_an_order_gets_what_the_book_shows_within_its_limit(
    side: Side, size: Decimal, limit_bps: int | None, seed: str
) -> None:
    """Best prices first, never beyond the limit, never more than asked for or shown."""
    market = open_market(seed=seed)
    limit = None if limit_bps is None else Decimal(60_000 + side.sign * 6 * limit_bps)
    shown = [
        level
        for level in market.book(NAME).against(side)
        if limit is None or side.sign * (limit - level.price) >= 0
    ]
    fills = market.take(NAME, "A", side, limit, size)
    assert amount(fills) == min(size, sum(level.quantity for level in shown))
    assert [fill.price for fill in fills] == [level.price for level in shown[: len(fills)]]
    assert all(fill.quantity <= level.quantity for fill, level in zip(fills, shown, strict=False))


@given(orders=st.lists(st.tuples(sides, sizes), max_size=6))
def test_a_preview_is_what_taking_gives(orders: list[tuple[Side, Decimal]]) -> None:
    """Looking changes nothing, and tells exactly what taking then gives."""
    market = open_market()
    for side, size in orders:
        before = market.book(NAME, "A")
        looked = market.preview(NAME, "A", side, None, size)
        assert market.book(NAME, "A") == before
        assert market.take(NAME, "A", side, None, size) == looked


@given(parts=st.lists(sizes, min_size=2, max_size=5), side=sides)
def test_splitting_an_order_within_an_instant_changes_nothing(parts: list[Decimal], side: Side) -> None:
    """Several orders at one instant pay what one for their sum pays."""
    whole, cut = open_market(), open_market()
    total = money(whole.take(NAME, "A", side, None, sum(parts, Decimal(0))))
    assert sum(money(cut.take(NAME, "A", side, None, part)) for part in parts) == total


@given(small=sizes, more=sizes, seed=st.text(max_size=3))
def test_a_larger_order_pays_more(small: Decimal, more: Decimal, seed: str) -> None:
    """The average price rises with size."""
    little = open_market(seed=seed).take(NAME, "A", Side.BUY, None, small)
    much = open_market(seed=seed).take(NAME, "A", Side.BUY, None, small + more)
    assert cost_bps(much) >= cost_bps(little) - 1e-9


@given(first=sizes, second=sizes, sides=st.tuples(sides, sides), order=st.sampled_from([1, -1]))
def test_at_one_instant_accounts_do_not_touch_each_others_background(
    first: Decimal, second: Decimal, sides: tuple[Side, Side], order: int
) -> None:
    """What an account gets from the background does not depend on who else asked at that instant."""
    alone = open_market().take(NAME, "B", sides[1], None, second)
    market = open_market()
    wishes = [("A", sides[0], first), ("B", sides[1], second)]
    got = {account: market.take(NAME, account, side, None, size) for account, side, size in wishes[::order]}
    assert got["B"] == alone


def test_from_the_next_instant_on_what_others_took_is_missing() -> None:
    """Depth is shared: it is gone for everybody, and comes back."""
    market, untouched = open_market(), open_market()
    market.take(NAME, "A", Side.BUY, None, Decimal(300))
    for market_ in (market, untouched):
        market_.move_to(START_MS + 10)
    hit = market.preview(NAME, "B", Side.BUY, None, Decimal(10))
    assert hit[0].price > untouched.preview(NAME, "B", Side.BUY, None, Decimal(10))[-1].price
    for market_ in (market, untouched):
        market_.move_to(START_MS + 40 * HALF_LIFE_MS)
    later = market.preview(NAME, "B", Side.BUY, None, Decimal(10))
    assert cost_bps(later) == pytest.approx(
        cost_bps(untouched.preview(NAME, "B", Side.BUY, None, Decimal(10))), abs=0.6
    )


trips = st.lists(st.tuples(sizes, st.integers(0, 60_000)), min_size=1, max_size=8)


@settings(deadline=None)
@given(buys=trips, sells=st.integers(1, 6), pause_ms=st.integers(0, 60_000), seed=st.text(max_size=3))
def test_round_trips_do_not_pay(
    buys: list[tuple[Decimal, int]], sells: int, pause_ms: int, seed: str
) -> None:
    """However a position is built and unwound at a constant mark, it loses, before any fee."""
    market, now = open_market(seed=seed), START_MS
    cash = held = Decimal(0)
    for size, wait_ms in buys:
        fills = market.take(NAME, "A", Side.BUY, None, size)
        cash, held = cash - money(fills), held + amount(fills)
        now += wait_ms
        market.move_to(now)
    for left in range(sells, 0, -1):
        fills = market.take(NAME, "A", Side.SELL, None, (held / left).quantize(LOT))
        cash, held = cash + money(fills), held - amount(fills)
        now += pause_ms
        market.move_to(now)
    assert cash + held * 60_000 <= 0


def test_impact_has_a_part_that_stays_and_vanishes_with_the_position() -> None:
    """Long after, the mid is higher by what the net quantity is worth; unwound, it is the mark again."""
    market, now = open_market(flat(36_000)), START_MS
    bought = Decimal(0)
    for _ in range(20):
        bought += amount(market.take(NAME, "A", Side.BUY, None, Decimal(200)))
        now += MINUTE_MS
        market.move_to(now)
    assert market.matching(NAME).mid == pytest.approx(60_000 * (1 + 240 * 0.02e-4), rel=1e-6)
    for _ in range(40):
        bought -= amount(market.take(NAME, "A", Side.SELL, None, min(bought, Decimal(200))))
        now += MINUTE_MS
        market.move_to(now)
    assert bought == 0
    assert market.matching(NAME).mid == pytest.approx(60_000, rel=1e-9)


def mean_cost(seeds: int, slices: int, gap_ms: int, usd: int) -> float:
    """Return the mean cost of buying `usd` in equal slices, over several seeds."""
    total = 0.0
    for seed in range(seeds):
        market, now, fills = open_market(seed=str(seed)), START_MS, []
        for _ in range(slices):
            fills += market.take(NAME, "A", Side.BUY, None, usd // slices // 60 * LOT)
            now += gap_ms
            market.move_to(now)
        total += cost_bps(fills) / seeds
    return total


def test_slicing_over_a_few_half_lives_is_cheaper_than_one_shot() -> None:
    """20 million at once pay over twice what ten slices of two million pay, two half-lives apart."""
    at_once = mean_cost(20, 1, 0, 20_000_000)
    assert at_once > 2 * mean_cost(20, 10, 2 * HALF_LIFE_MS, 20_000_000)
    assert at_once == pytest.approx(
        mean_cost(20, 10, 0, 20_000_000), rel=0.01
    )  # slicing without time: nothing


def test_cost_grows_less_than_in_proportion_to_size() -> None:
    """Beyond the touch, ten times the size pays some six times the price per unit, not ten."""
    one, ten = mean_cost(60, 1, 0, 2_000_000), mean_cost(60, 1, 0, 20_000_000)
    assert 3 < ten / one < 9


def test_a_crash_costs_a_multiple_of_a_calm_evening() -> None:
    """Near the bottom of the crash scenario a million pays several times what it pays in calm."""
    costs: dict[str, list[float]] = {"calm": [], "crash": []}
    for scenario, found in costs.items():
        path = open_path(scenario=scenario, symbol=NAME, seed=7, start_price=Decimal(60_000))
        for minute in range(30 * 60, 34 * 60, 5):
            market = open_market(path, at_ms=path.start_ms + minute * MINUTE_MS)
            book = market.book(NAME)
            mid = (book.bids[0].price + book.asks[0].price) / 2
            fills = market.preview(NAME, "A", Side.BUY, None, (Decimal(1_000_000) / mid).quantize(LOT))
            found.append(float(money(fills) / amount(fills) / mid - 1) * 1e4)
    calm, crash = (sum(found) / len(found) for found in costs.values())
    assert crash > 4 * calm


# --- resting orders -----------------------------------------------------------------------------------


def passive(market: Market) -> list[tuple[int, Decimal]]:
    """Return what filled passively: order id and quantity."""
    return [(fill.order_id, fill.quantity) for fill in market.passive_fills()]


def test_resting_orders_are_hit_by_price_then_time_then_id() -> None:
    """The better price first; at one price the earlier; at one time the lower id."""
    market = open_market()
    inside = Decimal("60000.0")  # between the background's bid and ask
    market.rest(7, "A", NAME, Side.SELL, inside, Decimal(1))
    market.rest(5, "B", NAME, Side.SELL, inside, Decimal(1))
    market.rest(9, "C", NAME, Side.SELL, Decimal("59999.9"), Decimal(1))
    fills = market.take(NAME, "D", Side.BUY, inside, Decimal("2.5"))
    assert [(fill.maker_order_id, fill.quantity) for fill in fills] == [
        (9, Decimal(1)),
        (5, Decimal(1)),
        (7, Decimal("0.5")),
    ]
    assert amount(market.take(NAME, "D", Side.BUY, inside, Decimal(9))) == Decimal("0.5")


def test_at_one_price_the_background_goes_first() -> None:
    """An order that joins the touch is hit when the touch has been taken."""
    market = open_market()
    touch = market.book(NAME).asks[0]
    market.rest(1, "A", NAME, Side.SELL, touch.price, Decimal(1))
    fills = market.take(NAME, "B", Side.BUY, touch.price, touch.quantity + Decimal("0.5"))
    assert [(fill.quantity, fill.maker_order_id) for fill in fills] == [
        (touch.quantity, None),
        (Decimal("0.5"), 1),
    ]


def test_an_account_does_not_meet_its_own_orders() -> None:
    """Its own resting order is passed over."""
    market = open_market()
    market.rest(1, "A", NAME, Side.SELL, Decimal("60000.0"), Decimal(1))
    assert all(fill.maker_order_id is None for fill in market.take(NAME, "A", Side.BUY, None, Decimal(2)))


@settings(deadline=None, max_examples=examples(30))
@given(
    stops=st.lists(st.integers(1, 119_999), max_size=15, unique=True),
    quantity=st.integers(1, 30_000).map(lambda lots: lots * LOT),
    behind=st.integers(0, 3),
    seed=st.text(max_size=3),
)
def test_it_does_not_matter_how_time_was_cut(
    stops: list[int], quantity: Decimal, behind: int, seed: str
) -> None:
    """Impact and passive fills after two minutes are the same whether anybody looked in between or not."""
    found = []
    for looks in ((), sorted(stops)):
        market = open_market(seed=seed)
        price = market.book(NAME).bids[behind].price
        market.take(NAME, "B", Side.BUY, None, Decimal(100))
        market.rest(1, "A", NAME, Side.BUY, price, quantity)
        filled = Decimal(0)
        for time_ms in (*looks, 120_000):
            market.move_to(START_MS + time_ms)
            market.book(NAME)
            filled += sum((fill.quantity for fill in market.passive_fills()), Decimal(0))
        market.move_to(START_MS + 600_000)
        found.append((filled, market.book(NAME)))
    assert found[0][0] == found[1][0]
    # The permanent part appears as fast as fills happen, which is seen at looks; it is below a tick here.
    assert found[0][1].asks[0].price == found[1][1].asks[0].price


def test_the_flow_of_others_fills_what_rests_at_the_touch_bit_by_bit() -> None:
    """Behind its queue, partially, and in the end in full; deeper in the book nothing happens."""
    market = open_market(StepPath([Decimal("60000.05")] * 3_601))
    bids = market.book(NAME).bids
    market.rest(1, "A", NAME, Side.BUY, bids[0].price, Decimal(5))
    market.rest(2, "A", NAME, Side.BUY, bids[8].price, Decimal(5))
    found: list[Decimal] = []
    for second in range(1, 600):
        market.move_to(START_MS + 1_000 * second)
        fills = passive(market)
        assert all(order_id == 1 for order_id, _ in fills)
        found += [quantity for _, quantity in fills]
    assert sum(found) == 5
    assert len(found) > 2


def test_an_order_that_the_market_trades_through_fills_in_full() -> None:
    """When the mid has come to its price, whatever was ahead of it is gone."""
    market = open_market(StepPath([60_000, 59_950, 59_899]))
    market.rest(1, "A", NAME, Side.BUY, Decimal(59_900), Decimal(500))
    market.move_to(START_MS + 1_000)
    assert passive(market) == []
    market.move_to(START_MS + 2_000)
    assert passive(market) == [(1, Decimal(500))]


def test_an_order_taken_out_or_made_smaller_fills_no_more() -> None:
    """Reducing keeps the rest; removing removes it."""
    market = open_market(StepPath([60_000, 59_000]))
    for order_id in (1, 2, 3):
        market.rest(order_id, "A", NAME, Side.BUY, Decimal(59_900), Decimal(5))
    market.reduce(2, Decimal(3))
    market.unrest(3)
    market.move_to(START_MS + 1_000)
    assert passive(market) == [(1, Decimal(5)), (2, Decimal(2))]


@settings(deadline=None)
@given(steps=st.lists(st.tuples(sides, sizes, st.integers(0, 5_000), st.booleans()), max_size=8))
def test_a_restored_market_goes_on_as_the_one_that_was_stored(
    steps: list[tuple[Side, Decimal, int, bool]],
) -> None:
    """State goes through JSON at any moment, and everything after is the same to the digit."""

    def play(market: Market, number: int, step: tuple[Side, Decimal, int, bool]) -> Any:
        side, size, wait_ms, rests = step
        if rests:
            price = market.book(NAME).against(side)[2].price - side.sign * 50
            market.rest(number, "B", NAME, side, price, size)
        fills = market.take(NAME, "A", side, None, size)
        market.move_to(market.now + wait_ms)
        return fills, market.passive_fills(), market.book(NAME, "A")

    one = open_market()
    for number, step in enumerate(steps, 1):
        other = open_market(at_ms=one.now)
        other.restore(NAME, json.loads(json.dumps(one.state(NAME))))
        assert play(other, number, step) == play(one, number, step)


# --- the tape -----------------------------------------------------------------------------------------


def test_the_tape_is_the_same_however_it_is_asked_for() -> None:
    """Prints of a minute at once are the prints of its seconds; ids and times rise; sizes are positive."""
    market = open_market()
    market.move_to(START_MS + 60_000)
    whole = market.prints(NAME, START_MS, START_MS + 59_999, 10_000)
    parts = [
        row
        for second in range(60)
        for row in market.prints(NAME, START_MS + second * 1_000, START_MS + second * 1_000 + 999, 10_000)
    ]
    assert whole == parts
    assert all(a.id < b.id and a.time_ms <= b.time_ms for a, b in pairwise(whole))
    assert all(row.quantity > 0 and row.quantity % LOT == 0 for row in whole)
    assert {row.buyer_is_maker for row in whole} == {True, False}
    assert market.prints(NAME, START_MS, START_MS + 59_999, 5) == whole[-5:]


def test_what_accounts_take_is_on_the_tape() -> None:
    """Each fill is a print at its price, with the taker's side, and is the last price."""
    market = open_market()
    market.move_to(START_MS + 500)
    fills = market.take(NAME, "A", Side.SELL, None, Decimal(30))
    rows = market.prints(NAME, market.now, market.now)
    own = [(row.price, row.quantity) for row in rows if row.id % 1_000 >= 500]
    assert own == [(fill.price, fill.quantity) for fill in fills]
    assert all(row.buyer_is_maker for row in rows if row.id % 1_000 >= 500)
    assert market.last(NAME) == fills[-1].price


def test_arrivals_and_sizes_are_those_of_the_recording() -> None:
    """At normal volatility: some 11.6 market orders a second with a median near 1,760 USDT."""
    path = open_path(scenario="calm", symbol=NAME, seed=2, start_price=Decimal(60_000))
    matching = open_market(path, at_ms=path.start_ms + 7_200_000).matching(NAME)
    first = (path.start_ms + 3_600_000) // 1_000
    orders = [order for second in range(first, first + 3_600) for order in matching.orders_in(second)]
    usd = sorted(order.usd for order in orders)
    assert 8 < len(orders) / 3_600 < 16
    assert 1_200 < usd[len(usd) // 2] < 2_600
    assert 0.45 < sum(order.sign > 0 for order in orders) / len(orders) < 0.55
