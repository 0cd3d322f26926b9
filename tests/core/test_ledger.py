from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.ledger import Basis, Ledger, real_leverage, target_position, venue_fill

D = Decimal


def levered(leverage: str, *, side: int = 1, value: str = "100") -> Ledger:
    """A fund of `value` at mark 1, at real leverage `leverage`."""
    exposure = D(leverage) * D(value)
    return Ledger(D(value) - side * exposure, side * exposure)


def test_the_founding_example_buys_from_332_to_465() -> None:
    """An exposure of 332 that becomes 465 at 2x is a fund of 232.5 at a real leverage of 1.42796."""
    fund = Ledger(D("232.5") - 332, D(332))
    leverage = real_leverage(fund, D(1))
    assert leverage is not None
    assert round(leverage, 5) == D("1.42796")
    assert target_position(fund, D(1), D(2), 1, D(0)) == 465


def test_the_founding_example_fits_a_path_of_returns() -> None:
    """-5, +15, -10, +30, +30 % from 2x: exposures and leverages by hand, and 464.677 at 2x."""
    fund, mark, seen = levered("2"), D(1), []
    for move in ("-0.05", "0.15", "-0.10", "0.30", "0.30"):
        mark *= 1 + D(move)
        leverage = real_leverage(fund, mark)
        assert leverage is not None
        seen.append((fund.position * mark, round(leverage, 3)))
    assert seen == [
        (D("190"), D("2.111")),
        (D("218.5"), D("1.844")),
        (D("196.65"), D("2.035")),
        (D("255.645"), D("1.642")),
        (D("332.3385"), D("1.430")),
    ]
    assert f"{target_position(fund, mark, D(2), 1, D(0)) * mark:.3f}" == "464.677"


def test_one_move_of_thirty_percent_leaves_the_band_alone() -> None:
    """From 2x, +30 % gives exposure 260 on a fund value of 160: leverage 1.625, inside [1.5, 3]."""
    fund = levered("2")
    assert fund.value(D("1.3")) == 160
    assert real_leverage(fund, D("1.3")) == D("1.625")


@pytest.mark.parametrize(
    ("start", "side", "mark", "leverage", "nav"),
    [
        ("2", 1, "1.5", "1.5", "2"),
        ("2", 1, "0.75", "3", "0.5"),
        ("2", -1, "0.9", "1.5", "1.2"),
        ("2", -1, "1.125", "3", "0.75"),
        ("2.5", 1, "1.8", "1.5", None),
        ("2.5", 1, "0.9", "3", None),
        ("2.5", -1, "0.84", "1.5", None),
        ("2.5", -1, "1.05", "3", None),
    ],
)
def test_the_band_edges_lie_at_exact_prices(
    start: str, side: int, mark: str, leverage: str, nav: str | None
) -> None:
    """Without trades, each edge of [1.5, 3] is reached at the price that the algebra gives."""
    fund = levered(start, side=side)
    assert real_leverage(fund, D(mark)) == D(leverage)
    if nav is not None:
        assert fund.value(D(mark)) / 100 == D(nav)


def test_an_indebted_fund_at_three_times_buys_the_difference() -> None:
    """150 ETH at 210 with a debt of 20,000: value 11,500, leverage 2.739, so 3x buys 14.286 ETH."""
    fund = Ledger(D(-20_000), D(150))
    assert fund.value(D(210)) == 11_500
    assert f"{real_leverage(fund, D(210)):.3f}" == "2.739"
    wanted = target_position(fund, D(210), D(3), 1, D(0))
    assert f"{wanted:.3f}" == "164.286"
    assert f"{wanted - fund.position:.3f}" == "14.286"


@pytest.mark.parametrize(
    ("value", "leverage", "mark", "goal", "bought"),
    [("200", "3", "1.05", "690", "60"), ("100", "3", "1.05", "345", "30")],
)
def test_a_rise_of_five_percent_makes_a_triple_long_buy(
    value: str, leverage: str, mark: str, goal: str, bought: str
) -> None:
    """The flow of a constant-leverage fund is (L^2 - L) x return x value."""
    fund = levered(leverage, value=value)
    exposure = target_position(fund, D(mark), D(3), 1, D(0)) * D(mark)
    assert round(exposure, 9) == D(goal)
    assert round(exposure - fund.position * D(mark), 9) == D(bought)


@pytest.mark.parametrize(
    ("side", "mark", "leverage"),
    [
        (1, D("0.9"), "3.857"),
        (1, D("1.1"), "2.538"),
        (1, D(8) / 9, "4.000"),
        (-1, D(16) / 15, "4.000"),
    ],
)
def test_three_times_drifts_with_the_price(side: int, mark: Decimal, leverage: str) -> None:
    """A 3x long is at 4x after -11.11 %, a 3x short already after +6.67 %."""
    assert f"{real_leverage(levered('3', side=side), mark):.3f}" == leverage


def test_a_fund_without_value_has_no_leverage_and_sizes_no_trade() -> None:
    """2 ETH and a debt of 1,000 at 400: value -200. The naive -4x must never size anything."""
    fund = Ledger(D(-1_000), D(2))
    assert fund.value(D(400)) == -200
    assert real_leverage(fund, D(400)) is None
    assert real_leverage(fund, D(500)) is None
    assert target_position(fund, D(400), D(3), 1, D(0)) == 0


@pytest.mark.parametrize(
    ("leverage", "target", "trade"),
    [("1.5", "2.25", "75"), ("3", "2.25", "-75"), ("1.5", "2", "50"), ("3", "2", "-100")],
)
def test_a_trade_at_the_exit_is_value_times_the_leverage_gap(leverage: str, target: str, trade: str) -> None:
    """At fund value 100 the exposure changes by 100 x (target - leverage)."""
    fund = levered(leverage)
    assert target_position(fund, D(1), D(target), 1, D(0)) - fund.position == D(trade)


@pytest.mark.parametrize(
    ("leverage", "side", "nav"),
    [("3", 1, ".570698"), ("2", 1, ".832359"), ("2", -1, ".570698"), ("3", -1, ".315017")],
)
def test_constant_leverage_decays_on_a_zigzag(leverage: str, side: int, nav: str) -> None:
    """(+10 %, -1/11) x 10 leaves the underlying at 1, and a constantly levered fund at a known loss."""
    fund, mark = levered(leverage, side=side, value="1"), D(1)
    for _ in range(10):
        for factor in (D("1.1"), D(10) / 11):
            mark *= factor
            goal = target_position(fund, mark, D(leverage), side, D(0))
            fund = fund.after_trade(goal - fund.position, mark, D(0))
    assert f"{fund.value(mark):.6f}" == f"{D(nav):.6f}"


@given(
    start=st.decimals("0.1", "6", places=3),
    target=st.decimals("0.1", "6", places=3),
    mark=st.decimals("1", "90000", places=2),
    fee_bps=st.integers(0, 50),
    side=st.sampled_from([1, -1]),
)
def test_leverage_after_the_fee_is_the_target(
    start: Decimal, target: Decimal, mark: Decimal, fee_bps: int, side: int
) -> None:
    """The trade that is asked for, filled at the mark with its fee paid, leaves exactly the target."""
    position = side * start * 1000 / mark
    fund, fee = Ledger(D(1000) - position * mark, position), D(fee_bps) / 10_000
    quantity = target_position(fund, mark, target, side, fee) - position
    after = fund.after_trade(quantity, mark, abs(quantity) * mark * fee)
    leverage = real_leverage(after, mark)
    assert leverage is not None
    assert abs(leverage - target) < D("1e-15")


@pytest.mark.parametrize(
    ("exposure", "target", "after"),
    [("150", "2", "200.05"), ("300", "2", "199.9")],
)
def test_the_fee_formula_in_both_directions(exposure: str, target: str, after: str) -> None:
    """E' = T(V + fE)/(1 + Tf) when increasing and T(V - fE)/(1 - Tf) when reducing, here by hand."""
    value, e, t, f = D(100), D(exposure), D(target), D("0.0005")
    expected = t * (value + f * e) / (1 + t * f) if t * value > e else t * (value - f * e) / (1 - t * f)
    got = target_position(Ledger(value - e, e), D(1), t, 1, f)
    assert abs(got - expected) < D("1e-20")
    assert abs(got - D(after)) < D("0.11")


@pytest.mark.parametrize("side", [1, -1])
def test_no_fee_turns_a_reduction_into_a_reversal(side: int) -> None:
    """Of a value of 1 the fee of selling 200 at 1 % leaves nothing: all is sold, and not a coin more."""
    fund = Ledger(D(1) - side * D(200), side * D(200))
    assert target_position(fund, D(1), D(2), side, D("0.01")) == 0
    assert target_position(fund, D(1), D(2), side, D("0.001")) * side > 0


trades = st.lists(
    st.tuples(
        st.integers(-50, 50).filter(bool),
        st.decimals("10", "1000", places=2),
        st.decimals("0", "5", places=4),
    ),
    max_size=12,
)


@given(trades, st.decimals("10", "1000", places=2))
def test_value_is_start_plus_what_the_trades_made(
    made: list[tuple[int, Decimal, Decimal]], mark: Decimal
) -> None:
    """Fund value = start + sum of quantity x (mark - price) - fees, whatever the order of the trades."""
    fund, gain = Ledger(D(1000)), D(0)
    for quantity, price, fee in made:
        fund = fund.after_trade(D(quantity), price, fee)
        gain += quantity * (mark - price) - fee
    assert fund.value(mark) == 1000 + gain
    assert fund.position == sum(quantity for quantity, _, _ in made)
    assert fund.fees == sum(fee for _, _, fee in made)


@pytest.mark.parametrize(
    ("made", "wallet"),
    [
        ([(2, 100)], 1000),
        ([(2, 100), (2, 200)], 1000),
        ([(2, 100), (2, 200), (-1, 250)], 1100),
        ([(2, 100), (-2, 90)], 980),
        ([(2, 100), (-3, 90)], 980),
        ([(-2, 100), (1, 90)], 1010),
    ],
)
def test_the_wallet_realises_profit_only_on_reduction(made: list[tuple[int, int]], wallet: int) -> None:
    """As at the venue: additions average in, reductions realise their share, a reversal starts anew."""
    fund = Ledger(D(1000))
    for quantity, price in made:
        fund = fund.after_trade(D(quantity), D(price), D(0))
    assert fund.wallet == wallet


def test_funding_and_other_income_change_cash_and_their_totals() -> None:
    """Both end in cash; each is counted apart."""
    fund = Ledger(D(100)).after_funding(D(-3)).after_other_income(D(5))
    assert (fund.cash, fund.funding, fund.other_income) == (D(102), D(-3), D(5))
    assert fund.wallet == 102


venue_trades = st.lists(
    st.tuples(st.integers(-500, 500).filter(bool), st.integers(9_000, 11_000)), min_size=1, max_size=12
)


@given(venue_trades, st.randoms())
def test_the_cost_of_a_position_does_not_hang_on_the_order_of_news(
    moves: list[tuple[int, int]], shuffle: Random
) -> None:
    """Trades that are heard of in any order leave the cost, and so the wallet, that the venue has."""
    numbered = [(str(i + 1), i // 3, D(size) / 1000, D(price)) for i, (size, price) in enumerate(moves)]
    at_venue = Ledger(D(0))
    for _, _, quantity, price in numbered:
        at_venue = at_venue.after_trade(quantity, price, D(0))
    shuffle.shuffle(numbered)
    heard, basis = Ledger(D(0)), Basis()
    for trade_id, time_ms, quantity, price in numbered:
        heard = heard.after_trade(quantity, price, D(0))
        basis, heard = basis.with_trade(venue_fill(trade_id, time_ms, quantity, price), heard)
    assert abs(heard.wallet - at_venue.wallet) < D("1e-9")
    assert heard.position == at_venue.position
